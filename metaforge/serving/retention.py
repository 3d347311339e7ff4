"""Deletes feedback and adapters that were kept as long as was said: when the service starts, and every day."""

import asyncio
import datetime
import logging

from metaforge.serving import storage as times
from metaforge.serving.adapters import Adapters
from metaforge.serving.errors import Problem
from metaforge.serving.storage import Storage
from metaforge.serving.tidying import ENDED

_LOG = logging.getLogger(__name__)

DAY = 86_400.0
"""Seconds from one look to the next."""


def before(now: str, days: int) -> str:
    """The time that lies some days before another.

    Example:
        >>> before("2026-03-01T12:00:00Z", 1)
        '2026-02-28T12:00:00Z'
    """
    form = "%Y-%m-%dT%H:%M:%SZ"
    try:
        return (datetime.datetime.strptime(now, form) - datetime.timedelta(days=days)).strftime(form)
    except OverflowError:
        return ""


async def delete_older(storage: Storage, adapters: Adapters, *, days: int) -> tuple[int, int]:
    """Deletes feedback and adapters that came more than some days ago; an adapter that is being made stays.

    Args:
        storage: of both.
        adapters: of the service.

    Other Arguments:
        days: at least 1.

    Returns:
        How much feedback, and how many adapters.
    """
    end, gone = before(times.now(), days), 0
    said = await asyncio.to_thread(storage.drop_feedback_where, before=end) if end else 0
    for row in await adapters.all():
        if row["state"] in ENDED and row["created"] < end:
            try:
                await adapters.remove(row["id"])
                gone += 1
            except Problem:  # somebody else has deleted it
                pass
    return said, gone


async def keep_to(storage: Storage, adapters: Adapters, *, days: int, pause: float = DAY) -> None:
    """Does so at once and every day until it is cancelled; what fails is logged, and tried again the next day."""
    while True:
        try:
            said, gone = await delete_older(storage, adapters, days=days)
            if said or gone:
                _LOG.warning("After %d days were deleted: feedback %d, adapters %d.", days, said, gone)
        except Exception:  # noqa: BLE001 - such as of a database that is away for a while
            _LOG.exception("What was kept for more than %d days could not be deleted.", days)
        await asyncio.sleep(pause)
