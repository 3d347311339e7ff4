"""DeeperForensics-1.0: actors' faces on the videos of FaceForensics++, clean and with distortions."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from metaforge.data.catalogues._base import (
    SPLITS,
    Catalogue,
    Finding,
    Found,
    Split,
    Video,
    catalogue,
    report_missing,
    report_unlisted,
)
from metaforge.data.catalogues._faceforensics import reals
from metaforge.data.catalogues._scan import check_root, listing, videos_in
from metaforge.data.catalogues._splits import homes, keep_whole
from metaforge.data.images import FilePath
from metaforge.errors import InputError
from metaforge.labels import FAKE, REAL

NAME = "deeper_forensics"

_LISTS: dict[Split, str] = {"train": "train.txt", "validation": "val.txt", "test": "test.txt"}


def deeper_forensics(
    root: FilePath, *, methods: Sequence[str] | None = None, ff_root: FilePath | None = None
) -> Catalogue:
    """The videos of DeeperForensics-1.0, and the real ones that belong to them.

    **The real part are the target videos of FaceForensics++ at c23**, as the owners say in bold; `source_videos`, which
    only lent their faces, are not read. The lists name fakes, `<target>_<actor>.mp4`; the kinds of fakes (clean, and at
    levels of distortion) are methods, and a target is in one split whatever was done to it. People are
    "faceforensics/<target>" and "deeper_forensics/<actor>".

    Args:
        root: the folder with `lists` and `manipulated_videos`.

    Other Arguments:
        methods: folders of `manipulated_videos`, such as "end_to_end"; all that are there by default.
        ff_root: the folder of FaceForensics++. Without it there are no real videos.

    Raises:
        InputError: when a list, or all else, is missing, or a method is not there.

    References:
        Jiang et al., *DeeperForensics-1.0: A Large-Scale Dataset for Real-World Face Forgery Detection*, 2020.
    """
    base = check_root(NAME, root, "lists and manipulated_videos")
    findings: list[Finding] = []
    swaps = _read_lists(base, findings)
    there = listing(base, "manipulated_videos", findings)[0]
    for method in methods or ():
        if method not in there:
            raise InputError(
                f"{NAME}: no method '{method}' in manipulated_videos; there are: {', '.join(there) or 'none'}."
            )
    if (base / "source_videos").is_dir():
        text = "not read: the owners say that the real part are the target videos of FaceForensics++. Nothing to do."
        findings.append(Finding("note", "source_videos", text))
    found = _reals(base, ff_root, swaps, findings)
    for method in (name for name in there if methods is None or name in methods):
        where = f"manipulated_videos/{method}"
        files = videos_in(base, where, findings)
        report_missing(where, [f"{name}.mp4" for name in swaps], (f"{file.stem}.mp4" for file in files), findings)
        report_unlisted(where, [file.path for file in files if file.stem not in swaps], findings)
        for file in (file for file in files if file.stem in swaps):
            target, actor = file.stem.split("_", 1)
            row = Video(
                file.path, FAKE, NAME, method, file.stem, f"faceforensics/{target}", f"{NAME}/{actor}",
                f"{NAME}/real/{target}", split=swaps[file.stem],
            )  # fmt: skip
            found.append(Found(row, file.bytes))
    return catalogue(NAME, root, keep_whole(found, homes(each.video for each in found), findings), findings)


def _reals(base: Path, ff_root: FilePath | None, swaps: dict[str, Split], findings: list[Finding]) -> list[Found]:
    if ff_root is None:
        text = "no real video: they are the target videos of FaceForensics++ at c23. Give its folder as ff_root."
        findings.append(Finding("missing", "", text))
        return []
    other = check_root(NAME, ff_root, "FaceForensics++ (ff_root)")
    # Links are resolved first: ".." goes up from where a link leads to, not from where it lies.
    up = os.path.relpath(other.resolve(), base.resolve()).replace(os.sep, "/")
    inside: list[Finding] = []
    where, files = reals(other, "c23", inside)
    splits = {name.split("_")[0]: split for name, split in swaps.items()}
    report_missing(where, [f"{name}.mp4" for name in splits], (f"{file.stem}.mp4" for file in files), inside)
    findings += [finding._replace(path=f"{up}/{finding.path}") for finding in inside]
    found = []
    for file in (file for file in files if file.stem in splits):
        row = Video(f"{up}/{file.path}", REAL, NAME, "real", file.stem, f"faceforensics/{file.stem}", compression="c23")
        found.append(Found(row._replace(split=splits[file.stem]), file.bytes))
    return found


def _read_lists(base: Path, findings: list[Finding]) -> dict[str, Split]:
    """The names of the fakes, `<target>_<actor>`, to their split."""
    swaps: dict[str, Split] = {}
    for split in SPLITS:
        name = f"lists/splits/{_LISTS[split]}"
        try:
            lines = (base / name).read_text(encoding="utf-8-sig").split()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                f"{NAME}: '{name}' in '{base.as_posix()}' is missing or no text. It comes with the lists: unpack them."
            ) from error
        stems = [os.path.splitext(line.replace("\\", "/").rsplit("/", 1)[-1])[0] for line in lines]
        odd = [ascii(stem)[1:-1][:80] for stem in stems if not re.fullmatch(r"\d{3}_\w+", stem)]
        if odd:
            text = f"{len(odd)} lines are not <target>_<actor>.mp4, the first '{odd[0]}'. Get the list anew."
            findings.append(Finding("unreadable", name, text))
        good = [stem for stem in stems if re.fullmatch(r"\d{3}_\w+", stem)]
        if not good:
            raise InputError(f"{NAME}: '{name}' in '{base.as_posix()}' names no video. Unpack the lists again.")
        for stem in good:
            if swaps.setdefault(stem, split) != split:
                text = f"'{stem}' is in '{swaps[stem]}' too, and left there. Get the lists anew."
                findings.append(Finding("overlap", name, text))
    return swaps
