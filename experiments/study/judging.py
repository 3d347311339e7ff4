"""From a trained model to a cell's scores: rate and steps chosen on source validation, then the test episodes."""

import functools
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from experiments.study import data as study_data
from experiments.study import rules as study_rules
from experiments.study.methods import Method
from experiments.study.models import Failure
from metaforge.errors import InputError
from metaforge.evaluation.episodes import episode_auc
from metaforge.training import build
from metaforge.training.config import Config


class Grid(NamedTuple):
    """The budgets of a study.

    Attributes:
        shots: labelled images a class.
        steps: steps of adaptation.
        episodes: test episodes of every cell.
        tuning: episodes of source validation on which a rule's knob and steps are chosen.
        agreement: outer steps between measurements of how far the domains' gradients agree, of seed 0; 0 for never.
    """

    shots: tuple[int, ...]
    steps: tuple[int, ...]
    episodes: int
    tuning: int
    agreement: int = 0


class Trained(NamedTuple):
    """A model, how it was trained, and on what it is judged."""

    method: Method
    config: Config
    params: Any
    material: study_data.Material


class Choice(NamedTuple):
    """What source validation took: a rule's knob and its number of steps, their AUC, and all that were tried.

    Where there is nothing to choose and nobody looked, nothing was tried, and the AUC is 0.
    """

    knob: float
    steps: int
    auc: float
    tried: list[dict[str, Any]]


def validated(model: Trained, grid: Grid) -> float:
    """AUC on source validation, with the most shots and at the best rate and steps, to six digits.

    Raises:
        Failure: when everything that is tried diverges there.
    """
    return round(_choose(model, grid, max(grid.shots), _scorer(model, grid), look=True).auc, 6)


def judge(model: Trained, grid: Grid) -> tuple[list[dict[str, Any]], np.ndarray]:
    """The rows of a cell, what was chosen for each, and the scores `(rows, episodes, queries)`, float32.

    Raises:
        Failure: when everything that is tried diverges on source validation.
    """
    rule, material, score = model.method.rule, model.material, _scorer(model, grid)
    most = study_data.support_sets(model.config, material.support, shots=max(grid.shots), episodes=grid.episodes)
    queries = study_data.query_sets(model.config, material.test, episodes=grid.episodes)
    held, rows, scores = np.asarray(material.support.image), [], []
    for shots in grid.shots if _uses_labels(rule) else (max(grid.shots),):
        choice = _choose(model, grid, shots, score)
        support = study_data.fewer(most, shots)

        def scorer(part, images, support=support, knob=choice.knob):
            chosen = support[part]
            return score(held[chosen], material.support.label[chosen], images, knob)

        scores.append(material.test.score_episodes(scorer, queries, block=study_data.BLOCK))
        rows += [
            {"shots": shots if _uses_labels(rule) else 0, "steps": count, "knob": choice.knob,
             "chosen": count == choice.steps, "validation": choice.tried, "inner_lr": model.config.learner.inner_lr}
            for count in _steps(model, grid)
        ]  # fmt: skip
    return rows, np.concatenate(scores).astype(np.float32)


def _uses_labels(rule: str) -> bool:
    return rule not in ("none", "tent", "bn_query")


def _steps(model: Trained, grid: Grid) -> tuple[int, ...]:
    return study_rules.budgets(model.method.rule, model.config, grid.steps)


def _scorer(model: Trained, grid: Grid):
    """`score(support images, their labels, query images, knob)`: p(fake), `(budgets, episodes, queries)`."""
    config, rule = model.config, model.method.rule
    params = model.params if rule == "own" else build.learner(config).model(model.params)
    program = study_rules.program(study_rules.program_key(config, rule), rule, _steps(model, grid))
    context = jnp.asarray(build.source_context(config, model.material.train))
    return functools.partial(program, params, context)


def _choose(model: Trained, grid: Grid, shots: int, score, *, look: bool = False) -> Choice:
    """The knob and the number of steps with the highest mean AUC on source validation; ties go to the smaller.

    With `look` it is measured even where there is only one of each.
    """
    material, steps, tried = model.material, _steps(model, grid), []
    knobs = study_rules.knobs(model.method.rule, model.config)
    if len(knobs) == len(steps) == 1 and not look:
        return Choice(knobs[0], steps[0], 0.0, tried)
    try:
        support, query = study_data.validation_episodes(model.config, material, shots=shots, episodes=grid.tuning)
    except InputError as error:
        raise Failure(str(error)) from error
    images, labels = np.asarray(material.validation.image), material.validation.label
    parts = [slice(at, at + study_data.BLOCK) for at in range(0, grid.tuning, study_data.BLOCK)]
    for knob in knobs:
        found = np.concatenate(
            [score(images[support[part]], labels[support[part]], images[query[part]], knob) for part in parts], axis=1
        )
        for count, scores in zip(steps, found, strict=True):
            # A rule that diverges is the worst there is, on whichever episode.
            finite = np.isfinite(scores).all(axis=-1)
            each = episode_auc(labels[query], np.where(finite[:, None], scores, 0.5))
            tried.append({"knob": knob, "steps": count, "auc": float(np.mean(np.where(finite, each, 0.0)))})
    if not any(row["auc"] > 0 for row in tried):
        raise Failure("every rate and number of steps diverged on source validation")
    best = max(tried, key=lambda row: (round(row["auc"], 6), -row["steps"], -row["knob"]))
    return Choice(best["knob"], best["steps"], best["auc"], tried)
