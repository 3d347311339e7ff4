"""What a command imports before it has read its flags: `--help` answers at once."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from metaforge.cli.main import COMMANDS

ROOT = Path(__file__).parent.parent

HEAVY = ("jax", "einops", "flax", "optax", "orbax", "scipy", "skimage", "sklearn", "matplotlib", "tensorflow", "torch")

RUNS = ["metaforge.cli.train", "metaforge.cli.forge", "experiments.show_domains"]
RUNS += [f"experiments.{name}.__main__" for name in ("demo", "study", "fakeradar", "protocol")]
"""Those that take the settings of a run."""
OTHERS = [name for name in (f"metaforge.cli.{name}" for name in COMMANDS) if name not in RUNS]
OTHERS += [f"experiments.{name}.__main__" for name in ("omniglot", "benchmark", "sinusoid")]

ASKED = """
import contextlib, importlib, io, json, sys
found = {}
for name in sys.argv[1:]:
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        code = importlib.import_module(name).main([name, "--help"])
    found[name] = [code, "flags:" in text.getvalue(), [one for one in HEAVY if one in sys.modules]]
print(json.dumps(found))
"""


def asked(program, *arguments):
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout


@pytest.mark.parametrize("names", [OTHERS, RUNS])
def test_help_imports_nothing_that_computes(names):
    found = json.loads(asked(f"HEAVY = {HEAVY}\n{ASKED}", *names))
    assert found == {name: [0, True, []] for name in names}


def test_every_package_opens_without_what_it_hands_out():
    stubs = ROOT.glob("metaforge/**/__init__.pyi")
    packages = sorted(".".join(stub.parent.relative_to(ROOT).parts) for stub in stubs)
    assert "metaforge.learners" in packages
    program = f"import sys, {', '.join(packages)}; print([name for name in {HEAVY} if name in sys.modules])"
    assert asked(program).strip() == "[]"
