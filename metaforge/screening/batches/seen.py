"""Which names there were: a set that needs eight bytes a name."""

import hashlib
import os

import numpy as np

_RECENT = 1 << 16
"""Names that a Python set holds before they move to the array, where one costs a tenth of the memory."""


class Seen:
    """Names that were seen. Of each a keyed hash of 64 bits is kept, and nothing else.

    Two of a million names have one hash with a probability of 3e-8. The key is drawn anew for each object, so nobody
    can choose the name of a file so that it is taken for another one.

    Example:
        >>> seen = Seen()
        >>> seen.add("a.jpg"), seen.add("b.jpg"), seen.add("a.jpg"), len(seen)
        (True, True, False, 2)
    """

    def __init__(self):
        """Begins with none."""
        self._key = os.urandom(16)
        self._old = np.zeros(0, np.uint64)
        self._recent: set[int] = set()

    def __len__(self) -> int:
        """How many there are."""
        return len(self._old) + len(self._recent)

    def __contains__(self, name: str) -> bool:
        """Whether a name was seen."""
        return self._has(self._hash(name))

    def add(self, name: str) -> bool:
        """Puts a name in; whether it is new."""
        mark = self._hash(name)
        if self._has(mark):
            return False
        self._recent.add(mark)
        if len(self._recent) >= _RECENT:
            recent = np.fromiter(self._recent, np.uint64, len(self._recent))
            # Timsort and radix sort are quick with what is sorted but for its end.
            self._old = np.sort(np.concatenate([self._old, recent]), kind="stable")
            self._recent = set()
        return True

    def _hash(self, name: str) -> int:
        data = name.encode("utf-8", "surrogateescape")
        return int.from_bytes(hashlib.blake2b(data, digest_size=8, key=self._key).digest(), "little")

    def _has(self, mark: int) -> bool:
        if mark in self._recent:
            return True
        place = int(np.searchsorted(self._old, np.uint64(mark)))
        return place < len(self._old) and int(self._old[place]) == mark
