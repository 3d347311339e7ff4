"""The films of an experiment: forged once, as H.264 files below its working directory, and a table of them."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

import metaforge as mf
from experiments.fakeradar.clips.config import Config
from metaforge.data.faces import load_faces, split_people
from metaforge.errors import InputError
from metaforge.forgeries import FORGERIES, Face
from metaforge.forgeries.films import film_pairs, write_h264
from metaforge.progress import progress
from metaforge.runs import write_json
from metaforge.whole import whole_folder

_TABLE = "films.json"


class Films(NamedTuple):
    """A split's films, one a row.

    Attributes:
        path: of each file.
        label: `REAL` or `FAKE`, int32.
        kind: 0 for real, else the place of its method among the split's, from 1 on; int32.
        method: of its pair: a real film has it too.
        identity: who is on it.
    """

    path: list[Path]
    label: np.ndarray
    kind: np.ndarray
    method: np.ndarray
    identity: np.ndarray


def methods_of(config: Config) -> tuple[list[str], list[str]]:
    """Source and unseen methods.

    Raises:
        InputError: for an unknown name, none, or one on both sides.
    """
    both = [[name.strip() for name in text.split(",") if name.strip()] for text in (config.methods, config.unseen)]
    for flag, names in zip(("methods", "unseen"), both, strict=True):
        if not names or set(names) - {*FORGERIES} or len({*names}) < len(names):
            raise InputError(f"--{flag}={','.join(names)}: give some of {', '.join(FORGERIES)}, each once.")
    if shared := {*both[0]} & {*both[1]}:
        raise InputError(f"--unseen: '{min(shared)}' is a source method too. Leave it out of one.")
    if config.slots < 1 + len(both[0]):
        raise InputError(f"--slots={config.slots}: give one at least for real and each source, {1 + len(both[0])}.")
    return both[0], both[1]


def people(config: Config) -> dict[str, list[Face]]:
    """The faces of train and test; nobody is in both. Validation people are left out: nothing is chosen.

    Raises:
        InputError: as `load_faces` and `split_people`, for too few people among others.
    """
    faces, _ = load_faces(
        config.faces, size=config.image_size, identity=config.identity, landmarks=config.landmarks, around=True
    )
    found = split_people(faces, seed=config.split_seed)
    return {name: found[name] for name in ("train", "test")}


def make_films(config: Config, folder: Path, *, quiet: bool) -> dict[str, Films]:
    """The films of both splits, forged if they are not there."""
    sources, unseen = methods_of(config)
    if not all((folder / name / _TABLE).exists() for name in ("train", "test")):
        found = people(config)
        for name, names in (("train", sources), ("test", sources + unseen)):
            if not (folder / name / _TABLE).exists():
                some = _some(found[name], config.photographs)
                _forge(config, folder / name, some, names, found["train"], quiet=quiet)
    return {"train": _read(folder / "train", sources), "test": _read(folder / "test", sources + unseen)}


def _some(faces: list[Face], photographs: int) -> list[Face]:
    """As many photographs of each person, the first by name; all if 0."""
    if not photographs:
        return faces
    each: dict[str, list[Face]] = {}
    for face in sorted(faces, key=lambda face: face.name):
        each.setdefault(face.identity, []).append(face)
    return [face for some in each.values() for face in some[:photographs]]


def _forge(
    config: Config, folder: Path, faces: list[Face], names: list[str], fit_faces: list[Face], *, quiet: bool
) -> None:
    rows, total = [], len(faces) * len(names) * config.variants
    pairs = film_pairs(
        faces, methods=names, variants=config.variants, frames=config.film_frames, seed=config.split_seed,
        fit_faces=fit_faces,
    )  # fmt: skip
    with whole_folder(folder) as made, progress(f"films: {folder.name}", total, unit="pair", quiet=quiet) as bar:
        for number, pair in enumerate(pairs):
            for side, film in (("real", pair.real), ("fake", pair.fake)):
                # Numbered: names of photographs may hold anything.
                file = f"{number:06d}-{side}.mp4"
                write_h264(made / file, film, pair.crf)
                label = mf.FAKE if side == "fake" else mf.REAL
                rows.append({"file": file, "label": label, "method": pair.method, "identity": pair.face.identity,
                             "photograph": pair.face.name, "donor": pair.donor, "crf": pair.crf})  # fmt: skip
            bar.update(1)
        write_json(made / _TABLE, rows)


def _read(folder: Path, names: list[str]) -> Films:
    rows = json.loads((folder / _TABLE).read_text(encoding="utf-8"))
    kind = [0 if row["label"] == mf.REAL else 1 + names.index(row["method"]) for row in rows]
    return Films(
        [folder / row["file"] for row in rows],
        np.array([row["label"] for row in rows], np.int32),
        np.array(kind, np.int32),
        np.array([row["method"] for row in rows]),
        np.array([row["identity"] for row in rows]),
    )
