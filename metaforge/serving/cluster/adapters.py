"""The adapters as a cluster has them: made by one `metaforge serve` on the same state, and asked here."""

import asyncio
import logging

from metaforge.serving.adapters import Adapters
from metaforge.serving.errors import problem

_LOG = logging.getLogger(__name__)

ELSEWHERE = (
    "A cluster makes and deletes no adapters. Ask a `metaforge serve` on the same state and database; the cluster "
    "answers with what that has made."
)
_LOOK = 5.0
"""Seconds after which a new adapter is known here."""


class Made(Adapters):
    """Adapters that are read alone: many fronts beside each other would delete what another is receiving."""

    async def start(self) -> None:
        """Reads which adapters there are, and looks again from time to time."""
        self.why_not = ELSEWHERE
        await self._read()
        self._worker = asyncio.create_task(self._work())

    async def remove(self, name: str) -> dict:
        """Refuses to.

        Raises:
            Problem: in any case.
        """
        await self.get(name)
        raise problem("conflict", ELSEWHERE)

    async def remove_of(self, who: str) -> int:
        """Refuses to, in the same way."""
        raise problem("conflict", ELSEWHERE)

    async def _work(self) -> None:
        while True:
            await asyncio.sleep(_LOOK)
            try:
                await self._read()
            except Exception:  # noqa: BLE001 - the database is away for a while: what was known still holds
                _LOG.warning("adapters cannot be read now", exc_info=True)

    async def _read(self) -> None:
        rows = {row["id"]: row for row in await self.all() if row["state"] == "done"}
        for name in self._done.keys() - rows.keys():
            del self._done[name]
        for name in rows.keys() - self._done.keys():
            if (self.folder / name / "detector").is_dir():
                self._serve(rows[name])
