"""Which screened files are real and which fake, by a table or by their folders, joined to what was said of them."""

import collections
import csv
import dataclasses
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np

from metaforge.data.images import printable
from metaforge.data.tables import lines
from metaforge.errors import InputError
from metaforge.labels import FAKE, REAL

WORDS = {"real": REAL, "0": REAL, "fake": FAKE, "1": FAKE}
"""How a table may say it."""

COLUMNS = ("file", "label", "person", "domain")
"""Of a table of labels; the last two may be missing."""


class Label(NamedTuple):
    """What is known of a file: its label, who is on it ("" if that is not known), and of which domain it is."""

    label: int
    person: str = ""
    domain: str = ""


@dataclasses.dataclass(frozen=True)
class Judged:
    """Files of one domain with their labels, and what was said of them.

    Attributes:
        labels: 0 or 1, `(files,)`.
        said: the decision on each, or "not judged".
        p_fake: of each; not a number where there is none.
        people: who or what each has in common with others.
    """

    labels: np.ndarray
    said: list[str]
    p_fake: np.ndarray
    people: np.ndarray


@dataclasses.dataclass(frozen=True)
class Joined:
    """Records and labels, joined.

    Attributes:
        domains: by name; one without a name where labels know none.
        named: whether people were named, by a column or by folders.
        without_label: records of which no label is known.
        without_record: labels of files that have no record.
        copies: files that are another's copy, and count once.
        first: a record, for what all have in common.
    """

    domains: dict[str, Judged]
    named: bool
    without_label: int
    without_record: int
    copies: int
    first: dict


def read_labels(path: str) -> dict[str, Label]:
    """A table of labels (CSV): the columns file and label, and perhaps person and domain.

    Args:
        path: the file. Its names are those of the records; a label is real, fake, 0 or 1.

    Raises:
        InputError: for a line that cannot be used, or a file with two labels.
    """
    found: dict[str, Label] = {}
    refuse = lambda number, why: InputError(f"labels: '{path}', line {number}: {why}")
    try:
        with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
            for line in lines(stream, known=COLUMNS, needed=COLUMNS[:2]):
                name, word, person, domain = (line.cells[column] for column in COLUMNS)
                if line.problem or not name:
                    raise refuse(line.number, f"{line.problem or 'no file is named'}. Mend the line.")
                if word.lower() not in WORDS:
                    raise refuse(line.number, f"label '{printable(word)}' is not real, fake, 0 or 1.")
                label = Label(WORDS[word.lower()], printable(person), printable(domain))
                if found.setdefault(name, label) != label:
                    raise refuse(line.number, f"'{printable(name)}' is there with another label. Leave one out.")
    except (OSError, ValueError, csv.Error) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"labels: '{path}' {_why(error)}. Give a CSV file with the columns file and label.") from None
    if not found:
        raise InputError(f"labels: '{path}' has no line but its first. Give a file and its label a line.")
    return found


def label_by_folder(name: str) -> Label | None:
    """The label of a file by the first folder of its name, real/ or fake/; `None` in another.

    Files in one subfolder are one person's, and so are those of one name: a fake and what it was made from.

    Example:
        >>> label_by_folder("fake/ann/1.png"), label_by_folder("real/2.png"), label_by_folder("2.png")
        (Label(label=1, person='ann', domain=''), Label(label=0, person='2', domain=''), None)
    """
    kind, _, rest = name.partition("/")
    if kind not in ("real", "fake") or not rest:
        return None
    person = rest.split("/")[0] if "/" in rest else PurePosixPath(rest).stem
    return Label(WORDS[kind], person)


def joined(records: Iterable[dict], labels: dict[str, Label] | None) -> Joined:
    """Records of one detector with the labels of their files.

    A picture that is there several times, byte by byte, counts once, and the first counts.

    Args:
        records: as JSON has them.
        labels: by file; `None` for those of folders.

    Raises:
        InputError: if records are of two detectors, a file has two, a picture has two labels, or none has a label.
    """
    rows: dict[str, list[tuple[int, str, float, str]]] = collections.defaultdict(list)
    seen: set[str] = set()
    contents: dict[str, tuple[str, int]] = {}
    first, without, copies = None, 0, 0
    named = labels is None or any(label.person for label in labels.values())
    for record in records:
        name = record["file"]
        first = first or record
        if record["model"]["sha256"] != first["model"]["sha256"] or record["thresholds"] != first["thresholds"]:
            raise InputError(f"results: '{printable(name)}' was judged by another detector than '"
                             f"{printable(first['file'])}'. Evaluate one detector at a time.")  # fmt: skip
        if name in seen:
            raise InputError(f"results: '{printable(name)}' has two records. Leave one out.")
        seen.add(name)
        label = label_by_folder(name) if labels is None else labels.get(name)
        if label is None:
            without += 1
            continue
        if record["sha256"]:
            before, known = contents.setdefault(record["sha256"], (name, label.label))
            if known != label.label:
                raise InputError(f"labels: '{printable(name)}' and '{printable(before)}' are one picture, and one is "
                                 "labelled real, the other fake. Mend the labels.")  # fmt: skip
            if before != name:
                copies += 1
                continue
        said = "not judged" if record["error"] else record["decision"]
        score = np.nan if record["p_fake"] is None else record["p_fake"]
        # Whose person is not known is nobody else.
        rows[label.domain].append((label.label, said, score, f"person {label.person}" if label.person else name))
    if first is None:
        raise InputError("results: there is no record. Screen some files first.")
    if not rows:
        raise _nothing(first["file"], labels)
    domains = {}
    for domain, mine in sorted(rows.items()):
        kind, said, scores, people = zip(*mine, strict=True)
        domains[domain] = Judged(np.array(kind), list(said), np.array(scores, float), np.array(people))
    lacking = 0 if labels is None else sum(name not in seen for name in labels)
    return Joined(domains, named, without, lacking, copies, first)


def _nothing(name: str, labels: dict[str, Label] | None) -> InputError:
    if labels is None:
        return InputError(f"results: no file lies in real/ or fake/, as '{printable(name)}' does not. Give `labels`.")
    return InputError(f"labels: no file of the results has a label: they are called as '{printable(name)}', and in the "
                      f"table as '{printable(next(iter(labels)))}'.")  # fmt: skip


def _why(error: Exception) -> str:
    return error.strerror or "cannot be read" if isinstance(error, OSError) else str(error)
