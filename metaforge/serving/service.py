"""What the answers of a service are made with."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from metaforge.serving.adapters import Adapters
    from metaforge.serving.metrics import Metrics
    from metaforge.serving.options import Options
    from metaforge.serving.pool import Pool
    from metaforge.serving.scoring import Served
    from metaforge.serving.storage import Storage


class Service(NamedTuple):
    """A running service.

    Attributes:
        options: what it was told.
        state: its folder.
        served: the detector that it serves, as workers read it.
        about: what `/v1/models` says of it.
        pool: the workers.
        metrics: what is counted.
        storage: feedback and adapters on the disk.
        adapters: the adaptations.
    """

    options: "Options"
    state: Path
    served: "Served"
    about: dict[str, Any]
    pool: "Pool"
    metrics: "Metrics"
    storage: "Storage"
    adapters: "Adapters"
