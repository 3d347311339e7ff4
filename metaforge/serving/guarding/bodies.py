"""How much a client may send, and how slowly: said before reading where it can be, and counted while it comes."""

import asyncio
import time

from metaforge.serving.errors import Problem, problem
from metaforge.serving.guarding.asgi import CLOSE, App, Message, Receive, Scope, Send, announced, refuse
from metaforge.serving.limits import Limits


def within_bounds(app: App, limits: Limits) -> App:
    """Answers 413 `too_large` to a body beyond its bound, without reading on, and 408 `too_slow` to one that trickles.

    A body for which there is no room beside those of others is answered 429 `too_many`.
    Only the time counts in which the service waits for the client. To the application a refused request looks like one
    whose client has gone, and what it still says is dropped.
    """
    held = 0

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal held
        most, promised = limits.body_of(scope["path"]), announced(scope)
        if promised is not None and promised > most:
            await refuse(scope, send, _too_large(most), CLOSE)
            return
        got, waited, whole, begun, refused = 0, 0.0, False, False, False

        async def stop(why: Problem) -> Message:
            nonlocal refused
            if not begun:
                refused = True
                await refuse(scope, send, why, CLOSE)
            return {"type": "http.disconnect"}

        async def read() -> Message:
            nonlocal got, waited, whole, held
            if refused:
                return {"type": "http.disconnect"}
            if whole:
                return await receive()
            left = limits.patience(got) - waited
            started = time.monotonic()
            try:
                async with asyncio.timeout(left):
                    message = await receive()
            except TimeoutError:
                return await stop(_too_slow())
            waited += time.monotonic() - started
            if message["type"] == "http.request":
                size = len(message.get("body", b""))
                got, held, whole = got + size, held + size, not message.get("more_body", False)
                if got > most:
                    return await stop(_too_large(most))
                if held > limits.held:
                    return await stop(_too_much())
            return message

        async def say(message: Message) -> None:
            nonlocal begun
            begun = True
            if not refused:
                await send(message)

        try:
            await app(scope, read, say)
        except Exception:
            if not refused:  # else it is the application's word for a client that has gone
                raise
        finally:
            held -= got

    return guard


def _too_large(most: int) -> Problem:
    size = f"{most / 2**20:.0f} MiB" if most >= 2**20 else f"{most} bytes"
    return problem("too_large", f"The request's body is larger than the {size} that are allowed here. Send less.")


def _too_slow() -> Problem:
    return problem("too_slow", "The request's body came too slowly. Send it again, over a better connection.")


def _too_much() -> Problem:
    return problem("too_many", "The service holds as much of others as it can. Come again in a moment.", retry_after=1)
