"""Channels taken out of the blocks of an EfficientNet, by the scale of their normalisation."""

import dataclasses
import functools
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from metaforge.backbones import choice
from metaforge.backbones.efficientnet._layers import activation
from metaforge.backbones.efficientnet._plan import Plan
from metaforge.backbones.spec import EFFICIENTNETS, BackboneSpec
from metaforge.errors import InputError
from metaforge.types import Params

Within = Literal["block", "network"]
"""Among which channels the weakest are looked for: of each block, or of all blocks together."""


def prune(
    spec: BackboneSpec, params: Params, share: float, *, within: Within = "block", multiple: int = 8
) -> tuple[BackboneSpec, Params]:
    r"""A network with fewer channels inside its blocks: smaller arrays, and less to compute.

    A block adds channels, convolves each by itself and takes them away again. The score of a channel is $|\gamma|$ of
    the normalisation behind its depthwise convolution (network slimming); the weakest go, with all that made them and
    all that read them, squeeze and excitation too. What blocks hand on, their sums and levels keep their widths. Blocks
    that add no channels stay as they are.

    What a channel said on average goes into the normalisation behind it, if that has statistics of its own ("frozen"):
    $\mu \leftarrow \mu - W_c\, \mathrm{E}\,\phi(z)$ with $z \sim N(\beta, \gamma^2)$. So a channel whose $\gamma$ is 0
    changes no output when it goes.

    Args:
        spec: of an efficientnet, with levels or without; not normalised in groups, which would become others.
        params: its parameters.
        share: of the channels, in [0, 1).

    Other Arguments:
        within: of every block the same share goes ("block"), or what is weakest in the whole network ("network").
        multiple: as many channels stay in a block as the next multiple of it, and at least so many: processors compute
            with 8 or 16 at a time.

    Returns:
        The settings, whose `hidden` says how wide the blocks are, without a file of weights; and the parameters.

    Raises:
        InputError: for another network, or a share out of range.

    Example:
        >>> spec = BackboneSpec(image_size=32, backbone="efficientnet_b0")
        >>> params = jax.tree.map(lambda leaf: np.ones(leaf.shape, leaf.dtype), choice.shapes(spec))
        >>> smaller, fewer = prune(spec, params, 0.5)
        >>> fewer["block1"]["depthwise"]["kernel"].shape, smaller.hidden.split(",")[:4]
        ((3, 3, 48), ['32', '48', '72', '72'])

    References:
        Liu et al., *Learning Efficient Convolutional Networks through Network Slimming*, ICCV 2017, section 3.
        Molchanov et al., *Pruning Convolutional Neural Networks for Resource Efficient Inference*, ICLR 2017.
    """
    if spec.backbone not in EFFICIENTNETS or spec.clip_levels:
        what = "CLIP beside another" if spec.clip_levels else spec.backbone
        raise InputError(f"prune: a detector on {what} has no blocks to take channels from. Give an efficientnet's.")
    if spec.normalisation == "group":
        raise InputError("prune: normalisation=group has groups of channels, which would become others.")
    if not 0 <= share < 1 or multiple < 1:
        raise InputError(f"prune: a share of {share:g} in multiples of {multiple}. Give a share from 0 to below 1.")
    plan = choice.plan(spec)
    kept = channels(plan, params, share, within=within, multiple=multiple)
    widths = list(plan.widths)
    made = dict(params)
    for number, which in kept.items():
        widths[number] = len(which)
        made[f"block{number}"] = _narrowed(plan, params[f"block{number}"], which, frozen=spec.normalisation == "frozen")
    smaller = dataclasses.replace(choice.settled(spec).unread(), hidden=",".join(map(str, widths)))
    return smaller, made


def channels(
    plan: Plan, params: Params, share: float, *, within: Within = "block", multiple: int = 8
) -> dict[int, np.ndarray]:
    """The channels that stay, in order, of each block that the parameters hold and that adds channels.

    Example:
        >>> from metaforge.backbones.efficientnet._plan import LITE0
        >>> norm = {"scale": np.arange(96.0), "bias": np.zeros(96)}
        >>> channels(LITE0, {"block1": {"depthwise_norm": norm}}, 0.9)[1].tolist()
        [80, 81, 82, 83, 84, 85, 86, 87, 88, 89, 90, 91, 92, 93, 94, 95]
    """
    scores = {
        number: np.abs(np.asarray(params[f"block{number}"]["depthwise_norm"]["scale"], np.float64))
        for number, (stage, _) in enumerate(plan.blocks)
        if stage.expansion != 1 and f"block{number}" in params
    }
    every = np.sort(np.concatenate([*scores.values(), np.zeros(0)]))
    gone = int(share * len(every))
    least = every[gone] if gone else -np.inf
    kept = {}
    for number, score in scores.items():
        if within == "network":
            stay = int(np.sum(score >= least))
        else:
            stay = len(score) - int(share * len(score))
        stay = min(len(score), max(multiple, -(-stay // multiple) * multiple))
        kept[number] = np.sort(np.argsort(-score, kind="stable")[:stay])
    return kept


def _narrowed(plan: Plan, block: Params, kept: np.ndarray, *, frozen: bool) -> Params:
    """A block without the other channels."""
    width = np.shape(block["depthwise_norm"]["scale"])[0]
    gone = np.setdiff1d(np.arange(width), kept)
    # What is read along which axis: the convolutions before by what they give, those behind by what they take.
    last = lambda part: jax.tree.map(lambda leaf: np.asarray(leaf)[..., kept], part)
    made = {**block, **{name: last(block[name]) for name in ("expand", "expand_norm", "depthwise", "depthwise_norm")}}
    made["project"] = {"kernel": np.asarray(block["project"]["kernel"])[kept]}
    said = _said(plan, block["depthwise_norm"])[gone]
    if plan.squeeze:
        squeeze, excite = block["squeeze"], block["excite"]
        constant = said @ np.asarray(squeeze["kernel"], np.float64)[gone]
        made["squeeze"] = {
            "kernel": np.asarray(squeeze["kernel"])[kept],
            "bias": np.asarray(squeeze["bias"] + constant, np.float32),
        }
        made["excite"] = last(excite)
        # Its gate is another for every image; this is about the middle.
        said = said / (1 + np.exp(-np.asarray(excite["bias"], np.float64)[gone]))
    if frozen:
        norm = block["project_norm"]
        constant = said @ np.asarray(block["project"]["kernel"], np.float64)[gone]
        made["project_norm"] = {**norm, "mean": np.asarray(norm["mean"] - constant, np.float32)}
    return made


def _said(plan: Plan, norm: Params) -> np.ndarray:
    """What each channel is on average behind its activation, if it is normal with the normalisation's two numbers."""
    places, weights = np.polynomial.hermite_e.hermegauss(64)
    scale, bias = (np.asarray(norm[name], np.float64)[:, None] for name in ("scale", "bias"))
    values = np.asarray(_activated(plan)(jnp.asarray(bias + scale * places[None], jnp.float32)), np.float64)
    return values @ (weights / weights.sum())


@functools.lru_cache(maxsize=8)
def _activated(plan: Plan) -> Any:
    return jax.jit(activation(plan))
