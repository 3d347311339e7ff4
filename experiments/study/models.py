"""Trains one model of a study: the loop of `metaforge train` without its choices, on images that all models share."""

import functools
import time

import jax
import numpy as np

import metaforge as mf
from experiments.study import agreement as study_agreement
from experiments.study.data import Material
from metaforge.data.episodes import gather
from metaforge.errors import InputError
from metaforge.runs import Run
from metaforge.settings import change
from metaforge.training import build, checks, learner_choice, probing
from metaforge.training.config import Config
from metaforge.training.loop import summarise


class Failure(Exception):
    """A model or a cell that could not be made, and why: reported, and the others go on."""


@functools.lru_cache(maxsize=64)
def _programs(config: Config):
    """The outer step, shared by held-out methods and, but for learners that draw as they step, by all seeds."""
    learner = build.learner(config)

    @functools.partial(jax.jit, donate_argnums=0)
    def update(state, images, labels, support, query, domain):
        return learner.update(state, gather(images, labels, support, query, domain))

    return update


@functools.lru_cache(maxsize=64)
def _first(config: Config):
    """The first state's maker."""
    return jax.jit(build.learner(config).init)


def initial(config: Config) -> mf.MetaState:
    """The state before the first outer step: every learner of a seed starts from the same model."""
    # What a learner itself draws for a start, it draws by the run's seed.
    seed = config.run.seed if "seed" in mf.LEARNERS[config.learner.name].takes else 0
    return _first(change(key(config), {"run.seed": seed}))(build.init_params(config))


def train(config: Config, material: Material, directory: Run, *, agreement: int = 0):
    """Trains to the end, from the last checkpoint if there is one, and returns the meta-parameters, on the host.

    With `agreement`, the directory gets the cosines between the domains' gradients every so many outer steps.

    Raises:
        Failure: when the loss or its gradient is no longer finite.
    """
    try:
        sampler = checks.sampler(config, material.train)
    except InputError as error:
        raise Failure(str(error)) from error
    names = {name: number for number, name in enumerate(material.train.by_domain())}
    update = _programs(key(config))
    step, state = directory.resume(initial(config))
    model = build.learner(config).model
    while step < config.run.iterations:
        if agreement and step % agreement == 0:
            study_agreement.record(config, model(jax.device_get(state.params)), step, material, directory)
        began, infos, domains = time.perf_counter(), [], []
        for index in range(step, min(step + config.run.log_every, config.run.iterations)):
            rows = sampler(index)
            number = np.array([names[name] for name in rows.domains], np.int32)
            arrays = (material.index[rows.support], material.index[rows.query], number)
            state, info = update(state, material.images, material.labels, *arrays)
            infos.append(info)
            domains.append(rows.domains)
        infos = jax.device_get(infos)
        bad = [step + place for place, info in enumerate(infos, 1)
               if not (np.isfinite(info.loss) and np.isfinite(info.grad_norm))]  # fmt: skip
        if bad:
            raise Failure(f"the outer loss or its gradient is not finite at step {bad[0]}")
        step += len(infos)
        directory.log({"step": step, "seconds": round(time.perf_counter() - began, 4)} | summarise(infos, domains))
        if step % config.run.checkpoint_every == 0 or step == config.run.iterations:
            directory.save(step, state)
    params = jax.device_get(probing.final(config, state))
    if agreement:
        study_agreement.record(config, model(params), step, material, directory)
    return params


def key(config: Config) -> Config:
    """The configuration with everything at its default that no program depends on.

    Which method is held out is no matter, but that one is: learners may ask how many domains there are.
    """
    if config.faces.holdout and config.faces.methods == "all":
        config = change(config, {"faces.holdout": min(build.methods(change(config, {"faces.holdout": ""}))[0])})
    return learner_choice.for_step(config)
