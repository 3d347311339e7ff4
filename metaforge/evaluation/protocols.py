"""The field's protocols as data: what is trained on, what is tested on, and what may be chosen on what.

A protocol is a table. Each of its cells names source domains and a target; everything that a cell chooses (rate and
steps of adaptation, thresholds) is chosen on the sources' validation split. `oracle` chooses on the target's test split
instead; it exists to say what that would have been worth, and is labelled wherever it is printed.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

Selection = Literal["source_validation", "oracle"]
"""What adaptation is chosen on. The second looks at the answers."""

FF4 = ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures")
"""The four methods of FaceForensics++ as first published; DF, F2F, FS and NT in tables."""


class Domains(NamedTuple):
    """Some forgery methods of a prepared data set, with its real images.

    Attributes:
        folder: the data set's folder below the data directory.
        methods: its forgery methods; all of them if empty.
        compression: what the table means by it, "c23" or "c40"; "" for a data set that has one form.
    """

    folder: str
    methods: tuple[str, ...] = ()
    compression: str = ""


class Cell(NamedTuple):
    """One entry of a table.

    Attributes:
        row: its row's name.
        column: its column's name.
        source: what is meta-trained on, and chosen on.
        target: whose train split gives the support set, if it has one, and whose test split is judged.
        shots: support images a class.
        steps: of adaptation; 0 leaves them to source validation.
    """

    row: str
    column: str
    source: Domains
    target: Domains
    shots: int = 10
    steps: int = 0


class Protocol(NamedTuple):
    """A table to be made.

    Attributes:
        name: by which commands know it.
        about: what it is, in a line.
        cells: its entries.
        metrics: what is printed, of `metaforge.evaluation.metrics.METRICS`.
        level: "frame" or "video": what is one row of a metric.
        published: other methods' numbers by `(method, row, column, metric)`, in the metric's own units, as printed
            in `reference`.
        axes: what the names of its rows and of its columns say.
        reference: where the table was published.
        remark: what must be known to compare with the published numbers.
    """

    name: str
    about: str
    cells: tuple[Cell, ...]
    metrics: tuple[str, ...] = ("auc", "accuracy")
    level: Literal["frame", "video"] = "frame"
    published: Mapping[tuple[str, str, str, str], float] = {}
    axes: tuple[str, str] = ("trained on", "tested on")
    reference: str = ""
    remark: str = ""


def sources(protocol: Protocol) -> list[Domains]:
    """What the protocol trains on, each once, in the order of its cells."""
    return list(dict.fromkeys(cell.source for cell in protocol.cells))


def _percent(table: str, *, columns: tuple[str, ...], metrics: tuple[str, ...], row: str) -> dict:
    """Numbers of a printed table: a method and its values a line, in percent, the metrics of a column side by side."""
    found = {}
    for line in table.strip().splitlines():
        method, *values = line.split()
        places = [(column, metric) for column in columns for metric in metrics]
        for (column, metric), value in zip(places, values, strict=True):
            found[method, row, column, metric] = float(value) / 100
    return found


def _ff(level: str, methods: tuple[str, ...] = FF4) -> Domains:
    return Domains(f"faceforensics_{level}", methods, level)


_UNSEEN = "All but DAML appear to have seen no labelled target image."
_DAML = "Jin and Tan, Difficulty-Aware Meta-Learning for Cross-Domain Face Forgery Detection"


def daml_table1() -> Protocol:
    """DAML's table 1: within FaceForensics++, at two compressions. Accuracy and AUC of single images."""
    cells = tuple(Cell("FF++", level, _ff(level), _ff(level)) for level in ("c23", "c40"))
    printed = """
        Multi-task 85.65 85.43 81.30 75.59
        Xception 95.73 96.30 86.86 89.30
        RECCE 97.06 99.32 91.03 95.02
        RFM 95.69 98.79 87.06 89.83
        Add-Net 96.78 97.74 87.50 91.01
        F3-Net 97.52 98.10 90.43 93.30
        MultiAtt 97.60 99.29 88.69 90.40
        DAML 97.24 99.25 91.23 92.42"""
    numbers = _percent(printed, columns=("c23", "c40"), metrics=("accuracy", "auc"), row="FF++")
    return Protocol(
        "daml_table1", "within FaceForensics++, c23 and c40", cells, ("accuracy", "auc"),
        published=numbers, reference=f"{_DAML}, table 1", remark=_UNSEEN,
    )  # fmt: skip


def daml_table2() -> Protocol:
    """DAML's table 2: trained on FaceForensics++ (c23), adapted to and tested on three other data sets."""
    targets = {"Celeb-DF": "celeb_df", "DFDC": "dfdc", "WildDeepfake": "wild_deepfake"}
    source = _ff("c23")
    cells = tuple(Cell("FF++", column, source, Domains(folder)) for column, folder in targets.items())
    printed = """
        Xception 74.23 63.87 71.17 62.34 69.41 62.55
        RECCE 76.85 66.82 73.59 69.13 72.28 64.79
        RFM 69.63 65.63 68.37 66.01 61.75 57.75
        Add-Net 72.74 67.25 68.55 66.81 71.79 64.57
        MultiAtt 67.09 62.85 62.49 63.17 65.62 57.49
        DAML 77.14 68.13 75.07 67.89 73.98 69.03"""
    numbers = _percent(printed, columns=tuple(targets), metrics=("accuracy", "auc"), row="FF++")
    return Protocol(
        "daml_table2", "FaceForensics++ (c23) to Celeb-DF, DFDC and WildDeepfake", cells, ("accuracy", "auc"),
        published=numbers, reference=f"{_DAML}, table 2", remark=_UNSEEN,
    )  # fmt: skip


_SHORT = dict(zip(("DF", "F2F", "FS", "NT"), FF4, strict=True))


def daml_table3() -> Protocol:
    """DAML's table 3: trained on one method of FaceForensics++ (c40), tested on each of four. AUC of single images."""
    cells = tuple(
        Cell(row, column, _ff("c40", (_SHORT[row],)), _ff("c40", (_SHORT[column],)))
        for row in _SHORT
        for column in _SHORT
    )
    printed = {
        "DF": "Xception 99.37 57.89 49.67 65.79\nRECCE 99.51 69.92 73.29 77.23\nDAML 99.63 71.63 74.51 75.64",
        "F2F": "Xception 67.27 97.14 51.38 55.71\nRECCE 74.91 97.64 65.39 71.92\nDAML 77.52 98.14 69.25 70.82",
        "FS": "Xception 53.37 49.92 97.75 52.95\nRECCE 79.35 62.16 98.02 59.93\nDAML 81.21 69.72 97.67 62.51",
        "NT": "Xception 58.94 50.21 61.70 99.80\nRECCE 69.07 78.89 64.38 95.14\nDAML 82.79 77.67 69.85 98.27",
    }
    numbers = {}
    for row, table in printed.items():
        numbers |= _percent(table, columns=tuple(_SHORT), metrics=("auc",), row=row)
    return Protocol(
        "daml_table3", "cross-manipulation, 4 x 4, within FaceForensics++ (c40)", cells, ("auc",),
        published=numbers, reference=f"{_DAML}, table 3", remark=_UNSEEN,
    )  # fmt: skip


def leave_one_manipulation_out(level: str = "c23") -> Protocol:
    """Trained on three methods of FaceForensics++, tested on the fourth (LTW's and GCD's setting)."""
    cells = tuple(
        Cell(level, short, _ff(level, tuple(m for m in FF4 if m != method)), _ff(level, (method,)))
        for short, method in _SHORT.items()
    )
    return Protocol(
        f"lomo_{level}", f"three methods of FaceForensics++ ({level}) to the fourth", cells, ("accuracy", "auc"),
        reference="Sun et al., Domain General Face Forgery Detection by Learning to Weight, AAAI 2021",
    )  # fmt: skip


def shots_by_steps() -> Protocol:
    """How much adaptation buys: shots a class by steps, FaceForensics++ (c23) to Celeb-DF."""
    source, target = _ff("c23"), Domains("celeb_df")
    cells = tuple(
        Cell(_counted(shots, "shot"), _counted(steps, "step"), source, target, shots=shots, steps=steps)
        for shots in (1, 5, 10, 20)
        for steps in (1, 5, 10, 20)
    )
    return Protocol(
        "shots_by_steps", "FaceForensics++ (c23) to Celeb-DF, shots by steps", cells, ("auc",),
        axes=("adapted on", "adapted by"),
    )  # fmt: skip


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'s' * (count != 1)}"


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        daml_table1(), daml_table2(), daml_table3(), leave_one_manipulation_out("c23"),
        leave_one_manipulation_out("c40"), shots_by_steps(),
    )
}  # fmt: skip
"""The protocols by name."""
