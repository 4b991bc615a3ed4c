"""Many WebSocket clients of one instrument in one process, each checked, for `bench websocket`.

    python -m bench.websocket_crowd REPORT PORT SYMBOL CLIENTS [FEED]

It prints "ready" when all have their first book (and, with FEED, when the ZeroMQ feed arrives as
well), measures from the first line of its input to the end of it, then writes one msgpack
`CrowdResult` into the file REPORT.

Every message of every client is checked (`bench.websocket_messages`); a client is right when its
messages form a chain. The clients are bare sockets behind one epoll: this process stands for as
many machines, and the processor time that it uses is taken from the exchange.
"""

import gc
import os
import select
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from array import array
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Self

import msgspec
import zmq
from msgspec import Struct

from bench.machine import give_way
from bench.websocket_messages import BooksSeen, Piece
from crossbook.common.messages import feed
from crossbook.common.messages.codec import decode_feed
from crossbook.common.open_files import allow_open_files
from crossbook.common.process import sockets
from crossbook.common.process.scheduling import let_others_run
from crossbook.common.process.sockets import has_more

REPOSITORY: Final = Path(__file__).resolve().parent.parent
READY_SECONDS: Final = 120.0
STOP_SECONDS: Final = 60.0
CONNECTING_AT_ONCE: Final = 100
READ_AT_ONCE: Final = 500
"""Clients read in one round."""

YIELD_AFTER: Final = 50
"""Clients read before the processor is given to a waiting process, which the policy of processes
that give way does not ensure."""

READ_BYTES: Final = 65_536
WAIT_S: Final = 0.05
CROWD: Final = 1_000
PAUSE_S: Final = 0.002
"""From so many clients on, all are left alone for so long after each round: a reader that sleeps
until the next message makes its sender wake it for each. Arrivals count as late as that."""

_HANDSHAKE: Final = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Version: 13\r\n\r\n"
)
_PONG: Final = b"\x8a\x80" + bytes(4)
"""Masked, with nothing in it."""


class CrowdResult(Struct, array_like=True):
    """The result of the clients. Times are int64 arrays of nanoseconds as bytes."""

    clients: int = 0
    dead: int = 0
    """Clients that were disconnected, or got no book update at all."""
    messages: int = 0
    updates: int = 0
    updates_fewest: int = 0
    updates_median: float = 0.0
    resyncs: int = 0
    broken_chains: int = 0
    """Updates that did not follow on the client's last."""
    wrong_books: int = 0
    """Messages whose book has not their checksum, or is not the book of that seq."""
    unchecked: int = 0
    seconds: float = 0.0
    from_event: bytes = b""
    """`ts` of a book update to its arrival, for each arrival."""
    from_first: bytes = b""
    """First arrival of a book update at any client to each arrival of it."""
    bbo_from_event: bytes = b""
    """The same from `ts` for best prices."""
    zeromq_bbo_from_event: bytes = b""
    """The same for messages received over ZeroMQ."""


class CrowdClient:
    """One client: its place in the chain, and how many updates it has had."""

    __slots__ = ("alive", "rest", "seq", "socket", "updates")

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.alive = False
        self.seq = 0
        self.updates = 0
        self.rest = b""
        """The beginning of a frame."""

    def shake_hands(self) -> bytes:
        """Read the server's answer; returns the bytes after it."""
        answer, end = b"", -1
        while end < 0:
            data = self.socket.recv(READ_BYTES)
            answer += data
            end = answer.find(b"\r\n\r\n")
            if not data or (end >= 0 and not answer.startswith(b"HTTP/1.1 101 ")):
                raise SystemExit(f"a handshake was answered with {answer[:200]!r}")
        self.socket.setblocking(False)
        self.alive = True
        return answer[end + 4 :]


def connect(port: int, path: str) -> CrowdClient:
    """A client that has requested a WebSocket."""
    connection = socket.create_connection(("127.0.0.1", port), READY_SECONDS)
    connection.sendall(_HANDSHAKE.format(path=path, port=port).encode())
    return CrowdClient(connection)


class Room:
    """All clients of this process and what they share."""

    def __init__(self, clients: int, source: "zmq.Socket[bytes] | None" = None) -> None:
        self.books = BooksSeen()
        self.crowd = CrowdResult(clients=clients)
        self.counting = False
        self.waiting = clients
        self.clients: dict[int, CrowdClient] = {}
        # Arrivals are kept as they are for the report: while clients read, time is the exchange's.
        self._pieces: list[Piece] = []
        self._times = array("q")
        self._zeromq_bbo = array("q")
        self._source = source
        self._poll = select.epoll()
        if source is not None:
            self._poll.register(source.fileno(), select.EPOLLIN)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._poll.close()
        for client in self.clients.values():
            client.socket.close()

    def enter(self, port: int, path: str) -> None:
        """Connect all, some at a time; returns when each has its first book."""
        missing = self.waiting
        while missing:
            coming = [connect(port, path) for _ in range(min(CONNECTING_AT_ONCE, missing))]
            missing -= len(coming)
            for client in coming:
                self.receive(client, client.shake_hands())
                self.add(client)
            self.work(0)
        deadline = time.monotonic() + READY_SECONDS
        while self.waiting:
            if time.monotonic() > deadline:
                raise SystemExit(f"{self.waiting} clients without a book")
            self.work(WAIT_S)

    def add(self, client: CrowdClient) -> None:
        """Read from a client whenever it has received something."""
        self.clients[client.socket.fileno()] = client
        self._poll.register(client.socket, select.EPOLLIN | select.EPOLLET)

    def attend(self) -> float:
        """Count from the first line of the standard input to its end; the seconds between."""
        begun, line = 0.0, sys.stdin.fileno()
        self._poll.register(line, select.EPOLLIN)
        pause_s = PAUSE_S if len(self.clients) >= CROWD else 0.0
        while True:
            if line in self.work(WAIT_S):
                if not os.read(line, READ_BYTES):
                    self.counting = False
                    return time.monotonic() - begun
                self.counting, begun = True, time.monotonic()
            if pause_s:
                time.sleep(pause_s)

    def work(self, wait_s: float) -> list[int]:
        """Wait for input and read it; returns the descriptors that are not of clients."""
        others = []
        for turn, (fd, _) in enumerate(self._poll.poll(wait_s, READ_AT_ONCE), 1):
            client = self.clients.get(fd)
            if client is not None:
                self._read(client)
                if turn % YIELD_AFTER == 0:
                    let_others_run()
            else:
                others.append(fd)
        if self._source is not None:
            self._receive(self._source)
        return others

    def receive(self, client: CrowdClient, data: bytes) -> None:
        """Apply the bytes that one client has received."""
        now_ns = time.time_ns()
        piece, client.rest = self.books.piece(client.rest + data if client.rest else data)
        if not piece.plain:
            self._heed(client, piece)
        elif piece.updates:
            if piece.prev_seq != client.seq:
                self.crowd.broken_chains += 1
            client.seq = piece.seq
        if self.counting:
            client.updates += piece.updates
            self._pieces.append(piece)
            self._times.append(now_ns)

    def _heed(self, client: CrowdClient, piece: Piece) -> None:
        """Check each message of a client."""
        for kind, seq, prev_seq, _ in piece.facts:
            if kind == "l2_update":
                if prev_seq != client.seq:
                    self.crowd.broken_chains += 1
                client.seq = seq
            elif kind == "snapshot":
                if not client.seq:
                    self.waiting -= 1
                client.seq = seq
            elif kind == "resync":
                self.crowd.resyncs += 1
            elif kind == "ping":
                client.socket.send(_PONG)
            elif kind == "close":
                client.alive = False

    def _read(self, client: CrowdClient) -> None:
        """Read all that has arrived: fewer bytes than requested are the last ones."""
        data = None
        while data is None or len(data) == READ_BYTES:
            try:
                data = client.socket.recv(READ_BYTES)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                client.alive = False
                return
            self.receive(client, data)

    def _receive(self, source: "zmq.Socket[bytes]") -> None:
        """Read the messages of the ZeroMQ feed."""
        while has_more(source):
            payload = source.recv_multipart()[2]
            message = decode_feed(payload)
            now_ns = time.time_ns()
            if isinstance(message, feed.BestBidOffer) and self.counting:
                self._zeromq_bbo.append(now_ns - message.time_ns)

    def close(self, seconds: float) -> CrowdResult:
        """The report."""
        crowd = self.crowd
        clients = self.clients.values()
        updates = [client.updates for client in clients]
        crowd.seconds = seconds
        crowd.dead = sum(not (client.alive and client.updates) for client in clients)
        crowd.updates = sum(updates)
        crowd.updates_fewest = min(updates, default=0)
        crowd.updates_median = statistics.median(updates) if updates else 0.0
        crowd.wrong_books, crowd.unchecked = self.books.wrong, self.books.unchecked
        crowd.zeromq_bbo_from_event = self._zeromq_bbo.tobytes()
        self._report_arrivals()
        return crowd

    def _report_arrivals(self) -> None:
        first: dict[int, int] = {}
        from_event, from_first, bbo = array("q"), array("q"), array("q")
        for piece, now_ns in zip(self._pieces, self._times, strict=True):
            for kind, seq, _, ts in piece.facts:
                if kind == "l2_update":
                    from_event.append(now_ns - ts * 1000)
                    from_first.append(now_ns - first.setdefault(seq, now_ns))
                elif kind == "bbo":
                    bbo.append(now_ns - ts * 1000)
                self.crowd.messages += kind not in ("ping", "close")
        self.crowd.from_event = from_event.tobytes()
        self.crowd.from_first = from_first.tobytes()
        self.crowd.bbo_from_event = bbo.tobytes()


def _run(port: int, symbol: str, clients: int, address: str) -> CrowdResult:
    with ExitStack() as stack:
        source = None
        if address:
            context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
            stack.callback(context.destroy, linger=0)
            source = sockets.feed_sub(context, address)
            source.setsockopt(zmq.SUBSCRIBE, feed.topic("bbo", symbol).encode())
        room = stack.enter_context(Room(clients, source))
        room.enter(port, f"/ws/market-data/{symbol}")
        sys.stdout.buffer.write(b"ready\n")
        sys.stdout.buffer.flush()
        gc.collect()
        gc.freeze()
        gc.disable()
        return room.close(room.attend())


class CrowdProcess:
    """The process above, seen from the one that measures."""

    def __init__(self, port: int, symbol: str, clients: int, feed_address: str = "") -> None:
        # The report is megabytes; the pipe only signals that all are ready.
        self._folder = tempfile.TemporaryDirectory(prefix="crossbook-crowd-")
        self._report = Path(self._folder.name) / "report"
        self._process = subprocess.Popen(
            [
                sys.executable, "-m", __name__,
                str(self._report), str(port), symbol, str(clients), feed_address,
            ],
            cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self.pid = self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()
        self._folder.cleanup()

    def wait_ready(self) -> None:
        """Return when every client has a book."""
        assert self._process.stdout is not None, "no pipe"
        if self._process.stdout.readline() != b"ready\n":
            self._process.wait(STOP_SECONDS)
            raise TimeoutError("the crowd did not connect")

    def go(self) -> None:
        """Count from now on."""
        assert self._process.stdin is not None, "no pipe"
        self._process.stdin.write(b"go\n")
        self._process.stdin.flush()

    def stop(self) -> CrowdResult:
        """End it and read its report."""
        self._process.communicate(timeout=STOP_SECONDS)
        if self._process.returncode:
            raise RuntimeError(f"a crowd ended with status {self._process.returncode}")
        return msgspec.msgpack.decode(self._report.read_bytes(), type=CrowdResult)


def main(path: str, port: str, symbol: str, clients: str, address: str = "") -> None:
    """Run the crowd to its end and write its report."""
    if int(clients) >= CROWD:
        # Real clients are on other machines: these give way to the exchange.
        give_way()
    allow_open_files(int(clients))
    report = _run(int(port), symbol, int(clients), address)
    Path(path).write_bytes(msgspec.msgpack.encode(report))


if __name__ == "__main__":
    main(*sys.argv[1:])
