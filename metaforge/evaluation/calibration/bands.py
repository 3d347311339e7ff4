"""Two thresholds on a probability: below one "real", above the other "fake", and "cannot tell" between them."""

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from metaforge.errors import InputError
from metaforge.evaluation._rows import Rows, checked
from metaforge.evaluation.calibration._stored import number, stored
from metaforge.evaluation.thresholds import accuracy

Decision = Literal["real", "cannot tell", "fake"]
"""What is said of an image."""


class Bands(NamedTuple):
    """Two thresholds, and what they were fitted on.

    Attributes:
        real_below: below it an image is called real; at most 0.5.
        fake_above: above it an image is called fake; at least 0.5.
        fitted_on: JSON-able, of `fit_bands`. "allowed": `fpr` and `fnr`, as asked. "found": `fpr`, the share of the
            reals that were called fake, and `fnr`, of the fakes that were called real, each the mean over groups.
            "groups": of each group these two (`None` without a row of the class), and the numbers `reals` and `fakes`.

    Example:
        >>> Bands(0.2, 0.8, {}).decide([0.1, 0.2, 0.8, 0.81])
        ['real', 'cannot tell', 'cannot tell', 'fake']
    """

    real_below: float
    fake_above: float
    fitted_on: dict[str, Any]

    def decide(self, probabilities: ArrayLike) -> list[Decision]:
        """The decision on each probability of being fake, shape `(rows,)`; on one that is no number, "cannot tell"."""
        called = np.asarray(probabilities, np.float64).tolist()
        return ["fake" if p > self.fake_above else "real" if p < self.real_below else "cannot tell" for p in called]

    def as_json(self) -> dict[str, Any]:
        """What a file holds of it."""
        return self._asdict()

    @classmethod
    def from_json(cls, found: Any) -> "Bands":
        """What `as_json` wrote.

        Raises:
            InputError: for anything else.
        """
        found = stored(found, cls._fields, "two thresholds")
        if not isinstance(found["fitted_on"], dict):
            raise InputError("calibration: the thresholds do not say what they were fitted on. Fit them anew.")
        low = number(found["real_below"], "the threshold for real", low=0, high=0.5)
        return cls(low, number(found["fake_above"], "the threshold for fake", low=0.5, high=1), found["fitted_on"])


def fit_bands(
    probabilities: ArrayLike,
    labels: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    fpr: float = 0.05,
    fnr: float = 0.10,
) -> Bands:
    """The thresholds at which a stated share of reals is called fake, and of fakes real.

    `fake_above` is the lowest threshold above which at most the share `fpr` of the reals lies, where every group has
    the same weight: a collection of ten thousand photographs says no more about the next camera than one of a hundred.
    `real_below` is likewise the highest threshold below which at most the share `fnr` of the fakes lies. Both are
    scores that occur. With fewer than `1 / fpr` reals, no real may lie above.

    `fake_above` is never below 0.5 and `real_below` never above. An image that is more probably real than fake is not
    called fake, even if the share of reals would allow it; so a detector that is better than was asked for makes fewer
    mistakes, not more decisions. And a score that is drawn to 0.5 by doubt (`tempered`) always ends in "cannot tell".

    Args:
        probabilities: of being fake, calibrated, in [0, 1], shape `(rows,)`. Each is to be scored by a fit without the
            group of its image: of images that were trained on, far too few lie beyond a threshold.
        labels: 0 (real) or 1 (fake), shape `(rows,)`.

    Other Arguments:
        groups: the collection (camera, source, data set) of each row, text or whole numbers, shape `(rows,)`; one
            group if left out.
        fpr: the share of reals that may be called fake, in [0, 1].
        fnr: the share of fakes that may be called real, in [0, 1].

    Returns:
        The thresholds, and which share of each group lies beyond them.

    Raises:
        InputError: without reals or without fakes, or if a share or a probability is not in [0, 1].

    Example:
        >>> bands = fit_bands([0.1, 0.2, 0.6, 0.3, 0.7, 0.9], [0, 0, 0, 1, 1, 1], fpr=0.34, fnr=0.0)
        >>> bands.real_below, bands.fake_above
        (0.3, 0.5)
        >>> round(bands.fitted_on["found"]["fpr"], 3)
        0.333
    """
    for name, share in (("fpr", fpr), ("fnr", fnr)):
        if not 0 <= share <= 1:
            raise InputError(f"fit_bands: {name} is {share}. Give the share of images that may be wrong, in [0, 1].")
    rows = checked(labels, probabilities, None, both_classes="fit_bands", probabilities="fit_bands")
    if rows.scores.ndim != 1:
        raise InputError(f"fit_bands: scores of shape {rows.scores.shape}. Give those of one detector, (rows,).")
    named = np.zeros(len(rows.fake), int) if groups is None else np.asarray(groups)
    if named.shape != rows.fake.shape:
        raise InputError(f"fit_bands: {named.shape} groups of {rows.fake.shape} rows. Name the group of every row.")
    names, index = np.unique(named, return_inverse=True)
    real, fake = ~rows.fake, rows.fake
    high = _lowest(rows.scores[real], equal_weights(index[real]), fpr)
    low = -_lowest(-rows.scores[fake], equal_weights(index[fake]), fnr)
    real_below, fake_above = min(float(low), 0.5), max(float(high), 0.5)
    by_group = {"all" if groups is None else str(name): _beyond(rows, index == number, real_below, fake_above)
                for number, name in enumerate(names)}  # fmt: skip
    found = {}
    for share in ("fpr", "fnr"):
        shares = [group[share] for group in by_group.values() if group[share] is not None]
        found[share] = float(np.mean(shares))
    return Bands(real_below, fake_above, {"allowed": {"fpr": fpr, "fnr": fnr}, "found": found, "groups": by_group})


def equal_weights(index: np.ndarray) -> np.ndarray:
    """Weights of rows of which every group has the same."""
    counts = np.bincount(index)
    return 1.0 / counts[index]


def _lowest(scores: np.ndarray, weights: np.ndarray, share: float) -> np.float64:
    """The lowest of the scores above which at most this share of the weight lies."""
    levels, place = np.unique(scores, return_inverse=True)
    mass = np.bincount(place, weights=weights)
    above = np.append(mass[::-1].cumsum()[::-1][1:], 0.0) / mass.sum()
    # Sums of fractional weights miss the bound by rounding.
    return levels[np.argmax(above <= share + 1e-12)]


def _beyond(rows: Rows, mine: np.ndarray, real_below: float, fake_above: float) -> dict[str, Any]:
    reals, fakes = rows.scores[mine & ~rows.fake], rows.scores[mine & rows.fake]
    return {
        "reals": len(reals),
        "fakes": len(fakes),
        "fpr": float((reals > fake_above).mean()) if len(reals) else None,
        "fnr": float((fakes < real_below).mean()) if len(fakes) else None,
    }


class BandRates(NamedTuple):
    """What a detector gets right at 0.5 and at its thresholds; a share is `None` where its class has no row.

    Attributes:
        accuracy_at_half: the share of rows called right where above 0.5 means fake.
        accuracy_at_threshold: the same where above `fake_above` means fake, and everything else real.
        fpr: the share of reals called fake.
        fnr: the share of fakes called real.
        tpr: the share of fakes called fake.
        undecided: the share of rows of which nothing is said.
    """

    accuracy_at_half: float
    accuracy_at_threshold: float
    fpr: float | None
    fnr: float | None
    tpr: float | None
    undecided: float


def band_rates(probabilities: ArrayLike, labels: ArrayLike, bands: Bands) -> BandRates:
    """What a report says of a detector's decisions on rows that its thresholds were not fitted on.

    Args:
        probabilities: of being fake, in [0, 1], shape `(rows,)`.
        labels: 0 (real) or 1 (fake), shape `(rows,)`.
        bands: the detector's thresholds.

    Returns:
        Shares in [0, 1]; `_asdict()` is JSON-able.

    Raises:
        InputError: if the input is malformed.

    Example:
        >>> rates = band_rates([0.1, 0.6, 0.7, 0.9], [0, 0, 1, 1], Bands(0.2, 0.8, {}))
        >>> rates.accuracy_at_half, rates.accuracy_at_threshold, rates.fpr, rates.tpr, rates.undecided
        (0.75, 0.75, 0.0, 0.5, 0.5)
    """
    rows = checked(labels, probabilities, None, probabilities="band_rates")
    if rows.scores.ndim != 1:
        raise InputError(f"band_rates: scores of shape {rows.scores.shape}. Give those of one detector, (rows,).")
    decided = np.array(bands.decide(rows.scores))
    share = lambda called, of: float((decided[of] == called).mean()) if of.any() else None
    return BandRates(
        accuracy_at_half=float(accuracy(labels, rows.scores)),
        accuracy_at_threshold=float(accuracy(labels, rows.scores, threshold=bands.fake_above)),
        fpr=share("fake", ~rows.fake),
        fnr=share("real", rows.fake),
        tpr=share("fake", rows.fake),
        undecided=float((decided == "cannot tell").mean()),
    )
