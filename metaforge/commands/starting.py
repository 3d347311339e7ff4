"""How a command is started as a program, and how a person at the prompt calls it."""

import os
import shlex
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn

from metaforge.places import cache_folder
from metaforge.processor import cores, instructions

_KNOWN_FLAGS = (0, 12)
"""The last version of jaxlib that is known to have the flags of XLA that are set here."""


def start(main: Callable[[list[str]], int], *, heavy: bool = False, brief: bool = False) -> NoReturn:
    """Runs a command as a program: what stands under `if __name__ == "__main__"`.

    `JAX_COMPILATION_CACHE_DIR` keeps compiled programs, in the user's cache folder, so that a command called again does
    not compile again; what is set already is left alone, and set to nothing it keeps none.

    Args:
        main: the command: the command line to an exit code.
        heavy: whether it computes for long. On Linux the program then starts itself once more in an environment that
            suits it, which must be there from the start; what is set already is left alone. With
            `GLIBC_TUNABLES=glibc.malloc.hugetlb=1` memory comes in huge pages: XLA's CPU backend allocates large
            buffers anew in every step, and their page faults cost a tenth to a half of the time. With
            `JAX_NUM_CPU_DEVICES` each core is a device of its own, and those that train give each of them tasks of its
            own (docs/performance.md).
        brief: whether, heavy as it is, it compiles for as long as it computes. `XLA_FLAGS` then asks for XLA's older
            way to write out fused loops on a CPU: Conv4's programs compile in two thirds of the time, and run a
            twentieth slower.
    """
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        os.environ["JAX_COMPILATION_CACHE_DIR"] = folder = _compiled_programs()
        if jax := sys.modules.get("jax"):  # it looked at the environment when it was imported
            jax.config.update("jax_compilation_cache_dir", folder)
    if heavy and sys.platform == "linux":
        wanted = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
        # Who says it in XLA's flags has said it.
        if "xla_force_host_platform_device_count" not in os.environ.get("XLA_FLAGS", ""):
            wanted["JAX_NUM_CPU_DEVICES"] = str(cores())
        # XLA ends a process that gives it a flag which it does not know.
        if brief and tuple(map(int, version("jaxlib").split(".")[:2])) <= _KNOWN_FLAGS:
            wanted["XLA_FLAGS"] = "--xla_cpu_use_fusion_emitters=false"
        missing = {name: value for name, value in wanted.items() if name not in os.environ}
        if missing:
            os.execve(sys.executable, sys.orig_argv, os.environ | missing)
    code = main(sys.argv)
    if code == 130:
        # At once: XLA may still be compiling in threads of its own, which do not survive Python's way of ending.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _compiled_programs() -> str:
    """A folder for compiled programs of this kind of processor, or "" where none can be made."""
    root = cache_folder()
    if root is None:
        return ""
    folder = root / f"programs-{instructions()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return ""
    return str(folder) if os.access(folder, os.W_OK) else ""


def python() -> str:
    """How a person at this prompt calls this interpreter: the environment's own by its path, or plain `python`."""
    environment, here = Path(sys.prefix), Path.cwd()
    if sys.prefix == sys.base_prefix or os.environ.get("VIRTUAL_ENV") == sys.prefix:
        return "python"
    path = environment / "bin" / "python"
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))


def program() -> str:
    """How a person at this prompt calls the console script `metaforge`."""
    called = python()
    return "metaforge" if called == "python" else f"{called} -m metaforge.cli"
