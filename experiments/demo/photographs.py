"""The demo's end: raw photographs, the faces found in them, and what the shipped detector says of each face.

None of these photographs is cropped. One of them is forged here, by a swap of two people. Four photographs show how
screening works and measure nothing: two of the people are among those whose faces the detector learned from, and it
learned from other crops of them.
"""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from metaforge.data.detection import find_face
from metaforge.data.embedded_faces import whole_photographs
from metaforge.data.face_crops import NO_FACE, face_crops
from metaforge.errors import InputError
from metaforge.evaluation.calibration import Verdict, uncalibrated_verdict, verdicts
from metaforge.forgeries import Face, make
from metaforge.screening import Detector, load_detector
from metaforge.whole import whole_file

DETECTOR = Path(__file__).parents[2] / "docs" / "strong" / "detector"
SWAPPED = "swapped"
_SEED = 0

COLOURS: dict[str, tuple[int, int, int]] = {"fake": (213, 94, 0), "cannot tell": (240, 228, 66), "real": (0, 114, 178)}
"""Of the boxes; the word stands beside."""


def photographs() -> dict[str, np.ndarray]:
    """Photographs as a camera gives them, by name: real ones, and one whose face was swapped."""
    from skimage.data import astronaut  # ships inside the wheel: no network

    whole = whole_photographs()
    # NASA's portrait of Eileen Collins, in the public domain.
    return {"astronaut": astronaut()} | whole | {SWAPPED: _swapped(*whole.values())}


def scored(detector: Detector, images: dict[str, np.ndarray], folder: Path) -> list[dict[str, Any]]:
    """Scores every face of some photographs, and writes each photograph with boxes into a folder.

    Returns:
        For each face its photograph, what that is, the box, the probability of being fake and what makes it doubtful.
    """
    rows: list[dict[str, Any]] = []
    for name, image in images.items():
        about = {"photograph": name, "is": "fake" if name == SWAPPED else "real"}
        found = face_crops(image, size=detector.image_size, crop=detector.crop)
        sheet = Image.fromarray(image)
        draw = ImageDraw.Draw(sheet)
        for each, verdict in zip(found, _verdicts(detector, [each.image for each in found]), strict=True):
            score = verdict.p_fake
            box = [] if each.face is None else [round(float(side), 1) for side in each.face.box]
            said = {"p_fake": round(score, 3), "decision": verdict.decision, "note": ", ".join(each.notes)}
            rows.append(about | {"box": box} | said)
            if box:
                colour = COLOURS[verdict.decision]
                draw.rectangle(tuple(box), outline=colour, width=3)
                draw.text((box[0] + 6, box[1] + 4), f"{score:.2f} {verdict.decision}", fill=colour, font_size=20)
        if not found:
            rows.append(about | {"box": [], "p_fake": None, "note": NO_FACE})
        with whole_file(folder / f"photograph_{name}.png") as made:
            sheet.save(made, "PNG")
    return rows


def _verdicts(detector: Detector, crops: list[np.ndarray]) -> list[Verdict]:
    if not crops:
        return []
    logits, distances = detector.examine(np.stack(crops), batch=1)
    if detector.judge is not None:
        return verdicts(logits, distances, detector.judge)
    return [uncalibrated_verdict(float(score)) for score in detector(np.stack(crops), batch=1)]


def screened(folder: Path) -> tuple[list[dict[str, Any]], str]:
    """Scores the photographs with the shipped detector; of what is not installed, says so and scores none."""
    try:
        return scored(load_detector(DETECTOR), photographs(), folder), ""
    except InputError as error:
        return [], f"No photograph was scored ({error}). `make demo` installs the extras `faces` and `pretrained`."


def table(rows: list[dict[str, Any]]) -> str:
    """What was found, for people."""
    lines = ["| photograph | it is | box of the face | p(fake) | called | |", "|---" * 6 + "|"]
    for row in rows:
        box = ", ".join(f"{side:.0f}" for side in row["box"])
        score = "" if row["p_fake"] is None else f"{row['p_fake']:.2f}"
        lines.append(
            f"| {row['photograph']} | {row['is']} | {box} | {score} | {row.get('decision', '')} | {row['note']} |"
        )
    called = [row for row in rows if row.get("decision") in ("real", "fake")]
    right = sum(row["decision"] == row["is"] for row in called)
    faces = sum(row["p_fake"] is not None for row in rows)
    lines += ["", f"Of {faces} faces the detector judges {len(called)}, of which {right} rightly."]
    return "\n".join(lines)


def _swapped(target: np.ndarray, donor: np.ndarray) -> np.ndarray:
    """The donor's face on the target's photograph."""
    faces = []
    for name, image in (("target", target), ("donor", donor)):
        found = find_face(image)
        if found is None or found.mesh is None:
            raise InputError(f"demo: no face is found on the {name}'s photograph. Install metaforge anew.")
        faces.append(Face(image, (found.mesh - 0.5).astype(np.float32), name, name))
    return make("swap", []).forge(np.random.default_rng(_SEED), *faces).fake
