"""Floods of peers that mean harm, which `bench.flooder` runs like its own.

Each makes new connections when its old ones are cut off, a few at a time, as an attacker would.
"""

import contextlib
import socket
import time
from collections.abc import Callable, Sequence
from typing import Final

import zmq

from crossbook.common.messages import codec, entry, feed
from crossbook.common.process import sockets
from crossbook.common.types import Side, TimeInForce
from tests.fuzz import zmtp

PART: Final = 64 * 1024
"""Bytes of each frame of an endless message."""
_ENDLESS: Final = b"\x03" + PART.to_bytes(8, "big") + bytes(PART)
"""One frame, long, with more to come."""

ASKED: Final = 100
"""Requests of one HTTP connection whose answers are not read."""
UNREAD: Final = 200
"""Such connections at a time."""
WEBSOCKETS: Final = 32
ICEBERGS: Final = 1_000
SLICES: Final = 100
AGAIN_S: Final = 0.05
"""Time between two attempts of a peer that was cut off."""


class Peers:
    """TCP connections that send; one that is cut off is made again."""

    def __init__(self, source: str, port: int, count: int, opening: bytes = b"") -> None:
        self._source = source
        self._port = port
        self._opening = opening
        self._made: list[socket.socket | None] = [None] * count
        self._rest = [b""] * count
        self._next_s = 0.0

    def send(self, data: bytes) -> int:
        """Send to every connection what it accepts; returns the bytes sent. A connection that
        accepted a part is sent the rest of it first."""
        sent = 0
        for number, each in enumerate(self._made):
            if each is None:
                self._made[number] = self._connected()
                continue
            part = self._rest[number] or data
            try:
                accepted = each.send(part)
                self._rest[number] = part[accepted:]
                sent += accepted
            except BlockingIOError:
                continue
            except OSError:
                each.close()
                self._made[number] = None
                self._rest[number] = b""
        return sent

    def read(self) -> None:
        """Forget what has arrived."""
        for each in self._made:
            with contextlib.suppress(OSError):
                while each is not None and each.recv(1 << 20):
                    pass

    def _connected(self) -> socket.socket | None:
        now_s = time.monotonic()
        if now_s < self._next_s:
            return None
        self._next_s = now_s + AGAIN_S
        with contextlib.suppress(OSError):
            made = socket.create_connection(
                ("127.0.0.1", self._port), 1, source_address=(self._source, 0)
            )
            made.sendall(self._opening)
            made.setblocking(False)
            return made
        return None


def endless_messages(source: str, orders: str, snapshots: str) -> Callable[[], int]:
    """Frames of a message that never ends, to order entry and to the publisher."""
    opening = zmtp.GREETING + zmtp.ready(b"DEALER", b"")
    ports = [int(address.rpartition(":")[2]) for address in (orders, snapshots)]
    peers = [Peers(source, port, 4, opening) for port in ports]
    return lambda: sum(each.send(_ENDLESS) for each in peers) // PART


def unread_answers(source: str, http_port: int, account: int) -> Callable[[], int]:
    """Lists over HTTP whose answers nobody reads."""
    one = b"GET /api/v1/instruments HTTP/1.1\r\nHost: localhost\r\nX-Account: %d\r\n\r\n" % account
    peers = Peers(source, http_port, UNREAD)
    return lambda: peers.send(one * ASKED) // len(one)


def websocket_orders(source: str, http_port: int, account: int) -> Callable[[], int]:
    """IOC orders over WebSockets, whose answers are read."""
    opening = (
        b"GET /ws/orders?account=%d HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n" % account
    )
    order = (
        b'{"id":"1","method":"submit","params":{"symbol":"BTC-USDT","side":"buy",'
        b'"order_type":"ioc","quantity":"0.001","price":"10000"}}'
    )
    # A text frame with a mask of zeros, which changes nothing.
    frame = b"\x81\xfe" + len(order).to_bytes(2, "big") + bytes(4) + order
    peers = Peers(source, http_port, WEBSOCKETS, opening)

    def step() -> int:
        peers.read()
        return peers.send(frame * ASKED) // len(frame)

    return step


def unread_resends(
    context: "zmq.Context[zmq.Socket[bytes]]", snapshots: str, symbol: str
) -> Callable[[], int]:
    """Requests for all messages of a topic again, whose answers nobody reads."""
    made = [sockets.snapshots_dealer(context, snapshots) for _ in range(4)]
    request = codec.encode(feed.RangeRequest(1, f"l2.{symbol}|", 1, 10_000))

    def step() -> int:
        sent = 0
        for each in made:
            with contextlib.suppress(zmq.Again):
                each.send(request, zmq.NOBLOCK)
                sent += 1
        return sent

    return step


def icebergs(symbol: str) -> tuple[Sequence[entry.New], Sequence[entry.New]]:
    """Icebergs of many slices each, and the orders that walk them all and fill nothing."""
    rest = [
        entry.New(number + 1, symbol, int(Side.SELL), "0.1", "90000", display_quantity="0.001")
        for number in range(ICEBERGS)
    ]
    walk = [
        entry.New(number + 1, symbol, int(Side.BUY), "100000", "90000",
                  time_in_force=int(TimeInForce.FOK))
        for number in range(60)
    ]  # fmt: skip
    return rest, walk
