"""The study from end to end: values, folds, the report and what the package ships."""

import dataclasses
import json
import time
from typing import Any

from experiments.evidence import folds
from experiments.evidence.config import Config, Options
from experiments.evidence.table import markdown
from experiments.evidence.values import Values, as_strangers, some, values_of
from experiments.strangers.faces import acquisitions, methods
from metaforge.bounds import check_bounds
from metaforge.commands import flags_of
from metaforge.data.collected import collected
from metaforge.data.detection import check_finder
from metaforge.errors import InputError
from metaforge.forgeries.acquisition import WILD
from metaforge.provenance import provenance
from metaforge.runs import Run, write_json
from metaforge.settings import check_settings
from metaforge.whole import write_text


def run(options: Options, config: Config, *, quiet: bool = False) -> dict[str, Any]:
    """Measures, and writes report.json, report.md and calibration.json; a finished run returns its report at once.

    Args:
        options: where to.
        config: what is measured.

    Other Arguments:
        quiet: whether to show no progress.

    Raises:
        InputError: when something that is asked for cannot work, before anything is written.
    """
    began, where = time.time(), provenance()
    check_bounds(options)
    check_settings(config)
    forging = as_strangers(config)
    if WILD in acquisitions(forging):
        raise InputError("--faces.acquisitions: 'wild' frames faces anew, which is not measured here. Leave it out.")
    if len(methods(forging)) < 4:
        raise InputError("--faces.methods: give four or more, half of which are left out.")
    check_finder()
    faces, _ = collected(config.faces, size=config.image_size, quiet=quiet)
    faces = {name: some(config, mine) for name, mine in faces.items()}
    if few := [name for name, mine in faces.items() if len(mine) < 4]:
        raise InputError(f"--faces.folder: '{few[0]}' has fewer than 4 people. Leave it out.")
    directory = Run(options.workdir, {"config": dataclasses.asdict(config)}).directory
    if (directory / "report.json").exists():
        return json.loads((directory / "report.json").read_text(encoding="utf-8"))
    values, lost = values_of(config, faces, directory, quiet=quiet)
    rows = folds.measure(config, folds.folds(values))
    report = {
        "command": " ".join(["python -m experiments.evidence", *flags_of(config, Config())]),
        "config": dataclasses.asdict(config),
        "provenance": where,
        "people": {name: len(mine) for name, mine in faces.items()},
        "images": len(values.label),
        "no_face": lost,
        "rule": {"mean_above": folds.LEAST_MEAN, "lower_end_above": folds.LEAST_LOW},
        "features": rows,
        "minutes": (time.time() - began) / 60,
    }
    write_json(directory / "calibration.json", shipped(values, rows))
    write_text(directory / "report.md", markdown(report))
    write_json(directory / "report.json", report)
    return report


def shipped(values: Values, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What the package needs to show the features that may be shown, fitted on everything."""
    fitted = folds.fit(values)
    shown = {
        row["name"]: {"auc": round(row["auc"]["value"], 3), "scoring": fitted.scorings[row["name"]].as_json()}
        for row in rows
        if row["shown"]
    }
    fitted_on = ", ".join(sorted(set(values.collection.tolist())))
    return {
        "fitted_on": fitted_on,
        "features": shown,
        "prior": fitted.prior.as_json() if "landmarks" in shown else None,
    }
