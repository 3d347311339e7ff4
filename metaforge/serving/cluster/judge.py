"""A replica that judges: opens the detector, scores a picture to see that it can, and then whatever it is asked."""

import asyncio
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from metaforge.serving.cluster.together import Together
from metaforge.serving.queue import MOST, Lane


class Judge:
    """One process of many, in which Ray calls `judge` as often at once as the config lets it.

    Files are taken together as many as wait. They are scored in a thread, so that the loop on which Ray asks for this
    replica's health never waits for them.
    """

    def __init__(self, setup: dict[str, Any]):
        """Has opened all detectors, and scored a picture with each, when it returns: before that Ray sends nothing.

        Args:
            setup: `lane`, `patience` (seconds that files taken together may take), `served` (`Served.as_json()` of each
                detector that is open from the start), `frames`, `trust`, `threads` (that read), `nice` (how far it
                stands back).

        Raises:
            InputError: if it cannot.
        """
        os.environ.setdefault("JAX_PLATFORMS", "cpu")
        from metaforge.serving.served import Opened, Served
        from metaforge.serving.worker import try_out

        os.nice(setup["nice"])
        lane: Lane = setup["lane"]
        self._patience, self._begun = setup["patience"], 0.0
        self._opened = Opened(frames=setup["frames"], trust=setup["trust"])
        self._standing = {each["id"]: Served(**each) for each in setup["served"]}
        self._readers = ThreadPoolExecutor(setup["threads"])
        self._scorer = ThreadPoolExecutor(1)
        try_out(self._opened, [*self._standing.values()], threads=self._readers)
        self._together = Together(self._judged, most=MOST[lane])

    async def judge(self, ask: dict[str, Any], data: bytes) -> dict[str, Any]:
        """What is said of a file.

        Args:
            ask: an `Ask` of plain values. Its `served` is the id of a detector that is open from the start, or a whole
                `Served.as_json()`.
            data: its content.

        Returns:
            "answer" (`Answer`), "queued" (seconds), "files" that were taken together, "took" (their seconds), "place"
            among them, and the "process".
        """
        return await self._together((ask, data, time.monotonic()))

    async def check_health(self) -> None:
        """Ray asks this again and again; a replica that fails three times is replaced.

        Raises:
            RuntimeError: if files have been judged for longer than any may take.
        """
        if self._begun and time.monotonic() - self._begun > self._patience:
            raise RuntimeError(f"files have been judged for more than {self._patience:.0f} seconds")

    async def _judged(self, asked: list[tuple[dict[str, Any], bytes, float]]) -> list[dict[str, Any]]:
        self._begun = begun = time.monotonic()
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._scorer, self._answers, asked)
        finally:
            self._begun = 0.0
        told = {"files": len(asked), "took": time.monotonic() - begun, "process": os.getpid()}
        return [
            {"answer": answer, "queued": begun - since, "place": place, **told}
            for place, (answer, (_, _, since)) in enumerate(zip(found, asked, strict=True))
        ]

    def _answers(self, asked: list[tuple[dict[str, Any], bytes, float]]) -> list[dict[str, Any]]:
        from metaforge.serving.scoring import Ask, answers
        from metaforge.serving.served import Served
        from metaforge.serving.worker import give_back, is_large

        with tempfile.TemporaryDirectory() as folder:
            asks = []
            for place, (said, data, _) in enumerate(asked):
                served = said["served"]
                ask = Ask(**{**said, "served": self._standing[served] if isinstance(served, str) else Served(**served)},
                          data=data)  # fmt: skip
                if ask.path:  # of a video, which is read from a file; where that lay in the front is of no use here
                    path = os.path.join(folder, f"{place}.mp4")
                    with open(path, "wb") as held:
                        held.write(data)
                    ask = ask._replace(path=path, data=b"")
                asks.append(ask)
            found = answers(self._opened, asks, threads=self._readers)
        if any(is_large(answer.record) for answer in found):
            give_back()
        return [answer._asdict() for answer in found]
