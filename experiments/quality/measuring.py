"""Treats faces, and counts the flags and the decisions."""

import collections
import dataclasses
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from scipy.stats import binomtest

from experiments.quality.treatments import Treatment, treatments
from metaforge.data.detection import Detection, check_finder, find_faces
from metaforge.data.face_crops import FaceCrop, face_crops
from metaforge.data.folders import list_images
from metaforge.data.images import decode_image, read_image
from metaforge.errors import InputError
from metaforge.evaluation.calibration import verdicts
from metaforge.evaluation.ranking import auc
from metaforge.progress import progress
from metaforge.provenance import provenance
from metaforge.screening.predicting import load
from metaforge.screening.verdicts.quality import face_flags, file_flags

if TYPE_CHECKING:
    from experiments.quality.__main__ import Options


def measured(options: "Options") -> dict[str, Any]:
    """The report.

    Args:
        options: whose faces, which detector.

    Raises:
        InputError: for a folder or a detector that cannot be used.
    """
    check_finder()
    detector = load(options.model)
    if detector.judge is None:
        raise InputError("--model: the detector is not calibrated and has no thresholds. Give one that is.")
    files = taken(options)
    counts: dict[tuple[str, str], collections.Counter] = collections.defaultdict(collections.Counter)
    sure: dict[tuple[str, str], list[float]] = collections.defaultdict(list)
    crops: dict[tuple[str, str], list[np.ndarray]] = collections.defaultdict(list)
    every = list(treatments())
    with progress("treating faces", len(files), unit="face", quiet=False) as bar:
        for collection, file in files:
            found = one_face(file)
            if found is not None:
                for each in every:
                    _look(each, *found, collection == options.left_out, detector, counts, sure, crops)
            bar.update()
    rows = []
    for each in every:
        key, place = counts[each.flag, each.name], (each.flag, each.name)
        named = {flag: _share(key[flag], key["found"]) for flag in sorted({*key} - {"all", "found"})}
        row = dataclasses.asdict(_Row(each.flag, each.name, each.raised, key["all"], key["found"], named))
        if each.flag == "covered":
            clear = sure["", "as it is"]
            labels = np.repeat([1, 0], [len(clear), len(sure[place])])
            row["auc_of_the_finder"] = float(auc(labels, np.array([*clear, *sure[place]])))
        if crops[place]:
            said = verdicts(*detector.examine(np.stack(crops[place])), detector.judge)
            row["decisions"] = {
                kind: _share(sum(one.decision == kind for one in said), len(said))
                for kind in ("fake", "cannot tell", "real")
            }
        rows.append(row)
    where = provenance()
    command = " ".join(f"--{name}={value}" for name, value in dataclasses.asdict(options).items() if name != "out")
    return {
        "command": f"python -m experiments.quality {command}",
        "config": dataclasses.asdict(options),
        "provenance": where,
        "faces": dict(collections.Counter(name for name, _ in files)),
        "rows": rows,
    }


@dataclasses.dataclass
class _Row:
    flag: str
    name: str
    raised: bool | None
    files: int
    found: int
    flags: dict[str, dict[str, float]]


def taken(options: "Options") -> list[tuple[str, Path]]:
    """Some files of each collection, in an order that a seed gives; of two that begin alike one is taken.

    Raises:
        InputError: if the one left out is not there.
    """
    root = Path(options.faces)
    files = list_images(root, what="faces")
    by_folder: dict[str, list[Path]] = collections.defaultdict(list)
    for file in files:
        by_folder[file.relative_to(root).parts[0]].append(file)
    if options.left_out not in by_folder:
        raise InputError(f"--left_out: '{options.left_out}' is no folder of '{options.faces}'. There are "
                         f"{', '.join(sorted(by_folder))}.")  # fmt: skip
    chosen = []
    for name, mine in sorted(by_folder.items()):
        once = list({file.stem.split("_")[0]: file for file in mine}.values())
        random.Random(options.seed).shuffle(once)
        most = options.most if name == options.left_out else options.each
        chosen += [(name, file) for file in once[:most]]
    return chosen


def one_face(file: Path) -> tuple[Image.Image, Detection] | None:
    """A picture and the one face in it; `None` where there is not one."""
    picture = read_image(file)
    found = find_faces(picture)
    return (Image.fromarray(picture), found[0]) if len(found) == 1 else None


def _look(each: Treatment, image, face, stranger: bool, detector, counts, sure, crops) -> None:
    place = (each.flag, each.name)
    data = each.make(image, face)
    if each.flag == "re-compressed":
        # A matter of the file, in which no face need be looked for.
        counts[place].update(["all", "found", *file_flags(data, faces=1)])
        return
    picture = decode_image(data)
    faces: list[FaceCrop] = face_crops(picture, size=detector.image_size, crop=detector.crop)
    counts[place]["all"] += 1
    sure[place].append(faces[0].face.score if faces and faces[0].face else 0.0)
    if not faces:
        return
    raised = {*file_flags(data, faces=1), *face_flags(picture, faces[0], jpeg=data[:2] == b"\xff\xd8")}
    counts[place].update(["found", *raised])
    if stranger:
        crops[place].append(faces[0].image)


def _share(hits: int, count: int) -> dict[str, float]:
    if not count:
        return {"value": float("nan"), "low": 0.0, "high": 1.0}
    found = binomtest(hits, count).proportion_ci(method="wilson")
    return {"value": hits / count, "low": float(found.low), "high": float(found.high)}
