"""Makes the faces that ship with metaforge of the London Set's photographs; byte by byte the same each time.

    python datasets/london_faces/embed.py --photographs=FOLDER --out=metaforge/data/london_faces.zip

The folder holds the photographs of the set, `neutral_front/001_03.jpg` to `smiling_front/173_08.jpg`, or copies of
at least 512 pixels; folders called `london_neutral` and `london_smiling` will do. It needs the extra `faces`.
"""

import csv
import dataclasses
import io
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from metaforge.commands import launch, start
from metaforge.data.crops import apply_crop, crop_transform
from metaforge.data.detection import Detection, find_face
from metaforge.data.embedded_faces import ABOUT, CROPS, MESHES, TABLE, WHOLE
from metaforge.data.images import read_image
from metaforge.errors import InputError
from metaforge.settings import setting
from metaforge.whole import whole_file

SIDE = 160
ROOM = 1.15  # of ffpp's square, so that a crop can be cut anew by another convention
QUALITY = 93
WHOLE_SIDE, WHOLE_QUALITY = 512, 85
SHOWN = ("002_neutral", "005_smiling")  # whole photographs, by which finding a face is shown
FOLDERS = {"neutral": ("neutral_front", "london_neutral"), "smiling": ("smiling_front", "london_smiling")}

README = f"""Face Research Lab London Set
DeBruine, Lisa; Jones, Benedict (2017). figshare. https://doi.org/10.6084/m9.figshare.5047666.v5
Licence: Creative Commons Attribution 4.0 International (CC BY 4.0), https://creativecommons.org/licenses/by/4.0/
The material is offered as it is, without warranties (section 5 of the licence).

The people on the photographs consented to their use in original or altered form.

What was changed: each photograph was cut to the face with some room and made smaller, to {SIDE} x {SIDE} pixels
({CROPS}/); {len(SHOWN)} were only made smaller ({WHOLE}/). {TABLE} (person, expression, the box of the face) and
{MESHES} (468 points a face, x and y in sixteenths of pixels) were found by MediaPipe's models and added.
Made by datasets/london_faces/embed.py of metaforge. No photograph in this file is forged.
"""


@dataclasses.dataclass(frozen=True)
class Options:
    """From where, and where to."""

    photographs: str = setting(..., "The folder of the London Set.", place="read")
    out: str = setting(..., "The .zip to write.", place="file")


def photographs(root: Path) -> dict[str, tuple[str, str, Path]]:
    """Name to person, expression and file."""
    found = {}
    for expression, folders in FOLDERS.items():
        files = [file for folder in folders for file in sorted((root / folder).glob("*.jpg"))]
        if not files:
            raise InputError(f"photographs: no '{folders[0]}/*.jpg' in '{root}'. Unpack {folders[0]}.zip there.")
        for file in files:
            person = file.stem.split("_")[0].lstrip("X")  # 001_03.jpg: the person, and the camera
            found[f"{person}_{expression}"] = (person, expression, file)
    return dict(sorted(found.items()))


def jpeg(image: np.ndarray, quality: int) -> bytes:
    """The bytes of an image file, with all of its colour."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=quality, subsampling="4:2:0", optimize=True)
    return stream.getvalue()


def cut(image: np.ndarray, face: Detection) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The crop, and box and mesh in its pixels."""
    assert face.mesh is not None
    half = (face.box[2:] - face.box[:2]) / 2 * ROOM
    middle = (face.box[:2] + face.box[2:]) / 2
    around = np.concatenate([middle - half, middle + half])
    transform = crop_transform(around, None, convention="ffpp", size=SIDE, image_size=image.shape[:2])
    moved = [(points - transform[:, 2]) / np.diag(transform) for points in (face.box.reshape(2, 2), face.mesh)]
    return apply_crop(image, transform, SIDE), np.round(moved[0].ravel()).astype(int), np.round(16 * moved[1])


def run(options: Options) -> int:
    """Writes the file; returns how many faces are in it."""
    table, meshes, files = io.StringIO(), [], {}
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["name", "person", "expression", "x0", "y0", "x1", "y1"])
    for name, (person, expression, path) in photographs(Path(options.photographs)).items():
        image = read_image(path)
        face = find_face(image)
        if face is None:
            raise InputError(f"photographs: no face is found in '{path}'. Give the set's own photographs.")
        crop, box, mesh = cut(image, face)
        writer.writerow([name, person, expression, *box])
        meshes.append(mesh.astype(np.int16))
        files[f"{CROPS}/{name}.jpg"] = jpeg(crop, QUALITY)
        if name in SHOWN:
            whole = Image.fromarray(image).resize((WHOLE_SIDE, WHOLE_SIDE), Image.Resampling.LANCZOS)
            files[f"{WHOLE}/{name}.jpg"] = jpeg(np.asarray(whole), WHOLE_QUALITY)
    stream = io.BytesIO()
    np.save(stream, np.stack(meshes), allow_pickle=False)
    plain = {ABOUT: README.encode(), TABLE: table.getvalue().encode(), MESHES: stream.getvalue()}
    with whole_file(options.out) as made, zipfile.ZipFile(made, "w") as archive:
        for name, content in (plain | files).items():
            about = zipfile.ZipInfo(name)  # of 1980, by nobody: the same bytes each time
            about.compress_type = zipfile.ZIP_STORED if name in files else zipfile.ZIP_DEFLATED
            archive.writestr(about, content)
    return len(meshes)


def main(argv: list[str]) -> int:
    """The command."""
    return launch(
        argv, lambda options: f"Wrote {options.out}: {run(options)} faces.", doc=__doc__ or "", options=Options()
    )


if __name__ == "__main__":
    start(main)
