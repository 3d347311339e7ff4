"""What three libraries of PyTorch call the parameters of an EfficientNet: one table each.

- "lukemelas": lukemelas/EfficientNet-PyTorch. It pads and normalises as TensorFlow does.
- "timm": two kinds of network share its names. `efficientnet_b0` pads and normalises as PyTorch does, and
  `tf_efficientnet_b0` as TensorFlow does.
- "torchvision": as PyTorch does.
"""

from collections.abc import Collection, Iterator
from typing import NamedTuple

from metaforge.backbones.efficientnet._plan import Convention, Plan


class Naming(NamedTuple):
    """The names of one library.

    Attributes:
        name: whose they are.
        convention: which networks have them; "auto" if the names leave it open.
        outer: names of stem, top and head, by ours.
        block: what the name of a block begins with; `{block}` counts all blocks, `{stage}` the stages from 0, `{next}`
            from 1 and `{place}` a stage's blocks.
        inner: names in a block, by ours.
        narrow: the same, in a block that adds no channels.
    """

    name: str
    convention: Convention
    outer: dict[str, str]
    block: str
    inner: dict[str, str]
    narrow: dict[str, str]


_LUKEMELAS_BLOCK = {
    "expand": "_expand_conv", "expand_norm": "_bn0", "depthwise": "_depthwise_conv", "depthwise_norm": "_bn1",
    "squeeze": "_se_reduce", "excite": "_se_expand", "project": "_project_conv", "project_norm": "_bn2",
}  # fmt: skip

_LUKEMELAS = Naming(
    "lukemelas",
    "tensorflow",
    {"stem": "_conv_stem", "stem_norm": "_bn0", "top": "_conv_head", "top_norm": "_bn1", "head": "_fc"},
    "_blocks.{block}.",
    _LUKEMELAS_BLOCK,
    _LUKEMELAS_BLOCK,
)

_TIMM = Naming(
    "timm",
    "auto",
    {"stem": "conv_stem", "stem_norm": "bn1", "top": "conv_head", "top_norm": "bn2", "head": "classifier"},
    "blocks.{stage}.{place}.",
    {
        "expand": "conv_pw", "expand_norm": "bn1", "depthwise": "conv_dw", "depthwise_norm": "bn2",
        "squeeze": "se.conv_reduce", "excite": "se.conv_expand", "project": "conv_pwl", "project_norm": "bn3",
    },
    {
        "depthwise": "conv_dw", "depthwise_norm": "bn1", "squeeze": "se.conv_reduce", "excite": "se.conv_expand",
        "project": "conv_pw", "project_norm": "bn2",
    },
)  # fmt: skip

_TORCHVISION = Naming(
    "torchvision",
    "torch",
    {
        "stem": "features.0.0", "stem_norm": "features.0.1", "top": "features.{after}.0",
        "top_norm": "features.{after}.1", "head": "classifier.1",
    },
    "features.{next}.{place}.block.",
    {
        "expand": "0.0", "expand_norm": "0.1", "depthwise": "1.0", "depthwise_norm": "1.1",
        "squeeze": "2.fc1", "excite": "2.fc2", "project": "3.0", "project_norm": "3.1",
    },
    {
        "depthwise": "0.0", "depthwise_norm": "0.1", "squeeze": "1.fc1", "excite": "1.fc2",
        "project": "2.0", "project_norm": "2.1",
    },
)  # fmt: skip

NAMINGS = (_LUKEMELAS, _TIMM, _TORCHVISION)
"""The libraries whose names are read."""

_PARTS = {"kernel": "weight", "scale": "weight", "bias": "bias", "mean": "running_mean", "variance": "running_var"}
_DENSE, _CONVOLUTION, _DEPTHWISE = (1, 0), (2, 3, 1, 0), (2, 3, 0, 1)


def naming_of(names: Collection[str]) -> Naming | None:
    """Whose names these are: it shows in what the first convolution is called. `None` for nobody's.

    Example:
        >>> naming_of({"features.0.0.weight"}).name, naming_of({"conv1.weight"})
        ('torchvision', None)
    """
    return next((naming for naming in NAMINGS if f"{naming.outer['stem']}.weight" in names), None)


def foreign(naming: Naming, plan: Plan, *path: str) -> tuple[str, tuple[int, ...]]:
    """Their name of our parameter at `path`, and the order of axes that makes theirs ours.

    Example:
        >>> from metaforge.backbones.efficientnet._plan import B0
        >>> foreign(NAMINGS[1], B0, "block2", "depthwise", "kernel")
        ('blocks.1.1.conv_dw.weight', (2, 3, 0, 1))
    """
    part = _PARTS[path[-1]]
    if path[0] in naming.outer:
        layer = naming.outer[path[0]].format(after=len(plan.stages) + 1)
        return f"{layer}.{part}", _DENSE if path[0] == "head" else _CONVOLUTION
    block = int(path[0].removeprefix("block"))
    stage, place = plan.places[block]
    names = naming.inner if plan.stages[stage].expansion != 1 else naming.narrow
    begins = naming.block.format(block=block, stage=stage, next=stage + 1, place=place)
    return f"{begins}{names[path[1]]}.{part}", _DEPTHWISE if path[1] == "depthwise" else _CONVOLUTION


def stored_shape(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape in a file of our parameter of this shape, whose axes `foreign` gives.

    Example:
        >>> stored_shape((3, 3, 8), _DEPTHWISE), stored_shape((8, 4), _CONVOLUTION), stored_shape((8, 4), _DENSE)
        ((8, 1, 3, 3), (4, 8, 1, 1), (4, 8))
    """
    if len(shape) == 1:
        return shape
    if axes == _DEPTHWISE:
        return shape[2], 1, *shape[:2]
    whole = shape if len(axes) == len(shape) else (1, 1, *shape)
    return tuple(whole[axes.index(place)] for place in range(len(axes)))


def all_names(naming: Naming, plan: Plan) -> set[str]:
    """All names that a file of this network may have, its head's and counters of batches too."""
    known = {foreign(naming, plan, *path)[0] for path in _paths(plan)}
    return known | {name.replace("running_var", "num_batches_tracked") for name in known}


def _paths(plan: Plan) -> Iterator[tuple[str, ...]]:
    """Our paths of all parameters, statistics and head among them."""

    def convolution(layer: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        yield *layer, "kernel"
        yield from ((*layer[:-1], f"{layer[-1]}_norm", part) for part in ("scale", "bias", "mean", "variance"))

    for layer in ("stem", "top"):
        yield from convolution((layer,))
    affine = [("head",)]
    for block, (stage, _) in enumerate(plan.blocks):
        for layer in ("expand", "depthwise", "project")[stage.expansion == 1 :]:
            yield from convolution((f"block{block}", layer))
        affine += [(f"block{block}", layer) for layer in ("squeeze", "excite") if plan.squeeze]
    yield from ((*layer, part) for layer in affine for part in ("kernel", "bias"))
