"""One call of a command: flags parsed, the body called, and every exception one line and an exit code."""

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from absl import flags

from metaforge.commands.naming import in_flags
from metaforge.commands.parsing import HelpShownError, parse
from metaforge.errors import InputError
from metaforge.output import end_output, flush, print_any_name


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
        options, config = parse(argv, doc, options, config, presets or {})
        last = body(options) if config is None else body(options, config)
        if last:
            print(last)
        flush()
        return 0
    except HelpShownError:
        return 0
    except (InputError, flags.Error) as error:
        print(f"{program}: {' '.join(in_flags(str(error), options, config).split())}", file=sys.stderr)
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
