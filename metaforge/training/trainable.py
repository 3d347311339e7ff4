"""What outer steps train (`--learner.trainable`), and the rest: frozen, it is given to every program beside that.

A learner sees the moving part alone, so that no gradient of the rest is computed, no optimizer keeps a state for it,
and no checkpoint holds it.
"""

import jax
import jax.numpy as jnp

import metaforge as mf
from metaforge.backbones._reading import WORDS
from metaforge.backbones.spec import NO_TEXT
from metaforge.core.param_paths import attach, merge, partition
from metaforge.errors import InputError
from metaforge.training.config import Config
from metaforge.types import Params


def part(config: Config, params: Params) -> tuple[Params, Params | None]:
    """What a run moves of all parameters, and what it does not; `None` for a run that moves all.

    Raises:
        InputError: for a pattern that no path has.
    """
    if not config.learner.trainable:
        return params, None
    try:
        return partition(params, config.learner.trainable)
    except ValueError as error:
        raise InputError(f"--learner.trainable: {error}") from None


def whole(params: Params, frozen: Params | None) -> Params:
    """All parameters again."""
    return params if frozen is None else merge(params, frozen)


def attached(backbone: mf.Backbone, frozen: Params) -> mf.Backbone:
    """A backbone that takes the moving part alone."""
    head = backbone.head

    def of_moving(params, embeddings):
        assert head is not None
        return head(merge(params, frozen), embeddings)

    return backbone._replace(apply=attach(backbone.apply, frozen), head=head and of_moving)


def check(config: Config, params: Params) -> None:
    """Holds the patterns of a configuration against the parameters' paths; `params` may be shapes.

    Raises:
        InputError: for a pattern that no path has, inner steps or a learner that move what outer steps may not, and a
            tower of 16 bits that would be trained.
    """
    moving, frozen = part(config, params)
    if config.model.levels and any(jax.tree.leaves(leaf) for name, leaf in moving.items() if name != "head"):
        raise InputError(
            f"--learner.trainable={config.learner.trainable}: with --model.levels the network and its statistics stay "
            "as they are. Give --learner.trainable='^head/'."
        )
    if config.model.text != NO_TEXT and not jax.tree.leaves(moving[WORDS]):
        raise InputError(
            f"--learner.trainable={config.learner.trainable}: what reads captions would stay as it was drawn. Train "
            f"'{WORDS}' too, such as --learner.trainable='^(head|{WORDS})'."
        )
    leaves = lambda tree: len(jax.tree.leaves(tree))
    if mf.LEARNERS[config.learner.name].own_head and leaves(moving.get("head")) < leaves(params["head"]):
        raise InputError(
            f"--learner.trainable={config.learner.trainable}: {config.learner.name} makes its own head. "
            "Train 'head' too."
        )
    for name in ("adaptable", "per_step"):
        if pattern := getattr(config.learner, name):
            try:
                partition(moving, pattern)
            except ValueError as error:
                among = " among those that --learner.trainable trains" if frozen is not None else ""
                raise InputError(f"--learner.{name}{among}: {error}") from None
    if config.model.precision == "bfloat16" and config.model.backbone == "clip":
        tower = jax.tree.leaves(moving.get("vision"))
        if any(leaf.dtype == jnp.bfloat16 for leaf in tower):
            raise InputError(
                "--model.precision: clip's tower is not trained in bfloat16. Give float32, or --learner.trainable=head."
            )
