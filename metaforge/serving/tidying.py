"""What is in an adapter's folder: what a stop or a kill has left of it is put right when the service starts again."""

import shutil
from pathlib import Path
from typing import Any

from metaforge.serving.placing import NAMES
from metaforge.serving.served import Served
from metaforge.serving.storage import Storage, now

ENDED = ("done", "failed", "cancelled")
"""The states in which nothing more will happen; before them come "queued" and "running"."""


def clear(folder: Path, *, all_of_it: bool) -> None:
    """Deletes the images of an adapter, or all that it has."""
    shutil.rmtree(folder if all_of_it else folder / "target", ignore_errors=True)


def as_served(folder: Path, row: dict[str, Any], *, weights: str) -> Served:
    """An adapter that is made, as workers open it; verdicts call it by its id.

    Args:
        folder: its own.
        row: likewise.

    Other Arguments:
        weights: where those are that its detector stands on, if not where they were.
    """
    detector, onnx = folder / "detector", folder / f"{row['sha256']}.onnx"
    regions = str(detector) if row["about"]["regions"] else ""
    if onnx.is_file():
        return Served(row["id"], str(onnx), row["id"], row["sha256"], "", regions)
    # It was made before its network could be written in ONNX.
    return Served(row["id"], str(detector), row["id"], row["sha256"], weights, regions)


def tidy(storage: Storage, folder: Path) -> tuple[list[str], list[dict[str, Any]]]:
    """Puts rows and folders right.

    Args:
        storage: of the rows.
        folder: that has a folder for each adapter; made if it is missing.

    Returns:
        The names of those that are to be made, half made things deleted; and the rows of those that are made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    again, done = [], []
    rows = storage.adapters()
    for each in set(folder.iterdir()) - {folder / row["id"] for row in rows}:
        shutil.rmtree(each, ignore_errors=True)  # it came in half, or was being deleted
    for row in rows:
        name, own = row["id"], folder / row["id"]
        if row["state"] not in ENDED and (row["report"] or row["error"]):  # it had but to be said
            row["state"] = "done" if row["report"] else "failed"
            storage.change_adapter(name, state=row["state"], ended=now())
        if row["state"] in ENDED:
            clear(own, all_of_it=row["state"] != "done")
            if row["state"] == "done" and (own / "detector").is_dir():
                done.append(row)
        elif (own / "target" / NAMES).is_file():
            for made in own.iterdir():
                if made.name != "target":
                    shutil.rmtree(made) if made.is_dir() else made.unlink()
            storage.change_adapter(name, state="queued")
            again.append(name)
        else:
            lost = "Its images are no longer in the service's folder. Send them again."
            storage.change_adapter(name, state="failed", ended=now(), error=lost)
    return again, done
