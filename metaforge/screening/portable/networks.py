"""The networks as graphs, from the same plans and parameters as `metaforge.backbones`: what each makes of an image."""

from typing import Any

import numpy as np

from metaforge.backbones import choice
from metaforge.backbones._checking import numbers
from metaforge.backbones.clip_model.config import vision_config
from metaforge.backbones.efficientnet._fusion import fusion_kind
from metaforge.backbones.efficientnet._plan import Plan, Stage
from metaforge.backbones.spec import EFFICIENTNETS, BackboneSpec
from metaforge.screening.portable import transformer
from metaforge.screening.portable.graph import Graph
from metaforge.screening.portable.layers import Maps, Normalising, convolved

_LEVEL_EPSILON = 1e-6  # of `metaforge.backbones.levels`


def embedded(graph: Graph, spec: BackboneSpec, params: Any, context: np.ndarray) -> str:
    """What the head of a backbone sees, `(images, features)`.

    Args:
        graph: what is added to.
        spec: of the backbone.
        params: its parameters.
        context: uint8 images whose statistics normalise, of "support" and "episode".
    """
    if spec.levels:
        return _levels(graph, spec, params)
    if spec.backbone == "clip":
        hidden = transformer.vision(graph, vision_config(spec.variant), params["vision"]).features
    elif spec.backbone in EFFICIENTNETS:
        plan = choice.plan(spec)
        hidden = efficientnet(graph, plan, params, Normalising(spec.normalisation, plan.epsilon, context))
    else:
        hidden = _conv4(graph, params, Normalising(spec.normalisation, 1e-5, context))
    return graph.affine(hidden, params["neck"]["kernel"], params["neck"]["bias"]) if spec.neck else hidden


def logits(graph: Graph, spec: BackboneSpec, params: Any, features: str) -> str:
    """What the head says of features, `(images, classes)`."""
    if spec.head == "linear":
        return graph.affine(features, params["kernel"], params["bias"])
    if spec.head == "quadratic":
        both = graph.add("Concat", features, graph.add("Mul", features, features), axis=1)
        return graph.affine(both, params["Dense_0"]["kernel"], params["Dense_0"]["bias"])
    # flax numbers layers as they are made, and the last one is made first.
    hidden = graph.add("Relu", graph.affine(features, params["Dense_1"]["kernel"], params["Dense_1"]["bias"]))
    return graph.affine(hidden, params["Dense_0"]["kernel"], params["Dense_0"]["bias"])


def efficientnet(graph: Graph, plan: Plan, params: Any, by: Normalising) -> str:
    """The whole of an EfficientNet up to its head: `(images, plan.size)`."""
    maps, kept = _stem(graph, plan, params, by), []
    for number, (stage, stride) in enumerate(plan.blocks):
        maps = _block(graph, plan, stage, stride, params[f"block{number}"], maps, by)
        if number in plan.fused:
            kept.append(maps)
        if plan.fused and number == plan.fused[-1]:
            return _fused(graph, plan, params["fusion"], kept, by)
    kernel = np.asarray(params["top"]["kernel"])[None, None]
    maps = _activated(graph, plan, convolved(graph, maps, kernel, params["top_norm"], by))
    return graph.add("Flatten", graph.add("GlobalAveragePool", maps.name))


def _levels(graph: Graph, spec: BackboneSpec, params: Any) -> str:
    """Means and deviations of chosen blocks, of one network or of two side by side, standardised."""
    if spec.backbone == "clip":
        parts = _levels_of_clip(graph, spec, params, spec.levels)
    elif spec.clip_levels:
        parts = _levels_of_plan(graph, choice.plan(spec), params["first"], numbers(spec.levels))
        parts += _levels_of_clip(graph, spec, params["second"], spec.clip_levels)
    else:
        parts = _levels_of_plan(graph, choice.plan(spec), params, numbers(spec.levels))
    statistics = params["standardise"]
    less = graph.add("Sub", graph.add("Concat", *parts, axis=1), graph.constant(np.asarray(statistics["mean"])[None]))
    return graph.add("Div", less, graph.constant(np.asarray(statistics["scale"])[None]))


def _levels_of_clip(graph: Graph, spec: BackboneSpec, params: Any, blocks: str) -> list[str]:
    """The class token's feature, then means and deviations of the patch tokens behind chosen blocks."""
    seen = transformer.vision(graph, vision_config(spec.variant), params["vision"], blocks=numbers(blocks))
    return [seen.features, *(part for patches in seen.patches for part in _mean_and_deviation(graph, patches, [1]))]


def _levels_of_plan(graph: Graph, plan: Plan, params: Any, blocks: tuple[int, ...]) -> list[str]:
    """Means and deviations of chosen blocks' channels."""
    by = Normalising("frozen", plan.epsilon, np.zeros(0))
    maps, parts = _stem(graph, plan, params, by), []
    for number, (stage, stride) in enumerate(plan.blocks[: blocks[-1] + 1]):
        maps = _block(graph, plan, stage, stride, params[f"block{number}"], maps, by)
        if number in blocks:
            parts += _mean_and_deviation(graph, maps.name, [2, 3])
    return parts


def _mean_and_deviation(graph: Graph, values: str, axes: list[int]) -> list[str]:
    """Over axes, each a row an image."""
    mean = graph.add("ReduceMean", values, axes=axes, keepdims=1)
    less = graph.add("Sub", values, mean)
    variance = graph.add("ReduceMean", graph.add("Mul", less, less), axes=axes, keepdims=1)
    deviation = graph.add("Sqrt", graph.add("Add", variance, graph.constant(_LEVEL_EPSILON)))
    return [graph.add("Flatten", mean), graph.add("Flatten", deviation)]


def _stem(graph: Graph, plan: Plan, params: Any, by: Normalising) -> Maps:
    images = Maps(graph.images(plan.mean, plan.deviation), graph.size, 3)
    same = plan.padding == "same"
    maps = convolved(graph, images, params["stem"]["kernel"], params["stem_norm"], by, stride=2, same=same)
    return _activated(graph, plan, maps)


def _block(graph: Graph, plan: Plan, stage: Stage, stride: int, params: Any, inputs: Maps, by: Normalising) -> Maps:
    """One inverted residual."""
    hidden = inputs
    if stage.expansion != 1:
        kernel = np.asarray(params["expand"]["kernel"])[None, None]
        hidden = _activated(graph, plan, convolved(graph, hidden, kernel, params["expand_norm"], by))
    kernel = np.asarray(params["depthwise"]["kernel"])[:, :, None]
    hidden = convolved(graph, hidden, kernel, params["depthwise_norm"], by, stride=stride, groups=hidden.channels,
                       same=plan.padding == "same")  # fmt: skip
    hidden = _activated(graph, plan, hidden)
    if plan.squeeze:
        hidden = _excited(graph, plan, hidden, params)
    kernel = np.asarray(params["project"]["kernel"])[None, None]
    hidden = convolved(graph, hidden, kernel, params["project_norm"], by)
    if stride == 1 and inputs.channels == stage.features:
        hidden = hidden._replace(name=graph.add("Add", hidden.name, inputs.name))
    return hidden


def _fused(graph: Graph, plan: Plan, params: Any, maps: list[Maps], by: Normalising) -> str:
    """Maps of several depths as one vector: `metaforge.backbones.efficientnet._fusion`."""
    by = by._replace(kind=fusion_kind(by.kind))  # type: ignore[arg-type]
    none, seen = Normalising("none", 0, np.zeros(0)), []
    for block, given in zip(plan.fused, maps, strict=True):
        kernel = np.asarray(params[f"project{block}"]["kernel"])[None, None]
        projected = _activated(graph, plan, convolved(graph, given, kernel, params[f"project{block}_norm"], by))
        kernel = np.asarray(params[f"attend{block}"]["kernel"])[None, None] / plan.fused_width**0.5
        scores = convolved(graph, projected, kernel, None, none)
        attention = graph.add("Softmax", graph.reshaped(scores.name, 0, -1, 1), axis=1)
        pooled = graph.add("MatMul", graph.reshaped(projected.name, 0, projected.channels, -1), attention)
        seen.append(pooled)  # (images, width, 1)
    every = graph.add("Concat", *seen, axis=2)
    ordered = graph.add("Flatten", graph.add("Transpose", every, perm=[0, 2, 1]))
    kernel = np.asarray(params["gate"]["kernel"]) / (len(seen) * plan.fused_width) ** 0.5
    gate = graph.affine(ordered, kernel, params["gate"]["bias"])
    weights = graph.reshaped(graph.add("Softmax", gate, axis=1), 0, len(seen), 1)
    return graph.add("Flatten", graph.add("MatMul", every, weights))


def _excited(graph: Graph, plan: Plan, maps: Maps, params: Any) -> Maps:
    """Every channel times a gate that all channels' means have made."""
    pooled, none = (
        Maps(graph.add("GlobalAveragePool", maps.name), 1, maps.channels),
        Normalising("none", 0, np.zeros(0)),
    )
    squeeze, excite = ((np.asarray(params[name]["kernel"])[None, None], params[name]["bias"])
                       for name in ("squeeze", "excite"))  # fmt: skip
    few = _activated(graph, plan, convolved(graph, pooled, squeeze[0], None, none, bias=squeeze[1]))
    gate = graph.add("Sigmoid", convolved(graph, few, excite[0], None, none, bias=excite[1]).name)
    return maps._replace(name=graph.add("Mul", maps.name, gate))


def _activated(graph: Graph, plan: Plan, maps: Maps) -> Maps:
    if plan.activation == "relu6":
        return maps._replace(name=graph.relu6(maps.name))
    return maps._replace(name=graph.add("Mul", maps.name, graph.add("Sigmoid", maps.name)))


def _conv4(graph: Graph, params: Any, by: Normalising) -> str:
    """The four blocks, and their last maps as a row in the order of flax: rows, columns, channels."""
    maps = Maps(graph.images([127.5] * 3, [127.5] * 3), graph.size, 3)
    for number in range(4):
        layer = params[f"Conv_{number}"]
        norm = _own(params, number, by.kind)
        maps = convolved(graph, maps, layer["kernel"], norm, by, bias=layer.get("bias"))
        pooled = graph.add("MaxPool", graph.add("Relu", maps.name), kernel_shape=[2, 2], strides=[2, 2])
        maps = Maps(pooled, maps.side // 2, maps.channels)
    return graph.add("Flatten", graph.add("Transpose", maps.name, perm=[0, 2, 3, 1]))


def _own(params: Any, number: int, kind: str) -> Any:
    if kind == "none":
        return None
    (layer,) = params[f"Normalise_{number}"].values()
    return layer
