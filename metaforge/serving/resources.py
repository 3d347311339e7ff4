"""What a process takes, as the system says it: memory, processor time, open files. Nothing where there is no /proc."""

import os
import resource
from pathlib import Path
from typing import NamedTuple


class Taken(NamedTuple):
    """What a process takes.

    Attributes:
        memory: bytes that are in memory.
        seconds: of processor time, since its start.
        files: that are open, connections among them.
    """

    memory: int
    seconds: float
    files: int


def taken(process: int) -> Taken | None:
    """What a process takes; `None` if it has ended, is another user's, or the system does not say.

    Args:
        process: its number.

    Example:
        >>> taken(-1) is None
        True
    """
    place = Path("/proc") / str(process)
    try:
        # The name in brackets may hold anything; all else are numbers.
        values = (place / "stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        pages = int((place / "statm").read_text(encoding="ascii").split()[1])
        files = len(os.listdir(place / "fd"))
        ticks = int(values[11]) + int(values[12])
    except (OSError, ValueError, IndexError):
        return None
    return Taken(pages * os.sysconf("SC_PAGE_SIZE"), ticks / os.sysconf("SC_CLK_TCK"), files)


def files_allowed() -> int:
    """How many files and connections this process may have open.

    Example:
        >>> files_allowed() > 0
        True
    """
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
