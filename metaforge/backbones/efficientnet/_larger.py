"""The larger members of the family that have weights of ImageNet: Lite1 and Lite2."""

from pathlib import Path

from metaforge.backbones._head import Head
from metaforge.backbones.efficientnet._depthwise import DepthwiseForm
from metaforge.backbones.efficientnet._layers import EfficientNetNormalisation
from metaforge.backbones.efficientnet._models import HeadInit, assemble
from metaforge.backbones.efficientnet._plan import LITE1, LITE2, Precision, fused
from metaforge.types import Backbone


def efficientnet_lite1(
    *,
    num_classes: int = 2,
    pretrained: bool | str | Path = True,
    normalisation: EfficientNetNormalisation = "frozen",
    depthwise: DepthwiseForm = "auto",
    neck: int = 0,
    head: Head = "linear",
    head_init: HeadInit = "lecun",
    precision: Precision = "float32",
    fusion: tuple[int, ...] = (),
    fusion_width: int = 64,
) -> Backbone:
    """EfficientNet-Lite1: `efficientnet_lite0` with 21 blocks in place of 16, trained at 240 pixels.

    Args:
        num_classes: as in `efficientnet_lite0`, like all that follow.
        pretrained: as there.
        normalisation: as there.
        depthwise: as there.
        neck: as there.
        head: as there.
        head_init: as there.
        precision: as there.
        fusion: as there.
        fusion_width: as there.

    Returns:
        A `Backbone` whose embeddings are the 1,280 features before the head, the fused ones, or the neck's.

    Raises:
        ValueError: as `efficientnet_lite0`.
        InputError: as `efficientnet_lite0`.

    Example:
        >>> import jax
        >>> model = efficientnet_lite1(pretrained=False)
        >>> shapes = jax.eval_shape(model.init, jax.random.key(0), jax.numpy.zeros((1, 32, 32, 3)))
        >>> shapes["block20"]["project"]["kernel"].shape
        (1152, 320)

    References:
        Tan and Le, *EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks*, ICML 2019, section 3.
        Liu, *Higher accuracy on vision models with EfficientNet-Lite*, TensorFlow Blog, March 2020.
    """
    return assemble(
        fused(LITE1, fusion, fusion_width)._replace(precision=precision),
        num_classes=num_classes,
        pretrained=pretrained,
        normalisation=normalisation,
        depthwise=depthwise,
        neck=neck,
        head=head,
        head_init=head_init,
    )


def efficientnet_lite2(
    *,
    num_classes: int = 2,
    pretrained: bool | str | Path = True,
    normalisation: EfficientNetNormalisation = "frozen",
    depthwise: DepthwiseForm = "auto",
    neck: int = 0,
    head: Head = "linear",
    head_init: HeadInit = "lecun",
    precision: Precision = "float32",
    fusion: tuple[int, ...] = (),
    fusion_width: int = 64,
) -> Backbone:
    """EfficientNet-Lite2: 21 blocks and 1.1 times as many channels as `efficientnet_lite0`, trained at 260 pixels.

    Args:
        num_classes: as in `efficientnet_lite0`, like all that follow.
        pretrained: as there.
        normalisation: as there.
        depthwise: as there.
        neck: as there.
        head: as there.
        head_init: as there.
        precision: as there.
        fusion: as there.
        fusion_width: as there.

    Returns:
        A `Backbone` whose embeddings are the 1,280 features before the head, the fused ones, or the neck's.

    Raises:
        ValueError: as `efficientnet_lite0`.
        InputError: as `efficientnet_lite0`.

    Example:
        >>> import jax
        >>> model = efficientnet_lite2(pretrained=False)
        >>> shapes = jax.eval_shape(model.init, jax.random.key(0), jax.numpy.zeros((1, 32, 32, 3)))
        >>> shapes["block20"]["project"]["kernel"].shape
        (1248, 352)

    References:
        Tan and Le, *EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks*, ICML 2019, section 3.
        Liu, *Higher accuracy on vision models with EfficientNet-Lite*, TensorFlow Blog, March 2020.
    """
    return assemble(
        fused(LITE2, fusion, fusion_width)._replace(precision=precision),
        num_classes=num_classes,
        pretrained=pretrained,
        normalisation=normalisation,
        depthwise=depthwise,
        neck=neck,
        head=head,
        head_init=head_init,
    )
