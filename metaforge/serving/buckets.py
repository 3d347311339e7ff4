"""Batches of a few fixed sizes: each is compiled, or planned, once at the start, and none while somebody waits."""

from typing import Any, NamedTuple

import numpy as np

from metaforge.data.crops import Crop
from metaforge.evaluation.calibration import Judge

SIZES = (1, 2, 3, 4, 6, 8, 12, 16)
"""Crops at a time. No batch is filled up by more than half, and of most by less than a third."""


def bucket(count: int) -> int:
    """The smallest of `SIZES` that holds so many crops.

    Example:
        >>> [bucket(count) for count in (1, 5, 13, 16)]
        [1, 6, 16, 16]
    """
    return next(size for size in SIZES if size >= count)


class Bucketed(NamedTuple):
    """A detector that scores batches of the sizes of `SIZES` alone. It scores as the one does that it holds.

    Attributes:
        detector: that one, of JAX or of ONNX Runtime.
    """

    detector: Any

    @property
    def image_size(self) -> int:
        """The side of the images that it scores, in pixels."""
        return self.detector.image_size

    @property
    def crop(self) -> Crop:
        """How the faces that it was trained on were cut out."""
        return self.detector.crop

    @property
    def judge(self) -> Judge | None:
        """What makes verdicts of its logits and distances."""
        return self.detector.judge

    @property
    def batch(self) -> int:
        """How many images are scored at a time."""
        return SIZES[-1]

    def examine(self, images: np.ndarray, *, batch: int = 0) -> tuple[np.ndarray, np.ndarray | None]:
        """Logits and distances, as the detector's own `examine` gives them."""
        parts = [self._filled(images[start : start + self.batch]) for start in range(0, len(images), self.batch)]
        logits = np.concatenate([np.zeros(0), *(logit for logit, _ in parts)])
        distances = [distance for _, distance in parts if distance is not None]
        return logits, np.concatenate([np.zeros(0), *distances]) if len(distances) == len(parts) else None

    def __call__(self, images: np.ndarray, *, batch: int = 0) -> np.ndarray:
        """The probability of being fake of each image: float32, shape `(images,)`."""
        chunks = range(0, len(images), self.batch)
        parts = [self.detector(_padded(images[start : start + self.batch]))[: len(images) - start] for start in chunks]
        return np.concatenate([np.zeros(0, np.float32), *parts])

    def warm_up(self) -> None:
        """Scores one batch of each size, so that whatever is made once is made now."""
        for size in SIZES:
            self.examine(np.zeros((size, self.image_size, self.image_size, 3), np.uint8))

    def _filled(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        size = bucket(len(images))
        logits, distances = self.detector.examine(_padded(images), batch=size)
        return logits[: len(images)], None if distances is None else distances[: len(images)]


def _padded(images: np.ndarray) -> np.ndarray:
    more = bucket(len(images)) - len(images)
    return np.concatenate([images, np.zeros((more, *images.shape[1:]), images.dtype)]) if more else images
