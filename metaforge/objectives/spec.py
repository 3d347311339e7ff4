"""What is minimised, as plain settings."""

import dataclasses

from metaforge.settings import setting


@dataclasses.dataclass(frozen=True)
class ObjectiveSpec:
    """The loss of the inner and the outer loop."""

    name: str = setting("cross_entropy", "What inner and outer loop minimise.", choices=("cross_entropy", "fakeradar"))
    outlier_mode: str = setting("safe", "fakeradar: how its recipe is read.", choices=("safe", "literal"))
    outliers: int = setting(16, "fakeradar: outliers in every batch (paper: 16).", least=1, most=100_000)
    refresh_every: int = setting(50, "fakeradar: outer steps between refreshes of clusters and outliers.", least=1)
