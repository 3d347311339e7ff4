"""Scores of a model on a cell, kept on the disk, and used again only for the same model and the same data."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from experiments.protocol.target_images import TargetImages
from metaforge.adaptation.gaussian import to_arrays
from metaforge.data import prepared
from metaforge.data.domains import TestSplit
from metaforge.data.records import Records
from metaforge.errors import InputError
from metaforge.evaluation.metrics import auc
from metaforge.evaluation.protocols import Cell, Selection
from metaforge.runs import fingerprint
from metaforge.screening import from_run
from metaforge.training import meta_test
from metaforge.whole import write_arrays

_RULE = {"rate": float, "steps": int}


def scores_of(
    path: Path, cell: Cell, target: TargetImages, validation: Records, model: from_run.FinishedRun, *, draws: int,
    seed: int, selection: Selection,
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:  # fmt: skip
    """Scores of a model in its states (`from_run.states`), and the rule that it adapted by.

    Args:
        path: the file that keeps them.
        cell: of the table.
        target: the cell's.
        validation: images of the cell's sources, which thresholds are fitted on.
        model: a finished run.

    Other Arguments:
        draws: support sets.
        seed: which support sets.
        selection: what rate and steps are chosen on.

    Raises:
        InputError: when the file is damaged, or holds the scores of another model or of other data.
    """
    # Of the images: what is known of the target's, and of the sources' what training and thresholds saw.
    asked = {"cell": str(cell), "draws": draws, "seed": seed, "selection": selection, "rule": str(model.rule)}
    asked |= {"dealt": from_run.DEALT * model.transductive}
    rate = meta_test.rate_at(model.rule, cell.steps)[0]
    if selection != "oracle" and rate != model.rule["rate"]:
        asked |= {"rate": rate}  # other versions took the rule's own, whatever the steps
    of_sources = [prepared.paths(validation), validation.label, model.params, model.context]
    if model.prior is not None:
        of_sources.append(to_arrays(model.prior))
    known = fingerprint([asked, target.sha256, of_sources])
    if not path.exists():
        found, rule = _measured(cell, target, model, draws=draws, seed=seed, selection=selection)
        write_arrays(path, compressed=True, fingerprint=np.array(known), **(found | rule))
    found, rule = _read(path, known)
    # What other versions kept beside: a state under its second name, one threshold for all.
    return {state: found[state] for state in from_run.states_of(model)}, rule


def _read(path: Path, known: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as archive:
            found = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"workdir: '{path}' is damaged ({error}). Delete it, and it is made anew.") from None
    if str(found.pop("fingerprint", "")) != known:
        raise InputError(
            f"workdir: '{path}' holds scores of another model or of other data than are here now. Restore those, "
            "delete it to score anew, or choose another --workdir."
        )
    rule = {name: kind(found.pop(name)) for name, kind in _RULE.items()}
    return found, rule


def _measured(
    cell: Cell, target: TargetImages, model: from_run.FinishedRun, *, draws: int, seed: int, selection: Selection
):
    rule: dict[str, Any] = {"rate": 0.0, "steps": 0}  # a head in closed form takes none, and has nothing to choose
    if model.prior is None:
        rule = {"rate": meta_test.rate_at(model.rule, cell.steps)[0], "steps": cell.steps or model.rule["steps"]}

    def worth(rule: dict[str, Any]) -> dict[str, np.ndarray]:
        support = target.pool.image, target.pool.label
        return from_run.scores_over_draws(model, support, target.test, shots=cell.shots, seed=seed, draws=draws, **rule)

    if selection == "oracle" and model.prior is None:
        rule = _oracle(cell, model, target.test, worth)
    return worth(rule), rule


def _oracle(cell: Cell, model: from_run.FinishedRun, test: TestSplit, worth: Callable) -> dict[str, Any]:
    """The rule that is best on the test split: what choosing on the answers would give."""
    steps = (cell.steps,) if cell.steps else meta_test.STEPS
    tried = [{"rate": rate, "steps": count} for count in steps for rate in meta_test.every_rate(model.config)]
    return max(tried, key=lambda rule: float(np.mean(auc(test.label, worth(rule)["adapted"]))))
