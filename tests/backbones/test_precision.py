"""The precision "auto": the faster one of this machine, found once; a run keeps that in which it was begun."""

import dataclasses
import json

import jax
import pytest

from metaforge.backbones import choice, precision
from metaforge.backbones.spec import BackboneSpec
from metaforge.core import tuning
from metaforge.errors import InputError
from metaforge.runs import read_config
from metaforge.settings import change
from metaforge.training import meta_train
from metaforge.training.config import DEMO

ASKED = BackboneSpec(width=4, precision="auto")


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine of which is said how many milliseconds a product takes, and how often it was asked."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    asked = []

    def of(**ms):
        def interleave(programs, *, rounds):
            asked.append(sorted(programs))
            made = [program() for program in programs.values()]
            assert all(each.dtype == "float32" for each in made)  # sums are, in both
            assert not any(isinstance(each, jax.core.Tracer) for each in made)
            return {name: [ms[name]] * rounds for name in programs}

        monkeypatch.setattr(tuning, "interleave", interleave)
        monkeypatch.setattr(tuning, "SIDE", 8)
        precision.measured.cache_clear()
        return asked

    yield of
    precision.measured.cache_clear()


@pytest.mark.parametrize(("single", "half", "faster"), [(2.0, 1.0, "bfloat16"), (1.0, 2.0, "float32")])
def test_the_faster_one_is_taken_and_remembered(machine, single, half, faster):
    asked = machine(float32=single, bfloat16=half)
    assert choice.settled(ASKED) == dataclasses.replace(ASKED, precision=faster)
    precision.measured.cache_clear()  # as another process would begin
    assert precision.measured() == faster
    assert asked == [["bfloat16", "float32"]]
    assert choice.choose(ASKED).apply is choice.choose(dataclasses.replace(ASKED, precision=faster)).apply


def test_products_are_measured_and_not_their_tracing(machine):
    asked = machine(float32=2.0, bfloat16=1.0)
    jax.jit(lambda number: number + (precision.measured() == "bfloat16"))(1)
    assert len(asked) == 1


def test_whatever_is_made_of_a_spec_computes_as_its_backbone_does(machine):
    machine(float32=2.0, bfloat16=1.0)
    lite = BackboneSpec(backbone="efficientnet_lite0", normalisation="frozen", precision="auto")
    assert choice.plan(lite).precision == "bfloat16"
    levels = dataclasses.replace(ASKED, backbone="clip", variant="small", normalisation="none", levels="1")
    assert choice.levels_of(levels).apply is choice.levels_of(dataclasses.replace(levels, precision="bfloat16")).apply


def test_several_hosts_measure_nothing(machine, monkeypatch):
    asked = machine(float32=2.0, bfloat16=1.0)
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    assert precision.measured() == "float32"
    assert not asked


def test_what_trains_nothing_has_to_be_told():
    with pytest.raises(InputError, match="precision=auto: only a training run finds out which is faster"):
        choice.check(ASKED)


def test_a_run_goes_on_in_the_precision_in_which_it_was_begun(machine, tmp_path, monkeypatch):
    tiny = {"model.image_size": 16, "model.width": 2, "run.iterations": 1, "run.baseline": False,
            "model.precision": "auto", "faces.variants": 1, "run.eval_batches": 1}  # fmt: skip
    machine(float32=1.0, bfloat16=2.0)
    first = meta_train.run(change(DEMO, tiny), tmp_path / "run", quiet=True)
    assert first["config"]["model"]["precision"] == read_config(tmp_path / "run")["model"]["precision"] == "float32"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another"))
    machine(float32=2.0, bfloat16=1.0)  # another machine
    assert precision.measured() == "bfloat16"
    (tmp_path / "run" / "report.json").unlink()  # as if it had been stopped before its end
    again = meta_train.run(change(DEMO, tiny), tmp_path / "run", quiet=True)
    assert again["config"] == json.loads(json.dumps(first["config"])) or again["config"] == first["config"]
    # What is no precision was not written by a run, and says nothing.
    config = tmp_path / "run" / "config.json"
    config.write_text(config.read_text().replace('"precision": "float32"', '"precision": "float16"'))
    with pytest.raises(InputError, match=r"model\.precision: 'float16' there, 'bfloat16' asked"):
        meta_train.run(change(DEMO, tiny), tmp_path / "run", quiet=True)
