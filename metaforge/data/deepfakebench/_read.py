"""From DeepfakeBench's JSON to rows of a manifest."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from metaforge.data.catalogues._base import shown
from metaforge.data.catalogues._scan import read_json
from metaforge.data.deepfakebench._names import (
    COMPRESSIONS,
    DATASETS,
    SPLITS,
    class_of,
    family,
    is_entry,
    method_of,
    people,
)
from metaforge.data.images import FilePath
from metaforge.data.video import last_numbers
from metaforge.errors import InputError

_LARGEST = 2**31 - 1


def read_deepfakebench(
    path: FilePath, *, strip: str = "", labels: Mapping[str, int] | None = None
) -> list[dict[str, Any]]:
    r"""The rows of a DeepfakeBench JSON, as `metaforge.data.manifest.write_manifest` takes them.

    A label is fake or real by the harness's own list, or else by its words between "_", "-" and spaces: "fake" wins
    over "real", and a label that has neither is refused. Labels and data sets get the names that they have here where
    they are known (FF-DF is Deepfakes, Celeb-DF-v2 is celeb_df), and videos a name that no other has, such as
    "celeb_df/real/id0_0000". Identities and pairs are read off the names of FaceForensics++, DeepFakeDetection,
    Celeb-DF and DeeperForensics. The harness aligns each crop by itself, so a pair is one scene, but not equal pixel by
    pixel outside of the forgery.

    What is read is written again by `write_deepfakebench`, but for what the file itself leaves open:

    - FF-DF.json and its like, FaceShifter.json and DeepFakeDetection.json hold videos of FaceForensics++. Videos and
      people are named so, and `dataset` is the file's name for it, which alone tells where a row came from.
    - DF_fake does not say with which distortion: it is taken for "end_to_end", the harness's default.
    - In the harness's own DFDC.json the split "val" may be one video without a name: it gets its folder's.
    - A video's own label is that of its place; a label that is a method's name here ("Deepfakes", and "real" in a set
      that we know) is written as the harness's; other keys than label, frames and masks, and masks of no frame, go.
    - Frames come in the order of their number, the last in each name ("frame_0010", "000_10"), and are paired by it.
      Where such numbers do not tell the frames of a video apart, they come as they stand, and have no pair.

    The splits are taken as they stand. In files of the harness itself some are the same videos twice
    (`overlapping_splits` mends them).

    Args:
        path: the JSON file.

    Other Arguments:
        strip: what the frames' paths begin with and the manifest's shall not, with either separator.
        labels: 0 (real) or 1 (fake) for labels that do not tell, or tell wrongly: the harness's `label_dict`.

    Returns:
        A row for each frame, in the order of the file.

    Raises:
        InputError: when it is no such file, a label does not tell its class, or a path leads out of its folder, even
            after stripping.

    Example:
        >>> import json, tempfile
        >>> frames = {"label": "CelebDFv2_fake", "frames": ["data\\Celeb-DF-v2\\x\\id0_id1_0000\\007.png"]}
        >>> bench = {"Celeb-DF-v2": {"CelebDFv2_fake": {"test": {"id0_id1_0000": frames}}}}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "Celeb-DF-v2.json")
        ...     _ = file.write_text(json.dumps(bench), encoding="utf-8")
        ...     (row,) = read_deepfakebench(file, strip="data")
        >>> row["path"], row["label"], row["method"], row["identity"], row["frame"]
        ('Celeb-DF-v2/x/id0_id1_0000/007.png', 1, 'Celeb-synthesis', 'celeb_df/id0', 7)
    """
    twice: list[str] = []
    try:
        content = read_json(Path(path), twice=twice)
    except ValueError as error:
        raise InputError(f"deepfakebench: '{path}' cannot be read as JSON ({error}). Check the file.") from error
    if twice:
        raise InputError(
            f"deepfakebench: '{path}' has '{shown(twice[0])}' twice in one place, and they differ. Keep one of them."
        )
    rows: list[dict[str, Any]] = []
    try:
        for dataset, of_label in content.items():
            for label, splits in of_label.items():
                for split, videos in splits.items():
                    for compression, video, entry in _entries(videos):
                        rows += _rows(dataset, label, split, compression, video, entry, strip, labels or {})
    except (AttributeError, KeyError, TypeError) as error:
        raise InputError(
            f"deepfakebench: '{path}' is not {{data set: {{label: {{split: {{video: {{label, frames}}}}}}}}}} "
            f"({' '.join(str(error).split())[:200]}). Check the file."
        ) from error
    if not rows:
        raise InputError(f"deepfakebench: '{path}' names no frame.")
    return rows


def _entries(videos: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Compression, name and entry of a split's videos; it may hold compressions that hold them."""
    if is_entry(videos):  # the harness's own DFDC.json, which writes over a dictionary of videos
        if videos["frames"]:
            yield "", PurePosixPath(videos["frames"][0].replace("\\", "/")).parent.name, videos
        videos = {name: value for name, value in videos.items() if isinstance(value, Mapping)}
    for name, value in videos.items():
        if name in COMPRESSIONS and not is_entry(value):
            yield from ((name, video, entry) for video, entry in value.items())
        else:
            yield "", name, value


def _rows(
    dataset: str,
    label: str,
    split: str,
    compression: str,
    video: str,
    entry: Any,
    strip: str,
    labels: Mapping[str, int],
) -> list[dict[str, Any]]:
    if not is_entry(entry) or not all(isinstance(frame, str) for frame in entry["frames"]):
        raise TypeError(f"'{video}' has no list of frames")
    if not entry["frames"]:
        return []
    kind = class_of(label, labels)
    if kind is None:
        raise InputError(
            f"deepfakebench: label '{label}' of '{dataset}' does not tell real from fake. "
            f"Say so with labels={{'{label}': 1}} if it is fake, 0 if it is real."
        )
    if class_of(entry.get("label", label), labels) != kind:
        raise InputError(
            f"deepfakebench: '{video}' is below the label '{label}', and says '{entry['label']}'. Mend one of them."
        )
    if split not in SPLITS:
        raise InputError(f"deepfakebench: split '{split}' of '{label}' is not one of {', '.join(SPLITS)}.")
    name = DATASETS.get(dataset, dataset)
    method, of = method_of(name, label, kind, video, labels), family(name)
    identity, donor, scene = people(name, video, kind)
    paths = [_clean(written, strip) for written in entry["frames"]]
    numbers = _numbers(paths)
    # By its place a frame would be paired with whatever the other list has there.
    scene = scene if numbers else ""
    masks = {PurePosixPath(mask).name: mask for mask in (_clean(mask, strip) for mask in entry.get("masks", []))}
    return [
        {
            "path": path, "label": kind, "dataset": name, "method": method, "video": f"{of}/{method}/{video}",
            "identity": identity, "donor": donor, "pair": f"{of}/real/{scene}#{frame}" if scene else "",
            "compression": compression, "split": SPLITS[split], "frame": frame,
            "mask": masks.get(PurePosixPath(path).name, ""),
        }
        for path, frame in zip(paths, numbers or range(len(paths)), strict=True)
    ]  # fmt: skip


def _numbers(paths: list[str]) -> list[int] | None:
    """The frames' numbers, the last in each name; `None` where they do not tell the frames of a video apart."""
    numbers = last_numbers(PurePosixPath(path).stem for path in paths)
    return numbers if len(set(numbers)) == len(set(paths)) and max(numbers, default=0) <= _LARGEST else None


def _clean(path: str, strip: str) -> str:
    path, strip = _plain(path), _plain(strip)
    if strip:
        path = path.removeprefix(strip + "/")
    if path.startswith("/") or re.match(r"[A-Za-z]:/", path):
        raise InputError(f"deepfakebench: '{path}' is absolute. Give what it begins with as `strip`.")
    if ".." in path.split("/"):
        raise InputError(f"deepfakebench: '{path}' leads out of its folder. Give what it begins with as `strip`.")
    return path


def _plain(path: str) -> str:
    """A path as it is spelt here, for one file has one name: without "./", "//" and backslashes."""
    path = path.replace("\\", "/")
    return "/" * path.startswith("/") + "/".join(part for part in path.split("/") if part not in ("", "."))
