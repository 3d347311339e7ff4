"""The TFDS builders: what was prepared is read, twice built it is the same bytes, and TensorFlow is not needed."""

import functools
import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from metaforge.data.catalogues import CATALOGUES
from metaforge.data.manifest import write_manifest
from metaforge.errors import InputError

tfds = pytest.importorskip("tensorflow_datasets")

DATASETS = Path(__file__).parents[2] / "datasets"
NAMES = sorted(path.name for path in DATASETS.iterdir() if path.is_dir() and not path.name.startswith(("_", ".")))
PREPARED = sorted(CATALOGUES)


@functools.cache  # TFDS keeps a register, and will not have a name twice
def builder_of(name):
    """A builder's class, found as TFDS finds it: by its file."""
    path = DATASETS / name / f"{name}_dataset_builder.py"
    spec = importlib.util.spec_from_file_location(f"{name}_dataset_builder", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Builder


def draw_prepared(root, dataset):
    rng, rows = np.random.default_rng(0), []
    for number in range(9):
        path = f"frames/{number}.png"
        (root / "frames").mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (10, 12, 3), dtype=np.uint8)).save(root / path)
        rows.append({"path": path, "label": number % 2, "dataset": dataset, "method": ("real", "swap")[number % 2],
                     "video": f"{dataset}/x/{number}", "split": ("train", "validation", "test")[number % 3],
                     "frame": number})  # fmt: skip
    write_manifest(root, rows)
    return rows


def build(name, manual, data_dir, config):
    builder = builder_of(name)(config=config, data_dir=str(data_dir), file_format="array_record")
    builder.download_and_prepare(download_config=tfds.download.DownloadConfig(manual_dir=str(manual)))
    return builder


def test_every_folder_has_a_builder_a_readme_and_a_citation():
    assert set(NAMES) == {*PREPARED, "london_faces", "omniglot"}
    for name in NAMES:
        for file in (f"{name}_dataset_builder.py", "README.md", "CITATIONS.bib"):
            assert len((DATASETS / name / file).read_text()) > 20, f"{name}/{file}"
    assert not (DATASETS / "__init__.py").exists()


@pytest.mark.parametrize("name", PREPARED)
def test_what_was_prepared_is_read(name, tmp_path):
    config = builder_of(name).BUILDER_CONFIGS[-1]
    rows = draw_prepared(tmp_path / "manual" / config.folder, config.dataset)
    built = build(name, tmp_path / "manual", tmp_path / "data", config.name)
    source = built.as_data_source()
    assert set(source) == {"train", "validation", "test"}
    read = {
        row["path"].decode() if isinstance(row["path"], bytes) else row["path"]: row
        for part in source.values()
        for row in part
    }
    assert set(read) == {row["path"] for row in rows}
    for row in rows:
        there = read[row["path"]]
        assert there["label"] == row["label"]
        assert there["frame"] == row["frame"]
        image = np.asarray(Image.open(tmp_path / "manual" / config.folder / row["path"]))
        np.testing.assert_array_equal(there["image"], image)
    assert built.info.features["label"].names == ["real", "fake"]
    assert bool(built.info.citation) == (name != "face_folder")
    assert "tensorflow" not in sys.modules


def test_built_twice_the_records_are_the_same_bytes(tmp_path):
    draw_prepared(tmp_path / "manual" / "celeb_df", "celeb_df")
    for turn in ("one", "two"):
        build("celeb_df", tmp_path / "manual", tmp_path / turn, "v2")
    records = lambda turn: {p.name: p.read_bytes() for p in (tmp_path / turn).rglob("*array_record*")}
    assert records("one")
    assert records("one") == records("two")


def test_another_data_set_and_a_missing_one_are_refused(tmp_path):
    draw_prepared(tmp_path / "manual" / "celeb_df", "dfdc")
    with pytest.raises(InputError, match="was prepared from dfdc, not celeb_df"):
        build("celeb_df", tmp_path / "manual", tmp_path / "data", "v2")
    with pytest.raises(InputError, match=r"no manifest\.csv in .*metaforge prepare"):
        build("celeb_df", tmp_path / "manual", tmp_path / "data", "v1")
    with pytest.raises(AssertionError, match="Manual directory"):
        build("celeb_df", tmp_path / "nowhere", tmp_path / "data", "v2")


def test_london_faces_are_read_from_a_folder(tmp_path):
    for folder in ("neutral_front", "smiling_front"):
        for face in ("001", "002"):
            path = tmp_path / "manual" / folder / f"{face}_03.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (20, 30), (int(face) * 50, 0, 0)).save(path)
    (tmp_path / "manual" / "london_faces_info.csv").write_text(
        "face_id,face_age,face_gender,face_eth\n001,24,female,white\n002,NA,male,black\n"
    )
    source = build("london_faces", tmp_path / "manual", tmp_path / "data", "manual").as_data_source(split="faces")
    rows = [source[place] for place in range(len(source))]
    assert sorted((row["identity"].decode(), row["expression"], row["age"]) for row in rows) == [
        ("001", 0, 24), ("001", 1, 24), ("002", 0, -1), ("002", 1, -1),
    ]  # fmt: skip


def test_omniglot_keeps_its_two_halves_and_twenty_drawers(tmp_path):
    import zipfile

    for half, alphabets in (("images_background", ["Greek", "Latin"]), ("images_evaluation", ["Elvish"])):
        (tmp_path / "manual").mkdir(exist_ok=True)
        with zipfile.ZipFile(tmp_path / "manual" / f"{half}.zip", "w") as archive:
            for alphabet in alphabets:
                for drawer in (1, 2):
                    image = tmp_path / "x.png"
                    Image.new("1", (105, 105), drawer % 2).save(image)
                    archive.write(image, f"{half}/{alphabet}/character01/0001_{drawer:02d}.png")
    source = build("omniglot", tmp_path / "manual", tmp_path / "data", "manual").as_data_source()
    assert {name: len(part) for name, part in source.items()} == {"background": 4, "evaluation": 2}
    row = source["evaluation"][0]
    assert row["image"].shape == (105, 105, 1)
    assert (row["alphabet"], row["character"]) == (b"Elvish", b"Elvish/character01")
    assert {part["drawer"] for part in source["background"]} == {1, 2}


def test_an_archive_that_reaches_outside_itself_is_refused(tmp_path):
    import zipfile

    (tmp_path / "manual").mkdir()
    for half in ("images_background", "images_evaluation"):
        with zipfile.ZipFile(tmp_path / "manual" / f"{half}.zip", "w") as archive:
            archive.writestr(f"{half}/../../evil.png", b"x")
    with pytest.raises(InputError, match="leads outside"):
        build("omniglot", tmp_path / "manual", tmp_path / "data", "manual")


def test_counts_of_the_report_are_json(tmp_path):
    draw_prepared(tmp_path / "manual" / "df40", "df40")
    built = build("df40", tmp_path / "manual", tmp_path / "data", "default")
    info = json.loads((Path(built.data_path) / "dataset_info.json").read_text())
    assert {split["name"]: split["shardLengths"] for split in info["splits"]} == {
        "train": ["3"], "validation": ["3"], "test": ["3"],
    }  # fmt: skip
