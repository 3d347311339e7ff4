"""What the process that adapts says: errors of the library in the words of a request."""

import ast
import re
from pathlib import Path

import pytest

from metaforge import screening
from metaforge.errors import InputError
from metaforge.screening import save_detector
from metaforge.serving.job import FIELDS, made, worded
from tests.serving.detectors import adaptable, pictures

PLACE = Path("/state/adapters/4f1c")
NAMES = {"real/0003.png": "real/ann.png", "fake/g001/0007.jpg": "fake/clip/1.jpg"}


TARGET = f"{PLACE}/target"
FEW = "5 real and 5 fake images in 10 groups are too few for 9 shots a class and a test set apart from them."
AGAIN = "was adapted before (x) and has not kept those images."
SAID = {
    f"target: {FEW} Lower --shots or --test_share, or give more images.": f"{FEW} Lower `shots`, or give more images.",
    f"target: '{TARGET}' has no subfolder 'fake', and the rule 'steps' needs fakes. Give some; --rule=discriminant "
    "alone does without, of a run that was trained with it.":
        "the upload has no image in the field 'fake', and the rule 'steps' needs fakes. Give some.",
    f"target: '{TARGET}' has no real image of its own. The first, 'real/0003.png': as fake/g001/0007.jpg.":
        "the upload has no real image of its own. The first, 'real/ann.png': as fake/clip/1.jpg.",
    f"--rule=discriminant: the detector in '/models/base' {AGAIN}":
        f"`rule` discriminant: the service's detector {AGAIN}",
    f"--unlabelled: '{TARGET}/unlabelled/0009.png' is judged on. Give a folder of other images.":
        "`unlabelled`: 'unlabelled/0009.png' is judged on. Give a folder of other images.",
    "--shots=0: give a whole number, at least 1.": "`shots` 0: give a whole number, at least 1.",
}  # fmt: skip


@pytest.mark.parametrize("message", SAID)
def test_an_error_of_the_library_is_said_in_the_words_of_a_request(message):
    assert worded(message, PLACE, "/models/base", NAMES) == SAID[message]


def test_too_few_images_are_told_as_the_library_finds_them(tmp_path):
    save_detector(tmp_path / "base", adaptable())
    for field, forged in (("real", False), ("fake", True)):
        (tmp_path / "job" / "target" / field).mkdir(parents=True)
        for number, data in enumerate(pictures(3, seed=forged, forged=forged)):
            (tmp_path / "job" / "target" / field / f"{number}{field[0]}.png").write_bytes(data)
    how = {"folder": str(tmp_path / "job"), "model": str(tmp_path / "base"), "weights": ""}
    with pytest.raises(InputError) as caught:
        made(**how, shots=3, force=False, crops=True)
    assert worded(str(caught.value), tmp_path / "job", str(tmp_path / "base")) == (
        "3 real and 3 fake images in 6 groups are too few for 3 shots a class and a test set apart from them. Lower "
        "`shots`, or give more images."
    )


def raised():
    """The texts of all errors of adapting, and of what it calls in this package; {} for what is filled in."""
    folder = Path(screening.__file__).parent
    for path in [*folder.glob("*.py"), *(folder / "portable").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
                yield ast.unparse(node.exc.args[0]).removeprefix("f").strip("'\"")


def test_no_error_keeps_a_flag_or_a_place_of_this_machine():
    texts = [text for text in raised() if "--" in text]
    assert len(texts) > 10
    for text in texts:
        said = worded(f"{text} In '{PLACE}/target'.", PLACE, "/models/base", {})
        assert "--" not in said
        assert str(PLACE) not in said
        advice = said.partition(". ")[2]
        assert set(re.findall(r"`(\w+)`", advice)) <= set(FIELDS)
