"""A run's directory while it is written: one writer, one configuration, rows and checkpoints."""

import json
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

from metaforge.core.devices import is_writer
from metaforge.errors import InputError
from metaforge.locks import lock_directory
from metaforge.places import plainly
from metaforge.runs.checkpoints import latest_step, restore, save
from metaforge.runs.files import flattened, read_config, read_rows, write_json
from metaforge.whole import write_text


class Run:
    """A run directory, opened for writing; as long as this object lives, no other process can open it so.

    Args:
        directory: where; made if missing.
        config: JSON-able; a directory that holds another configuration is refused.

    Other Arguments:
        ignored_fields: fields of it that change nothing of what is computed, and may differ; one in a group of fields
            is named with its group, as "run.devices".

    Raises:
        InputError: when the directory holds another configuration, naming the fields that differ, or when another
            process is writing to it.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     run = Run(folder, {"seed": 0})
        ...     run.log({"step": 1, "loss": 0.5})
        ...     read_rows(folder)
        [{'step': 1, 'loss': 0.5}]
    """

    def __init__(self, directory: str | os.PathLike, config: dict[str, Any], *, ignored_fields: Collection[str] = ()):
        """Opens or makes the directory."""
        refuse_another(directory, config, ignored_fields=ignored_fields)
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        with plainly(self.directory):
            pass  # a name that checkpoints cannot take is said before the work
        # Of several hosts the first one writes; it alone has to be alone. Who waited for it may find another's run.
        self._lock = lock_directory(self.directory) if is_writer() else None
        refuse_another(directory, config, ignored_fields=ignored_fields)
        found = read_config(directory, missing_ok=True)
        self.config = config = json.loads(json.dumps(config))
        if found is None and is_writer():
            write_json(self.directory / "config.json", config)

    def log(self, row: dict[str, Any]) -> None:
        """Appends a row; it is on its way to the disk when this returns. Of several processes the first one writes."""
        if not is_writer():
            return
        with open(self.directory / "log.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
            file.flush()

    def rewind(self, step: int) -> None:
        """Drops the rows after `step`, and one that a kill tore: they are about to be written again."""
        path = self.directory / "log.jsonl"
        if path.exists() and is_writer():
            keep = [row for row in read_rows(self.directory) if row["step"] <= step]
            write_text(path, "".join(json.dumps(row) + "\n" for row in keep))

    def save(self, step: int, state: Any) -> None:
        """Writes a checkpoint and waits until it is whole. Saving a step that is there already does nothing.

        Raises:
            InputError: when it cannot be written; earlier checkpoints stay as they are.
        """
        save(self.directory, step, state)

    def resume(self, state: Any) -> tuple[int, Any]:
        """The last checkpoint and its step, or `(0, state)` where there is none; rewinds the log to it.

        Args:
            state: a state of the wanted structure, shapes and dtypes.
        """
        step = latest_step(self.directory)
        if step:
            state = restore(self.directory, state)
        self.rewind(step)
        return step, state

    def finish(self, report: dict[str, Any]) -> None:
        """Writes `report.json`, by which others know that the run is whole."""
        if not is_writer():
            return
        write_json(self.directory / "report.json", report)


def refuse_another(
    directory: str | os.PathLike, config: dict[str, Any], *, ignored_fields: Collection[str] = ()
) -> None:
    """Holds that a directory is free, or that of a run with this configuration. Writes nothing.

    Args:
        directory: the run's.
        config: JSON-able.

    Other Arguments:
        ignored_fields: fields that may differ, as in `Run`.

    Raises:
        InputError: when it is a file, or holds another configuration, naming the fields that differ.
    """
    if Path(directory).exists() and not Path(directory).is_dir():
        raise InputError(f"workdir: '{directory}' is a file. Choose a folder, or a name that is free.")
    found = read_config(directory, missing_ok=True)
    if found is None:
        return
    found, config = flattened(found), flattened(json.loads(json.dumps(config)))
    differing = [
        f"{name}: {found.get(name, 'absent')!r} there, {config.get(name, 'absent')!r} asked"
        for name in sorted({*found, *config} - {*ignored_fields})
        if found.get(name) != config.get(name)
    ]
    if differing:
        raise InputError(
            f"workdir: '{directory}' holds a run of another configuration ({'; '.join(differing)}). "
            "Choose another --workdir, or ask for the same."
        )
