"""A page of what a screen has found: one file of HTML that needs no script and no other file, for eyes and for ears."""

import html
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from metaforge.data.images import printable
from metaforge.errors import InputError
from metaforge.screening.batches.histogram import histogram
from metaforge.screening.batches.style import STYLE
from metaforge.screening.batches.summary import Record, Summary, worst_face
from metaforge.whole import write_text

_MARK = '<meta name="generator" content="metaforge screen">'
_SIGNS = {"fake": "▲", "cannot tell": "■", "real": "●"}


def write_page(path: str | os.PathLike, summary: Summary, *, picture: Callable[[Record], str], called: str) -> None:
    """Writes the page; one of an earlier call is replaced.

    Args:
        path: its file.
        summary: what it says.

    Other Arguments:
        picture: a record to the address of a small picture of its face, "" where there is none.
        called: the name of the file of results.
    """
    write_text(path, page_of(summary, picture=picture, called=called))


def refuse_other(path: str | os.PathLike) -> None:
    """Holds that a file is free, or is a page of an earlier call.

    Raises:
        InputError: when it is not.
    """
    if os.path.exists(path):
        with open(path, encoding="utf-8", errors="replace") as file:
            if _MARK not in file.read(2000):
                raise InputError(f"page: '{Path(path)}' exists already. Choose another --out; nothing was overwritten.")


def page_of(summary: Summary, *, picture: Callable[[Record], str], called: str) -> str:
    """The page as a text.

    Args:
        summary: what it says.

    Other Arguments:
        picture: as in `write_page`.
        called: as there.
    """
    parts = [
        _head(f"Screening of {_count(summary.files, 'file')}"),
        _opening(summary, called),
        _decisions(summary),
        _scores(summary),
        _worst(summary, picture),
        _quality(summary),
        _errors(summary),
        _about(summary),
        "</main>\n</body>\n</html>\n",
    ]
    return "\n".join(parts)


def _head(title: str) -> str:
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n{_MARK}\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        f"style-src 'unsafe-inline'\">\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{title}</h1>"
    )


def _opening(summary: Summary, called: str) -> str:
    kinds = " and ".join(_count(summary.kinds[kind], kind) for kind in ("image", "video") if summary.kinds[kind])
    when = ""
    if summary.times[0]:
        first, last = (time.replace("T", " ").removesuffix("Z") for time in summary.times)
        when = f" Judged from {first} to {last} (UTC)."
    limits = f"<p>{_text(summary.any['limits'])}</p>" if summary.any else ""
    return f"<p>{kinds or 'Nothing'}, as recorded in {_text(called)}.{when}</p>\n{limits}"


def _decisions(summary: Summary) -> str:
    rows = [
        [_decision(name), _number(summary.decisions[name]), _share(summary.decisions[name], summary.files), says]
        for name, says in (
            ("fake", "a face is called fake"),
            ("cannot tell", "between the thresholds, in doubt, or without a face"),
            ("real", "every face is called real"),
        )
    ]
    count = summary.decisions["error"]
    rows.append(["not judged", _number(count), _share(count, summary.files), "an error, see below"])
    return "<h2>Decisions</h2>\n" + _table("Files by decision", ["Decision", "Files", "Share", "Meaning"], rows)


def _scores(summary: Summary) -> str:
    total, steps = sum(summary.bins), len(summary.bins)
    title = "<h2>Probability of being fake</h2>\n"
    if not total:
        return f"{title}<p>No file has a score.</p>"
    said = summary.any["thresholds"] if summary.any else {}
    rows = [
        [f"{place / steps:.2f} to {(place + 1) / steps:.2f}", _number(count)]
        for place, count in enumerate(summary.bins)
    ]
    lines = f"Real below {said['real_below']:.3f}, fake above {said['fake_above']:.3f}." if said else ""
    table = _table("The same as numbers", ["Probability", "Files"], rows)
    return (
        f"{title}<p>Of {_count(total, 'file')} with a score, that of the most suspicious face. {lines}</p>\n"
        f'<div class="beside">{histogram(summary.bins, said)}<details><summary>The histogram as a table</summary>'
        f"{table}</details></div>"
    )


def _worst(summary: Summary, picture: Callable[[Record], str]) -> str:
    title = "<h2>Most suspicious first</h2>\n"
    if not summary.worst:
        return f"{title}<p>No file shows a face.</p>"
    rows = []
    for rank, record in enumerate(summary.worst, 1):
        face = worst_face(record) or {}
        band, number = face.get("band"), face.get("number", 0)
        flags = dict.fromkeys([*record["quality"], *face.get("quality", ())])
        name = f"face {number} of {record['file']}" if number else record["file"]
        address = picture(record)
        shown = (
            f'<img src="{address}" alt="{_text(name)}">'
            if address
            else "no picture: the file is not there as it was judged"
        )
        score = "" if record["p_fake"] is None else f"{record['p_fake']:.3f}"
        rows.append([
            _number(rank), shown, _text(record["file"]), _decision(record["decision"]),
            f"{score}<br>band {band[0]:.2f} to {band[1]:.2f}" if band else score,
            _text(record["reason"]), _text(", ".join(flags) or "good"),
        ])  # fmt: skip
    heads = ["Rank", "Face", "File", "Decision", "Probability", "Reason", "Quality"]
    caption = f"The first {len(rows)} of {_count(summary.files, 'file')}" if len(rows) < summary.files else "All files"
    return title + _table(caption, heads, rows, name=2)


def _quality(summary: Summary) -> str:
    rows = [
        [_text(flag), _number(count), _share(count, summary.files)] for flag, count in summary.quality.most_common()
    ]
    if not rows:
        return "<h2>Quality</h2>\n<p>Nothing is amiss with any file.</p>"
    return "<h2>Quality</h2>\n" + _table("Files, or faces in them, with each flag", ["Flag", "Files", "Share"], rows)


def _errors(summary: Summary) -> str:
    if not summary.errors:
        return "<h2>Errors</h2>\n<p>Every file could be judged.</p>"
    rows = [
        [_text(code), _number(found.count), _text(found.file), _text(found.message)]
        for code, found in sorted(summary.errors.items())
    ]
    heads = ["Code", "Files", "The first of them", "What is wrong with that"]
    return "<h2>Errors</h2>\n" + _table("Files that could not be judged", heads, rows)


def _about(summary: Summary) -> str:
    if summary.any is None:
        return ""
    model, said = summary.any["model"], summary.any["thresholds"]
    rates = [
        f"{100 * said[name]:.3g} % of the {which} may be called {wrong}"
        for name, which, wrong in (("fpr", "reals", "fake"), ("fnr", "fakes", "real"))
        if said.get(name) is not None
    ]
    facts = {
        "Model": model["name"],
        "SHA-256 of the model": model["sha256"],
        "Calibrated on": model["fitted_on"] or "nothing",
        "Thresholds": f"real below {said['real_below']:.4f}, fake above {said['fake_above']:.4f}",
        "Fitted on": said["fitted_on"] or "nothing",
        "Error rates there": "; ".join(rates) or "not known",
        "Limits": summary.any["limits"],
    }
    listed = "\n".join(f"<dt>{_text(name)}</dt><dd>{_text(str(value))}</dd>" for name, value in facts.items())
    return f"<h2>Model, thresholds and limits</h2>\n<dl>\n{listed}\n</dl>"


def _table(caption: str, heads: Iterable[str], rows: Iterable[list[Any]], *, name: int = 0) -> str:
    """A table whose cells are HTML already; the cell of each row that names it is its header."""
    head = "".join(f'<th scope="col"{_class(title)}>{_text(title)}</th>' for title in heads)
    titles = list(heads)
    body = "\n".join(
        "<tr>" + "".join(
            f'<th scope="row"{_class(titles[place])}>{cell}</th>' if place == name
            else f"<td{_class(titles[place])}>{cell}</td>"
            for place, cell in enumerate(row)
        ) + "</tr>"
        for row in rows
    )  # fmt: skip
    # What is wider than the screen can be scrolled by keys, too.
    return (f'<div class="wide" tabindex="0" role="region" aria-label="{_text(caption)}">\n'
            f"<table><caption>{_text(caption)}</caption>\n<thead><tr>{head}</tr></thead>\n"
            f"<tbody>\n{body}\n</tbody></table></div>")  # fmt: skip


def _class(title: str) -> str:
    if title in ("Files", "Share", "Rank"):
        return ' class="number"'
    if title == "Probability":
        return ' class="score"'
    return ' class="name"' if title in ("File", "The first of them") else ""


def _decision(name: str) -> str:
    return f'<span class="decision {name.split()[0]}"><span aria-hidden="true">{_SIGNS[name]}</span> {name}</span>'


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else ""


def _number(number: int) -> str:
    return f"{number:,}".replace(",", "\u202f")


def _count(number: int, what: str) -> str:
    return f"{_number(number)} {what}{'s' * (number != 1)}"


def _text(text: str) -> str:
    return html.escape(printable(text))
