"""A run's directory: its configuration, its log and its checkpoints, from which a killed run goes on as if it had not.

    config.json     what was asked for
    log.jsonl       one flat JSON object a row: step, seconds, metrics
    checkpoints/    Orbax; the last two
    report.json     once finished

Figures and tables are made from these files alone.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np

from metaforge.core.devices import is_writer
from metaforge.errors import InputError
from metaforge.locks import lock_directory
from metaforge.places import plainly
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
        import orbax.checkpoint as ocp

        with _manager(self.directory) as manager:
            if step in manager.all_steps():
                return
            parts = {"state": ocp.args.StandardSave(state), "meta": ocp.args.JsonSave(_about(state))}
            try:
                manager.save(step, args=ocp.args.Composite(**parts))
                manager.wait_until_finished()
                if is_writer() and not (self.directory / f"checkpoints/{step}/state/manifest.ocdbt").exists():
                    raise OSError("it is not on the disk")
            except Exception as error:
                raise InputError(
                    f"workdir: cannot write the checkpoint of step {step} to '{self.directory}' ({_line(error)}). "
                    "Free some space or choose another --workdir; earlier checkpoints are whole."
                ) from error

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


def flattened(config: dict[str, Any], *, prefix: str = "") -> dict[str, Any]:
    """Settings whose groups are taken apart, under dotted names.

    Example:
        >>> flattened({"model": {"width": 32}, "row": "full"})
        {'model.width': 32, 'row': 'full'}
    """
    found: dict[str, Any] = {}
    for name, value in config.items():
        found |= flattened(value, prefix=f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return found


def latest_step(directory: str | os.PathLike) -> int:
    """The step of the last whole checkpoint, 0 if there is none."""
    folder = Path(directory) / "checkpoints"
    # Orbax renames a checkpoint into place when it is whole, so a plain number is a whole one.
    return max((int(p.name) for p in folder.glob("*") if p.name.isdigit()), default=0)


def restore(directory: str | os.PathLike, state: Any) -> Any:
    """The last checkpoint of a run.

    Args:
        directory: the run's.
        state: a state of the wanted structure, shapes and dtypes.

    Raises:
        InputError: when there is none, when it is another model's, or when its bytes changed since it was written.
    """
    import orbax.checkpoint as ocp

    step = latest_step(directory)
    if not step:
        raise InputError(f"run: no checkpoint in '{directory}'. Give the --workdir of a training run.")
    damaged = f"run: the checkpoint of step {step} in '{directory}' is damaged; delete 'checkpoints/{step}' to go on " \
              "from the one before"  # fmt: skip
    with _manager(Path(directory)) as manager:
        try:
            about = manager.restore(step, args=ocp.args.Composite(meta=ocp.args.JsonRestore()))["meta"]
        except Exception as error:
            raise InputError(damaged + f" ({_line(error)}).") from error
        if about["leaves"] != _about(state)["leaves"]:
            raise InputError(
                f"run: the checkpoint of step {step} in '{directory}' is of another backbone or optimizer than asked "
                "for. Use the config.json that it was trained with."
            )
        target = jax.tree.map(_placed, state)
        try:
            found = manager.restore(step, args=ocp.args.Composite(state=ocp.args.StandardRestore(target)))["state"]
        except Exception as error:
            raise InputError(damaged + f" ({_line(error)}).") from error
    if fingerprint(found) != about["sha256"]:
        raise InputError(damaged + ": its bytes changed since it was written.")
    return jax.tree.map(_as_free, found, state)


def _as_free(found: Any, leaf: Any) -> Any:
    """A restored leaf, bound to its device only if the one that it replaces is.

    Orbax binds all. JAX compiles a program anew for arguments that are bound, so a run that goes on would compile again
    what it has compiled for a fresh state.
    """
    bound = getattr(leaf, "sharding", None) is not None and getattr(leaf, "committed", True)
    return found if bound or not isinstance(found, jax.Array) else jax.device_put(np.asarray(found))


def _placed(leaf: Any) -> jax.ShapeDtypeStruct:
    """Shape, dtype and where to: without a place, Orbax refuses what a run on other devices has written."""
    here = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=getattr(leaf, "sharding", None) or here)


def fingerprint(state: Any) -> str:
    """SHA-256 over the leaves of a pytree: their paths, dtypes, shapes and bytes."""
    digest = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_flatten_with_path(state)[0]:
        array = np.asarray(leaf)
        if array.dtype.kind == "T":  # the bytes of such an array are addresses
            array = np.array(array.tolist(), str)
        digest.update(f"{jax.tree_util.keystr(path)} {array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _about(state: Any) -> dict[str, Any]:
    """What a checkpoint says of itself: its leaves, and a fingerprint unless they are only shapes."""
    flat = jax.tree_util.tree_flatten_with_path(state)[0]
    leaves = {jax.tree_util.keystr(path): f"{np.dtype(leaf.dtype)} {tuple(leaf.shape)}" for path, leaf in flat}
    abstract = any(isinstance(leaf, jax.ShapeDtypeStruct) for _, leaf in flat)
    return {"leaves": leaves, "sha256": "" if abstract else fingerprint(state)}


def read_config(directory: str | os.PathLike, *, missing_ok: bool = False) -> dict[str, Any] | None:
    """A run's configuration.

    Raises:
        InputError: when there is none (unless `missing_ok`) or it cannot be read.
    """
    path = Path(directory) / "config.json"
    if not path.exists():
        if missing_ok:
            return None
        raise InputError(f"run: no config.json in '{directory}'. Give the --workdir of a training run.")
    return read_json(path)


def read_json(path: str | os.PathLike) -> dict[str, Any]:
    """A JSON object from a file.

    Raises:
        InputError: when it cannot be read or is no object.
    """
    try:
        found = _parsed(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"run: cannot read '{path}' ({_line(error)}). Restore it, or choose another run.") from None
    if not isinstance(found, dict):
        raise InputError(f"run: '{path}' holds no JSON object. Restore it, or choose another run.")
    return found


def read_rows(directory: str | os.PathLike, *, name: str = "log.jsonl") -> list[dict[str, Any]]:
    """A run's log, or another file of rows. A last row that a kill tore is left out."""
    path = Path(directory) / name
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")
    try:
        # What follows the last newline was not finished.
        return [_parsed(line) for line in lines[:-1] if line]
    except ValueError as error:
        raise InputError(f"run: '{path}' is damaged ({_line(error)}). Restore it, or choose another run.") from None


def _parsed(text: str) -> Any:
    """JSON in which no name stands twice in one object: the last would win in silence."""

    def gathered(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            raise ValueError(f"'{next(name for name in names if names.count(name) > 1)}' is there twice")
        return found

    return json.loads(text, object_pairs_hook=gathered)


def write_json(path: str | os.PathLike, content: Any) -> None:
    """Writes a JSON file whole or not at all."""
    write_text(path, json.dumps(content, indent=2) + "\n")


@contextlib.contextmanager
def _manager(directory: Path) -> Iterator[Any]:
    import orbax.checkpoint as ocp

    # Imported and opened late: it costs over a second, and reading a log needs none of it.
    options = ocp.CheckpointManagerOptions(
        max_to_keep=2, cleanup_tmp_directories=True, enable_async_checkpointing=False
    )
    with plainly(directory) as place, ocp.CheckpointManager(place / "checkpoints", options=options) as manager:
        yield manager


def _line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 160 else text[:160] + "..."
