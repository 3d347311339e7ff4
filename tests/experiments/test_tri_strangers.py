"""FakeRadar's ablation on frozen features: who trains, who is judged, where images lie, and going on after a kill."""

import dataclasses
import json
import shutil
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from experiments.fakeradar import programs as on_images
from experiments.fakeradar.config import Config as ImageConfig
from experiments.fakeradar.images import Data
from experiments.fakeradar.strangers import __main__ as command
from experiments.fakeradar.strangers import ablation, adapted, folds, loading, premise, running, training
from experiments.fakeradar.strangers.config import Config, Options, Training
from experiments.fakeradar.strangers.tables import markdown
from experiments.strangers.features import Table
from experiments.strangers.resampling import People
from metaforge import outliers, runs
from metaforge.evaluation.metrics import METRICS
from metaforge.settings import change
from metaforge.whole import write_arrays
from paper_figures import ablation_bars, outlier_map, outlier_places
from tests.experiments.test_strangers import TINY, photographs

METHODS = ("poisson_swap", "smooth", "splice", "warp")
SOURCES = ["splice", "warp"]
PEOPLE, SIZE = 15, 5
FLAGS = {
    "unseen": "poisson_swap,smooth", "rows": "full,binary", "seeds": "2", "steps": "4,6", "epochs": "2",
    "rates": "0.01", "shots": "2", "draws": "2", "judged": "3", "resamples": "20", "recipe.neck": "3",
    "recipe.head": "quadratic", "recipe.slots": "4", "recipe.batch": "8", "recipe.outliers": "4",
}  # fmt: skip


def some_table(rng, *, collections=("a", "b", "c")):
    """Every person real and forged by every method; a forgery is moved by its method, a collection by its camera."""
    shift, camera = rng.normal(size=(len(METHODS), SIZE)), rng.normal(size=(len(collections), SIZE))
    parts, pair = [], 0
    for place, name in enumerate(collections):
        for number, kind in enumerate(METHODS):
            for person in range(PEOPLE):
                for label in (0, 1):
                    seen = rng.normal(size=SIZE) + camera[place] + label * shift[number]
                    parts.append((seen.astype(np.float32), label, kind, name, f"{name}{person}", pair))
                pair += 1
    return Table(*map(np.array, zip(*parts, strict=True)))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run directory of `experiments.strangers` with nothing but its features, and their table."""
    folder, table = tmp_path_factory.mktemp("features"), some_table(np.random.default_rng(0))
    for number, name in enumerate(np.unique(table.collection)):
        mine = table.take(np.flatnonzero(table.collection == name))
        write_arrays(folder / f"features-{number}.npz", **mine._replace(pair=mine.pair - mine.pair.min())._asdict())
    about = {"faces": {"folder": "faces"}, "model": {"backbone": "conv4"}, "seed": 0, "shots": "5"}
    runs.write_json(folder / "config.json", {"config": about, "unknown": ""})
    return folder, table


def flags(made, folder, **changed):
    return [f"--workdir={folder}", f"--features={made[0]}", "--nofrozen",
            *(f"--{name}={value}" for name, value in (FLAGS | changed).items())]  # fmt: skip


@pytest.fixture(scope="module")
def done(made, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tri") / "run"
    assert command.main(["strangers", *flags(made, folder)]) == 0
    return folder


def test_the_report_has_every_cell_and_its_numbers_are_those_of_the_scores(done, made):
    report, table = json.loads((done / "report.json").read_text()), made[1]
    part = folds.parts_of(table, 0)
    assert report["sources"] == {"poisson_swap and smooth": SOURCES}
    assert set(report["cells"]) == set(ablation.CELLS)
    means = {}
    for row in ("full", "binary"):
        found = []
        for fold, name in enumerate("abc"):
            scores = np.load(done / f"fold-{fold}-{row}.npz")["odds"]
            assert scores.shape == (2, len(table.label))
            for kind in SOURCES:
                for other in set("abc") - {name}:
                    rows = (table.collection == other) & (table.kind == kind) & (part == folds.TEST)
                    found += [METRICS["auc"](table.label[rows], one[rows]) for one in scores]
        means[row] = np.mean(found)
    cell = report["cells"]["known methods, known collections"]
    for row, value in means.items():
        assert cell["auc"][row]["value"] == pytest.approx(value, abs=1e-9)
    assert cell["minus_binary"]["full"]["value"] == pytest.approx(means["full"] - means["binary"], abs=1e-9)
    assert {row["pairing"] for row in report["adapted"]} == {"matched", "unmatched"}
    assert "## AUC" in markdown(report)


def test_what_was_killed_goes_on_to_the_same_bits(done, made, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    shutil.copytree(done, folder)
    for path in [
        *folder.glob("fold-1-*"),
        *folder.glob("chosen-2-*"),
        *folder.glob("adapted-*"),
        folder / "report.json",
    ]:
        path.unlink()
    whole, calls = ablation.train, []

    def dies(*args):
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return whole(*args)

    monkeypatch.setattr(ablation, "train", dies)
    options, config = Options(str(folder), str(made[0])), settings()
    with pytest.raises(KeyboardInterrupt):
        running.run(options, config, quiet=True)
    assert not (folder / "fold-1-full.npz").exists()
    monkeypatch.setattr(ablation, "train", whole)
    again = running.run(options, config, quiet=True)
    when = {"minutes": 0, "provenance": {}}
    assert again | when == runs.read_json(done / "report.json") | when
    for path in done.glob("*.npz"):
        with np.load(path) as first, np.load(folder / path.name) as second:
            assert first.files == second.files
            for name in first.files:
                np.testing.assert_array_equal(first[name], second[name])


def settings():
    usual = {name: getattr(Config().recipe if "." in name else Config(), name.split(".")[-1]) for name in FLAGS}
    return change(Config(), {name: type(usual[name])(value) for name, value in FLAGS.items()} | {"frozen": False})


@pytest.fixture(scope="module")
def study(made, tmp_path_factory):
    return running.study_of(settings(), made[1], SOURCES, tmp_path_factory.mktemp("study"))


def test_nothing_is_trained_on_that_is_unseen_left_out_or_judged(study, monkeypatch):
    seen = []

    def notes(recipe, row, kinds, training, epochs, seed, features, given):
        seen.append(np.asarray(given.rows)[np.asarray(given.where)])
        return SimpleNamespace(log=[{}])

    scores = np.zeros(len(study.table.label))
    monkeypatch.setattr(ablation, "train", notes)
    monkeypatch.setattr(ablation, "odds", lambda *args: scores)
    ablation.chosen(study, 1, "b", "binary")
    ablation.score(study, 1, "b", "binary")
    # Two trainings are tried without each of two methods, and then two seeds are trained.
    assert len(seen) == 2 * 2 + 2
    for rows in seen:
        assert {*study.table.collection[rows]} == {"a", "c"}
        assert (study.part[rows] == folds.TRAIN).all()
    assert [{*study.table.kind[rows]} for rows in seen] == [{"warp"}] * 2 + [{"splice"}] * 2 + [{*SOURCES}] * 2
    for _, _, kind, rows in ablation.cells(study, "b"):
        known = study.table.collection[rows] != "b"
        assert {*study.table.kind[rows]} == {kind}
        assert (study.part[rows[known]] == folds.TEST).all()


def test_what_is_chosen_is_best_on_the_method_that_was_left_out(study, tmp_path, monkeypatch):
    table = study.table
    good, bad = table.label.astype(float), 1.0 - table.label
    slow, fast = Training(4, 0.01), Training(6, 0.01)
    monkeypatch.setattr(ablation, "train", lambda recipe, row, kinds, one, *rest: one)
    # What is unseen, or of people who are not validated on, would choose otherwise.
    judged = (study.part == folds.VALIDATION) & np.isin(table.kind, SOURCES) & (table.collection != "c")

    def odds(recipe, row, kinds, one, features, known):
        return np.where(judged, good if one == fast else bad, bad if one == fast else good)

    monkeypatch.setattr(ablation, "odds", odds)
    study = study._replace(folder=tmp_path)
    assert ablation.chosen(study, 2, "c", "no outliers") == fast
    assert {each["auc"] for each in runs.read_json(tmp_path / "chosen-2-full.json")["tried"]} == {0.0, 1.0}
    assert slow in study.config.trainings()


def test_people_are_in_one_part_and_one_half():
    table = some_table(np.random.default_rng(1))
    for found, count in ((folds.parts_of(table, 0), 3), (folds.halves_of(table, 0), 2)):
        assert {len({*found[table.person == person]}) for person in np.unique(table.person)} == {1}
        assert {*found} == {*range(count)}
    counts = [len({*table.person[folds.parts_of(table, 0) == part]}) for part in range(3)]
    assert counts == [27, 9, 9]


def test_features_are_standardised_by_the_training_images_alone(study):
    rows = study.training_rows("a")
    given, kept = study.given(rows), study.table.features[rows]
    np.testing.assert_allclose(given.mean, kept.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(given.scale, kept.std(axis=0), rtol=1e-5)
    assert len(given.rows) == study.size >= len(rows) == int(given.where.sum())
    for label, side in enumerate(given.sides):
        assert (study.table.label[np.asarray(side[: given.counts[label]])] == label).all()


def test_an_epoch_takes_the_steps_of_the_ablation_on_images(study):
    recipe = study.config.recipe
    known = study.given(study.training_rows("a"))
    ours = training.train(recipe, "binary", study.kinds, Training(6, 0.01), 2, 7, study.features, known)
    settings = ImageConfig(backbone="efficientnet_lite0", neck=recipe.neck, head=recipe.head, batch=recipe.batch,
                           epochs=2, refresh_every=3, lr=0.01)  # fmt: skip
    theirs = on_images.programs(settings, "binary", study.kinds)
    table = study.table
    source = Data(known.standard(study.features), jnp.asarray(table.label), jnp.zeros(len(table.label), jnp.int32))
    sides = [side[:count] for side, count in zip(known.sides, known.counts.tolist(), strict=True)]
    state = theirs.begin(jax.random.key(7), source.inputs[:2])
    for _ in range(6):
        weights = on_images.objective_of(settings, "binary").weights()
        state, _ = theirs.step(jax.random.key(8), state, source, sides, weights, jnp.array(False))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5), ours.params, state.params)


def gaussians(dimension, shift, count=2000):
    """Real images around 0, forged ones around a shift, outliers between two quantiles of the distance; all known."""
    rng = np.random.default_rng(2)
    shell = stats.chi2.ppf([0.99, 0.999], dimension)
    real = rng.normal(size=(count, dimension))
    forged = rng.normal(size=(count, dimension)) + np.r_[shift, np.zeros(dimension - 1)]
    ways = rng.normal(size=(500, dimension))
    radius = np.sqrt(stats.chi2.ppf(rng.uniform(0.99, 0.999, 500), dimension))
    drawn = ways / np.linalg.norm(ways, axis=1, keepdims=True) * radius[:, None]
    state = outliers.fakeradar(2, slots=2, components=None).init(dimension)
    clusters = state.clusters._replace(active=jnp.array([True, False]), label=jnp.array([0, 1]))
    return state._replace(clusters=clusters), shell, real, forged, drawn


@pytest.mark.parametrize(("dimension", "shift"), [(4, 2.0), (32, 4.0)])
def test_shares_and_aucs_of_gaussians_are_those_of_chi_square(dimension, shift):
    state, shell, real, forged, drawn = gaussians(dimension, shift)
    near, near_real = premise.nearest(state, np.concatenate([real, forged]))
    np.testing.assert_allclose(near, np.sum(np.square(np.concatenate([real, forged])), axis=1), rtol=1e-5)
    np.testing.assert_array_equal(near, near_real)
    count = len(real)
    for squares, law in ((near[:count], stats.chi2(dimension)), (near[count:], stats.ncx2(dimension, shift**2))):
        expected = np.diff([0.0, *law.cdf(shell), 1.0])
        found = np.bincount(premise.place_of(squares, shell), minlength=3) / count
        np.testing.assert_allclose(found, expected, atol=0.03)
    column = lambda first, second: np.repeat([first, second], count)
    person = np.tile(np.arange(count) // 100, 2)
    table = Table(np.zeros((2 * count, 1)), column(0, 1), np.full(2 * count, "swap"), np.full(2 * count, "a"), person,
                  np.tile(np.arange(count), 2))  # fmt: skip
    theirs = np.sum(np.square(drawn), axis=1)
    nothing = np.full((1, len(near)), np.nan)
    one = premise.Located(
        shell[None], np.array([dimension]), np.ones(1), near[None], near[None], nothing, theirs[None], theirs[None],
        nothing[:, :500], np.ones((1, 500), bool), np.array([np.nan]),
    )  # fmt: skip
    people = {"a": People(Config(resamples=10).of_strangers(), "a", person)}
    rng = lambda: np.random.default_rng(0)
    report = premise.measure(table, np.zeros(2 * count, int), ["warp"], {"a": one}, people, rng)
    told = report["told_apart"]["distance"]
    # The mean quantile of a real image at which an outlier lies.
    assert told["outliers against real"]["value"] == pytest.approx((0.99 + 0.999) / 2, abs=0.003)
    grid = stats.ncx2(dimension, shift**2).rvs(20_000, random_state=0)
    assert told["unseen methods against real"]["value"] == pytest.approx(
        stats.chi2(dimension).cdf(grid).mean(), abs=0.02
    )
    expected = stats.ncx2(dimension, shift**2).cdf(stats.chi2(dimension).ppf(np.linspace(0.99, 0.999, 99))).mean()
    assert told["outliers against unseen methods"]["value"] == pytest.approx(expected, abs=0.03)
    shares = report["shares"]["forged, unseen methods, unknown collection"]
    assert shares["inside"]["value"] == pytest.approx(stats.ncx2(dimension, shift**2).cdf(shell[0]), abs=0.03)
    assert report["outliers"]["in the shell"] == 1.0


def test_a_head_beside_the_features_has_not_seen_whom_it_scores(study, tmp_path, monkeypatch):
    half, table = folds.halves_of(study.table, 0), study.table
    study = study._replace(folder=tmp_path)
    trained = []

    def notes(recipe, row, kinds, one, epochs, seed, features, given):
        rows = np.asarray(given.rows)[np.asarray(given.where)]
        trained.append(rows)
        return float(half[rows].mean())

    monkeypatch.setattr(adapted, "train", notes)
    monkeypatch.setattr(adapted, "odds", lambda recipe, row, kinds, model, *rest: np.full(len(table.label), model))
    monkeypatch.setattr(adapted, "chosen", lambda *args: Training(2, 0.1))
    found = adapted.crossed(study, 0, "a", "binary")
    known = table.collection != "a"
    assert all(known[rows].all() and np.isin(table.kind[rows], SOURCES).all() for rows in trained)
    for scores in found:
        np.testing.assert_array_equal(scores[known], 1.0 - half[known])
        np.testing.assert_array_equal(scores[~known], 0.5)


def test_a_feature_that_knows_the_answer_helps_and_one_that_knows_nothing_does_not(study):
    table, rng = study.table, np.random.default_rng(3)
    known = folds.source_rows(table, SOURCES, "a")
    rows = np.flatnonzero((table.collection == "a") & ~np.isin(table.kind, SOURCES))
    sets = adapted.draws_of(study, rows, "a")
    auc = lambda logits: METRICS["auc"](table.label[rows], logits)
    seen = {
        "alone": table.features, "nothing": np.column_stack([table.features, rng.normal(size=len(table.label))]),
        "all": np.column_stack([table.features, table.label + 0.01 * rng.normal(size=len(table.label))]),
    }  # fmt: skip
    found = {name: adapted._fold(table, each.astype(np.float32), known, rows, sets) for name, each in seen.items()}
    assert auc(found["all"][0]) == 1.0
    assert auc(found["all"][1][0]) == 1.0
    assert abs(auc(found["nothing"][0]) - auc(found["alone"][0])) < 0.05


def test_the_figures_are_drawn_from_the_run(done, tmp_path):
    commands = {
        ablation_bars: f"--report={done}/report.json", outlier_map: f"--runs={done}/map-0",
        outlier_places: f"--report={done}/report.json",
    }  # fmt: skip
    for figure, source in commands.items():
        out = tmp_path / f"{figure.__name__}.png"
        assert figure.main(["figure", source, f"--out={out}"]) == 0
        assert out.read_bytes().startswith(b"\x89PNG")


def test_bad_input_is_one_line(made, done, tmp_path, capsys):
    cases = {
        "--unseen=nobody": "unknown 'nobody'",
        "--unseen=poisson_swap,smooth,splice": "leaves 1 methods to train on",
        "--columns=0:9": "no range of 5 columns",
        "--columns=some": "no range of 5 columns",
        "--rates=fast": "give numbers",
        "--steps=1": "one step an epoch",
        "--recipe.slots=2": "give one at least",
        "--recipe.batch=7": "give an even number",
        "--rows=all of them": "unknown 'all of them'",
        "--model.width=8": "Leave --faces and --model out",
        f"--features={tmp_path}": "is no run of experiments.strangers",
    }
    for flag, said in cases.items():
        assert command.main(["strangers", *flags(made, tmp_path / "x"), flag]) == 2
        error = capsys.readouterr().err
        assert said in error
        assert error.strip().count("\n") == 0
    assert not (tmp_path / "x").exists()
    assert command.main(["strangers", *flags(made, done, seeds="3")]) == 2
    assert "another configuration" in capsys.readouterr().err


def test_features_are_made_by_the_study_of_strangers_where_none_are_given(tmp_path):
    faces = photographs(tmp_path / "faces", people=10)
    theirs = change(TINY, {"faces.folder": str(faces)})
    config = dataclasses.replace(
        settings(), faces=theirs.faces, model=theirs.model, unseen="resample", shots="2", judged=3
    )
    about = loading.own(Options(str(tmp_path / "run")), config, quiet=True)
    assert {*about.methods} == {"smooth", "warp", "resample"}
    assert dict(about.people) == {"a": 10, "b": 10, "c": 10}
    table = about.load()
    assert table.features.shape == (2 * 3 * 31, about.size)
    assert (tmp_path / "run" / "features-2.npz").exists()
    assert running.study_of(config, table, ["smooth", "warp"], tmp_path).kinds == 3


def test_columns_are_ranges():
    config = change(Config(), {"columns": "0:2,1:3,5:6"})
    assert config.seen(6).tolist() == [0, 1, 2, 5]
    assert Config().seen(3).tolist() == [0, 1, 2]
