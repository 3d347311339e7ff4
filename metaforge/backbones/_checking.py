"""Settings of a backbone held against what it has, without a look at a file."""

from typing import get_args

from metaforge.backbones import levels
from metaforge.backbones._normalisation import Normalisation
from metaforge.backbones.clip_model.config import VISION
from metaforge.backbones.efficientnet import Convention, EfficientNetNormalisation
from metaforge.backbones.efficientnet._plan import fused, plan_of
from metaforge.backbones.spec import BACKBONES, EFFICIENTNETS, IMAGENET, NO_TEXT, SQUEEZED, VARIANTS, BackboneSpec
from metaforge.errors import InputError

_NORMALISATIONS: dict[str, tuple[str, ...]] = {
    "conv4": get_args(Normalisation),
    **dict.fromkeys(EFFICIENTNETS, get_args(EfficientNetNormalisation)),
    "clip": ("none",),
}


def check(spec: BackboneSpec) -> None:
    """Holds settings against what a backbone has, without reading a file of weights.

    "conv4" takes images of 16 pixels or more, the efficientnets of 32 or more, "clip" of a multiple of its patch:
    position embeddings are resized for all but the variant's own size. "conv4" has the normalisations "support",
    "episode", "group" and "none"; an efficientnet has "support", "episode", "group" (not with weights) and
    "frozen" (only with weights, or pruned: `hidden` says then how wide its blocks are inside, and no file has its
    weights); "clip" has "none" alone. Dropout is clip's.

    Levels are numbers of blocks of an efficientnet with the normalisation "frozen", or of "clip", without neck or
    dropout. Those of a CLIP may stand beside an efficientnet's. Blocks that are fused are an efficientnet's, two or
    more, without levels. Captions are read beside any backbone without levels. The precision has to be settled.

    Raises:
        InputError: for what it does not have; the line begins with the setting's name and value.

    Example:
        >>> check(BackboneSpec(backbone="clip", image_size=224))
        Traceback (most recent call last):
        metaforge.errors.InputError: normalisation=support: clip has only none.
    """
    name, image_size, normalisation = spec.backbone, spec.image_size, spec.normalisation
    variant, weights = spec.variant, spec.weights
    if name not in BACKBONES:
        raise InputError(f"backbone={name}: known: {', '.join(BACKBONES)}.")
    if variant not in VARIANTS:
        raise InputError(f"variant={variant}: known: {', '.join(VARIANTS)}.")
    least = {"conv4": 16, **dict.fromkeys(EFFICIENTNETS, 32)}.get(name, 1)
    if image_size < least:
        raise InputError(f"image_size={image_size}: {name} needs {least} pixels or more.")
    patch = VISION[variant].patch_size
    if (name == "clip" or spec.clip_levels) and image_size % patch:
        raise InputError(
            f"image_size={image_size}: clip {variant} takes {VISION[variant].image_size} pixels, or another multiple "
            f"of its patch of {patch}, to which its position embeddings are resized."
        )
    able = _NORMALISATIONS[name]
    if normalisation not in able:
        raise InputError(f"normalisation={normalisation}: {name} has only {', '.join(able)}.")
    if spec.hidden:
        _check_hidden(spec)
    if normalisation == "frozen" and not weights and not spec.hidden:
        raise InputError("normalisation=frozen: random weights bring no statistics. Give weights, or take support.")
    if normalisation == "group" and weights and name in EFFICIENTNETS:
        raise InputError("normalisation=group: the weights were not trained with groups. Take frozen or support.")
    if weights and name == "conv4":
        raise InputError(f"weights={weights}: conv4 has none. Leave them out, or take another backbone.")
    if weights == IMAGENET and name in SQUEEZED:
        raise InputError(f"weights={weights}: no package has those of {name}. Give a file of timm's or torchvision's.")
    if spec.precision == "auto":
        raise InputError("precision=auto: only a training run finds out which is faster. Give float32 or bfloat16.")
    if spec.convention not in get_args(Convention):
        raise InputError(f"convention={spec.convention}: known: {', '.join(get_args(Convention))}.")
    if spec.convention != "auto" and name not in SQUEEZED:
        raise InputError(f"convention={spec.convention}: {name} has one alone. Leave it out.")
    if weights == IMAGENET and name == "clip":
        raise InputError(f"weights={weights}: give the safetensors file of a CLIP.")
    if spec.dropout and name != "clip":
        raise InputError(f"dropout={spec.dropout:g}: {name} has none. Give 0, or take clip.")
    if spec.levels:
        _check_levels(spec)
    if spec.fusion:
        _check_fusion(spec)
    elif spec.fusion_width != BackboneSpec().fusion_width:
        raise InputError(f"fusion_width={spec.fusion_width}: for fusion. Leave it out, or give fusion.")
    if spec.text != NO_TEXT and spec.levels:
        raise InputError(
            f"text={spec.text}: levels stay as they are, so that they learn from no caption. Leave it out."
        )
    _check_beside(spec)


def _check_hidden(spec: BackboneSpec) -> None:
    name, said = spec.backbone, f"hidden={spec.hidden}"
    if name not in EFFICIENTNETS:
        raise InputError(f"{said}: {name} has no such blocks. Leave it out.")
    if spec.weights:
        raise InputError(f"{said}: no file of weights has these widths. Leave one of the two out.")
    plan = plan_of(name)
    try:
        inside = numbers(spec.hidden)
    except ValueError:
        inside = ()
    if len(inside) != len(plan.blocks) or min(inside) < 1:
        raise InputError(f"{said}: {name} has {len(plan.blocks)} blocks. Give each a number of channels from 1 up.")
    for number, ((stage, _), ours, usual) in enumerate(zip(plan.blocks, inside, plan.widths, strict=True)):
        if ours > usual or (stage.expansion == 1 and ours != usual):
            bound = "" if stage.expansion == 1 else " or fewer"
            raise InputError(f"{said}: block {number} of {name} has {usual} channels inside{bound}, not {ours}.")


def _check_beside(spec: BackboneSpec) -> None:
    said = f"clip_levels={spec.clip_levels}"
    if spec.clip_weights and not spec.clip_levels:
        raise InputError(f"clip_weights={spec.clip_weights}: say with clip_levels which of its blocks are seen.")
    if not spec.clip_levels:
        return
    if spec.backbone not in EFFICIENTNETS or not spec.levels:
        raise InputError(f"{said}: they stand beside the levels of an efficientnet. Give levels, such as 2,4,6.")
    _check_blocks(spec.clip_levels, VISION[spec.variant].layers, said, f"clip {spec.variant}")
    if not spec.clip_weights:
        raise InputError(f"{said}: name CLIP's safetensors file with clip_weights.")


def _check_blocks(blocks: str, count: int, said: str, name: str) -> None:
    try:
        levels.checked(numbers(blocks), count)
    except ValueError:
        raise InputError(
            f"{said}: {name} has the blocks 0 to {count - 1}. Name some of them, each once and in order, such as 2,4,6."
        ) from None


def _check_fusion(spec: BackboneSpec) -> None:
    name, said = spec.backbone, f"fusion={spec.fusion}"
    if name not in EFFICIENTNETS:
        raise InputError(f"{said}: {name} has none. Leave it out, or take an efficientnet.")
    if spec.levels:
        raise InputError(f"{said}: with levels={spec.levels} the head sees these alone. Give one of the two.")
    try:
        fused(plan_of(name), numbers(spec.fusion), spec.fusion_width)
    except ValueError:
        raise InputError(
            f"{said}: {name} has the blocks 0 to {len(plan_of(name).blocks) - 1}. Name two or more of them, each once "
            "and in order, such as 3,8,14."
        ) from None


def _check_levels(spec: BackboneSpec) -> None:
    name, said = spec.backbone, f"levels={spec.levels}"
    if name == "conv4":
        raise InputError(f"{said}: conv4 has none. Leave them out, or take another backbone.")
    count = len(plan_of(name).blocks) if name in EFFICIENTNETS else VISION[spec.variant].layers
    _check_blocks(spec.levels, count, said, name)
    if name in EFFICIENTNETS and spec.normalisation != "frozen":
        raise InputError(f"{said}: they are of a network that stays as it is. Give normalisation=frozen.")
    if spec.neck or spec.dropout:
        raise InputError(f"{said}: their head sees all of them. Leave out neck and dropout.")


def numbers(blocks: str) -> tuple[int, ...]:
    """Numbers of blocks as a setting names them.

    Example:
        >>> numbers("2,4")
        (2, 4)
    """
    return tuple(int(part) for part in blocks.split(","))
