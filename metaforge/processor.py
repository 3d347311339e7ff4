"""What kind of processor this is: programs, and how long they take, are for machines of one kind."""

import hashlib
import os
import platform
from pathlib import Path

_ABOUT = Path("/proc/cpuinfo")


def instructions() -> str:
    """Eight digits for the instructions that the processor has; home folders are shared among machines of several.

    Example:
        >>> len(instructions()), instructions() == instructions()
        (8, True)
    """
    kind = next((line for line in _lines() if line.startswith(("flags", "Features"))), platform.machine())
    return hashlib.sha256(kind.encode()).hexdigest()[:8]


def cores() -> int:
    """How many cores this process may use.

    Example:
        >>> cores() >= 1
        True
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def name() -> str:
    """What the processor is called.

    Example:
        >>> name() == name()
        True
    """
    found = (line.split(":", 1)[1].strip() for line in _lines() if line.startswith("model name"))
    return next(found, platform.processor())


def flags() -> frozenset[str]:
    """The instructions that it has, by their names on Linux; none where they are not known.

    Example:
        >>> "no such instruction" in flags()
        False
    """
    return frozenset(next((line.split() for line in _lines() if line.startswith("flags")), ()))


def _lines() -> list[str]:
    return _ABOUT.read_text(encoding="utf-8").splitlines() if _ABOUT.exists() else []
