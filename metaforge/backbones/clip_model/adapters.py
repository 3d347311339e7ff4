"""Few trained weights inside a frozen vision tower: ST-Adapters, which look along time, and low-rank updates."""

import functools
from dataclasses import dataclass
from typing import Literal, get_args

import jax
import jax.numpy as jnp
from einops import rearrange
from jaxtyping import Array, Float

from metaforge.backbones.clip_model.config import VisionConfig
from metaforge.backbones.clip_model.transformer import Insertions, Tokens, Weights, block_names, linear, wide

Places = Literal["24x", "12x"]
"""Where adapters stand, by their number in 12 blocks: "24x" before the attention and before the MLP of every block,
"12x" before the MLP alone."""

AdapterAct = Literal["none", "relu"]
"""What stands between an adapter's convolution and its second matrix."""

_PLACES = {"24x": ("attention", "mlp"), "12x": ("mlp",)}
_MATRICES = ("q", "k", "v", "out")


@dataclass(frozen=True)
class STAdapter:
    r"""A bottleneck that looks along time: patch tokens become $x + \phi(\mathrm{conv}_t(x W_{down} + b)) W_{up} + b'$.

    The class token passes through unchanged. In the convolution every channel has its own weights. An adapter starts as
    the identity, and how depends on $\phi$, because one way is dead: behind a convolution of zeros a ReLU has slope 0,
    and neither that convolution nor $W_{up}$ would ever move.

    The adapter before the last MLP changes patch tokens that nothing looks at any more: a feature of class tokens does
    not depend on it, and its gradient is 0. It is there because the published numbers of adapters count it.

    - "none": $\phi$ is the identity and the convolution is 0, as in both public codes.
    - "relu": $W_{up} = 0$, and the convolution is random.

    Attributes:
        width: the bottleneck's size, 384 as published.
        places: "24x" or "12x".
        act: "none" or "relu".
        frames: how many frames the convolution sees at once, odd.
        blocks: how many of the tower's last blocks have adapters; 0 for all. Those before need no way back in training,
            and what they make of a frame never changes (`metaforge.backbones.clip_model.parted_clip`).

    Raises:
        ValueError: for an unknown place or activation, or sizes that make no sense.

    Example:
        >>> STAdapter(places="12x").width
        384

    References:
        Pan et al., *ST-Adapter: Parameter-Efficient Image-to-Video Transfer Learning*, NeurIPS 2022, section 3.2.
    """

    width: int = 384
    places: Places = "24x"
    act: AdapterAct = "none"
    frames: int = 3
    blocks: int = 0

    def __post_init__(self):
        """Checks the choices."""
        if self.places not in _PLACES:
            raise ValueError(f"unknown `places` {self.places!r}; known: {', '.join(_PLACES)}.")
        if self.act not in get_args(AdapterAct):
            raise ValueError(f"unknown `act` {self.act!r}; known: {', '.join(get_args(AdapterAct))}.")
        if self.width < 1 or self.frames < 1 or self.frames % 2 == 0:
            raise ValueError(f"`width` must be at least 1 and `frames` odd, got {self.width} and {self.frames}.")
        if self.blocks < 0:
            raise ValueError(f"`blocks` must be at least 0, got {self.blocks}.")


@dataclass(frozen=True)
class LoRA:
    r"""Low-rank updates of attention matrices: $x W + \frac{\alpha}{r}\, x A B$ with $A$ random and $B = 0$ at first.

    Attributes:
        rank: $r$, at least 1.
        alpha: $\alpha$; the update is scaled by `alpha / rank`.
        targets: which matrices, of "q", "k", "v" and "out"; the paper's choice is q and v.

    Raises:
        ValueError: for an unknown target, none, or a rank below 1.

    Example:
        >>> LoRA(rank=4, targets=("q", "k", "v", "out")).alpha
        8.0

    References:
        Hu et al., *LoRA: Low-Rank Adaptation of Large Language Models*, ICLR 2022, sections 4.1 and 7.1.
    """

    rank: int = 8
    alpha: float = 8.0
    targets: tuple[str, ...] = ("q", "v")

    def __post_init__(self):
        """Checks the choices."""
        if self.rank < 1:
            raise ValueError(f"`rank` must be at least 1, got {self.rank}.")
        if not self.targets or not {*self.targets} <= {*_MATRICES}:
            raise ValueError(f"`targets` must be some of {', '.join(_MATRICES)}, got {self.targets}.")


def init_adapters(key: jax.Array, config: VisionConfig, adapter: STAdapter) -> dict:
    """Adapters for the blocks that have some, by the block's name and "attention" or "mlp"."""

    def one(key):
        down, conv, up = jax.random.split(key, 3)
        relu = adapter.act == "relu"
        # A convolution that keeps the size of what it sees, since every channel has only its own frames.
        kernel = jax.random.normal(conv, (adapter.frames, adapter.width)) * adapter.frames**-0.5
        return {
            "down": _uniform(down, config.width, adapter.width),
            "conv": {"kernel": kernel if relu else jnp.zeros_like(kernel), "bias": jnp.zeros(adapter.width)},
            "up": jax.tree.map(jnp.zeros_like if relu else jnp.asarray, _uniform(up, adapter.width, config.width)),
        }

    if adapter.blocks > config.layers:
        raise ValueError(f"`blocks` of the adapters is {adapter.blocks}, and the tower has {config.layers}.")
    names = block_names(config.layers)[-adapter.blocks :]
    places = [(name, place) for name in names for place in _PLACES[adapter.places]]
    adapters: dict = {name: {} for name in names}
    for (name, place), its_key in zip(places, jax.random.split(key, len(places)), strict=True):
        adapters[name][place] = one(its_key)
    return adapters


def init_lora(key: jax.Array, config: VisionConfig, lora: LoRA) -> dict:
    """The matrices "a" and "b" of every target in every block."""

    def one(key):
        a = jax.random.normal(key, (config.width, lora.rank)) * config.width**-0.5
        return {"a": a, "b": jnp.zeros((lora.rank, config.width))}

    keys = jax.random.split(key, (config.layers, len(lora.targets)))
    return {
        name: {target: one(keys[i, j]) for j, target in enumerate(lora.targets)}
        for i, name in enumerate(block_names(config.layers))
    }


def insertions(
    adapters: Weights | None,
    updates: Weights | None,
    *,
    frames: int,
    adapter: STAdapter | None = None,
    lora: LoRA | None = None,
) -> Insertions:
    """What one block's adapters and low-rank updates put into it, for clips of `frames` frames.

    Args:
        adapters: this block's of `init_adapters`, or `None`.
        updates: this block's of `init_lora`, or `None`.
        frames: how many frames a clip has.
        adapter: what the adapters were made with.
        lora: what the updates were made with.
    """
    inserted: dict = {}
    if adapter is not None and adapters is not None:
        for place in _PLACES[adapter.places]:
            inserted[f"before_{place}"] = functools.partial(st_adapter, adapters[place], frames=frames, act=adapter.act)
    if lora is not None and updates is not None:
        scale = lora.alpha / lora.rank
        inserted["low_rank"] = {name: functools.partial(_low_rank, updates[name], scale) for name in lora.targets}
    return Insertions(**inserted)


def st_adapter(params: Weights, tokens: Tokens, *, frames: int, act: AdapterAct) -> Tokens:
    """The tokens after an ST-Adapter. Rows are frames, a clip's `frames` one after the other; around it are zeros."""
    hidden = linear(params["down"], tokens[:, 1:])
    clips = rearrange(hidden, "(clip frame) patch width -> clip frame patch width", frame=frames)
    hidden = rearrange(_conv_over_time(params["conv"], clips), "clip frame patch width -> (clip frame) patch width")
    update = linear(params["up"], jax.nn.relu(hidden) if act == "relu" else hidden)
    return tokens + jnp.pad(update, ((0, 0), (1, 0), (0, 0)))


def merged_lora(params: Weights, lora: LoRA) -> dict:
    r"""The same backbone without low-rank updates: each $W$ becomes $W + \frac{\alpha}{r} A B$.

    Args:
        params: of a backbone made with `lora`, as float32.
        lora: what it was made with.

    Returns:
        Parameters for the same backbone made without `lora`.

    Raises:
        ValueError: if the parameters have no "lora".

    Example:
        >>> from metaforge.backbones import clip
        >>> small = VisionConfig(image_size=8, patch_size=4, width=8, layers=1, heads=2)
        >>> params = clip(variant=small, lora=LoRA(rank=2)).init(jax.random.key(0), jnp.zeros((1, 8, 8, 3)))
        >>> sorted(merged_lora(params, LoRA(rank=2)))
        ['head', 'vision']
    """
    if "lora" not in params:
        raise ValueError(f"these parameters have no 'lora', only {', '.join(sorted(params))}.")
    merged = jax.tree.map(lambda leaf: leaf, dict(params))  # copies the dictionaries, not the arrays
    for name, targets in merged.pop("lora").items():
        for target, matrices in targets.items():
            layer = merged["vision"]["blocks"][name]["attention"][target]
            layer["kernel"] = layer["kernel"] + lora.alpha / lora.rank * (matrices["a"] @ matrices["b"])
    return merged


def _low_rank(params: Weights, scale: float, inputs: Tokens) -> Tokens:
    return scale * ((wide(inputs) @ params["a"]) @ params["b"])


def _conv_over_time(
    params: Weights, inputs: Float[Array, "clips frames patches width"]
) -> Float[Array, "clips frames patches width"]:
    size, frames = params["kernel"].shape[0], inputs.shape[1]
    padded = jnp.pad(inputs, ((0, 0), (size // 2, size // 2), (0, 0), (0, 0)))
    # Every channel has its own few weights: sums of shifted products, where a grouped convolution is slow.
    parts = [padded[:, i : i + frames] * params["kernel"][i].reshape(1, 1, 1, -1) for i in range(size)]
    return sum(parts[1:], start=parts[0]) + params["bias"].reshape(1, 1, 1, -1)


def _uniform(key: jax.Array, rows: int, columns: int) -> dict:
    limit = rows**-0.5
    return {"kernel": jax.random.uniform(key, (rows, columns), minval=-limit, maxval=limit), "bias": jnp.zeros(columns)}
