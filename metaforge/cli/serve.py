"""Serves a detector over HTTP, with a page to look at verdicts.

    metaforge serve --model=adapted

Opens on this machine alone, at http://127.0.0.1:8000/. To be reached from others it needs --tokens: a file with a line
for each who may ask, a name and a token of 24 letters or more. docs/serving.md says what can be asked and what is kept:
nothing that is sent to be judged is stored; feedback and adapted detectors are, in --state. Ctrl-C or SIGTERM ends it
when what was accepted is answered.
"""

from typing import NoReturn

from metaforge.commands import launch, start
from metaforge.errors import InputError
from metaforge.serving.options import Options


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options) -> str:
        # What computes is imported where it is used, so that --help answers at once.
        try:
            from metaforge.serving.running import run
        except ImportError as error:
            raise InputError(f"serve: {error.name} is not installed. Install the extra: pip install "
                             "'metaforge-jax[serve]'.") from None  # fmt: skip

        run(options)
        return "Stopped: what was accepted is answered."

    return launch(argv, body, doc=__doc__ or "", options=Options())


def command() -> NoReturn:
    """The command as a program."""
    start(main)
