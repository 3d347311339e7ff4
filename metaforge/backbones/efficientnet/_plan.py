"""What an EfficientNet is made of, as data: stages of equal blocks, and how its members differ."""

from typing import Literal, NamedTuple

from metaforge.backbones.spec import EFFICIENTNETS

Convention = Literal["auto", "torch", "tensorflow"]
"""How an EfficientNet pads where it halves the image, and what it adds to variances.

- "tensorflow": "SAME" padding, with the odd pixel below and on the right, and 1e-3. The published networks, their
  conversions in lukemelas/EfficientNet-PyTorch, and what timm calls `tf_efficientnet_b0`.
- "torch": the same on all sides, and 1e-5. The networks of torchvision, and what timm calls `efficientnet_b0`.
- "auto": what the names in a file of weights say. timm's names are the same for both, and are taken for "torch", as
  its plain names are. Random weights are "tensorflow".
"""


Precision = Literal["float32", "bfloat16"]
"""What convolutions and matrix products compute in. Parameters and their gradients, normalisations, activations, sums
over residuals, means over images, embeddings and the head stay float32."""


class Stage(NamedTuple):
    """Equal blocks in a row; only the first has the stride.

    Attributes:
        repeats: how many blocks.
        kernel: side of the depthwise kernel, 3 or 5.
        stride: 1, or 2 to halve the image.
        expansion: how many times more channels a block has inside.
        features: channels that a block hands on.
    """

    repeats: int
    kernel: int
    stride: int
    expansion: int
    features: int


class Plan(NamedTuple):
    """One network.

    Attributes:
        stages: in order.
        stem: channels of the first convolution.
        top: channels of the last one, and the size of the embedding.
        squeeze: channels of squeeze-and-excitation, as a share of those that come into a block; 0 for none.
        activation: "relu6" or "swish".
        mean: of red, green and blue, subtracted first; in units of 1/255.
        deviation: of red, green and blue, divided by; in units of 1/255.
        name: the backbone's, by which its package of weights is found; "" for none.
        padding: "same" or "symmetric", where the image is halved; see `Convention`.
        epsilon: what is added to variances.
        hidden: channels inside each block, where they are others than the expansions say, as in a pruned network.
        precision: of convolutions and products; see `Precision`.
        fused: blocks whose maps are fused in place of the top (`metaforge.backbones.efficientnet._fusion`); () for
            none.
        fused_width: channels to which they are projected, and then the size of the embedding.
    """

    stages: tuple[Stage, ...]
    stem: int
    top: int
    squeeze: float
    activation: Literal["relu6", "swish"]
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]
    name: str = ""
    padding: Literal["same", "symmetric"] = "same"
    epsilon: float = 1e-3
    hidden: tuple[int, ...] = ()
    precision: Precision = "float32"
    fused: tuple[int, ...] = ()
    fused_width: int = 64

    @property
    def blocks(self) -> tuple[tuple[Stage, int], ...]:
        """Every block's stage and stride, in order."""
        return tuple(
            (stage, stage.stride if place == 0 else 1) for stage in self.stages for place in range(stage.repeats)
        )

    @property
    def widths(self) -> tuple[int, ...]:
        """How many channels every block has inside, in order."""
        entering = (self.stem, *(stage.features for stage, _ in self.blocks))
        usual = tuple(channels * stage.expansion for channels, (stage, _) in zip(entering, self.blocks, strict=False))
        return self.hidden or usual

    @property
    def places(self) -> tuple[tuple[int, int], ...]:
        """Every block's stage and its place in that, both from 0."""
        return tuple((number, place) for number, stage in enumerate(self.stages) for place in range(stage.repeats))

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of what images go through before the head, or before they are fused, in order."""
        if self.fused:
            return ("stem", *(f"block{place}" for place in range(self.fused[-1] + 1)))
        return ("stem", *(f"block{place}" for place in range(len(self.blocks))), "top")

    @property
    def size(self) -> int:
        """How many numbers the embedding has."""
        return self.fused_width if self.fused else self.top


# Tan and Le, table 1.
_STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)

# The larger ones: 1.1 and 1.2 times as many blocks, rounded up, but for the first and last stage; and 1.1 times as many
# channels in Lite2, rounded to eights. The stem and the top stay.
_REPEATS = (1, 3, 3, 4, 4, 5, 1)
_DEEPER = tuple(stage._replace(repeats=repeats) for stage, repeats in zip(_STAGES, _REPEATS, strict=True))
_WIDTHS = (16, 24, 48, 88, 120, 208, 352)
_WIDER = tuple(stage._replace(features=features) for stage, features in zip(_DEEPER, _WIDTHS, strict=True))

# B4: 1.8 times as many blocks, rounded up, and 1.4 times as many channels, rounded to eights, of stem and top too.
_DEPTHS_4, _WIDTHS_4 = (2, 4, 4, 6, 6, 8, 2), (24, 32, 56, 112, 160, 272, 448)
_STAGES_4 = tuple(
    stage._replace(repeats=repeats, features=features)
    for stage, repeats, features in zip(_STAGES, _DEPTHS_4, _WIDTHS_4, strict=True)
)

LITE0 = Plan(_STAGES, 32, 1280, 0.0, "relu6", (127.0, 127.0, 127.0), (128.0, 128.0, 128.0), "efficientnet_lite0")
LITE1 = LITE0._replace(stages=_DEEPER, name="efficientnet_lite1")
LITE2 = LITE0._replace(stages=_WIDER, name="efficientnet_lite2")
B0 = Plan(_STAGES, 32, 1280, 0.25, "swish", (123.675, 116.28, 103.53), (58.395, 57.12, 57.375), "efficientnet_b0")
B4 = B0._replace(stages=_STAGES_4, stem=48, top=1792, name="efficientnet_b4")

LEAST_FUSED = 2
"""Depths: fusion of one is none."""

PLANS = dict(zip(EFFICIENTNETS, (LITE0, LITE1, LITE2, B0, B4), strict=True))
"""By the backbone's name."""


def plan_of(name: str, convention: Convention = "tensorflow") -> Plan:
    """The plan of an EfficientNet by its name; "auto" is "tensorflow" here.

    Example:
        >>> len(plan_of("efficientnet_lite2").blocks), len(plan_of("efficientnet_b4").blocks)
        (21, 32)
        >>> plan_of("efficientnet_b0", "torch").epsilon
        1e-05
    """
    plan = PLANS[name]
    return plan._replace(padding="symmetric", epsilon=1e-5) if convention == "torch" else plan


def fused(plan: Plan, blocks: tuple[int, ...], width: int) -> Plan:
    """A plan whose embedding is fused of maps of these blocks, or the same plan for no blocks.

    Raises:
        ValueError: for blocks that there are not, one alone, or out of order; or a width below 1.

    Example:
        >>> fused(LITE0, (3, 8, 14), 64).size, fused(LITE0, (), 64).size
        (64, 1280)
    """
    if not blocks:
        return plan
    count = len(plan.blocks)
    if list(blocks) != sorted({*blocks}) or len(blocks) < LEAST_FUSED or blocks[0] < 0 or blocks[-1] >= count:
        raise ValueError(f"`fusion`: blocks are numbered 0 to {count - 1}. Name two or more, each once and in order.")
    if width < 1:
        raise ValueError(f"`fusion_width`={width}: give 1 or more.")
    return plan._replace(fused=tuple(blocks), fused_width=width)
