"""Fusion against its absence: who is left out, what stays equal, and what the tables say."""

import jax.numpy as jnp
import numpy as np

from experiments.strangers.config import Config
from experiments.strangers.features import Table
from experiments.strangers.fused import maps, measuring, training
from experiments.strangers.fused.folds import folds
from experiments.strangers.fused.tables import NAMES
from metaforge.backbones.efficientnet._plan import fused
from metaforge.evaluation.metrics import METRICS
from tests.backbones.test_efficientnet import TINY_LITE

KINDS, PLACES, PEOPLE = ("p", "q", "r", "s"), ("x", "y", "z"), 4


def some_table():
    rows = [(label, kind, place, f"{place}{person}") for place in PLACES for kind in KINDS
            for person in range(PEOPLE) for label in (0, 1)]  # fmt: skip
    label, kind, place, person = (np.array(column) for column in zip(*rows, strict=True))
    return Table(np.zeros((len(rows), 1)), label, kind, place, person, np.arange(len(rows)) // 2)


def test_nothing_is_trained_or_chosen_on_that_is_left_out():
    table = some_table()
    for alternating, count in ((False, 6), (True, 3)):
        made = folds(table, ("p", "q"), alternating=alternating)
        assert len(made) == count
        for fold in made:
            assert {*table.collection[fold.judged]} == {fold.collection}
            assert {*table.kind[fold.judged]} == {*fold.methods}
            assert not {*table.kind[fold.train]} & {*fold.methods}
            assert fold.collection not in table.collection[fold.train]
            assert {*fold.first} | {*fold.second} <= {*fold.train}
            # What a choice is made by shares neither collection nor method with what was trained on for it.
            for column in (table.collection, table.kind):
                assert not {*column[fold.first]} & {*column[fold.second]}
    assert {fold.collection for fold in made} == {*PLACES}


def test_maps_are_averaged_only_where_a_grid_divides_them():
    values = np.arange(32.0).reshape(1, 4, 4, 2)
    np.testing.assert_allclose(maps._averaged(values, 2)[0, 0, 1], values[0, :2, 2:].mean(axis=(0, 1)))
    for grid in (0, 3, 4, 8):
        assert maps._averaged(values, grid) is values


def test_what_a_row_does_not_train_stays_as_it_begins_and_the_rest_learns():
    plan, table, rng = fused(TINY_LITE, (0, 2), 4), some_table(), np.random.default_rng(0)
    count = len(table.label)
    # A fake has more of every channel than a real image at one place of each map.
    seen = []
    for side, channels in ((3, 4), (2, 6)):
        one = rng.normal(size=(count, side, side, channels))
        one[:, 0, 0] += 8 * table.label[:, None] * np.linspace(-1, 1, channels)
        seen.append(jnp.asarray(one, jnp.float16))
    label = jnp.asarray(table.label)
    study = training.Study(
        maps.Kept((), np.zeros(0), np.zeros(0), table), tuple(seen), {}, label, plan, 60, 16, [0.03], 0
    )
    rows = np.arange(count)
    for row in training.FUSED:
        halfway, last = training.trained(study, row, 0.03, rows, rows, 1)
        assert METRICS["auc"](table.label, last.logits) > METRICS["auc"](table.label, halfway.logits) - 0.05
        assert METRICS["auc"](table.label, last.logits) > 0.9
        np.testing.assert_allclose(last.weights.sum(axis=1), 1, rtol=1e-5)
        assert np.allclose(last.weights, 0.5, atol=1e-6) == (row == "equal")


def test_cells_are_means_over_methods_folds_and_seeds():
    table, rng = some_table(), np.random.default_rng(0)
    left = folds(table, ("p", "q"))
    scores = {(number, seed): {row: rng.normal(size=len(fold.shown)) for row in training.ROWS}
              for number, fold in enumerate(left) for seed in range(2)}  # fmt: skip
    found = measuring.measure(Config(resamples=10), table, left, 2, scores)
    expected = {"auc": [], "brier": []}
    for (number, _), by in scores.items():
        fold = left[number]
        for kind in fold.methods:
            mine = table.kind[fold.shown] == kind
            label, logits = table.label[fold.shown][mine], by["gated"][mine]
            expected["auc"].append(METRICS["auc"](label, logits))
            expected["brier"].append(np.mean((1 / (1 + np.exp(-logits)) - label) ** 2))
    cell = found["unseen methods"]["rows"]["gated"]
    for metric, values in expected.items():
        np.testing.assert_allclose(cell[metric]["value"], np.mean(values), rtol=1e-9)
    one = found["known methods"]["differences"]["gated minus equal"]["auc"]["value"]
    rows = found["known methods"]["rows"]
    np.testing.assert_allclose(one, rows["gated"]["auc"]["value"] - rows["equal"]["auc"]["value"], atol=1e-9)
    assert {*NAMES} == {*training.ROWS}
