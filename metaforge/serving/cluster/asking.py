"""What stands in the front for the workers: replicas of Ray Serve, asked through handles."""

import asyncio
import contextlib
from collections.abc import Mapping
from copy import copy
from pathlib import Path
from typing import Any

from metaforge.serving.errors import Problem, problem
from metaforge.serving.load import Load, full, lightened, policies
from metaforge.serving.metrics import Metrics
from metaforge.serving.options import Options
from metaforge.serving.pool import Judged
from metaforge.serving.queue import LANES, Lane, lane_of
from metaforge.serving.scoring import Answer, Ask
from metaforge.serving.served import Served

DEPLOYMENTS: dict[Lane, str] = {"fast": "Judge", "slow": "Slow"}
"""What judges the files of each lane: pictures, many together; videos and maps, one at a time."""

_LOOK = 2.0
"""Seconds between two looks at which replicas there are."""


class Replicas:
    """What `metaforge.serving.pool.Pool` is to the routes, with replicas of Ray Serve behind it."""

    def __init__(
        self, handles: Mapping[Lane, Any], options: Options, metrics: Metrics, *, app: str, spare: Served | None = None
    ):
        """Nothing is asked yet.

        Args:
            handles: of the deployments of both lanes.
            options: when files are refused, or answered with less.
            metrics: what is counted.

        Other Arguments:
            app: the name of the application, under which Ray says how its deployments are.
            spare: a smaller detector, which every replica has open, too.
        """
        # A handle's copy has a queue of its own, so what is breaking waits behind nothing else.
        self._handles = {(lane, breaking): copy(handles[lane]) for lane in LANES for breaking in (False, True)}
        self._policies, self._spare = policies(options.degrade, options.refuse), spare
        self._metrics, self._app = metrics, app
        self._asked: dict[Lane, int] = dict.fromkeys(LANES, 0)
        self._running: dict[Lane, int] = dict.fromkeys(LANES, 0)
        self._load = Load(self._running)
        self._closing, self._watch = False, None
        self._usable = False
        self.failed = ""  # Ray tries again and again

    def start(self) -> None:
        """Begins to watch which replicas there are."""
        self._watch = asyncio.create_task(self._look())

    @property
    def ready(self) -> bool:
        """Whether both lanes have a replica, each of which has scored a picture, or get one when they are asked."""
        return not self._closing and self._usable

    def close_to_new(self) -> None:
        """From now on nothing new is accepted."""
        self._closing = True

    def waiting(self) -> dict[Lane, int]:
        """How many files of this front are not answered yet, in each lane."""
        return dict(self._asked)

    def stop(self, *, grace: float) -> None:
        """Accepts nothing more. Ray ends a front when it has answered what it was asked, and replicas likewise."""
        self._closing = True
        if self._watch is not None:
            self._watch.get_loop().call_soon_threadsafe(self._watch.cancel)

    async def ask(self, ask: Ask, *, breaking: bool = False, own: int = 0) -> Judged:
        """Has a file judged; if the replica dies over it, by another.

        Args:
            ask: the file, and what is asked.

        Other Arguments:
            breaking: whether it waits in a queue of its own, and is neither refused nor answered with less for want of
                time.
            own: how many files of the same request come before it.

        Raises:
            Problem: if too much waits, the service is stopping, or replicas died over the file.
        """
        if self._closing:
            raise problem("shutting_down", "The service is stopping. Ask another, or come again.", retry_after=5)
        degraded: tuple[str, ...] = ()
        if not breaking:
            ask, degraded = self._lighter(ask, own)
        lane = lane_of(ask)
        wait = 0.0 if breaking else self.wait(lane, own=own)
        try:
            self._policies[lane].check(wait)
        except Problem:
            self._metrics.refused("load")
            raise
        data = await asyncio.to_thread(Path(ask.path).read_bytes) if ask.path else ask.data
        self._asked[lane] += 1
        try:
            found = await self._judged(lane, _plain(ask), data, breaking=breaking)
        finally:
            self._asked[lane] -= 1
        if found["place"] == 0:
            self._metrics.batch(lane, found["files"])
            self._load.took(lane, found["files"], found["took"])
        return Judged(Answer(**found["answer"]), found["queued"], degraded)

    async def _judged(self, lane: Lane, said: dict[str, Any], data: bytes, *, breaking: bool) -> dict[str, Any]:
        from ray import exceptions  # pyright: ignore[reportMissingImports]
        from ray.serve import exceptions as of_serve  # pyright: ignore[reportMissingImports]

        # The last try is alone in its process: else one bad file could take others with it each time.
        for where in (lane, lane, "slow"):
            try:
                return await self._handles[where, breaking].judge.remote(said, data)
            except of_serve.BackPressureError:
                self._metrics.refused("full")
                raise full(self.wait(lane)) from None
            except of_serve.DeploymentUnavailableError:
                raise _unready("no replica can be started") from None
            except (exceptions.RayActorError, exceptions.ObjectLostError, exceptions.WorkerCrashedError):
                self._metrics.died(lane)
        raise problem("failed", "Our replicas ended while they judged this file. Convert it, and send it again.")

    def wait(self, lane: Lane, *, own: int = 0) -> float:
        """Seconds that a file would wait now behind those of this front, without so many of its own request."""
        return self._load.wait(lane, max(0, self._asked[lane] - own))

    def _lighter(self, ask: Ask, own: int) -> tuple[Ask, tuple[str, ...]]:
        if self.wait(lane_of(ask), own=own) <= self._policies[lane_of(ask)].degrade:
            return ask, ()
        return lightened(ask, self._spare)

    async def _look(self) -> None:
        while True:
            with contextlib.suppress(Exception):  # the controller is being replaced: what was seen last still holds
                seen = await asyncio.to_thread(_seen, self._app)
                self._running.update({lane: running for lane, (running, _) in seen.items()})
                self._usable = all(usable for _, usable in seen.values())
            await asyncio.sleep(_LOOK)


def _seen(app: str) -> dict[Lane, tuple[int, bool]]:
    """Of each lane: how many replicas can judge, and whether there is one, or will be when it is asked."""
    from ray import serve  # pyright: ignore[reportMissingImports]

    deployments: Any = serve.status().applications[app].deployments
    found: dict[Lane, tuple[int, bool]] = {}
    for lane, name in DEPLOYMENTS.items():
        about = deployments[name]
        running = about.replica_states.get("RUNNING", 0)
        found[lane] = running, running > 0 or about.status == "HEALTHY"
    return found


def _unready(why: str) -> Problem:
    return problem("not_ready", f"Not ready: {why}.", retry_after=5)


def _plain(ask: Ask) -> dict[str, Any]:
    """An ask without its file, of plain values.

    What replicas have open from the start goes by its id: while a model is being replaced, old and new ones each answer
    with their own, and say so.
    """
    said = ask._asdict()
    del said["data"]
    standing = ask.served.id in ("default", "spare")
    return said | {"served": ask.served.id if standing else ask.served.as_json()}
