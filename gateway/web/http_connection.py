"""uvicorn's HTTP connection, with limits on the size, the duration and the number of requests.

uvicorn alone accepts headers of any size, waits for a request without end and counts no
connections. It also appends trailers to the headers, drops the host of a request's target, and
sends the answer to a malformed request before those to earlier requests.
"""

import asyncio
import time
from collections.abc import Callable
from itertools import count
from typing import Any, Final, NoReturn

import httptools
import msgspec
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from crossbook.common.process.tcp_facts import owner_of
from crossbook.gateway.problem import ErrorDocument, malformed
from crossbook.gateway.web.admission import TARGET_HEADER
from crossbook.gateway.web.crowd import Crowd

REQUEST_WITHIN_S: Final = 10.0
"""Seconds after which the connection of an incomplete request is dropped."""

HEADERS_MAX: Final = 16_384
"""Most bytes of address and headers of one request; more is answered with 400."""

HTTP_CONNECTIONS_MAX: Final = 4_096
"""Most connections that are not, or not yet, a WebSocket; one more is answered with 503."""

FED_MAX: Final = 512
"""Bytes given to the parser at a time: it makes a request of each 18, and some 10 KB of that."""

UNREAD_NOTED: Final = 16_384
"""Bytes of a response above which those that wait are counted, and have to be read."""

READ_WITHIN_S: Final = 30.0
READ_AT_LEAST: Final = 65_536
"""A client reads so many bytes of what waits for it, or the rest, within this time."""

_BUSY: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\n"
    b"content-type: text/plain; charset=utf-8\r\ncontent-length: 20\r\n\r\ntoo many connections"
)

_TOO_FAST: Final = (
    b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\nconnection: close\r\n"
    b"content-type: text/plain; charset=utf-8\r\ncontent-length: 49\r\n\r\n"
    b"too many new connections (CONNECTIONS_PER_SECOND)"
)

_MALFORMED: Final = (
    b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: application/json\r\n"
    b"content-length: %d\r\n\r\n%b"
)

_numbers = count(1)
_encode = msgspec.json.Encoder().encode


class _Flow(FlowControl):
    """uvicorn's flow control, which resumes reading with every answer. While bytes wait that are
    not parsed, nothing more is read."""

    is_held = False

    def resume_reading(self) -> None:
        """Read from the client, unless earlier bytes of it wait."""
        if not self.is_held:
            super().resume_reading()


class HttpConnection(HttpToolsProtocol):
    """One connection of a server; `open_connections` holds all of them."""

    def __init__(
        self, *, open_connections: set["HttpConnection"], crowd: Crowd, **uvicorns: Any
    ) -> None:
        super().__init__(**uvicorns)
        self._open = open_connections
        self._crowd = crowd
        self.owner = ""
        self._body_bytes = self._unread = 0
        # Received, and from `_fed` on not parsed while requests wait for an earlier answer.
        self._rest = b""
        self._fed = 0
        self._read_timer: asyncio.TimerHandle | None = None
        self._size = 0
        self._head_is_complete = False
        self._reason = ""
        self._serving: RequestResponseCycle | None = None
        self._cut_off: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client connected."""
        super().connection_made(transport)
        self.flow = self._flow = _Flow(transport)
        self._open.add(self)
        self._start_timer()
        transport.set_write_buffer_limits(UNREAD_NOTED)
        self.owner = owner_of(self.client[0]) if self.client else ""
        has_place = self._crowd.http.take(self.owner)
        if len(self._open) > HTTP_CONNECTIONS_MAX or not has_place:
            reason = "connections" if has_place else "connections_of_address"
            self._crowd.refused[reason] += 1
            transport.write(_BUSY)
            transport.close()
        elif not self._crowd.may_connect(self.owner, time.monotonic_ns()):
            self._crowd.refused["rate_of_address"] += 1
            transport.write(_TOO_FAST)
            transport.close()

    @property
    def unparsed(self) -> int:
        """Bytes received that wait for the answer to an earlier request: those of one receive."""
        return len(self._rest) - self._fed

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._forget_rest()
        self._leave()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what a client sent, as far as no complete request waits for another."""
        self._rest = self._rest[self._fed :] + data
        self._fed = 0
        self._feed()

    def on_response_complete(self) -> None:
        """A request is answered: the next one is served, and the ones behind it are parsed."""
        super().on_response_complete()
        self._feed()

    def pause_writing(self) -> None:
        """More waits than the kernel accepts: the client has to read it."""
        super().pause_writing()
        self._unread = self.transport.get_write_buffer_size()
        self._crowd.unread.hold(self, self._unread)
        if self._read_timer is None:
            self._read_timer = self.loop.call_later(READ_WITHIN_S, self._check_read)

    def resume_writing(self) -> None:
        """The client has read nearly all."""
        self._stop_read_timer()
        super().resume_writing()

    def cut_off(self) -> None:
        """Drop the connection; not at once, because the transport may be writing."""
        self.loop.call_soon(self.transport.abort)

    def on_message_begin(self) -> None:
        """A request begins."""
        self._size = 0
        self._head_is_complete = False
        self._start_timer()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Part of the address."""
        self._count_bytes(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self._count_bytes(len(name) + len(value))
        if self._head_is_complete:
            # uvicorn would append it to the headers, which have been checked already.
            self._fail("headers end with the head; trailers are not read")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is complete."""
        self._head_is_complete = True
        if b"#" in self.url:
            # uvicorn would drop it: what a client meant to be a filter would be none.
            self._fail("the target of a request has no fragment; write # as %23")
        if not self.url.startswith(b"/"):
            self._split_target()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Part of the body."""
        self._body_bytes += len(body)
        self._crowd.bodies.hold(self, self._body_bytes)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is complete."""
        self._stop_timer()
        self._body_bytes = 0
        self._crowd.bodies.release(self)
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse a malformed request. An earlier request that waits for its answer gets that first,
        and nothing follows it on this connection."""
        self._forget_rest()
        serving = self._serving
        if (
            serving is not None
            and not serving.response_complete
            and (serving.response_started or not serving.more_body)
        ):
            serving.keep_alive = False
            self.pipeline.clear()
            return
        detail = malformed(None, self._reason or msg).detail
        body = _encode(ErrorDocument(detail, f"connection-{next(_numbers)}"))
        self.transport.write(_MALFORMED % (len(body), body))
        self.transport.close()

    def _feed(self) -> None:
        while self._rest and not self.pipeline and not self.transport.is_closing():
            begin = self._fed
            self._fed += FED_MAX
            part = self._rest[begin : self._fed]
            if self._fed >= len(self._rest):
                self._forget_rest()
            super().data_received(part)
        if self._rest and not self._flow.is_held:
            self._flow.is_held = True
            self._flow.pause_reading()

    def _forget_rest(self) -> None:
        self._rest = b""
        self._fed = 0
        if self._flow.is_held:
            self._flow.is_held = False
            self._flow.resume_reading()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._serving = cycle
        super()._start_asgi_task(cycle, app)

    def _split_target(self) -> None:
        """Split a target that names a host, in the form for proxies, into path and host."""
        target = self.url
        try:
            parsed = httptools.parse_url(target)
        except httptools.HttpParserError:
            parsed = None
        scheme, mark, rest = target.partition(b"://")
        own = (self.scheme or "").encode()
        if parsed is None or not parsed.host or not mark or scheme.lower() != own:
            self._fail("the target of a request is a path")
        self.headers.append((TARGET_HEADER, rest.partition(b"/")[0].partition(b"?")[0]))

    def _fail(self, reason: str) -> NoReturn:
        """Let the parser report a malformed request."""
        self._reason = reason
        raise ValueError(reason)

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over to the WebSocket protocol. A body is refused here: that protocol
        would drop the connection without an answer."""
        names = {name for name, _ in self.headers}
        if names & {b"content-length", b"transfer-encoding"}:
            self._reason = "a handshake has no body here; send none"
            self.send_400_response("")
            return
        self._forget_rest()
        self._leave()
        super().handle_websocket_upgrade()

    def _leave(self) -> None:
        """Give up what an HTTP connection holds."""
        self._stop_timer()
        self._stop_read_timer()
        self._crowd.bodies.release(self)
        if self in self._open:
            self._open.discard(self)
            self._crowd.http.leave(self.owner)

    def _stop_read_timer(self) -> None:
        self._crowd.unread.release(self)
        if self._read_timer is not None:
            self._read_timer.cancel()
            self._read_timer = None

    def _check_read(self) -> None:
        """Drop a client that has read too little of what waits for it."""
        left = self.transport.get_write_buffer_size()
        if left > self._unread - READ_AT_LEAST:
            self._crowd.refused["unread"] += 1
            self.cut_off()
            return
        self._unread = left
        self._crowd.unread.hold(self, left)
        self._read_timer = self.loop.call_later(READ_WITHIN_S, self._check_read)

    def _count_bytes(self, size: int) -> None:
        self._size += size
        if self._size > HEADERS_MAX:
            self._fail(f"address and headers have at most {HEADERS_MAX} bytes")

    def _start_timer(self) -> None:
        if self._cut_off is None:
            self._cut_off = self.loop.call_later(REQUEST_WITHIN_S, self._time_out)

    def _stop_timer(self) -> None:
        if self._cut_off is not None:
            self._cut_off.cancel()
            self._cut_off = None

    def _time_out(self) -> None:
        self._cut_off = None
        if self._rest:
            # The rest of the request is here, and waits for the answer to an earlier one.
            self._start_timer()
            return
        self.transport.abort()


def http_protocol_of(
    open_connections: set[HttpConnection],
    crowd: Crowd,
    kind: type[HttpConnection] = HttpConnection,
) -> Callable[..., HttpConnection]:
    """The value of `uvicorn.Config(http=...)`; connections are of this kind."""

    def make(**uvicorns: Any) -> HttpConnection:
        return kind(open_connections=open_connections, crowd=crowd, **uvicorns)

    return make
