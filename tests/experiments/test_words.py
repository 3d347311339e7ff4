"""The study of words: folds know nothing of what they judge, controls shuffle as they say, and only words differ."""

import json

import jax.numpy as jnp
import numpy as np
import pytest

from experiments.words import judging, material, running, training, ways
from experiments.words.config import Config, Options
from experiments.words.episodes import config as episodes_config
from experiments.words.episodes import learning
from experiments.words.episodes import running as episodes_running
from experiments.words.folds import folds
from experiments.words.table import markdown
from metaforge.data.embedded_faces import embedded_faces
from metaforge.errors import InputError
from metaforge.evaluation.metrics import METRICS
from metaforge.settings import change

TINY = change(
    Config(),
    {"width": 4, "seeds": 2, "pairs": 4, "steps": "50", "rates": "1e-3", "weights": "1", "resamples": 20, "folds": 2},
)
EPISODES = change(
    episodes_config.Config(), {"steps": 3, "tasks": 2, "shots": 2, "queries": 2, "adapt_steps": 1, "draws": 2}
)
KINDS = ("swap", "warp", "smooth", "part colour", "part blur")
CAPTIONS = ("the mouth; the colour differs", "the nose", "the whole face; detail is blurred")


@pytest.fixture(scope="module")
def table():
    """Three collections of four people: a fake differs in one cell, which its caption names by a word."""
    rng = np.random.default_rng(0)
    rows = [(c, p, k) for c in "abc" for p in range(4) for k in KINDS for _ in range(2)]
    label = np.tile([0, 1], len(rows) // 2)
    seen = rng.normal(size=(len(rows), 4, 6)).astype(np.float16)
    place = np.repeat(rng.integers(0, 3, len(rows) // 2), 2)
    seen[np.arange(len(rows)), place, 0] += 3 * label
    collection, person, kind = (np.array(column) for column in zip(*rows, strict=True))
    person = np.char.add(collection, person.astype(str))
    return material.Table(seen, label, kind, collection, person, np.where(label > 0, np.array(CAPTIONS)[place], ""))


def test_a_fold_neither_trains_nor_chooses_on_what_it_judges(table):
    made = folds(change(TINY, {"folds": 0}), table)
    judged = [(fold.collection, kind) for fold in made for kind in fold.kinds]
    assert sorted(judged) == sorted((c, k) for c in "abc" for k in KINDS)
    assert {fold.collection for fold in made[:3]} == {*"abc"}
    for fold in made:
        assert set(table.collection[fold.judged]) == {fold.collection}
        assert set(table.kind[fold.judged]) == {*fold.kinds}
        assert fold.collection not in table.collection[fold.source]
        assert not {*fold.kinds} & {*table.kind[fold.source]}
        for part in (fold.fit, fold.chosen_by):
            assert {*part} < {*fold.source}
        assert not {*table.collection[fold.fit]} & {*table.collection[fold.chosen_by]}
        assert not {*table.kind[fold.fit]} & {*table.kind[fold.chosen_by]}


@pytest.mark.parametrize("way", ways.WAYS, ids=lambda way: way.name)
def test_captions_are_shuffled_within_a_class_or_among_all_and_none_is_lost(table, way):
    said = ways.captions_of(way, table.caption, table.label, np.random.default_rng(1))
    own = [ways.OF_REAL if way.told and not label else text or None
           for text, label in zip(table.caption, table.label, strict=True)]  # fmt: skip
    count = lambda texts: {text: texts.count(text) for text in texts}
    assert count(said) == count(own)
    assert (said == own) == (not way.shuffled)
    for label in (0, 1):
        mine = np.flatnonzero(table.label == label)
        of_class = [count([texts[row] for row in mine]) for texts in (said, own)]
        assert (of_class[0] == of_class[1]) == (way.shuffled != "all")


def test_words_of_weight_nothing_change_nothing_and_words_that_count_do(table):
    """First parameters, batches and steps are the image's own, whatever stands beside."""
    held, source = jnp.asarray(table.seen), training.source_of(table, np.arange(80))
    how = {"rate": 1e-2, "steps": 50, "seed": 3}
    at = lambda way, weight: dict(training.trained(TINY, way, table, held, source, weight=weight, **how))[50]
    alone, off, on = at(ways.WAYS[0], 0.0), at(ways.WAYS[1], 0.0), at(ways.WAYS[1], 1.0)
    assert sorted(alone) == sorted(off) == sorted(on)
    np.testing.assert_allclose(off["map"]["kernel"], alone["map"]["kernel"], rtol=1e-3, atol=1e-4)
    assert np.abs(np.asarray(on["map"]["kernel"]) - np.asarray(alone["map"]["kernel"])).max() > 1e-2


@pytest.fixture(scope="module")
def done(table, tmp_path_factory):
    """A finished study of four of the ways, in a folder."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(running, "collected", lambda *args, **more: ({}, {}))
        patched.setattr(running, "WAYS", ways.WAYS[:2] + ways.WAYS[3:4] + ways.WAYS[5:6])
        patched.setattr(running, "BY_NAME", {way.name: way for way in running.WAYS})
        for module in (running, episodes_running):
            patched.setattr(module, "table_of", lambda *args, **more: table)
        folder = tmp_path_factory.mktemp("words")
        yield folder, running.run(Options(workdir=str(folder / "run")), TINY, quiet=True)


def test_a_study_ends_in_a_table_and_one_that_was_cut_off_ends_the_same(table, done):
    tmp_path, report = done
    options = Options(workdir=str(tmp_path / "run"))
    assert json.loads((tmp_path / "run" / "report.json").read_text()) == report
    assert running.run(options, TINY, quiet=True) == report
    assert f"| {ways.JOINT} | 0." in markdown(report)
    row = report["rows"][1]
    assert row["difference"]["value"] == pytest.approx(row["auc"]["value"] - report["rows"][0]["auc"]["value"])
    shuffled, own = report["rows"][2], row["over_shuffled"]["difference"]["value"]
    assert own == pytest.approx(row["auc"]["value"] - shuffled["auc"]["value"])
    assert np.mean(row["seeds"]) == pytest.approx(row["difference"]["value"])
    # Of a single cell, by the library: the first fold, its first method.
    fold = folds(TINY, table)[0]
    with np.load(tmp_path / "run" / "fold-0.npz") as kept:
        scores = kept[ways.JOINT]
    mine = table.kind[fold.judged] == fold.kinds[0]
    expected = np.mean([METRICS["auc"](table.label[fold.judged[mine]], one[mine]) for one in scores])
    each = judging._replicates(TINY, table, [fold], [{"a": scores}], ["a"])
    assert each[0][0] == (fold.collection, fold.kinds[0])
    assert each[1][0, 0, 0] == pytest.approx(expected)
    (tmp_path / "run" / "report.json").unlink()
    (tmp_path / "run" / "fold-1.npz").unlink()
    again = running.run(options, TINY, quiet=True)
    assert again["rows"] == report["rows"]


def test_nobody_is_in_a_support_and_a_query_set_and_sets_are_pairs(table):
    rows = np.flatnonzero((table.collection != "a") & (table.kind != "warp"))
    made = learning.episodes(EPISODES, table, rows, np.random.default_rng(0))
    for support, query in zip(*(part.reshape(-1, part.shape[-1]) for part in made), strict=True):
        both = np.concatenate([support, query])
        assert {*both} < {*rows}
        assert len({*zip(table.collection[both], table.kind[both], strict=True)}) == 1
        assert not {*table.person[support]} & {*table.person[query]}
        for part in (support, query):
            assert table.label[part].tolist() == [0] * (len(part) // 2) + [1] * (len(part) // 2)
            assert (np.diff(part.reshape(2, -1), axis=0) == 1).all()


def test_daml_with_captions_of_the_support_set_is_judged_on_other_people(table, done):
    folder, _ = done
    options = episodes_config.Options(workdir=str(folder / "run"))
    report = episodes_running.run(options, EPISODES, quiet=True)
    assert [row["way"] for row in report["rows"]] == [*episodes_running.WAYS]
    with np.load(folder / "run" / "episodes-0.npz") as kept:
        first, told = (kept[name] for name in [*episodes_running.WAYS][:2])
    assert np.abs(first - told).max() > 1e-6
    assert "| captions of the support set | 0." in episodes_running.markdown(report)
    again = episodes_running.run(options, EPISODES, quiet=True)
    assert again["rows"] == report["rows"]
    fold = folds(TINY, table)[0]
    for support, judged in zip(*episodes_running.sets_of(EPISODES, TINY, table, fold), strict=True):
        assert not {*table.person[support]} & {*table.person[judged]}
        assert len({*table.kind[np.concatenate([support, judged])]}) == 1
    with pytest.raises(InputError, match="was made with other settings"):
        episodes_running.run(options, change(EPISODES, {"inner_lr": 0.2}), quiet=True)


def test_every_pair_is_forged_by_every_method_and_told_by_its_exact_mask():
    faces = embedded_faces("london", size=48)[:8:2]
    made = list(material.pairs(Config(), faces))
    assert sorted((one.kind, one.person) for one in made) == sorted(
        (kind, face.identity) for kind in material.METHODS for face in material.chosen(Config(), faces)
    )
    for one in made:
        part = one.forged.parameters.get("part")
        assert "Forged" not in one.caption
        assert "%" not in one.caption
        if part in ("mouth", "nose"):
            assert one.caption.startswith(f"the {part}")


def test_cells_have_the_means_and_deviations_of_their_pixels():
    part = np.random.default_rng(0).normal(size=(2, 10, 10, 3)).astype(np.float32)
    found = np.asarray(material.in_cells(jnp.asarray(part)))
    cell = part[1, 2:4, 8:10].reshape(4, 3)
    np.testing.assert_allclose(found[1, 5 * 1 + 4, :3], cell.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(found[1, 5 * 1 + 4, 3:], np.sqrt(cell.var(axis=0) + 1e-6), atol=1e-5)


def test_lists_that_are_none_are_refused():
    for name, value in (("rates", "fast"), ("weights", "-1"), ("steps", "70")):
        with pytest.raises(InputError, match=rf"^--{name}={value}: give "):
            change(Config(), {name: value}).tried(name)
