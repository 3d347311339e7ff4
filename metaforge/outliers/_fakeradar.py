"""FakeRadar's outlier probing: its recipe to the letter, or with what it needs to work in many dimensions."""

from types import EllipsisType
from typing import Any, Literal

from metaforge.outliers._covariances import Covariance
from metaforge.outliers._gaussian_outliers import subcluster_outliers
from metaforge.outliers.base import OutlierSynthesizer

Mode = Literal["literal", "safe"]
"""How FakeRadar's recipe is read: to the letter, or with what it needs to work in many dimensions."""

MODES: dict[str, dict[str, Any]] = {
    "literal": {
        "components": None,
        "unit": True,
        "prior_scale": 0.005,
        "em_steps": 1,
        "covariance": "full",
        "radius": "tail",
    },
    "safe": {
        "components": 16,
        "unit": False,
        "prior_scale": None,
        "em_steps": 5,
        "covariance": "calibrated",
        "radius": "shell",
    },
}
"""The two readings as arguments of `subcluster_outliers`."""


def fakeradar(
    num_classes: int,
    *,
    mode: Mode = "safe",
    slots: int = 32,
    components: int | EllipsisType | None = ...,
    unit: bool | EllipsisType = ...,
    prior_scale: float | EllipsisType | None = ...,
    dynamic_updates: int = 10,
    constrained: bool = True,
    alpha: float = 1.0,
    coin: bool = False,
    em_steps: int | EllipsisType = ...,
    covariance: Covariance | EllipsisType = ...,
    ridge: float = 1e-4,
    radius: Literal["tail", "shell"] | EllipsisType = ...,
    pool: int = 10_000,
    quantiles: tuple[float, float] = (0.99, 0.999),
    towards: Literal["all", "others"] = "all",
    noise: float = 1.0,
    around: Literal["all", "real", "fake"] = "all",
) -> OutlierSynthesizer:
    """FakeRadar's forgery outlier probing, "literal" or "safe".

    To the letter, three parts of the recipe degenerate in hundreds of dimensions: no cluster ever splits and all merge,
    a covariance estimated from a cluster alone is several times too narrow, and its "outliers" lie among the data.
    "safe" looks for clusters in 16 principal components, with a prior as wide as the clusters, and draws from one
    calibrated covariance at a distance that held-out features seldom reach.

    Args:
        num_classes: real, and every kind of forgery.

    Other Arguments:
        mode: "safe" or "literal". It says what is left at `...` below (`MODES`); all are as in `subcluster_outliers`.
        slots: how many clusters there can be, in all.
        components: principal components in which clusters are looked for; `None` for the features themselves.
        unit: whether features are scaled to length 1 before clusters are looked for.
        prior_scale: the prior's scale; `None` for the mean variance within clusters.
        dynamic_updates: for how many updates clusters may split and merge; 0 keeps one a class.
        constrained: whether a cluster holds points of one class only.
        alpha: the concentration of the Dirichlet process.
        coin: whether a move that does not pay is made with its Hastings probability.
        em_steps: steps of EM between moves.
        covariance: whose covariance outliers are drawn with.
        ridge: what is added to it, as a share of its mean variance.
        radius: "tail" for the least likely of `pool` draws, or "shell" for a distance between two `quantiles`.
        pool: how many draws a tail outlier is the least likely of.
        quantiles: the shell.
        towards: "all" for every direction, or "others" for those to clusters of the other side.
        noise: with "others", how much random direction is mixed in.
        around: which clusters outliers are made around.

    Returns:
        An `OutlierSynthesizer`.

    Raises:
        ValueError: for an unknown mode, or as `subcluster_outliers`.

    Example:
        >>> synthesizer = fakeradar(5, mode="literal", slots=8)
        >>> synthesizer.init(32).clusters.mean.shape
        (8, 32)

    References:
        Li et al., *FakeRadar: Probing Forgery Outliers to Detect Unknown Deepfake Videos*, ICCV 2025 (forgery outlier
        probing; the body of the paper was not at hand, so what its abstract leaves open is filled from VOS and
        DeepDPM).
    """
    if mode not in MODES:
        raise ValueError(f"unknown `mode` {mode!r}; known: {', '.join(MODES)}.")
    given = {
        "components": components, "unit": unit, "prior_scale": prior_scale, "em_steps": em_steps,
        "covariance": covariance, "radius": radius,
    }  # fmt: skip
    return subcluster_outliers(
        num_classes, slots=slots, dynamic_updates=dynamic_updates, constrained=constrained, alpha=alpha, coin=coin,
        ridge=ridge, pool=pool, quantiles=quantiles, towards=towards, noise=noise, around=around,
        **(MODES[mode] | {name: value for name, value in given.items() if value is not ...}),
    )  # fmt: skip
