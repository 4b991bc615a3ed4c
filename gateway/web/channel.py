"""The interfaces between WebSocket connections and the channels that serve them.

A connection belongs to one `Channel` for its whole life. The channel receives the messages of the
connection and sends encoded frames, so a message to many clients is encoded once. Nothing here
touches a socket; `crossbook.gateway.web.websocket` has the `Connection` over one.
"""

from collections.abc import Callable
from typing import Final, Protocol, TypeAlias

from msgspec import Struct

from crossbook.gateway.problem import Problem

GOING_AWAY: Final = 1001
UNSUPPORTED_DATA: Final = 1003
INVALID_TEXT: Final = 1007
POLICY_VIOLATION: Final = 1008
INTERNAL_ERROR: Final = 1011
TRY_AGAIN_LATER: Final = 1013
"""Close codes of RFC 6455 and its registry that this side uses."""

_TEXT_FINAL: Final = 0x81


class Connection(Protocol):
    """One open WebSocket, as its channel uses it. Hashable by identity.

    `full` is True while more than the limit of unsent bytes waits. A channel then sends nothing
    more until `Channel.drained` is called. A connection that stays full for long is closed.
    """

    full: bool

    @property
    def buffered(self) -> int:
        """Bytes that the kernel has no room for yet."""

    @property
    def peer(self) -> str:
        """The client's address, for logs."""

    def header(self, name: str) -> str | None:
        """A header of the handshake; only while `Channel.opened` runs, None afterwards."""

    def send(self, frame: bytes) -> None:
        """Write one or more whole frames. Nothing happens once the connection is closing."""

    def close(self, code: int, reason: str) -> None:
        """Send a close frame and nothing after it. `Channel.closed` follows later."""

    def abort(self) -> None:
        """Drop the connection and what is unsent. `Channel.closed` follows later."""


class Channel(Protocol):
    """The target of a route. One channel may serve many connections.

    For each connection: `opened` once, then the others, then `closed` once and nothing after it.
    `closed` is never called from inside a method of the connection.
    """

    def opened(self, connection: Connection) -> None:
        """The handshake is done; the channel may send."""

    def received(self, connection: Connection, text: str) -> None:
        """One whole text message."""

    def drained(self, connection: Connection) -> None:
        """The connection was full and has room again."""

    def closed(self, connection: Connection) -> None:
        """The connection is gone."""


class HandshakeRefusal(Struct, frozen=True):
    """The HTTP error that answers a handshake."""

    status: int
    text: str


def refusal_of(problem: Problem) -> HandshakeRefusal:
    """The refusal of a handshake because of a problem."""
    detail = problem.detail
    text = f"{detail.field}: {detail.message}" if detail.field else detail.message
    return HandshakeRefusal(problem.status, text)


class Handshake(Struct, frozen=True):
    """A request to open a WebSocket, not decoded. Names of headers are in lower case; `address` is
    the one the request came to, `peer` the client's IP address."""

    path: str
    query: str = ""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    address: str = ""
    peer: str = ""


Router: TypeAlias = Callable[[Handshake], Channel | HandshakeRefusal]
"""Returns the channel that serves a handshake, or the refusal."""


def text_frame(payload: bytes) -> bytes:
    """One unmasked text frame (server to client) around UTF-8 text.

    >>> text_frame(b"hello")
    b'\\x81\\x05hello'
    """
    size = len(payload)
    if size < 126:
        return bytes((_TEXT_FINAL, size)) + payload
    if size < 65_536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload
