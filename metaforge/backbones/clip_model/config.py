"""The sizes of CLIP's towers: the released ones by name, and any other."""

from dataclasses import dataclass
from typing import Literal, get_args

Activation = Literal["quick_gelu", "gelu"]
"""Between the two matrices of an MLP: "quick_gelu", x sigmoid(1.702 x), in the released models; "gelu", the exact one,
in some that others trained."""

EPSILON = 1e-5
"""Added to the variance in every layer normalisation."""


@dataclass(frozen=True)
class VisionConfig:
    """A vision tower. `VISION` has the released ones by name.

    Attributes:
        image_size: height and width in pixels, a multiple of `patch_size`.
        patch_size: pixels to a side of a patch.
        width: size of a token.
        layers: how many blocks, at most 100.
        heads: attention heads in a block; they divide `width`.
        projection: size of the space shared with text; `None` for a tower without that last matrix.
        mlp_ratio: the MLP's hidden size in widths.
        activation: "quick_gelu" or "gelu".

    Raises:
        ValueError: for sizes that do not fit each other.

    Example:
        >>> VisionConfig(image_size=8, patch_size=4, width=8, layers=2, heads=2, projection=None).tokens
        5
    """

    image_size: int = 224
    patch_size: int = 16
    width: int = 768
    layers: int = 12
    heads: int = 12
    projection: int | None = 512
    mlp_ratio: int = 4
    activation: Activation = "quick_gelu"

    def __post_init__(self):
        """Checks the sizes."""
        _check(self, "image_size", "patch_size")
        if self.image_size % self.patch_size:
            raise ValueError(f"`image_size` {self.image_size} is no multiple of `patch_size` {self.patch_size}.")

    @property
    def grid(self) -> int:
        """Patches to a side."""
        return self.image_size // self.patch_size

    @property
    def tokens(self) -> int:
        """The class token and the patches."""
        return 1 + self.grid**2


@dataclass(frozen=True)
class TextConfig:
    """A text tower. `TEXT` has the released ones by name.

    Attributes:
        vocabulary: how many token ids there are; the last one ends a text.
        context: the longest text, in tokens.
        width: size of a token.
        layers: how many blocks, at most 100.
        heads: attention heads in a block; they divide `width`.
        projection: size of the space shared with images; `None` for a tower without that last matrix.
        mlp_ratio: the MLP's hidden size in widths.
        activation: "quick_gelu" or "gelu".

    Raises:
        ValueError: for sizes that do not fit each other.

    Example:
        >>> TextConfig().context
        77
    """

    vocabulary: int = 49408
    context: int = 77
    width: int = 512
    layers: int = 12
    heads: int = 8
    projection: int | None = 512
    mlp_ratio: int = 4
    activation: Activation = "quick_gelu"

    def __post_init__(self):
        """Checks the sizes."""
        _check(self, "vocabulary", "context")


def _check(config: VisionConfig | TextConfig, *more: str) -> None:
    for name in ("width", "layers", "heads", "mlp_ratio", *more):
        if getattr(config, name) < 1:
            raise ValueError(f"`{name}` must be at least 1, got {getattr(config, name)}.")
    if config.layers > 100:
        raise ValueError(f"`layers` must be at most 100, got {config.layers}.")
    if config.projection is not None and config.projection < 1:
        raise ValueError(f"`projection` must be at least 1, or None, got {config.projection}.")
    if config.width % config.heads:
        raise ValueError(f"`width` {config.width} is no multiple of `heads` {config.heads}.")
    if config.activation not in get_args(Activation):
        raise ValueError(f"unknown `activation` {config.activation!r}; known: {', '.join(get_args(Activation))}.")


VISION = {
    "ViT-B/32": VisionConfig(patch_size=32),
    "ViT-B/16": VisionConfig(patch_size=16),
    "ViT-L/14": VisionConfig(patch_size=14, width=1024, layers=24, heads=16, projection=768),
    "ViT-L/14@336px": VisionConfig(336, 14, 1024, layers=24, heads=16, projection=768),
    "small": VisionConfig(image_size=32, patch_size=8, width=64, layers=2, heads=4, projection=32),
}
"""The released vision transformers: Radford et al. 2021, table 20. "small" is none of them: it trains from scratch on
two cores, with 17 tokens an image."""

TEXT = {
    "ViT-B/32": TextConfig(),
    "ViT-B/16": TextConfig(),
    "ViT-L/14": TextConfig(width=768, heads=12, projection=768),
    "ViT-L/14@336px": TextConfig(width=768, heads=12, projection=768),
}
"""The text tower that was trained with each of them."""


def vision_config(variant: str | VisionConfig) -> VisionConfig:
    """The sizes by name, or those given.

    Raises:
        ValueError: for an unknown name, listing the known ones.

    Example:
        >>> vision_config("ViT-L/14").width
        1024
    """
    if isinstance(variant, VisionConfig):
        return variant
    if variant not in VISION:
        raise ValueError(f"unknown `variant` {variant!r}; known: {', '.join(VISION)}, or give a `VisionConfig`.")
    return VISION[variant]
