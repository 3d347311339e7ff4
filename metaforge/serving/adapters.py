"""The adapters of a service: asked for, queued, made one at a time in a process of their own, kept, deleted.

Over 250 lines because the queue, the one who works on it and those who cancel share their state.
"""

import asyncio
import collections
import contextlib
import logging
import os
import re
import shutil
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from metaforge.serving.child import Child
from metaforge.serving.errors import Problem, problem
from metaforge.serving.job import why_not
from metaforge.serving.logs import broken
from metaforge.serving.placing import arrange
from metaforge.serving.receiving import Received
from metaforge.serving.served import Served
from metaforge.serving.storage import Storage, now
from metaforge.serving.tidying import as_served, clear, tidy

_LOG = logging.getLogger(__name__)
_WRONG = "An adapter was not made, or not written down."
_UNWRITTEN = "What became of an adapter cannot be written down now, and is tried again until it can."
T = TypeVar("T")
_ID = re.compile(r"[0-9a-f]{16}")

MADE = ("report", "sha256", "about")
"""What a job that has made an adapter says of it."""


class JobLimits(NamedTuple):
    """How much is done at most.

    Attributes:
        waiting: adaptations that wait, those whose images are still coming in among them.
        seconds: that one may take.
        kept: adapters altogether.
        pause: seconds after which a database that cannot be written is tried again.
        patience: seconds that a request waits for it.
    """

    waiting: int = 4
    seconds: float = 1800.0
    kept: int = 100
    pause: float = 5.0
    patience: float = 10.0


LIMITS = JobLimits()


class Asked(NamedTuple):
    """What of an adaptation can be chosen: see `metaforge.screening.adapt_options`; `name` is for people."""

    shots: int
    name: str = ""
    force: bool = False
    crops: bool = False


class Adapters:
    """All adapters, and the one process that makes them.

    What a stop or a kill of the service interrupts is queued again when it next starts, as long as its images are
    there; they are deleted when an adaptation ends, however it ends.
    """

    def __init__(
        self, storage: Storage, folder: Path, *, model: str, weights: str = "", limits: JobLimits = LIMITS,
        program: Sequence[str] = ("-m", "metaforge.serving.job"),
    ):  # fmt: skip
        """Those in a folder.

        Args:
            storage: where their rows are.
            folder: that has a folder for each; made if it is missing.

        Other Arguments:
            model: what is adapted: a saved detector or a training run.
            weights: where its weights are, if not where they were.
            limits: how much is done at most.
            program: what Python runs to make one, as `metaforge.serving.job` is run.
        """
        self.folder, self.limits, self.why_not = folder.absolute(), limits, why_not(model)
        self.program, self._storage, self._model, self._weights = program, storage, model, weights
        self._waiting: collections.deque[str] = collections.deque()
        self._coming = 0
        self._asked = asyncio.Event()
        self._worker: asyncio.Task | None = None
        self._running, self._ended, self._child, self._cancelled = "", asyncio.Event(), Child(program), ""
        self._done: dict[str, tuple[Served, dict[str, Any]]] = {}
        self._ids: dict[str, str] = {}
        self._ending: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Tidies what an earlier service left, queues again what it did not end, and begins to work."""
        again, done = await asyncio.to_thread(tidy, self._storage, self.folder)
        self._waiting.extend(again)
        for row in done:
            self._serve(row)
        self._worker = asyncio.create_task(self._work())
        self._asked.set()

    async def stop(self) -> None:
        """Ends the work; what was being made is queued again at the next start."""
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.wait([self._worker])
            self._worker = None
        for task in self._ending:
            task.cancel()
        if self._ending:
            await asyncio.wait(self._ending)

    def served(self, name: str) -> Served | None:
        """An adapter that is made, as workers open it; `None` for any other name, whatever it is."""
        found = self._done.get(name)
        return found and found[0]

    def models(self) -> list[dict[str, Any]]:
        """What `/v1/models` says of the adapters that are made."""
        return [about for _, about in self._done.values()]

    @contextlib.asynccontextmanager
    async def coming(self) -> AsyncIterator[Path]:
        """A place in the queue, and a folder for the images, while they come in; what is not submitted is deleted.

        Raises:
            Problem: when the queue is full, too many adapters are kept, or this service cannot adapt.
        """
        if self.why_not:
            raise problem("conflict", self.why_not)
        if self._coming + len(self._waiting) >= self.limits.waiting:
            raise problem("too_many", f"{self.limits.waiting} adaptations wait already. Send it later.", retry_after=60)
        self._coming += 1
        folder = self.folder / f"coming-{os.urandom(8).hex()}"
        try:
            if len(await self.all()) >= self.limits.kept:
                raise problem("conflict", f"{self.limits.kept} adapters are kept already. Delete one first.")
            folder.mkdir(parents=True)
            yield folder
        finally:
            self._coming -= 1
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def submit(
        self, folder: Path, files: Sequence[Received], asked: Asked, *, who: str | None, request_id: str = ""
    ) -> dict[str, Any]:
        """Queues an adaptation; the adapter's row.

        Args:
            folder: of `coming`, with the images in it.
            files: those images.
            asked: how.

        Other Arguments:
            who: asks, by the name of a token.
            request_id: by which the log has whatever goes wrong with it.
        """
        row = await asyncio.to_thread(self._submit, folder, files, asked, who)
        self._ids[row["id"]] = request_id
        self._waiting.append(row["id"])
        self._asked.set()
        return row

    def _submit(self, folder: Path, files: Sequence[Received], asked: Asked, who: str | None) -> dict[str, Any]:
        counts, name = arrange(folder, files), os.urandom(8).hex()
        folder.rename(self.folder / name)
        try:
            return self._storage.add_adapter(id=name, who=who, name=asked.name, asked=asked._asdict(), images=counts)
        except BaseException:
            shutil.rmtree(self.folder / name, ignore_errors=True)  # nobody would know of it
            raise

    async def all(self) -> list[dict[str, Any]]:
        """The rows of all adapters, in the order in which they came."""
        return await asyncio.to_thread(self._storage.adapters)

    async def get(self, name: str) -> dict[str, Any]:
        """The row of one.

        Raises:
            Problem: when there is none.
        """
        row = await asyncio.to_thread(self._storage.adapter, name) if _ID.fullmatch(name) else None
        if row is None:
            raise problem("not_found", "There is no adapter of this id. GET /v1/adapters lists all.")
        return row

    async def remove(self, name: str) -> dict[str, Any]:
        """Cancels an adapter that is not made yet, and deletes one that has ended; its last row.

        Raises:
            Problem: when there is none.
        """
        row = await self.get(name)
        if name == self._running:
            self._cancelled = name
            self._child.kill()
            await self._soon(self._ended.wait())
            row = await self.get(name)
            if row["state"] == "cancelled":
                return row  # or it was done a moment before
        if name in self._waiting:
            self._waiting.remove(name)
            await self._soon(self._end(name, state="cancelled"))
            return await self.get(name)
        self._done.pop(name, None)
        await asyncio.to_thread(self._storage.drop_adapter, name)
        await asyncio.to_thread(shutil.rmtree, self.folder / name, ignore_errors=True)
        return row | {"state": "deleted"}

    async def remove_of(self, who: str) -> int:
        """Deletes all adapters that somebody asked for, and cancels those before that are not made yet.

        Args:
            who: the name of a token.

        Returns:
            How many.

        Raises:
            Problem: when one cannot be deleted now; those before it are deleted.
        """
        gone = 0
        for name in [row["id"] for row in await self.all() if row["who"] == who]:
            try:
                if (await self.remove(name))["state"] == "cancelled":
                    await self.remove(name)
                gone += 1
            except Problem as error:
                if error.code != "not_found":  # else somebody has deleted it meanwhile
                    raise
        return gone

    async def _soon(self, ending: Coroutine[Any, Any, Any]) -> None:
        """Waits for a while for something, which goes on in any case."""
        task = asyncio.ensure_future(ending)
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        done, _ = await asyncio.wait([task], timeout=self.limits.patience)
        if not done:
            text = "It is cancelled, but the database cannot be written now. Ask for it later."
            raise problem("unavailable", text, retry_after=10)

    async def _work(self) -> None:
        while True:
            await self._asked.wait()
            while self._waiting:
                self._running, self._child = self._waiting.popleft(), Child(self.program)
                self._ended.clear()
                try:
                    await self._make(self._running)
                except Exception as error:  # noqa: BLE001 - such as of a full disk: the next may be made all the same
                    _LOG.error(_WRONG, extra=broken(error) | {"adapter": self._running})
                finally:
                    self._running = ""
                    self._ended.set()
            self._asked.clear()

    async def _make(self, name: str) -> None:
        row = await self._insisting(self._storage.adapter, name)
        if row is None:
            return
        await self._insisting(self._storage.change_adapter, name, state="running")
        told = {"folder": str(self.folder / name), "model": self._model, "weights": self._weights}
        told |= {key: row["asked"][key] for key in ("shots", "force", "crops")}
        try:
            answer = await self._child.run(told, seconds=self.limits.seconds)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong with one adapter, others can be made
            answer = broken(error)
        if name == self._cancelled:
            await self._end(name, state="cancelled")
        elif "report" in answer:
            await self._end(name, state="done", **{key: answer[key] for key in MADE})
        else:
            if "broke" in answer:
                _LOG.error(_WRONG, extra=answer | {"adapter": name, "request_id": self._ids.get(name)})
            said = "Adapting failed by a fault of the service, whose log has it. Send it again, or tell who runs it."
            await self._end(name, state="failed", error=answer.get("refused", said))

    async def _end(self, name: str, *, state: str, **values: Any) -> None:
        """Writes down how an adaptation ended, and deletes its images; of one that made nothing, all."""
        if state == "done":  # before its images go: without them it could not be made again
            await self._insisting(self._storage.change_adapter, name, **values)
            values = {}
        # Whoever reads that it has ended may rely on it that the images are gone. A full disk has room again then.
        await asyncio.to_thread(clear, self.folder / name, all_of_it=state != "done")
        if state == "done":  # likewise that it can be asked
            row = await self._insisting(self._storage.adapter, name)
            if row is not None:
                self._serve(row)
        await self._insisting(self._storage.change_adapter, name, state=state, ended=now(), **values)
        self._ids.pop(name, None)

    async def _insisting(self, call: Callable[..., T], *of: Any, **values: Any) -> T:
        """What a call to the database comes to, as soon as that can be: else a row would say "running" for ever."""
        said = False
        while True:
            try:
                return await asyncio.to_thread(call, *of, **values)
            except SQLAlchemyError as error:  # it is locked or away, or the disk is full
                if not said:
                    _LOG.error(_UNWRITTEN, extra=broken(error) | {"adapter": of[0]})
                said = True
                await asyncio.sleep(self.limits.pause)

    def _serve(self, row: dict[str, Any]) -> None:
        served = as_served(self.folder / row["id"], row, weights=self._weights)
        self._done[row["id"]] = served, row["about"] | {"name": row["name"] or row["id"]}
