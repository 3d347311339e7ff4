"""A detector: parameters, the images that normalise, and how to score with them."""

import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from metaforge.adaptation.gaussian import Prior
from metaforge.backbones import choice
from metaforge.backbones.spec import BackboneSpec
from metaforge.data.crops import Crop
from metaforge.evaluation.calibration import Judge
from metaforge.evaluation.tri import forgery_score
from metaforge.screening.explaining.region_head import RegionHead
from metaforge.types import ApplyFn, Params


class Detector(NamedTuple):
    """A trained or adapted detector.

    Attributes:
        params: the backbone's parameters.
        context: uint8 images `(images, size, size, 3)` whose statistics normalise what is scored: the support set it
            was adapted on, or source images.
        spec: the backbone. Its `weights` say from which file most parameters come, if any; `about["weights"]` then has
            the file's SHA-256 and "trainable", the pattern of those that were trained since. Such a detector is saved
            without the others.
        about: JSON-able: where it comes from, and how it may be adapted. "calibration", if it is there, is a `Judge`.
        prior: what its source says of a head in closed form and of what is familiar; `None` for a detector without.
        regions: what says where a face may be forged (`metaforge.screening.explain`); `None` for a detector without.
    """

    params: Params
    context: np.ndarray
    spec: BackboneSpec
    about: dict[str, Any]
    prior: Prior | None = None
    regions: RegionHead | None = None

    @property
    def image_size(self) -> int:
        """The side of the images that it scores, in pixels."""
        return self.spec.image_size

    @property
    def crop(self) -> Crop:
        """How the faces that it was trained on were cut out (`metaforge.data.crops`); "ffpp" if it does not say."""
        return self.about.get("crop", "ffpp")

    @property
    def batch(self) -> int:
        """How many images are scored at a time: EfficientNet and CLIP take far more memory an image."""
        return 256 if self.spec.backbone == "conv4" else 32

    @property
    def judge(self) -> Judge | None:
        """What makes verdicts of its logits and distances; `None` if it was not calibrated."""
        found = self.about.get("calibration")
        return None if found is None else Judge.from_json(found)

    def examine(self, images: np.ndarray, *, batch: int = 0) -> tuple[np.ndarray, np.ndarray | None]:
        """What its `judge` makes verdicts of: logits, not calibrated, and how far the images lie from its source.

        Args:
            images: as in `__call__`.

        Other Arguments:
            batch: as there.

        Returns:
            float64 of shape `(images,)` each; `None` in place of distances for a detector that has no `prior`.
        """
        if self.prior is not None:
            return self._examined(images, batch or min(self.batch, max(len(images), 1)))
        scores = self(images, batch=batch).astype(np.float64)
        # A float32 that is 0 or 1 stands for all that are nearer to it than to the next.
        about = np.finfo(np.float32)
        kept = np.clip(scores, float(about.tiny), 1 - float(about.epsneg) / 2)
        return np.log(kept) - np.log1p(-kept), None

    def _examined(self, images: np.ndarray, batch: int) -> tuple[np.ndarray, np.ndarray]:
        assert self.prior is not None
        # One pass of the network for both.
        needs = self.context if self.spec.normalisation == "support" else None
        parts = []
        for start in range(0, len(images), batch):
            part = images[start : start + batch]
            filled = np.concatenate([part, np.zeros((batch - len(part), *part.shape[1:]), part.dtype)])
            found = _logit_and_distance(choice.choose(self.spec).apply, self.params, filled, needs, self.prior)
            parts.append([np.asarray(each, np.float64)[: len(part)] for each in found])
        if not parts:
            return np.zeros(0), np.zeros(0)
        logits, distances = (np.concatenate(each) for each in zip(*parts, strict=True))
        return logits, distances

    def __call__(self, images: np.ndarray, *, batch: int = 0) -> np.ndarray:
        """The probability of being fake of uint8 images `(images, size, size, 3)`: float32, shape `(images,)`.

        A score never depends on the other images: a detector trained with batch statistics ("episode") is normalised
        by its context here. With `batch`, so many are scored at a time, the last of them filled up, so that whoever
        calls again and again compiles one program.
        """
        kind = self.spec.normalisation
        model = choice.choose(dataclasses.replace(self.spec, normalisation="support" if kind == "episode" else kind))
        chunk = batch or min(self.batch, len(images))
        return score(model.apply, self.params, images, context=self.context, chunk=chunk)


def score(
    apply: ApplyFn,
    params: Params,
    images: np.ndarray | jax.Array,
    *,
    context: np.ndarray | jax.Array | None,
    chunk: int | None = None,
) -> np.ndarray:
    r"""The probability of being fake, $1 - \text{softmax}(f(x))_0$, of any number of images.

    Args:
        apply: the forward pass of a backbone of two or more classes.
        params: its parameters.
        images: uint8, shape `(images, size, size, 3)`.

    Other Arguments:
        context: images whose statistics normalise them, or `None` for their own, which then are scored as one batch.
        chunk: how many images are scored at a time, with a context, the last of them filled up; if left out, all of
            them, or 256.

    Returns:
        float32, shape `(images,)`, in [0, 1], as `metaforge.evaluation.forgery_score` has it.

    Example:
        >>> model = choice.choose(BackboneSpec(width=4))
        >>> images = np.zeros((3, 16, 16, 3), np.uint8)
        >>> params = jax.jit(model.init)(jax.random.key(0), images)
        >>> score(model.apply, params, images, context=images).shape
        (3,)
    """
    if context is None:
        return np.asarray(_probability(apply, params, images, None))
    # One shape for all chunks, one compilation.
    chunk = min(256, len(images)) if chunk is None else chunk
    parts = []
    for start in range(0, len(images), max(chunk, 1)):
        part = images[start : start + chunk]
        padded = np.concatenate([part, np.zeros((chunk - len(part), *part.shape[1:]), part.dtype)])
        parts.append(np.asarray(_probability(apply, params, padded, context))[: len(part)])
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


@functools.partial(jax.jit, static_argnums=0)
def _probability(apply: ApplyFn, params: Params, images: Any, context: Any) -> jax.Array:
    return forgery_score(apply(params, images, context=context).logits)  # a third class, of outliers, is forged too


@functools.partial(jax.jit, static_argnums=0)
def _logit_and_distance(apply: ApplyFn, params: Params, images: Any, context: Any, prior: Prior):
    outputs = apply(params, images, context=context)
    logits = jax.nn.logsumexp(outputs.logits[:, 1:], axis=1) - outputs.logits[:, 0]
    whitened = jax.scipy.linalg.solve_triangular(prior.factor, (outputs.embeddings - prior.middle[None]).T, lower=True)
    return logits, jnp.mean(jnp.square(whitened), axis=0)
