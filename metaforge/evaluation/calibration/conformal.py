"""Thresholds for stated shares of mistakes on a named domain, with a guarantee for finitely many images of it."""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from metaforge.errors import InputError
from metaforge.evaluation._rows import checked
from metaforge.evaluation.calibration.bands import Bands


def fit_conformal(
    probabilities: ArrayLike, labels: ArrayLike, *, name: str, fpr: float = 0.03, fnr: float = 0.02
) -> Bands:
    r"""Thresholds beyond which the next real image lies with at most a probability of `fpr`, the next fake of `fnr`.

    Split conformal prediction for each class by itself. Of the scores $s_{(1)} \le \dots \le s_{(n)}$ of $n$ real
    images that the detector was not fitted on,

    $$\text{fake\_above} = s_{(k)}, \qquad k = \lceil (n + 1)(1 - a) \rceil,$$

    with $a$ = `fpr`; of $-s$ of the fakes likewise with `fnr`. If the next real image is exchangeable with these, it
    lies above with a probability of $a$ at most, and of $1 - k / (n + 1)$ exactly where no two scores are the same.
    That holds on average over the images that the thresholds were fitted on. With those at hand, the share beyond them
    follows $\text{Beta}(n + 1 - k, k)$; `fitted_on` has its 5 % and 95 % quantiles as "likely". With fewer than
    $1 / a - 1$ images $k$ is above $n$, and nothing is called so: the threshold is 1, or 0.

    As with `fit_bands`, `fake_above` is never below 0.5 and `real_below` never above, which makes mistakes rarer and
    not more frequent. What is guaranteed is said of images like these: of another camera it may be false.

    Args:
        probabilities: of being fake, as the detector tells them, in [0, 1], shape `(rows,)`.
        labels: 0 (real) or 1 (fake), shape `(rows,)`.

    Other Arguments:
        name: what the domain is called in verdicts.
        fpr: the share of its reals that may be called fake, above 0 and below 1.
        fnr: the share of its fakes that may be called real, likewise.

    Returns:
        The thresholds. `fitted_on` has "name", "allowed", "found" and "groups" as with `fit_bands`, and "likely".

    Raises:
        InputError: without a name, without reals or without fakes, or if a share or a probability is none.

    Example:
        >>> bands = fit_conformal(np.linspace(0, 1, 40), np.tile([0, 1], 20), name="studio", fpr=0.1, fnr=0.1)
        >>> round(bands.fake_above, 3), round(bands.real_below, 3), bands.fitted_on["name"]
        (0.923, 0.077, 'studio')

    References:
        Vovk, *Conditional Validity of Inductive Conformal Predictors*, ACML 2012, sections 2 and 4 (classes by
        themselves), and proposition 2a (the Beta distribution); <https://arxiv.org/abs/1209.2673>. Angelopoulos and
        Bates, *Conformal Prediction: A Gentle Introduction*, section 3.2.
    """
    if not name.strip():
        raise InputError("fit_conformal: the domain has no name. Say what the images are, as verdicts are to say it.")
    for what, share in (("fpr", fpr), ("fnr", fnr)):
        if not 0 < share < 1:
            raise InputError(
                f"fit_conformal: {what} is {share}. Give the share that may be wrong, above 0 and below 1."
            )
    rows = checked(labels, probabilities, None, both_classes="fit_conformal", probabilities="fit_conformal")
    if rows.scores.ndim != 1:
        raise InputError(f"fit_conformal: scores of shape {rows.scores.shape}. Give those of one detector, (rows,).")
    reals, fakes = np.sort(rows.scores[~rows.fake]), np.sort(-rows.scores[rows.fake])
    (high, likely_fpr), (low, likely_fnr) = _threshold(reals, fpr), _threshold(fakes, fnr)
    # An infinite one is beyond all probabilities.
    real_below, fake_above = float(np.clip(-low, 0.0, 0.5)), float(np.clip(high, 0.5, 1.0))
    found = {"fpr": float((reals > fake_above).mean()), "fnr": float((-fakes < real_below).mean())}
    about: dict[str, Any] = {
        "name": name,
        "allowed": {"fpr": fpr, "fnr": fnr},
        "found": found,
        "likely": {"fpr": likely_fpr, "fnr": likely_fnr},
        "groups": {name: {"reals": len(reals), "fakes": len(fakes), **found}},
    }
    return Bands(real_below, fake_above, about)


def rank(count: int, share: float) -> int:
    """Which of so many sorted scores is the threshold, from 1; one more than there are if there are too few.

    Example:
        >>> rank(99, 0.05), rank(18, 0.05), rank(19, 0.05)
        (95, 19, 19)
    """
    # 1 - a is rounded, and its product with a whole number must not be the next one for that.
    return math.ceil((count + 1) * (1 - share) - 1e-9)


def _threshold(scores: np.ndarray, share: float) -> tuple[float, list[float]]:
    """The threshold on sorted scores, and how large a share may lie above it: the 5 % and 95 % quantiles."""
    from scipy.stats import beta

    count, place = len(scores), rank(len(scores), share)
    if place > count:
        return math.inf, [0.0, 0.0]
    return float(scores[place - 1]), [float(each) for each in beta.ppf([0.05, 0.95], count + 1 - place, place)]
