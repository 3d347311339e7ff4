"""DF40: forty forgery methods over the faces of FaceForensics++ and Celeb-DF, and nine with real faces of their own."""

import re
from collections.abc import Callable
from pathlib import Path

from metaforge.data.catalogues._base import Catalogue, Finding, Found, Split, Video, catalogue, report_unlisted
from metaforge.data.catalogues._scan import Media, check_root, child, join, listing, media, report_namesakes
from metaforge.data.catalogues._splits import drawn, homes, keep_whole
from metaforge.data.copies import groups
from metaforge.data.images import FilePath
from metaforge.errors import InputError
from metaforge.labels import FAKE, REAL

NAME = "df40"

_KINDS = {"ff": FAKE, "cdf": FAKE, "fake": FAKE, "real": REAL}
_PEOPLE = {
    "ff": ("faceforensics", r"(\d{3})(?:_(\d{3}))?"),
    "cdf": ("celeb_df", r"(id\d+)(?:_(id\d+))?_\d+"),
}


def df40(root: FilePath) -> Catalogue:
    """The videos, or folders of frames, of DF40.

    A method is a folder, and so is a label: `ff` and `cdf` hold fakes made of FaceForensics++ and of Celeb-DF, `fake`
    and `real` those of the nine methods that bring their own. Lists in JSON are not read: they contradict each other.
    The real videos of `ff` and `cdf` are not part of the data set, so these fakes have no pair.

    `DF40` is the test split. `DF40_train` is for training, and 15 % of it for validation, by a hash of the people,
    those swapped with each other kept together. What shows a person of the test split is left out of both.

    Args:
        root: the folder with `DF40` and `DF40_train`, or one of these.

    Raises:
        InputError: when no method is there.

    References:
        Yan et al., *DF40: Toward Next-Generation Deepfake Detection*, 2024.
    """
    base = check_root(NAME, root, "DF40 and DF40_train")
    findings: list[Finding] = []
    test, train = child(base, "", "DF40"), child(base, "", "DF40_train")
    if test is None and train is None:
        test, train = (None, "") if base.name.casefold() == "df40_train" else ("", None)
    found = [] if test is None else _methods(base, test, "test", findings)
    found += [] if train is None else _methods(base, train, "train", findings)
    if not found:
        raise InputError(f"{NAME}: no <method>/ff, cdf, fake or real in '{base.as_posix()}'. Unpack the methods there.")
    if any("/real/" not in f"/{each.video.path}" and each.video.identity for each in found):
        text = "the real videos of ff and cdf are those of FaceForensics++ and Celeb-DF. Prepare these too."
        findings.append(Finding("note", "", text))
    group = groups(each.video.people for each in found if each.video.split == "train")
    found = [_validated(each, group) for each in found]
    return catalogue(NAME, root, keep_whole(found, homes(each.video for each in found), findings), findings)


def _methods(base: Path, folder: str, split: Split, findings: list[Finding]) -> list[Found]:
    found = []
    for method in listing(base, folder, findings)[0]:
        above = join(folder, method)
        inside = listing(base, above, findings)[0]
        kinds = {kind: path for kind in _KINDS if (path := child(base, above, kind))}
        if not kinds:
            text = "no ff, cdf, fake or real is in it: left out. Unpack the method, or remove the folder."
            findings.append(Finding("missing", above, text))
            continue
        odd = [name for name in inside if name.casefold() not in _KINDS]
        report_unlisted(above, odd, findings, why="are not ff, cdf, fake or real")
        report_namesakes(base, above, _KINDS, findings)
        for kind, where in kinds.items():
            here = [_row(each, method, kind, split) for each in media(base, where, findings)]
            if not here:
                findings.append(Finding("missing", where, "nothing is in it. Unpack the method again."))
            found += here
    return found


def _row(each: Media, method: str, kind: str, split: Split) -> Found:
    # Reals of all methods are of one method, "real", and frames of one id may come from both sources.
    name = "__".join((method if kind == "real" else kind, *each.parts))
    identity = donor = ""
    if kind in _PEOPLE:
        dataset, pattern = _PEOPLE[kind]
        match = re.fullmatch(pattern, each.parts[-1])
        identity, donor = (name and f"{dataset}/{name}" for name in (match[1], match[2] or "")) if match else ("", "")
    row = Video(each.path, _KINDS[kind], NAME, "real" if kind == "real" else method, name, identity, donor, split=split)
    return Found(row, each.bytes)


def _validated(each: Found, group: Callable[[str], str]) -> Found:
    row = each.video
    if row.split == "test":
        return each
    return each._replace(video=row._replace(split=drawn(group(row.identity) if row.identity else row.key)))
