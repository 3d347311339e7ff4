"""Who goes where: splits by a hash of a name, swaps that keep both their people together, and the rule to check it."""

import hashlib
from collections.abc import Iterable, Mapping

from metaforge.data.catalogues._base import SPLITS, Finding, Found, Split, Video
from metaforge.labels import FAKE, REAL


def drawn(name: str, *, validation: float = 0.15, test: float = 0.0) -> Split:
    """The split that a name falls into by its SHA-256, the same in every run and on every machine.

    Args:
        name: of a person, or whatever must not be torn apart.

    Other Arguments:
        validation: the share that goes there.
        test: likewise; what is left is "train".

    Example:
        >>> names = [f"celeb_df/id{n}" for n in range(1000)]
        >>> sum(drawn(name) == "validation" for name in names)
        148
    """
    place = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64
    return "validation" if place < validation else "test" if place < validation + test else "train"


def homes(videos: Iterable[Video]) -> dict[str, Split]:
    """The split that each person belongs to: the strictest that shows him or her."""
    videos, found = list(videos), {}
    for split in SPLITS:
        for video in videos:
            if video.split == split:
                for person in video.people:
                    found.setdefault(person, split)
    return found


def keep_whole(
    found: Iterable[Found], home: Mapping[str, Split], findings: list[Finding], *, path: str = ""
) -> list[Found]:
    """The videos whose people are all at home in their split; how many were left out becomes a note."""
    found = list(found)
    kept = [
        each for each in found if {home.get(name, each.video.split) for name in each.video.people} <= {each.video.split}
    ]
    if len(kept) < len(found):
        text = f"{len(found) - len(kept)} videos are left out: somebody in them is in another split too."
        findings.append(Finding("note", path, f"{text} Nothing needs to be done."))
    return kept


def check_splits(videos: Iterable[Video]) -> list[Finding]:
    """Whether a table of videos, of one data set or several, can be trained and judged on.

    No video (`key`) stands there twice; no video and no person, as identity or as donor, is in two splits, and no fake
    of unknown people in another than its pair; labels are 0 and 1, and a file has one of them.

    Returns:
        What is wrong: "duplicate", "overlap" or, for labels, "unreadable". Nothing if all is well.

    Example:
        >>> real = Video("a.mp4", 0, "set", "real", "a", identity="set/1", split="train")
        >>> fake = Video("b.mp4", 1, "set", "swap", "b", identity="set/2", donor="set/1", split="test")
        >>> [finding.message for finding in check_splits([real, fake])]
        ["person 'set/1' is in 'train' and 'test'. Split by person."]
    """
    findings: list[Finding] = []
    seen: dict[str, str] = {}
    labels: dict[tuple[str, str], int] = {}
    home: dict[tuple[str, str], set[Split]] = {}
    for video in videos:
        if video.label not in (REAL, FAKE):
            text = f"label {video.label!r} of {video.key} is neither {REAL} (real) nor {FAKE} (fake)."
            findings.append(Finding("unreadable", video.path, f"{text} Mend the list."))
        if video.key in seen:
            text = f"{video.key} is '{seen[video.key]}' too. Keep one."
            findings.append(Finding("duplicate", video.path, text))
        seen.setdefault(video.key, video.path)
        if labels.setdefault((video.dataset, video.path), video.label) != video.label:
            findings.append(Finding("unreadable", video.path, "it is both real and fake. Mend the list."))
        names = [("video", video.key), *(("person", person) for person in sorted(video.people))]
        # Where people are known, they say who belongs together.
        names += [("video", video.pair)] if video.pair and not video.identity else []
        for what, name in names:
            before = home.setdefault((what, name), set())
            if before and video.split not in before:  # said once for each split, not for each video
                text = f"{what} '{name}' is in '{min(before)}' and '{video.split}'. Split by person."
                findings.append(Finding("overlap", video.path, text))
            before.add(video.split)
    return findings
