"""How files name CLIP's tensors, and how a tensor in a file becomes one of ours: three namings, both towers.

- "openai": the released models' own names, `visual.transformer.resblocks.0.attn.in_proj_weight`.
- "huggingface": those of transformers, `vision_model.encoder.layers.0.self_attn.q_proj.weight`.
- "bare": the same without the tower's name in front, as newer versions of transformers save a tower alone.

Linear layers are stored transposed there, (outputs, inputs), and convolutions as (outputs, 3, height, width).
"""

import re
from typing import Literal, NamedTuple, get_args

import numpy as np

TowerName = Literal["vision", "text"]
Naming = Literal["openai", "huggingface", "bare"]
"""Whose names a file has."""


class Entry(NamedTuple):
    """One array of ours in a file.

    Attributes:
        path: where it stands in a tower's parameters, parts joined by "/".
        name: its tensor's name.
        third: 0, 1 or 2 if it is that third of the tensor's rows; `None` if it is all of it.
    """

    path: str
    name: str
    third: int | None = None


_LEAVES = {"kernel": "weight", "scale": "weight", "bias": "bias"}

# Ours to theirs; what is missing here is in a block.
_TOWERS: dict[str, dict[TowerName, dict[str, str]]] = {
    "openai": {
        "vision": {
            "patch/kernel": "visual.conv1.weight",
            "class": "visual.class_embedding",
            "positions": "visual.positional_embedding",
            "ln_pre": "visual.ln_pre",
            "ln_post": "visual.ln_post",
            "projection": "visual.proj",
            "blocks": "visual.transformer.resblocks",
        },
        "text": {
            "tokens": "token_embedding.weight",
            "positions": "positional_embedding",
            "ln_final": "ln_final",
            "projection": "text_projection",
            "blocks": "transformer.resblocks",
        },
    },
    "huggingface": {
        "vision": {
            "patch/kernel": "vision_model.embeddings.patch_embedding.weight",
            "class": "vision_model.embeddings.class_embedding",
            "positions": "vision_model.embeddings.position_embedding.weight",
            "ln_pre": "vision_model.pre_layrnorm",  # so spelt there
            "ln_post": "vision_model.post_layernorm",
            "projection": "visual_projection.weight",
            "blocks": "vision_model.encoder.layers",
        },
        "text": {
            "tokens": "text_model.embeddings.token_embedding.weight",
            "positions": "text_model.embeddings.position_embedding.weight",
            "ln_final": "text_model.final_layer_norm",
            "projection": "text_projection.weight",
            "blocks": "text_model.encoder.layers",
        },
    },
}
_TOWERS["bare"] = {
    tower: {path: re.sub(r"^(vision|text)_model\.", "", name) for path, name in names.items()}
    for tower, names in _TOWERS["huggingface"].items()
}

_BLOCKS = {
    "openai": {
        "ln_1": "ln_1",
        "ln_2": "ln_2",
        "attention/out": "attn.out_proj",
        "mlp/in": "mlp.c_fc",
        "mlp/out": "mlp.c_proj",
    },
    "huggingface": {
        "ln_1": "layer_norm1",
        "ln_2": "layer_norm2",
        "attention/q": "self_attn.q_proj",
        "attention/k": "self_attn.k_proj",
        "attention/v": "self_attn.v_proj",
        "attention/out": "self_attn.out_proj",
        "mlp/in": "mlp.fc1",
        "mlp/out": "mlp.fc2",
    },
}
_BLOCKS["bare"] = _BLOCKS["huggingface"]

SCALE = "logit_scale"
"""The temperature of the released models' similarities, as a logarithm: the same name in all files."""

# Beside the towers: buffers, and sizes that OpenAI's models carry along.
_IGNORED = re.compile(r"(.*\.)?position_ids|input_resolution|context_length|vocab_size|logit_scale")


def entry(path: str, naming: Naming, tower: TowerName) -> Entry:
    """Where the array at `path` of a tower is in a file of this naming.

    Example:
        >>> entry("blocks/03/attention/k/kernel", "openai", "text")
        Entry(path='blocks/03/attention/k/kernel', name='transformer.resblocks.3.attn.in_proj_weight', third=1)
    """
    names = _TOWERS[naming][tower]
    if path in names:
        return Entry(path, names[path])
    *parents, leaf = path.split("/")
    if parents[0] != "blocks":
        return Entry(path, f"{names[parents[0]]}.{_LEAVES[leaf]}")
    block, layer = f"{names['blocks']}.{int(parents[1])}", "/".join(parents[2:])
    if layer in _BLOCKS[naming]:
        return Entry(path, f"{block}.{_BLOCKS[naming][layer]}.{_LEAVES[leaf]}")
    return Entry(path, f"{block}.attn.in_proj_{_LEAVES[leaf]}", "qkv".index(parents[-1]))


def known(name: str, naming: Naming, tower: TowerName) -> bool:
    """Whether a file may hold this tensor beside the ones of `tower`: the other tower's, a projection, buffers."""
    other = _TOWERS[naming]["text" if tower == "vision" else "vision"]
    projections = {_TOWERS[naming][each]["projection"] for each in get_args(TowerName)}
    beside = name in {*other.values(), *projections} or any(name.startswith(f"{start}.") for start in other.values())
    # Bare names say of no block whose it is.
    return _IGNORED.fullmatch(name) is not None or (beside and naming != "bare")


def stored_shape(place: Entry, shape: tuple[int, ...], naming: Naming) -> tuple[int, ...]:
    """The shape in a file of an array that has `shape` here.

    Example:
        >>> place = entry("blocks/03/attention/k/kernel", "openai", "text")
        >>> stored_shape(place, (8, 8), "openai")
        (24, 8)
    """
    turned = tuple(shape[axis] for axis in _order(place, len(shape), naming))
    return turned if place.third is None else (3 * turned[0], *turned[1:])


def from_file(place: Entry, tensor: np.ndarray, naming: Naming) -> np.ndarray:
    """Our array out of a file's tensor."""
    if place.third is not None:
        tensor = np.split(tensor, 3)[place.third]
    return tensor.transpose(np.argsort(_order(place, tensor.ndim, naming)))


def to_file(place: Entry, array: np.ndarray, naming: Naming) -> np.ndarray:
    """Our array as it stands in a file; a third of a tensor is that third."""
    return array.transpose(_order(place, array.ndim, naming))


def _order(place: Entry, rank: int, naming: Naming) -> tuple[int, ...]:
    """Which of our axes each of the file's is."""
    if rank == 4:
        return (3, 2, 0, 1)
    transposed = place.path.endswith("kernel") or (place.path == "projection" and naming != "openai")
    return (1, 0) if rank == 2 and transposed else tuple(range(rank))
