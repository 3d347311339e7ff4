"""A folder of forgeries to rehearse on: the images of the split, each once, and nobody who was trained on."""

import csv

import numpy as np
import pytest
from PIL import Image

from metaforge.cli import forge
from metaforge.screening import target_images
from metaforge.settings import change
from metaforge.training import build
from tests.experiments.conftest import TINY

FACES = [
    *(f"--faces.variants={TINY.faces.variants}", f"--faces.image_size={TINY.model.image_size}"),
    *("--faces.folder=lfw", "--faces.landmarks=none"),
]


@pytest.mark.parametrize(("people", "acquisitions"), [("test", "none"), ("validation", "jpeg")])
def test_it_writes_the_images_of_the_split_once(people, acquisitions, tmp_path, capsys):
    flags = [f"--faces.acquisitions={acquisitions}", "--methods=swap", f"--people={people}"]
    assert forge.main(["forge", f"--out={tmp_path / 'swaps'}", *FACES, *flags]) == 0
    config = change(TINY, {"faces.methods": "swap", "faces.acquisitions": acquisitions})
    records = build.forged(config, ["swap"], people)
    images, labels, groups, skipped, *_ = target_images.read_target(str(tmp_path / "swaps"), size=16)
    said = capsys.readouterr().out
    for label, word in ((0, "real"), (1, "forged")):
        found = sorted(image.tobytes() for image in images[labels == label])
        assert found == sorted({image.tobytes() for image in records.image[records.label == label]})
        assert f"{len(found)} {word}" in said
    assert not skipped
    assert len(set(groups)) == len(set(records.identity))
    # The table of pairs: each forged image once, with the picture that lies under it.
    with open(tmp_path / "swaps" / "pairs.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    pixels = lambda name: np.asarray(Image.open(tmp_path / "swaps" / name)).tobytes()
    under = {records.pair[row]: records.image[row].tobytes() for row in np.flatnonzero(records.label == 0)}
    expected = {(under[records.pair[row]], records.image[row].tobytes()) for row in np.flatnonzero(records.label == 1)}
    assert {(pixels(row["real"]), pixels(row["fake"])) for row in rows} == expected
    assert len(rows) == len(expected) == len({row["fake"] for row in rows})
    assert {row["method"] for row in rows} == {"swap"}


def test_bad_input_is_one_line_and_nothing_is_lost(tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "mine" / "a.png")
    for flags, said in (
        ([f"--out={tmp_path / 'mine'}", "--methods=swap"], "exists already"),
        ([f"--out={tmp_path / 'new'}", "--methods=wrap"], "--methods: unknown 'wrap'"),
        ([f"--out={tmp_path / 'new'}", "--methods=,"], "--methods: name one of"),
    ):
        assert forge.main(["forge", *flags, *FACES]) == 2
        error = capsys.readouterr().err.strip()
        assert said in error
        assert "\n" not in error
    assert [path.name for path in tmp_path.rglob("*")] == ["mine", "a.png"]
