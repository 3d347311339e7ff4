"""JSON as strangers send it, read in one way only: two readers of a text never see different things in it."""

import json
from typing import Any


def read_json(data: bytes | bytearray | str) -> Any:
    """What a text in JSON says.

    Python reads more than JSON, and passes over what is there twice. Here it has to be UTF-8, numbers are finite, and
    no name stands twice in an object.

    Args:
        data: the text, or its bytes.

    Raises:
        ValueError: if it is none, or another program might read it in another way.
        RecursionError: if it is nested too deeply.

    Example:
        >>> read_json(b'{"map": true}')
        {'map': True}
        >>> read_json(b'{"map": true, "map": false}')
        Traceback (most recent call last):
        ValueError: a name stands there twice
    """
    text = data if isinstance(data, str) else data.decode("utf-8")
    return json.loads(text, object_pairs_hook=_object, parse_constant=_constant, parse_float=_finite)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands there twice")
    return found


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise ValueError("a number is larger than any that is kept")
    return number
