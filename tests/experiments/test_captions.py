"""The measurement of raw annotations: who is in which half, what guesses score, and what the report says."""

import json

import numpy as np
import pytest
from PIL import Image

from experiments.captions import __main__ as captions_command
from experiments.captions import pairs as pairs_module
from experiments.captions import running, sheet
from experiments.captions.config import Config
from experiments.captions.failing import why, worst
from experiments.captions.judging import _cut, _f1, _true, choose, guesses, masks_in, scores, sensitivity
from experiments.captions.pairs import CODINGS, NAMES, covered, drawn_from, known_pairs
from experiments.captions.table import markdown
from metaforge.captions.annotation import annotate
from metaforge.captions.thresholds import Thresholds
from metaforge.evaluation.regions import region_score
from metaforge.forgeries.parts import EDGES, PARTS, STRENGTHS

SMALL = Config(size=64, people=6, each=4, resamples=20)


@pytest.fixture(scope="module")
def halves():
    return known_pairs(SMALL)


def test_nobody_is_in_both_halves(halves):
    first, second = ({pair.person for pair in half} for half in halves)
    assert len(first) == len(second) == 3
    assert not first & second


def test_parts_changes_and_codings_take_turns(halves):
    for half in halves:
        assert len(half) == 24  # three people, two photographs each, four forgeries
        for field, names in (("part", PARTS), ("change", STRENGTHS), ("coding", CODINGS)):
            counts = [sum(getattr(pair, field) == name for pair in half) for name in names]
            assert min(counts) >= 24 // len(names)


def test_what_is_forged_is_the_part(halves):
    for pair in halves[0]:
        named = {name for name, true in zip(NAMES, pair.regions, strict=True) if true}
        assert set(PARTS[pair.part]) <= named
        if pair.part == "left_half":
            assert {"left_eye", "left_cheek"} <= named
            assert not {"right_eye", "right_cheek"} & named


def test_the_judged_half_meets_strengths_and_edges_that_did_not_choose():
    drawn = np.random.default_rng(0)
    for change, (low, high) in STRENGTHS.items():
        first, second = ([drawn_from(drawn, change, half) for _ in range(200)] for half in (0, 1))
        chose, judged = (np.array([one["strength"] for one in half]) for half in (first, second))
        if low < high:
            quarter = (high - low) / 4
            assert low + quarter <= chose.min() < chose.max() <= high - quarter
            assert low <= judged.min() < judged.max() <= high
            assert not ((judged > low + quarter) & (judged < high - quarter)).any()
            assert judged.min() < low + quarter / 2
            assert judged.max() > high - quarter / 2
        # Edges in quarters of a pixel, from 0.5: even ones chose, odd ones are judged.
        for half, rows in enumerate((first, second)):
            edges = np.array([one["edge"] for one in rows])
            assert (np.floor((edges - EDGES[0]) / 0.25).astype(int) % 2 == half).all()
            assert edges.min() < 1


def test_the_worst_pairs_come_first_and_say_what_was_missed(halves):
    pairs = halves[1]
    found = [annotate(pair.real, pair.fake, pair.landmarks) for pair in pairs]
    told = [one._replace(regions=tuple(name for name, is_so in zip(NAMES, pair.regions, strict=True) if is_so))
            for pair, one in zip(pairs, found, strict=True)]  # fmt: skip
    told[7] = told[7]._replace(regions=())
    told[11] = told[11]._replace(regions=(*told[11].regions, next(n for n in NAMES if n not in told[11].regions)))
    order = worst(pairs, told, len(pairs))
    assert sorted(order) == list(range(len(pairs)))
    assert order[0] == 7
    assert {pairs[place].change for place in order[: len(STRENGTHS)]} == set(STRENGTHS)
    assert why(pairs[7], told[7])[0].startswith("Missed: ")
    assert why(pairs[11], told[11])[0].startswith("Too many: ")
    assert why(pairs[0], told[0]) == ["All regions are right."]


def test_only_the_noise_of_compression_is_outside_the_forgery(halves):
    for pair in halves[0]:
        apart = np.abs(pair.real.astype(int) - pair.fake).max(axis=-1)[pair.outside]
        if pair.coding == "not coded":
            assert (apart > 0).mean() < 0.05  # where a soft edge reaches beyond the face
        else:
            assert np.median(apart) == 0 if pair.coding == "JPEG 95" else apart.max() > 0


def test_the_true_masks_score_everything_and_guesses_what_is_counted(halves):
    first, second = halves
    true = _true(second)
    oracle = np.stack([covered(pair.mask, pair.inside) for pair in second]) >= 0.25
    assert scores(second, oracle, resamples=20)["f1"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    said = guesses(first, second)
    share = true.mean()
    everywhere = scores(second, said["all regions"], resamples=20)
    assert (everywhere["precision"], everywhere["recall"]) == pytest.approx((share, 1.0))
    assert everywhere["f1"]["value"] == pytest.approx(2 * share / (1 + share))
    assert (said["the most frequent region"].sum(axis=1) == 1).all()


def test_the_interval_of_one_person_is_the_value():
    true, said = np.array([[True, False], [True, True]]), np.array([[True, True], [False, True]])
    value = region_score(true, said).f1
    assert _f1(true, said, ["a", "a"], 20) == {"value": value, "low": value, "high": value}


def test_the_chosen_value_of_a_cue_parts_the_pairs(halves):
    pairs = halves[0]
    cues = [{"blur": 7.0 if "blur" in pair.types else 2.0} for pair in pairs]
    assert _cut(pairs, cues, "blur") == pytest.approx(4.5)


def test_fitted_thresholds_are_no_worse_where_they_were_fitted(halves):
    first = halves[0][:10]
    chosen, usual = choose(first, say=lambda text: None), Thresholds()
    fitted, shipped = (region_score(_true(first), masks_in(first, one) > one.region).f1 for one in (chosen, usual))
    assert fitted >= shipped
    assert sensitivity(first, usual)["least"]["as_it_is"] == shipped


def test_the_command_writes_its_report_and_does_not_work_twice(tmp_path, capsys, monkeypatch):
    flags = ["--size=48", "--people=4", "--each=1", "--resamples=10"]
    assert captions_command.main(["captions", f"--workdir={tmp_path}", *flags]) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["command"] == "python -m experiments.captions --size=48 --each=1 --people=4 --resamples=10"
    assert report["pairs"] == [4, 4]
    said = (tmp_path / "report.md").read_text()
    assert said == markdown(report)
    for words in ("| fitted |", "| shipped |", "| all regions |", "F1 by coding", "halved"):
        assert words in said
    monkeypatch.setattr(running, "measure", None)
    assert captions_command.main(["captions", f"--workdir={tmp_path}", *flags]) == 0
    capsys.readouterr()


def test_the_sheet_has_a_row_for_each_pair_and_both_masks(tmp_path, capsys, monkeypatch):
    out = tmp_path / "sheet.png"
    assert sheet.main(["sheet", f"--out={out}", "--rows=2", "--size=48"]) == 0
    drawn = np.asarray(Image.open(out)).astype(int)
    assert drawn.shape == (16 + 2 * 48, 5 * 48 + 330, 3)
    pairs = known_pairs(Config(size=48, each=1, people=4))[1][:2]
    for row, pair in enumerate(pairs):
        real, fake, _, _, true = np.split(drawn[16 + 48 * row : 64 + 48 * row, :240], 5, axis=1)
        np.testing.assert_array_equal(real, pair.real)
        np.testing.assert_array_equal(fake, pair.fake)
        coloured = np.ptp(true, axis=2) > 0
        np.testing.assert_array_equal(coloured, pair.mask)
    monkeypatch.setattr(pairs_module, "known_pairs", lambda config: ([], pairs))
    assert sheet.main(["sheet", f"--out={tmp_path}/worst.png", "--rows=2", "--size=48", "--worst"]) == 0
    with Image.open(tmp_path / "worst.png") as drawn:
        assert drawn.size == (5 * 48 + 330, 16 + 2 * 48)
    assert sheet.main(["sheet", f"--out={tmp_path}/a.jpg"]) == 2
    assert "is no .png" in capsys.readouterr().err
