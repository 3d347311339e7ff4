"""Pieces of HTML of which a report is made; every name and word that comes from outside is escaped."""

import html
from collections.abc import Iterable

from metaforge.errors import printable

SIGNS = {"fake": "▲", "cannot tell": "■", "real": "●"}
"""A sign for each decision, so that colour is not all that tells them apart."""


def text(words: str) -> str:
    """Words as they stand in a page.

    Example:
        >>> text('<b>"a"</b>')
        '&lt;b&gt;&quot;a&quot;&lt;/b&gt;'
    """
    return html.escape(printable(words))


def decision(name: str) -> str:
    """A decision in a word, a sign and a colour."""
    return f'<span class="decision {name.split()[0]}"><span aria-hidden="true">{SIGNS[name]}</span> {name}</span>'


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Names with what is said of each; both are escaped."""
    listed = "\n".join(f"<dt>{text(name)}</dt><dd>{text(said)}</dd>" for name, said in pairs)
    return f"<dl>\n{listed}\n</dl>"


def table(caption: str, heads: list[str], rows: Iterable[list[str]]) -> str:
    """A table whose cells are HTML already; the first of each row names it."""
    # Roles are said since a narrow screen lays cells one below the other, which takes those of the elements away.
    head = "".join(f'<th scope="col" role="columnheader">{text(title)}</th>' for title in heads)
    body = "\n".join(
        f'<tr role="row"><th scope="row" role="rowheader">{first}</th>'
        + "".join(
            f'<td role="cell" data-of="{text(title)}">{cell}</td>' for title, cell in zip(heads[1:], rest, strict=True)
        )
        + "</tr>"
        for first, *rest in rows
    )  # fmt: skip
    return (f'<table role="table"><caption>{text(caption)}</caption>\n<thead role="rowgroup"><tr role="row">{head}</tr>'
            f'</thead>\n<tbody role="rowgroup">\n{body}\n</tbody></table>')  # fmt: skip


def scale(p_fake: float, band: tuple[float, float] | None, thresholds: tuple[float, float]) -> str:
    """A line from 0 to 1 with the thresholds, the band and the probability; the same is said in words beside it.

    Example:
        >>> scale(0.5, None, (0.2, 0.8)).count("<circle")
        1
    """
    low, high = thresholds
    left, wide = 14, 452
    at = lambda value: f"{left + wide * min(max(value, 0.0), 1.0):.1f}"
    length = lambda start, end: f"{wide * max(end - start, 0.0):.1f}"
    zones = [
        f'<rect x="{at(start)}" y="26" width="{length(start, end)}" height="16" class="zone {name}"/>'
        for name, start, end in (("real", 0.0, low), ("cannot", low, high), ("fake", high, 1.0))
    ]
    # Words stand under their zone if they fit into it.
    words = [
        f'<text x="{at((start + end) / 2)}" y="60" text-anchor="middle">{name}</text>'
        for name, start, end in (("real", 0.0, low), ("cannot tell", low, high), ("fake", high, 1.0))
        if (end - start) * wide > 7 * len(name)
    ]
    interval = ""
    if band is not None:
        interval = (f'<line x1="{at(band[0])}" x2="{at(band[1])}" y1="13" y2="13" class="ink"/>'
                    + "".join(f'<line x1="{at(end)}" x2="{at(end)}" y1="8" y2="18" class="ink"/>' for end in band)
                    )  # fmt: skip
    said = f"Probability {p_fake:.3f}" + (f", between {band[0]:.2f} and {band[1]:.2f}" if band else "")
    said += f"; real below {low:.3f}, fake above {high:.3f}."
    return (f'<svg role="img" aria-label="{text(said)}" viewBox="0 0 480 66" xmlns="http://www.w3.org/2000/svg">'
            f'{"".join(zones)}{interval}<circle cx="{at(p_fake)}" cy="34" r="7" class="dot"/>{"".join(words)}</svg>'
            )  # fmt: skip
