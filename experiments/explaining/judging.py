"""Scores of regions in single images, beside guesses and Grad-CAM, with intervals over people."""

from typing import Any

import numpy as np

from experiments.explaining.cases import CALIBRATE, COLLECTION, FAMILIES, PEOPLE
from experiments.explaining.heads import Material
from metaforge.evaluation.interval import Interval
from metaforge.evaluation.probabilities import expected_calibration_error
from metaforge.evaluation.ranking import auc
from metaforge.evaluation.regions import region_score
from metaforge.screening.explaining.region_head import NAMES, RegionHead, region_logits, region_probabilities

ROLES = (COLLECTION, PEOPLE)
QUALITIES = {"50 to 64": (50, 65), "65 to 79": (65, 80), "80 to 95": (80, 96)}


def probabilities(made: Material, heads: dict[str, RegionHead], rows: np.ndarray) -> np.ndarray:
    """Of judged forged images, each by the head that had not seen its family; 0 where no face was found."""
    found = np.zeros((len(rows), len(NAMES)))
    for name, head in heads.items():
        mine = (made.family[rows] == name) & made.table.found[rows]
        found[mine] = of_head(made, head, rows[mine])
    return found


def of_head(made: Material, head: RegionHead, rows: np.ndarray) -> np.ndarray:
    """What one head says of images."""
    if not len(rows):
        return np.zeros((0, len(NAMES)))
    return region_probabilities(head, region_logits(head, made.table.features[rows], made.there[rows]))


def named(made: Material, heads: dict[str, RegionHead], rows: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Which regions are said, each at its head's threshold."""
    limits = np.ones((len(rows), len(NAMES)))
    for name, head in heads.items():
        limits[made.family[rows] == name] = head.threshold
    return found > limits


def constant(true: np.ndarray) -> np.ndarray:
    """The set of regions that scores best of all sets that are said of every image: the most frequent ones."""
    order = np.argsort(-true.mean(0), kind="stable")
    sets = [np.isin(np.arange(len(order)), order[: count + 1]) for count in range(len(order))]
    return max(sets, key=lambda one: region_score(true, np.tile(one, (len(true), 1))).f1)


def best_cam(cams: np.ndarray, true: np.ndarray) -> tuple[int, float, float]:
    """The level and the cut with the best F1; a cut is a multiple of the mean over the face.

    Args:
        cams: `(images, levels, regions)`.
        true: `(images, regions)`.
    """
    tried = []
    for level in range(cams.shape[1]):
        values = beside_face(cams[:, level])
        for cut in np.quantile(values, np.linspace(0, 0.98, 50)):
            tried.append((region_score(true, values > cut).f1, level, float(cut)))
    score, level, cut = max(tried)
    return level, cut, score


def beside_face(cam: np.ndarray) -> np.ndarray:
    """Regions' means of a map by their mean over the image's regions."""
    return cam / np.maximum(cam.mean(1, keepdims=True), 1e-12)


def guesses(made: Material, rows: np.ndarray, said: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """What the guesses and Grad-CAM say of judged images, chosen without the judged family, and the cam's values."""
    table, parts = made.table, made.parts()
    out = {name: np.zeros(said.shape, bool) for name in ("constant", "cam", "last_cam")}
    values, chosen = np.zeros(said.shape), {}
    for family in FAMILIES:
        known = made.role(CALIBRATE) & parts & table.found & (made.family != family)
        mine = made.family[rows] == family
        out["constant"][mine] = constant(table.true[known])
        level, cut, _ = best_cam(table.cams[known], table.true[known])
        last = best_cam(table.cams[known][:, -1:], table.true[known])[1]
        values[mine] = beside_face(table.cams[rows[mine], level])
        out["cam"][mine] = values[mine] > cut
        out["last_cam"][mine] = beside_face(table.cams[rows[mine], -1]) > last
        chosen[family] = {"level": level, "cut": cut, "last_cut": last}
    rng = np.random.default_rng(0)
    drawn = rng.permuted(said, axis=1)
    return {
        "the best constant set": out["constant"],
        "all regions": np.ones(said.shape, bool),
        "as many regions, drawn": drawn,
        "Grad-CAM, last map": out["last_cam"],
        "Grad-CAM, best map": out["cam"],
    }, {"chosen": chosen, "values": values}


def f1(true: np.ndarray, said: np.ndarray, people: np.ndarray, *, resamples: int, beside: np.ndarray | None = None):
    """Micro F1 with its interval over people, or how far it lies above that of `beside`, on the same resamples."""
    _, who = np.unique(people, return_inverse=True)
    count = int(who.max()) + 1
    drawn = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=resamples)

    def over(one):
        hits, total = (np.bincount(who, v.sum(1), minlength=count) for v in (true & one, true.astype(int) + one))
        return region_score(true, one).f1, 2 * (drawn @ hits) / np.maximum(drawn @ total, 1)

    value, replicates = over(said)
    if beside is not None:
        other, theirs = over(beside)
        value, replicates = value - other, replicates - theirs
    low, high = np.percentile(replicates, [2.5, 97.5])
    return Interval(value, min(float(low), value), max(float(high), value)).as_json()


def share(facts: np.ndarray, people: np.ndarray, *, resamples: int) -> dict[str, float]:
    """How often something holds, with its interval over people."""
    _, who = np.unique(people, return_inverse=True)
    count = int(who.max()) + 1
    drawn = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=resamples)
    hits, each = np.bincount(who, facts, minlength=count), np.bincount(who, minlength=count)
    low, high = np.percentile((drawn @ hits) / np.maximum(drawn @ each, 1), [2.5, 97.5])
    value = float(np.mean(facts))
    return Interval(value, min(float(low), value), max(float(high), value)).as_json()


def scored(
    made: Material, rows: np.ndarray, said: dict[str, np.ndarray], *, head: str, resamples: int
) -> dict[str, Any]:
    """F1 of each way to say regions, for parts and whole faces and each kind of judged people, and by method."""
    table, parts = made.table, made.parts()[rows]
    true, people = table.true[rows], table.about["person"][rows]
    report: dict[str, Any] = {"rows": {}, "by": {}}
    for role in ROLES:
        for kind, chosen in (("parts", parts), ("whole faces", ~parts)):
            mine = chosen & (table.about["role"][rows] == role)
            if not mine.any():
                continue
            table_of = {
                name: {
                    "f1": f1(true[mine], one[mine], people[mine], resamples=resamples),
                    "above": f1(true[mine], one[mine], people[mine], resamples=resamples,
                                beside=said["the best constant set"][mine]),
                    "precision": region_score(true[mine], one[mine]).precision,
                    "recall": region_score(true[mine], one[mine]).recall,
                }
                for name, one in said.items()
            }  # fmt: skip
            report["rows"][f"{kind}, {role}"] = {"images": int(mine.sum()), "ways": table_of}
    told = (head, "Grad-CAM, best map", "the best constant set")
    quality = table.about["quality"][rows].astype(int)
    fields = {
        "method": {name: table.about["method"][rows] == name for name in sorted({*table.about["method"][rows]})},
        "part": {name: table.about["part"][rows] == name for name in sorted({*table.about["part"][rows]} - {""})},
        "quality of JPEG": {
            name: parts & (quality >= low) & (quality < high) for name, (low, high) in QUALITIES.items()
        },
    }
    for field, groups in fields.items():
        report["by"][field] = {
            name: {"images": int(mine.sum()),
                   **{way: f1(true[mine], said[way][mine], people[mine], resamples=resamples) for way in told}}
            for name, mine in groups.items() if mine.any()
        }  # fmt: skip
    return report


def ranked(true: np.ndarray, values: np.ndarray) -> float:
    """AUC of forged regions over the others of the same images, all regions together."""
    return float(auc(true.ravel().astype(int), values.ravel()))


def error(true: np.ndarray, found: np.ndarray) -> dict[str, float]:
    """How far probabilities are from frequencies."""
    return {
        "ece": float(expected_calibration_error(true.ravel().astype(int), found.ravel())),
        "mean": float(found.mean()),
        "forged": float(true.mean()),
    }
