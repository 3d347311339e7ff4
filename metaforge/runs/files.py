"""The files of a run: JSON read with care and written whole, rows of a log, settings under dotted names."""

import json
import os
from pathlib import Path
from typing import Any

from metaforge.errors import InputError
from metaforge.whole import write_text


def flattened(config: dict[str, Any], *, prefix: str = "") -> dict[str, Any]:
    """Settings whose groups are taken apart, under dotted names.

    Example:
        >>> flattened({"model": {"width": 32}, "row": "full"})
        {'model.width': 32, 'row': 'full'}
    """
    found: dict[str, Any] = {}
    for name, value in config.items():
        found |= flattened(value, prefix=f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return found


def read_config(directory: str | os.PathLike, *, missing_ok: bool = False) -> dict[str, Any] | None:
    """A run's configuration.

    Raises:
        InputError: when there is none (unless `missing_ok`) or it cannot be read.
    """
    path = Path(directory) / "config.json"
    if not path.exists():
        if missing_ok:
            return None
        raise InputError(f"run: no config.json in '{directory}'. Give the --workdir of a training run.")
    return read_json(path)


def read_json(
    path: str | os.PathLike, *, what: str = "run", advice: str = "Restore it, or choose another run."
) -> dict[str, Any]:
    """A JSON object from a file.

    Args:
        path: of the file.

    Other Arguments:
        what: it is of, for the error.
        advice: what to do, for the error.

    Raises:
        InputError: when it cannot be read or is no object.
    """
    try:
        found = _parsed(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{what}: cannot read '{path}' ({one_line(error)}). {advice}") from None
    if not isinstance(found, dict):
        raise InputError(f"{what}: '{path}' holds no JSON object. {advice}")
    return found


def read_rows(directory: str | os.PathLike, *, name: str = "log.jsonl") -> list[dict[str, Any]]:
    """A run's log, or another file of rows. A last row that a kill tore is left out."""
    path = Path(directory) / name
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")
    try:
        # What follows the last newline was not finished.
        return [_parsed(line) for line in lines[:-1] if line]
    except ValueError as error:
        raise InputError(f"run: '{path}' is damaged ({one_line(error)}). Restore it, or choose another run.") from None


def _parsed(text: str) -> Any:
    """JSON in which no name stands twice in one object: the last would win in silence."""

    def gathered(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            raise ValueError(f"'{next(name for name in names if names.count(name) > 1)}' is there twice")
        return found

    return json.loads(text, object_pairs_hook=gathered)


def write_json(path: str | os.PathLike, content: Any, *, new: bool = False) -> None:
    """Writes a JSON file whole or not at all; with `new` it must not be there yet."""
    write_text(path, json.dumps(content, indent=2) + "\n", new=new)


def one_line(error: Exception) -> str:
    """What an error says, in one line."""
    text = " ".join(str(error).split())
    return text if len(text) <= 160 else text[:160] + "..."
