"""The log of a process in lines of JSON: what happened and where in the program, and nothing of what was sent.

A message says no more than the program's own text and the fields of `FIELDS`. Of an exception its type and the places
that it passed are told, since its own words may quote a file.
"""

import json
import logging
import os
import sys
import traceback
import warnings
from typing import Any

from metaforge.errors import printable
from metaforge.serving.guarding.access import now

FIELDS = ("request_id", "request_ids", "worker", "adapter", "broke", "trace")
"""What a record may say beside its message: `extra` of a logger's call."""


class Lines(logging.Formatter):
    """Makes a line of JSON of a record.

    Example:
        >>> record = logging.LogRecord("metaforge.serving", logging.ERROR, "a.py", 1, "It broke.", (), None)
        >>> record.request_id = "r1"
        >>> {name: value for name, value in json.loads(Lines().format(record)).items() if name != "time"}
        {'level': 'error', 'logger': 'metaforge.serving', 'message': 'It broke.', 'request_id': 'r1'}
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        said: dict[str, Any] = {"time": now(), "level": record.levelname.lower(), "logger": record.name}
        # The words of others are told without what they put into them.
        ours = record.name.split(".")[0] == "metaforge"
        said["message"] = printable(record.getMessage() if ours else str(record.msg))[:300]
        said |= {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            said |= broken(error)
        return json.dumps(said, allow_nan=False, default=repr)


def broken(error: BaseException) -> dict[str, Any]:
    """What a line says of an exception.

    Example:
        >>> broken(ValueError("a secret"))
        {'broke': 'ValueError', 'trace': []}
    """
    return {"broke": type(error).__name__, "trace": places(error)}


def places(error: BaseException) -> list[str]:
    """Where an exception passed, outermost first; no values and no source, which may hold what a client sent."""
    frames = traceback.extract_tb(error.__traceback__)
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames[-40:]]


def as_lines() -> None:
    """Has all that this process logs written as such lines on standard error, warnings of Python among them."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("metaforge").setLevel(logging.INFO)
    warnings.showwarning = _warned


def _warned(message: Any, category: type[Warning], filename: str, lineno: int, *_: Any) -> None:
    place = f"{os.path.basename(filename)}:{lineno}"
    logging.getLogger("py.warnings").warning(f"{category.__name__} at {place}")
