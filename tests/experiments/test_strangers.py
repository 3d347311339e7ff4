"""The study on strangers: who is where, what a support set holds, and every number by another way."""

import csv
import json
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from experiments.strangers import __main__ as command
from experiments.strangers import adapted, before, features, learned, resampling, rules, running, scoring, support
from experiments.strangers.config import Config, Options
from experiments.strangers.faces import collections
from experiments.strangers.meta_learned import running as meta_running
from experiments.strangers.meta_learned import training as meta_training
from experiments.strangers.meta_learned.config import Config as MetaConfig
from experiments.strangers.tables import markdown
from metaforge.adaptation.gaussian import NO_PAIR, fit, head_of, posterior
from metaforge.errors import InputError
from metaforge.evaluation.calibration import Bands, Calibration, Judge
from metaforge.evaluation.calibration.judge import probability
from metaforge.evaluation.intervals import bootstrap
from metaforge.evaluation.metrics import METRICS
from metaforge.settings import change

PEOPLE = 9
TINY = change(
    Config(),
    {
        "faces.identity": "/([^_]+)_",
        "faces.landmarks": "none",
        "faces.methods": "smooth,warp,resample",
        "model.image_size": 16,
        "model.backbone": "conv4",
        "model.width": 2,
        "model.weights": "",
        "model.levels": "",
        "model.normalisation": "none",
        "shots": "2,3",
        "draws": 2,
        "unlabelled": 2,
        "judged": 3,
        "resamples": 20,
    },
)


def photographs(folder, *, names=("a", "b", "c"), people=PEOPLE):
    """Noise, each collection of another brightness; "c" has two photographs of its first person."""
    rng = np.random.default_rng(0)
    for place, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        shots = [(f"{name}{who}", 0) for who in range(people)] + [("c0", 1)] * (name == "c")
        for who, shot in shots:
            pixels = rng.integers(40 * place, 120 + 40 * place, (16, 16, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{who}_{shot}.png")
    return folder


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A finished study, and its table."""
    folder = tmp_path_factory.mktemp("strangers")
    faces, unknown = photographs(folder / "faces"), photographs(folder / "made", names=("x",), people=4)
    config = change(TINY, {"faces.folder": str(faces)})
    options = Options(workdir=str(folder / "run"), unknown=str(unknown / "x"), unknown_name="dreamt")
    report = running.run(options, config, quiet=True)
    table = features.table_of(config, collections(config)[0], folder / "run")
    return options, config, report, table


def test_every_collection_and_method_is_left_out_and_every_budget_has_its_rules(done):
    options, _, report, table = done
    assert report["data"]["c"] == {"faces": 10, "people": 9, "left_to_others": 0}
    assert len(table.label) == 2 * 3 * (9 + 9 + 10)
    assert [row["collection"] for row in report["before"]["collections"]] == ["a", "b", "c"]
    assert {(row["shots_a_class"], row["pairing"]) for row in report["adapted"]} == {
        (shots, pairing) for shots in (2, 3) for pairing in ("matched", "unmatched")
    }
    rows = [row for row in report["adapted"] if row["shots_a_class"] == 2]
    assert {row["rule"] for row in rows} == {*rules.ORDER}
    # With three shots there are two people too few for unlabelled images.
    assert not [row for row in report["adapted"] if row["shots_a_class"] == 3 and "unlabelled" in row["rule"]]
    assert json.loads((running.Path(options.workdir) / "report.json").read_text()) == report
    text = markdown(report)
    assert "## 3 labelled images a class, unmatched" in text
    assert "## dreamt" in text


def test_a_finished_study_answers_at_once_and_one_that_was_cut_off_goes_on(done, monkeypatch):
    options, config, report, _ = done
    monkeypatch.setattr(features, "embedder", lambda config: pytest.fail("embeds again"))
    assert running.run(options, config, quiet=True) == report
    place = running.Path(options.workdir)
    kept = place.parent / "kept.json"
    (place / "report.json").rename(kept)
    for path in place.glob("fold-*.npz"):
        path.unlink()
    monkeypatch.setattr(scoring, "folds", lambda *args, **more: pytest.fail("fits again"))
    monkeypatch.setattr(features, "of_unknown", lambda config, faces: np.zeros((4, 1)))
    again = running.run(options, config, quiet=True)
    assert {**again, "minutes": 0} == {**report, "minutes": 0}


def test_a_fold_knows_neither_its_collection_nor_its_method(done):
    options, _, _, table = done
    place = scoring.places(table).index(("b", "smooth"))
    found = scoring.read(running.Path(options.workdir) / f"fold-{place}.npz")
    known = np.flatnonzero((table.collection != "b") & (table.kind != "smooth"))
    assert set(found.source_rows) == {*known}
    alone = fit(
        table.features[known], table.label[known], table.kind[known], collections=table.collection[known],
        pairs=table.pair[known],
    )  # fmt: skip
    head = head_of(alone.prior)
    expected = table.features[found.rows] @ np.asarray(head.weights) + float(head.bias)
    np.testing.assert_allclose(found.before, expected, rtol=1e-3, atol=1e-3)
    assert {*table.kind[found.rows]} == {"smooth"}


def test_the_auc_before_adaptation_and_its_interval_are_those_of_the_library(done):
    options, config, report, table = done
    place = scoring.places(table).index(("c", "warp"))
    found = scoring.read(running.Path(options.workdir) / f"fold-{place}.npz")
    mine = table.collection[found.rows] == "c"
    kept = table.take(found.rows[mine])
    said = report["before"]["collections"][2]["methods"]["warp"]
    assert said["value"] == pytest.approx(METRICS["auc"](kept.label, found.before[mine]), abs=1e-12)
    many = resampling.People(change(config, {"resamples": 4000}), "c", kept.person)
    ours = resampling.interval(resampling.auc(kept.label, found.before[mine], many.weights(kept.person)))
    theirs = bootstrap(kept.label, found.before[mine][None, None], kept.person, resamples=4000)
    np.testing.assert_allclose([ours["low"], ours["high"]], [theirs.low, theirs.high], atol=0.03)


def test_support_unlabelled_and_judged_people_are_apart_and_matched_sets_are_pairs():
    person = np.repeat([f"p{number:02d}" for number in range(12)], 4)
    label, pair = np.tile([0, 1], 24), np.repeat(np.arange(24), 2)
    made = list(support.draws(TINY, "a", label, person, pair))
    assert len(made) == 2 * 2 * 2
    for one in made:
        groups = [{*person[one.support]}, {*person[one.unlabelled]}, {*one.judged}]
        assert sum(map(len, groups)) == len(set.union(*groups))
        assert len(one.unlabelled) == 2
        assert (label[one.unlabelled] == 0).all()
        assert label[one.support].tolist() == [0] * one.shots + [1] * one.shots
        real, fake = np.split(one.support, 2)
        if one.pairing == support.MATCHED:
            assert (pair[real] == pair[fake]).all()
            assert one.pairs.tolist() == [*range(one.shots)] * 2
        else:
            assert len({*person[one.support]}) == 2 * one.shots
            assert (one.pairs == NO_PAIR).all()
    matched, unmatched = made[:2]
    assert matched.support[: matched.shots].tolist() == unmatched.support[: unmatched.shots].tolist()
    assert matched.judged.tolist() == unmatched.judged.tolist()
    assert made[0].support.tolist() != made[4].support.tolist()


def test_shots_that_leave_too_few_people_to_judge_are_left_out():
    person, label, pair = np.repeat(list("abcdefgh"), 2), np.tile([0, 1], 8), np.repeat(np.arange(8), 2)
    assert {one.shots for one in support.draws(TINY, "a", label, person, pair)} == {2}


@pytest.fixture(scope="module")
def source():
    rng = np.random.default_rng(1)
    label = np.tile([0, 1], 60)
    kinds, places = np.repeat(["a", "b", "c"], 40), np.tile(np.repeat(["x", "y"], 20), 3)
    shift = rng.normal(size=5)
    seen = rng.normal(size=(120, 5)) @ rng.normal(size=(5, 5)) + label[:, None] * shift
    return fit(seen, label, kinds, collections=places).prior


@pytest.mark.parametrize("matched", [True, False])
def test_without_what_was_learned_the_direction_is_that_of_the_discriminant(source, matched):
    real, fake = np.random.default_rng(2).normal(size=(2, 6, 5)).astype(np.float32)
    pairs = np.tile(np.arange(6), 2) if matched else np.full(12, NO_PAIR)
    head = jax.jit(posterior)(
        source, jnp.concatenate([real, fake]), jnp.repeat(jnp.arange(2), 6), pairs=jnp.asarray(pairs)
    )
    ours = jax.jit(learned.weights)(source, jnp.zeros((3, 5)), real, fake, real[:0], matched=jnp.asarray(matched))
    unit = lambda w: np.asarray(w) / np.linalg.norm(w)
    np.testing.assert_allclose(unit(ours), unit(head.weights), atol=2e-4)


def test_a_learned_covariance_weighs_what_is_shown_as_its_whole_matrix_says(source):
    rng = np.random.default_rng(3)
    real, fake, spread = rng.normal(size=(7, 5)), rng.normal(size=(7, 5)), 0.5 * rng.normal(size=(3, 5))
    factor, middle = np.asarray(source.factor, np.float64), np.asarray(source.middle, np.float64)
    white = lambda x: np.linalg.solve(factor, (x - middle).T).T
    first = factor.T @ np.asarray(source.weights, np.float64)
    difference = white(fake) - white(real)
    noise = float(source.noise[1])
    about = np.sum(np.square(difference - difference.mean(axis=0))) / 5
    variance = (2 * noise + about) / (2 + 6) / 7
    known = spread.T @ spread / 2 + float(source.variance) * np.eye(5)
    shift = first + known @ np.linalg.solve(known + variance * np.eye(5), difference.mean(axis=0) - first)
    centred = white(real) - white(real).mean(axis=0)
    expected = 100 * np.linalg.solve(factor.T, np.linalg.solve(100 * np.eye(5) + centred.T @ centred, shift))
    single = lambda x: jnp.asarray(x, jnp.float32)
    found = learned.weights(
        source, single(spread), single(real), single(fake), jnp.zeros((0, 5)), matched=jnp.asarray(True)
    )
    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=2e-5)


@pytest.mark.parametrize("matched", [True, False])
def test_each_rule_says_what_the_library_says_of_the_same_support_set(source, matched):
    rng = np.random.default_rng(4)
    single = lambda x: jnp.asarray(x, jnp.float32)
    seen, query, beside, spread = (single(rng.normal(size=(count, 5))) for count in (6, 8, 3, 2))
    given = rules.Source(source, spread, single(rng.normal(size=5)), jnp.full(5, 2.0))
    pairs = jnp.tile(jnp.arange(3), 2) if matched else jnp.full(6, NO_PAIR)
    found = np.asarray(rules.logits(given, seen, pairs, beside, query))
    by = dict(zip(rules.VARIANTS, found, strict=True))
    labels = jnp.repeat(jnp.arange(2), 3)
    of = lambda head: np.asarray(query) @ np.asarray(head.weights) + float(head.bias)
    alone = jax.jit(posterior)(source, seen, labels, pairs=pairs)
    both = jax.jit(posterior)(source, seen, labels, pairs=pairs, unlabelled=beside)
    heads = {rules.NONE: head_of(source), rules.DISCRIMINANT: alone, rules.DISCRIMINANT + rules.BESIDE: both}
    for rule, head in heads.items():
        np.testing.assert_allclose(by[rules.Variant(rule)], of(head), rtol=1e-3, atol=1e-3)
    weights = jax.jit(learned.weights)(source, spread, seen[:3], seen[3:], beside[:0], matched=jnp.asarray(matched))
    np.testing.assert_allclose(by[rules.Variant(rules.LEARNED)], query @ weights, rtol=1e-3, atol=1e-3)
    none, slow, fast = (by[one] for one in (
        rules.Variant(rules.NONE), rules.Variant(rules.HEAD, rules.RATES[0]), rules.Variant(rules.HEAD, rules.RATES[-1])
    ))  # fmt: skip
    np.testing.assert_allclose(slow, none, atol=0.02)
    assert np.abs(fast - none).max() > np.abs(slow - none).max()


def cell(collection, kind, table: Any = None):
    return adapted.Cell(collection, kind, [0], [np.zeros(0, int)], table, cast(Any, None))


def test_a_knob_is_chosen_where_neither_collection_nor_method_is_judged(monkeypatch):
    few, many = adapted.Budget(2, "matched"), adapted.Budget(3, "matched")
    cells = {few: [cell(c, k) for c in "abc" for k in ("smooth", "warp", "swap")], many: [cell("a", "warp")]}

    def point(one, number):
        """The largest penalty is the best where the collection is "a" or the method "warp", and the worst elsewhere."""
        shares = one.collection == "a" or one.kind == "warp"
        return {0.01: 0.3, 0.1: 0.5, 1.0: 0.45, 10.0: 1.0 if shares else 0.4}.get(rules.VARIANTS[number].knob, 0.5)

    monkeypatch.setattr(adapted, "_point", point)
    knobs = adapted.choose(cells)
    assert knobs[few, "a", "warp", rules.LOGISTIC] == 0.1
    assert knobs[few, "b", "smooth", rules.LOGISTIC] == 10.0
    # No other collection has so many people.
    assert knobs[many, "a", "warp", rules.LOGISTIC] == 0.1
    assert knobs[few, "a", "warp", rules.NONE] == 0.0


def test_two_collections_are_told_apart_whichever_is_the_higher():
    where = np.array(["a", "a", "b", "b", "c", "c", "a"])
    column = np.zeros(7, int)
    label = np.array([0, 0, 0, 0, 0, 0, 1])
    table = features.Table(np.zeros((7, 1)), label, column, where, column, column)
    logits = np.array([1.0, 2.0, 5.0, 6.0, 0.5, 1.5, 9.0])
    # From "b" wholly, from "c" in three pairs of four; the fake does not count.
    assert adapted._apart(cell("a", "warp", table), logits, np.array([0, 1, 6])) == pytest.approx((1 + 0.75) / 2)


def test_decisions_are_counted_by_class_and_a_sources_collections_count_alike(monkeypatch):
    judge = Judge(Calibration(), Bands(0.3, 0.7, {}), None)
    values = before.row_values(judge, np.array([0.1, 0.5, 0.8, 0.95, 0.2, 0.6]), np.array([0, 0, 0, 0, 1, 1]))
    found = {name: (rows.tolist(), each.tolist()) for name, (rows, each) in values.items() if name != "brier"}
    reals, fakes = [0, 1, 2, 3], [4, 5]
    assert found == {
        "reals_called_fake": (reals, [0, 0, 1, 1]), "reals_undecided": (reals, [0, 1, 0, 0]),
        "reals_sure": (reals, [0, 0, 0, 1]), "fakes_called_real": (fakes, [1, 0]), "fakes_undecided": (fakes, [0, 1]),
    }  # fmt: skip
    assert values["brier"][1].mean() == pytest.approx((0.01 + 0.25 + 0.64 + 0.9025 + 0.64 + 0.16) / 6)
    column = np.zeros(5, int)
    table = features.Table(np.zeros((5, 1)), column, column, np.array(["a", "a", "a", "b", "c"]), column, column)
    nothing = np.zeros(0)
    logits = np.array([3.0, 3.0, -3.0, -3.0])
    one = scoring.Scores(nothing, nothing, nothing, nothing, np.arange(4), logits, np.zeros(4))
    monkeypatch.setattr(before, "told", lambda judge, logits, distances: probability(logits))
    table = table._replace(label=np.array([0, 0, 0, 0, 1]))
    found = before._of_source(judge._replace(bands=Bands(0.5, 0.5, {})), table, one)
    assert found["reals_called_fake"] == pytest.approx((2 / 3 + 0) / 2)


def test_the_unknown_is_ranked_against_a_collection_that_the_head_does_not_know(done):
    options, _, report, table = done
    row = report["unknown"]["collections"][1]
    assert row["collection"] == "b"
    with np.load(running.Path(options.workdir) / "unknown-1.npz") as found:
        assert not {"b"} & {*table.collection[found["source_rows"]]}
        ours = found["logits"][(table.collection == "b") & (table.label == 0)]
        theirs = found["unknown_logits"]
        others = found["logits"][(table.collection == "a") & (table.label == 0)]
    assert len(theirs) == 4
    fakes = np.repeat([0, 1], [len(ours), len(theirs)])
    assert row["auc"]["value"] == pytest.approx(METRICS["auc"](fakes, np.concatenate([ours, theirs])))
    fakes = np.repeat([0, 1], [len(others), len(ours)])
    control = row["real_against_real"]["a"]["value"]
    assert control == pytest.approx(METRICS["auc"](fakes, np.concatenate([others, ours])))
    shares = [row["unknown"][name]["value"] for name in ("called_fake", "called_real", "undecided")]
    assert sum(shares) == pytest.approx(1)


def test_who_is_forged_is_unknown_to_the_forger_and_nobody_of_another_collection_is_known(tmp_path, monkeypatch):
    folder = photographs(tmp_path / "faces")
    config, made = change(TINY, {"faces.folder": str(folder)}), []
    whole = features.synthesise

    def synthesise(faces, **more):
        made.append(({face.identity for face in faces}, {face.identity for face in more["fit_faces"]}))
        return whole(faces, **more)

    monkeypatch.setattr(features, "synthesise", synthesise)
    monkeypatch.setattr(features, "embedder", lambda config: lambda images: images.reshape(len(images), -1)[:, :2])
    table = features.table_of(config, collections(config)[0], tmp_path)
    assert len(made) == 2 * 3 * 3
    for forged, learned_of in made:
        assert not forged & learned_of
        assert len({who[0] for who in forged | learned_of}) == 1
    # A pair is a real image and a fake of one person, and no two collections share a number.
    for pair in np.unique(table.pair):
        rows = np.flatnonzero(table.pair == pair)
        assert table.label[rows].tolist() == [0, 1]
        assert len({*zip(table.person[rows], table.collection[rows], table.kind[rows], strict=True)}) == 1


def test_resampled_means_are_weighted_ones(done):
    _, config, _, _ = done
    person = np.array(["u", "u", "v", "w", "w", "w"])
    label, scores = np.array([0, 1, 0, 1, 0, 1]), np.array([0.1, 0.4, 0.4, 0.3, 0.2, 0.9])
    people = resampling.People(config, "a", person)
    weights = people.weights(person)
    ours = resampling.auc(label, scores, weights)
    for number in range(len(ours)):
        both = [weights[number][label == kind].sum() > 0 for kind in (0, 1)]
        if all(both):
            assert ours[number] == pytest.approx(METRICS["auc"](label, scores, weights=weights[number]))
    np.testing.assert_allclose(resampling.mean(scores, weights)[0], scores.mean())
    each = np.stack([np.full(21, 1.0), np.full(21, 3.0)])
    drawn = resampling.over_draws(each, np.random.default_rng(0))
    assert drawn[0] == 2.0
    assert {*drawn} == {1.0, 2.0, 3.0}
    each[1, 5] = np.nan
    assert resampling.over_draws(each, np.random.default_rng(0))[5] in (1.0, pytest.approx(np.nan, nan_ok=True))


def test_who_is_in_two_collections_stays_in_the_smaller(tmp_path):
    photographs(tmp_path / "faces")
    (tmp_path / "faces" / "c" / "c0_1.png").rename(tmp_path / "faces" / "c" / "a3_1.png")
    (tmp_path / "faces" / "a" / "a8_0.png").unlink()
    kept, lost = collections(change(TINY, {"faces.folder": str(tmp_path / "faces")}))
    assert lost == {"a": 0, "b": 0, "c": 1}
    assert [face.identity for face in kept["a"]].count("a3") == 1
    assert "a3" not in {face.identity for face in kept["c"]}


def test_a_table_says_who_is_who(tmp_path):
    folder = photographs(tmp_path / "faces")
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))
    table = tmp_path / "people.csv"

    def write(rows):
        with open(table, "w", newline="") as lines:
            csv.writer(lines).writerows([("file", "person"), *rows])

    write([(name, f"person of {name[:4]}") for name in files])
    config = change(TINY, {"faces.folder": str(folder), "faces.identity": "", "faces.people": str(table)})
    kept, _ = collections(config)
    assert len(kept["c"]) == 10
    assert len({face.identity for face in kept["c"]}) == 9
    write([(name, "") for name in files])
    with pytest.raises(InputError, match=r"says nobody for 'a/a0_0\.png'"):
        collections(config)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"faces.folder": ""}, "faces.folder: it is missing"),
        ({"shots": "5"}, "'a' has 9 people; 5 shots a class and 3 who are judged need 13"),
        ({"shots": "two"}, "--shots=two: give whole numbers"),
        ({"faces.methods": "warp,smooth"}, "give 3 or more"),
        ({"faces.methods": "warp,smooth,dream"}, "unknown 'dream'"),
        ({"faces.collection": "^(.)"}, ""),
        ({"faces.collection": "nothing"}, "finds no group in 'a/a0_0.png'"),
        ({"faces.collection": "(png)"}, "finds 1 collections (png)"),
        ({"faces.people": "nowhere.csv"}, "Give one."),
        ({"faces.people": "nowhere.csv", "faces.identity": ""}, "no file 'nowhere.csv'"),
        ({"faces.acquisitions": "fog"}, "--faces.acquisitions: unknown 'fog'"),
        ({"model.normalisation": "frozen"}, "--model.normalisation=frozen"),
        ({"model.normalisation": "episode"}, "--model.normalisation=episode"),
    ],
)
def test_what_cannot_work_is_said_before_anything_is_written(tmp_path, changes, said):
    folder = photographs(tmp_path / "faces")
    config = change(TINY, {"faces.folder": str(folder), **changes})
    if not said:
        assert len(collections(config)[0]) == 3
        return
    with pytest.raises(InputError) as raised:
        running.run(Options(workdir=str(tmp_path / "run")), config, quiet=True)
    assert said in str(raised.value)
    assert not (tmp_path / "run").exists()


def test_the_command_says_what_it_does_and_what_is_missing(capsys):
    assert command.main(["strangers", "--help"]) == 0
    assert command.main(["strangers"]) == 2
    assert "--workdir is missing" in capsys.readouterr().err


QUICK = change(MetaConfig(), {"steps": 3, "tasks": 2, "shots": 2, "queries": 2, "neck": 3, "inner_steps": 2})


def test_meta_learners_see_neither_the_collection_nor_the_method_and_are_judged_as_the_rules_are(done, monkeypatch):
    options, _, report, _ = done
    where = meta_running.Options(workdir=options.workdir)
    trained = meta_training.trained
    seen = []
    monkeypatch.setattr(meta_training, "trained", lambda *args: seen.append(args[1:]) or trained(*args))
    found = meta_running.run(where, QUICK, quiet=True)
    assert len(seen) == 9 * len(meta_training.LEARNERS)
    for name, table, rows in seen[:4]:  # the first fold
        assert ("a", "resample") not in zip(table.collection[rows], table.kind[rows], strict=True)
        assert "a" not in table.collection[rows], name
        assert "resample" not in table.kind[rows]
    ours = {
        (row["shots_a_class"], row["pairing"]): row for row in report["adapted"] if row["rule"] == rules.DISCRIMINANT
    }
    assert len(found["rows"]) == 4 * len(meta_training.LEARNERS)
    for row in found["rows"]:
        wanted = ours[row["shots_a_class"], row["pairing"]]["auc"]["value"]
        assert row["auc"]["value"] - row["over_discriminant"]["value"] == pytest.approx(wanted, abs=1e-9)
        assert row["gain_over_itself"]["low"] <= row["gain_over_itself"]["value"] <= row["gain_over_itself"]["high"]
    # Called again it trains nothing; other settings are refused.
    monkeypatch.setattr(meta_training, "trained", lambda *args: pytest.fail("trains again"))
    assert meta_running.run(where, QUICK, quiet=True)["rows"] == found["rows"]
    with pytest.raises(InputError, match=r"meta-0\.npz' was made with other settings"):
        meta_running.run(where, change(QUICK, {"neck": 4}), quiet=True)
    with pytest.raises(InputError, match="has no finished study"):
        meta_running.run(meta_running.Options(workdir=options.workdir + "/none"), QUICK, quiet=True)
    assert "| 2 matched | r2d2 |" in meta_running.markdown(found)


def test_an_episode_s_people_are_in_one_half_and_every_second_task_is_of_pairs(done):
    _, _, _, table = done
    rows = np.flatnonzero((table.collection != "a") & (table.kind != "warp"))
    config = change(QUICK, {"tasks": 4, "shots": 3, "queries": 2})
    support, query = meta_training.episodes(np.random.default_rng(0), config, table, rows, 5)
    assert support.shape == (5, 4, 6)
    assert query.shape == (5, 4, 4)
    for step, task in np.ndindex(5, 4):
        given, asked = table.take(support[step, task]), table.take(query[step, task])
        assert (
            len({*zip(given.collection, given.kind, strict=True), *zip(asked.collection, asked.kind, strict=True)}) == 1
        )
        assert not {*given.person} & {*asked.person}
        assert given.label.tolist() == [0] * 3 + [1] * 3
        assert asked.pair[:2].tolist() == asked.pair[2:].tolist()
        real, fake = {*given.person[:3]}, {*given.person[3:]}
        assert real == fake if task % 2 else not real & fake
        assert {*support[step, task], *query[step, task]} <= {*rows}
