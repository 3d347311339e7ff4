"""From a typed dataclass to flags, and from an exception to one line and an exit code."""

import dataclasses
import difflib
import os
import shlex
import sys
from collections.abc import Callable, Collection, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

from absl import flags

from metaforge.bounds import check_bounds
from metaforge.errors import InputError
from metaforge.output import end_output, flush, print_any_name
from metaforge.places import cache_folder, settled
from metaforge.processor import instructions
from metaforge.settings import change, fields_of

_KNOWN_FLAGS = (0, 12)
"""The last version of jaxlib that is known to have the flags of XLA that are set here."""

_DEFINE = {bool: flags.DEFINE_boolean, int: flags.DEFINE_integer, float: flags.DEFINE_float, str: flags.DEFINE_string}


def launch(
    argv: Sequence[str],
    body: Callable[..., Any],
    *,
    doc: str,
    options: Any,
    config: Any = None,
    presets: dict[str, Any] | None = None,
    resumes: bool = False,
) -> int:
    """Runs one command: parses its flags, calls `body(options)` or `body(options, config)`, returns the exit code.

    Args:
        argv: the command line, program first.
        body: the command; the text that it returns is printed last, and says where the result is.
        doc: what `--help` prints first.
        options: a dataclass instance; each field is a flag `--field`. A default of `...` makes it required.
        config: settings; each is a flag by its dotted name, `--field`, or `--group.field` where they are nested.
        presets: configurations by name, chosen with `--preset`; flags are laid over the preset.
        resumes: whether the command, interrupted and called again, goes on from a checkpoint.

    Returns:
        0, or 2 after one line on standard error for what the caller got wrong, or 130 when interrupted.
    """
    program = argv[0].rsplit("/", 1)[-1]
    print_any_name()
    try:
        options, config = _parse(argv, doc, options, config, presets or {})
        last = body(options) if config is None else body(options, config)
        if last:
            print(last)
        flush()
        return 0
    except _HelpShownError:
        return 0
    except (InputError, flags.Error) as error:
        print(f"{program}: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # Whoever read our output has read enough; nothing is left to say it to.
        end_output()
        return 0
    except OSError as error:
        end_output()
        where = f" '{error.filename}'" if error.filename else ""
        print(f"{program}: cannot read or write{where}: {error.strerror or error}. "
              "Check the path, its permissions and the free space.", file=sys.stderr)  # fmt: skip
        return 2
    except (MemoryError, RuntimeError, AssertionError) as error:
        # As XLA says it; NumPy raises `MemoryError`.
        if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error):
            print(f"{program}: the memory here is not enough for what was asked. Ask for fewer or smaller images, or "
                  "a smaller model, at a time.", file=sys.stderr)  # fmt: skip
            return 2
        if _has_device():
            raise
        print(f"{program}: JAX has no device here for JAX_PLATFORMS='{os.environ.get('JAX_PLATFORMS', '')}'. Unset it, "
              "set it to cpu, or install JAX for that device.", file=sys.stderr)  # fmt: skip
        return 2
    except KeyboardInterrupt:
        after = (
            "called again, it goes on from its last checkpoint, if there is one"
            if resumes
            else "nothing was left half-written"
        )
        print(f"{program}: interrupted; {after}.", file=sys.stderr)
        return 130


def _has_device() -> bool:
    """Whether JAX, if it was asked for at all, can compute on something."""
    jax = sys.modules.get("jax")
    try:
        return jax is None or bool(jax.devices())
    except (RuntimeError, AssertionError):  # in some versions one, in some the other
        return False


def flags_of(given: Any, usual: Any, *, but: Collection[str] = ()) -> list[str]:
    """The flags by which some settings differ from others, as a shell takes them.

    Args:
        given: the settings.
        usual: what a command has without flags.

    Other Arguments:
        but: dotted names that are left out.

    Example:
        >>> from metaforge.settings import change
        >>> from metaforge.training.config import Config
        >>> flags_of(change(Config(), {"learner.trainable": "^(top|head)"}), Config())
        ["'--learner.trainable=^(top|head)'"]
    """
    default = {name: value for name, _, value in fields_of(usual)}
    return [
        shlex.quote(f"--{name}={value}")
        for name, _, value in fields_of(given)
        if name not in but and value != default[name]
    ]


def start(main: Callable[[list[str]], int], *, heavy: bool = False, brief: bool = False) -> NoReturn:
    """Runs a command as a program: what stands under `if __name__ == "__main__"`.

    `JAX_COMPILATION_CACHE_DIR` keeps compiled programs, in the user's cache folder, so that a command called again does
    not compile again; what is set already is left alone, and set to nothing it keeps none.

    Args:
        main: the command: the command line to an exit code.
        heavy: whether it computes for long. On Linux the program then starts itself once more in an environment that
            suits it, which must be there from the start; what is set already is left alone. With
            `GLIBC_TUNABLES=glibc.malloc.hugetlb=1` memory comes in huge pages: XLA's CPU backend allocates large
            buffers anew in every step, and their page faults cost a tenth to a half of the time
            (docs/performance.md).
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


class _HelpShownError(Exception):
    pass


def _parse(argv: Sequence[str], doc: str, options: Any, config: Any, presets: dict[str, Any]) -> tuple[Any, Any]:
    values = flags.FlagValues()
    if presets:
        names = sorted(presets)
        flags.DEFINE_enum("preset", names[0], names, "The settings to start from.", flag_values=values)
        config = presets[_preset(argv, names, default=_default_preset(config, presets))]
    groups = [group for group in (options, config) if group is not None]
    for name, field, default in (found for group in groups for found in fields_of(group)):
        _define(values, name, field, default)
    flags.DEFINE_boolean("help", False, "Show this help.", short_name="h", flag_values=values)
    try:
        rest = values(list(argv))
    except flags.UnrecognizedFlagError as error:
        names = sorted(name for name in values if len(name) > 1)
        close = difflib.get_close_matches(error.flagname, names, n=1, cutoff=0.8)
        meant = f" (did you mean --{close[0]}?)" if close else ""
        known = ", ".join(f"--{name}" for name in names)
        raise InputError(f"unknown flag --{error.flagname}{meant}; known: {known}.") from None
    except flags.IllegalFlagValueError as error:
        text = str(error).replace("invalid literal for int() with base 10:", "give a whole number, not")
        raise InputError(text.replace("could not convert string to float:", "give a number, not")) from None
    if values["help"].value:
        _print_help(doc, values, options, config)
        flush()
        raise _HelpShownError
    if len(rest) > 1:
        raise InputError(f"unexpected argument '{rest[1]}'. Flags look like --name=value; --help lists them.")
    chosen: dict[str, Any] = {name: values[name].value for name in values}
    for name, field, _ in fields_of(options):
        if chosen[name] is None:
            raise InputError(f"--{name} is missing: {field.metadata['help']}")
    made = []
    for group in groups:
        found = {name: chosen[name] for name, _, _ in fields_of(group)}
        for name, field, default in fields_of(group):
            if kind := field.metadata["place"]:
                found[name] = settled(name, found[name], kind, needed=default != "")
        made.append(change(group, found))
        check_bounds(made[-1])
    options, config = (*made, None)[:2]
    return options, config


def _define(values: flags.FlagValues, name: str, field: dataclasses.Field, default: Any) -> None:
    default, help = None if default is ... else default, field.metadata["help"]
    if field.metadata["choices"]:
        flags.DEFINE_enum(name, default, list(field.metadata["choices"]), help, flag_values=values)
    else:
        _DEFINE[field.type](name, default, help, flag_values=values)  # type: ignore[index]


def _default_preset(config: Any, presets: dict[str, Any]) -> str:
    return next(name for name, preset in presets.items() if preset == config)


def _preset(argv: Sequence[str], names: list[str], *, default: str) -> str:
    """The preset has to be known before the flags are defined, since it sets their defaults."""
    for place, word in enumerate(argv[1:], 1):
        flag, _, value = word.lstrip("-").partition("=")
        if word.startswith("-") and flag == "preset":
            name = value or (argv[place + 1] if place + 1 < len(argv) else "")
            if name not in names:
                raise InputError(f"unknown preset '{name}'; known: {', '.join(names)}.")
            return name
    return default


def _print_help(doc: str, values: flags.FlagValues, options: Any, config: Any) -> None:
    print(doc.strip(), "\n\nflags:")
    names = [name for name, _, _ in fields_of(options)]
    names += ["preset"] if "preset" in values else []
    names += [name for name, _, _ in fields_of(config)] if config is not None else []
    for name in names:
        flag = values[name]
        choices = getattr(flag.parser, "enum_values", None)
        known = f" One of: {', '.join(choices)}." if choices else ""
        default = "required" if flag.value is None else flag.value
        # absl puts the choices of an enumeration in front of its help.
        help = flag.help.split(">: ", 1)[-1] if choices else flag.help
        print(f"  --{name} ({default})\n      {help}{known}")
