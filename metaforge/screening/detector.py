"""A detector: parameters, the images that normalise, and how to score with them."""

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from metaforge import runs
from metaforge.backbones import choice
from metaforge.core.param_paths import merge, paths
from metaforge.errors import InputError
from metaforge.evaluation.tri import forgery_score
from metaforge.types import ApplyFn, Params
from metaforge.whole import claimed, whole_folder


class Detector(NamedTuple):
    """A trained or adapted detector.

    Attributes:
        params: the backbone's parameters.
        context: uint8 images `(images, size, size, 3)` whose statistics normalise what is scored: the support set it
            was adapted on, or source images.
        about: JSON-able: backbone ("width", "normalisation", "image_size", and if they are not the usual ones
            "backbone", "variant", "precision", "num_classes", "neck" and "head") and where it comes from. "weights"
            says from which file most parameters come ("source", "sha256") and which of them have moved since
            ("trains", a pattern); such a detector is saved without the others.
    """

    params: Params
    context: np.ndarray
    about: dict[str, Any]

    @property
    def image_size(self) -> int:
        """The side of the images that it scores, in pixels."""
        return int(self.about["image_size"])

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """The probability of being fake of uint8 images `(images, size, size, 3)`: float32, shape `(images,)`.

        A score never depends on the other images: a detector trained with batch statistics ("episode") is normalised
        by its context here.
        """
        kind = self.about["normalisation"]
        model = _backbone(self.about, normalisation="support" if kind == "episode" else kind)
        # The others take far more memory an image.
        chunk = 256 if self.about.get("backbone", "conv4") == "conv4" else 32
        return score(model.apply, self.params, images, context=self.context, chunk=chunk)


def score(
    apply: ApplyFn,
    params: Params,
    images: np.ndarray | jax.Array,
    *,
    context: np.ndarray | jax.Array | None,
    chunk: int = 256,
) -> np.ndarray:
    r"""The probability of being fake, $1 - \text{softmax}(f(x))_0$, of any number of images.

    Args:
        apply: the forward pass of a backbone of two or more classes.
        params: its parameters.
        images: uint8, shape `(images, size, size, 3)`.

    Other Arguments:
        context: images whose statistics normalise them, or `None` for their own, which then are scored as one batch.
        chunk: how many images are scored at a time, with a context.

    Returns:
        float32, shape `(images,)`, in [0, 1], as `metaforge.evaluation.forgery_score` has it.

    Example:
        >>> model = choice.choose("conv4", width=4)
        >>> images = np.zeros((3, 16, 16, 3), np.uint8)
        >>> params = jax.jit(model.init)(jax.random.key(0), images)
        >>> score(model.apply, params, images, context=images).shape
        (3,)
    """
    if context is None:
        return np.asarray(_probability(apply, params, images, None))
    # One shape for all chunks, one compilation.
    chunk = min(chunk, len(images))
    parts = []
    for start in range(0, len(images), max(chunk, 1)):
        part = images[start : start + chunk]
        padded = np.concatenate([part, np.zeros((chunk - len(part), *part.shape[1:]), part.dtype)])
        parts.append(np.asarray(_probability(apply, params, padded, context))[: len(part)])
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


@functools.partial(jax.jit, static_argnums=0)
def _probability(apply: ApplyFn, params: Params, images: Any, context: Any) -> jax.Array:
    return forgery_score(apply(params, images, context=context).logits)  # a third class, of outliers, is forged too


def _backbone(
    about: dict[str, Any], *, normalisation: str, weights: str = "", make: Callable[..., Any] = choice.choose
) -> Any:
    """The backbone that a detector's description names; what older ones do not mention is as it was then."""
    return make(
        about.get("backbone", "conv4"),
        num_classes=int(about.get("num_classes", 2)),
        image_size=int(about["image_size"]),
        width=int(about["width"]),
        normalisation=normalisation,
        neck=int(about.get("neck", 0)),
        head=about.get("head", "linear"),
        variant=about.get("variant", "ViT-B/16"),
        precision=about.get("precision", "float32"),
        weights=weights,
    )


def _kept(about: dict[str, Any], params: Params) -> tuple[Params, Params | None]:
    """What the folder of a detector holds of its parameters, and what comes from a file of weights instead."""
    if "weights" not in about:
        return params, None
    named, moved = choice.from_file(about["backbone"], about["weights"]["source"]), about["weights"]["trains"]
    comes = jax.tree.map(lambda path: bool(re.search(named, path)) and not re.search(moved, path), paths(params))
    kept = jax.tree.map(lambda there, leaf: None if there else leaf, comes, params)
    return kept, jax.tree.map(lambda there, leaf: leaf if there else None, comes, params)


def save_detector(directory: str | Path, detector: Detector) -> None:
    """Writes a detector to a new folder, which `load_detector` reads: all of it, or nothing.

    Of a detector whose `about` names a file of weights, the folder holds what is not in that file, and its SHA-256. It
    holds the context images where they normalise what is scored ("support", "episode"): do not pass on such a detector
    that was adapted on images which you may not share. Of the others a black image stands in their place.

    Raises:
        InputError: when the folder exists and is not empty.
    """
    needed = detector.about["normalisation"] in ("support", "episode")
    context = detector.context if needed else np.zeros_like(detector.context[:1])
    # A folder that a kill left half would be in the way of the next call.
    with claimed(directory), whole_folder(directory) as made:
        run = runs.Run(made, {"detector": detector.about | {"context_rows": len(context)}})
        run.save(1, {"params": _kept(detector.about, detector.params)[0], "context": context})
        # Orbax writes down where it wrote, which is nobody's business whom a detector is passed on to.
        for note in made.rglob("commit_success.txt"):
            note.write_text("", encoding="utf-8")


def load_detector(directory: str | Path, *, weights: str = "") -> Detector:
    """Reads a folder that `save_detector` wrote, and the file of weights that it stands on, if any.

    Args:
        directory: the folder.

    Other Arguments:
        weights: where that file is now; where it was when the detector was saved if left out.

    Raises:
        InputError: when it is not one, is damaged, or is of another backbone than it says; or when the file of weights
            is missing or another one.
    """
    config = runs.read_config(directory)
    if not isinstance(config, dict) or "detector" not in config:
        raise InputError(f"model: '{directory}' is not a saved detector. Give the --out folder of experiments.adapt.")
    about = config["detector"]
    try:
        size, rows = int(about["image_size"]), int(about["context_rows"])
        described = functools.partial(_backbone, about, normalisation=about["normalisation"], make=choice.params)
        params, _ = _kept(about, described())
        source = weights or about.get("weights", {}).get("source", "")
        wanted = about.get("weights", {}).get("sha256", "")
    except (KeyError, TypeError, ValueError, AttributeError, re.error) as error:
        raise InputError(f"model: config.json in '{directory}' is damaged ({error}). Adapt again.") from None
    if weights and not wanted:
        raise InputError(f"--weights: the detector in '{directory}' holds all of its parameters. Leave them out.")
    if wanted:
        _refuse_other_weights(directory, about["backbone"], source, wanted)
    template = {"params": params, "context": jax.ShapeDtypeStruct((rows, size, size, 3), jnp.uint8)}
    state = runs.restore(directory, template)
    params = state["params"]
    if wanted:
        params = merge(params, _kept(about, described(weights=source))[1])
    return Detector(params, np.asarray(state["context"]), about)


def _refuse_other_weights(directory: str | Path, backbone: str, source: str, wanted: str) -> None:
    try:
        found = choice.fingerprint(backbone, source)
    except InputError as error:
        raise InputError(f"{error} The detector in '{directory}' stands on them; say where with --weights.") from None
    if found != wanted:
        raise InputError(
            f"weights: '{source}' is not the file that the detector in '{directory}' stands on (its SHA-256 begins "
            f"{found[:8]}, not {wanted[:8]}). Say where that is with --weights."
        )
