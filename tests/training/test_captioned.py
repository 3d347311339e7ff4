"""Captions in a run: beside their own images, refused where nobody reads, and without a trace in a detector."""

import dataclasses

import jax
import numpy as np
import pytest

from metaforge import captions, runs
from metaforge.backbones import _reading
from metaforge.backbones.clip_model import TextConfig, words_of
from metaforge.captions.records import failed_record, line_of, record_of
from metaforge.data import prepared
from metaforge.data.pools import gather
from metaforge.data.records import Records, concatenate
from metaforge.errors import InputError
from metaforge.screening import from_run, load_detector, save_detector, score
from metaforge.settings import change
from metaforge.training import build, captioned, checks, kept_features, meta_train
from tests.experiments.conftest import TINY

READS = change(
    TINY,
    {
        "model.text": "small",
        "objective.name": "image_text",
        "faces.captions": "exact",
        "faces.variants": 1,
        "learner.name": "erm",
        "run.baseline": False,
        "run.iterations": 4,
        "run.log_every": 2,
        "run.eval_every": 4,
    },
)


@pytest.fixture
def small(monkeypatch):
    """A text tower that compiles quickly."""
    text = TextConfig(64, context=16, width=8, layers=1, heads=4, projection=4)
    monkeypatch.setitem(_reading.TEXTS, "small", text)


def test_tokens_of_a_batch_are_those_of_its_images(small):
    """From the forgery to the episode on the device, and back from numbers to words."""
    train = build.records(READS, split="train")
    held = kept_features.images(READS, train, None, reads=True)
    rows = checks.sampler(READS, train)(0)
    episode = gather(*jax.device_put((held.image, held.label, held.index[rows.support], held.index[rows.query])))
    vocabulary = ["", "?", *words_of(text for text in train.caption.tolist() if text)]
    seen = set()
    for part, chosen in ((episode.support, rows.support), (episode.query, rows.query)):
        tokens, images = (np.asarray(part.inputs[name]) for name in ("tokens", "image"))
        for place in np.ndindex(chosen.shape):
            record = train.take([chosen[place]])
            np.testing.assert_array_equal(images[place], record.image[0])
            words = [vocabulary[number] for number in tokens[place] if 0 < number < tokens.max()]
            said = record.caption[0].replace(";", " ;").replace(",", " ,").split()
            assert words == said[: len(words)]
            assert len(words) == min(len(said), 15)
            assert bool(words) == bool(record.label[0])
            seen.add(record.caption[0])
    assert len(seen) > 2
    # Nobody learns from the others, and they need no words.
    assert {*build.records(READS, split="validation").caption.tolist()} == {""}


def test_a_run_that_read_leaves_a_detector_that_says_the_same_without_what_it_read_with(small, tmp_path):
    meta_train.run(READS, tmp_path / "run", quiet=True)
    log = runs.read_rows(tmp_path / "run")
    assert all(row["loss/alignment"] > 0 and row["loss/multimodal"] > 0 for row in log)
    trained = from_run.load_run(tmp_path / "run")
    detector = from_run.detector(trained)
    save_detector(tmp_path / "saved", detector)
    again = load_detector(tmp_path / "saved")
    assert "words" in trained.params
    assert {"words"} == {*trained.params} - {*again.params}
    assert again.spec == dataclasses.replace(READS.network, text="none")
    images = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3)).astype(np.uint8)
    whole = score(build.model(READS).apply, trained.params, images, context=detector.context)
    np.testing.assert_array_equal(again(images), whole)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model.text": "small"}, "--model.text=small: captions need all of"),
        ({"faces.captions": "exact"}, "--faces.captions=exact: captions need all of"),
        ({"objective.name": "image_text"}, "--objective.name=image_text: captions need all of"),
        ({"objective.alignment": 0.5}, "--objective.alignment=0.5: for image_text. Leave it out."),
        ({"objective.multimodal": 0.0}, "--objective.multimodal=0: for image_text. Leave it out."),
    ],
)
def test_a_setting_of_captions_that_nobody_reads_is_refused(changes, said):
    with pytest.raises(InputError, match=f"^{said}"):
        change(TINY, changes).check()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"faces.captions": "a.jsonl"}, "--faces.captions=a.jsonl: forgeries that are made here have captions=exact"),
        ({"faces.prepared": "x"}, "--faces.captions=exact: of prepared images nothing is known"),
        ({"run.feature_cache": "x"}, "--run.feature_cache=x: not with --model.text"),
        ({"objective.image": 0.0}, "--objective.image=0.0: give a number"),
        ({"learner.name": "anil"}, "--learner.name=anil: its head sees features, and no captions"),
    ],
)
def test_captions_that_cannot_be_had_are_refused(changes, said):
    with pytest.raises(InputError, match=f"^{said}"):
        change(READS, changes).check()


def test_what_reads_has_to_be_trained():
    from metaforge.backbones import choice
    from metaforge.training import trainable

    config = change(READS, {"learner.trainable": "^head/"})
    with pytest.raises(InputError, match=r"what reads captions would stay as it was drawn. Train 'words' too"):
        trainable.check(config, choice.shapes(config.network))


def test_a_file_of_annotations_gives_each_image_its_words_by_its_path(small, tmp_path, monkeypatch):
    real = np.random.default_rng(0).integers(60, 90, (48, 48, 3)).astype(np.uint8)
    fake = real.copy()
    fake[20:30, 20:30] += 60
    found = captions.annotate(real, fake)
    records = [
        record_of(found, fake="fake/a.png", real="real/a.png", size=(48, 48)),
        failed_record("missing", "There is no real image.", fake="fake/b.png", real=None),
    ]
    file = tmp_path / "annotations.jsonl"
    file.write_text("".join(map(line_of, records)), encoding="utf-8")
    config = change(READS, {"faces.captions": str(file), "faces.prepared": "x"})
    table = Records.from_columns(image=np.zeros((3, 16, 16, 3), np.uint8), label=[0, 1, 1])
    monkeypatch.setattr(prepared, "paths", lambda table: np.array(["real/a.png", "fake/a.png", "fake/b.png"]))
    assert captioned.captions(config, table).tolist() == ["", captions.caption(found), ""]
    tokens = (captioned.beside(config, table) or {})["tokens"]
    assert (tokens.any(axis=1) == [False, True, False]).all()
    monkeypatch.setattr(prepared, "paths", lambda table: np.array(["c.png"] * 3))
    with pytest.raises(InputError, match=r"names none of the images, such as 'c\.png'"):
        captioned.beside(config, table)
    # Said before a folder is begun.
    monkeypatch.setattr(checks, "check_settings", lambda config: None)
    monkeypatch.setattr(checks, "images", lambda config, quiet: (table, table))
    with pytest.raises(InputError, match=r"names none of the images, such as 'c\.png'"):
        checks.check(config)


def test_a_run_goes_on_with_the_captions_that_it_began_with(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "identity_of", lambda config, *pools: "the images")
    file = tmp_path / "annotations.jsonl"
    file.write_text("one", encoding="utf-8")
    config = change(READS, {"faces.captions": str(file), "faces.prepared": "x"})
    run = runs.Run(tmp_path / "run", dataclasses.asdict(config))
    checks.refuse_other_images(config, run)
    checks.refuse_other_images(config, run)
    file.write_text("another", encoding="utf-8")
    with pytest.raises(InputError, match=r"annotations\.jsonl' is not the file that the run in '.*run' began with"):
        checks.refuse_other_images(config, run)
    file.unlink()
    with pytest.raises(InputError, match=r"^--faces.captions: cannot read '.*annotations\.jsonl' \(No such"):
        checks.refuse_other_images(config, run)


def test_captions_are_a_column_that_all_tables_have_or_none():
    image = np.zeros((1, 8, 8, 3), np.uint8)
    told = Records.from_columns(image=image, label=[1], caption=["the nose"])
    both = concatenate([told, told]).take([1])
    assert both.caption.tolist() == ["the nose"]
    with pytest.raises(InputError, match="some tables have captions and others have not"):
        concatenate([told, Records.from_columns(image=image, label=[1])])


def test_exact_annotations_follow_the_mask_and_not_what_differs():
    from metaforge.data.embedded_faces import embedded_faces
    from metaforge.forgeries.parts import forge_part

    face = embedded_faces("london", size=96)[0]
    forged = forge_part(np.random.default_rng(0), face, "mouth", "colour")
    found = captions.exact(forged.real, forged.fake, forged.mask, face.landmarks)
    assert found.regions == ("mouth",)
    assert found.types[0] == "colour"
    # An identical image in place of the fake: still it is the mouth that was touched, and by no cue.
    none = captions.exact(forged.real, forged.real, forged.mask, face.landmarks)
    assert (none.regions, none.types) == (("mouth",), ())
    empty = captions.exact(forged.real, forged.real, np.zeros((96, 96)), face.landmarks)
    assert (empty.answer, captions.caption(empty)) == ("identical", "")
