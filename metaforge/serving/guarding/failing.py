"""Whatever goes wrong inside is one short answer to the client; what it was is for the log."""

from metaforge.serving.errors import problem
from metaforge.serving.guarding.access import Log, now
from metaforge.serving.guarding.asgi import App, Message, Receive, Scope, Send, header, noted, refuse
from metaforge.serving.logs import broken


def failing_quietly(app: App, log: Log) -> App:
    """Answers 500 `failed` for any exception, and logs where it was raised under the request's id.

    A 500 from inside that is not JSON, as frameworks send, is replaced, too. Once an answer has begun it can only be
    broken off.
    """

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        begun = withheld = False

        async def say(message: Message) -> None:
            nonlocal begun, withheld
            if message["type"] == "http.response.start":
                withheld = message["status"] == 500 and not _is_json(message)
                begun = begun or not withheld
            if not withheld:
                await send(message)

        try:
            await app(scope, receive, say)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client is told the same
            named = noted(scope).get("request_id")
            log({"time": now(), "request_id": named, "level": "error", **broken(error)})
            withheld = not begun
        if withheld:
            text = "The service failed on this request. Ask again, or give its operator the request id."
            await refuse(scope, send, problem("failed", text))

    return guard


def _is_json(message: Message) -> bool:
    kind = header({"headers": [(name.lower(), value) for name, value in message.get("headers", ())]}, b"content-type")
    return (kind or "").split(";")[0].strip() == "application/json"
