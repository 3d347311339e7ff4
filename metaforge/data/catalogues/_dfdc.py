"""The Deepfake Detection Challenge: 50 training parts, the labelled test videos, and the preview."""

import re
from pathlib import Path

from metaforge.data.catalogues._base import (
    Catalogue,
    Finding,
    Found,
    Split,
    Video,
    catalogue,
    report_counts,
    report_missing,
    report_unlisted,
)
from metaforge.data.catalogues._dfdc_lists import label_of, name_of, read_labels, read_mapping
from metaforge.data.catalogues._dfdc_preview import read_preview
from metaforge.data.catalogues._scan import File, check_root, listing, videos_in
from metaforge.data.catalogues._splits import homes, keep_whole
from metaforge.data.images import FilePath
from metaforge.errors import InputError
from metaforge.labels import REAL

NAME = "dfdc"


def dfdc(root: FilePath, *, subset: str = "train") -> Catalogue:
    """The videos of the challenge's training parts, of its preview, or of its test set.

    - "train": `dfdc_train_part_0` to `_49`, each with a `metadata.json`. By custom, not by the owners, parts 0 to 34
      are for training, 35 to 39 for validation, 40 to 49 for testing. People are not named: a fake has the identity of
      its original, "dfdc/<original>", and that is its pair. One actor may well be in several parts.
    - "test": videos and a `labels.csv` (filename, label). All of it is "test"; nobody is named.
    - "preview": `original_videos`, `method_A`, `method_B` and a `dataset.json` with the owners' split into train and
      test; 15 % of the people of train, by a hash, are for validation. Folders are named by person.

    Args:
        root: the folder with the parts, or with the list.

    Other Arguments:
        subset: as above.

    Raises:
        InputError: when there is no part, or no list, or nothing in them; or the subset is unknown.

    References:
        Dolhansky et al., *The DeepFake Detection Challenge (DFDC) Dataset*, 2020; *Preview Dataset*, 2019. The split of
        the parts: Bonettini et al., *Video Face Manipulation Detection Through Ensemble of CNNs*, 2021.
    """
    readers = {"train": _train, "preview": read_preview, "test": _test}
    if subset not in readers:
        raise InputError(f"{NAME}: subset '{subset}' is not one of {', '.join(readers)}.")
    folder = check_root(NAME, root, "the data set as its owners hand it out")
    findings: list[Finding] = []
    return catalogue(NAME, root, readers[subset](folder, findings), findings)


def _train(root: Path, findings: list[Finding]) -> list[Found]:
    parts = [(name, re.fullmatch(r"dfdc_train_part_0*([1-4]?\d)", name)) for name in listing(root, "", findings)[0]]
    numbered = [(name, int(match[1])) for name, match in parts if match]
    if not numbered:
        raise InputError(f"{NAME}: no folder dfdc_train_part_<0 to 49> in '{root.as_posix()}'. Unpack the parts there.")
    report_unlisted("", [name for name, match in parts if not match], findings, why="are no part (dfdc_train_part_<n>)")
    found = []
    for part, number in numbered:
        split: Split = "train" if number < 35 else "validation" if number < 40 else "test"
        found += _part(root, part, split, findings)
    return keep_whole(found, homes(each.video for each in found), findings)


def _part(root: Path, part: str, split: Split, findings: list[Finding]) -> list[Found]:
    """A part's videos, as its metadata.json says."""
    name = f"{part}/metadata.json"
    if not (root / name).exists():
        findings.append(Finding("missing", name, "without it nothing in this part has a label. Unpack the part again."))
        return []
    rows = read_mapping(root, name, findings)
    files = {file.path.rsplit("/", 1)[1]: file for file in videos_in(root, part, findings)}
    report_missing(part, list(rows), files, findings)
    report_unlisted(part, [file.path for name, file in files.items() if name not in rows], findings)
    found = []
    for file in (files[name] for name in rows if name in files):
        row = rows[file.path.rsplit("/", 1)[1]]
        label = label_of(row.get("label"), name, file.stem, findings)
        original = "" if label == REAL else name_of(row.get("original"))
        person = file.stem if label == REAL else original
        if label is not None:
            pair = f"{NAME}/real/{original}" if original else ""
            video = Video(
                file.path, label, NAME, _method(label), file.stem, person and f"{NAME}/{person}", pair=pair, split=split
            )
            found.append(Found(video, file.bytes))
    return found


def _test(root: Path, findings: list[Finding]) -> list[Found]:
    table = next((each for each in ("labels.csv", "test/labels.csv") if (root / each).is_file()), None)
    if table is None:
        raise InputError(
            f"{NAME}: no labels.csv (filename, label) in '{root.as_posix()}' or its folder test. Put it there."
        )
    labels = read_labels(root, table, findings)
    files: dict[str, File] = {}
    for folder in dict.fromkeys((table.rpartition("/")[0], "videos", "test", "")):
        for file in videos_in(root, folder, findings):
            files.setdefault(file.path.rsplit("/", 1)[-1], file)
    where = next(iter(files.values())).path.rpartition("/")[0] if files else "videos"
    report_missing(where, list(labels), files, findings)
    report_unlisted(where, [file.path for name, file in files.items() if name not in labels], findings)
    found = []
    for name, label in labels.items():
        if name in files:
            file = files[name]
            found.append(Found(Video(file.path, label, NAME, _method(label), file.stem, split="test"), file.bytes))
    report_counts(found, 2500, 2500, findings)
    return found


def _method(label: int) -> str:
    return "real" if label == REAL else "DFDC"
