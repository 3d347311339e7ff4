"""The study from end to end: features, folds, the report."""

import dataclasses
import json
import time
from pathlib import Path
from typing import Any

from experiments.strangers import adapted, before, features, rules, scoring, unknown
from experiments.strangers.config import Config, Options
from experiments.strangers.faces import acquisitions, collections, methods
from experiments.strangers.resampling import People
from experiments.strangers.tables import markdown
from metaforge.backbones import choice, weight_files
from metaforge.backbones.spec import NO_TEXT, BackboneSpec
from metaforge.bounds import check_bounds
from metaforge.commands import flags_of
from metaforge.data.faces import load_faces
from metaforge.errors import InputError
from metaforge.forgeries.acquisition import WILD
from metaforge.provenance import provenance
from metaforge.runs import Run, write_json
from metaforge.settings import check_settings
from metaforge.whole import write_text


def run(options: Options, config: Config, *, quiet: bool = False) -> dict[str, Any]:
    """Measures, and writes report.json and report.md; a finished run returns its report at once.

    Args:
        options: where to, and the folder of an unknown generator.
        config: what is measured.

    Other Arguments:
        quiet: whether to say nothing on the way.

    Raises:
        InputError: when something that is asked for cannot work, before anything is written.
    """
    began, where = time.time(), provenance()
    check_bounds(options)
    check_settings(config)
    for check in (Config.numbers, methods, acquisitions):
        check(config)
    check_model(config.model)
    weights = {"weights": weight_files.fingerprint(config.model)} if config.model.weights else {}
    settings = {"config": dataclasses.asdict(config), "unknown": options.unknown, **weights}
    faces, lost = collections(config, quiet=quiet)
    strangers = _unknown(options, config, quiet=quiet)
    directory = Run(options.workdir, settings).directory
    if (directory / "report.json").exists():
        return json.loads((directory / "report.json").read_text(encoding="utf-8"))
    table = features.table_of(config, faces, directory, quiet=quiet)
    paths = scoring.score(config, table, directory, quiet=quiet)
    found = {place: scoring.read(path) for place, path in zip(scoring.places(table), paths, strict=True)}
    people = {name: People(config, name, table.person[table.collection == name]) for name in faces}
    report = {
        "command": " ".join([
            "python -m experiments.strangers", *flags_of(options, Options(workdir=""), but=("workdir",)),
            *flags_of(config, Config()),
        ]),
        "config": dataclasses.asdict(config),
        "provenance": where,
        "data": {
            name: {"faces": len(mine), "people": len({face.identity for face in mine}), "left_to_others": lost[name]}
            for name, mine in faces.items()
        },
        "methods": list(methods(config)),
        "before": before.measure(table, found, people),
        "steps_on_the_head": rules.STEPS,
        "adapted": adapted.measure(config, adapted.cells_of(config, table, found), people),
    }  # fmt: skip
    if strangers:
        seen = features.of_unknown(config, strangers)
        scores = unknown.score(table, seen, directory, quiet=quiet)
        rows = unknown.measure(config, table, scores, people, len(strangers))
        name = options.unknown_name or Path(options.unknown).name
        report["unknown"] = {"name": name, "images": len(strangers), "collections": rows}
    report["minutes"] = (time.time() - began) / 60
    write_text(directory / "report.md", markdown(report))
    write_json(directory / "report.json", report)
    return report


def check_model(model: BackboneSpec) -> None:
    """Holds that features can be made by a network.

    Raises:
        InputError: when they cannot.
    """
    try:
        choice.check(model)
    except InputError as error:
        raise InputError(f"--model.{error}") from None
    if model.text != NO_TEXT:
        raise InputError(f"--model.text={model.text}: features are of images alone. Leave it out.")
    if model.normalisation == "episode":
        raise InputError("--model.normalisation=episode: features are to be of one image alone. Take another.")


def _unknown(options: Options, config: Config, *, quiet: bool):
    if not options.unknown:
        return []
    faces = config.faces
    found = load_faces(
        options.unknown, size=config.model.image_size, around=WILD in acquisitions(config), quiet=quiet,
        landmarks=faces.landmarks if faces.landmarks in ("mesh", "none") else "",
    ).faces  # fmt: skip
    if len(found) < 2:
        raise InputError(f"--unknown: '{options.unknown}' has one face. Give two or more.")
    return found
