"""Omniglot in small: archives drawn here, episodes whose answer is known, a run that stops and goes on."""

import dataclasses
import json
import zipfile

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from experiments.omniglot import __main__ as omniglot_command
from experiments.omniglot import report as reporting
from experiments.omniglot import running as omniglot
from experiments.omniglot import training
from experiments.omniglot.config import QUICK, Config
from experiments.omniglot.data import SIDE, Drawings, read, split, turned
from experiments.omniglot.episodes import CharacterPool, draw, episodes, grouped
from experiments.omniglot.recipes import CELLS, NAMES, PUBLISHED, recipe, ways_and_shots
from metaforge.errors import InputError
from metaforge.runs import read_rows

ALPHABETS = {"background": ("Greek", "Latin"), "evaluation": ("Elvish", "Runes")}
TINY = Config(tests="5x1", learners="protonet", normalisations="support", seeds=1, iterations=8, width=4, chunk=2,
              protonet_ways=5, split="halves", test_episodes=4)  # fmt: skip


def write(folder, *, characters=6, drawings=6, size=20, noise=0.0):
    """Unpacked halves: every character a pattern of black on white, one bit a pixel, as the official ones."""
    rng = np.random.default_rng(0)
    for half, alphabets in ALPHABETS.items():
        for alphabet in alphabets:
            for character in range(characters):
                pattern = rng.random((size, size)) < 0.3
                for drawing in range(drawings):
                    ink = pattern ^ (rng.random(pattern.shape) < noise)
                    path = folder / f"images_{half}" / alphabet / f"character{character:02d}" / f"0_{drawing:02d}.png"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    Image.fromarray(~ink).convert("1").save(path)
    return folder


def pack(folder, archive, files):
    with zipfile.ZipFile(archive, "w") as packed:
        for file in files:
            packed.write(file, file.relative_to(folder))
    return archive


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    return write(tmp_path_factory.mktemp("unpacked"))


def same(one, other):
    np.testing.assert_array_equal(one.images, other.images)
    assert (one.names, one.halves) == (other.names, other.halves)


def test_archives_folders_and_one_archive_of_both_halves_are_one_set(unpacked, tmp_path):
    found = read(str(unpacked), quiet=True)
    assert found.images.shape == (24, 6, SIDE, SIDE)
    assert found.names == sorted(found.names)
    assert found.halves[found.names.index("Elvish/character03")] == "evaluation"
    assert found.halves.count("background") == 12
    for half in ALPHABETS:
        pack(unpacked, tmp_path / f"images_{half}.zip", sorted(unpacked.glob(f"images_{half}/**/*.png")))
    same(read(str(tmp_path), quiet=True), found)
    same(read(f"{tmp_path}/images_evaluation.zip,{tmp_path}/images_background.zip", quiet=True), found)
    same(read(str(pack(unpacked, tmp_path / "all.zip", unpacked.rglob("*.png"))), quiet=True), found)


def test_a_character_of_two_archives_counts_once_and_what_is_no_drawing_not_at_all(unpacked, tmp_path):
    greek = sorted(unpacked.glob("images_background/Greek/**/*.png"))
    (tmp_path / "readme.png").write_text("not at the depth of a drawing")
    for name, files in (("images_background", unpacked.glob("images_background/**/*.png")),
                        ("images_background_small1", greek)):  # fmt: skip
        archive = pack(unpacked, tmp_path / f"{name}.zip", files)
    with zipfile.ZipFile(archive, "a") as packed:
        packed.writestr("__MACOSX/Greek/character00/._0_00.png", b"")
        packed.writestr("images_background/Greek/character00/notes.txt", b"")
        packed.writestr("readme.png", b"")
    (tmp_path / "readme.png").unlink()
    found = read(str(tmp_path), quiet=True)
    assert found.images.shape[:2] == (12, 6)
    assert set(found.halves) == {"background"}


def test_ink_is_1_and_thin_lines_survive_being_made_small(tmp_path):
    image = np.ones((105, 105), bool)
    image[:, 51] = False  # one pixel of ink, between the columns that nearest-neighbour resizing would keep
    path = tmp_path / "images_background" / "Greek" / "character01" / "0001_01.png"
    path.parent.mkdir(parents=True)
    Image.fromarray(image).convert("1").save(path)
    assert not np.any(~np.array(Image.open(path).resize((SIDE, SIDE), Image.Resampling.LANCZOS)))
    ink = read(str(tmp_path), quiet=True).images[0, 0]
    # A line of 1 pixel in 105 is 28 / 105 of a small pixel; a little more, as the filter's negative lobes are cut off.
    np.testing.assert_allclose(ink.astype(float).sum(axis=1), 255 * SIDE / 105, rtol=0.25)
    assert ink[:, [0, 5, 25]].max() == 0


def test_rows_are_turns_of_characters_of_drawings():
    images = np.random.default_rng(0).integers(256, size=(3, 2, SIDE, SIDE), dtype=np.uint8)
    flat = turned(images)
    assert flat.shape == (4 * 3 * 2, SIDE, SIDE, 1)
    for turn, character, drawing in ((0, 0, 0), (1, 2, 1), (3, 1, 0)):
        row = (turn * 3 + character) * 2 + drawing
        np.testing.assert_array_equal(flat[row, ..., 0], np.rot90(images[character, drawing], turn))


def of(count, *, background=0):
    halves = ["background"] * background + ["evaluation"] * (count - background)
    return Drawings(np.zeros((count, 20, 1, 1), np.uint8), [f"a/{i:04d}" for i in range(count)], halves)


@pytest.mark.parametrize(
    ("how", "count", "background", "sizes"),
    [
        ("characters", 1623, 964, (1100, 100, 423)),
        ("characters", 242, 242, (164, 15, 63)),
        ("halves", 1623, 964, (868, 96, 659)),
        ("halves", 60, 40, (36, 4, 20)),
    ],
)
def test_every_character_is_in_one_split_in_the_published_shares(how, count, background, sizes):
    parts = split(of(count, background=background), how)
    assert tuple(len(parts[name]) for name in ("train", "validation", "test")) == sizes
    assert sorted(np.concatenate(list(parts.values()))) == list(range(count))
    if how == "halves":
        assert parts["test"].min() == background
    else:
        assert sizes != tuple(part.min() for part in parts.values())
        assert np.mean(parts["test"]) == pytest.approx(count / 2, rel=0.15)  # at random, not the last ones


POOL = CharacterPool(np.arange(10, 40), of=50, drawings=20)


def decode(rows):
    """Turn, character and drawing of each row."""
    return rows // 20 // 50, rows // 20 % 50, rows % 20


def test_an_episode_is_of_different_characters_each_in_one_turn_and_no_drawing_twice():
    rows = draw(POOL, seed=(3, 7), tasks=200, ways=5, examples=6)
    turn, character, drawing = decode(rows)
    assert rows.shape == (200, 5, 6)
    assert rows.dtype == np.int32
    assert set(np.unique(character)) == set(range(10, 40))
    assert (turn == turn[..., :1]).all()
    assert (character == character[..., :1]).all()
    assert np.unique(turn).tolist() == [0, 1, 2, 3]
    assert all(len(set(task)) == 5 for task in character[..., 0].tolist())
    assert all(len(set(one)) == 6 for one in drawing.reshape(-1, 6).tolist())
    # Every character is as likely in every place: 1,000 places over 30 characters.
    assert np.bincount(character[:, 0, 0], minlength=40)[10:].max() < 20
    np.testing.assert_array_equal(draw(POOL, seed=(3, 7), tasks=200, ways=5, examples=6), rows)
    for other in ((3, 8), (4, 7)):
        assert (draw(POOL, seed=other, tasks=200, ways=5, examples=6) != rows).mean() > 0.9
    upright = draw(POOL._replace(turns=1), seed=(3, 7), tasks=9, ways=5, examples=6)
    assert not decode(upright)[0].any()


def test_support_and_query_are_the_drawings_of_their_rows():
    images = jnp.arange(4 * 50 * 20)[:, None, None, None]
    rows = draw(POOL, seed=(0, 0), tasks=2, ways=5, examples=4)
    found = episodes(images, jnp.asarray(rows), shots=3)
    for task in range(2):
        for part, where, each in ((found.support, slice(3), 3), (found.query, slice(3, None), 1)):
            seen, labels = np.ravel(part.inputs[task]), np.asarray(part.targets[task])
            for way in range(5):
                assert set(seen[labels == way]) == set(rows[task, way, where].tolist())
            # Any five in a row have every class, whatever a learner makes its mini-batches of.
            assert labels.reshape(each, 5).tolist() == [[0, 1, 2, 3, 4]] * each


def test_test_episodes_are_of_groups_that_share_no_character_and_are_tested_equally_often():
    rows, groups = grouped(POOL, seed=1, episodes=20, ways=4, examples=2)
    _, character, _ = decode(rows)
    assert rows.shape == (21, 4, 2)  # 30 characters make 7 groups of 4; three times 7 are 20 or more
    assert np.bincount(groups).tolist() == [3] * 7
    members = [set(character[groups == group].ravel().tolist()) for group in range(7)]
    assert all(len(one) == 4 for one in members)
    assert len(set.union(*members)) == 28
    assert len({tuple(row) for row in rows.reshape(21, -1).tolist()}) == 21


@pytest.mark.parametrize("cell", CELLS)
def test_a_step_is_as_long_as_the_published_one(cell):
    # The released code divides each example's cross-entropy by the shots and sums over the support set; ours is a mean.
    ways, shots = ways_and_shots(cell)
    slopes = np.random.default_rng(0).normal(size=ways * shots)  # of each example's cross-entropy
    published = {5: 0.4, 20: 0.1}[ways]
    assert recipe("maml", cell).inner_lr * slopes.mean() == pytest.approx(published * (slopes / shots).sum())


def test_recipes_are_within_what_a_configuration_allows():
    assert dataclasses.astuple(recipe("maml", "20x1"))[:5] == (60_000, 16, 20, 1, 1)
    assert (recipe("maml", "5x1").steps, recipe("maml", "5x1").test_steps) == (1, 3)
    full, quick = Config(), QUICK
    for name in NAMES:
        for cell in CELLS:
            assert full.recipe(name, cell) == recipe(name, cell)
            assert quick.recipe(name, cell).iterations == 3000
            assert quick.recipe(name, cell).tasks <= 4
    assert quick.recipe("protonet", "5x1").ways == 20
    assert Config(inner_lr=0.5).recipe("anil", "5x1").inner_lr == 0.5
    # Its authors' README: --train-shots 15 --inner-batch 25 --inner-iters 3 --meta-batch 10; all it is given is pooled.
    theirs = recipe("reptile", "5x1")
    assert (theirs.shots + theirs.queries, theirs.batch, theirs.steps, theirs.tasks) == (15, 25, 3, 10)


@pytest.mark.parametrize("name", ["maml", "anil", "reptile"])
def test_a_learner_trains_on_and_answers_what_it_is_given(name):
    # Shapes alone: nothing is compiled.
    kinds = Config(tests="5x1", learners=name, width=4, protonet_ways=7).kinds()
    assert len({kind.trained for kind in kinds}) == (1 if name == "reptile" else 2)
    assert len({kind.answers for kind in kinds}) == 2
    kind, images = kinds[1], jax.ShapeDtypeStruct((90, SIDE, SIDE, 1), np.uint8)
    start, advance, correct = training._programs(kind)
    state = jax.eval_shape(start, jax.random.key(0))
    examples = kind.recipe.shots + kind.recipe.queries
    rows = jax.ShapeDtypeStruct((2, kind.recipe.tasks, kind.recipe.ways, examples), np.int32)
    after, (losses, accuracies) = jax.eval_shape(advance, state, images, rows)
    assert jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), after) == jax.tree.map(
        lambda leaf: (leaf.shape, leaf.dtype), state
    )
    assert losses.shape == accuracies.shape == (2,)
    answers = jax.eval_shape(correct, state.params, images, jax.ShapeDtypeStruct((3, 5, 2), np.int32))
    assert (answers.shape, answers.dtype) == ((3, 5), np.bool_)


GROUPS = np.tile(np.arange(40), 5)


def answers(seed=0, *, seeds=1, within=1.0):
    """Right or wrong by group alone (`within` 0), or by chance each time."""
    rng = np.random.default_rng(seed)
    of_group = (rng.random(40) < 0.8)[GROUPS][None, :, None]
    by_chance = rng.random((seeds, len(GROUPS), 5)) < 0.8
    return np.where(rng.random((1, len(GROUPS), 1)) < within, by_chance, np.broadcast_to(of_group, by_chance.shape))


def test_an_interval_is_of_characters_where_the_published_one_is_of_episodes():
    models = {("5x1", "maml", "episode"): answers(within=0.0), ("5x1", "anil", "episode"): answers(within=1.0)}
    by_group, by_chance = reporting.rows(models, {"5x1": GROUPS})
    correct = models["5x1", "maml", "episode"]
    assert by_group["accuracy"]["value"] == correct.mean()
    # All that is known are 40 groups, each tested five times: the published formula takes them for 200.
    spread = 1.96 * correct[0, :40, 0].std()
    assert by_group["published_way"] == pytest.approx(spread / np.sqrt(200))
    width = lambda row: row["accuracy"]["high"] - row["accuracy"]["low"]
    assert width(by_group) == pytest.approx(2 * spread / np.sqrt(40), rel=0.15)
    assert width(by_chance) == pytest.approx(2 * 1.96 * 0.4 / np.sqrt(1000), rel=0.3)
    assert by_group["minus_maml"] is None
    assert by_chance["minus_maml"]["value"] == pytest.approx(
        by_chance["accuracy"]["value"] - by_group["accuracy"]["value"]
    )


def report_of(data, **changes):
    config = dataclasses.asdict(dataclasses.replace(Config(), **changes))
    every = {(cell, name, kind): answers(seeds=3) for cell in ("5x1", "20x5") for name in NAMES
             for kind in ("episode", "support")}  # fmt: skip
    return {"config": config, "data": data, "rows": reporting.rows(every, {"5x1": GROUPS, "20x5": GROUPS})}


DATA = {"characters": 1623, "drawings": 20, "split": {"train": 1100, "validation": 100, "test": 423}}


def test_published_numbers_stand_beside_comparable_runs_alone():
    text = reporting.table(report_of(DATA))
    assert "| 5-way 1-shot | MAML |" in text
    assert "| 98.7 ± 0.4 |" in text
    for learner, kinds in PUBLISHED.items():
        for cells in kinds.values():
            assert all(value in text for cell, value in cells.items() if cell in ("5x1", "20x5")), learner
    assert "Trained as long as published" in text
    few = reporting.table(report_of(DATA | {"characters": 242}))
    assert "not comparable: 242 characters" in few
    assert "± 0.4" not in few
    assert "not comparable: official halves" in reporting.table(report_of(DATA, split="halves"))
    quick = reporting.table(report_of(DATA, width=32, iterations=3000))
    assert "98.7 ± 0.4" in quick
    assert "| published, trained in full |" in quick
    assert "Trained otherwise than published: 32 filters instead of 64, at most 3,000 outer steps" in quick


def flags(data, workdir, **changes):
    config = dataclasses.asdict(TINY) | changes
    return ["omniglot", f"--data={data}", f"--workdir={workdir}"] + [f"--{k}={v}" for k, v in config.items()]


@pytest.fixture(scope="module")
def whole(unpacked, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("omniglot") / "whole"
    assert omniglot_command.main(flags(unpacked, workdir)) == 0
    return workdir


def without_time(folder):
    return [{name: value for name, value in row.items() if name != "seconds"} for row in read_rows(folder)]


def test_prototypes_of_drawings_that_are_all_alike_are_always_right(whole):
    # A query drawing equals its class's support drawing, and the others are other patterns.
    report = json.loads((whole / "report.json").read_text())
    assert [row["accuracy"]["value"] for row in report["rows"]] == [1.0]
    assert report["rows"][0]["episodes"] == 4
    assert report["data"]["split"] == {"train": 11, "validation": 1, "test": 12}
    assert "not comparable: 24 characters" in (whole / "report.md").read_text()
    assert [row["step"] for row in read_rows(whole / "5x1-protonet-support-seed0")] == [2, 4, 6, 8]


def test_a_run_in_parts_is_one_that_was_not_interrupted(whole, unpacked, tmp_path, capsys):
    workdir = tmp_path / "parts"
    for steps, limit in ((2, "1e-9"), (4, "1e-9"), (8, "0")):
        assert omniglot_command.main([*flags(unpacked, workdir), f"--max_minutes={limit}"]) == 0
        printed = capsys.readouterr().out
        assert ("0 of 1 models are done. The same command goes on" in printed) == (steps < 8)
        assert read_rows(workdir / "5x1-protonet-support-seed0")[-1]["step"] == steps
    name = "5x1-protonet-support-seed0"
    assert without_time(workdir / name) == without_time(whole / name)
    np.testing.assert_array_equal(
        np.load(workdir / name / "test-support.npy"), np.load(whole / name / "test-support.npy")
    )
    assert (workdir / "report.md").read_text() == (whole / "report.md").read_text()
    assert printed.startswith((whole / "report.md").read_text())


def test_a_finished_run_is_returned_without_its_data_and_other_data_are_refused(whole, unpacked, tmp_path, capsys):
    assert omniglot_command.main(flags("nowhere", whole)) == 0
    assert capsys.readouterr().out.startswith((whole / "report.md").read_text())
    assert omniglot_command.main(flags("nowhere", whole, seeds=2)) == 2
    assert "seeds: 1 there, 2 asked" in capsys.readouterr().err
    other = write(tmp_path / "other", noise=0.1)
    begun = tmp_path / "begun"
    assert omniglot_command.main([*flags(unpacked, begun), "--max_minutes=1e-9"]) == 0
    assert omniglot_command.main(flags(other, begun)) == 2
    assert "another configuration (data:" in capsys.readouterr().err


def broken(folder, how):
    """A source that cannot be used, and what is said of it."""
    if how == "missing":
        return folder / "nowhere", "there is no"
    if how == "empty":
        return folder, "holds no alphabet/character/drawing.png"
    if how == "no archive":
        (folder / "images_background.zip").write_text("not a zip")
        return folder, "no readable zip archive"
    if how == "outside":
        with zipfile.ZipFile(folder / "images_background.zip", "w") as packed:
            packed.writestr("images_background/../../evil/a/x.png", b"x")
        return folder, "leads outside the archive"
    write(folder, characters=2, drawings=2)
    first = folder / "images_background" / "Greek" / "character00" / "0_00.png"
    if how == "uneven":
        first.unlink()
        return folder, "character 'Greek/character00' has 1 drawings, others 2"
    if how == "torn":
        first.write_bytes(first.read_bytes()[:40])
        return folder, "0_00.png"
    if how == "oblong":
        Image.new("1", (20, 30)).save(first)
        return folder, "are square"
    if how == "inverted":
        for path in folder.rglob("*.png"):
            Image.fromarray(~np.array(Image.open(path))).save(path)
        return folder, "light on dark"
    return folder, "needs 5 train characters"


@pytest.mark.parametrize(
    "how", ["missing", "empty", "no archive", "outside", "uneven", "torn", "oblong", "inverted", "few"]
)
def test_what_is_wrong_with_the_data_is_one_line(tmp_path, capsys, how):
    (tmp_path / "data").mkdir()
    data, said = broken(tmp_path / "data", how)
    assert omniglot_command.main(flags(data, tmp_path / "run")) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert said in error
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [("tests", "5x2"), ("learners", "maml,sgd"), ("normalisations", ""), ("seeds", 0), ("inner_lr", -1.0),
     ("inner_lr", float("nan")), ("iterations", -1)],
)  # fmt: skip
def test_settings_that_cannot_work_are_named(tmp_path, field, value):
    with pytest.raises(InputError, match=f"--{field}="):
        omniglot.run(Config(**{field: value}), tmp_path / "run", "nowhere", quiet=True)
    assert not (tmp_path / "run").exists()


def test_halves_that_are_not_both_there_are_said(unpacked, tmp_path):
    with pytest.raises(InputError, match="12 characters of the background half and 0 of the evaluation half"):
        omniglot.run(TINY, tmp_path / "run", str(unpacked / "images_background"), quiet=True)
