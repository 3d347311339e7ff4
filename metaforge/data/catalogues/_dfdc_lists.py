"""The lists of the Deepfake Detection Challenge, as their several writers left them: JSON and CSV files."""

import csv
import re
from pathlib import Path
from typing import Any

from metaforge.data import tables
from metaforge.data.catalogues._base import Finding, shown
from metaforge.data.catalogues._scan import read_json
from metaforge.errors import InputError
from metaforge.labels import FAKE, REAL

_LABELS = {"real": REAL, "0": REAL, "0.0": REAL, "fake": FAKE, "1": FAKE, "1.0": FAKE}
_NOTHING = frozenset({"", "nan", "none", "null"})


def read_mapping(root: Path, name: str, findings: list[Finding]) -> dict[str, dict[str, Any]]:
    """A JSON file that maps a video's name to what is known of it; empty, with a finding, if it is something else."""
    twice: list[str] = []
    try:
        rows = read_json(root / name, twice=twice)
    except ValueError as error:
        findings.append(Finding("unreadable", name, f"it is not JSON ({shown(str(error))}). Get it anew."))
        return {}
    for key in twice:
        text = f"'{shown(key)}' is there twice, and differs; the first was believed. Get it anew."
        findings.append(Finding("duplicate", name, text))
    good = {key: row for key, row in rows.items() if isinstance(row, dict)} if isinstance(rows, dict) else {}
    if not good or len(good) < len(rows):
        findings.append(Finding("unreadable", name, "it does not map videos to what is known of them. Get it anew."))
    return good


def read_labels(root: Path, name: str, findings: list[Finding]) -> dict[str, int]:
    """A CSV file with the columns `filename` and `label`.

    Raises:
        InputError: when it cannot be read.
    """
    labels: dict[str, int] = {}
    try:
        with open(root / name, newline="", encoding="utf-8-sig") as stream:
            names = ("filename", "label")
            for line, cells, wrong, lacks in tables.lines(stream, known=names, needed=names):
                if problem := wrong or ("too few values" if lacks else ""):
                    findings.append(Finding("unreadable", name, f"line {line}: {problem}: left out. Get it anew."))
                    continue
                video = cells["filename"]
                label = label_of(cells["label"], name, video, findings)
                if label is not None and video and labels.setdefault(video, label) != label:
                    text = f"'{shown(video)}' is both real and fake; the first line was believed. Get the list anew."
                    findings.append(Finding("duplicate", name, text))
    except (OSError, ValueError, csv.Error) as error:
        problem = f"'{name}' in '{root.as_posix()}' cannot be read ({shown(str(error))})"
        raise InputError(f"dfdc: {problem}. Get it anew.") from error
    return labels


def label_of(value: Any, table: str, video: str, findings: list[Finding]) -> int | None:
    """`REAL` or `FAKE` however it is written; `None`, with a finding, if it is neither."""
    label = _LABELS.get(str(value).strip().casefold())
    if label is None:
        text = f"the label '{shown(str(value))}' of '{shown(video)}' is neither real nor fake: left out."
        findings.append(Finding("unreadable", table, f"{text} Get the list anew."))
    return label


def name_of(value: Any) -> str:
    """The stem of a video, or a person's number; "" for each way to write that there is none (null, NaN, "", "None").

    Example:
        >>> name_of("lnhkjhyhvw.mp4"), name_of(1212199), name_of(float("nan")), name_of(None)
        ('lnhkjhyhvw', '1212199', '', '')
    """
    text = str(value).strip()
    name = re.fullmatch(r"([\w-]+)(\.\w+)?", text)
    return "" if text.casefold() in _NOTHING or name is None else name[1]
