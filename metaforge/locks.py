"""One writer to a directory: a second process that would write there is told so, before it mixes its rows in."""

import os
import sys
import time
import weakref

from metaforge.errors import InputError

_PATIENCE = 5.0
"""Seconds to wait for another process: the workers of a study that was killed end a moment after it."""


class Lock:
    """An open directory, locked for this process; when nobody holds this object any more it is closed and free."""

    def __init__(self, descriptor: int):
        """Takes over an open file descriptor."""
        weakref.finalize(self, os.close, descriptor)


_HELD: "weakref.WeakValueDictionary[tuple[int, int], Lock]" = weakref.WeakValueDictionary()


def lock_directory(directory: str | os.PathLike, *, flag: str = "workdir") -> Lock | None:
    """Keeps other processes out of a directory, for as long as what it returns lives; a dead process holds nothing.

    Lays the operating system's lock (`flock`) on the directory itself, so that no file of ours is left in it. One
    process may hold a directory many times. Where the system or the file system has no such locks, nobody is kept
    out.

    Args:
        directory: what is to be written into; it exists.

    Other Arguments:
        flag: the flag that named it, for the error.

    Raises:
        InputError: when another process holds it, and goes on to for some seconds.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     held = [lock_directory(folder), lock_directory(folder)]
    """
    if sys.platform == "win32":
        return None
    descriptor = os.open(directory, os.O_RDONLY)
    about = os.fstat(descriptor)
    name = (about.st_dev, about.st_ino)
    if name in _HELD:
        os.close(descriptor)
        return _HELD[name]
    lock = Lock(descriptor)
    until = time.monotonic() + _PATIENCE
    while not _locked(descriptor):
        if time.monotonic() > until:
            raise InputError(
                f"{flag}: another process is writing to '{directory}'. Wait for it, stop it, or choose another "
                f"--{flag}."
            )
        time.sleep(0.1)
    _HELD[name] = lock
    return lock


def _locked(descriptor: int) -> bool:
    """Takes the lock; False where another process has it."""
    import fcntl  # Windows has none

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass  # Network file systems may refuse such a lock for reasons of their own; that is no reason not to work.
    return True
