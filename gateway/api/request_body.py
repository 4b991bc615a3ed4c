"""Reads the body of a request completely, or not at all."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from crossbook.gateway.problem import Problem

BODY_MAX: Final = 256 * 1024
"""Largest body, in bytes."""

Receive = Callable[[], Awaitable[Any]]
"""The ASGI callable that returns the next message of a client."""


async def whole_body(receive: Receive) -> bytes | None:
    """The body; None when the client is gone before all of it arrived, so a part is never used as
    the whole. Raises `Problem` for more than `BODY_MAX`."""
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        part: bytes = message.get("body", b"")
        body += part
        if len(body) > BODY_MAX:
            raise Problem(413, "TOO_LARGE", f"a body has at most {BODY_MAX} bytes")
        if not message.get("more_body"):
            return body


def received(body: bytes, receive: Receive) -> Receive:
    """A callable that returns `body` in one message, and then the messages of `receive`."""
    message = {"type": "http.request", "body": body, "more_body": False}
    waiting = [message]

    async def next_message() -> Any:
        return waiting.pop() if waiting else await receive()

    return next_message
