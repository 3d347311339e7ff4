"""When a paper's numbers may stand beside ours: the owners' whole data set, as the table means it, prepared alike."""

import inspect

import pytest

from metaforge.data import prepare_options
from metaforge.data.catalogues import CATALOGUES
from metaforge.evaluation.official import WHOLE, is_official, prepared_with, shortcomings, unofficial
from metaforge.evaluation.protocols import FF4, PROTOCOLS

RULE = {"frames": 32, "crop": "ffpp", "size": 256}


def faceforensics(*, methods=FF4, train=720, test=140, **rest):
    counts = {
        split: {method: {"videos": number, "images": 32 * number} for method in ("real", *methods)}
        for split, number in (("train", train), ("validation", 140), ("test", test))
    }
    return {"dataset": "faceforensics", "compression": "c40", "counts": counts, **RULE, **rest}


def of_test(name, videos, **rest):
    counts = {"test": {method: {"videos": number} for method, number in videos.items()}}
    return {"dataset": name, "counts": counts, "version": "", "subset": "", **RULE, **rest}


CELEB = of_test("celeb_df", {"real": 178, "Celeb-synthesis": 340})
DFDC = of_test("dfdc", {"real": 2500, "DFDC": 2500}, subset="test")
WILD = {**of_test("wild_deepfake", {"real": 3000, "WildDeepfake": 4300}), "crop": "whole"}


@pytest.mark.parametrize("found", [CELEB, DFDC, WILD], ids=lambda found: found["dataset"])
def test_the_owners_sets_are_official_and_a_twentieth_may_lack_a_face(found):
    assert shortcomings(found) == []
    fewer = {m: {"videos": int(0.96 * c["videos"])} for m, c in found["counts"]["test"].items()}
    assert is_official(found | {"counts": {"test": fewer}})
    fewer = {m: {"videos": int(0.94 * c["videos"])} for m, c in found["counts"]["test"].items()}
    assert not is_official(found | {"counts": {"test": fewer}})
    assert not is_official(found | {"counts": {"test": {"real": found["counts"]["test"]["real"]}}})


def test_a_table_s_compression_must_be_that_of_the_preparation():
    assert is_official(faceforensics(), methods=FF4, compression="c40")
    assert shortcomings(faceforensics(), methods=FF4, compression="c23") == ["compression c40 instead of c23"]
    # Nothing asked for is the catalogue's default, c23; nothing known is nothing.
    asked_for_nothing = faceforensics(compression="")
    assert is_official(asked_for_nothing, methods=FF4, compression="c23")
    assert shortcomings(asked_for_nothing, methods=FF4, compression="c40") == ["compression c23 instead of c40"]
    unknown = {name: value for name, value in asked_for_nothing.items() if name != "compression"}
    assert shortcomings(unknown, methods=FF4, compression="c23") == ["compression not known instead of c23"]
    assert prepared_with(faceforensics(compression="raw"), "compression") == "c0"


def test_defaults_are_those_of_the_catalogues():
    for name, whole in WHOLE.items():
        options = inspect.signature(CATALOGUES[name].read).parameters
        assert {key: options[key].default for key in whole.defaults} == dict(whole.defaults)
        assert whole.settings.keys() <= {f.name for f in inspect.signature(prepare_options.Config).parameters.values()}


def test_every_method_of_the_table_must_be_there_whole():
    assert not is_official(faceforensics(methods=FF4[:3]), methods=FF4, compression="c40")
    assert is_official(faceforensics(methods=FF4[:3]), methods=FF4[:3], compression="c40")
    assert shortcomings(faceforensics(test=100), methods=FF4[:1]) == [
        "100 of 140 test videos of real",
        "100 of 140 test videos of Deepfakes",
    ]
    assert shortcomings(faceforensics(train=72), methods=FF4[:1])[0] == "72 of 720 train videos of real"
    actors = faceforensics(methods=(*FF4, "DeepFakeDetection"))
    assert shortcomings(actors, methods=("DeepFakeDetection",))[-1].endswith("of unknown number")
    assert shortcomings(WILD, methods=("other",)) == ["no video of other"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"frames": 0}, "frames or crop not known"),
        ({"crop": ""}, "frames or crop not known"),
        ({"crop": "whole"}, "whole frames instead of faces"),
        ({"version": "v1"}, "version v1 instead of v2"),
        ({"dataset": "face_folder"}, "a data set of unknown size"),
    ],
)
def test_other_preparations_are_not_official(change, reason):
    assert reason in shortcomings(CELEB | change)


def test_the_training_parts_of_dfdc_are_not_its_test_set():
    assert shortcomings(DFDC | {"subset": ""}) == ["subset train instead of test"]


def test_all_data_sets_of_a_table_are_prepared_alike():
    cells = PROTOCOLS["daml_table2"].cells
    sets = {"faceforensics_c23": faceforensics(compression=""), "celeb_df": CELEB, "dfdc": DFDC, "wild_deepfake": WILD}
    assert unofficial(cells, sets) == []
    assert unofficial(cells, sets | {"celeb_df": CELEB | {"frames": 10}}) == [
        "frames of a video differ between data sets (10, 32)"
    ]
    assert unofficial(cells, sets | {"celeb_df": CELEB | {"crop": "dfb"}}) == [
        "crops differ between data sets (dfb of 256 pixels, ffpp of 256 pixels)"
    ]
    lines = unofficial(cells, sets | {"dfdc": {"note": "no provenance.json"}})
    assert lines == ["dfdc: a data set of unknown size"]
