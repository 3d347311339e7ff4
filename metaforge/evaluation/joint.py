"""The mean over targets that share people: the same people are drawn for all of them."""

from collections.abc import Mapping

import numpy as np

from metaforge.errors import InputError
from metaforge.evaluation._resampling import interval_of, seed_slots
from metaforge.evaluation.interval import Interval
from metaforge.evaluation.targets import Target, of_target, shared_seeds


def joint_bootstrap(
    targets: Mapping[str, Target],
    *,
    metric: str = "auc",
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
    resample_seeds: bool = True,
) -> Interval:
    """The mean of a metric over targets made of the same people or videos, and its interval.

    Forgeries of the same faces are not independent evidence: who is easy for one is easy for another. So a resample
    draws people once, and seeds once, for all targets. Seeds count as shared even where every target has models of its
    own, as in leaving one method out; if these vary independently, the interval is somewhat too wide.

    Args:
        targets: name to `Target`: with a baseline all of them, or none; all of the same clusters.
        metric: a name in `METRICS`.
        resamples: how many resamples.
        level: the share of resamples inside the interval, in (0, 1).
        seed: seeds the resampling. The order of the targets does not matter.
        resample_seeds: `False` holds the seeds as they are.

    Returns:
        The interval of the mean over targets, or with baselines of the mean difference. It speaks of these targets.

    Raises:
        InputError: as `macro_bootstrap`; or if two targets differ in their clusters.

    Example:
        >>> rng, labels = np.random.default_rng(0), np.array([0, 1] * 20)
        >>> people = np.repeat([f"person {i}" for i in range(10)], 4)
        >>> target = lambda: Target(labels, rng.normal(labels, 1.0, size=(3, 1, 40)), people)
        >>> interval = joint_bootstrap({"swap": target(), "reenact": target()})
        >>> bool(0.5 < interval.low < interval.value < interval.high < 1)
        True

    References:
        Davison and Hinkley, *Bootstrap Methods and their Application*, 1997, section 3.8.
    """
    seeds = shared_seeds(targets)
    names = {name: set(np.ravel(np.asarray(target.clusters)).tolist()) for name, target in targets.items()}
    first = next(iter(names))
    for name, clusters in names.items():
        if clusters != names[first]:
            odd = min(map(str, clusters ^ names[first]))
            raise InputError(
                f"joint_bootstrap: '{odd}' is in only one of the targets '{first}' and '{name}'. Give all targets the "
                "same people, or use macro_bootstrap for targets that share none."
            )
    found = []
    for _, target in sorted(targets.items()):
        rng = np.random.default_rng(seed)  # the same people in the same order, for every target
        slots = seed_slots(rng, seeds, max(resamples, 0), resample_seeds)
        found.append(of_target(target, metric, rng=rng, resamples=resamples, level=level, slots=slots))
    values, each = zip(*found, strict=True)
    return interval_of(float(np.mean(values)), np.mean(each, axis=0), level)
