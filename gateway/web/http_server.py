"""One HTTP and WebSocket server on the event loop of the gateway: uvicorn with our connections."""

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import Iterator
from typing import Any, Final

import uvicorn

from crossbook.gateway.web.entrance import AsgiApp
from crossbook.gateway.web.http_connection import (
    REQUEST_WITHIN_S,
    HttpConnection,
    http_protocol_of,
)
from crossbook.gateway.web.listener import BACKLOG
from crossbook.gateway.web.websocket import Hub, protocol_of

KEEP_ALIVE_S: Final = 75
"""Seconds an idle HTTP connection is kept."""

STOP_S: Final = 5
"""Seconds in which running requests may end when the gateway stops."""

_TICK_S: Final = 0.1
_LOOK_S: Final = 0.002
"""Time between two looks whether the last connection has ended."""


class _Server(uvicorn.Server):
    """A server that leaves signals to its process, and ends without the waits of uvicorn's.

    That one looks for its end ten times a second, and once it has ended for the last connection.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.stopping = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve at these sockets; a connection that does not complete its TLS handshake in time is
        dropped, which uvicorn leaves to the minute of the event loop."""
        config = self.config
        options: dict[str, Any] = {}
        if config.ssl is not None:
            options = {"ssl": config.ssl, "ssl_handshake_timeout": REQUEST_WITHIN_S}

        def connection() -> asyncio.Protocol:
            make: Any = config.http_protocol_class
            made: asyncio.Protocol = make(
                config=config, server_state=self.server_state, app_state=self.lifespan.state
            )
            return made

        loop = asyncio.get_running_loop()
        await self.lifespan.startup()
        self.servers = [
            await loop.create_server(connection, sock=each, backlog=config.backlog, **options)
            for each in sockets or ()
        ]
        self.started = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield

    async def main_loop(self) -> None:
        """Serve until `stopping`."""
        ticks = 0
        while not self.stopping.is_set():
            await self.on_tick(ticks)
            ticks += 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), _TICK_S)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept no more, and close each connection when its request is answered, or after
        `STOP_S`."""
        for server in self.servers:
            server.close()
        for each in sockets or ():
            each.close()
        state = self.server_state
        for connection in list(state.connections):
            connection.shutdown()
        until_s = time.monotonic() + STOP_S
        while (state.connections or state.tasks) and time.monotonic() < until_s:
            await asyncio.sleep(_LOOK_S)
        for task in state.tasks:
            task.cancel()


class HttpServer:
    """Serves `app` and the WebSockets of `hub` on a listening socket, from `start` to `stop`, over
    HTTP connections of one `kind`, which are HTTPS where there is `tls`."""

    def __init__(
        self,
        app: AsgiApp,
        hub: Hub,
        listener: socket.socket,
        kind: type[HttpConnection] = HttpConnection,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._socket = listener
        self.port = int(listener.getsockname()[1])
        self.http_connections: set[HttpConnection] = set()
        config = uvicorn.Config(
            app,
            http=http_protocol_of(self.http_connections, hub.crowd, kind),  # type: ignore[arg-type]
            ws=protocol_of(hub),  # type: ignore[arg-type]
            loop="none",
            lifespan="off",
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_S,
        )
        config.load()
        config.ssl = tls
        self._server = _Server(config)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Accept connections from now on."""
        self._task = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        while not self._server.started and not self._task.done():
            await asyncio.sleep(0)

    async def stop(self) -> None:
        """Accept no more connections, let running requests end, and close the WebSockets."""
        self._server.stopping.set()
        if self._task is not None:
            await self._task
