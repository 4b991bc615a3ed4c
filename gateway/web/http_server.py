"""One HTTP and WebSocket server on the event loop of the gateway: uvicorn with our connections."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Iterator
from typing import Any, Final

import uvicorn

from crossbook.common.errors import ConfigError
from crossbook.gateway.web.entrance import AsgiApp
from crossbook.gateway.web.http_connection import HttpConnection, http_protocol_of
from crossbook.gateway.web.websocket import Hub, protocol_of

BACKLOG: Final = 4_096

KEEP_ALIVE_S: Final = 75
"""Seconds an idle HTTP connection is kept."""

STOP_S: Final = 5
"""Seconds in which running requests may end when the gateway stops."""


class _Server(uvicorn.Server):
    """A server that leaves signals to its process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


class HttpServer:
    """Serves `app` and the WebSockets of `hub` from `start` to `stop`, over HTTP connections of
    one `kind`."""

    def __init__(
        self,
        app: AsgiApp,
        hub: Hub,
        host: str,
        port: int,
        kind: type[HttpConnection] = HttpConnection,
    ) -> None:
        self._socket = _bound(host, port)
        self.port = int(self._socket.getsockname()[1])
        self.http_connections: set[HttpConnection] = set()
        self._server = _Server(
            uvicorn.Config(
                app,
                http=http_protocol_of(self.http_connections, kind),  # type: ignore[arg-type]
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
                timeout_graceful_shutdown=STOP_S,
            )
        )
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Accept connections from now on."""
        self._task = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        while not self._server.started and not self._task.done():
            await asyncio.sleep(0.001)

    async def stop(self) -> None:
        """Accept no more connections, let running requests end, and close the WebSockets."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task


def _bound(host: str, port: int) -> socket.socket:
    """A listening socket; raises `ConfigError` when the address cannot be bound."""
    bare = host.strip("[]")
    try:
        found: list[Any] = socket.getaddrinfo(bare, port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, address = found[0]
        made = socket.socket(family, kind, protocol)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setblocking(False)
        made.bind(address)
        # Two processes that start together may both bind; only one of them may listen.
        made.listen(BACKLOG)
    except OSError as error:
        text = f"cannot bind API_HOST={host}, API_PORT={port}: {error.strerror}"
        if error.errno == errno.EADDRINUSE:
            text += "; end the process that has it, or set API_PORT to another port"
        raise ConfigError(text) from error
    return made
