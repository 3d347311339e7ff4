"""The mean over targets that share people."""

import numpy as np
import pytest

from metaforge.errors import InputError
from metaforge.evaluation import Target, bootstrap, joint_bootstrap, macro_bootstrap


def target(seed, *, people=30, prefix="", baseline=False):
    rng = np.random.default_rng(seed)
    labels = np.tile([0, 1], 2 * people)
    names = np.repeat([f"{prefix}person {i}" for i in range(people)], 4)
    ease = np.repeat(rng.normal(size=people), 4)
    scores = labels + ease * labels + rng.normal(size=(2, 1, len(labels)))
    return Target(labels, scores, names, scores + rng.normal(size=scores.shape) if baseline else None)


def test_one_target_is_the_bootstrap():
    one = target(0)
    expected = bootstrap(one.labels, one.scores, one.clusters, resamples=4000)
    found = joint_bootstrap({"swap": one}, resamples=4000)
    assert found.value == expected.value
    np.testing.assert_allclose(found[1:], expected[1:], atol=0.01)


def test_the_same_evidence_twice_is_no_more_evidence():
    one = target(1)
    # Resampled together the copies rise and fall as one; resampled apart they would seem to be more.
    twice = joint_bootstrap({"a": one, "b": one})
    np.testing.assert_allclose(twice, joint_bootstrap({"a": one}))
    apart = macro_bootstrap({name: target(1, prefix=name) for name in ("a", "b")}, resample_seeds=False)
    assert apart.high - apart.low < 0.85 * (twice.high - twice.low)


def test_the_value_is_the_mean_of_the_differences_whatever_the_order():
    targets = {f"t{i}": target(i, baseline=True) for i in range(3)}
    found = joint_bootstrap(targets)
    each = [joint_bootstrap({name: one}).value for name, one in targets.items()]
    np.testing.assert_allclose(found.value, np.mean(each))
    assert joint_bootstrap(dict(reversed(targets.items()))) == found


def test_targets_of_other_people_are_refused():
    with pytest.raises(InputError, match="'person 30' is in only one of the targets 'a' and 'b'"):
        joint_bootstrap({"a": target(0), "b": target(0, people=31)})
