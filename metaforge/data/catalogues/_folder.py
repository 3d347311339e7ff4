"""Anybody's own faces: folders called real and fake, or a CSV file that lists videos."""

from collections.abc import Iterator
from pathlib import Path

from metaforge.data.catalogues._base import SPLITS, Catalogue, Finding, Found, Split, Video, catalogue
from metaforge.data.catalogues._scan import Media, check_root, child, is_method, join, listing, media, report_namesakes
from metaforge.data.catalogues._splits import drawn
from metaforge.data.catalogues._table import Row, read_table
from metaforge.data.copies import groups
from metaforge.data.images import FilePath
from metaforge.labels import FAKE, REAL

NAME = "face_folder"

_FOLDERS: dict[str, Split] = {"train": "train", "validation": "validation", "val": "validation", "test": "test"}


def face_folder(root: FilePath) -> Catalogue:
    """The videos and images of a folder, or of a CSV file.

    **A folder** holds `real` and `fake`, or `train`, `validation` (or `val`) and `test` that each hold these. Below
    them:

    - a video file is a video, wherever it lies;
    - a folder of images is a video, whose frames they are;
    - an image that lies directly in `real` or `fake`, or beside folders in a method's folder, is a video of one frame;
    - in `fake`, a folder that holds folders or video files is a method; other fakes are of the method "fake".

    **A CSV file** (or a folder with a `manifest.csv` and neither `real` nor `fake`) has a header with `path` and
    `label` (0 or real, 1 or fake), and as many other columns of `Video` as are known. Paths are relative to it.

    Where no split is given, 70 % of the videos are for training, 15 % for validation and 15 % for testing, by a hash of
    their names; what shares a person or a pair stays together. Where splits are given and none is for validation, it
    gets 15 % of training.

    Args:
        root: the folder, or the CSV file.

    Raises:
        InputError: when nothing usable is there, or the CSV file lacks a column.
    """
    path, findings = Path(root), list[Finding]()
    table = path if path.is_file() else path / "manifest.csv"
    if path.is_file() or (table.is_file() and not any(child(path, "", name) for name in ("real", "fake"))):
        path, rows = table.parent, read_table(table, NAME, findings)
    else:
        rows = list(_read_folders(check_root(NAME, root, "real and fake, or give a CSV file"), findings))
    found = catalogue(NAME, path, _drawn(rows), findings)
    for split in reversed(SPLITS):
        labels = {video.label for video in found.videos if video.split == split}
        if labels != {REAL, FAKE}:
            lacks = " and ".join(name for name, label in (("real", REAL), ("fake", FAKE)) if label not in labels)
            text = f"the split {split} has no {lacks} video. Add some, or give the splits yourself."
            found.findings.append(Finding("note", "", text))
    return found


def _read_folders(base: Path, findings: list[Finding]) -> Iterator[Row]:
    names = listing(base, "", findings)[0]
    split = [name for name in names if child(base, name, "real") or child(base, name, "fake")]
    given = [name for name in split if name.casefold() in _FOLDERS]
    for name in split:
        if name not in given and name.casefold() not in ("real", "fake"):
            text = f"its name is none of {', '.join(_FOLDERS)}: left out. Rename it, or move it away."
            findings.append(Finding("unlisted", name, text))
    for folder in given or [""]:
        report_namesakes(base, folder, ("real", "fake"), findings)
        for name, label in (("real", REAL), ("fake", FAKE)):
            where = child(base, folder, name) or join(folder, name)
            empty = True
            for method, each in _labelled(base, where, label, findings):
                empty = False
                # Two splits may both have a 0001.png, which are not one video.
                name = "__".join((folder, *each.parts) if folder else each.parts)
                video = Video(each.path, label, NAME, method, name, split=_FOLDERS.get(folder.casefold(), "train"))
                yield Row(Found(video, each.bytes), bool(folder))
            if empty:
                text = "no image or video is here. Put some there, or check the folder's name."
                findings.append(Finding("missing", where, text))
    stray = [name for name in ("real", "fake") if given and child(base, "", name)]
    if stray:
        text = f"not read, for '{given[0]}' and its like give the splits. Move it into one of them."
        findings.append(Finding("unlisted", stray[0], text))


def _labelled(base: Path, where: str, label: int, findings: list[Finding]) -> Iterator[tuple[str, Media]]:
    """The videos of a folder `real` or `fake`, with their methods."""
    folders = listing(base, where, [])[0]
    wrong = [name for name in folders if name.casefold() == ("real" if label == FAKE else "fake")]
    for name in wrong:
        text = "real and fake, one in the other: left out. Move it, or rename it if its name is no label."
        findings.append(Finding("unreadable", join(where, name), text))
    methods = [name for name in folders if label == FAKE and name not in wrong and is_method(base, join(where, name))]
    for each in media(base, where, findings, skip=[*methods, *wrong]):
        yield "fake" if label == FAKE else "real", each
    for method in methods:
        empty = True
        for each in media(base, join(where, method), findings):
            empty = False
            yield method, each
        if empty:
            findings.append(
                Finding("missing", join(where, method), "no image or video is here. Remove it, or fill it.")
            )


def _drawn(rows: list[Row]) -> list[Found]:
    """Gives a split to those that have none, and validation its share."""
    names = [[f"video:{v.key}", *(f"video:{v.pair}" for _ in v.pair[:1]), *(f"person:{p}" for p in sorted(v.people))]
             for v in (row.found.video for row in rows)]  # fmt: skip
    group = groups(names)
    own = [group(mine[0]) for mine in names]
    splits = {row.found.video.split for row in rows if row.given}
    homes: dict[str, Split] = {}
    for split in SPLITS:
        for name, row in zip(own, rows, strict=True):
            if row.given and row.found.video.split == split:
                homes.setdefault(name, split)
    found = []
    for name, (each, given) in zip(own, rows, strict=True):
        split = each.video.split
        if not given:
            split = homes.get(name) or drawn(name, test=0.15)
        elif split == "train" and "validation" not in splits:
            split = drawn(name)
        found.append(each._replace(video=each.video._replace(split=split)))
    return found
