"""One writer to a directory: a second process that would write there is told so, before it mixes its rows in."""

import contextlib
import os
import time
import weakref
from pathlib import Path
from typing import Any

from metaforge.errors import InputError

_PATIENCE = 5.0
"""Seconds to wait for another process: the workers of a study that was killed end a moment after it."""


class Alone:
    """Holds a directory for this process, for as long as this object lives; a process that dies holds nothing.

    Lays the operating system's lock (`flock`) on the directory itself, so that no file of ours is left in it. One
    process may hold a directory many times. Where the file system knows no such locks, nobody is kept out.

    Args:
        directory: what is to be written into; it exists.

    Raises:
        InputError: when another process holds it.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     held, again = Alone(folder), Alone(folder)
    """

    def __init__(self, directory: str | os.PathLike):
        """Takes the directory, or waits a little for it."""
        self._lock = _lock(Path(directory))


class _Lock:
    """An open directory; the lock on it ends when it is closed."""

    def __init__(self, descriptor: int):
        weakref.finalize(self, os.close, descriptor)


_HELD: "weakref.WeakValueDictionary[tuple[int, int], _Lock]" = weakref.WeakValueDictionary()


def _lock(directory: Path) -> Any:
    try:
        import fcntl
    except ImportError:  # Windows
        return None
    descriptor = os.open(directory, os.O_RDONLY)
    about = os.fstat(descriptor)
    name = (about.st_dev, about.st_ino)
    if name in _HELD:
        os.close(descriptor)
        return _HELD[name]
    until = time.monotonic() + _PATIENCE
    # Network file systems may refuse such a lock for reasons of their own; that is no reason not to work.
    with contextlib.suppress(OSError):
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    os.close(descriptor)
                    raise InputError(
                        f"workdir: another process is writing to '{directory}'. Wait for it, stop it, or choose "
                        "another --workdir."
                    ) from None
                time.sleep(0.1)
    _HELD[name] = lock = _Lock(descriptor)
    return lock
