"""A process that judges: opens the detector, scores a picture to see that it can, and then whatever it is sent."""

import contextlib
import ctypes
import functools
import io
import os
import queue
import signal
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, cast

from PIL import Image, ImageOps

from metaforge.errors import InputError
from metaforge.serving.messages import receive, send

if TYPE_CHECKING:
    from metaforge.serving.served import Opened, Served

_LARGE = 4_000_000
"""Pixels of a picture beyond which the memory that it took is given back at once."""


def trial() -> bytes:
    """A picture with a face, in PNG, so that a worker that has judged it has opened all that it needs.

    Example:
        >>> trial()[1:4]
        b'PNG'
    """
    from metaforge.data.embedded_faces import embedded_faces

    face = Image.fromarray(embedded_faces("london", size=64)[0].image)
    wide = ImageOps.expand(face.resize((256, 256), Image.Resampling.BICUBIC), 64, (96, 96, 96))
    held = io.BytesIO()
    wide.save(held, "PNG")
    return held.getvalue()


def try_out(opened: "Opened", standing: "Sequence[Served]", *, threads: ThreadPoolExecutor) -> None:
    """Opens detectors, makes whatever is made once, and has each score a picture.

    Args:
        opened: keeps them open.
        standing: the detectors.

    Other Arguments:
        threads: that read.

    Raises:
        InputError: if one cannot score it.
    """
    from metaforge.serving.buckets import Bucketed
    from metaforge.serving.scoring import Ask, answers

    for served in standing:
        cast(Bucketed, opened.screener(served).detector).warm_up()
        (said,) = answers(opened, [Ask("trial.png", trial(), served)], threads=threads)
        if said.error or said.record["error"] or not said.record["faces"]:
            raise InputError(said.error or (said.record["error"] or {}).get("message", "it finds no face"))


def run(connection: Connection, setup: dict[str, Any]) -> None:
    """What a worker is from its start to its end; it ends when the front does, or closes its end.

    Args:
        connection: to the front.
        setup: `served` (`Served.as_json()` of each detector that is open from the start), `frames`, `trust`, `threads`
            (that read), `nice` (how far it stands back).
    """
    from metaforge.serving import logs
    from metaforge.workers import end_with_parent

    logs.as_lines()

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C at a terminal reaches all; the front ends its workers
    threading.Thread(target=end_with_parent, daemon=True).start()
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    os.nice(setup["nice"])
    try:
        _serve(connection, setup)
    except InputError as error:
        send(connection, {"failed": str(error)})
    except (EOFError, OSError):
        os._exit(0)  # the front is gone


def _serve(connection: Connection, setup: dict[str, Any]) -> None:
    from metaforge.serving.scoring import Batch, score_batch
    from metaforge.serving.served import Opened, Served

    standing = [Served(**each) for each in setup["served"]]
    opened = Opened(frames=setup["frames"], trust=setup["trust"], standing=standing)
    with ThreadPoolExecutor(setup["threads"]) as threads:
        try_out(opened, standing, threads=threads)
        send(connection, {"ready": True})
        # The files of a batch are read while the faces of the one before it are scored.
        batches: queue.Queue[Batch | None] = queue.Queue(maxsize=1)
        ahead = functools.partial(_read_ahead, connection, batches, opened, threads)
        threading.Thread(target=ahead, daemon=True).start()
        while (batch := batches.get()) is not None:
            found = score_batch(batch)
            send(connection, {"answers": [answer._asdict() for answer in found]})
            if any(is_large(answer.record) for answer in found):
                give_back()


def _read_ahead(connection: Connection, batches: "queue.Queue[Any]", opened: Any, threads: ThreadPoolExecutor) -> None:
    """Reads what comes, until the front is gone."""
    from metaforge.serving.scoring import Ask, read_batch
    from metaforge.serving.served import Served

    try:
        while True:
            said, blobs = receive(connection)
            asks = [
                Ask(**{**ask, "served": Served(**ask["served"]), "data": blob})
                for ask, blob in zip(said["asks"], blobs, strict=True)
            ]
            batches.put(read_batch(opened, asks, threads=threads))
    except (EOFError, OSError):
        batches.put(None)


def is_large(record: dict[str, Any]) -> bool:
    """Whether a file is a picture beyond `_LARGE`."""
    height, width = record.get("size") or (0, 0)
    return height * width > _LARGE


def give_back() -> None:
    """Returns free memory to the system: the C library keeps what a large picture took, for each thread that read one.

    There is nothing to call where the library is another one than glibc.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
