"""Trains one model of a study, as `metaforge train` does but without its choices, on images that all models share."""

import functools

import jax

import metaforge as mf
from experiments.study import agreement as study_agreement
from experiments.study.data import StudyData
from metaforge.core.devices import spread
from metaforge.errors import InputError
from metaforge.runs import Run
from metaforge.settings import change
from metaforge.training import build, checks, episodic, learner_choice, probing
from metaforge.training.config import Config
from metaforge.training.outer_loop import outer_loop


class Failure(Exception):
    """A model or a result that could not be made, and why: reported, and the others go on."""


@functools.lru_cache(maxsize=64)
def _first(config: Config):
    """The first state's maker."""
    return jax.jit(build.learner(config).init)


def initial(config: Config) -> mf.MetaState:
    """The state before the first outer step: every learner of a seed starts from the same model."""
    # What a learner itself draws for a start, it draws by the run's seed.
    seed = config.run.seed if "seed" in mf.LEARNERS[config.learner.name].takes else 0
    return _first(change(key(config), {"run.seed": seed}))(build.init_params(config))


def train(config: Config, data: StudyData, directory: Run, *, agreement: int = 0):
    """Trains to the end, from the last checkpoint if there is one, and returns the meta-parameters, on the host.

    With `agreement`, the directory gets the cosines between the domains' gradients every so many outer steps.

    Raises:
        Failure: when the loss or its gradient is no longer finite.
    """
    try:
        sampler = checks.sampler(config, data.train)
    except InputError as error:
        raise Failure(str(error)) from error
    measure = functools.partial(study_agreement.record, config, data=data, directory=directory)
    model = build.learner(config).model
    # What differs between the seeds and the held-out methods of a study is no part of the program.
    advance = episodic.advance_on(
        episodic.outer_step(key(config)), sampler,
        images=data.images, labels=data.labels, index=data.index,
        domains={name: number for number, name in enumerate(data.train.by_domain())},
        placed=spread(1, tasks=config.episodes.tasks),
    )  # fmt: skip

    def measured(state, step, count):
        if agreement and step % agreement == 0:
            measure(model(jax.device_get(state.params)), step)
        return advance(state, step, count)

    try:
        step, state = outer_loop(
            directory, initial(config), measured, steps=config.run.iterations, chunk=config.run.log_every,
            save_every=config.run.checkpoint_every,
        )  # fmt: skip
    except episodic.Diverged as error:
        raise Failure(f"the outer loss or its gradient is not finite at step {error.step}") from error
    params = jax.device_get(probing.final(config, state))
    if agreement:
        measure(model(params), step)
    return params


def key(config: Config) -> Config:
    """The configuration with everything at its default that no program depends on.

    Which method is held out is no matter, but that one is: learners may ask how many domains there are.
    """
    if config.faces.holdout and config.faces.methods == "all":
        config = change(config, {"faces.holdout": min(build.methods(change(config, {"faces.holdout": ""}))[0])})
    return learner_choice.for_step(config)
