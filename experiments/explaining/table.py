"""The report on single images for people."""

from collections.abc import Iterator
from typing import Any

from metaforge.evaluation.interval import Interval


def markdown(report: dict[str, Any]) -> str:
    """Regions, methods, verdicts and maps."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: dict[str, Any]) -> Iterator[str]:
    about, images = report["provenance"], report["images"]
    yield f"`{report['command']}`, commit {about['commit']}, {about['date']}."
    yield ""
    yield (
        f"{images['fit']} images fit the heads, {images['calibrate']} of other people calibrate, and "
        f"{images['another collection'] + images['other people']} are judged, of which {images['another collection']} "
        "are of a collection that nothing was fitted to. Every forged image is judged by a head whose fit, calibration "
        "and choice had no method of its family, but for the row *methods known*. Intervals (95 %) resample people."
    )
    for name, part in report["rows"].items():
        yield from _table(f"{name}: {part['images']} images",
                          ["precision", "recall", "F1", "F1 above the best constant set"], {
            way: [f"{row['precision']:.3f}", f"{row['recall']:.3f}", _show(row["f1"]), _show(row["above"], "+.3f")]
            for way, row in part["ways"].items()
        })  # fmt: skip
    for field, groups in report["by"].items():
        ways = [name for name in next(iter(groups.values())) if name != "images"]
        yield from _table(field, ["images", *(f"F1, {way}" for way in ways)], {
            name.replace("_", " "): [str(part["images"]), *(_show(part[way]) for way in ways)]
            for name, part in groups.items()
        })  # fmt: skip
    yield from _table("order of the regions, where a part is forged", ["AUC"], {
        name: [f"{value:.3f}"] for name, value in report["auc"].items()
    })  # fmt: skip
    error = report["calibration"]
    yield ""
    yield (
        f"The probabilities of regions are off by {error['ece']:.3f} on average (expected calibration error): their "
        f"mean is {error['mean']:.3f}, and {error['forged']:.3f} of the regions are forged."
    )
    told = report["verdicts"]
    kinds = list(next(iter(told["decisions"].values())))
    yield from _table("what the detector says of images that are", kinds, {
        name: [f"{row[kind]:.3f}" for kind in kinds] for name, row in told["decisions"].items()
    })  # fmt: skip
    yield ""
    yield (
        "F1 where a part is forged, if nothing is named where the detector says real or knows nothing alike: "
        f"{_show(told['f1_if_the_detector_lets_it'])}."
    )
    yield from _table(f"{told['real_images']} real images with a region named", ["share"], {
        name: [_show(value)] for name, value in told["real_with_a_region"].items()
    })  # fmt: skip
    maps = report["maps"]
    yield from _table(f"map, {maps['images']} images with a forged part", ["highest point in the mask", "IoU"], {
        name: [_show(row["pointing"]), _show(row["iou"])] for name, row in maps["ways"].items()
    })  # fmt: skip
    yield from _table("left out", ["looks at", "weighs", "shrinkage", "F1 where it was chosen"], {
        name: [row["source"], ", ".join(row["pieces"]), f"{row['shrinkage']:g}", f"{row['f1_where_chosen']:.3f}"]
        for name, row in {**report["chosen"], "nothing (shipped)": report["shipped"]}.items()
    })  # fmt: skip


def _table(title: str, columns: list[str], rows: dict[str, list[str]]) -> Iterator[str]:
    yield ""
    yield f"| {title} | " + " | ".join(columns) + " |"
    yield "|---" * (1 + len(columns)) + "|"
    for name, cells in rows.items():
        yield f"| {name} | " + " | ".join(cells) + " |"


def _show(part: dict[str, float], spec: str = ".3f") -> str:
    return format(Interval.from_json(part), spec)
