"""Which files of weights a network stands on, and whether they are still the same."""

import hashlib
from pathlib import Path

from metaforge.backbones.efficientnet._pretrained import PACKAGES, weights_file
from metaforge.backbones.spec import EFFICIENTNETS, IMAGENET, BackboneSpec
from metaforge.errors import InputError

_FROM_FILE = {**dict.fromkeys(EFFICIENTNETS, "^(?!head/|neck/|fusion/|standardise/|words/)"), "clip": "^vision/"}


def from_file(spec: BackboneSpec) -> str:
    """Which parameters a file of weights brings, a pattern of paths (see `metaforge.core.param_paths`); "" for none.

    Example:
        >>> from_file(BackboneSpec(backbone="clip", weights="clip.safetensors")), from_file(BackboneSpec())
        ('^vision/', '')
    """
    return _FROM_FILE[spec.backbone] if spec.weights else ""


def fingerprint(spec: BackboneSpec) -> str:
    """SHA-256 of a spec's file of weights, in hexadecimal; "" for none. That of a CLIP beside follows after a "+".

    Raises:
        InputError: when the file is missing or cannot be read, or the extra `pretrained` is not installed.

    Example:
        >>> fingerprint(BackboneSpec(backbone="clip", weights="missing.safetensors"))
        Traceback (most recent call last):
        metaforge.errors.InputError: weights: cannot read 'missing.safetensors' (No such file or directory).
    """
    weights = spec.weights
    if not weights:
        return ""
    path = weights_file(PACKAGES[spec.backbone]) if weights == IMAGENET else Path(weights)
    return "+".join(_sha256(each) for each in (path, *([Path(spec.clip_weights)] if spec.clip_weights else [])))


def other_file(spec: BackboneSpec, wanted: str) -> tuple[str, str, str] | None:
    """Which file of weights is not the one that a `fingerprint` is of: its name, its SHA-256 and the wanted one.

    Raises:
        InputError: as `fingerprint`.
    """
    found, names = fingerprint(spec), (spec.weights, spec.clip_weights)
    if found == wanted:
        return None
    each = zip(names, found.split("+"), wanted.split("+"), strict=False)
    return next((told for told in each if told[1] != told[2]), (names[0], found, wanted))


def _sha256(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"weights: cannot read '{path}' ({error.strerror}).") from None
