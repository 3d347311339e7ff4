"""Starts the service: everything that cannot work is said before anything is listened to."""

import contextlib
import ipaddress
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvicorn

from metaforge import locks
from metaforge.errors import InputError, printable
from metaforge.serving.adapters import Adapters, JobLimits
from metaforge.serving.app import create_app
from metaforge.serving.connections import uvicorn_settings
from metaforge.serving.databases import VARIABLE, rows_of, url_of
from metaforge.serving.guarding.access import Log
from metaforge.serving.guarding.hosts import LOOPBACK
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
    state = Path(options.state)
    try:
        for folder in (state, state / "models", state / "spool"):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise InputError(
            f"state: '{options.state}' cannot be made ({error.strerror}). Choose another folder."
        ) from None
    served = served_of(options.model, state / "models", weights=options.weights)
    metrics = Metrics()
    storage = Storage(url_of(options.database, state))
    adapters = Adapters(storage, state / "adapters", model=options.model, weights=options.weights,
                        limits=JobLimits(waiting=options.jobs))  # fmt: skip
    spare = served_of(options.spare, state / "models", id="spare") if options.spare else None
    about = about_of(served) | {"spare": None if spare is None else {"name": spare.name, "sha256": spare.sha256}}
    pool = Pool(served, options, metrics, spare=spare)
    return Service(options, state, served, about, pool, metrics, storage, adapters)


def about_of(served: Served) -> dict[str, Any]:
    """What `/v1/models` says of a detector.

    Raises:
        InputError: if it cannot be read.
    """
    from metaforge.screening.verdicts.opening import screener

    found = screener(served.path, weights=served.weights)
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
    Path(options.state).mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = locks.lock_directory(options.state, flag="state")
    with listening(options) as listener:
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
        create_app(service), tokens=tokens, rates=Rates(options.rate), limits=bounds, hosts=names_of(options), log=log
    )
    settings: dict[str, Any] = {**uvicorn_settings(bounds), "loop": "asyncio", "lifespan": "on", "log_level": "warning"}
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
    return Limits(bodies=paths)


def names_of(options: Options) -> list[str]:
    """The names and addresses that requests may be meant for.

    Example:
        >>> names_of(Options(model="m", names="detector.example"))
        ['localhost', '127.0.0.1', '::1', 'detector.example']
    """
    more = [name.strip() for name in options.names.split(",") if name.strip()]
    here = [] if options.host in LOOPBACK or _is_unspecified(options.host) else [options.host]
    return [*LOOPBACK, *here, *more]


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


def refuse_open(options: Options) -> None:
    """Holds that only those with a token are answered where others than this machine can ask.

    Raises:
        InputError: for an address beyond this machine without tokens.

    Example:
        >>> refuse_open(Options(model="m", host="0.0.0.0"))
        Traceback (most recent call last):
        metaforge.errors.InputError: host: '0.0.0.0' is reached from other machines, and there are no tokens. ...
    """
    if options.tokens or _is_loopback(options.host):
        return
    raise InputError(
        f"host: '{printable(options.host)}' is reached from other machines, and there are no tokens. Name a file of "
        "them with --tokens, or leave the address at 127.0.0.1."
    )


def _is_unspecified(host: str) -> bool:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_unspecified
    return False


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@contextlib.contextmanager
def listening(options: Options) -> Iterator[socket.socket]:
    """The socket on which the service listens.

    Raises:
        InputError: if the address is not this machine's, or the port is taken.
    """
    with contextlib.ExitStack() as held:
        try:
            found = socket.getaddrinfo(options.host, options.port, type=socket.SOCK_STREAM)[0]
            family, kind, protocol, _, address = found
            # With its protocol said, asyncio sends small pieces at once. Else an answer waits 40 ms for the client to
            # acknowledge its head.
            listener = held.enter_context(socket.socket(family, kind, protocol))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except OSError as error:
            why = os.strerror(error.errno) if isinstance(error.errno, int) and error.errno > 0 else str(error)
            raise InputError(f"host: nothing can listen at '{printable(options.host)}', port {options.port} ({why}). "
                             "Choose another --port or --host.") from None  # fmt: skip
        yield listener
