"""The end of the HTTP server: running requests are answered, idle connections end, and no
connection begins."""

import asyncio
from typing import Any, cast

import pytest

from crossbook.gateway.web.http_server import HttpServer
from crossbook.gateway.web.listener import listening
from crossbook.gateway.web.websocket import Hub, Limits

REQUEST = b"GET /slow HTTP/1.1\r\nHost: here\r\n\r\n"
SECONDS = 20.0


class SlowApp:
    """Answers every request once `may_answer` is set."""

    def __init__(self) -> None:
        self.has_request = asyncio.Event()
        self.may_answer = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.has_request.set()
        await self.may_answer.wait()
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})


def server_of(app: SlowApp) -> HttpServer:
    hub = Hub(cast(Any, None), Limits())
    return HttpServer(app, hub, listening("127.0.0.1", 0))


def test_a_request_that_runs_is_answered_before_the_server_ends() -> None:
    async def main() -> None:
        app = SlowApp()
        server = server_of(app)
        await server.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(REQUEST)
        await asyncio.wait_for(app.has_request.wait(), SECONDS)
        stopping = asyncio.create_task(server.stop())
        app.may_answer.set()
        answer = await asyncio.wait_for(reader.read(), SECONDS)
        assert answer.startswith(b"HTTP/1.1 204 ")
        await asyncio.wait_for(stopping, SECONDS)
        writer.close()

    asyncio.run(main())


def test_an_idle_connection_ends_and_no_other_begins() -> None:
    async def main() -> None:
        app = SlowApp()
        app.may_answer.set()
        server = server_of(app)
        await server.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(REQUEST)
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), SECONDS)
        await asyncio.wait_for(server.stop(), SECONDS)
        assert await asyncio.wait_for(reader.read(), SECONDS) == b""
        writer.close()
        with pytest.raises(OSError, match=str(server.port)):
            await asyncio.open_connection("127.0.0.1", server.port)

    asyncio.run(main())
