"""CLIP's vision tower as a graph, from the same sizes and parameters as `metaforge.backbones.clip_model`."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from metaforge.backbones.clip_model.config import EPSILON, VisionConfig
from metaforge.backbones.clip_model.positions import resized_positions
from metaforge.backbones.clip_model.transformer import block_names
from metaforge.backbones.clip_model.vision import STATISTICS
from metaforge.screening.portable.graph import Graph


class Seen(NamedTuple):
    """What the tower makes of images.

    Attributes:
        features: of the class token, `(images, width)`.
        patches: of chosen blocks, the patch tokens behind each, `(images, patches, width)`.
    """

    features: str
    patches: list[str]


def vision(graph: Graph, config: VisionConfig, params: Any, *, blocks: tuple[int, ...] = ()) -> Seen:
    r"""The tower of a detector: patches, a class token, positions, blocks, and $\mathrm{LN}_{post}(x_{class})$.

    Query, key and value are one product, whose first part holds the $1/\sqrt{d}$ of the attention. Where nobody asks
    for the patches behind the last block, it is computed for the class token alone.

    Args:
        graph: what is added to.
        config: the tower's sizes; its `image_size` is not looked at, but that of the graph.
        params: of `init_vision`, in any floating point.

    Other Arguments:
        blocks: whose patch tokens are wanted, in order.
    """
    tokens, kept = _embedded(graph, config, params), []
    last = config.layers - 1
    for number, name in enumerate(block_names(config.layers)):
        alone = number == last and last not in blocks
        tokens = _block(graph, config, params["blocks"][name], tokens, class_alone=alone)
        if number in blocks:
            kept.append(graph.part(tokens, 1, 1 << 30))
    of_class = graph.part(tokens, 0, 1)
    return Seen(graph.add("Flatten", graph.normalised_rows(of_class, params["ln_post"], EPSILON)), kept)


def _embedded(graph: Graph, config: VisionConfig, params: Any) -> str:
    mean, deviation = (255 * np.asarray(each) for each in STATISTICS["clip"])
    kernel = _numbers(params["patch"]["kernel"])
    maps, grid = graph.convolution(
        graph.images(mean, deviation), kernel, None, side=graph.size, stride=config.patch_size
    )
    patches = graph.add("Transpose", graph.reshaped(maps, 0, config.width, -1), perm=[0, 2, 1])
    # A row of zeros before them, to which the class token comes with its position.
    pads, zero = graph.constant([0, 1, 0, 0, 0, 0], kind=np.int64), graph.constant(0.0)
    positions = np.array(resized_positions(jnp.asarray(_numbers(params["positions"])), grid))
    positions[0] += _numbers(params["class"])
    tokens = graph.add("Add", graph.add("Pad", patches, pads, zero), graph.constant(positions[None]))
    return graph.normalised_rows(tokens, params["ln_pre"], EPSILON)


def _block(graph: Graph, config: VisionConfig, params: Any, tokens: str, *, class_alone: bool) -> str:
    """One block; of the class token alone its result has one row an image."""
    width, heads = config.width, config.heads
    normal = graph.normalised_rows(tokens, params["ln_1"], EPSILON)
    attention = params["attention"]
    scale = (width // heads) ** -0.5
    q, k, v = ((_numbers(attention[name]["kernel"]), _numbers(attention[name]["bias"])) for name in "qkv")
    q = (scale * q[0], scale * q[1])
    if class_alone:
        tokens, of_class = graph.part(tokens, 0, 1), graph.part(normal, 0, 1)
        query, (key, value) = graph.product(of_class, *q), _products(graph, normal, k, v)
    else:
        query, key, value = _products(graph, normal, q, k, v)
    rows = (_by_head(graph, each, heads, width) for each in (query, key, value))
    query, key, value = (
        graph.add("Transpose", each, perm=perm)
        for each, perm in zip(rows, ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]), strict=True)
    )
    mixed = graph.add("MatMul", graph.add("Softmax", graph.add("MatMul", query, key), axis=-1), value)
    together = graph.reshaped(graph.add("Transpose", mixed, perm=[0, 2, 1, 3]), 0, -1, width)
    tokens = graph.add("Add", tokens, _linear(graph, together, attention["out"]))
    hidden = _linear(graph, graph.normalised_rows(tokens, params["ln_2"], EPSILON), params["mlp"]["in"])
    return graph.add("Add", tokens, _linear(graph, _activated(graph, config, hidden), params["mlp"]["out"]))


def _products(graph: Graph, inputs: str, *layers: tuple[np.ndarray, np.ndarray]) -> tuple[str, ...]:
    """Several products of the same rows, computed as one."""
    kernel, bias = (np.concatenate(parts, axis=-1) for parts in zip(*layers, strict=True))
    sizes = graph.constant([each[1].size for each in layers], kind=np.int64)
    return graph.add_several("Split", len(layers), graph.product(inputs, kernel, bias), sizes, axis=-1)


def _by_head(graph: Graph, rows: str, heads: int, width: int) -> str:
    return graph.reshaped(rows, 0, -1, heads, width // heads)


def _activated(graph: Graph, config: VisionConfig, inputs: str) -> str:
    if config.activation == "quick_gelu":
        gate = graph.add("Sigmoid", graph.add("Mul", inputs, graph.constant(1.702)))
        return graph.add("Mul", inputs, gate)
    error = graph.add("Erf", graph.add("Mul", inputs, graph.constant(2**-0.5)))
    both = graph.add("Mul", inputs, graph.add("Add", error, graph.constant(1.0)))
    return graph.add("Mul", both, graph.constant(0.5))


def _linear(graph: Graph, inputs: str, params: Any) -> str:
    return graph.product(inputs, _numbers(params["kernel"]), _numbers(params["bias"]))


def _numbers(array: Any) -> np.ndarray:
    return np.asarray(array).astype(np.float32)
