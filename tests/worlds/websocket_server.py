"""A real HTTP server of the gateway on a free port and on the test's own uvloop loop."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import uvloop

from crossbook.gateway.web.channel import Connection, Handshake, HandshakeRefusal, text_frame
from crossbook.gateway.web.http_server import HttpServer
from crossbook.gateway.web.listener import listening
from crossbook.gateway.web.websocket import Hub, Limits

SECONDS = 20.0

HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
    "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n"
)


class Echo:
    """A channel that answers every text with itself and counts the texts."""

    def __init__(self) -> None:
        self.open: list[Connection] = []
        self.opened_count = 0
        self.closed_count = 0
        self.drained_count = 0
        self.headers: list[str | None] = []

    def opened(self, connection: Connection) -> None:
        self.open.append(connection)
        self.opened_count += 1
        self.headers.append(connection.header("X-Test"))

    def received(self, connection: Connection, text: str) -> None:
        if text == "fail":
            raise RuntimeError("on purpose")
        connection.send(text_frame(text.encode()))

    def drained(self, connection: Connection) -> None:
        self.drained_count += 1

    def closed(self, connection: Connection) -> None:
        self.open.remove(connection)
        self.closed_count += 1


class WebSocketWorld:
    """The server, its hub, and the one channel at /echo."""

    def __init__(self, limits: Limits) -> None:
        self.echo = Echo()
        self.hub = Hub(self.route, limits)
        self.server = HttpServer(_no_app, self.hub, listening("127.0.0.1", 0))

    @property
    def port(self) -> int:
        return self.server.port

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/echo"

    def route(self, handshake: Handshake) -> Echo | HandshakeRefusal:
        path = handshake.path
        if path == "/broken":
            raise RuntimeError("on purpose")
        if path == "/echo":
            return self.echo
        return HandshakeRefusal(404, f"no stream at {path}?{handshake.query}")

    async def raw(self, path: str = "/echo") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A bare connection after its handshake."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(HANDSHAKE.format(path=path).encode())
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), SECONDS)
        assert head.startswith(b"HTTP/1.1 101"), head
        return reader, writer


@contextlib.asynccontextmanager
async def served(limits: Limits = Limits()) -> AsyncIterator[WebSocketWorld]:  # noqa: B008
    """A running server, which is stopped at the end."""
    world = WebSocketWorld(limits)
    await world.server.start()
    try:
        yield world
    finally:
        await asyncio.wait_for(world.server.stop(), SECONDS)


async def _no_app(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("only WebSockets are requested here")


async def turn() -> None:
    """Let all other coroutines run once."""
    done = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(0.001, done.set_result, None)
    await done


async def until(condition: Callable[[], bool], seconds: float = SECONDS) -> None:
    """Wait until a condition holds; fails when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await turn()


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a test on uvloop, as the gateway does."""
    uvloop.run(coroutine)
