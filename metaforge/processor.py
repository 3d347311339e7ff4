"""What kind of processor this is: programs, and how long they take, are for machines of one kind."""

import hashlib
import platform
from pathlib import Path

_ABOUT = Path("/proc/cpuinfo")


def instructions() -> str:
    """Eight digits for the instructions that the processor has; home folders are shared among machines of several.

    Example:
        >>> len(instructions()), instructions() == instructions()
        (8, True)
    """
    lines = _ABOUT.read_text(encoding="utf-8").splitlines() if _ABOUT.exists() else []
    kind = next((line for line in lines if line.startswith(("flags", "Features"))), platform.machine())
    return hashlib.sha256(kind.encode()).hexdigest()[:8]
