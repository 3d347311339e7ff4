"""The report on raw annotations for people."""

from collections.abc import Iterator
from typing import Any

from metaforge.evaluation.interval import Interval

_CHOSEN = ("noise", "least", "region", "excess", "excess_named", "colour", "blur", "structure", "texture", "boundary")


def markdown(report: dict[str, Any]) -> str:
    """Regions, types and sensitivity."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: dict[str, Any]) -> Iterator[str]:
    rows, limits, about = report["rows"], report["thresholds"], report["provenance"]
    yield f"`{report['command']}`, commit {about['commit']}, {about['date']}."
    yield ""
    yield (
        f"{report['pairs'][0]} pairs choose the fitted thresholds, {report['pairs'][1]} of other people are judged. "
        "Intervals resample people."
    )
    if report["config"].get("held_out"):
        yield (
            "The judged ones have other strengths (the outer quarters of each range, where the middle half chose) and "
            "other edges."
        )
    if "rate" in report:
        yield (
            f"{report['rate']:.0f} pairs of {report['config']['size']} pixels are annotated in a second of one core's "
            "time."
        )
    yield from _table("regions", ["precision", "recall", "F1", "IoU of masks"], {
        name: [f"{row['precision']:.3f}", f"{row['recall']:.3f}", _show(row["f1"]),
               f"{report['iou'][name]:.3f}" if name in report["iou"] else "-"]
        for name, row in rows.items()
    })  # fmt: skip
    for field, title in (
        ("part", "F1 by forged part"),
        ("change", "F1 by change"),
        ("coding", "F1 by coding of the forged image"),
    ):
        yield from _table(title, list(rows), {
            key.replace("_", " "): [_show(row[field][key]) for row in rows.values()]
            for key in rows["fitted"][field]
        })  # fmt: skip
    yield from _table("region", ["pairs with it forged", *(f"F1, {name}" for name in rows)], {
        key.replace("_", " "): [str(part["forged"]), *(f"{row['region'][key]['f1']:.3f}" for row in rows.values())]
        for key, part in rows["fitted"]["region"].items()
    })  # fmt: skip
    for name, types in report["types"].items():
        yield ""
        yield (
            f"Types with {name} thresholds: of {types['pairs']} pairs with a change of known type, that type is the "
            f"first said of {types['accuracy']:.1%}. The boundary is measured, but never said."
        )
        yield from _table("type", ["pairs it is true of", "precision", "recall", "F1"], {
            key: [str(part["true"]), f"{part['precision']:.3f}", f"{part['recall']:.3f}", f"{part['f1']:.3f}"]
            for key, part in types["f1"].items()
        })  # fmt: skip
        said = [place for place, key in enumerate(types["names"]) if key != "boundary"]
        yield from _table("change, and the type said first", [types["names"][place] for place in said], {
            key: [str(counts[place]) for place in said]
            for key, counts in zip(types["names"], types["confusion"], strict=True) if sum(counts)
        })  # fmt: skip
    if "exchanged" in report:
        yield ""
        yield (
            'Notes "perhaps exchanged" with shipped thresholds, where every pair comes in both orders: '
            f"{_show(report['exchanged']['right'])} of them are right."
        )
        yield from _table("change", ["pairs", "noted of pairs in order", "noted of exchanged pairs"], {
            name: [str(part["pairs"]), str(part["in_order"]), str(part["exchanged"])]
            for name, part in report["exchanged"]["noted"].items()
        })  # fmt: skip
    if "copies" in report:
        lost = report["copies"]["forgeries"]
        yield ""
        yield (
            "Photographs of the judged people that were only coded again, against themselves. The excess over the rest "
            f"of the face takes {lost['shipped'] - lost['without']} of {lost['pairs']} forgeries for noise as well; "
            f"{lost['without']} are without it."
        )
        columns = ["copies", "called forged", "without the excess"]
        yield from _table("copies only coded again", columns, {
            name: [str(part[key]) for key in ("copies", "shipped", "without")]
            for name, part in report["copies"]["coded"].items()
        })  # fmt: skip
    yield from _table("threshold", ["shipped", "fitted"], {
        name: [f"{limits['shipped'][name]:.3g}", f"{limits['fitted'][name]:.3g}"] for name in _CHOSEN
    })  # fmt: skip
    moved = {f"{name} (regions)": part for name, part in report["sensitivity"].items()}
    moved |= {f"{name} (its type)": part for name, part in report["type_sensitivity"].items()}
    yield from _table("F1 when a shipped threshold is", ["halved", "as it is", "doubled"], {
        name: [f"{part[key]:.3f}" for key in ("halved", "as_it_is", "doubled")] for name, part in moved.items()
    })  # fmt: skip


def _table(title: str, columns: list[str], rows: dict[str, list[str]]) -> Iterator[str]:
    yield ""
    yield f"| {title} | " + " | ".join(columns) + " |"
    yield "|---" * (1 + len(columns)) + "|"
    for name, cells in rows.items():
        yield f"| {name} | " + " | ".join(cells) + " |"


def _show(part: dict[str, float]) -> str:
    return format(Interval.from_json(part), ".3f")
