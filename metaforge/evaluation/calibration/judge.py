"""All that turns a detector's logit and distance into a verdict, fitted together, in one JSON object."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from metaforge.errors import InputError
from metaforge.evaluation._rows import checked
from metaforge.evaluation.calibration._stored import stored
from metaforge.evaluation.calibration.bands import Bands, equal_weights, fit_bands
from metaforge.evaluation.calibration.distances import Familiarity, fit_familiarity, tempered
from metaforge.evaluation.calibration.spread import Spread, fit_spread
from metaforge.evaluation.calibration.temperature import SPREADS, Calibration, fit_calibration


class Judge(NamedTuple):
    """What a detector says of an image, from its logit and its distance (`metaforge.evaluation.calibration.verdicts`).

    Attributes:
        calibration: makes logits those of frequencies.
        bands: the thresholds between real, cannot tell and fake.
        familiarity: how familiar a distance is; `None` for a detector without distances.
        spread: how far a probability can be believed; `None` where that is not known.
    """

    calibration: Calibration
    bands: Bands
    familiarity: Familiarity | None
    spread: Spread | None = None

    def weigh(self, logits: ArrayLike, distances: ArrayLike | None) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Calibrated logits, the same with doubt about what is unfamiliar, and the familiarity, if it is known.

        Args:
            logits: the detector's, shape `(rows,)`.
            distances: of the same shape; `None` exactly for a detector without distances.

        Raises:
            InputError: if distances are missing, or are given to one that knows none.
        """
        if (distances is None) != (self.familiarity is None):
            raise InputError("verdict: distances go with a familiarity. Give both, or fit the judge without distances.")
        plain = self.calibration(logits)
        if self.familiarity is None or distances is None:
            return plain, plain, None
        known = self.familiarity(distances)
        return plain, tempered(plain, known), known

    def as_json(self) -> dict[str, Any]:
        """What a detector's config.json holds of it."""
        familiarity = None if self.familiarity is None else self.familiarity.as_json()
        # Those without are as they were before there was one.
        more = {} if self.spread is None else {"spread": self.spread.as_json()}
        made = {"calibration": self.calibration.as_json(), "bands": self.bands.as_json(), "familiarity": familiarity}
        return made | more

    @classmethod
    def from_json(cls, found: Any) -> "Judge":
        """What `as_json` wrote.

        Raises:
            InputError: for anything else.
        """
        if isinstance(found, Mapping):
            found = {"spread": None, **found}
        found = stored(found, cls._fields, "a detector's calibration")
        familiarity = found["familiarity"]
        return cls(
            Calibration.from_json(found["calibration"]),
            Bands.from_json(found["bands"]),
            None if familiarity is None else Familiarity.from_json(familiarity),
            None if found["spread"] is None else Spread.from_json(found["spread"]),
        )


def fit_judge(
    logits: ArrayLike,
    labels: ArrayLike,
    *,
    distances: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    prior: Calibration | None = None,
    spreads: tuple[float, float] = SPREADS,
    fpr: float = 0.05,
    fnr: float = 0.10,
) -> Judge:
    """Calibration, familiarity, thresholds and interval from the same rows; groups weigh the same within a class.

    The thresholds are fitted last, on probabilities as they will be told: calibrated, and with doubt about what is
    unfamiliar. So on these rows the verdicts make just the mistakes that `bands.fitted_on` tells.

    Args:
        logits: of the source images, shape `(rows,)`. Each is to be scored by a fit without the group of its image.
        labels: 0 (real) or 1 (fake), shape `(rows,)`.

    Other Arguments:
        distances: of the source images, larger for what is less like them, shape `(rows,)`, measured by the same fits;
            `None` for a detector without distances.
        groups: the collection (camera, source, data set) of each row, shape `(rows,)`; one group if left out.
        prior: as in `fit_calibration`.
        spreads: as there.
        fpr: as in `fit_bands`.
        fnr: as there.

    Returns:
        What gives verdicts on other images.

    Raises:
        InputError: without reals or without fakes, or if the input is malformed.

    Example:
        >>> judge = fit_judge([-3.0, -2.0, 1.0, 2.0], [0, 0, 1, 1], distances=[1.0, 2.0, 3.0, 4.0])
        >>> judge.bands.real_below, judge.bands.fake_above
        (0.5, 0.5)
        >>> Judge.from_json(judge.as_json()) == judge
        True
    """
    rows = checked(labels, logits, None, both_classes="fit_judge")
    named = np.zeros(len(rows.fake), int) if groups is None else np.asarray(groups)
    if named.shape != rows.fake.shape:
        raise InputError(f"fit_judge: {named.shape} groups of {rows.fake.shape} rows. Name the group of every row.")
    if distances is not None and np.shape(distances) != rows.fake.shape:
        raise InputError(
            f"fit_judge: {np.shape(distances)} distances of {rows.fake.shape} rows. Give that of every row."
        )
    _, index = np.unique(named, return_inverse=True)
    weights = np.empty(len(index))
    for kind in (rows.fake, ~rows.fake):
        weights[kind] = equal_weights(index[kind])
        weights[kind] /= weights[kind].sum()
    calibration = fit_calibration(logits, labels, weights=weights, prior=prior, spreads=spreads)
    familiarity = None if distances is None else fit_familiarity(distances, weights=weights)
    judge = Judge(calibration, Bands(0.5, 0.5, {}), familiarity)
    _, told, _ = judge.weigh(logits, distances)
    shown = probability(told)
    bands = fit_bands(shown, labels, groups=groups, fpr=fpr, fnr=fnr)
    return judge._replace(bands=bands, spread=fit_spread(shown, labels, named))


def probability(logits: np.ndarray) -> np.ndarray:
    """The probability of each logit, in [0, 1]; close to 0 it keeps its digits."""
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-logits))
