"""The API behind fault rules: in process, over a real HTTP server, and on `/ws/orders`.

async with FaultWorld() as world:
    world.table.add(Refuse(status=429))
    answer = await world.enter(limit("buy", "1", "50000"))
"""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import httpx

from crossbook.common.faults.kinds import AnyFault
from crossbook.common.process.clock import SystemClock
from crossbook.gateway.api.order_stream import OrderStreams
from crossbook.gateway.auth.access import AnyAccount
from crossbook.gateway.faults.assembly import GatewayFaults
from crossbook.gateway.faults.http import AbortableConnection
from crossbook.gateway.web.admission import Admission
from crossbook.gateway.web.hosts import AllowedHosts
from crossbook.gateway.web.http_server import HttpServer
from crossbook.gateway.web.listener import listening
from crossbook.gateway.web.stream_router import stream_router
from crossbook.gateway.web.websocket import Hub, Limits
from tests.worlds.rest_world import RestWorld

SECONDS = 20.0


class FaultWorld(RestWorld):
    """`client` reaches the API in process, behind `rules`; `address` that of a real server, which
    serves while the world is entered with `with_server`."""

    def __init__(self, *rules: AnyFault, with_server: bool = False) -> None:
        super().__init__()
        self.faults = GatewayFaults({}, SystemClock())
        self.table = self.faults.table
        for rule in rules:
            self.table.add(rule)
        self.lookup.faults_in_force = self.faults.in_force
        admission = Admission(AllowedHosts())
        self.app = self.faults.app(self.app, admission, AnyAccount(1))
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app), base_url="http://localhost"
        )
        self.server: HttpServer | None = None
        if with_server:
            orders = OrderStreams(self.sessions, self.trading, self.lookup.render, 1)
            route = stream_router(admission, orders.route, None)
            router = self.faults.router(route, AnyAccount(1))
            hub = Hub(router, Limits())
            self.server = HttpServer(self.app, hub, listening("127.0.0.1", 0), AbortableConnection)

    @property
    def port(self) -> int:
        """The port of the server."""
        assert self.server is not None, "with_server"
        return self.server.port

    async def __aenter__(self) -> Self:
        if self.server is not None:
            await self.server.start()
        return self

    async def __aexit__(self, *failed: Any) -> None:
        await super().__aexit__(*failed)
        if self.server is not None:
            await asyncio.wait_for(self.server.stop(), SECONDS)

    def applied(self, kind: str) -> int:
        """How often a kind was applied."""
        return self.table.applied[kind]


@contextmanager
def served_world() -> Iterator[FaultWorld]:
    """The API behind a real server, in a thread of its own, for clients that block."""
    started = threading.Event()
    worlds: list[FaultWorld] = []
    stops: list[Any] = []

    async def serve() -> None:
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        async with FaultWorld(with_server=True) as world:
            worlds.append(world)
            stops.append(lambda: loop.call_soon_threadsafe(stopped.set))
            started.set()
            await stopped.wait()

    thread = threading.Thread(target=asyncio.run, args=[serve()])
    thread.start()
    try:
        assert started.wait(SECONDS)
        yield worlds[0]
    finally:
        for stop in stops:
            stop()
        thread.join(SECONDS)
