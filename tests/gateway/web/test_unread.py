"""Responses that no client reads, over the real server."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest

from crossbook.common.token_buckets import CONNECTIONS_S
from crossbook.gateway.web import http_connection
from crossbook.gateway.web.channel import HandshakeRefusal
from crossbook.gateway.web.crowd import MIB
from crossbook.gateway.web.http_server import HttpServer
from crossbook.gateway.web.listener import listening
from crossbook.gateway.web.websocket import Hub, Limits
from tests.worlds.event_loop import next_iteration
from tests.worlds.websocket_server import run, until

SECONDS: Final = 10.0
LARGE: Final = bytes(8 * MIB)
"""More than the buffers of both kernels."""

GET: Final = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def large(scope: Any, receive: Any, send: Any) -> None:
    """An application whose answer is large."""
    headers = [(b"content-length", b"%d" % len(LARGE))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": LARGE})


@contextlib.asynccontextmanager
async def serving(limits: Limits, app: Any = large) -> AsyncIterator[tuple[HttpServer, Hub]]:
    """A server with these limits."""
    hub = Hub(lambda handshake: HandshakeRefusal(404, ""), limits)
    server = HttpServer(app, hub, listening("127.0.0.1", 0))
    await server.start()
    try:
        yield server, hub
    finally:
        for connection in list(server.http_connections):
            connection.transport.abort()
        await server.stop()


async def client(server: HttpServer, sent: bytes, host: str = "127.0.0.1") -> socket.socket:
    """A client that sends, and reads nothing."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
    made.setblocking(False)
    made.bind((host, 0))
    loop = asyncio.get_running_loop()
    await loop.sock_connect(made, ("127.0.0.1", server.port))
    await loop.sock_sendall(made, sent)
    return made


async def read(made: socket.socket) -> int:
    """The number of bytes received until the server ends the connection, or sends nothing more."""
    loop, size = asyncio.get_running_loop(), 0
    with contextlib.suppress(ConnectionError, TimeoutError):
        while size < len(LARGE):
            async with asyncio.timeout(SECONDS):
                part = await loop.sock_recv(made, 1_000_000)
            if not part:
                break
            size += len(part)
    return size


def test_a_client_that_reads_no_response_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_connection, "READ_WITHIN_S", 0.3)

    async def main() -> None:
        async with serving(Limits()) as (server, hub):
            with await client(server, GET) as bad:
                await until(lambda: hub.crowd.unread.total > MIB)
                with await client(server, GET) as good:
                    assert await read(good) >= len(LARGE)
                    await until(lambda: hub.crowd.refused["unread"] == 1)
                    await until(lambda: hub.crowd.unread.total == 0)
                    assert await read(bad) < len(LARGE)
            await until(lambda: not server.http_connections)

    run(main())


def test_all_unread_responses_are_bounded_and_the_greatest_address_pays() -> None:
    async def main() -> None:
        async with serving(Limits(unread_max=20 * MIB)) as (server, hub):
            with contextlib.ExitStack() as stack:
                slow = stack.enter_context(await client(server, GET, "127.0.0.2"))
                for _ in range(6):
                    stack.enter_context(await client(server, GET))
                await until(lambda: hub.crowd.unread.cut_off >= 1)
                assert hub.crowd.unread.total <= 20 * MIB
                assert await read(slow) >= len(LARGE)

    run(main())


def test_incomplete_bodies_are_bounded_together() -> None:
    async def main() -> None:
        async def waiting(scope: Any, receive: Any, send: Any) -> None:
            while (await receive())["type"] != "http.disconnect":
                pass

        async with serving(Limits(), waiting) as (server, hub):
            hub.crowd.bodies._limit = 200_000
            head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999\r\n\r\n"
            with contextlib.ExitStack() as stack:
                for _ in range(3):
                    stack.enter_context(await client(server, head + bytes(90_000)))
                await until(lambda: hub.crowd.bodies.cut_off == 1)
                await until(lambda: len(server.http_connections) == 2)
                assert hub.crowd.bodies.total == 180_000
            for connection in list(server.http_connections):
                connection.transport.abort()
            await until(lambda: hub.crowd.bodies.total == 0)

    run(main())


def test_one_address_has_a_part_of_the_places() -> None:
    async def main() -> None:
        async with serving(Limits(http_of_address_max=2)) as (server, hub):
            with contextlib.ExitStack() as stack:
                for _ in range(2):
                    stack.enter_context(await client(server, b""))
                await until(lambda: len(server.http_connections) == 2)
                over = stack.enter_context(await client(server, b""))
                assert 0 < await read(over) < 1_000
                assert hub.crowd.refused == {"connections_of_address": 1}
                other = stack.enter_context(await client(server, GET, "127.0.0.2"))
                assert await read(other) >= len(LARGE)
            await until(lambda: not server.http_connections)
            with await client(server, GET) as again:
                assert await read(again) >= len(LARGE)

    run(main())


def test_one_address_makes_its_connections_at_a_bounded_rate() -> None:
    async def main() -> None:
        async with serving(Limits(of_address_per_s=1)) as (server, hub):
            with contextlib.ExitStack() as stack:
                for _ in range(CONNECTIONS_S):
                    stack.enter_context(await client(server, b""))
                await until(lambda: len(server.http_connections) == CONNECTIONS_S)
                over = stack.enter_context(await client(server, b""))
                answer = await asyncio.get_running_loop().sock_recv(over, 1_000)
                assert answer.startswith(b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\n")
                assert answer.endswith(b"\r\n\r\ntoo many new connections (CONNECTIONS_PER_SECOND)")
                assert hub.crowd.refused == {"rate_of_address": 1}
                other = stack.enter_context(await client(server, GET, "127.0.0.2"))
                assert await read(other) >= len(LARGE)

    run(main())


def test_requests_sent_ahead_of_their_answers_wait_unparsed_and_are_answered_in_order() -> None:
    waiting: list[int] = []

    async def main() -> None:
        go_on = asyncio.Event()

        async def numbered(scope: Any, receive: Any, send: Any) -> None:
            (connection,) = server.http_connections
            waiting.append(len(connection.pipeline))
            await go_on.wait()
            body = scope["path"].encode()
            headers = [(b"content-length", b"%d" % len(body))]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": body})

        async with serving(Limits(), numbered) as (server, _):
            sent = [b"GET /%05d HTTP/1.1\r\nHost: a\r\n\r\n" % number for number in range(5_000)]
            with await client(server, b"".join(sent[:4_000])) as made:
                await until(lambda: len(waiting) == 1)
                loop, found = asyncio.get_running_loop(), b""
                go_on.set()
                await loop.sock_sendall(made, b"".join(sent[4_000:]))
                while not found.endswith(b"/04999"):
                    async with asyncio.timeout(SECONDS):
                        found += await loop.sock_recv(made, 1_000_000)
        bodies = [part.rpartition(b"\r\n")[2][:6] for part in found.split(b"HTTP/1.1 200 OK")[1:]]
        assert bodies == [b"/%05d" % number for number in range(5_000)]

    run(main())
    assert max(waiting) <= http_connection.FED_MAX // 18


def test_a_client_that_sends_ahead_is_not_read_ahead() -> None:
    async def scenario() -> None:
        async def answer(scope: Any, receive: Any, send: Any) -> None:
            await next_iteration()
            headers = [(b"content-length", b"0")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b""})

        async with serving(Limits(), answer) as (server, _):
            made = await client(server, GET)
            sent = 0
            loop = asyncio.get_running_loop()
            until = loop.time() + 1.0
            while loop.time() < until:
                with contextlib.suppress(BlockingIOError):
                    sent += made.send(GET * 2_000)
                await next_iteration()
            assert sent > MIB
            (connection,) = server.http_connections
            assert connection.unparsed <= 256 * 1024
            made.close()

    run(scenario())
