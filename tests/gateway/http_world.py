"""The API behind a real HTTP server on loopback, for clients that send raw bytes.

async with HttpWorld() as world:
    answers = await world.send(request("POST", "/api/v1/orders", body))
"""

import asyncio
import ssl
from typing import Any, NamedTuple, Self

import msgspec

from crossbook.gateway.api.order_stream import OrderStreams
from crossbook.gateway.auth.key_access import KeyAccess
from crossbook.gateway.auth.sign_in import KeyGate
from crossbook.gateway.web.admission import Admission
from crossbook.gateway.web.hosts import AllowedHosts
from crossbook.gateway.web.http_server import HttpServer
from crossbook.gateway.web.listener import listening
from crossbook.gateway.web.stream_router import OrderRoute, stream_router
from crossbook.gateway.web.websocket import Hub, Limits
from tests.worlds.rest_world import RestWorld

SECONDS = 20.0


class HttpAnswer(NamedTuple):
    """One response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> dict[str, Any]:
        """The error in the document of the response."""
        found: dict[str, Any] = msgspec.json.decode(self.body)["error"]
        return found


class HttpWorld(RestWorld):
    """The world of the API, with its server inside `async with`."""

    def __init__(
        self,
        hosts: AllowedHosts | None = None,
        origins: tuple[str, ...] = (),
        access: KeyAccess | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(hosts=hosts, origins=origins, access=access)
        orders = OrderStreams(self.sessions, self.trading, self.lookup.render, 1)
        route: OrderRoute = orders.route
        if access is not None:
            route = KeyGate(access).order_route(orders)
        router = stream_router(Admission(hosts or AllowedHosts()), route, None)
        hub = Hub(router, Limits())
        self.server = HttpServer(self.app, hub, listening("127.0.0.1", 0), tls=tls)

    async def __aenter__(self) -> Self:
        await self.server.start()
        return self

    async def __aexit__(self, *failed: Any) -> None:
        await super().__aexit__(*failed)
        await asyncio.wait_for(self.server.stop(), SECONDS)

    async def send(self, *parts: bytes, ends: bool = False) -> list[HttpAnswer]:
        """Send bytes over one connection, part by part, and then half-close it if `ends`; returns
        the answers until the server closes the connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        try:
            for part in parts:
                writer.write(part)
                await writer.drain()
                # On its way before the next part: each arrives by itself.
                await asyncio.wait_for(self._turns(), SECONDS)
            if ends:
                writer.write_eof()
            answers = []
            no_body = parts[0].startswith(b"HEAD ")
            while (answer := await asyncio.wait_for(_answer(reader, no_body), SECONDS)) is not None:
                answers.append(answer)
            return answers
        finally:
            writer.close()

    async def _turns(self) -> None:
        for _ in range(20):
            done = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_later(0.001, done.set_result, None)
            await done


async def _answer(reader: asyncio.StreamReader, no_body: bool) -> HttpAnswer | None:
    """The next response; None at the end of the connection."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    except (asyncio.IncompleteReadError, ConnectionResetError):
        return None
    status = int(head[0].split(" ")[1])
    headers = {}
    for line in head[1:-2]:
        name, _, value = line.partition(": ")
        headers[name.lower()] = value
    size = 0 if status == 100 or no_body else int(headers.get("content-length", 0))
    return HttpAnswer(status, headers, await reader.readexactly(size))


def request(
    method: str, path: str, body: bytes = b"", *headers: str, version: str = "1.1"
) -> bytes:
    """A request after which the server closes; a length is sent where there is a body."""
    lines = [f"{method} {path} HTTP/{version}", "Connection: close", *headers]
    if not any(line.lower().startswith("host:") for line in headers):
        lines.insert(1, "Host: localhost")
    if body and not any(line.lower().startswith(("content-l", "transfer")) for line in headers):
        lines.append(f"Content-Length: {len(body)}")
    if body and not any(line.lower().startswith("content-type") for line in headers):
        lines.append("Content-Type: application/json")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
