"""A folder of real and forged images, made as those of a run are: what a new kind of forgery is rehearsed with."""

import csv
import dataclasses
import re
from pathlib import Path

import numpy as np
from PIL import Image

import metaforge as mf
from metaforge.backbones.spec import BackboneSpec
from metaforge.data.crop_folder import PAIRS, mark
from metaforge.data.records import Records
from metaforge.data.specs import FacesSpec
from metaforge.errors import InputError
from metaforge.forgeries import FORGERIES
from metaforge.places import refuse_inside
from metaforge.training import build
from metaforge.training.config import Config
from metaforge.training.forge_options import Options, Settings
from metaforge.whole import claimed, whole_folder

NAMES = {mf.REAL: "real", mf.FAKE: "fake"}


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
                mark(made, crop=build.crop_of(config), size=size)
        except OSError as error:
            raise InputError(f"out: cannot write to '{out}' ({error.strerror}).") from None
    return {name: len(list((out / name).rglob("*.png"))) for name in NAMES.values()}


def _write(folder: Path, records: Records) -> None:
    known: dict[tuple[int, bytes], str] = {}
    written, images = [], np.asarray(records.image)
    for number, label in enumerate(records.label.tolist()):
        image = images[number]
        # Untreated, one photograph stands beside each of its forgeries.
        if (content := (label, image.tobytes())) not in known:
            # The name of a person may hold a folder's, or what a file system refuses.
            person = re.sub(r"[^\w.-]+", "-", records.identity[number]).lstrip(".") or "unknown"
            domain = records.domain[number].replace("/", "-")
            known[content] = f"{NAMES[label]}/{person}/{domain}-{number}.png"
            place = folder / known[content]
            place.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(place)
        written.append(known[content])
    _write_pairs(folder / PAIRS, records, written)


def _write_pairs(path: Path, records: Records, written: list[str]) -> None:
    """A table of which real image each forged one was made from, as `metaforge annotate` reads it."""
    reals = {pair: name for pair, name, label in zip(records.pair, written, records.label, strict=True)
             if label == mf.REAL}  # fmt: skip
    rows = {name: (reals[pair], name, method) for pair, name, label, method
            in zip(records.pair, written, records.label, records.method, strict=True) if label == mf.FAKE}  # fmt: skip
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("real", "fake", "method"), *rows.values()])
