"""The same records by many processes, on this machine or on others: Ray Data hands out names and takes records back.

Each actor has a detector of its own and judges a handful of names at a time. Records come in the order in which they
are done. All machines must see the files, and the model, under the names that they have here. Ray keeps the names
themselves, some hundred bytes a file.
"""

import contextlib
import dataclasses
import importlib.util
import itertools
import json
import logging
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from metaforge.errors import InputError
from metaforge.screening.batches.options import Options
from metaforge.screening.batches.results import line_of
from metaforge.screening.verdicts.record import FileVerdict

if TYPE_CHECKING:
    from metaforge.screening.engine import Engine

HANDFUL = 64
"""Names that an actor judges before it hands records back; a kill loses no more than these of each."""


def check_ray() -> None:
    """Holds that Ray Data is there.

    Raises:
        InputError: if it is not.
    """
    if missing := [name for name in ("ray", "pyarrow", "pandas") if importlib.util.find_spec(name) is None]:
        raise InputError(f"ray: {missing[0]} is not installed. Install the extra `ray`, or leave --ray out.")


@contextlib.contextmanager
def running_ray(workers: int) -> Iterator[None]:
    """Ray, for as long as records are asked for: the cluster that RAY_ADDRESS names, or one on this machine.

    It is to be started before JAX computes anything, since it starts processes, and JAX warns of that.

    Args:
        workers: processors of one on this machine.

    Raises:
        InputError: if Ray Data is not installed.
    """
    check_ray()
    import ray  # pyright: ignore[reportMissingImports]

    ours = not ray.is_initialized()
    if ours:
        # Workers write what they have to say into files, since here progress is shown.
        # Without an address Ray joins whatever cluster runs on this machine, and then takes no number of processors.
        named = bool(os.environ.get("RAY_ADDRESS"))
        how: dict[str, Any] = {} if named else {"address": "local", "num_cpus": workers}
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR, **how)
    try:
        yield
    finally:
        if ours:
            ray.shutdown()


def records_on_ray(options: Options, root: str, names: Iterable[str]) -> Iterator[FileVerdict]:
    """A record for each name, in the order in which they are done, by `options.workers` actors of `running_ray`.

    Args:
        options: with what to judge.
        root: the folder that names are relative to.
        names: all of them are taken at once.
    """
    import ray.data  # pyright: ignore[reportMissingImports]

    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    left = iter(names)
    parts = iter(lambda: list(itertools.islice(left, HANDFUL)), [])
    # Arrow has no text for names that are no UTF-8.
    rows = [{"names": b"\0".join(map(os.fsencode, part))} for part in parts]
    if rows:
        found = ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
            Actor,
            fn_constructor_args=(_as_seen_from_anywhere(options), os.path.abspath(root)),
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(size=options.workers),
            num_cpus=1,
        )
        for row in found.iter_rows():
            yield FileVerdict.from_json(json.loads(cast(str, row["record"])))


class Actor:
    """A process with a detector."""

    def __init__(self, options: Options, root: str):
        """Loads the detector."""
        from metaforge.screening.verdicts import screener

        self.root = root
        self.screener = screener(
            options.model, weights=options.weights, engine=cast("Engine", options.engine), crops=options.crops,
            frames=options.frames, evidence=options.evidence,
        )  # fmt: skip

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[str]]:
        """From some names, with NULs between them, to their records as JSON."""
        from metaforge.screening.batches.running import judge

        names = [os.fsdecode(name) for part in batch["names"] for name in bytes(part).split(b"\0")]
        return {"record": [line_of(record) for record in judge(self.screener, names, root=self.root, workers=1)]}


def _as_seen_from_anywhere(options: Options) -> Options:
    places = {name: str(Path(value).absolute()) for name in ("model", "weights") if (value := getattr(options, name))}
    return dataclasses.replace(options, **places)
