"""One fold: its source, its detector, and whom it is judged on."""

from typing import NamedTuple

import numpy as np

from experiments.strangers.made_small.config import FIRST
from experiments.strangers.made_small.material import Images
from metaforge.adaptation.gaussian import Head, fit, head_of
from metaforge.evaluation.calibration import Judge, fit_judge


class Fold(NamedTuple):
    """What was left out, and the detector of the rest.

    Attributes:
        name: of its files.
        collection: that is left out.
        source: rows of images of the other collections and methods.
        judged: rows of the collection and of the methods that were left out.
        statistics: mean and scale of the source's features.
        head: in closed form, of standardised features.
        judge: what makes its logits those of frequencies; fitted to what was left out of the source in turn.
        said: its calibrated logits of all images.
    """

    name: str
    collection: str
    source: np.ndarray
    judged: np.ndarray
    statistics: tuple[np.ndarray, np.ndarray]
    head: Head
    judge: Judge
    said: np.ndarray

    def logits(self, standardised: np.ndarray) -> np.ndarray:
        """Calibrated logits of other features."""
        return self.judge.calibration(standardised @ np.asarray(self.head.weights) + float(self.head.bias))


def fold_of(images: Images, features: np.ndarray, collection: str, half: int) -> Fold:
    """The fold of a collection and a half of the methods."""
    out = np.isin(images.kind, FIRST) == (half == 0)
    source = np.flatnonzero((images.collection != collection) & ~out)
    judged = np.flatnonzero((images.collection == collection) & out)
    return fitted(images, features, collection, half, source, judged)


def fitted(
    images: Images, features: np.ndarray, collection: str, half: int, source: np.ndarray, judged: np.ndarray
) -> Fold:
    """The same of chosen images of the source."""
    mean = features[source].mean(axis=0, dtype=np.float64)
    scale = np.maximum(features[source].std(axis=0, dtype=np.float64), 1e-6)
    shown = ((features - mean) / scale).astype(np.float32)
    known = images.take(source)._replace(image=source)
    found = fit(shown[source], known.label, known.kind, pairs=known.pair, collections=known.collection)
    head = head_of(found.prior)
    judge = fit_judge(
        found.logits, known.label[found.rows], distances=found.distances, groups=known.collection[found.rows]
    )
    made = Fold(f"{collection}-{half}", collection, source, judged, (mean, scale), head, judge, np.zeros(0))
    return made._replace(said=made.logits(shown))
