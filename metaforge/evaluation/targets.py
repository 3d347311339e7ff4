"""The mean of a metric over target domains that share nobody, and what the rows of one domain are."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from metaforge.errors import InputError
from metaforge.evaluation._resampling import interval_of, replicates, seed_slots
from metaforge.evaluation.interval import Interval


class Target(NamedTuple):
    """The rows of one target domain, for `macro_bootstrap`: all as in `bootstrap` and `paired_difference`.

    Attributes:
        labels: 0 (real) or 1 (fake), shape `(rows,)`.
        scores: shape `(seeds, draws, rows)`.
        clusters: shape `(rows,)`; no cluster belongs to two targets.
        baseline: shape `(seeds, draws, rows)`, to measure the difference to; or `None`.
    """

    labels: ArrayLike
    scores: ArrayLike
    clusters: ArrayLike
    baseline: ArrayLike | None = None


def macro_bootstrap(
    targets: Mapping[str, Target],
    *,
    metric: str = "auc",
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
    resample_seeds: bool = True,
) -> Interval:
    """The mean of a metric over target domains, every domain counted alike, and its interval.

    Clusters and draws are resampled within each target, seeds once for all: the same trained models are judged on
    every target. The interval speaks of these targets, and not of a new one: nothing is learnt of that from resampling.
    Four forgeries of the same real videos are not four targets in this sense, and are refused: see `joint_bootstrap`.

    Args:
        targets: name to `Target`: with a baseline all of them, or none.
        metric: a name in `METRICS`.
        resamples: how many resamples.
        level: the share of resamples inside the interval, in (0, 1).
        seed: seeds the resampling. The order of the targets does not matter.
        resample_seeds: `False` holds the seeds as they are.

    Returns:
        The interval of the mean over targets, or with baselines of the mean difference.

    Raises:
        InputError: as `bootstrap`; if there is no target, some have a baseline and some have none, seeds differ in
            number, or two targets share a cluster.

    Example:
        >>> rng, labels = np.random.default_rng(0), np.array([0, 1] * 20)
        >>> def target(name):
        ...     people = np.repeat([f"{name}, person {i}" for i in range(10)], 4)
        ...     return Target(labels, rng.normal(labels, 1.0, size=(3, 5, 40)), people)
        >>> interval = macro_bootstrap({"swap": target("swap"), "reenact": target("reenact")})
        >>> bool(0.5 < interval.low < interval.value < interval.high < 1)
        True
    """
    seeds = shared_seeds(targets)
    _check_apart(targets)
    rng = np.random.default_rng(seed)
    slots = seed_slots(rng, seeds, max(resamples, 0), resample_seeds)
    how = {"resamples": resamples, "level": level, "slots": slots}
    found = [
        of_target(target, metric, rng=stream, **how)
        for (_, target), stream in zip(sorted(targets.items()), rng.spawn(len(targets)), strict=True)
    ]
    values, each = zip(*found, strict=True)
    return interval_of(float(np.mean(values)), np.mean(each, axis=0), level)


def of_target(target: Target, metric: str, *, resamples: int, level: float, rng, slots) -> tuple[float, np.ndarray]:
    """The metric, or its difference to the baseline, and the replicates of that, shape `(resamples,)`."""
    methods = {"scores": target.scores}
    if target.baseline is not None:
        methods["baseline"] = target.baseline
    values, found = replicates(
        target.labels, methods, target.clusters, [metric], resamples=resamples, level=level, rng=rng, slots=slots
    )
    if target.baseline is None:
        return values["scores", metric], found["scores", metric]
    ours, theirs = ("scores", metric), ("baseline", metric)
    return values[ours] - values[theirs], found[ours] - found[theirs]


def shared_seeds(targets: Mapping[str, Target]) -> int:
    """How many seeds all targets have; raises where they differ."""
    if not targets:
        raise InputError("macro_bootstrap: no target was given. Give the rows of at least one.")
    if len({target.baseline is None for target in targets.values()}) > 1:
        raise InputError("macro_bootstrap: some targets have a baseline and some have none. Give it for all, or none.")
    stacks = [stack for target in targets.values() for stack in (target.scores, target.baseline) if stack is not None]
    seeds = {np.shape(stack)[0] for stack in stacks if np.ndim(stack) == 3} - {0, 1}
    if len(seeds) > 1:
        raise InputError(f"macro_bootstrap: targets of {sorted(seeds)} seeds. Judge the same models on every target.")
    return max(seeds, default=1)


def _check_apart(targets: Mapping[str, Target]) -> None:
    home: dict[object, str] = {}
    for name, target in targets.items():
        for cluster in set(np.ravel(np.asarray(target.clusters)).tolist()):
            if home.setdefault(cluster, name) != name:
                raise InputError(
                    f"macro_bootstrap: cluster {cluster!r} is in the targets {home[cluster]!r} and {name!r}. "
                    "Put the data set into its name; targets that share videos cannot be resampled apart."
                )
