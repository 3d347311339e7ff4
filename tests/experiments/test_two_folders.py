"""Two prepared folders: a source method has one name everywhere, and nothing is counted that is not there."""

import dataclasses

import jax
import numpy as np
import pytest

from metaforge.errors import InputError
from metaforge.settings import change
from metaforge.training import build, checks, probing
from metaforge.types import FAKE
from tests.experiments import test_protocol

NAMES = ["a/m1", "a/m2", "b/m1"]


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """Both folders have a method m1."""
    root = tmp_path_factory.mktemp("two")
    test_protocol.draw_set(root, "a", ["m1", "m2"])
    test_protocol.draw_set(root, "b", ["m1"])
    return change(test_protocol.TINY, {"faces.prepared": f"{root / 'a'},{root / 'b'}"})


@pytest.fixture(scope="module")
def images(config):
    return checks.images(config)[0]


def test_a_method_has_one_name_wherever_it_is_asked_for(config, images):
    assert build.methods(config) == (NAMES, [])
    assert sorted(set(images.method[images.label == FAKE].tolist())) == NAMES
    held = change(config, {"faces.holdout": "a/m1", "faces.methods": "b/m1"})
    assert sorted(checks.images(held)[0].by_domain()) == ["b/m1"]


@pytest.mark.parametrize("name", NAMES)
def test_a_method_of_one_folder_leads_every_meta_batch(config, images, name):
    sampler = checks.sampler(change(config, {"episodes.lead": name}), images)
    assert all(name in sampler(index).domains for index in range(5))


def test_a_method_that_is_in_two_folders_leads_by_the_name_it_has_there(config, images):
    with pytest.raises(InputError, match=r"'m1' is no source method of this run; they are a/m1, a/m2, b/m1. Name one"):
        checks.sampler(change(config, {"episodes.lead": "m1"}), images)


def test_outliers_are_probed_around_the_methods_of_both_folders(config, images):
    bank = probing.bank(change(config, {"objective.name": "fakeradar"}), images)
    counts = np.bincount(np.asarray(bank.kind))
    assert len(counts) == 1 + len(NAMES)
    assert len(set(counts.tolist())) == 1


def test_what_a_run_calls_a_method_is_no_part_of_which_images_it_has(config, images):
    plain = dataclasses.replace(images, method=np.char.rpartition(images.method.tolist(), "/")[:, 2])
    assert build.identity_of(config, images) == build.identity_of(config, plain)


def test_group_dro_has_a_weight_for_each_domain_that_episodes_carry(config, images):
    config = change(config, {"learner.name": "group_dro", "faces.acquisitions": "jpeg,varied"})
    learner = build.learner(config)
    state = jax.eval_shape(lambda: learner.init(build.init_params(config)))
    assert state.opt_state.log_weights.shape == (len(images.by_domain()),) == (len(NAMES),)


def test_no_treatment_at_all_is_one_line():
    with pytest.raises(InputError, match=r"--faces.acquisitions=,: names none; known: none, "):
        build.domain_count(change(test_protocol.TINY, {"faces.acquisitions": ","}))
