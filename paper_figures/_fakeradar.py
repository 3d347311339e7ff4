"""What the figures of the FakeRadar experiment share: the runs of a row, and colours for rows and kinds of forgery."""

from pathlib import Path

from metaforge.errors import InputError
from metaforge.runs import read_config
from paper_figures._figure import BLACK, BLUE, DARK, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION, YELLOW
from paper_figures._runs import find_runs

COLOURS = {
    "full": BLUE, "binary": VERMILLION, "no contrastive loss": GREEN, "no third class": PURPLE,
    "no outliers": SKY, "fixed clusters": DARK,
}  # fmt: skip
"""The rows' colours."""

KINDS = (BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILLION, PURPLE, GREY)
"""Real in black first, then the kinds of forgery."""


def runs_of(patterns: str, row: str) -> list[Path]:
    """The run directories of one row of the ablation.

    Raises:
        InputError: when none of them is.
    """
    found = [run for run in find_runs(patterns) if (read_config(run) or {}).get("row") == row]
    if not found:
        raise InputError(f"runs: none that '{patterns}' matches is a run of '{row}'. Give WORKDIR/TARGET/*.")
    return found
