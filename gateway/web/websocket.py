"""WebSocket connections of uvicorn's HTTP server: `uvicorn.Config(ws=make_protocol(...))`.

The sans-I/O `ServerProtocol` of `websockets` does the handshake, control frames, limits and
malformed input. Frames of channels are encoded already and go to the transport unchanged. One timer
serves all connections: it pings silent clients, drops dead ones and closes those that do not read.
The connection stops reading from a client that does not read, so no buffer grows.

The router (gateway/web/stream_router.py) decides which clients may connect, before a channel is
opened.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any, Final, cast

from msgspec import Struct
from uvicorn.config import Config
from uvicorn.server import ServerState
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

from crossbook.common.process.log import logger
from crossbook.common.process.tcp_facts import owner_of
from crossbook.gateway.web.channel import (
    GOING_AWAY,
    INTERNAL_ERROR,
    INVALID_TEXT,
    POLICY_VIOLATION,
    TRY_AGAIN_LATER,
    UNSUPPORTED_DATA,
    Channel,
    Handshake,
    HandshakeRefusal,
    Router,
    text_frame,
)
from crossbook.gateway.web.crowd import MIB, Crowd
from crossbook.gateway.web.inbox import Inbox

__all__ = ["Hub", "Limits", "WebSocketConnection", "make_protocol", "text_frame"]

ABNORMAL: Final = 1006
"""The code that a client reports when it was dropped without a close frame."""

SWEEP_S: Final = 1.0
PING_SPREAD: Final = 5
"""Sweeps over which the pings of a crowd are spread, by connection."""
REASON_MAX: Final = 123
"""Bytes of a close reason that fit a control frame."""


class Limits(Struct, frozen=True):
    """Limits of every connection; times in seconds, which is also their resolution."""

    connections_max: int = 10_000
    """Most connections over all routes; one more is accepted and closed with 1013."""
    of_address_max: int = 10_000
    """Most connections of one address; one more likewise."""
    http_of_address_max: int = 4_096
    """Most connections of one address that are not, or not yet, a WebSocket."""
    of_address_per_s: int = 0
    """Most new connections of one address a second; zero is any number."""
    unread_max: int = 128 * MIB
    """Unsent bytes of all connections, HTTP too; past it those with most are dropped."""
    message_max: int = 65_536
    """Bytes of one incoming message; a larger one is answered with close code 1009."""
    buffered_max: int = 262_144
    """Unsent bytes above which a connection is full."""
    buffered_low: int = 65_536
    """Unsent bytes below which a full connection has room again."""
    ping_after_s: int = 20
    """Silence after which a client is pinged."""
    pong_within_s: int = 20
    """Further silence after which a client is dropped."""
    full_for_s: int = 30
    """How long a connection may stay full before it is closed with 1008."""
    close_within_s: int = 5
    """How long a client may take to answer a close frame before it is dropped."""


class Hub:
    """All connections of one server, their limits and their one timer.

    `closed` counts the connections that this side ended, by close code; 1006 is without a frame.
    """

    def __init__(self, router: Router, limits: Limits) -> None:
        self.router = router
        self.limits = limits
        self.crowd = Crowd(
            limits.http_of_address_max,
            limits.of_address_max,
            limits.unread_max,
            limits.of_address_per_s,
        )
        self.seconds = 0
        self.refused = 0
        self.closed: Counter[int] = Counter()
        self._numbered = 0
        self._connections: dict[WebSocketConnection, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._connections)

    def add(self, connection: "WebSocketConnection") -> int:
        """Add a connection whose handshake is done; returns its number."""
        self._connections[connection] = None
        self._numbered += 1
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)
        return self._numbered

    def discard(self, connection: "WebSocketConnection") -> None:
        """Remove a connection; without any the timer stops."""
        self.crowd.unread.release(connection)
        if connection in self._connections:
            del self._connections[connection]
            self.crowd.websockets.leave(connection.owner)
        if not self._connections and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _sweep(self) -> None:
        self.seconds += 1
        self._timer = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)
        for connection in list(self._connections):
            connection.check(self.seconds)


def _host_of(address: Any) -> str:
    """The IP address of one end of a connection."""
    return str(address[0]) if isinstance(address, tuple) else ""


def make_protocol(router: Router, limits: Limits) -> type[asyncio.Protocol]:
    """The value of `uvicorn.Config(ws=...)`: makes connections that share one new `Hub`."""
    return cast("type[asyncio.Protocol]", protocol_of(Hub(router, limits)))


def protocol_of(hub: Hub) -> Callable[..., "WebSocketConnection"]:
    """As `make_protocol`, for a hub of the caller."""

    def make(config: Config, server_state: ServerState, app_state: dict[str, Any]) -> Any:
        return WebSocketConnection(hub, server_state)

    return make


class WebSocketConnection(asyncio.Protocol):
    """One connection, from uvicorn's upgrade on: the `Connection` of channels."""

    __slots__ = (
        "_at_end",
        "_channel",
        "_close_by",
        "_full_since",
        "_headers",
        "_hub",
        "_inbox",
        "_number",
        "_open",
        "_partial",
        "_protocol",
        "_received",
        "_server_state",
        "_transport",
        "full",
        "owner",
    )

    def __init__(self, hub: Hub, server_state: ServerState) -> None:
        self.full = False
        self._hub = hub
        self._server_state = server_state
        self._protocol = ServerProtocol(max_size=hub.limits.message_max)
        self._transport: asyncio.Transport = None  # type: ignore[assignment]
        self._channel: Channel | None = None
        self._headers: Any = None
        self._partial: bytearray | None = None
        self._open = False
        self._number = 0
        self._received = hub.seconds
        self._full_since = 0
        self._close_by = 0
        self.owner = ""
        self._inbox = Inbox(self, hub.crowd.turns)
        self._at_end = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take over the transport of an HTTP connection that is upgraded."""
        self._transport = cast(asyncio.Transport, transport)
        limits = self._hub.limits
        self._transport.set_write_buffer_limits(limits.buffered_max, limits.buffered_low)
        self.owner = owner_of(_host_of(transport.get_extra_info("peername")))
        self._server_state.connections.add(self)  # type: ignore[arg-type]

    def data_received(self, data: bytes) -> None:
        """Receive bytes of the client; the first are its handshake."""
        self._inbox.add(data)

    def read(self, data: bytes) -> None:
        """Take in bytes of the client, in the order in which they came."""
        self._received = self._hub.seconds
        protocol = self._protocol
        protocol.receive_data(data)
        for event in protocol.events_received():
            if isinstance(event, Frame):
                self._receive(event)
            elif isinstance(event, Request):
                self._shake_hands(event)
        if protocol.writes:
            self._flush()
        if protocol.state is not State.OPEN and self._channel is not None:
            # The client closed, answered our close, or sent malformed frames.
            self._end()

    def eof_received(self) -> bool:
        """A half-closed connection is of no use: the transport closes itself, once all of its bytes
        are read."""
        self._at_end = True
        return bool(self._inbox)

    def hold(self) -> None:
        """Receive no more from the client for now."""
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def go_on(self) -> None:
        """All bytes of the client are read: receive more."""
        if self._transport.is_closing():
            return
        if self._at_end:
            self._transport.close()
        elif not self.full:
            self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport is gone."""
        self._server_state.connections.discard(self)
        self._hub.discard(self)
        self._inbox.clear()
        self._end()

    def pause_writing(self) -> None:
        """More than the limit of unsent bytes waits. Answers would wait too, so nothing is read
        from the client until there is room."""
        self.full = True
        self._full_since = self._hub.seconds
        self._hub.crowd.unread.hold(self, self.buffered)
        self.hold()

    def resume_writing(self) -> None:
        """There is room again."""
        self.full = False
        self._hub.crowd.unread.release(self)
        self._received = self._hub.seconds
        if self._open and self._channel is not None:
            self._guarded(self._channel.drained, self)
        self._inbox.work()

    def shutdown(self) -> None:
        """The server stops (called by uvicorn)."""
        if self._open:
            self.close(GOING_AWAY, "going away")
            self._close_by = self._hub.seconds + 1
        else:
            self._transport.close()

    @property
    def buffered(self) -> int:
        """Bytes that the kernel has no room for yet."""
        return self._transport.get_write_buffer_size()

    @property
    def peer(self) -> str:
        """The client's address, for logs."""
        name = self._transport.get_extra_info("peername")
        return f"{name[0]}:{name[1]}" if isinstance(name, tuple) else str(name or "")

    def header(self, name: str) -> str | None:
        """A header of the handshake; only while `Channel.opened` runs, None afterwards."""
        found = self._headers.get_all(name) if self._headers is not None else ()
        return str(found[0]) if found else None

    def send(self, frame: bytes) -> None:
        """Write one or more whole frames. Nothing happens once the connection is closing."""
        if self._open:
            self._transport.write(frame)

    def close(self, code: int, reason: str) -> None:
        """Send a close frame and nothing after it. `Channel.closed` follows later."""
        if not self._open:
            return
        self._open = False
        self._hub.closed[code] += 1
        if self._protocol.state is State.OPEN:
            # In any other state the client has closed, in the same bytes that caused this close.
            text = reason.encode()[:REASON_MAX].decode(errors="ignore")
            self._protocol.send_close(code, text)
        self._close_by = self._hub.seconds + self._hub.limits.close_within_s
        self._flush()

    def abort(self) -> None:
        """Drop the connection and what is unsent. `Channel.closed` follows later."""
        if self._open:
            self._hub.closed[ABNORMAL] += 1
        self._open = False
        self._transport.abort()

    def cut_off(self) -> None:
        """Drop the connection; not at once, because the transport may be writing."""
        asyncio.get_running_loop().call_soon(self.abort)

    def check(self, seconds: int) -> None:
        """Once a second: ping a silent client, drop a dead one, close a slow one."""
        limits = self._hub.limits
        if not self._open:
            if seconds > self._close_by:
                self.abort()
            return
        if self.full:
            if seconds - self._full_since > limits.full_for_s:
                self.close(
                    POLICY_VIOLATION,
                    f"too slow: {limits.buffered_max} bytes unread for {limits.full_for_s} s",
                )
            return
        silent = seconds - self._received
        ping_at = limits.ping_after_s - self._number % PING_SPREAD
        if silent == max(1, ping_at):
            self._protocol.send_ping(b"")
            self._flush()
        elif silent > limits.ping_after_s + limits.pong_within_s:
            self.abort()

    def _shake_hands(self, request: Request) -> None:
        protocol, hub = self._protocol, self._hub
        response = protocol.accept(request)
        target: Channel | HandshakeRefusal | None = None
        if response.status_code == 101:
            target = self._guarded(hub.router, self._handshake(request))
            if target is None:
                target = HandshakeRefusal(500, "the server failed to open this stream")
            if isinstance(target, HandshakeRefusal):
                response = protocol.reject(target.status, target.text + "\n")
        protocol.send_response(response)
        if target is None or isinstance(target, HandshakeRefusal):
            return
        text = ""
        if len(hub) >= hub.limits.connections_max:
            text = f"too many connections: MAX_WEBSOCKET_CONNECTIONS={hub.limits.connections_max}"
        elif not hub.crowd.websockets.take(self.owner):
            hub.crowd.websockets.leave(self.owner)
            text = f"too many connections of one address: {hub.limits.of_address_max}"
        if text:
            hub.refused += 1
            hub.closed[TRY_AGAIN_LATER] += 1
            protocol.send_close(TRY_AGAIN_LATER, text)
            self._flush()
            # A connection beyond the limit must not occupy a place while it closes.
            self._transport.close()
            return
        self._flush()
        self._open = True
        self._number = hub.add(self)
        self._channel = target
        self._headers = request.headers
        self._guarded(target.opened, self)
        self._headers = None

    def _handshake(self, request: Request) -> Handshake:
        path, _, query = request.path.partition("?")
        headers = tuple(
            (name.lower().encode("latin-1"), value.encode("latin-1", "surrogateescape"))
            for name, value in request.headers.raw_items()
        )
        own, peer = map(self._transport.get_extra_info, ("sockname", "peername"))
        return Handshake(path, query, headers, _host_of(own), _host_of(peer))

    def _receive(self, frame: Frame) -> None:
        if not self._open or self._channel is None:
            return
        if frame.opcode is Opcode.BINARY:
            self.close(UNSUPPORTED_DATA, "text messages only")
        elif frame.opcode is Opcode.TEXT and frame.fin:
            self._receive_text(bytes(frame.data))
        elif frame.opcode is Opcode.TEXT:
            self._partial = bytearray(frame.data)
        elif frame.opcode is Opcode.CONT and self._partial is not None:
            # One buffer, not a list of fragments: a client may send empty fragments without end.
            self._partial += frame.data
            if frame.fin:
                whole, self._partial = bytes(self._partial), None
                self._receive_text(whole)

    def _receive_text(self, data: bytes) -> None:
        assert self._channel is not None, "a message before the handshake"
        try:
            text = data.decode()
        except UnicodeDecodeError:
            self.close(INVALID_TEXT, "text is not UTF-8")
            return
        self._guarded(self._channel.received, self, text)

    def _flush(self) -> None:
        """Write the output of the protocol; the end of that ends the transport."""
        transport = self._transport
        for data in self._protocol.data_to_send():
            if data:
                transport.write(data)
                continue
            self._close_by = self._hub.seconds + self._hub.limits.close_within_s
            is_faulty = self._protocol.parser_exc is not None and not transport.is_closing()
            if is_faulty and transport.can_write_eof():
                # The client may still be sending. With unread bytes the kernel would reset the
                # connection, and the close frame would be lost.
                transport.write_eof()
            else:
                transport.close()

    def _end(self) -> None:
        self._open = False
        channel, self._channel = self._channel, None
        if channel is not None:
            self._guarded(channel.closed, self)

    def _guarded(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """The result of a call. An exception in it is logged, and ends this connection only."""
        try:
            return call(*arguments)
        except Exception:
            logger().exception("websocket_channel_failed", peer=self.peer)
            self.close(INTERNAL_ERROR, "the server failed; connect again")
            return None
