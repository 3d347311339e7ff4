"""Checkpoints of a run: written and read with Orbax, each with a fingerprint of its values."""

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np

from metaforge.core.devices import is_writer
from metaforge.errors import InputError
from metaforge.places import plainly
from metaforge.runs.files import one_line


def latest_step(directory: str | os.PathLike) -> int:
    """The step of the last whole checkpoint, 0 if there is none."""
    folder = Path(directory) / "checkpoints"
    # Orbax renames a checkpoint into place when it is whole, so a plain number is a whole one.
    return max((int(p.name) for p in folder.glob("*") if p.name.isdigit()), default=0)


def save(directory: str | os.PathLike, step: int, state: Any) -> None:
    """Writes a checkpoint and waits until it is whole. Saving a step that is there already does nothing.

    Raises:
        InputError: when it cannot be written; earlier checkpoints stay as they are.
    """
    import orbax.checkpoint as ocp

    directory = Path(directory)
    with _manager(directory) as manager:
        if step in manager.all_steps():
            return
        parts = {"state": ocp.args.StandardSave(state), "meta": ocp.args.JsonSave(_about(state))}
        try:
            manager.save(step, args=ocp.args.Composite(**parts))
            manager.wait_until_finished()
            if is_writer() and not (directory / f"checkpoints/{step}/state/manifest.ocdbt").exists():
                raise OSError("it is not on the disk")
        except Exception as error:
            raise InputError(
                f"workdir: cannot write the checkpoint of step {step} to '{directory}' ({one_line(error)}). "
                "Free some space or choose another --workdir; earlier checkpoints are whole."
            ) from error


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
            raise InputError(damaged + f" ({one_line(error)}).") from error
        if about["leaves"] != _about(state)["leaves"]:
            raise InputError(
                f"run: the checkpoint of step {step} in '{directory}' is of another backbone or optimizer than asked "
                "for. Use the config.json that it was trained with."
            )
        target = jax.tree.map(_placed, state)
        try:
            found = manager.restore(step, args=ocp.args.Composite(state=ocp.args.StandardRestore(target)))["state"]
        except Exception as error:
            raise InputError(damaged + f" ({one_line(error)}).") from error
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


@contextlib.contextmanager
def _manager(directory: Path) -> Iterator[Any]:
    import orbax.checkpoint as ocp

    # Imported and opened late: it costs over a second, and reading a log needs none of it.
    options = ocp.CheckpointManagerOptions(
        max_to_keep=2, cleanup_tmp_directories=True, enable_async_checkpointing=False
    )
    with plainly(directory) as place, ocp.CheckpointManager(place / "checkpoints", options=options) as manager:
        yield manager
