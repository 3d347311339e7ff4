"""What `import metaforge` costs, who may import whom, and that every public name introduces itself."""

import ast
import importlib
import inspect
import subprocess
import sys
import types
from pathlib import Path

import pytest

import metaforge as mf

ROOT = Path(__file__).parent.parent

# The floors of metaforge, the lowest first: a part imports from lower floors, and from no other.
FLOORS = (
    {"errors", "labels", "output", "processor", "progress", "provenance"},
    {"types", "locks", "bounds", "places", "workers", "face_regions"},
    {"settings"},
    {"whole", "commands"},
    {"core"},
    {"runs", "losses", "outliers", "backbones", "evaluation"},
    # A record is what forgeries make, and forging needs faces: these two know each other.
    {"data", "forgeries"},
    {"objectives", "learners", "adaptation", "captions"},
    {"citations"},
    {"training"},
    {"screening"},
    {"compression"},
    {"serving"},
    {"cli"},
)
TOGETHER = [{"data", "forgeries"}]
# The models that objectives and learners are tried on come as arguments, and neither knows how a run is set up.
NEVER = {
    "learners": {"backbones", "data", "losses", "objectives", "outliers", "runs", "commands"},
    "objectives": {"backbones", "data", "runs", "commands"},
    "adaptation": {"backbones", "data", "runs", "commands"},
    "backbones": {"losses", "commands"},
}


def imported(path):
    """The dotted names that a file imports, anywhere in it: `from metaforge import inner` is "metaforge.core.inner"."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively; the arrows are read from absolute names"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported_with_the_module(path):
    """The packages that a file imports when it is itself imported, so not those inside functions."""
    pending = list(ast.parse(path.read_text()).body)
    for node in pending:
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").split(".")[0]
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            pending.extend(ast.iter_child_nodes(node))


SOURCES = sorted(path for path in (ROOT / "metaforge").rglob("*.py") if path != ROOT / "metaforge" / "__init__.py")
NAMES = [str(path.relative_to(ROOT)) for path in SOURCES]


def part_of(path):
    return path.relative_to(ROOT / "metaforge").parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", SOURCES, ids=NAMES)
def test_imports_follow_the_arrows(path):
    part = part_of(path)
    floor = [place for place, parts in enumerate(FLOORS) if part in parts]
    assert floor, f"metaforge.{part} is new: give it its place in FLOORS"
    beside = [group for group in TOGETHER if part in group]
    allowed = {part}.union(*FLOORS[: floor[0]], *beside) - NEVER.get(part, set())
    for name in imported(path):
        top, *rest = name.split(".")
        assert top not in {"experiments", "paper_figures", "datasets", "tests"}, f"{path} imports {name}"
        assert name != "metaforge.data.builders", f"{path} imports TFDS through {name}"
        # Names of metaforge itself, such as `metaforge.Batch`, are no part of it.
        if top == "metaforge" and {*rest[:1]} <= set().union(*FLOORS):
            assert {*rest[:1]} <= allowed, f"metaforge.{part} may not import {name}"


EXPERIMENTS = sorted((ROOT / "experiments").rglob("*.py"))
# What stands between two experiments: models of the one, on the features and people of the other. Evidence is measured
# on what strangers are forged into.
BETWEEN = {("fakeradar", "strangers"): {"strangers"}, ("evidence",): {"strangers"}}


@pytest.mark.parametrize("path", EXPERIMENTS, ids=[str(path.relative_to(ROOT)) for path in EXPERIMENTS])
def test_no_experiment_imports_another(path):
    own, *inner = path.relative_to(ROOT / "experiments").parts
    allowed = {own} | BETWEEN.get((own, *inner[:1]), set()) | BETWEEN.get((own,), set())
    for name in imported(path):
        top, *rest = name.split(".")
        assert top != "experiments" or {*rest[:1]} <= allowed, f"{path} imports {name}"


def test_experiments_have_no_hidden_helpers():
    assert not [path for path in EXPERIMENTS if path.name.startswith("_") and not path.name.startswith("__")]


@pytest.mark.parametrize("path", SOURCES, ids=NAMES)
def test_only_backbones_import_flax(path):
    if part_of(path) != "backbones":
        assert not any(name.split(".")[0] == "flax" for name in imported(path))


@pytest.mark.parametrize("path", SOURCES, ids=NAMES)
def test_what_is_heavy_is_imported_inside_functions(path):
    heavy = {"tensorflow", "tensorflow_datasets", "sklearn", "matplotlib"}
    if path == ROOT / "metaforge" / "data" / "builders.py":  # the base of datasets/, which nothing else imports
        heavy -= {"tensorflow_datasets"}
    assert not heavy & set(imported_with_the_module(path))


FOR_FIGURES = {"runs", "errors", "commands", "settings", "whole"}


@pytest.mark.parametrize("path", sorted((ROOT / "paper_figures").rglob("*.py")), ids=lambda path: path.name)
def test_figures_read_runs_and_know_nothing_of_how_they_were_made(path):
    for name in imported(path):
        top, *rest = name.split(".")
        assert top not in {"experiments", "datasets"}, f"{path} imports {name}"
        assert top != "metaforge" or rest[0] in FOR_FIGURES or rest[:2] == ["evaluation", "interval"], (
            f"{path} imports {name}"
        )


LONG, REASON = 250, "Over 250 lines because "
MODULES = sorted(
    path
    for top in ("metaforge", "experiments", "paper_figures", "datasets", "docs")
    for path in (ROOT / top).rglob("*.py")
)


def long_without_a_reason(text):
    return len(text.splitlines()) > LONG and REASON not in (ast.get_docstring(ast.parse(text)) or "")


@pytest.mark.parametrize("path", MODULES, ids=[str(path.relative_to(ROOT)) for path in MODULES])
def test_a_long_module_says_in_its_docstring_why_it_is_not_split(path):
    assert not long_without_a_reason(path.read_text(encoding="utf-8"))


def test_a_module_is_long_from_the_first_line_beyond_the_limit():
    lines = ["x = 1"] * (LONG - 1)
    assert not long_without_a_reason("\n".join(['"""Short."""', *lines]))
    assert long_without_a_reason("\n".join(['"""Long."""', *lines, "x = 1"]))
    assert not long_without_a_reason("\n".join(['"""Long.\n\nOver 250 lines because it is a table."""', *lines]))


def test_importing_metaforge_loads_nothing_heavy():
    heavy = ("tensorflow", "tensorflow_datasets", "sklearn", "matplotlib", "skimage")
    program = f"import sys, metaforge; print([name for name in {heavy} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert result.stdout.strip() == "[]"


STUBS = sorted((ROOT / "metaforge").rglob("__init__.pyi"))


@pytest.mark.parametrize("stub", STUBS, ids=[str(stub.relative_to(ROOT)) for stub in STUBS])
def test_a_package_hands_out_what_its_stub_names(stub):
    package = importlib.import_module(".".join(stub.parent.relative_to(ROOT).parts))
    names = []
    for node in ast.parse(stub.read_text()).body:
        if isinstance(node, ast.ImportFrom):
            (alias,) = node.names
            assert alias.asname == alias.name, f"{stub}: type checkers take only `{alias.name} as {alias.name}`"
            names.append(alias.name)
    assert sorted(package.__all__) == sorted(set(names)) == sorted(names)
    for name in names:
        assert getattr(package, name) is not None


def public():
    """The names that metaforge's `__init__.pyi` binds, and the public functions of the modules among them."""
    for node in ast.parse((ROOT / "metaforge" / "__init__.pyi").read_text()).body:
        for alias in node.names if isinstance(node, ast.ImportFrom) else ():
            value = getattr(mf, alias.asname or alias.name)
            yield f"metaforge.{alias.name}", value
            if isinstance(value, types.ModuleType):
                for name in dir(value):
                    member = getattr(value, name)
                    ours = (getattr(member, "__module__", None) or "").startswith(value.__name__)
                    if ours and inspect.isfunction(member) and not name.startswith("_"):
                        yield f"{value.__name__}.{name}", member


PUBLIC = dict(public())


def test_the_public_names_are_found():
    assert {
        "metaforge.adapt",
        "metaforge.daml",
        "metaforge.core.weighting.uniform",
        "metaforge.backbones.conv4",
    } <= set(PUBLIC)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_says_what_it_is(name):
    value = PUBLIC[name]
    if callable(value) or isinstance(value, types.ModuleType):
        # A NamedTuple without a docstring has the one that Python makes up: "Name(field, field)".
        doc = inspect.getdoc(value)
        assert doc
        assert not doc.startswith(f"{name.split('.')[-1]}(")


@pytest.mark.parametrize("name", [name for name, value in PUBLIC.items() if inspect.isfunction(value)])
def test_every_public_function_shows_an_example(name):
    doc = inspect.getdoc(PUBLIC[name]) or ""
    assert "Example:" in doc
    assert ">>> " in doc


# Their keywords are names that the caller makes up, or a data set's own options, which they hold against its list.
OPEN = {"weighted_sum", "read_catalogue"}


@pytest.mark.parametrize(
    "name",
    [name for name, value in PUBLIC.items() if inspect.isfunction(value) and value.__name__ not in OPEN],
)
def test_every_public_function_says_what_it_takes_and_returns(name):
    signature = inspect.signature(PUBLIC[name])
    assert not [one for one in signature.parameters.values() if one.kind is one.VAR_KEYWORD]
    assert signature.return_annotation is not signature.empty
