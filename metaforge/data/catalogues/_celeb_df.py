"""Celeb-DF v1 and v2: swaps between celebrities, and the list of test videos in which 1 means real."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

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
    shown,
)
from metaforge.data.catalogues._scan import check_root, child, report_namesakes, videos_in
from metaforge.data.catalogues._splits import drawn
from metaforge.data.images import FilePath
from metaforge.errors import InputError
from metaforge.labels import FAKE, REAL

NAME = "celeb_df"

_LIST = "List_of_testing_videos.txt"
_SPELLED = ("Celeb-real", "YouTube-real", "Celeb-synthesis")
_FOLDERS = {"celeb-real": REAL, "youtube-real": REAL, "celeb-synthesis": FAKE}
_NAMES = {
    "celeb-real": r"(?P<identity>id\d+)_\d+",
    "youtube-real": r"(?P<identity>\d+)",
    "celeb-synthesis": r"(?P<identity>id\d+)_(?P<donor>id\d+)_(?P<clip>\d+)",
}
_COUNTS = {"v1": (408, 795), "v2": (890, 5639)}
_ADVICE = (
    "Use disjoint='video', which leaves out the listed videos alone: people, and even scenes, of the test list are "
    "then trained on, as in most published results, and test scores flatter"
)


class _Line(NamedTuple):
    folder: str
    stem: str


def celeb_df(root: FilePath, *, version: str = "v2", disjoint: str = "identity") -> Catalogue:
    """The videos of Celeb-DF.

    The owners publish a list of test videos and no other split. In the list **1 means real**; here a video's folder
    decides, and lines that say otherwise become one finding. Of a fake `idA_idB_n`, idA is the scene (identity), idB
    the source (donor), and the real video idA_n its pair. YouTube's real videos name nobody: each is its own person.

    - `disjoint="identity"`: neither training nor validation shows a person of the test list. The list of v2 names 56 of
      the 59 celebrities, so that too little is left, which is an error; for smaller or other lists it may do.
    - `disjoint="video"`: only listed videos are kept out. A person is then named apart by split
      ("celeb_df/id0@train"), for the rule that no person is in two splits is waived between test and the rest, and a
      finding counts who is.

    Either way 15 % of the people, by a hash of their names, are for validation; fakes of people in different splits are
    left out.

    Args:
        root: the folder with `Celeb-real`, `YouTube-real`, `Celeb-synthesis` and the list; capitals do not matter.

    Other Arguments:
        version: "v1" or "v2": their layouts are the same.
        disjoint: as above.

    Raises:
        InputError: when the list, or all else, is missing; when fewer than two celebrities are left for training or
            validation; or when an option is unknown.

    References:
        Li et al., *Celeb-DF: A Large-scale Challenging Dataset for DeepFake Forensics*, 2020.
    """
    if version not in _COUNTS or disjoint not in ("identity", "video"):
        raise InputError(f"{NAME}: version is v1 or v2, disjoint is identity or video; got '{version}', '{disjoint}'.")
    folder = check_root(NAME, root, f"Celeb-real, YouTube-real, Celeb-synthesis and {_LIST}")
    findings: list[Finding] = []
    listed = _read_list(folder, findings)
    report_namesakes(folder, "", _SPELLED, findings)
    found: list[Found] = []
    for name in _SPELLED:
        kind, where = name.casefold(), child(folder, "", name) or name
        here = _scan(folder, kind, where, findings)
        found += here
        if here:  # a whole folder that is missing has its finding already
            there = [f"{each.video.video}.mp4" for each in here]
            report_missing(where, [f"{line.stem}.mp4" for line in listed if line.folder == kind], there, findings)
    report_counts(found, *_COUNTS[version], findings)
    tested = {(line.folder, line.stem) for line in listed}
    kept = _split(found, tested, findings, apart=disjoint == "identity")
    if disjoint == "identity":
        _check_people(kept)
    return catalogue(NAME, root, kept, findings)


def _scan(root: Path, kind: str, where: str, findings: list[Finding]) -> list[Found]:
    """A folder's videos, all of them for training at first."""
    files = videos_in(root, where, findings)
    if not files:
        findings.append(Finding("missing", where, "no video is here. Download and unpack this folder."))
    found, odd = [], []
    for file in files:
        people = _people(kind, file.stem)
        if people is None:
            odd.append(file.path)
            continue
        identity, donor, clip = people
        method, pair = ("real", "") if not donor else ("Celeb-synthesis", f"{NAME}/real/{clip}")
        row = Video(file.path, _FOLDERS[kind], NAME, method, file.stem, identity, donor, pair)
        found.append(Found(row, file.bytes))
    report_unlisted(where, odd, findings, why="have a name that is not the data set's")
    return found


def _people(kind: str, stem: str) -> tuple[str, str, str] | None:
    """Identity, donor, and the name of the real video that shows the same scene."""
    name = re.fullmatch(_NAMES[kind], stem)
    if name is None:
        return None
    parts = name.groupdict()
    who = f"{NAME}/youtube/{stem}" if kind == "youtube-real" else f"{NAME}/{parts['identity']}"
    if "donor" not in parts:
        return who, "", stem
    return who, f"{NAME}/{parts['donor']}", f"{parts['identity']}_{parts['clip']}"


def _read_list(root: Path, findings: list[Finding]) -> list[_Line]:
    path = child(root, "", _LIST)
    if path is None:
        raise InputError(f"{NAME}: no {_LIST} in '{root.as_posix()}'. It comes with the data set: put it there.")
    try:
        text = (root / path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{NAME}: '{path}' in '{root.as_posix()}' cannot be read ({error}). Get it anew.") from error
    lines, odd, turned = [], [], []
    for number, row in enumerate(text.splitlines(), start=1):
        match = re.fullmatch(r"([01])\s+([^/\\]+)[/\\]([^/\\]+)\.\w+", row.strip())
        folder = match[2].casefold() if match else ""
        if match is None or folder not in _FOLDERS:
            odd += [f"line {number}, '{shown(row.strip())}'"] if row.strip() else []
            continue
        lines.append(_Line(folder, match[3]))
        if (match[1] == "1") != (_FOLDERS[folder] == REAL):
            turned.append(f"line {number}, '{row.strip()}'")
    if not lines:
        raise InputError(f"{NAME}: '{path}' names no video. Its lines read '1 YouTube-real/00170.mp4'. Get it anew.")
    if turned:
        text = f"{len(turned)} of {len(lines)} lines do not fit their folder (1 is real, 0 is fake): {turned[0]}"
        findings.append(Finding("note", path, f"labels: {text}. The folders were believed. Get the list anew."))
    if odd:
        findings.append(
            Finding("unreadable", path, f"{len(odd)} lines name no video, the first {odd[0]}. Get it anew.")
        )
    return lines


def _place(each: Found) -> tuple[str, str]:
    return each.video.path.split("/")[0].casefold(), each.video.video


def _split(found: list[Found], tested: set[tuple[str, str]], findings: list[Finding], *, apart: bool) -> list[Found]:
    """Gives every video its split; with `apart`, nobody of the test list is in training or validation."""
    listed = {person for place in tested for person in (_people(*place) or ())[:2]}
    kept, met, torn, again = [], 0, 0, set()
    for each in found:
        row = each.video
        if _place(each) in tested:
            kept.append(each._replace(video=row._replace(split="test")))
            continue
        homes: set[Split] = {drawn(person) for person in row.people}
        if apart and row.people & listed:
            met += 1
        elif len(homes) > 1:
            torn += 1
        else:
            again |= row.people & listed
            row = row._replace(split=homes.pop())
            if not apart:
                donor = row.donor and f"{row.donor}@{row.split}"
                row = row._replace(identity=f"{row.identity}@{row.split}", donor=donor)
            kept.append(each._replace(video=row))
    _report(met, "show a person of the test list", findings)
    _report(torn, "have one person in training and one in validation", findings)
    if again:
        scenes = {_scene(each.video) for each in kept if each.video.split == "test"}
        same = sum(each.video.split != "test" and _scene(each.video) in scenes for each in kept)
        text = (
            f"{len(again)} people of the test list are in training or validation too, and {same} videos of its scenes"
        )
        findings.append(Finding("overlap", "", f"{text}, as disjoint='video' allows: say so beside every score."))
    return kept


def _scene(row: Video) -> str:
    return row.pair or row.key


def _report(count: int, why: str, findings: list[Finding]) -> None:
    if count:
        findings.append(Finding("note", "", f"{count} videos are left out: they {why}. Nothing needs to be done."))


def _check_people(kept: Iterable[Found]) -> None:
    kept = list(kept)
    for split in ("train", "validation"):
        people = {name for each in kept if each.video.split == split and each.video.donor for name in each.video.people}
        if len(people) < 2:
            few = (
                f"without the people of the test list, the split {split} has fakes of {len(people)} people, and needs 2"
            )
            raise InputError(f"{NAME}: {few}. {_ADVICE}.")
