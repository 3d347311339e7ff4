"""From rows of a manifest to DeepfakeBench's JSON."""

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

from metaforge.data.deepfakebench._names import COMPRESSIONS, DATASETS, SPLITS, family, is_entry, label_of
from metaforge.errors import InputError
from metaforge.labels import FAKE, REAL

_CLASSES = {"0": REAL, "real": REAL, "1": FAKE, "fake": FAKE}


def write_deepfakebench(
    rows: Iterable[Mapping[str, Any]],
    *,
    root: str = "",
    separator: str = "/",
    labels: Mapping[str, int] | None = None,
    like: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    r"""The JSON of rows that `read_deepfakebench` or a manifest gave: `read_deepfakebench`'s inverse.

    Every label gets all three splits, empty ones too, as the harness wants them; a video without frames, on which it
    stops, has no rows and is not there. Methods that the harness does not know become `<method>_Fake`, as in DF40. The
    level of compression is there where all rows of a data set have one of raw, c0, c23 and c40. Identities, donors and
    pairs have no place in the format. Celeb-DF is taken for v2 unless `dataset` is "celeb_df_v1", and DFDC's preview is
    put into DFDC unless it is "dfdc_preview".

    Args:
        rows: mappings from the manifest's fields to values, of one or several data sets.

    Other Arguments:
        root: put before every path, such as "." or "C:/data".
        separator: between folders, "/" or "\\".
        labels: as `read_deepfakebench` was given them; these are written as they stand.
        like: a JSON of this shape. Its empty splits, compressions and lists are in the result too, and no others.

    Returns:
        A mapping to be written with `json.dump`; one data set a key. Frames are in order of their number.

    Raises:
        InputError: when a row has no split, no data set, no label or no frame number, or two videos would be one.

    Example:
        >>> row = {"path": "a/000.png", "label": 0, "dataset": "mine", "method": "mine_real", "split": "test",
        ...        "video": "mine/mine_real/a", "frame": 0}
        >>> write_deepfakebench([row])["mine"]["mine_real"]
        {'train': {}, 'val': {}, 'test': {'a': {'label': 'mine_real', 'frames': ['a/000.png']}}}
    """
    rows = sorted((_checked(row) for row in rows), key=lambda row: (row["video"], row["frame"]))
    plain = {row["dataset"] for row in rows if row.get("compression") not in COMPRESSIONS}
    datasets = {ours: theirs for theirs, ours in DATASETS.items()}
    splits = {ours: theirs for theirs, ours in SPLITS.items()}
    found: dict[str, Any] = {}
    home: dict[tuple[str, ...], str] = {}
    join = lambda path: (f"{root.rstrip('/')}/{path}" if root else path).replace("/", separator)
    for row in rows:
        dataset, method = str(row["dataset"]), str(row.get("method") or "")
        name = _name(row)
        label = label_of(dataset, method, row["label"], name, labels or {})
        levels = () if dataset in plain else (str(row["compression"]),)
        place = (datasets.get(dataset, dataset), label, splits[row["split"]], *levels)
        if home.setdefault((*place, name), row["video"]) != row["video"]:
            raise InputError(
                f"deepfakebench: '{home[*place, name]}' and '{row['video']}' would both be '{name}' of label "
                f"'{label}'. Give one of them another method or name."
            )
        level = found.setdefault(place[0], {}).setdefault(label, {})
        if like is None:
            for split in SPLITS:
                level.setdefault(split, {}).update({key: level[split].get(key, {}) for key in levels})
        for key in place[2:]:
            level = level.setdefault(key, {})
        entry = level.setdefault(name, {"label": label, "frames": []})
        entry["frames"].append(join(row["path"]))
        if row.get("mask"):
            entry.setdefault("masks", []).append(join(row["mask"]))
    _put_in(found, like or {})
    return found


def _checked(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as a manifest has it, where everything is text, or as the reader gave it."""
    kind = _CLASSES.get(str(row.get("label")).strip().lower())
    frame = str(row.get("frame") or 0)
    problem = ""
    if kind is None:
        problem = "no label: 0, real, 1 or fake"
    elif row.get("split") not in SPLITS.values():
        problem = f"no split: {', '.join(SPLITS.values())}"
    elif not row.get("dataset"):
        problem = "no dataset"
    elif not frame.isdecimal():
        problem = "no frame number"
    if problem:
        raise InputError(f"deepfakebench: the row of '{row['path']}' has {problem}. Fill the column in.")
    # As in a table: an image without a video is one of its own.
    video = row.get("video") or f"{_prefix(row)}{PurePosixPath(row['path']).with_suffix('')}"
    return {**row, "label": kind, "frame": int(frame), "video": video}


def _prefix(row: Mapping[str, Any]) -> str:
    return f"{family(row['dataset'])}/{row.get('method') or ''}/"


def _name(row: Mapping[str, Any]) -> str:
    """A video's name without data set and method."""
    video, prefix = str(row["video"]), _prefix(row)
    if video.startswith(prefix):
        return video.removeprefix(prefix)
    return video.split("/", 2)[2] if video.count("/") > 1 else video


def _put_in(found: dict[str, Any], like: Mapping[str, Any]) -> None:
    """Puts another file's empty places where they are."""
    for key, value in like.items():
        if is_entry(value):
            if not value["frames"]:
                found.setdefault(key, dict(value))
            elif key in found and "masks" in value:
                found[key].setdefault("masks", [])
        elif isinstance(value, Mapping):
            _put_in(found.setdefault(key, {}), value)
