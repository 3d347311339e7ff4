"""From a recipe to the learner that follows it."""

from typing import Any

import optax

import metaforge as mf
from experiments.omniglot.recipes import Recipe
from metaforge.objectives import cross_entropy, loss_fn


def learner(
    name: str, recipe: Recipe, model: mf.Backbone, *, steps: int, strategy: Any = "auto", remat: Any = "none"
) -> mf.MetaLearner:
    """The learner of a recipe, with so many inner steps."""
    options: dict[str, Any] = {"outer_optimizer": _outer(recipe), "strategy": strategy}
    if recipe.inner:
        inner = optax.sgd(recipe.inner_lr) if recipe.inner == "sgd" else optax.adam(recipe.inner_lr, b1=0.0)
        options |= {"inner_optimizer": inner, "inner_steps": steps}
    options |= {"batch_size": recipe.batch} if name == "reptile" else {"reduction": "mean"}
    if name == "maml":
        options["remat"] = remat
    return mf.LEARNERS[name].make(loss_fn(model, cross_entropy()), **options)


def _outer(recipe: Recipe) -> optax.GradientTransformation:
    if recipe.outer == "linear":
        return optax.sgd(optax.linear_schedule(recipe.outer_lr, 0.0, recipe.iterations))
    if recipe.outer == "adam_halved":
        return optax.adam(optax.exponential_decay(recipe.outer_lr, 2000, 0.5, staircase=True))
    return optax.adam(recipe.outer_lr)
