"""What a service was started with, kept in its state without what is secret, so that a backup knows it."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from metaforge.errors import InputError
from metaforge.serving.options import Options
from metaforge.serving.strict_json import read_json
from metaforge.settings import check_settings
from metaforge.whole import write_text

FILE = "settings.json"
"""In the state folder, and in a backup."""

LEFT_OUT = ("state", "tokens", "database")
"""What another machine has otherwise, or nobody may read."""

OWN = {"tokens": False, "model_sha256": "", "rows": ""}
"""What is kept beside the settings: whether there were tokens, the hash of the detector, and where the rows are."""

PLACES = ("model", "spare", "weights", "trust")
"""What names files that a backup takes along."""


def remember(options: Options, sha256: str, rows: str) -> None:
    """Writes down what a service is started with.

    Args:
        options: as they were given.
        sha256: of the detector that it serves.
        rows: where feedback and adapters are, without a password; "" for the file in its state.
    """
    write_text(Path(options.state) / FILE, as_text(plain(options) | {"model_sha256": sha256, "rows": rows}))


def plain(options: Options) -> dict[str, Any]:
    """The settings that are kept: places in full, and whether there were tokens in place of these."""
    found = {name: value for name, value in dataclasses.asdict(options).items() if name not in LEFT_OUT}
    found |= {name: str(Path(found[name]).resolve()) for name in PLACES if found[name]}
    return found | {"tokens": bool(options.tokens)}


def as_text(settings: dict[str, Any]) -> str:
    """Settings as a file holds them."""
    return json.dumps(settings, indent=1, sort_keys=True) + "\n"


def recall(data: bytes, *, of: str) -> tuple[dict[str, Any], list[str]]:
    """Settings that were kept, checked.

    Args:
        data: of the file.

    Other Arguments:
        of: where it is, for errors.

    Returns:
        The settings, with those that are not there as they usually are, and those of `OWN`; and the names of those that
        this program does not know.

    Raises:
        InputError: for what no service wrote.
    """
    usual = {name: value for name, value in dataclasses.asdict(Options(model="m")).items() if name not in LEFT_OUT}
    usual |= OWN
    try:
        said = read_json(data)
        found = usual | {name: value for name, value in said.items() if name in usual}
        if not said.get("model") or not all(type(found[name]) is type(usual[name]) for name in usual):
            raise TypeError
    except (ValueError, RecursionError, TypeError, AttributeError):
        raise InputError(f"backup: the settings in {of} are none that a service wrote.") from None
    check_settings(Options(**{name: value for name, value in found.items() if name not in OWN}))
    return found, sorted(set(said) - set(usual))
