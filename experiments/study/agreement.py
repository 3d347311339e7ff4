"""Do the source domains pull the same way? The cosines between their outer gradients, now and then while training."""

import functools
import json

import jax
import jax.numpy as jnp
import numpy as np
import optax

import metaforge as mf
from experiments.study.data import StudyData
from metaforge.data.episodes import EpisodeSampler
from metaforge.data.pools import gather
from metaforge.learners.spec import LearnerSpec
from metaforge.runs import Run, read_rows
from metaforge.training import build
from metaforge.training.config import Config, RunSpec

BATCHES = 8
"""Episodes of each domain that a gradient is averaged over."""


def record(config: Config, params, step: int, *, data: StudyData, directory: Run) -> None:
    """Appends a line of step, domains and cosines to `agreement.jsonl`, unless that step has one.

    A domain's gradient is that of its query loss after one inner step, first order, whatever the learner is, so that
    learners can be compared; `params` are the model's.
    """
    path = directory.directory / "agreement.jsonl"
    if path.exists() and any(row["step"] == step for row in read_rows(directory.directory, name=path.name)):
        return
    names = list(data.train.by_domain())
    sampler = EpisodeSampler(
        data.train,
        seed=5_000_000 + config.run.seed,
        tasks=len(names),
        shots=config.episodes.shots,
        queries=config.episodes.queries,
    )
    total = 0.0
    for index in range(BATCHES):
        rows = sampler(index)
        # A meta-batch of all domains has each once, in an order of its own.
        order = np.argsort([names.index(name) for name in rows.domains])
        sides = (data.index[rows.support][order], data.index[rows.query][order])
        total = total + _gradients(_key(config), params, data.images, data.labels, *sides, config.learner.inner_lr)
    unit = np.asarray(total, np.float64)
    unit = unit / np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-12)
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps({"step": step, "domains": names, "cosine": np.round(unit @ unit.T, 4).tolist()}) + "\n")


@functools.partial(jax.jit, static_argnums=0)
def _gradients(config: Config, params, images, labels, support, query, rate):
    """Every task's first-order outer gradient as one row: `(tasks, parameters)`."""
    loss_fn = build.loss_fn(config)

    def one(episode):
        adapted, _ = mf.adapt(loss_fn, params, episode.support, optimizer=optax.sgd(rate))
        batch = episode.query._replace(context=episode.support.inputs)
        grads = jax.grad(lambda params: loss_fn(params, batch)[0])(adapted)
        return jnp.concatenate([leaf.ravel() for leaf in jax.tree.leaves(grads)])

    return jax.lax.map(one, gather(images, labels, support, query))


def _key(config: Config) -> Config:
    """What the program looks at."""
    learner = LearnerSpec(trainable=config.learner.trainable)
    run = RunSpec(feature_cache=config.run.feature_cache)
    return Config(model=config.model, objective=config.objective, learner=learner, run=run)
