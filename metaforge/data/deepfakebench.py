r"""DeepfakeBench's data set files, in and out: the JSON that the field's harnesses exchange prepared data by.

    {data set: {label: {"train" | "val" | "test": {video: {"label": ..., "frames": [...], "masks": [...]}}}}}

FaceForensics++ has one level more, the compression, between split and video. Paths occur with "/" and with "\\", below
a folder that each user has elsewhere. This reads and writes the format, and none of the harness's code.
"""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from metaforge.data.images import FilePath
from metaforge.errors import InputError
from metaforge.types import FAKE, REAL

_DATASETS: dict[str, str] = {"FaceForensics++": "faceforensics", "Celeb-DF-v1": "celeb_df_v1",
             "Celeb-DF-v2": "celeb_df", "DFDC": "dfdc", "DFDCP": "dfdc_preview", "DeepFakeDetection": "dfd",
             "DeeperForensics-1.0": "deeper_forensics"}  # fmt: skip
_METHODS: dict[str, str] = {"FF-real": "real", "FF-DF": "Deepfakes", "FF-F2F": "Face2Face", "FF-FS": "FaceSwap",
            "FF-NT": "NeuralTextures", "FF-FH": "FaceShifter", "DFD_real": "real",
            "DFD_fake": "DeepFakeDetection"}  # fmt: skip
_SPLITS = {"train": "train", "val": "validation", "test": "test"}
_COMPRESSIONS = frozenset({"raw", "c0", "c23", "c40"})


def read_deepfakebench(path: FilePath, *, strip: str = "") -> list[dict[str, Any]]:
    r"""The rows of a DeepfakeBench JSON, as `metaforge.data.manifest.write_manifest` takes them.

    Labels are turned to 0 and 1 by the word "real", methods and data sets get the names that they have here where
    they are known (FF-DF is Deepfakes), and videos a name that no other has: `data set/method/video`. Identities and
    pairs are read off the names of FaceForensics++ and Celeb-DF.

    The splits are taken as they stand. In files of the harness itself some are the same videos twice
    (`overlapping_splits` mends them).

    Args:
        path: the JSON file.

    Other Arguments:
        strip: what the frames' paths begin with and the manifest's shall not, with either separator.

    Raises:
        InputError: when it is no such file, or a path is absolute even after stripping.

    Example:
        >>> import tempfile
        >>> frames = {"label": "CelebDFv2_fake", "frames": ["data\\Celeb-DF-v2\\x\\id0_id1_0000\\007.png"]}
        >>> bench = {"Celeb-DF-v2": {"CelebDFv2_fake": {"test": {"id0_id1_0000": frames}}}}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "Celeb-DF-v2.json")
        ...     _ = file.write_text(json.dumps(bench))
        ...     (row,) = read_deepfakebench(file, strip="data")
        >>> row["path"], row["label"], row["identity"], row["frame"]
        ('Celeb-DF-v2/x/id0_id1_0000/007.png', 1, 'celeb_df/id0', 7)
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"deepfakebench: '{path}' cannot be read as JSON ({error}). Check the file.") from error
    rows: list[dict[str, Any]] = []
    try:
        for dataset, labels in content.items():
            for label, splits in labels.items():
                for split, videos in splits.items():
                    for compression, of_level in _levels(videos):
                        for video, entry in of_level.items():
                            rows += _rows(dataset, label, split, compression, video, entry, strip)
    except (AttributeError, KeyError, TypeError) as error:
        raise InputError(
            f"deepfakebench: '{path}' is not {{data set: {{label: {{split: {{video: {{label, frames}}}}}}}}}} "
            f"({type(error).__name__}: {error})."
        ) from error
    if not rows:
        raise InputError(f"deepfakebench: '{path}' names no frame.")
    return rows


def _levels(videos: Mapping[str, Any]):
    """Splits hold videos, or compressions that hold videos."""
    if videos and set(videos) <= _COMPRESSIONS:
        return list(videos.items())
    return [("", videos)]


def _rows(
    dataset: str, label: str, split: str, compression: str, video: str, entry: Any, strip: str
) -> list[dict[str, Any]]:
    name, method = _DATASETS.get(dataset, dataset), _METHODS.get(label, label)
    if "real" in label.lower():
        method = "real" if label in _METHODS or dataset in _DATASETS else label
    fake = "real" not in label.lower()
    identity, donor, source = _people(name, video, fake)
    masks = {PurePosixPath(_clean(mask, strip)).name: _clean(mask, strip) for mask in entry.get("masks", [])}
    rows = []
    for place, written in enumerate(entry["frames"]):
        path = _clean(written, strip)
        stem = PurePosixPath(path).stem
        frame = int(stem) if stem.isdecimal() else place
        real = source if fake else video
        rows.append({
            "path": path, "label": FAKE if fake else REAL, "dataset": name, "method": method,
            "video": f"{name}/{method}/{video}", "identity": identity, "donor": donor,
            "pair": f"{name}/real/{real}#{frame}" if identity and real else "",
            "compression": compression, "split": _SPLITS[split], "frame": frame,
            "mask": masks.get(PurePosixPath(path).name, ""),
        })  # fmt: skip
    return rows


def _clean(path: str, strip: str) -> str:
    path, strip = (text.replace("\\", "/").removeprefix("./") for text in (path, strip))
    if strip:
        path = path.removeprefix(strip.rstrip("/") + "/")
    if path.startswith("/") or re.match(r"[A-Za-z]:/", path):
        raise InputError(f"deepfakebench: '{path}' is absolute. Give what it begins with as `strip`.")
    return path


def _people(dataset: str, video: str, fake: bool) -> tuple[str, str, str]:
    """Identity, donor and the real video that a fake was made from, as far as names tell."""
    patterns = {
        "faceforensics": (r"(\d{3})_(\d{3})", r"(\d{3})", "{0}"),
        "celeb_df": (r"(id\d+)_(id\d+)_(\d+)", r"(id\d+)_\d+", "{0}_{2}"),
        "celeb_df_v1": (r"(id\d+)_(id\d+)_(\d+)", r"(id\d+)_\d+", "{0}_{2}"),
    }
    if dataset not in patterns:
        return "", "", ""
    of_fake, of_real, source = patterns[dataset]
    found = re.fullmatch(of_fake if fake else of_real, video)
    if not found:
        return "", "", ""
    parts = found.groups()
    donor = f"{dataset}/{parts[1]}" if fake else ""
    return f"{dataset}/{parts[0]}", donor, source.format(*parts) if fake else ""


def write_deepfakebench(rows: Iterable[Mapping[str, Any]], *, root: str = "", separator: str = "/") -> dict[str, Any]:
    r"""The JSON of rows that `read_deepfakebench` or a manifest gave: `read_deepfakebench`'s inverse.

    Args:
        rows: mappings from the manifest's fields to values, of one or several data sets.

    Other Arguments:
        root: put before every path.
        separator: between folders, "/" or "\\".

    Returns:
        A mapping to be written with `json.dump`; one data set a key. Frames are in order of their number.

    Example:
        >>> row = {"path": "a/000.png", "label": 0, "dataset": "mine", "method": "mine_real", "split": "test",
        ...        "video": "mine/mine_real/a", "frame": 0}
        >>> write_deepfakebench([row])
        {'mine': {'mine_real': {'test': {'a': {'label': 'mine_real', 'frames': ['a/000.png']}}}}}
    """
    found: dict[str, Any] = {}
    datasets = {ours: theirs for theirs, ours in _DATASETS.items()}
    join = lambda path: (f"{root.rstrip('/')}/{path}" if root else path).replace("/", separator)
    splits = {ours: theirs for theirs, ours in _SPLITS.items()}
    for row in sorted(rows, key=lambda row: (row["video"], int(row["frame"]))):
        label = _label(row["dataset"], row["method"], int(row["label"]))
        dataset = str(row["dataset"])
        level = found.setdefault(datasets.get(dataset, dataset), {}).setdefault(label, {})
        level = level.setdefault(splits[row["split"]], {})
        if row.get("compression"):
            level = level.setdefault(row["compression"], {})
        name = row["video"].split("/", 2)[-1]
        entry = level.setdefault(name, {"label": label, "frames": []})
        entry["frames"].append(join(row["path"]))
        if row.get("mask"):
            entry.setdefault("masks", []).append(join(row["mask"]))
    return found


def _label(dataset: str, method: str, label: int) -> str:
    words = {"faceforensics": _FF_LABELS, "dfd": {"real": "DFD_real", "DeepFakeDetection": "DFD_fake"}}
    known = words.get(dataset, {})
    if method in known:
        return known[method]
    return {"celeb_df": "CelebDFv2_real", "celeb_df_v1": "CelebDFv1_real", "dfdc": "DFDC_Real", "dfdc_preview":
            "DFDCP_Real", "deeper_forensics": "DF_real"}.get(dataset, method) if label == REAL else method  # fmt: skip


_FF_LABELS = {method: label for label, method in _METHODS.items() if label.startswith("FF-")}


def overlapping_splits(rows: Iterable[Mapping[str, Any]]) -> tuple[list[dict[str, Any]], list[str]]:
    """Takes videos that are in the test split out of the others, and those of validation out of train.

    In the harness's own files the validation split of Celeb-DF and DFDC's preview *is* the test split, all videos of
    Celeb-DF are in train, and some sets are in all three splits.

    Returns:
        The rows that are left, and the videos that were taken out of a split.
    """
    rows, order = list(rows), {"test": 0, "validation": 1, "train": 2}
    home: dict[str, str] = {}
    for row in rows:
        held = home.setdefault(row["video"], row["split"])
        if order[row["split"]] < order[held]:
            home[row["video"]] = row["split"]
    taken = sorted({row["video"] for row in rows if home[row["video"]] != row["split"]})
    return [dict(row) for row in rows if home[row["video"]] == row["split"]], taken
