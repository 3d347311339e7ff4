"""Writes real and forged images of a forgery method to a folder, as `metaforge adapt --target` takes it.

    metaforge forge --out=swaps --methods=swap
    metaforge forge --out=swaps --methods=swap --faces.folder=FOLDER --faces.image_size=160

For a rehearsal of what is done when a new kind of forgery is met: train without a method (`--faces.holdout=swap`),
then adapt to it. The people are by default those of the test split, whom no run on the same faces, with the same
`--faces.split_seed`, was trained or validated on. OUT/real and OUT/fake have a subfolder for each person; in a swap,
the person whose picture it was made of.
"""

import dataclasses
import re
from pathlib import Path
from typing import NoReturn

import numpy as np
from PIL import Image

import metaforge as mf
from metaforge.backbones.spec import BackboneSpec
from metaforge.commands import launch, setting, start
from metaforge.data.records import Records
from metaforge.data.specs import FacesSpec
from metaforge.errors import InputError
from metaforge.forgeries import FORGERIES
from metaforge.places import refuse_inside
from metaforge.training import build
from metaforge.training.config import Config
from metaforge.whole import claimed, whole_folder

NAMES = {mf.REAL: "real", mf.FAKE: "fake"}


@dataclasses.dataclass(frozen=True)
class Options:
    """What to forge, of whom, where to."""

    out: str = setting(..., "Folder for real/ and fake/; must not exist yet.", place="folder")
    methods: str = setting(..., "Forgery methods, comma-separated.")
    people: str = setting("test", "Whose photographs.", choices=("test", "validation", "train"))


@dataclasses.dataclass(frozen=True)
class ForgedFaces:
    """Real faces, and how forgeries of them are made."""

    folder: str = setting("lfw", "Real faces: 'lfw' (embedded) or a folder of photographs.", place="read")
    identity: str = setting("", "Regular expression whose group finds the person in a file's path.")
    landmarks: str = setting("", "An .npz of landmarks; default: landmarks*.npz in the folder, if any.", place="read")
    acquisitions: str = setting("none", "Of none, jpeg, downscale, varied: each treats all images once.")
    variants: int = setting(6, "Forged pairs of each face.", least=1, most=10_000)
    split_seed: int = setting(0, "How people are split into train, validation and test.", most=2**32 - 1)
    image_size: int = setting(32, "Side of the face crops, in pixels, at least 16.", least=16, most=4096)


@dataclasses.dataclass(frozen=True)
class Settings:
    """What `forge` is told of faces."""

    faces: ForgedFaces = ForgedFaces()


def run(options: Options, settings: Settings, *, quiet: bool = False) -> dict[str, int]:
    """Forges and writes; returns how many images of each kind."""
    given = dataclasses.asdict(settings.faces)
    size = given.pop("image_size")
    config = Config(faces=FacesSpec(**given), model=BackboneSpec(image_size=size))
    config.check()
    methods = build.named("methods", options.methods, FORGERIES)
    if not methods:
        raise InputError(f"--methods: name one of {', '.join(FORGERIES)}.")
    out = Path(options.out)
    refuse_inside("out", out, config.faces.folder, of="faces.folder")
    with claimed(out):
        records = build.forged(config, methods, options.people, quiet=quiet)
        try:
            with whole_folder(out) as made:
                _write(made, records)
        except OSError as error:
            raise InputError(f"out: cannot write to '{out}' ({error.strerror}).") from None
    return {name: len(list((out / name).rglob("*.png"))) for name in NAMES.values()}


def _write(folder: Path, records: Records) -> None:
    known, images = set(), np.asarray(records.image)
    for number, label in enumerate(records.label.tolist()):
        image = images[number]
        # Untreated, one photograph stands beside each of its forgeries.
        if (content := (label, image.tobytes())) in known:
            continue
        known.add(content)
        # The name of a person may hold a folder's, or what a file system refuses.
        person = re.sub(r"[^\w.-]+", "-", records.identity[number]).lstrip(".") or "unknown"
        domain = records.domain[number].replace("/", "-")
        place = folder / NAMES[label] / person
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / f"{domain}-{number}.png")


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options, settings: Settings) -> str:
        counts = run(options, settings)
        return f"Wrote {options.out}: {counts['real']} real and {counts['fake']} forged images."

    return launch(argv, body, doc=__doc__ or "", options=Options(), config=Settings())


def command() -> NoReturn:
    """The command as a program."""
    start(main)
