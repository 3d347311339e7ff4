"""A histogram of probabilities as a drawing (SVG) that stands in a page, with its thresholds."""

import html
from collections.abc import Sequence
from typing import Any

WIDE, HIGH, LEFT, TOP, FOOT = 560, 230, 52, 34, 40


def histogram(bins: Sequence[int], thresholds: dict[str, Any]) -> str:
    """Bars from 0 to 1, and a line for each threshold with its words. A table beside it should have the numbers.

    Args:
        bins: how many files are in each of equal parts of [0, 1].
        thresholds: `real_below` and `fake_above`; empty for none.

    Example:
        >>> histogram([1, 3], {}).count("<rect")
        2
    """
    across, up = WIDE - LEFT - 12, HIGH - TOP - FOOT
    most = max(max(bins), 1)
    place = lambda value: LEFT + across * value
    step = across / len(bins)
    bars = [
        f'<rect x="{LEFT + step * number + 1:.1f}" y="{TOP + up * (1 - count / most):.1f}" width="{step - 2:.1f}" '
        f'height="{up * count / most:.1f}" fill="var(--bar, #4a6fa5)"/>'
        for number, count in enumerate(bins)
    ]
    axis = [
        f'<line x1="{LEFT}" y1="{TOP + up}" x2="{WIDE - 12}" y2="{TOP + up}" stroke="currentColor"/>',
        _text(LEFT - 8, TOP + up, "0", "end"),
        _text(LEFT - 8, TOP + 10, f"{most:,}".replace(",", "\u202f"), "end"),
        _text(LEFT + across / 2, HIGH - 4, "probability of being fake", "middle"),
        *(_text(place(value), TOP + up + 16, f"{value:g}", "middle") for value in (0, 0.25, 0.5, 0.75, 1)),
    ]
    lines = []
    said = [(thresholds.get("real_below"), "real below", "end"), (thresholds.get("fake_above"), "fake above", "start")]
    for value, words, anchor in said:
        if value is not None:
            x = place(value)
            lines.append(f'<line x1="{x:.1f}" y1="{TOP - 14}" x2="{x:.1f}" y2="{TOP + up}" stroke="currentColor" '
                         'stroke-dasharray="4 3"/>')  # fmt: skip
            # Words that would run out of the drawing stand on the other side of their line, a line higher.
            inside = (x - 90 > 0) if anchor == "end" else (x + 90 < WIDE)
            turned = {"end": "start", "start": "end"}[anchor]
            shift = -5 if (anchor if inside else turned) == "end" else 5
            lines.append(_text(x + shift, TOP - 5 if inside else TOP - 18, words, anchor if inside else turned))
    said_of = f"Histogram of the probability of being fake of {sum(bins):,} files; the highest bar has {most:,}."
    return (f'<svg role="img" aria-label="{html.escape(said_of)}" viewBox="0 0 {WIDE} {HIGH}" width="{WIDE}" '
            f'height="{HIGH}" xmlns="http://www.w3.org/2000/svg">{"".join([*bars, *axis, *lines])}</svg>')  # fmt: skip


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{html.escape(words)}</text>'
