"""A detector: parameters, the images that normalise, and how to score with them."""

import functools
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from metaforge import runs
from metaforge.backbones import conv4
from metaforge.errors import InputError
from metaforge.types import FAKE, ApplyFn, Backbone, Params

_CHUNK = 256


class Detector(NamedTuple):
    """A trained or adapted detector.

    Attributes:
        params: the backbone's parameters.
        context: uint8 images `(images, size, size, 3)` whose statistics normalise what is scored: the support set it
            was adapted on, or source images.
        about: JSON-able: backbone ("width", "normalisation", "image_size", and if they are not the usual ones
            "num_classes", "neck" and "head") and where it comes from.
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
        return score(model.apply, self.params, images, context=self.context)


def score(
    apply: ApplyFn, params: Params, images: np.ndarray | jax.Array, *, context: np.ndarray | jax.Array | None
) -> np.ndarray:
    r"""The probability of being fake, $1 - \text{softmax}(f(x))_0$, of any number of images.

    Args:
        apply: the forward pass of a backbone of two or more classes.
        params: its parameters.
        images: uint8, shape `(images, size, size, 3)`.

    Other Arguments:
        context: images whose statistics normalise them, or `None` for their own, which then are scored as one batch.

    Returns:
        float32, shape `(images,)`, in [0, 1].

    Example:
        >>> model = conv4(width=4)
        >>> images = np.zeros((3, 16, 16, 3), np.uint8)
        >>> score(model.apply, model.init(jax.random.key(0), images), images, context=images).shape
        (3,)
    """
    if context is None:
        return np.asarray(_probability(apply, params, jnp.asarray(images), None))
    # One shape for all chunks, one compilation.
    chunk = min(_CHUNK, len(images))
    parts = []
    for start in range(0, len(images), max(chunk, 1)):
        part = images[start : start + chunk]
        padded = np.concatenate([part, np.zeros((chunk - len(part), *part.shape[1:]), part.dtype)])
        parts.append(np.asarray(_probability(apply, params, jnp.asarray(padded), jnp.asarray(context)))[: len(part)])
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


@functools.partial(jax.jit, static_argnums=0)
def _probability(apply: ApplyFn, params: Params, images: jax.Array, context: jax.Array | None) -> jax.Array:
    # A third class, of outliers, is forged too.
    return jnp.sum(jax.nn.softmax(apply(params, images, context=context).logits)[:, FAKE:], axis=1)


def _backbone(about: dict[str, Any], *, normalisation: str) -> Backbone:
    """The backbone that a detector's description names; neck and head are absent from older ones."""
    return conv4(
        num_classes=int(about.get("num_classes", 2)),
        width=int(about["width"]),
        normalisation=normalisation,  # type: ignore[arg-type]
        neck=int(about.get("neck", 0)),
        head=about.get("head", "linear"),
    )


def save_detector(directory: str | Path, detector: Detector) -> None:
    """Writes a detector to a new folder, which `load_detector` reads.

    The folder holds the context images: do not pass on a detector that was adapted on images which you may not share.

    Raises:
        InputError: when the folder exists and is not empty.
    """
    directory = Path(directory)
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise InputError(f"out: '{directory}' exists already. Choose another --out; nothing was overwritten.")
    run = runs.Run(directory, {"detector": detector.about})
    run.save(1, {"params": detector.params, "context": detector.context})


def load_detector(directory: str | Path) -> Detector:
    """Reads a folder that `save_detector` wrote.

    Raises:
        InputError: when it is not one, is damaged, or is of another backbone than it says.
    """
    config = runs.read_config(directory)
    if not isinstance(config, dict) or "detector" not in config:
        raise InputError(f"model: '{directory}' is not a saved detector. Give the --out folder of experiments.adapt.")
    about = config["detector"]
    try:
        size, rows = int(about["image_size"]), int(about["context_rows"])
        model = _backbone(about, normalisation=about["normalisation"])
        params = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, size, size, 3)))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"model: config.json in '{directory}' is damaged ({error}). Adapt again.") from None
    template = {"params": params, "context": jax.ShapeDtypeStruct((rows, size, size, 3), jnp.uint8)}
    state = runs.restore(directory, template)
    return Detector(state["params"], np.asarray(state["context"]), about)
