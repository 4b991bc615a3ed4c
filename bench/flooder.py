"""One client that takes all it can get, in a process of its own: `python -m bench.flooder KIND`.

It floods while its input has the line `go` last, and rests after `rest`; the end of the input ends
it. It takes every answer it is given, except as a slow reader.
"""

import contextlib
import select
import socket
import sys
import time
import zlib
from collections.abc import Callable
from typing import Final

import msgspec
import zmq
from msgspec import Struct

from bench import hostile
from crossbook.common.messages import codec, entry, feed
from crossbook.common.process import sockets
from crossbook.common.types import Side, TimeInForce

ACCOUNT: Final = 900_000
ACCOUNTS_APART: Final = 1_009
FRAME: Final = 1_000
"""Requests of one frame, about the most there may be."""
OPEN_ORDERS: Final = 1_000
CATCH_UPS: Final = 64
FRAMES_UNANSWERED: Final = 40
"""Frames of orders that are sent ahead of their answers: what a gateway lets a client have in its
socket."""
UNANSWERED: Final = 2_000
"""Queries, or orders over HTTP, that are sent ahead of their answers."""
SNAPSHOTS: Final = 64
IDLE: Final = 4_096
"""Connections of the idle crowd over HTTP."""
IDLE_SESSIONS: Final = 1_000
SYMBOL: Final = "BTC-USDT"
_REST_S: Final = 0.02


class FloodTarget(Struct, frozen=True):
    """Where the exchange is, and the loopback address that connections to it come from."""

    orders: str
    snapshots: str
    http_port: int
    source: str = "127.0.0.1"

    def from_source(self, address: str) -> str:
        """An address as ZeroMQ takes it, with the source in front."""
        return address.replace("tcp://", f"tcp://{self.source}:0;")


class Session:
    """A raw order-entry session."""

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]", address: str, account: int):
        self.socket = context.socket(zmq.DEALER)
        # A flood is what the gateway accepts, not what waits on this side.
        for option, value in ((zmq.SNDHWM, 16), (zmq.RCVHWM, 0), (zmq.LINGER, 0)):
            self.socket.setsockopt(option, value)
        self.socket.connect(address)
        self.socket.send(bytes(entry.TOKEN_BYTES) + codec.encode(entry.Logon(1, account)))
        if not self.socket.poll(10_000):
            raise TimeoutError("no answer to a logon")
        (welcome,) = codec.decode_replies(self.socket.recv())
        if not isinstance(welcome, entry.Welcome):
            raise ConnectionError(f"logon answered with {welcome}")
        self.token = welcome.token.to_bytes(entry.TOKEN_BYTES, "big")

    def send(self, frame: bytes) -> bool:
        """Send one frame without its token; false where the connection accepts no more now."""
        try:
            self.socket.send(self.token + frame, zmq.NOBLOCK)
        except zmq.Again:
            return False
        return True

    def drain(self) -> list[bytes]:
        """The frames that have arrived."""
        frames: list[bytes] = []
        with contextlib.suppress(zmq.Again):
            while True:
                frames.append(self.socket.recv(zmq.NOBLOCK))
        return frames


class Flooder:
    """The floods by name. Each is prepared once, and its step is repeated as often as it goes."""

    def __init__(self, target: FloodTarget, account: int) -> None:
        self._target = target
        self._account = account
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        sockets.allow_many_sockets(self._context)
        self.sent = 0
        self._kept: list[object] = []

    def prepared(self, kind: str) -> Callable[[], None]:
        """The step of a flood."""
        make = getattr(self, f"_{kind.replace('-', '_')}")
        step: Callable[[], None] = make()
        return step

    def _session(self, number: int = 0) -> Session:
        """A session of this flooder's account, or of one behind it."""
        target = self._target
        address = target.from_source(target.orders)
        return Session(self._context, address, self._account + number)

    def _orders(self) -> Callable[[], None]:
        """Frames of a thousand orders that trade with nobody, many unanswered at any time."""
        session, frame = self._session(), self._frame()
        waiting = [0]

        def step() -> None:
            while waiting[0] < FRAMES_UNANSWERED * FRAME and session.send(frame):
                waiting[0] += FRAME
                self.sent += FRAME
            session.socket.poll(1)
            for replies in session.drain():
                waiting[0] -= sum(map(_is_answer, _raw_replies(replies)))

        return step

    def _slow_reader(self) -> Callable[[], None]:
        """The same orders in sessions that read no answer; a new one begins where one is full."""
        frame = self._frame()
        session, frames = [self._session()], [0]

        def step() -> None:
            if frames[0] < FRAMES_UNANSWERED and session[0].send(frame):
                frames[0] += 1
                self.sent += FRAME
                return
            session[0].socket.close(linger=0)
            session[0], frames[0] = self._session(), 0

        return step

    def _frame(self) -> bytes:
        return codec.encode([
            entry.New(number + 1, SYMBOL, int(Side.BUY), "0.001", "10000",
                      time_in_force=int(TimeInForce.IOC))
            for number in range(FRAME)
        ])  # fmt: skip

    def _queries(self) -> Callable[[], None]:
        """Listings of a thousand open orders, many unanswered at any time."""
        session = self._session()
        orders = [
            entry.New(number + 1, SYMBOL, int(Side.BUY), "0.001", "10000")
            for number in range(OPEN_ORDERS)
        ]
        session.send(codec.encode(orders))
        query = codec.encode(entry.Query(1))
        time.sleep(1.0)
        session.drain()
        waiting = [0]

        def step() -> None:
            while waiting[0] < UNANSWERED and session.send(query):
                waiting[0] += 1
                self.sent += 1
            session.socket.poll(1)
            waiting[0] -= len(session.drain())

        return step

    def _catch_ups(self) -> Callable[[], None]:
        """Sessions that read every execution again, each as soon as it has them."""
        sessions = [self._session() for _ in range(CATCH_UPS)]
        catch_up = codec.encode(entry.CatchUp(1, 1))
        due = dict.fromkeys(sessions, 0.0)

        def step() -> None:
            now = time.monotonic()
            for session, moment in due.items():
                # A catch-up that was refused is requested again at once; others are in progress.
                if now >= moment and session.send(catch_up):
                    self.sent += 1
                    due[session] = now + 0.05
                session.drain()

        return step

    def _snapshots(self) -> Callable[[], None]:
        """Requests for the snapshot of a book."""
        target = self._target
        address = target.from_source(target.snapshots)
        dealer = sockets.snapshots_dealer(self._context, address)
        request = codec.encode(feed.SnapshotRequest(1, SYMBOL))
        waiting = [0]

        def step() -> None:
            while waiting[0] < SNAPSHOTS:
                dealer.send(request)
                waiting[0] += 1
                self.sent += 1
            if dealer.poll(1):
                with contextlib.suppress(zmq.Again):
                    while True:
                        dealer.recv(zmq.NOBLOCK)
                        waiting[0] -= 1

        return step

    def _http_reads(self) -> Callable[[], None]:
        """Lists of open orders over REST, on connections that are never idle."""
        request = (
            b"GET /api/v1/orders?status=open HTTP/1.1\r\nHost: localhost\r\n"
            b"X-Account: %d\r\n\r\n" % self._account
        )
        made = [self._connected() for _ in range(32)]

        def step() -> None:
            readable, writable, _ = select.select(made, made, [], 0.001)
            for each in {*writable, *readable}:
                try:
                    if each in writable:
                        self.sent += each.send(request) == len(request)
                    if each in readable:
                        each.recv(1 << 20)
                except BlockingIOError:
                    continue
                except OSError:
                    # It was cut off.
                    made.remove(each)
                    made.append(self._connected())

        return step

    def _websocket_orders(self) -> Callable[[], None]:
        """IOC orders over WebSockets that are never idle."""
        target = self._target
        return self._counted(
            hostile.websocket_orders(target.source, target.http_port, self._account)
        )

    def _idle_crowd(self) -> Callable[[], None]:
        """Connections and sessions that are opened and never used."""
        self._kept.append([self._connected() for _ in range(IDLE)])
        self._kept.append([self._session(number) for number in range(IDLE_SESSIONS)])
        return lambda: time.sleep(_REST_S)

    def _endless_messages(self) -> Callable[[], None]:
        target = self._target
        return self._counted(
            hostile.endless_messages(target.source, target.orders, target.snapshots)
        )

    def _unread_answers(self) -> Callable[[], None]:
        target = self._target
        return self._counted(hostile.unread_answers(target.source, target.http_port, self._account))

    def _unread_resends(self) -> Callable[[], None]:
        target = self._target
        address = target.from_source(target.snapshots)
        return self._counted(hostile.unread_resends(self._context, address, SYMBOL))

    def _icebergs(self) -> Callable[[], None]:
        """Orders that have to be compared with every slice of many icebergs."""
        rest, walk = hostile.icebergs(SYMBOL)
        self._session().send(codec.encode(rest))
        session, frame = self._session(1), codec.encode(walk)

        def step() -> int:
            session.socket.poll(1)
            session.drain()
            return len(walk) if session.send(frame) else 0

        return self._counted(step)

    def _counted(self, step: Callable[[], int]) -> Callable[[], None]:
        def counted() -> None:
            sent = step()
            self.sent += sent
            if not sent:
                time.sleep(0.001)

        return counted

    def _nothing(self) -> Callable[[], None]:
        """Only the processor time of a client that is busy with itself."""

        def step() -> None:
            until = time.monotonic() + 0.001
            while time.monotonic() < until:
                self.sent += 1

        return step

    def _connected(self) -> socket.socket:
        target = self._target
        made = socket.create_connection(
            ("127.0.0.1", target.http_port), 5, source_address=(target.source, 0)
        )
        made.setblocking(False)
        return made


_raw_replies: Final = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode


def _is_answer(reply: msgspec.Raw) -> bool:
    """Whether a reply is an `Ack` or a `Reject`, by its tag."""
    return bytes(reply)[1] in (102, 103)


def main(kind: str, orders: str, snapshots: str, http_port: str, source: str) -> None:
    """Flood by the lines of the input; print the number of requests sent at the end."""
    # Those that flood together have accounts of their own.
    account = ACCOUNT + IDLE_SESSIONS * (zlib.crc32(kind.encode()) % ACCOUNTS_APART)
    flooder = Flooder(FloodTarget(orders, snapshots, int(http_port), source), account)
    step = flooder.prepared(kind)
    print("ready", flush=True)
    going = False
    while True:
        if select.select([sys.stdin], [], [], 0 if going else _REST_S)[0]:
            line = sys.stdin.readline()
            if not line:
                break
            going = line == "go\n"
        if going:
            step()
    print(flooder.sent, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
