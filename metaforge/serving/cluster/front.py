"""A replica that answers HTTP: the same app within the same guards, with replicas that judge behind it."""

from typing import Any

from metaforge.serving.options import Options
from metaforge.serving.queue import Lane


class Front:
    """What Ray's proxies hand requests to."""

    def __init__(self, setup: dict[str, Any], fast: Any, slow: Any):
        """Nothing is opened yet.

        Args:
            setup: `options`, `served` and `spare` (`Served.as_json()`; `None` for none), `about`.
            fast: the handle of the replicas that judge pictures.
            slow: of those that judge videos, and make maps.
        """
        self._setup = setup
        self._handles: dict[Lane, Any] = {"fast": fast, "slow": slow}

    def __serve_build_asgi_app__(self) -> Any:
        """The app, which Ray calls from then on.

        Raises:
            InputError: if the state or the file of tokens cannot be used here.
        """
        from ray import serve  # pyright: ignore[reportMissingImports]

        from metaforge.serving.addresses import names_of
        from metaforge.serving.app import create_app
        from metaforge.serving.cluster.adapters import Made
        from metaforge.serving.cluster.asking import Replicas
        from metaforge.serving.databases import url_of
        from metaforge.serving.guarding.access import json_lines
        from metaforge.serving.guards import guarded
        from metaforge.serving.metrics import Metrics
        from metaforge.serving.rates import Rates
        from metaforge.serving.running import bounds_of, state_of
        from metaforge.serving.served import Served
        from metaforge.serving.service import Service
        from metaforge.serving.storage import Storage
        from metaforge.serving.tokens import read_tokens

        options = Options(**self._setup["options"])
        state = state_of(options)
        served, spare = (found and Served(**found) for found in (self._setup["served"], self._setup["spare"]))
        metrics, storage = Metrics(), Storage(url_of(options.database, state))
        adapters = Made(storage, state / "adapters", model=options.model, weights=options.weights)
        app = serve.get_replica_context().app_name
        pool: Any = Replicas(self._handles, options, metrics, app=app, spare=spare)
        about = self._setup["about"]
        service = Service(options, state, served, about, pool, metrics, storage, adapters)
        tokens = read_tokens(options.tokens) if options.tokens else None
        inner = guarded(create_app(service), tokens=tokens, rates=Rates(options.rate), limits=bounds_of(options),
                        hosts=names_of(options), log=metrics.counted(json_lines()))  # fmt: skip
        return saying_ids_once(inner if tokens else for_this_machine(inner))


def for_this_machine(app: Any) -> Any:
    """Answers 403 `cross_site` to other machines: without tokens nobody knows who they are."""
    from metaforge.serving.addresses import is_loopback
    from metaforge.serving.errors import problem
    from metaforge.serving.guarding.asgi import refuse

    async def guard(scope: Any, receive: Any, send: Any) -> None:
        client = (scope.get("client") or ("",))[0]
        if scope["type"] == "http" and not is_loopback(client):
            text = "Without tokens this service answers to its own machine alone."
            await refuse(scope, send, problem("cross_site", text))
        else:
            await app(scope, receive, send)

    return guard


def saying_ids_once(app: Any) -> Any:
    """Leaves `X-Request-ID` out where Ray's proxy says the same: the id that it was given, or else gave."""
    from metaforge.serving.guarding.asgi import header

    async def guard(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        said = (b"x-request-id", (header(scope, b"x-request-id") or "").encode())

        async def say(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [pair for pair in message.get("headers", ()) if tuple(pair) != said]}
            await send(message)

        await app(scope, receive, say)

    return guard
