"""Source validation while training: loss and accuracy of episodes before and after adaptation."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from metaforge.data.pools import ImagePool, gather
from metaforge.data.records import Records
from metaforge.settings import change
from metaforge.training import build, meta_test
from metaforge.training.config import Config


def validator(config: Config, records: Records, held: ImagePool, frozen: Any) -> Callable[[Any], dict[str, float]]:
    """Parameters to loss and accuracy on source-validation episodes, before adaptation and after."""
    sampler = meta_test.validation_sampler(config, records)
    images, labels, frozen = jax.device_put((held.image, held.label, frozen))
    # As the inner loop adapts, whatever rule meta-test will have.
    key = meta_test.rule_key(change(config, {"adapt.optimizer": "sgd"}))
    how = (config.learner.inner_lr, config.learner.inner_steps)

    def validate(params) -> dict[str, float]:
        found, params = [], meta_test.start(config, params)
        for index in range(config.run.eval_batches):
            rows = sampler(index)
            arrays = (jnp.asarray(held.index[rows.support]), jnp.asarray(held.index[rows.query]))
            found.append(evaluate(params, images, labels, *arrays, *how, config=key, frozen=frozen))
        means = np.mean(np.concatenate(jax.device_get(found), axis=-1), axis=-1, dtype=np.float64)
        names = ("val_loss_unadapted", "val_accuracy_unadapted", "val_loss", "val_accuracy")
        return dict(zip(names, np.ravel(means).tolist(), strict=True))

    return validate


@functools.partial(jax.jit, static_argnames="config")
def evaluate(params, images, labels, support, query, rate, steps, *, config: Config, frozen=None):
    """Loss and accuracy of each episode before and after adaptation; `params` and `config` as in `adapt_params`."""
    loss_fn = build.loss_fn(config, frozen=frozen)

    def one(episode):
        batch = episode.query._replace(context=episode.support.inputs)
        adapted = meta_test.adapt_params(params, episode.support, rate, steps, config=config, frozen=frozen)
        before, metrics_before = loss_fn(meta_test.unadapted(config, params), batch)
        after, metrics_after = loss_fn(adapted, batch)
        return before, metrics_before["accuracy"], after, metrics_after["accuracy"]

    return jax.lax.map(one, gather(images, labels, support, query))
