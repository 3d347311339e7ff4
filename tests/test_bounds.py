"""Numbers of commands: what is outside its bounds is one line and exit code 2, before any work."""

import dataclasses
import importlib
import math
import pkgutil

import pytest

import experiments
from experiments.fakeradar import speed as tri_speed
from experiments.study import __main__ as study_command
from metaforge.bounds import check_bounds
from metaforge.cli import main as cli
from metaforge.commands import launch
from metaforge.errors import InputError
from metaforge.settings import change, fields_of, setting

ALIASES = ("train", "adapt", "predict")
"""Commands of metaforge under their old names."""

COMMANDS = [f"metaforge.cli.{name}" for name in cli.COMMANDS]
COMMANDS += [f"experiments.{module.name}{'.__main__' if module.ispkg else ''}"
             for module in pkgutil.iter_modules(experiments.__path__) if module.name not in ALIASES]  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Options:
    rounds: int = setting(7, "Rounds.", least=1, most=50)
    rate: float = setting(0.1, "Rate.", above=0)
    share: float = setting(0.5, "Share.", above=0, below=1)
    seed: int = setting(0, "Seed.")


@dataclasses.dataclass(frozen=True)
class Nested:
    group: Options = Options()


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("--rounds=0", "--rounds=0: give a whole number, at least 1 and at most 50."),
        ("--rounds=51", "--rounds=51: give a whole number, at least 1 and at most 50."),
        ("--rate=0", "--rate=0.0: give a number, above 0 and at most 1,000,000,000."),
        ("--rate=nan", "--rate=nan: give a number, above 0"),
        ("--rate=inf", "--rate=inf: give a number, above 0"),
        ("--share=1", "--share=1.0: give a number, above 0 and below 1."),
        ("--seed=-1", "--seed=-1: give a whole number, at least 0"),
        (f"--seed={10**30}", "give a whole number, at least 0 and at most 1,000,000,000."),
    ],
)
@pytest.mark.parametrize("prefix", ["", "group."])
def test_a_number_outside_its_bounds_is_one_line_and_nothing_begins(flag, said, prefix, capsys):
    flag, said = (text.replace("--", f"--{prefix}") for text in (flag, said))
    config = Nested() if prefix else None
    options = dataclasses.make_dataclass("None_", [])() if prefix else Options()
    code = launch(["prog", flag], lambda *_: pytest.fail("it began"), doc="What.", options=options, config=config)
    error = capsys.readouterr().err
    assert code == 2
    assert said in error
    assert error.count("\n") == 1


def test_the_ends_of_bounds_are_inside():
    check_bounds(Options(rounds=1, rate=1e-30, share=0.999))
    check_bounds(Options(rounds=50, seed=10**9))


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_takes_a_number_that_nothing_can_be_done_with(name, monkeypatch):
    module, groups = importlib.import_module(name), {}
    monkeypatch.setattr(module, "launch", lambda *_, **given: groups.update(given) or 0, raising=False)
    if hasattr(module, "launch"):
        module.main([name])
    for group in (groups.get("options"), groups.get("config")):
        if group is None:
            continue
        check_bounds(group)
        for dotted, field, _ in fields_of(group):
            if field.type not in (int, float):
                continue
            needed = {name: "given" for name, _, value in fields_of(group) if value is ...}
            # What may be negative says so.
            least = min(0, getattr(field.metadata["bounds"], "least", None) or 0)
            for wrong in (least - 1, 10**39, *((math.nan, math.inf, -math.inf) if field.type is float else ())):
                with pytest.raises(InputError, match=f"--{dotted}="):
                    check_bounds(change(group, needed | {dotted: field.type(wrong)}))


def test_no_rounds_are_refused_before_measuring(tmp_path, capsys):
    assert tri_speed.main(["tri_speed", f"--out={tmp_path / 'x.json'}", "--rounds=0"]) == 2
    assert study_command.main(["study", f"--workdir={tmp_path / 'x'}", "--steps=1000000000000"]) == 2
    assert capsys.readouterr().err.count("\n") == 2
    assert not any(tmp_path.iterdir())
