"""From a trained model to its scores: rate and steps chosen on source validation, then the test episodes."""

import functools
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from experiments.study import data as study_data
from experiments.study import rules as study_rules
from experiments.study.methods import Method
from experiments.study.models import Failure
from metaforge.adaptation import RULES, selection
from metaforge.adaptation.selection import Choice
from metaforge.errors import InputError
from metaforge.training import build, source_prior
from metaforge.training.config import Config


class Grid(NamedTuple):
    """The budgets of a study.

    Attributes:
        shots: labelled images a class.
        steps: steps of adaptation.
        episodes: test episodes of every model.
        tuning: episodes of source validation on which a rule's knob and steps are chosen.
        agreement: outer steps between measurements of how far the domains' gradients agree, of seed 0; 0 for never.
    """

    shots: tuple[int, ...]
    steps: tuple[int, ...]
    episodes: int
    tuning: int
    agreement: int = 0


class TrainedModel(NamedTuple):
    """A model, how it was trained, and on what it is judged."""

    method: Method
    config: Config
    params: Any
    data: study_data.StudyData


def validated(model: TrainedModel, grid: Grid) -> float:
    """AUC on source validation, with the most shots and at the best rate and steps, to six digits.

    Raises:
        Failure: when everything that is tried diverges there.
    """
    return round(_choose(model, grid, max(grid.shots), _scorer(model, grid), look=True).auc, 6)


def judge(model: TrainedModel, grid: Grid) -> tuple[list[dict[str, Any]], np.ndarray]:
    """Every budget with what was chosen for it, and the scores `(budgets, episodes, queries)`, float32.

    Raises:
        Failure: when everything that is tried diverges on source validation.
    """
    data, score = model.data, _scorer(model, grid)
    uses_support = RULES[model.method.rule].uses_support
    most = study_data.support_sets(model.config, data.support, shots=max(grid.shots), episodes=grid.episodes)
    queries = study_data.query_sets(model.config, data.test, episodes=grid.episodes)
    held, rows, scores = np.asarray(data.support.image), [], []
    for shots in grid.shots if uses_support else (max(grid.shots),):
        choice = _choose(model, grid, shots, score)
        support = study_data.fewer(most, shots)

        def scorer(part, images, support=support, knob=choice.knob):
            chosen = support[part]
            return score(held[chosen], data.support.label[chosen], images, knob)

        scores.append(data.test.score_episodes(scorer, queries, block=study_data.BLOCK))
        rows += [
            {"shots": shots if uses_support else 0, "steps": count, "knob": choice.knob,
             "chosen": count == choice.steps, "validation": [one._asdict() for one in choice.tried],
             "inner_lr": model.config.learner.inner_lr}
            for count in _steps(model, grid)
        ]  # fmt: skip
    return rows, np.concatenate(scores).astype(np.float32)


def _steps(model: TrainedModel, grid: Grid) -> tuple[int, ...]:
    return study_rules.budgets(model.method.rule, model.config, grid.steps)


def _scorer(model: TrainedModel, grid: Grid):
    """`score(support images, their labels, query images, knob)`: p(fake), `(budgets, episodes, queries)`."""
    config, rule = model.config, model.method.rule
    params = model.params if rule == "own" else build.learner(config).model(model.params)
    program = study_rules.program(study_rules.program_key(config, rule), rule, _steps(model, grid))
    context = jnp.asarray(build.source_context(config, model.data.train))
    if not RULES[rule].uses_source:
        return functools.partial(program, params, context)
    prior = source_prior.fitted(config, params, model.data.train).prior
    return functools.partial(program, params, context, prior=prior)


def _choose(model: TrainedModel, grid: Grid, shots: int, score, *, look: bool = False) -> Choice:
    """The knob and the number of steps with the highest mean AUC on source validation.

    With `look` it is measured even where there is only one of each.
    """
    data, steps = model.data, _steps(model, grid)
    knobs = RULES[model.method.rule].knobs(model.config.learner.inner_lr)
    if len(knobs) == len(steps) == 1 and not look:
        return Choice(knobs[0], steps[0], 0.0)
    try:
        support, query = study_data.validation_episodes(model.config, data, shots=shots, episodes=grid.tuning)
    except InputError as error:
        raise Failure(str(error)) from error
    images, labels = np.asarray(data.validation.image), data.validation.label
    parts = [slice(at, at + study_data.BLOCK) for at in range(0, grid.tuning, study_data.BLOCK)]

    def scores(knob: float) -> np.ndarray:
        return np.concatenate(
            [score(images[support[part]], labels[support[part]], images[query[part]], knob) for part in parts], axis=1
        )

    choice = selection.choose(knobs, steps, scores, labels[query])
    if not choice.auc > 0:
        raise Failure("every rate and number of steps diverged on source validation")
    return choice
