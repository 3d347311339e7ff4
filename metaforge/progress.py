"""A progress bar with step rate and time left, on standard error."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tqdm import tqdm

MANY = 200
"""Files from which on it is worth saying how far reading them is."""


def progress(title: str, total: int | None, *, done: int = 0, unit: str = "step", quiet: bool = False) -> "tqdm":
    """A `tqdm` bar to be used in a `with` block; where there is no terminal it writes a line now and then.

    A `total` that nobody knows is `None`.
    """
    # Whoever shows none need not have it.
    from tqdm import tqdm

    screen = sys.stderr  # nothing, where the shell was told `2>&-`
    every = 0.2 if screen is not None and screen.isatty() else 20.0
    quiet = quiet or screen is None
    return tqdm(total=total, initial=done, desc=title, unit=unit, mininterval=every, disable=quiet, dynamic_ncols=True)
