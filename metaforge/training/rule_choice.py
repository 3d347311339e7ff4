"""From a `Config` to a rule of adaptation, by name."""

from typing import Any

import optax

from metaforge.adaptation import RULES, AdaptationRule
from metaforge.training import build
from metaforge.training.config import Config


def rule(
    name: str, config: Config, *, steps: tuple[int, ...], knob, context, prior=None, unlabelled=None
) -> AdaptationRule:
    """A rule for the model of a configuration.

    Args:
        name: in `metaforge.adaptation.RULES`.
        config: gives the model and the objective, the parameters that "part" adapts, and the learner whose own rule
            "own" is.

    Other Arguments:
        steps: after how many steps to score, for a rule that takes any.
        knob: its rate, of gradient descent, or its penalty; a number, or a traced one.
        context: source images whose statistics normalise where nothing of the target does.
        prior: of the source, for a rule that takes one (`metaforge.training.source_prior`).
        unlabelled: real images of the target beside the support set, for a rule that takes them.
    """
    entry = RULES[name]
    given: dict[str, Any] = {
        "backbone": build.model(config),
        "objective": build.objective(config),
        "optimizer": optax.sgd(knob),
        "steps": steps,
        "adaptable": config.learner.adaptable,
        "l2": knob,
        "context": context,
        "prior": prior,
        "unlabelled": unlabelled,
    }
    if "adapt" in entry.takes:
        given["adapt"] = build.learner(config).adapt
    return entry.rule(given)
