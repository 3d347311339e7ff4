"""Starts the service: everything that cannot work is said before anything is listened to."""

import contextlib
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvicorn

from metaforge import locks
from metaforge.errors import InputError, printable
from metaforge.serving import logs
from metaforge.serving.adapters import Adapters, JobLimits
from metaforge.serving.addresses import listening, names_of, refuse_open
from metaforge.serving.app import create_app
from metaforge.serving.connections import uvicorn_settings
from metaforge.serving.databases import VARIABLE, rows_of, url_of
from metaforge.serving.guarding.access import Log, json_lines
from metaforge.serving.guards import guarded
from metaforge.serving.limits import Limits
from metaforge.serving.metrics import Metrics
from metaforge.serving.options import Options
from metaforge.serving.pool import Pool
from metaforge.serving.rates import Rates
from metaforge.serving.remembered import remember
from metaforge.serving.served import Served, served_of
from metaforge.serving.service import Service
from metaforge.serving.storage import Storage
from metaforge.serving.tokens import read_tokens

MANY = 8
"""How many pictures of the largest size a request of many files may hold."""


def service_of(options: Options) -> Service:
    """Everything that answers are made with; nothing is started yet.

    Raises:
        InputError: if the detector cannot be read, or the state folder not be used.
    """
    state = state_of(options)
    served = served_of(options.model, state / "models", weights=options.weights)
    metrics = Metrics()
    storage = Storage(url_of(options.database, state))
    adapters = Adapters(storage, state / "adapters", model=options.model, weights=options.weights,
                        limits=JobLimits(waiting=options.jobs))  # fmt: skip
    spare = served_of(options.spare, state / "models", id="spare") if options.spare else None
    about = about_of(served, trust=options.trust) | {
        "spare": None if spare is None else {"name": spare.name, "sha256": spare.sha256}
    }
    pool = Pool(served, options, metrics, spare=spare)
    return Service(options, state, served, about, pool, metrics, storage, adapters)


def state_of(options: Options) -> Path:
    """The service's folder, with the folders in it; they are made if they are missing.

    Raises:
        InputError: if they cannot be.
    """
    state = Path(options.state)
    try:
        for folder in (state, state / "models", state / "spool"):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise InputError(
            f"state: '{options.state}' cannot be made ({error.strerror}). Choose another folder."
        ) from None
    return state


def about_of(served: Served, *, trust: str = "") -> dict[str, Any]:
    """What `/v1/models` says of a detector.

    Args:
        served: it.

    Other Arguments:
        trust: a file of certificates, which is read as workers will read it.

    Raises:
        InputError: if it cannot be read, or the certificates.
    """
    found = served.screener(trust=trust)
    return {
        "id": served.id,
        "name": served.name,
        "sha256": served.sha256,
        "fitted_on": found.model.fitted_on,
        "image_size": found.detector.image_size,
        "crop": found.detector.crop,
        "thresholds": found.thresholds._asdict(),
        "limits": found.limits,
        "regions": bool(served.regions),
    }


def run(options: Options) -> None:
    """Serves until it is told to stop, and finishes what was accepted.

    Raises:
        InputError: for whatever cannot work.
    """
    refuse_open(options)
    names_of(options)
    logs.as_lines()
    Path(options.state).mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = locks.lock_directory(options.state, flag="state")
    with listening(options) as listener:
        clear_spool(options)
        service = service_of(options)
        service.storage.claim()
        remember(options, service.served.sha256, rows_of(options.database))
        os.environ.pop(VARIABLE, None)  # what reads strangers' files need not know it
        server = server_of(options, service)
        host, port = listener.getsockname()[:2]
        print(f"metaforge serves {served_as(service)} at http://{'[' + host + ']' if ':' in host else host}:{port}/ "
              "(Ctrl-C ends it).", flush=True)  # fmt: skip
        server.run(sockets=[listener])
    del lock


def clear_spool(options: Options) -> None:
    """Deletes the videos that a service was judging when it was killed: nothing that is sent is kept."""
    for left in (Path(options.state) / "spool").glob("*"):
        shutil.rmtree(left, ignore_errors=True)


def server_of(options: Options, service: Service, *, log: Log | None = None) -> uvicorn.Server:
    """What answers requests, with all guards.

    Args:
        options: what it is told.
        service: what answers are made with.

    Other Arguments:
        log: where records of requests go; standard error if left out.

    Raises:
        InputError: for a file of tokens that cannot be used.
    """
    bounds = bounds_of(options)
    tokens = read_tokens(options.tokens) if options.tokens else None
    app = guarded(
        create_app(service), tokens=tokens, rates=Rates(options.rate), limits=bounds, hosts=names_of(options),
        log=service.metrics.counted(log or json_lines()),
    )  # fmt: skip
    settings: dict[str, Any] = {
        **uvicorn_settings(bounds, failed=service.metrics.failed),
        "loop": "asyncio",
        "lifespan": "on",
        "log_level": "warning",
        "log_config": None,
    }
    return _Server(uvicorn.Config(app, timeout_graceful_shutdown=options.grace, **settings), service)


def bounds_of(options: Options) -> Limits:
    """How many bytes a request of each kind may bring.

    Example:
        >>> bounds_of(Options(model="m", image_mb=3, video_mb=1)).body_of("/v1/predict") >> 20
        5
    """
    one = (4 * max(options.image_mb, options.video_mb) // 3 + 1) << 20  # base64 takes a third more
    many = max(one, MANY * options.image_mb << 20)
    paths = {"/v1/predict": one, "/v1/predict/batch": many, "/v1/adapt": many, "/v2/models/*/infer": many}
    return Limits(bodies=paths, held=max(Limits().held, many))  # the largest can come, if it is alone


def served_as(service: Service) -> str:
    """What is served, for the terminal."""
    return f"'{printable(service.served.name)}' ({service.served.sha256[:12]})"


class _Server(uvicorn.Server):
    """Says that it is stopping as soon as it is asked to, so that nothing new is accepted."""

    def __init__(self, config: uvicorn.Config, service: Service):
        super().__init__(config)
        self._service = service

    def handle_exit(self, sig: int, frame: Any) -> None:
        self._service.pool.close_to_new()
        super().handle_exit(sig, frame)
        if sig == signal.SIGINT and len(self._captured_signals) > 1:
            self.force_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # Asked to stop, it has ended well: it does not raise the signal again, as uvicorn does.
        with super().capture_signals():
            yield
            self._captured_signals.clear()
