"""The face's streams behind a real server, with a client library: handshakes, requests, events."""

import asyncio
import json
from typing import Any

import uvloop
from websockets.asyncio.client import connect

from crossbook.gateway.web.admission import Admission
from crossbook.gateway.web.hosts import AllowedHosts
from crossbook.gateway.web.http_server import HttpServer
from crossbook.gateway.web.listener import listening
from crossbook.gateway.web.stream_router import stream_router
from crossbook.gateway.web.websocket import Hub, Limits
from tests.worlds.face_stream_world import FaceStreamWorld
from tests.worlds.websocket_server import SECONDS


async def _no_app(scope: Any, receive: Any, send: Any) -> None:
    """No HTTP here."""


async def next_of(client: Any) -> Any:
    return json.loads(await asyncio.wait_for(client.recv(), SECONDS))


async def session(world: FaceStreamWorld, port: int) -> None:
    """Clients of several paths."""
    base = f"ws://127.0.0.1:{port}"
    async with (
        connect(f"{base}/ws/btcusdt@bookTicker") as raw,
        connect(f"{base}/stream?streams=btcusdt%40bookTicker/!ticker@arr") as wrapped,
        connect(f"{base}/stream/ws/0") as numbered,
        connect(f"{base}/stream?streams=") as empty,
    ):
        first = await next_of(raw)
        assert "u" in first
        assert await next_of(wrapped) == {"stream": "btcusdt@bookTicker", "data": first}
        for client, is_wrapped in ((numbered, False), (empty, True)):
            await client.send(
                json.dumps({"method": "SUBSCRIBE", "params": ["btcusdt@bookTicker"], "id": "a"})
            )
            assert await next_of(client) == {"result": None, "id": "a"}
            event = await next_of(client)
            assert ("stream" in event) == is_wrapped
        await asyncio.wait_for(await raw.ping(), SECONDS)
        for _ in range(20):
            world.step()
        assert "u" in await next_of(raw)
        assert (await next_of(wrapped))["data"]


def test_client_libraries_connect_and_get_their_events() -> None:
    async def main() -> None:
        world = FaceStreamWorld()
        router = stream_router(Admission(AllowedHosts()), None, None, face=world.paths.find)
        server = HttpServer(_no_app, Hub(router, Limits()), listening("127.0.0.1", 0))
        await server.start()
        try:
            await session(world, server.port)
        finally:
            await asyncio.wait_for(server.stop(), SECONDS)
        assert len(world.streams) == 0
        assert list(world.streams.streams()) == []

    uvloop.run(main())
