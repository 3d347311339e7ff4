"""The study of losses for hard examples: who is left out, heads by another way, and its numbers by plain means."""

import dataclasses
import functools
import json

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.metrics import accuracy_score, brier_score_loss, roc_auc_score

import metaforge as mf
from experiments.strangers import config as of_strangers
from experiments.strangers.features import Table
from experiments.strangers.hard_samples import __main__ as command
from experiments.strangers.hard_samples import folds, halving, measuring, running, training
from experiments.strangers.hard_samples.config import CONTROL, ROWS, Config, Options, Recipe
from metaforge import objectives
from metaforge.errors import InputError
from metaforge.settings import change

TINY = change(
    Config(),
    {
        "unseen": "smooth,swap", "hard": "splice,swap", "gammas": "2", "shares": "0.5", "epsilons": "1",
        "smoothings": "0.2", "rates": "0.01", "steps": "4,6", "batch": 8, "neck": 3, "seeds": 2, "resamples": 20,
        "warmup": 0.4,
    },
)  # fmt: skip
NAMES, KINDS, PEOPLE, SIZE = ("a", "b", "c"), ("smooth", "splice", "swap", "warp"), 6, 5


def part(name):
    """A collection: of every method and person a real image and its fake, which is moved in one direction."""
    rng = np.random.default_rng(ord(name))
    count = len(KINDS) * PEOPLE * 2
    label, person = np.tile([0, 1], count // 2), np.tile(np.repeat(np.arange(PEOPLE), 2), len(KINDS))
    features = rng.normal(3.0, 2.0, (count, SIZE)) + 1.5 * label[:, None] * (np.arange(SIZE) == 0)
    return Table(
        features.astype(np.float32), label, np.repeat(KINDS, PEOPLE * 2), np.full(count, name),
        np.array([f"{name}{who}" for who in person]), np.arange(count) // 2,
    )  # fmt: skip


TABLE = Table(*(np.concatenate(columns) for columns in zip(*(part(name) for name in NAMES), strict=True)))


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A finished study of strangers, as far as it is looked at."""
    folder = tmp_path_factory.mktemp("study")
    for number, name in enumerate(NAMES):
        np.savez(folder / f"features-{number}.npz", **part(name)._asdict())
    said = json.loads(json.dumps({"config": dataclasses.asdict(of_strangers.Config())}))
    # One that was made before a setting was there.
    del said["config"]["model"]["text"]
    (folder / "config.json").write_text(json.dumps(said))
    (folder / "report.json").write_text(json.dumps({"data": {name: {} for name in NAMES}}))
    return folder


def test_what_judges_and_what_chooses_is_of_no_collection_and_method_that_was_trained_on():
    made, inner = folds.folds(TINY, TABLE), folds.inner(TINY, TABLE)
    assert [(fold.collections[0], fold.unseen) for fold in made] == [
        (name, unseen) for unseen in (("smooth", "swap"), ("splice", "warp")) for name in NAMES
    ]
    for fold in made:
        (mine,) = fold.collections
        source = TABLE.take(fold.source(TABLE))
        assert {*source.collection} == {*NAMES} - {mine}
        assert {*source.kind} == {*KINDS} - {*fold.unseen}
        choosing = folds.choosing(fold, inner)
        assert sorted(name for _, name in choosing) == sorted({*NAMES} - {mine})
        for number, judge in choosing:
            tried = TABLE.take(inner[number].source(TABLE))
            assert not {mine, judge} & {*tried.collection}
            assert not {*tried.kind} & ({*fold.unseen} | {*inner[number].unseen})
            assert {*inner[number].unseen} <= {*fold.methods}


def test_batches_have_both_classes_alike_and_only_rows_of_the_source():
    rows = folds.folds(TINY, TABLE)[0].source(TABLE)
    drawn = folds.batches(TINY, TABLE, rows, steps=50, seed=3)
    assert {*drawn.ravel()} <= {*rows}
    np.testing.assert_array_equal(TABLE.label[drawn], np.tile([0, 0, 0, 0, 1, 1, 1, 1], (50, 1)))
    np.testing.assert_array_equal(drawn, folds.batches(TINY, TABLE, rows, steps=50, seed=3))


def test_collections_and_methods_count_alike_however_many_images_they_have():
    rows = np.concatenate([np.flatnonzero(TABLE.collection == "a"), np.flatnonzero(TABLE.collection == "b")[:16]])
    drawn = folds.batches(TINY, TABLE, rows, steps=4000, seed=0)
    # All of "a", four methods, and of "b" one and a part of another: six cells.
    share = np.mean(TABLE.collection[drawn] == "b")
    assert abs(share - 2 / 6) < 0.01


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe("focal", 2.0, "cosine", 0.01, 6), Recipe("hard_example_mining", 0.5, "constant", 0.02, 4),
        Recipe("cross_entropy", 0.0, "cosine", 0.01, 4), Recipe("smoothed_cross_entropy", 0.2, "constant", 0.01, 6),
        Recipe("poly1", 1.0, "cosine", 0.01, 6),
    ],
)  # fmt: skip
def test_a_head_among_others_is_the_one_that_is_trained_alone(recipe):
    rows = folds.folds(TINY, TABLE)[1].source(TABLE)
    weights, biases = all_heads()
    slope, offset = (part[list(RECIPES).index(recipe)] for part in (weights, biases))
    # By the objective and the schedule that commands use, and optax's Adam.
    option = {"focal": "gamma", "hard_example_mining": "share", "poly1": "epsilon"}.get(recipe.loss, "smoothing")
    objective = getattr(objectives, recipe.loss)(**({option: recipe.option} if recipe.option else {}))
    model = mf.backbones.mlp(hidden=(), outputs=2, neck=3)
    loss_fn = objectives.loss_fn(model, objective)
    rate = recipe.rate
    if recipe.schedule == "cosine":
        warmup = int(0.4 * recipe.steps)
        rate = optax.warmup_cosine_decay_schedule(rate / (warmup + 1), rate, warmup, recipe.steps)
    adam = optax.adam(rate)
    seen = TABLE.features[rows].astype(np.float64)
    standard = ((TABLE.features - seen.mean(axis=0)) / seen.std(axis=0)).astype(np.float32)
    drawn = folds.batches(TINY, TABLE, rows, steps=6, seed=7)
    params = model.init(jax.random.key(7), jnp.zeros((1, SIZE)))
    state = adam.init(params)

    @jax.jit
    def step(params, state, images):
        gradient = jax.grad(lambda params: loss_fn(params, mf.Batch(images, jnp.repeat(jnp.arange(2), 4)))[0])(params)
        updates, state = adam.update(gradient, state)
        return optax.apply_updates(params, updates), state

    for number in range(recipe.steps):
        params, state = step(params, state, standard[drawn[number]])
    logits = model.apply(params, standard).logits
    np.testing.assert_allclose(
        TABLE.features.astype(np.float64) @ slope + offset, logits[:, 1] - logits[:, 0], rtol=1e-3, atol=1e-4
    )


RECIPES = (
    Recipe("cross_entropy", 0.0, "cosine", 0.01, 4), Recipe("focal", 2.0, "cosine", 0.01, 6),
    Recipe("hard_example_mining", 0.5, "constant", 0.02, 4), Recipe("poly1", 1.0, "cosine", 0.01, 6),
    Recipe("smoothed_cross_entropy", 0.2, "constant", 0.01, 6),
)  # fmt: skip


@functools.cache
def all_heads():
    rows = folds.folds(TINY, TABLE)[1].source(TABLE)
    return training.trained(TINY, TABLE, rows, RECIPES, seed=7)


@pytest.fixture(scope="module")
def finished(study, tmp_path_factory):
    folder = tmp_path_factory.mktemp("hard") / "run"
    report = running.run(Options(features=str(study), workdir=str(folder)), TINY, quiet=True)
    return folder, report


def test_the_first_replicate_is_the_plain_mean_over_folds_methods_and_seeds():
    rng = np.random.default_rng(0)
    heads = [
        measuring.Heads(
            fold, [Recipe(row.loss, 0.0, row.schedule, 0.01, 4) for row in ROWS],
            rng.normal(size=(2, len(ROWS), SIZE)), rng.normal(size=(2, len(ROWS))),
        )
        for fold in folds.folds(TINY, TABLE)
    ]  # fmt: skip
    said = measuring.measure(TINY, TABLE, heads)
    expected = {name: np.zeros(len(ROWS)) for name in measuring.MEASURES}
    counted = dict.fromkeys(measuring.MEASURES, 0)
    for one in heads:
        for kind in KINDS:
            mine = (TABLE.collection == one.fold.collections[0]) & (TABLE.kind == kind)
            label, unseen, hard = TABLE.label[mine], kind in one.fold.unseen, kind in ("splice", "swap")
            for seed in range(2):
                logits = TABLE.features[mine].astype(np.float64) @ one.weights[seed].T + one.biases[seed]
                auc = np.array([roc_auc_score(label, each) for each in logits.T])
                found = {"auc": auc} if unseen else {}
                if unseen:
                    found["accuracy"] = np.array([accuracy_score(label, each > 0) for each in logits.T])
                    found["brier"] = np.array([brier_score_loss(label, 1 / (1 + np.exp(-each))) for each in logits.T])
                if hard:
                    found["hard_unseen" if unseen else "hard_seen"] = auc
                for name, values in found.items():
                    expected[name] += values
                    counted[name] += 1
    control = ROWS.index(CONTROL)
    for place, row in enumerate(said["rows"]):
        for name in measuring.MEASURES:
            mean = expected[name] / counted[name]
            assert row[name]["value"] == pytest.approx(mean[place], rel=1e-9)
            if place != control:
                assert row["minus_control"][name]["value"] == pytest.approx(mean[place] - mean[control], abs=1e-9)
    assert said["comparisons"] == (len(ROWS) - 1) * len(measuring.MEASURES)


def test_the_other_precision_is_held_against_the_first_on_the_same_images():
    rng = np.random.default_rng(0)
    chosen = [Recipe(row.loss, 0.0, row.schedule, 0.01, 4) for row in ROWS]
    heads = [
        measuring.Heads(fold, chosen, rng.normal(size=(2, len(ROWS), SIZE)), rng.normal(size=(2, len(ROWS))))
        for fold in folds.folds(TINY, TABLE)
    ]
    own = {name: TABLE.features[TABLE.collection == name] for name in ("a", "c")}
    same = halving.measure(TINY, TABLE, heads, own)
    assert (same["folds"], same["collections"]) == (4, ["a", "c"])
    assert same["difference"] == {"value": 0, "low": 0, "high": 0}
    assert (same["probability_moves"], same["decisions_turned"]) == ({"median": 0, "most": 0}, 0)
    # Features of the other sign turn most answers, and an AUC of no offset into 1 minus it.
    turned = halving.measure(TINY, TABLE, heads, {name: -seen for name, seen in own.items()})
    assert turned["difference"]["value"] == pytest.approx(1 - 2 * turned["auc"]["value"], abs=1e-9)
    assert turned["decisions_turned"] > 0.5
    assert halving.measure(TINY, TABLE, heads, {}) == {}


def test_a_run_chooses_trains_and_reports_and_goes_on_from_its_files(study, finished):
    folder, report = finished
    again = running.run(Options(features=str(study), workdir=str(folder)), TINY, quiet=True)
    but = ("minutes", "provenance")
    assert {k: v for k, v in again.items() if k not in but} == {k: v for k, v in report.items() if k not in but}
    assert report["folds"] == 6
    assert [sum(row["chosen"].values()) for row in report["rows"]] == [6] * len(ROWS)
    # What was chosen is best among the recipes of its row, by files of folds that the fold's collection is not in.
    recipes, inner = TINY.recipes(), folds.inner(TINY, TABLE)
    fold = folds.folds(TINY, TABLE)[0]
    auc = np.mean(
        [np.load(folder / f"inner-{n}.npz")["auc"][inner[n].collections.index(name)]
         for n, name in folds.choosing(fold, inner)], axis=0,
    )  # fmt: skip
    with np.load(folder / "fold-0.npz") as found:
        chosen = [Recipe(*one) for one in json.loads(str(found["chosen"]))]
    for row, one in zip(ROWS, chosen, strict=True):
        mine = [n for n, each in enumerate(recipes) if each.row == row]
        assert auc[recipes.index(one)] == max(auc[mine])
    assert (folder / "report.md").read_text().count("| focal | cosine |") == 3


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--unseen=smooth,oops"], "--unseen: unknown 'oops'; known: smooth, splice, swap, warp"),
        (["--unseen=smooth", "--hard=swap"], "fewer than two methods"),
        (["--unseen=smooth,swap", "--hard=oops"], "--hard: unknown 'oops'"),
        (["--shares=0.5,2"], "--shares=0.5,2: give numbers that it can be"),
        (["--rates=fast"], "--rates=fast: give numbers"),
        (["--unseen=smooth,swap", "--hard=swap", "--half=d"], "--half: unknown 'd'; known: a, b, c"),
    ],
)
def test_settings_that_cannot_work_are_one_line_and_begin_nothing(study, tmp_path, capsys, flags, said):
    code = command.main(["hard_samples", f"--features={study}", f"--workdir={tmp_path / 'run'}", *flags])
    assert code == 2
    assert said in capsys.readouterr().err.strip().splitlines()[-1]
    assert not (tmp_path / "run").exists()


def test_what_is_no_study_is_refused(tmp_path):
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="has no finished study"):
        running.run(Options(features=str(tmp_path / "none"), workdir=str(tmp_path / "run")), TINY, quiet=True)
