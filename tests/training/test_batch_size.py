"""Batches whose size follows the gradient's noise, or memory: for every learner, resumed, and compiled once."""

import contextlib

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import metaforge as mf
from metaforge import runs
from metaforge.core.noise_scale import NoiseState
from metaforge.errors import InputError
from metaforge.learners import LEARNERS
from metaforge.settings import change
from metaforge.training import batch_size, build, episodic, learner_choice, meta_train, probing
from metaforge.training.config import Config
from tests.experiments.conftest import TINY
from tests.interruption import interrupted

DYNAMIC = change(
    TINY,
    {
        "learner.name": "erm",
        "run.baseline": False,
        "run.batches": "difficulty",
        "run.buckets": "1,2,3",
        "run.iterations": 24,
        "run.eval_every": 24,
        "run.checkpoint_every": 4,
    },
)
MODEL = mf.backbones.mlp(hidden=(4,), outputs=2)
LOSS = mf.objectives.loss_fn(MODEL, mf.objectives.cross_entropy())


def rows_of(folder):
    passing = ("seconds", "data_wait")
    return [{k: v for k, v in row.items() if k not in passing} for row in runs.read_rows(folder)]


def params_of(folder, config):
    return runs.fingerprint(runs.restore(folder, jax.eval_shape(lambda: probing.initial(config))).params)


@contextlib.contextmanager
def counted():
    """The programs of outer steps that are traced meanwhile: how many tasks each has."""
    traced, of = [], build.learner

    def learner(config, *, frozen=None, tasks=None):
        made = of(config, frozen=frozen, tasks=tasks)

        def update(state, episodes):
            traced.append(len(episodes.query.targets))
            return made.update(state, episodes)

        return made._replace(update=update)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "learner", learner)
        episodic.outer_step.cache_clear()
        yield traced
    episodic.outer_step.cache_clear()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run whose batches change, and what it traced."""
    folder = tmp_path_factory.mktemp("runs") / "dynamic"
    with counted() as traced:
        meta_train.run(DYNAMIC, folder, quiet=True)
    return folder, traced


def test_every_size_is_compiled_once_and_the_log_has_it(whole):
    folder, traced = whole
    sizes = [row["tasks"] for row in rows_of(folder)]
    assert sizes[0] == DYNAMIC.episodes.tasks  # before anything is known
    assert len({*sizes}) > 1
    assert sorted(traced) == sorted({*sizes})
    known = [row for row in rows_of(folder) if "noise_scale" in row]
    assert known
    assert all(row["tasks"] == batch_size.nearest((1, 2, 3), row["noise_scale"]) for row in known)
    assert all(row["rate_factor"] == 1 for row in known)


@pytest.mark.parametrize("stop_at", [8])
def test_an_interrupted_run_takes_the_same_batches_to_the_same_parameters(whole, tmp_path, stop_at):
    interrupted(lambda: meta_train.run(DYNAMIC, tmp_path, quiet=True), when=lambda rows: len(rows) == stop_at)
    meta_train.run(DYNAMIC, tmp_path, quiet=True)
    assert rows_of(tmp_path) == rows_of(whole[0])
    assert params_of(tmp_path, DYNAMIC) == params_of(whole[0], DYNAMIC)


def test_by_memory_it_is_the_largest_that_fits_and_what_was_found_is_kept(tmp_path, monkeypatch):
    needs = {1: 1.0, 2: 2.0, 3: 4.0}
    config = change(DYNAMIC, {"run.batches": "memory", "run.batch_memory_gb": 3.0})
    of = lambda tasks: needs[tasks] * batch_size.GIB
    state = mf.learners.MetaState(None, batch_size.following(optax.sgd(1.0), config, 2).init(jnp.zeros(1)), 0)
    choose = lambda config, memory: batch_size.batches(config, tmp_path, lambda tasks: None, memory).choose(state)[0]
    assert choose(config, of) == 2
    # A run goes on with what it began with; nothing is compiled to ask again.
    assert choose(config, lambda tasks: pytest.fail("asked again")) == 2
    assert choose(change(config, {"run.batch_memory_gb": 4.0}), of) == 3
    with pytest.raises(InputError, match=r"^--run.batch_memory_gb=0\.5: an outer step on 1 tasks needs 1\. "):
        choose(change(config, {"run.batch_memory_gb": 0.5}), of)


def test_what_xla_counts_is_at_least_what_goes_in_and_out_and_donated_memory_counts_once():
    size = 1000
    plain = jax.jit(lambda x: 2 * x).lower(jnp.zeros(size)).compile()
    donated = jax.jit(lambda x: 2 * x, donate_argnums=0).lower(jnp.zeros(size)).compile()
    assert batch_size.bytes_of(plain) >= 8 * size
    assert batch_size.bytes_of(donated) == pytest.approx(batch_size.bytes_of(plain) - 4 * size, abs=64)


def episodes(tasks):
    rng = np.random.default_rng(0)
    batch = lambda n: mf.Batch(rng.normal(size=(tasks, n, 3)).astype(np.float32), np.tile(np.arange(n) % 2, (tasks, 1)))
    return jax.tree.map(jnp.asarray, mf.Episode(batch(4), batch(6), np.arange(tasks, dtype=np.int32)))


@pytest.mark.parametrize("name", LEARNERS)
def test_with_one_bucket_every_learner_takes_the_fixed_runs_steps_bit_for_bit(name):
    fixed = change(Config(), {"learner.name": name, "episodes.tasks": 2, "learner.inner_steps": 1})
    one = change(fixed, {"run.batches": "difficulty", "run.buckets": "2", "run.batch_rate": "linear"})
    made = [learner_choice.learner(config, LOSS, 0.01, domains=3, tasks=2) for config in (fixed, one)]
    params = jax.jit(MODEL.init)(jax.random.key(0), jnp.zeros((1, 3)))
    found = []
    for learner in made:
        state, update = learner.init(params), jax.jit(learner.update)
        for _ in range(2):
            state, info = update(state, episodes(2))
        found.append((state.params, info.loss))
    jax.tree.map(np.testing.assert_array_equal, *found)
    # What is measured is in the state: of a learner that gave its optimizer no gradient, nothing would be.
    at = lambda node: isinstance(node, NoiseState)
    (measured,) = (one for one in jax.tree.leaves(state.opt_state, is_leaf=at) if at(one))
    assert measured.count == 2
    assert measured.square > 0


def test_a_sum_over_tasks_steps_as_if_there_were_as_many_as_ever_times_the_rate():
    sgd = {"learner.name": "maml", "learner.outer_optimizer": "sgd", "episodes.tasks": 2, "run.batches": "difficulty",
           "run.buckets": "2,4"}  # fmt: skip
    params = jax.jit(MODEL.init)(jax.random.key(0), jnp.zeros((1, 3)))
    half = episodes(2)
    twice = jax.tree.map(lambda leaf: jnp.concatenate([leaf, leaf]), half)

    def step(tasks, batch, **more):
        learner = learner_choice.learner(change(Config(), sgd | more), LOSS, 0.01, domains=1, tasks=tasks)
        moved = jax.jit(learner.update)(learner.init(params), batch)[0].params
        return jax.tree.map(jnp.subtract, moved, params)

    near = lambda a, b: jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-3, atol=1e-8), a, b)
    plain = step(2, half)
    for rule, factor in (("none", 1.0), ("sqrt", 2**0.5), ("linear", 2.0)):
        near(step(4, twice, **{"run.batch_rate": rule}), jax.tree.map(lambda leaf, f=factor: f * leaf, plain))


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"run.batches": "fixed"}, r"--run\.buckets=1,2,3: for --run\.batches"),
        ({"run.batches": "fixed", "run.buckets": "", "run.batch_rate": "sqrt"}, r"--run\.batch_rate=sqrt: for"),
        ({"run.buckets": ""}, "rising, such as"),
        ({"run.buckets": "4,2"}, "rising, such as"),
        ({"run.buckets": "0,2"}, "rising, such as"),
        ({"run.buckets": "4,8"}, r"--episodes\.tasks=2 is not among them"),
        ({"run.batches": "memory"}, r"--run\.batch_memory_gb"),
        ({"learner.name": "mldg"}, "Give 2 or more"),
        ({"run.devices": 2}, r"^--run\.buckets=1,2,3: "),
        ({"run.iterations": 0, "adapt.rule": "discriminant"}, "no batches"),
    ],
)
def test_what_cannot_work_is_one_line(changes, word):
    with pytest.raises(InputError, match=word) as caught:
        change(DYNAMIC, changes).check()
    assert "\n" not in str(caught.value)
