"""A connection ends after an answer that was given before its request had been read: the rest is nobody's request."""

from metaforge.serving.guarding.asgi import CLOSE, App, Message, Receive, Scope, Send, announced


def closing_on_unread(app: App) -> App:
    """Says `Connection: close` in answers to requests of whose body something is still to come."""

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        unread = announced(scope) != 0

        async def read() -> Message:
            nonlocal unread
            message = await receive()
            if message["type"] == "http.request" and not message.get("more_body", False):
                unread = False
            return message

        async def say(message: Message) -> None:
            if unread and message["type"] == "http.response.start":
                others = [pair for pair in message.get("headers", ()) if pair[0].lower() != b"connection"]
                message = {**message, "headers": [*others, CLOSE]}
            await send(message)

        await app(scope, read, say)

    return guard
