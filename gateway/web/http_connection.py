"""uvicorn's HTTP connection, with limits to what a request may be and how long it may take.

uvicorn reads headers without end and waits for a request for ever; here connections that are not,
or not yet, a WebSocket are counted as well. uvicorn also adds trailers to the headers, drops the
host of a request's target, and answers what it cannot read before what it was asked earlier.
"""

import asyncio
from collections.abc import Callable
from itertools import count
from typing import Any, Final, NoReturn

import httptools
import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from crossbook.gateway.problem import ErrorDocument, malformed
from crossbook.gateway.web.admission import TARGET_HEADER

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

_MALFORMED: Final = (
    b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: application/json\r\n"
    b"content-length: %d\r\n\r\n%b"
)

_numbers = count(1)
_encode = msgspec.json.Encoder().encode


class HttpConnection(HttpToolsProtocol):
    """One connection of a server; `open_connections` holds all of them."""

    def __init__(self, *, open_connections: set["HttpConnection"], **uvicorns: Any) -> None:
        super().__init__(**uvicorns)
        self._open = open_connections
        self._size = 0
        self._head_is_complete = False
        self._why = ""
        self._serving: RequestResponseCycle | None = None
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
        self._head_is_complete = False
        self._wait()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Part of the address."""
        self._grow(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self._grow(len(name) + len(value))
        if self._head_is_complete:
            # It would stand among the headers, which have been acted on.
            self._fail("headers end with the head; trailers are not read")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is complete."""
        self._head_is_complete = True
        if not self.url.startswith(b"/"):
            self._take_target()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is complete."""
        self._done()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """What came cannot be read. A request that came before and waits for its answer gets that,
        and is the last of the connection."""
        serving = self._serving
        if (
            serving is not None
            and not serving.response_complete
            and (serving.response_started or not serving.more_body)
        ):
            serving.keep_alive = False
            self.pipeline.clear()
            return
        detail = malformed(None, self._why or msg).detail
        body = _encode(ErrorDocument(detail, f"connection-{next(_numbers)}"))
        self.transport.write(_MALFORMED % (len(body), body))
        self.transport.close()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._serving = cycle
        super()._start_asgi_task(cycle, app)

    def _take_target(self) -> None:
        """Split a target that names a host, as a proxy is sent it, into path and host."""
        target = self.url
        try:
            parsed = httptools.parse_url(target)
        except httptools.HttpParserError:
            parsed = None
        scheme, mark, rest = target.partition(b"://")
        if parsed is None or not parsed.host or not mark or scheme.lower() != b"http":
            self._fail("the target of a request is a path")
        self.headers.append((TARGET_HEADER, rest.partition(b"/")[0].partition(b"?")[0]))

    def _fail(self, why: str) -> NoReturn:
        """Have the parser make a malformed request of it."""
        self._why = why
        raise ValueError(why)

    def handle_websocket_upgrade(self) -> None:
        """The connection becomes a WebSocket, which is another protocol's. A body is refused here:
        that protocol would drop the connection without a word."""
        names = {name for name, _ in self.headers}
        if names & {b"content-length", b"transfer-encoding"}:
            self._why = "nobody reads the body of a handshake; send none"
            self.send_400_response("")
            return
        self._done()
        self._open.discard(self)
        super().handle_websocket_upgrade()

    def _grow(self, size: int) -> None:
        self._size += size
        if self._size > HEADERS_MAX:
            self._fail(f"address and headers have at most {HEADERS_MAX} bytes")

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
