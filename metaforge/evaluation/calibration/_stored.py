"""What a detector's folder holds of its calibration, held against what it must be."""

import math
from collections.abc import Mapping
from typing import Any

from metaforge.errors import InputError


def stored(found: Any, fields: tuple[str, ...], what: str) -> dict[str, Any]:
    """An object of exactly these fields."""
    if not isinstance(found, Mapping) or set(found) != set(fields):
        raise InputError(
            f"calibration: {str(found)[:80]!r} stands for {what}, which is an object of {', '.join(fields)}. "
            "Fit it anew."
        )
    return dict(found)


def number(found: Any, what: str, *, low: float = -math.inf, high: float = math.inf) -> float:
    """A finite number between two others, both included."""
    if isinstance(found, bool) or not isinstance(found, int | float) or not (low <= found <= high) or math.isinf(found):
        raise InputError(
            f"calibration: {what} is {str(found)[:80]!r}, no number from {low:g} to {high:g}. Fit it anew."
        )
    return float(found)
