"""Images are augmented in training alone, by the seed and the step."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import metaforge as mf
from metaforge.errors import InputError
from metaforge.settings import change
from metaforge.training import augmented, build, episodic, learner_choice, meta_train
from tests.experiments.conftest import TINY
from tests.interruption import interrupted
from tests.training.test_batch_size import params_of, rows_of

CONFIG = change(
    TINY,
    {
        "learner.name": "erm",
        "episodes.augment": "flip,contrast",
        "run.baseline": False,
        "run.iterations": 4,
        "run.checkpoint_every": 2,
    },
)


def episodes():
    images = np.random.default_rng(0).integers(0, 256, (2, 3, 16, 16, 3), np.uint8)
    batch = mf.Batch(jnp.asarray(images), jnp.zeros((2, 3), int))
    return mf.Episode(batch, batch)


def test_images_are_of_the_seed_and_the_step_and_labels_stay():
    of = jax.jit(lambda step: augmented.augment(CONFIG, step, episodes()))
    first, again, later = of(1), of(1), of(2)
    np.testing.assert_array_equal(first.query.inputs, again.query.inputs)
    assert (first.query.inputs != later.query.inputs).any()
    assert (first.query.inputs != first.support.inputs).any()
    np.testing.assert_array_equal(first.query.targets, episodes().query.targets)
    assert first.query.inputs.dtype == jnp.uint8
    # The seed is part of the compiled step, so that two seeds do not share one that draws for the first.
    other = change(CONFIG, {"run.seed": 1})
    assert learner_choice.for_step(CONFIG) != learner_choice.for_step(other)
    plain = change(CONFIG, {"episodes.augment": "none"})
    given = episodes()
    assert augmented.augment(plain, jnp.array(1), given) is given
    assert learner_choice.for_step(plain) == learner_choice.for_step(change(plain, {"run.seed": 1}))


@pytest.mark.parametrize("augment", ["none", "flip"])
def test_an_outer_step_draws_where_something_happens_and_only_there(augment):
    config, shape = change(CONFIG, {"episodes.augment": augment}), jax.ShapeDtypeStruct
    state = jax.eval_shape(lambda: build.learner(config).init(build.init_params(config)))
    rows, domain = shape((2, 4), jnp.int32), shape((2,), jnp.int32)
    pool = shape((9, 16, 16, 3), jnp.uint8), shape((9,), jnp.int32)
    step = jax.make_jaxpr(episodic.outer_step(learner_choice.for_step(config)))(state, *pool, rows, rows, domain)
    assert ("random_bits" in str(step)) == (augment != "none")


def test_an_interrupted_run_ends_bitwise_like_one_that_was_not_and_is_judged_on_images_as_they_are(tmp_path):
    meta_train.run(CONFIG, tmp_path / "whole", quiet=True)
    interrupted(lambda: meta_train.run(CONFIG, tmp_path / "run", quiet=True), when=lambda rows: rows[-1]["step"] == 4)
    # What validates and adapts afterwards asks for no augmentation: a run goes on where there is none any more.
    meta_train.run(CONFIG, tmp_path / "run", quiet=True)
    assert rows_of(tmp_path / "run") == rows_of(tmp_path / "whole")
    assert params_of(tmp_path / "run", CONFIG) == params_of(tmp_path / "whole", CONFIG)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        (
            {"episodes.augment": "turn"},
            r"^--episodes\.augment=turn: unknown 'turn'; give none, light, strong, or a list of flip",
        ),
        ({"episodes.augment": "flip,flip"}, "names one twice"),
        ({"episodes.augment": "flip,light"}, "'light' stands alone"),
        ({"run.iterations": 0, "adapt.rule": "discriminant"}, "nothing is trained"),
        ({"run.feature_cache": "features"}, "kept features"),
        (
            {"model.text": "small", "objective.name": "image_text", "faces.captions": "exact"},
            "left and right",
        ),
    ],
)
def test_what_cannot_work_is_one_line(changes, word):
    with pytest.raises(InputError, match=word):
        change(CONFIG, changes).check()
