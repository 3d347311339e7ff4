"""Whether a value has the form that a JSON schema asks for; as much of that language as `record.schema.json` uses."""

import math
import sys
from collections.abc import Callable, Mapping
from typing import Any

_KINDS: dict[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "string": (str,), "integer": (int,), "number": (int, float),
    "boolean": (bool,), "null": (type(None),),
}  # fmt: skip
_KNOWN = {
    "$schema", "title", "description", "type", "const", "enum", "required", "properties", "additionalProperties",
    "items", "minItems", "maxItems", "minLength", "minimum", "maximum",
}  # fmt: skip

Check = Callable[[Any], tuple[str, str] | None]
"""What is wrong with a value: where in it, such as ".size[1]" or "" for the value itself, and what; `None` if nothing.
"""


def validator(schema: Mapping[str, Any]) -> Callable[[Any], str]:
    """From a schema to a function that says the first thing in which a value differs from it, "" if nothing.

    Of the words of JSON Schema (json-schema.org, draft 2020-12) it knows some that restrict one value at a time. A
    schema with others is a fault here. The schema is read once, so that a million values take minutes.

    Args:
        schema: as `json.loads` gives it.

    Example:
        >>> says = validator({"required": ["size"], "properties": {"size": {"type": "integer", "minimum": 1}}})
        >>> says({"size": 0}), says({}), says({"size": 3})
        ('size is 0, less than 1', 'size is missing', '')
    """
    check = _compiled(schema)

    def says(value: Any) -> str:
        found = check(value)
        return "" if found is None else f"{found[0].removeprefix('.') or 'it'} {found[1]}"

    return says


def _compiled(schema: Mapping[str, Any]) -> Check:
    assert schema.keys() <= _KNOWN, sorted(schema.keys() - _KNOWN)
    named = schema.get("type", list(_KINDS))
    named = [named] if isinstance(named, str) else named
    # By the exact type: Python takes True for a whole number, and JSON does not.
    kinds = frozenset(kind for name in named for kind in _KINDS[name])
    inner: dict[type, Check] = {
        dict: _of_object(schema), list: _of_list(schema), str: _of_text(schema), int: _of_number(schema),
        float: _of_number(schema),
    }  # fmt: skip
    choices = schema.get("enum", [schema["const"]] if "const" in schema else None)

    def check(value: Any) -> tuple[str, str] | None:
        kind = type(value)
        if kind not in kinds:
            return "", f"is {_shown(value)}, not {' or '.join(named)}"
        if choices is not None and value not in choices:
            one = len(choices) == 1
            return "", f"is {_shown(value)}, {'not' if one else 'none of'} {', '.join(map(str, choices))}"
        return inner[kind](value) if kind in inner else None

    return check


def _of_number(schema: Mapping[str, Any]) -> Check:
    low, high = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)

    def check(value: float) -> tuple[str, str] | None:
        # A whole number of hundreds of digits is none that can be computed with either.
        finite = -sys.float_info.max <= value <= sys.float_info.max
        if finite and low <= value <= high:
            return None
        if not finite:
            return "", "is not a finite number"
        return "", f"is {value}, less than {low}" if value < low else f"is {value}, more than {high}"

    return check


def _of_text(schema: Mapping[str, Any]) -> Check:
    least = schema.get("minLength", 0)
    assert least <= 1
    return lambda value: None if len(value) >= least else ("", "is empty")


def _of_list(schema: Mapping[str, Any]) -> Check:
    low, high = schema.get("minItems", 0), schema.get("maxItems", math.inf)
    each = _compiled(schema["items"]) if "items" in schema else None

    def check(value: list) -> tuple[str, str] | None:
        if not low <= len(value) <= high:
            return "", f"has {len(value)} entries, not {low if low == high else f'{low} to {high}'}"
        for place, one in enumerate(value) if each else ():
            if found := each(one):  # type: ignore[misc]
                return f"[{place}]{found[0]}", found[1]
        return None

    return check


def _of_object(schema: Mapping[str, Any]) -> Check:
    needed = tuple(schema.get("required", ()))
    known = {name: _compiled(one) for name, one in schema.get("properties", {}).items()}
    other = _compiled(schema["additionalProperties"]) if "additionalProperties" in schema else lambda _value: None

    def check(value: dict) -> tuple[str, str] | None:
        for name in needed:
            if name not in value:
                return f".{name}", "is missing"
        for name, one in value.items():
            if found := known.get(name, other)(one):
                return f".{name}{found[0]}", found[1]
        return None

    return check


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."
