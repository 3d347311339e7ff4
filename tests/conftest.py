"""How all tests run: on the CPU, strict about broadcasting, and cheap to compile."""

import ctypes
import functools
import gc
import os
import sys
import threading
from pathlib import Path

# Containers like to say that Python keep no bytecode. Then each worker, and each command that a test starts, would
# compile JAX and all else from its source, which is half of a start.
if sys.dont_write_bytecode:
    sys.dont_write_bytecode, sys.pycache_prefix = False, str(Path(__file__).parents[1] / ".pytest_cache" / "bytecode")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix
# Before jax is imported, and inherited by commands that tests start: what one test compiled, others need not.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(__file__).parents[1] / ".pytest_cache" / "programs"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
# XLA's older way to write out fused loops compiles the small programs of tests in a third of the time, and one module
# for LLVM in place of up to 32 in two thirds of what is left. A program here is too small to gain from threads.
os.environ["XLA_FLAGS"] = (
    f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
).strip()
# The programs here are tiny, and compiling them is what costs.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
# Where in the code an operation was written is a twelfth of the time of tracing, and nothing here reads it.
os.environ.setdefault("JAX_TRACEBACK_IN_LOCATIONS_LIMIT", "0")
# Matrices here are small, and where several workers share the cores, threads that wait for a turn burn up to ten times
# the seconds of the work.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # PyTorch's and scikit-learn's: a step of a tiny network 30 times as much
# Commands that find it set do not start themselves a second time to set it.
os.environ.setdefault("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1")
os.environ.setdefault("JAX_NUM_CPU_DEVICES", "1")

import jax
import psutil
import pytest
from flax.core import scope
from jax._src.interpreters import mlir
from jaxtyping import install_import_hook

from tests.programs import lacking

ROOT = Path(__file__).parents[1]
SHAPED = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in sorted((ROOT / "metaforge").rglob("*.py"))
    if "from jaxtyping import" in path.read_text()
]
"""The modules that say shapes. Every call into them is checked; elsewhere a check would only cost time, a tenth of it
all: commands and settings pass no arrays."""

# Before any of them is imported.
install_import_hook(SHAPED, "beartype.beartype")

jax.config.update("jax_platforms", os.environ.get("JAX_PLATFORMS") or "cpu")
# Arrays of different rank never meet by accident: (n,) against (n, 1) would quietly give (n, n).
jax.config.update("jax_numpy_rank_promotion", "raise")
# Tracing makes millions of small objects that live; looking through them again and again is a tenth of the time.
gc.freeze()
gc.set_threshold(50_000, 20, 50)

made, USES = threading.local(), 100


def shared_context():
    """The place where a program is written down before it is compiled: one a thread, new after `USES` programs, since
    what was written in it stays. JAX makes one a program, which is a quarter of the cost of a small one."""
    if (left := getattr(made, "left", 0)) == 0:
        made.context, left = new_context(), USES
    made.left = left - 1
    return made.context


# Private to JAX: where it is not to be found, tests are slower and the same.
if new_context := getattr(mlir, "make_ir_context", None):
    mlir.make_ir_context = shared_context


@functools.lru_cache(4096)
def shape_of(init, given, named):
    """What a parameter's initialiser makes; flax asks for it wherever a model is applied, to compare shapes."""
    return jax.eval_shape(lambda: init(jax.random.key(0), *given, **dict(named)))


class Remembering:
    """`jax` as flax's scopes see it, whose `eval_shape` traces an initialiser once a shape, and not in every trace."""

    def __getattr__(self, name):
        return getattr(jax, name)

    @staticmethod
    def eval_shape(asked):
        try:
            cells = zip(asked.__code__.co_freevars, asked.__closure__, strict=True)
            held = {name: cell.cell_contents for name, cell in cells}
            return shape_of(held["init_fn"], held["init_args"], tuple(held["init_kwargs"].items()))
        except (AttributeError, KeyError, TypeError):  # another flax, or what cannot be remembered
            return jax.eval_shape(asked)


scope.jax = Remembering()


@pytest.fixture
def x64():
    """Double precision, for comparisons that finite differences or ten digits need."""
    with jax.enable_x64(True):
        yield


FIRST = ("tests/experiments/test_kill.py", "tests/serving/test_cluster.py", "tests/test_wheel.py")
"""The longest file, and what takes long and would come last: so that none runs alone at the end."""


def pytest_collection_modifyitems(items):
    """`testpaths` cannot say it: a file that is named before its folder counts as part of the folder."""
    items.sort(key=lambda item: item.location[0] not in FIRST)


def pytest_terminal_summary(terminalreporter):
    """A line for each program that is missing: what was skipped for want of it, and how to have it."""
    for line in lacking(terminalreporter.stats.get("skipped", [])):
        terminalreporter.write_line(line)


LARGE = 2 << 30
"""Bytes that a worker may hold before it forgets the programs of the tests that it has done."""


@pytest.fixture(autouse=True, scope="module")
def bounded_memory():
    """A program lives as long as JAX remembers it, and a worker sees thousands: without this it needs 5 GB.

    What is forgotten is traced and read again, so not too often: to forget costs a second, and what follows more."""
    yield
    if psutil.Process().memory_info().rss > LARGE:
        jax.clear_caches()
        gc.collect()
        if hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
            libc.malloc_trim(0)  # or glibc would keep what was freed
