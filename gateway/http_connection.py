"""uvicorn's HTTP connection, with limits to what a request may be and how long it may take.

uvicorn reads headers without end and waits for a request for ever; here connections that are not,
or not yet, a WebSocket are counted as well.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

REQUEST_WITHIN_S: Final = 10.0
"""A request that is not complete by then is cut off."""

HEADERS_MAX: Final = 16_384
"""Bytes of address and headers of one request; more is answered with 400."""

HTTP_CONNECTIONS_MAX: Final = 4_096
"""Connections that are not, or not yet, a WebSocket; one more is answered with 503."""

_BUSY: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\n"
    b"content-type: text/plain; charset=utf-8\r\ncontent-length: 20\r\n\r\ntoo many connections"
)


class HttpConnection(HttpToolsProtocol):
    """One connection of a server; `open_connections` holds all of them."""

    def __init__(self, *, open_connections: set["HttpConnection"], **uvicorns: Any) -> None:
        super().__init__(**uvicorns)
        self._open = open_connections
        self._size = 0
        self._cut_off: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected."""
        super().connection_made(transport)
        self._open.add(self)
        self._wait()
        if len(self._open) > HTTP_CONNECTIONS_MAX:
            transport.write(_BUSY)
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._done()
        self._open.discard(self)
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """A request begins."""
        self._size = 0
        self._wait()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Part of the address."""
        self._grow(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self._grow(len(name) + len(value))
        super().on_header(name, value)

    def on_message_complete(self) -> None:
        """The request is complete."""
        self._done()
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """The connection becomes a WebSocket, which is another protocol's."""
        self._done()
        self._open.discard(self)
        super().handle_websocket_upgrade()

    def _grow(self, size: int) -> None:
        self._size += size
        if self._size > HEADERS_MAX:
            # The parser makes a malformed request of it.
            raise ValueError(f"more than {HEADERS_MAX} bytes of headers")

    def _wait(self) -> None:
        if self._cut_off is None:
            self._cut_off = self.loop.call_later(REQUEST_WITHIN_S, self._too_late)

    def _done(self) -> None:
        if self._cut_off is not None:
            self._cut_off.cancel()
            self._cut_off = None

    def _too_late(self) -> None:
        self._cut_off = None
        self.transport.abort()


def http_protocol_of(open_connections: set[HttpConnection]) -> Callable[..., HttpConnection]:
    """What `uvicorn.Config(http=...)` takes."""

    def make(**uvicorns: Any) -> HttpConnection:
        return HttpConnection(open_connections=open_connections, **uvicorns)

    return make
