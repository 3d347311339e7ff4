"""The members with squeeze-and-excitation, whose weights are the user's: B0 and B4."""

from pathlib import Path
from typing import get_args

from metaforge.backbones._head import Head
from metaforge.backbones.efficientnet._depthwise import DepthwiseForm
from metaforge.backbones.efficientnet._layers import EfficientNetNormalisation
from metaforge.backbones.efficientnet._models import HeadInit, assemble
from metaforge.backbones.efficientnet._plan import Convention, Plan, Precision, fused, plan_of
from metaforge.backbones.efficientnet._pretrained import convention_of
from metaforge.types import Backbone


def efficientnet_b0(
    *,
    num_classes: int = 2,
    pretrained: str | Path | None = None,
    convention: Convention = "auto",
    normalisation: EfficientNetNormalisation = "support",
    depthwise: DepthwiseForm = "auto",
    neck: int = 0,
    head: Head = "linear",
    head_init: HeadInit = "lecun",
    precision: Precision = "float32",
    fusion: tuple[int, ...] = (),
    fusion_width: int = 64,
) -> Backbone:
    r"""EfficientNet-B0: the network of `efficientnet_lite0` with squeeze-and-excitation and $\phi(x) = x\,\sigma(x)$.

    No weights come with it. Images are as there, and 224 pixels are its own size; the network subtracts ImageNet's mean
    colour and divides by its deviation itself.

    Args:
        num_classes: how many logits; 2 for real and fake.
        pretrained: a file of weights with the names of timm, torchvision or lukemelas/EfficientNet-PyTorch, in
            safetensors or as `torch.save(model.state_dict(), file)` writes it, of which nothing is run; or `None` for
            random weights.
        convention: how the network pads and what it adds to variances (`Convention`): "auto", as the names in the file
            say. timm has one set of names for two kinds of networks: "auto" takes them for "torch", and a file of its
            `tf_efficientnet_b0` needs "tensorflow".
        normalisation: as in `efficientnet_lite0`.
        depthwise: as in `efficientnet_lite0`.
        neck: as in `efficientnet_lite0`.
        head: as in `efficientnet_lite0`.
        head_init: as in `efficientnet_lite0`.
        precision: as in `efficientnet_lite0`.
        fusion: as in `efficientnet_lite0`.
        fusion_width: as in `efficientnet_lite0`.

    Returns:
        A `Backbone` whose embeddings are the 1,280 features before the head, the fused ones, or the neck's.

    Raises:
        ValueError: as `efficientnet_lite0`, or for an unknown convention.
        InputError: at once for a file whose names have to be seen and cannot be; from `init`, if the file is not of
            this network, or of another convention.

    Example:
        >>> import jax
        >>> shapes = jax.eval_shape(efficientnet_b0().init, jax.random.key(0), jax.numpy.zeros((1, 32, 32, 3)))
        >>> shapes["head"]["kernel"].shape
        (1280, 2)

    References:
        Tan and Le, *EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks*, ICML 2019, table 1.
        Hu, Shen and Sun, *Squeeze-and-Excitation Networks*, CVPR 2018, section 3.
    """
    return assemble(
        fused(settled_plan("efficientnet_b0", convention, pretrained), fusion, fusion_width)._replace(
            precision=precision
        ),
        num_classes=num_classes,
        pretrained=pretrained or False,
        normalisation=normalisation,
        depthwise=depthwise,
        neck=neck,
        head=head,
        head_init=head_init,
    )


def efficientnet_b4(
    *,
    num_classes: int = 2,
    pretrained: str | Path | None = None,
    convention: Convention = "auto",
    normalisation: EfficientNetNormalisation = "support",
    depthwise: DepthwiseForm = "auto",
    neck: int = 0,
    head: Head = "linear",
    head_init: HeadInit = "lecun",
    precision: Precision = "float32",
    fusion: tuple[int, ...] = (),
    fusion_width: int = 64,
) -> Backbone:
    """EfficientNet-B4: `efficientnet_b0` with 32 blocks in place of 16 and 1.4 times as many channels.

    Its own size is 380 pixels; it takes any from 32 up.

    Args:
        num_classes: as in `efficientnet_b0`, like all that follow.
        pretrained: as there.
        convention: as there.
        normalisation: as there.
        depthwise: as there.
        neck: as there.
        head: as there.
        head_init: as there.
        precision: as there.
        fusion: as there.
        fusion_width: as there.

    Returns:
        A `Backbone` whose embeddings are the 1,792 features before the head, the fused ones, or the neck's.

    Raises:
        ValueError: as `efficientnet_b0`.
        InputError: as `efficientnet_b0`.

    Example:
        >>> import jax
        >>> shapes = jax.eval_shape(efficientnet_b4().init, jax.random.key(0), jax.numpy.zeros((1, 32, 32, 3)))
        >>> shapes["block31"]["project"]["kernel"].shape
        (2688, 448)

    References:
        Tan and Le, *EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks*, ICML 2019, section 3.3.
        Hu, Shen and Sun, *Squeeze-and-Excitation Networks*, CVPR 2018, section 3.
    """
    return assemble(
        fused(settled_plan("efficientnet_b4", convention, pretrained), fusion, fusion_width)._replace(
            precision=precision
        ),
        num_classes=num_classes,
        pretrained=pretrained or False,
        normalisation=normalisation,
        depthwise=depthwise,
        neck=neck,
        head=head,
        head_init=head_init,
    )


def settled(convention: Convention, weights: str | Path | None) -> Convention:
    """A convention that is not "auto": what the names in a file say, or "tensorflow" without one.

    Example:
        >>> settled("auto", None), settled("torch", "unread.pth")
        ('tensorflow', 'torch')
    """
    if convention != "auto":
        return convention
    return convention_of(weights) if weights else "tensorflow"


def settled_plan(name: str, convention: Convention, weights: str | Path | None) -> Plan:
    """The plan of a backbone by the convention that it has, or that the names in its file say.

    Raises:
        ValueError: for an unknown convention.
        InputError: if the names have to be seen and cannot be.
    """
    if convention not in get_args(Convention):
        raise ValueError(f"unknown `convention` {convention!r}; known: {', '.join(get_args(Convention))}.")
    return plan_of(name, settled(convention, weights))
