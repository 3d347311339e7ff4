"""Commands: a dataclass becomes flags, an error one line and exit code 2."""

import ast
import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from metaforge.commands import launch, start, starting
from metaforge.errors import InputError
from metaforge.settings import setting

ROOT = Path(__file__).parent.parent


@dataclasses.dataclass(frozen=True)
class Options:
    out: str = setting(..., "Where.")
    count: int = setting(3, "How many.")


@dataclasses.dataclass(frozen=True)
class Learner:
    name: str = setting("daml", "Who.", choices=("daml", "maml"))
    rate: float = setting(0.1, "How fast.", open_in_paper=True)


@dataclasses.dataclass(frozen=True)
class Config:
    learner: Learner = Learner()
    deep: bool = setting(False, "How deep.")


PRESETS = {"default": Config(), "paper": Config(Learner(rate=0.5))}


def call(*words, body=None):
    seen = []
    code = launch(
        ["prog", *words], body or (lambda *found: seen.extend(found)), doc="What.",
        options=Options(), config=Config(), presets=PRESETS,
    )  # fmt: skip
    return code, seen


def test_flags_reach_the_dataclasses_with_their_types():
    code, (options, config) = call("--out=x", "--count=5", "--learner.name=maml", "--deep")
    assert code == 0
    assert options == Options(out="x", count=5)
    assert config == Config(Learner("maml"), deep=True)


def test_flags_are_laid_over_the_preset_wherever_it_stands():
    for words in (["--preset=paper"], ["--preset", "paper"]):
        _, (_, config) = call("--out=x", "--learner.name=maml", *words)
        assert config == Config(Learner("maml", 0.5))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "--out is missing: Where."),
        (["--out=x", "--oops=1"], "unknown flag --oops; known: --count, --deep, --help, --learner.name"),
        (["--out=x", "--learner.name=oops"], "daml|maml"),
        (["--out=x", "--learner.rate=fast"], "rate"),
        (["--out=x", "--preset=oops"], "unknown preset 'oops'; known: default, paper"),
        (["--out=x", "stray"], "unexpected argument 'stray'"),
    ],
)
def test_what_the_caller_got_wrong_is_one_line_and_exit_code_2(words, said, capsys):
    code, seen = call(*words)
    error = capsys.readouterr().err
    assert code == 2
    assert not seen
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "said", "expected"),
    [
        (InputError("faces: none.\nGive some."), "prog: faces: none. Give some.", 2),
        (OSError(28, "No space left on device", "runs/x"), "'runs/x': No space left on device", 2),
        (MemoryError("Unable to allocate 93.1 TiB\nfor an array"), "prog: the memory here is not enough", 2),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory\nallocating"), "prog: the memory here is not enough", 2),
        (KeyboardInterrupt(), "interrupted; nothing was left half-written", 130),
    ],
)
def test_errors_of_the_body_are_one_line(error, said, expected, capsys):
    def body(*_):
        raise error

    code, _ = call("--out=x", body=body)
    text = capsys.readouterr().err
    assert code == expected
    assert said in text
    assert text.count("\n") == 1


def test_a_programming_error_is_not_hidden():
    def body(*_):
        raise KeyError("bug")

    with pytest.raises(KeyError):
        call("--out=x", body=body)


def test_what_a_command_returns_is_its_last_line(capsys):
    assert call("--out=x", body=lambda *_: print("cite this") or "Wrote x.")[0] == 0
    assert capsys.readouterr().out == "cite this\nWrote x.\n"


COMMANDS = [path for folder in ("experiments", "paper_figures") for path in sorted((ROOT / folder).rglob("*.py"))
            if "launch(argv, " in path.read_text(encoding="utf-8")]  # fmt: skip


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_returns_where_its_result_is_and_prints_it_nowhere_else(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    (launched,) = [call for call in calls if call.func.id == "launch"]
    (body,) = [
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == launched.args[1].id
    ]
    assert isinstance(body.returns, ast.Name)
    assert body.returns.id == "str"
    assert isinstance(body.body[-1], ast.Return)
    printed = [ast.unparse(call) for call in calls if call.func.id == "print"]
    assert not [text for text in printed if "Wrote" in text or "Saved" in text]


def printed_by(code, **environment):
    """What another process prints, as bytes, and what it says of errors."""
    done = subprocess.run(
        [sys.executable, "-c", f"from metaforge.commands import *\n{code}"], env=os.environ | environment,
        capture_output=True, check=True,
    )  # fmt: skip
    return done.stdout, done.stderr


def test_names_of_files_are_printed_byte_for_byte_and_other_letters_somehow():
    code = (
        "class Options: pass\n"
        "import dataclasses; dataclasses.dataclass(Options)\n"
        "launch(['prog'], lambda _: 'caf\\udce9 \\u2192 \\udcff', doc='', options=Options())"
    )
    for encoding, arrow in (("utf-8", b"\xe2\x86\x92"), ("latin-1", b"\\u2192"), ("gbk", b"\xa1\xfa")):
        assert printed_by(code, PYTHONIOENCODING=encoding, PYTHONUTF8="1")[0] == b"caf\xe9 " + arrow + b" \xff\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="has no full disk to write to")
def test_an_output_that_takes_nothing_more_is_one_line(capsys, monkeypatch):
    with open("/dev/full", "w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert call("--out=x", body=lambda *_: "Wrote x.")[0] == 2
    assert "No space left" in capsys.readouterr().err


def test_an_output_that_is_closed_is_no_error(monkeypatch):
    reads, writes = os.pipe()
    os.close(reads)
    with os.fdopen(writes, "w", encoding="utf-8") as closed:
        monkeypatch.setattr(sys, "stdout", closed)
        assert call("--out=x", body=lambda *_: "Wrote x.")[0] == 0
    monkeypatch.setattr(sys, "stdout", None)  # as where the shell was told `>&-`
    assert call("--out=x", body=lambda *_: "Wrote x.")[0] == 0


@pytest.mark.parametrize("error", [RuntimeError("Unable to initialize backend 'cuda'\nmore"), AssertionError()])
def test_a_device_that_jax_has_not_is_one_line(error, monkeypatch, capsys):
    def fail(*_):
        raise error

    with pytest.raises(type(error)):  # JAX has one, so it is an error of ours
        call("--out=x", body=fail)
    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    monkeypatch.setattr(jax, "devices", fail)
    assert call("--out=x", body=fail)[0] == 2
    said = capsys.readouterr().err
    assert "JAX has no device here for JAX_PLATFORMS='cuda'" in said
    assert said.count("\n") == 1


def test_without_a_home_folder_no_compiled_program_is_kept(monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # as where neither HOME nor the user is known
    assert starting._compiled_programs() == ""


def test_help_lists_every_flag_with_default_choices_and_what_the_paper_leaves_open(capsys):
    code, seen = call("--help")
    text = capsys.readouterr().out
    assert code == 0
    assert not seen
    for word in ("What.", "--out (required)", "--count (3)", "--preset", "One of: daml, maml.", "Open in the paper."):
        assert word in text


def test_a_mistyped_flag_is_told_its_likely_meaning(capsys):
    assert call("--out=x", "--learner.nme=a")[0] == 2
    assert "did you mean --learner.name?" in capsys.readouterr().err


def test_a_heavy_program_starts_once_more_in_an_environment_that_suits_it(monkeypatch, tmp_path):
    class StartedAgain(Exception):
        pass

    def execve(_program, words, environment):
        raise StartedAgain(words, environment["GLIBC_TUNABLES"], environment["JAX_COMPILATION_CACHE_DIR"])

    monkeypatch.setattr(jax.config, "update", lambda *_: None)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    monkeypatch.setattr(os, "execve", execve)
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    with pytest.raises(StartedAgain) as started:
        start(lambda _: 0, heavy=True)
    words, tunables, folder = started.value.args
    assert (words, tunables) == (sys.orig_argv, "glibc.malloc.hugetlb=1")
    assert Path(folder).is_dir()
    assert Path(folder).is_relative_to(tmp_path)
    # What is set already, if only to nothing, is left alone.
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "")
    with pytest.raises(StartedAgain) as started:
        start(lambda _: 0, heavy=True)
    assert started.value.args[2] == ""


def test_every_program_keeps_what_it_compiles(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR")
    told, seen = [], []
    monkeypatch.setattr(os, "execve", lambda *_: pytest.fail("started again"))
    monkeypatch.setattr(jax.config, "update", lambda name, value: told.append((name, value)))

    def main(_):
        seen.append(os.environ["JAX_COMPILATION_CACHE_DIR"])
        return 0

    with pytest.raises(SystemExit):
        start(main)
    assert Path(seen[0]).is_dir()
    assert Path(seen[0]).is_relative_to(tmp_path)
    assert told == [("jax_compilation_cache_dir", seen[0])]  # for JAX is imported already here
    for chosen in ("elsewhere", ""):  # what somebody has chosen, if only nothing, is left alone
        monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", chosen)
        with pytest.raises(SystemExit):
            start(main)
        assert seen[-1] == chosen
    assert len(told) == 1


@pytest.mark.parametrize(
    ("jaxlib", "brief", "sets"),
    [("0.10.2", True, True), ("0.12.0.1", True, True), ("0.13.0", True, False), ("0.10.2", False, False)],
)
def test_a_flag_of_xla_is_set_where_it_pays_and_is_known(monkeypatch, jaxlib, brief, sets):
    # A process that gives XLA a flag that it does not know is ended by it.
    given = {}
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(starting, "version", lambda _name: jaxlib)
    monkeypatch.setattr(os, "execve", lambda _program, _words, environment: given.update(environment))
    monkeypatch.delenv("XLA_FLAGS")
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    monkeypatch.delenv("JAX_NUM_CPU_DEVICES", raising=False)
    with pytest.raises(SystemExit):
        start(lambda _: 0, heavy=True, brief=brief)
    assert given["JAX_NUM_CPU_DEVICES"] == str(len(os.sched_getaffinity(0)))
    assert ("fusion_emitters=false" in given.get("XLA_FLAGS", "")) == sets
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.check=0")
    monkeypatch.setenv("XLA_FLAGS", "--xla_force_host_platform_device_count=3")  # which says how many devices, too
    with pytest.raises(SystemExit) as ended:
        start(lambda _: 2, heavy=True)
    assert ended.value.code == 2


def test_an_interrupted_program_ends_at_once(monkeypatch):
    ended = []
    monkeypatch.setattr(os, "_exit", lambda code: ended.append(code))
    with pytest.raises(SystemExit):
        start(lambda _: 130)
    assert ended == [130]
