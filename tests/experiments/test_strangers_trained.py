"""Who is trained on, and when a training has come to a loss, where it is known by plain reasoning."""

import numpy as np
import pytest

from experiments.strangers.trained import measures, running, training
from experiments.strangers.trained.config import Config
from metaforge.data.records import Records
from metaforge.errors import InputError
from metaforge.forgeries import FORGERIES
from metaforge.settings import change

CONFIG = Config()


def test_the_two_halves_are_all_methods_once():
    one, other = running.halves(CONFIG)
    assert set(one) == set(CONFIG.unseen.split(","))
    assert sorted((*one, *other)) == sorted(FORGERIES)
    for unseen in ("oops", "", ",".join(FORGERIES)):
        with pytest.raises(InputError, match="--unseen"):
            running.halves(change(CONFIG, {"unseen": unseen}))


def test_buckets_that_are_no_numbers_are_refused():
    with pytest.raises(InputError, match="--buckets=two,4: give numbers"):
        training.arms(change(CONFIG, {"buckets": "two,4"}))


def test_every_way_to_train_is_one_that_metaforge_train_takes():
    arms = training.arms(CONFIG)
    assert next(iter(arms)) == "4 tasks"
    for arm in arms.values():
        training.settings(CONFIG, arm, 0).check()


def test_nobody_of_the_left_out_is_trained_on_nor_whoever_validates():
    rows = [
        (f"{place}/{method}", method, label, f"{place}{person}", f"{place}{(person + 1) % 10}" if label else "")
        for place in "abc" for method in ("swap", "warp", "smooth") for person in range(10) for label in (0, 1)
    ]  # fmt: skip
    domain, method, label, identity, donor = zip(*rows, strict=True)
    records = Records.from_columns(
        image=np.zeros((len(rows), 4, 4, 3), np.uint8), domain=domain, method=method, label=label, identity=identity,
        donor=donor,
    )  # fmt: skip
    train, validation = running._rows(CONFIG, running.Fold("b", ("swap",)), records)
    for part in (train, validation):
        assert len(part)
        assert {rows[n][0] for n in part} == {"a/warp", "a/smooth", "c/warp", "c/smooth"}
    aside = {rows[n][3] for n in validation}
    assert len(aside) == 4  # a fifth of twenty
    assert not aside & {name for n in train for name in rows[n][3:]}


def curve(size, losses):
    """Chunks of two steps that take a second each."""
    chunks = np.arange(1, len(losses) + 1)
    return np.column_stack([np.full(len(losses), size), np.full(len(losses), 2), 2 * size * chunks,
                            np.full(len(losses), 2.0), losses, np.full(len(losses), np.nan)])  # fmt: skip


def test_the_loss_to_reach_is_the_best_that_a_fixed_batch_had_half_way():
    found = {
        (0, "4 tasks", 0): {"curve": curve(4, [0.7, 0.5, 0.6, 0.4])},  # half way it had 0.5
        (0, "quick", 0): {"curve": curve(2, [0.45, 0.4])},
        (0, "never", 0): {"curve": curve(2, [0.9, 0.8])},
    }
    pace = measures._pace(found)
    assert pace == {("4 tasks", 4.0): 1.0, ("quick", 2.0): 1.0, ("never", 2.0): 1.0}
    until = lambda name: measures._until(found, pace, name, 0, 0, usual="4 tasks")
    assert until("4 tasks") == (16.0, 4.0, 4.0, 1.0)
    assert until("quick") == (4.0, 2.0, 2.0, 1.0)
    assert until("never") == (8.0, 4.0, 4.0, 0.0)
