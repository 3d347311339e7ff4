"""Every learner from its configuration: the outer step and adaptation fit a run's images, as far as shapes can say."""

import functools
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import metaforge as mf
from experiments.study import methods, rules
from experiments.study import models as study_models
from metaforge.errors import InputError
from metaforge.screening import from_run
from metaforge.settings import change
from metaforge.training import build, checks, cited, episodic, learner_choice, meta_test, validating
from metaforge.training.config import Config

TINY = change(
    Config(),
    {
        "model.image_size": 16,
        "model.width": 4,
        "model.convolution": "lax",
        "episodes.tasks": 2,
        "episodes.shots": 2,
        "episodes.queries": 3,
        "learner.inner_steps": 2,
    },
)
IMAGES = jax.ShapeDtypeStruct((12, 16, 16, 3), jnp.uint8)


def int32(*shape):
    return jax.ShapeDtypeStruct(shape, jnp.int32)


@pytest.mark.parametrize("name", mf.LEARNERS)
def test_every_setting_of_a_learner_reaches_it_by_the_name_of_the_argument(name):
    # What no setting says stays at its default, and must have one.
    given = learner_choice.values(TINY, 0.1, domains=2)
    _, *taken = inspect.signature(mf.LEARNERS[name].make).parameters.values()
    assert not [one.name for one in taken if one.default is one.empty and one.name not in given]
    assert all(one.kind is one.KEYWORD_ONLY for one in taken)


@pytest.fixture
def newcomer(monkeypatch):
    """A learner of one's own, registered once: joint training that writes the head's bias, by the shots' balance."""

    def make(loss_fn, *, outer_optimizer, temperature=2.0, mine=3):
        assert mine == 3, "what is no setting stays at its default"
        plain = mf.erm(loss_fn, inner_optimizer=optax.sgd(0.1), outer_optimizer=outer_optimizer)

        def adapt(params, support):
            bias = jnp.full_like(params["head"]["bias"], jnp.mean(support.targets) / temperature)
            return params | {"head": params["head"] | {"bias": bias}}, plain.adapt(params, support)[1]

        return plain._replace(adapt=adapt)

    entry = mf.learners.Entry(make, ("finn2017maml",), adapts_itself=True, own_head=True, least_tasks=2)
    monkeypatch.setitem(mf.LEARNERS, "newcomer", entry)
    return change(TINY, {"learner.name": "newcomer", "learner.temperature": 4.0})


def test_a_new_learner_is_trained_validated_and_adapted_by_its_name(newcomer):
    programs_fit("newcomer")
    params = build.init_params(newcomer)
    support = mf.Batch(jnp.zeros((4, 16, 16, 3), jnp.uint8), jnp.array([0, 1, 1, 1]))
    key = meta_test.rule_key(newcomer)
    adapted = meta_test.adapt_params(meta_test.start(newcomer, params), support, 0.1, 2, config=key)
    np.testing.assert_array_equal(adapted["head"]["bias"], 0.75 / 4.0)


def test_a_new_learner_is_what_it_says_it_is(newcomer):
    with pytest.raises(InputError, match=r"tasks=1: newcomer holds domains out .* Give 2 or more"):
        checks.check_settings(change(newcomer, {"episodes.tasks": 1}))
    with pytest.raises(InputError, match=r"newcomer makes its own head\. Train 'head' too"):
        checks.check_settings(change(newcomer, {"learner.trainable": "^Conv"}))
    with pytest.raises(InputError, match="newcomer weighs no tasks"):
        checks.check_settings(change(newcomer, {"learner.weighting": "focal"}))
    with pytest.raises(InputError, match="newcomer adapts as it has learned to"):
        from_run.refuse_rule(newcomer, rate=0.1, steps=0)
    assert "@inproceedings{finn2017maml" in mf.citation("newcomer", *cited.parts_of(newcomer))


def test_a_new_learner_has_a_row_of_a_study(newcomer):
    assert methods.chosen("newcomer", methods.STUDIES["leave_one_out"], "support")[-1] == "newcomer"
    (row,) = methods.METHODS["newcomer"].candidates
    config = row.trained(newcomer)
    assert (row.rule, config) == ("own", newcomer)
    state = jax.eval_shape(lambda: study_models.initial(config))
    update = episodic.outer_step(study_models.key(config))
    after, _ = jax.eval_shape(update, state, IMAGES, int32(12), int32(2, 4), int32(2, 6), int32(2))
    assert jax.tree.structure(after) == jax.tree.structure(state)
    assert rules.budgets("own", config, (0, 1, 5)) == (0,)


@pytest.mark.parametrize("name", mf.LEARNERS)
def test_a_run_s_programs_fit_every_learner(name):
    programs_fit(name)


def programs_fit(name):
    config = change(TINY, {"learner.name": name})
    learner = build.learner(config)
    state = jax.eval_shape(lambda: learner.init(build.init_params(config)))
    update = episodic.outer_step(config)
    after, info = jax.eval_shape(update, state, IMAGES, int32(12), int32(2, 4), int32(2, 6), int32(2))
    assert jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), (after,)) == jax.tree.map(
        lambda leaf: (leaf.shape, leaf.dtype), (state,)
    )
    infos = jax.tree.map(lambda leaf: np.ones(leaf.shape), info)
    row = episodic.summarise([infos], [("swap", "warp")])
    assert {"query_loss", "support_loss", "weight"} < set(row)
    assert {"query_loss/swap", "weight/swap"} <= set(row) or len(info.query_losses) == 1
    support = mf.Batch(jax.ShapeDtypeStruct((4, 16, 16, 3), jnp.uint8), int32(4))
    key = meta_test.rule_key(config)
    start = functools.partial(meta_test.start, config)
    jax.eval_shape(
        lambda p, *rows: validating.evaluate(start(p), *rows, 0.1, 2, config=key),
        *(state.params, IMAGES, int32(12), int32(2, 4), int32(2, 6)),
    )
    adapted = jax.eval_shape(
        lambda p, s: meta_test.adapt_params(start(p), s, 0.1, 2, config=key),
        state.params,
        support,
    )
    model = jax.eval_shape(lambda: build.init_params(config))
    assert jax.tree.map(lambda leaf: leaf.shape, adapted) == jax.tree.map(lambda leaf: leaf.shape, model)


def test_anil_and_partial_runs_adapt_what_they_learned_to_adapt():
    params = jax.eval_shape(lambda: build.init_params(TINY))
    zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape), params)
    support = mf.Batch(jnp.zeros((2, 16, 16, 3), jnp.uint8), jnp.array([0, 0]))
    for changes, moving in (
        ({"learner.name": "anil"}, "head"),
        ({"learner.name": "maml", "learner.adaptable": "^head/bias"}, "head"),
    ):
        key = meta_test.rule_key(change(TINY, changes))
        adapted = meta_test.adapt_params(zeros, support, 0.1, 1, config=key)
        moved = {name for name in adapted for leaf in jax.tree.leaves(adapted[name]) if np.any(np.asarray(leaf) != 0)}
        assert moved == {moving}


def test_a_weighting_for_a_learner_that_takes_none_is_one_line():
    with pytest.raises(InputError, match="erm weighs no tasks"):
        build.learner(change(TINY, {"learner.name": "erm", "learner.weighting": "detached"}))


def test_what_a_learner_draws_it_draws_by_the_run_s_seed(monkeypatch):
    configs = [change(TINY, {"learner.name": "ltw", "learner.inner_steps": 1, "run.seed": seed}) for seed in (0, 1)]
    params = build.init_params(TINY)
    made = [build.learner(config).init(params).params.weigher["hidden"]["kernel"] for config in configs]
    assert not np.allclose(*made)
    # A study's models of one kind share their programs, and start as those of their own seed do.
    for config, expected in zip(configs, made, strict=True):
        found = study_models.initial(config).params.weigher["hidden"]["kernel"]
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    given = []

    def reptile(loss_fn, *, outer_optimizer, seed):
        given.append(seed)
        return mf.fomaml(loss_fn, inner_optimizer=optax.sgd(0.1), outer_optimizer=outer_optimizer)

    monkeypatch.setitem(mf.LEARNERS, "reptile", mf.LEARNERS["reptile"]._replace(make=reptile))
    for seed in (0, 5):
        build.learner(learner_choice.for_step(change(TINY, {"learner.name": "reptile", "run.seed": seed})))
    assert given == [0, 5]
    assert learner_choice.for_step(
        change(TINY, {"run.seed": 5, "faces.folder": "mine", "run.iterations": 7, "adapt.lr": 1.0})
    ) == learner_choice.for_step(TINY)
