"""A request's body, whole or not at all."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from crossbook.gateway.problem import Problem

BODY_MAX: Final = 256 * 1024
"""Largest body, in bytes."""

Receive = Callable[[], Awaitable[Any]]
"""The ASGI callable that gives what a client sends."""


async def whole_body(receive: Receive) -> bytes | None:
    """The body; None when the client has gone before all of it came, so that a part is never taken
    for the whole. Raises `Problem` for more than `BODY_MAX`."""
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
    """Gives `body` in one message, and after that what `receive` gives."""
    message = {"type": "http.request", "body": body, "more_body": False}
    waiting = [message]

    async def next_message() -> Any:
        return waiting.pop() if waiting else await receive()

    return next_message
