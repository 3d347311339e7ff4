"""What the library calls an argument, a command calls a flag."""

import re
from typing import Any

from metaforge.settings import fields_of


def in_flags(message: str, *groups: Any) -> str:
    """A message in which arguments are called by the flags of a command.

    Args:
        message: as the library says it, with every argument in backticks.
        *groups: the settings that the command has flags for; `None` has none.

    Returns:
        The message. An argument that no flag is named after stays as it is, and so does one that two are named after.

    Example:
        >>> from metaforge.training.config import Config
        >>> in_flags("domain 'a' has 3 images. Lower `shots`, or raise `patience`.", Config())
        "domain 'a' has 3 images. Lower --episodes.shots, or raise `patience`."
    """
    names = [name for group in groups if group is not None for name, _, _ in fields_of(group)]

    def flag(found: re.Match) -> str:
        mine = [name for name in names if name.rpartition(".")[2] == found[1]]
        return f"--{mine[0]}" if len(mine) == 1 else found[0]

    return re.sub(r"`(\w+)`", flag, message)
