"""What a backbone is, as plain settings: shared by runs, detectors and caches of features."""

import dataclasses

from metaforge.settings import setting

LITES: tuple[str, ...] = ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2")
"""The members of EfficientNet for which there are packages of weights."""

SQUEEZED: tuple[str, ...] = ("efficientnet_b0", "efficientnet_b4")
"""The members with squeeze-and-excitation, whose weights are the user's."""

EFFICIENTNETS: tuple[str, ...] = (*LITES, *SQUEEZED)
"""All members of EfficientNet."""

BACKBONES = ("conv4", *EFFICIENTNETS, "clip")
"""The backbones that have a name."""

VARIANTS = ("ViT-B/32", "ViT-B/16", "ViT-L/14", "ViT-L/14@336px", "small")
"""The sizes of CLIP by name; the last one trains from scratch."""

NO_TEXT, SMALL = "none", "small"
"""What reads captions beside a backbone."""


IMAGENET = "imagenet"
"""The name of the weights of EfficientNet-Lite0, Lite1 and Lite2, of the extras `pretrained` and
`pretrained-larger`."""


@dataclasses.dataclass(frozen=True)
class BackboneSpec:
    """The network that looks at the images; equal ones are one network, and share their compiled programs.

    Attributes:
        num_classes: how many logits it has. No flag: the objective says it.
    """

    image_size: int = setting(
        32, "Side of the face crops, in pixels, at least 16.", open_in_paper=True, least=1, most=4096
    )
    backbone: str = setting("conv4", "What looks at the images (paper: Conv4).", choices=BACKBONES)
    variant: str = setting("ViT-B/16", "clip: its size, or that of a CLIP beside.", choices=VARIANTS)
    weights: str = setting(
        "",
        "'imagenet' for an efficientnet_lite; a file for an efficientnet (.pth, .safetensors) or clip; '' for random.",
        place="read",
    )
    convention: str = setting(
        "auto",
        "efficientnet_b0, _b4: how the weights' network pads and normalises, by their names if 'auto' (timm's: torch).",
        choices=("auto", "torch", "tensorflow"),
    )
    width: int = setting(32, "conv4: filters in each convolution; 64 in the paper.", least=1, most=65_536)
    normalisation: str = setting(
        "support",
        "Whose statistics normalise an image; 'frozen' is that of efficientnets, and clip has 'none' only.",
        choices=("support", "episode", "group", "none", "frozen"),
    )
    neck: int = setting(0, "Size of an affine map before the head, 0 for none; outliers want about 32.", most=65_536)
    head: str = setting("linear", "What turns features into logits.", choices=("linear", "quadratic", "mlp"))
    levels: str = setting(
        "",
        "The head sees means and deviations of these blocks, such as 2,4,6,8,10,12,14 (0 is the first); '' none.",
    )
    clip_levels: str = setting("", "The same of a CLIP that looks beside an efficientnet, such as 11; '' none.")
    clip_weights: str = setting("", "Its safetensors file.", place="read")
    hidden: str = setting(
        "", "efficientnets: channels inside each block, comma-separated, as a pruned one has them; '' as published."
    )
    fusion: str = setting(
        "",
        "efficientnets: two or more blocks whose maps are fused for the head, weighed by the image, such as 3,8,14; '' "
        "none.",
    )
    fusion_width: int = setting(
        64, "Channels to which they are projected, and numbers of the embedding.", least=1, most=65_536
    )
    convolution: str = setting(
        "auto", "How convolutions run (the numbers agree).", choices=("auto", "lax", "patches", "winograd")
    )
    dropout: float = setting(0.0, "clip: the share of an image's features that training drops.", below=1)
    precision: str = setting(
        "float32",
        "Of convolutions and products; 'auto', of metaforge train alone, is the faster one of this machine.",
        choices=("float32", "bfloat16", "auto"),
    )
    text: str = setting(NO_TEXT, "What reads captions in training; no part of a detector.", choices=(NO_TEXT, SMALL))
    num_classes: int = 2

    def unread(self) -> "BackboneSpec":
        """The same network with random weights, so that no file is looked at."""
        return dataclasses.replace(self, weights="", clip_weights="")

    def alone(self) -> "BackboneSpec":
        """The same without what reads captions."""
        return dataclasses.replace(self, text=NO_TEXT)

    def moved(self, weights: str) -> "BackboneSpec":
        """The same with a file of weights that is elsewhere: CLIP's where one looks beside.

        Example:
            >>> BackboneSpec(weights="imagenet", clip_levels="11").moved("clip.safetensors").clip_weights
            'clip.safetensors'
        """
        return dataclasses.replace(self, **{"clip_weights" if self.clip_levels else "weights": weights})
