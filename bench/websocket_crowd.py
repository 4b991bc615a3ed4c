"""Many WebSocket clients of one instrument in one process, each checked, for `bench websocket`.

    python -m bench.websocket_crowd REPORT PORT SYMBOL CLIENTS [FEED]

It prints "ready" when all have their first book (and, with FEED, when the ZeroMQ feed is heard as
well), measures from the first line of its input to the end of it, then writes one msgpack `Crowd`
into the file REPORT.

Every message of every client is looked at. Most are the same bytes for all clients, so each
different one is decoded and applied once, to a copy of the book at its `prev_seq`; a client is
right when its own messages form a chain of such.
"""

import asyncio
import gc
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from array import array
from binascii import crc32
from operator import itemgetter
from pathlib import Path
from typing import Any, Final, Self

import msgspec
import uvloop
import zmq
from msgspec import Struct
from picows import WSFrame, WSListener, WSTransport, ws_connect

from bench.machine import give_way
from common import feed, sockets
from common.codec import decode_feed
from common.sockets import has_more

REPOSITORY: Final = Path(__file__).resolve().parent.parent
READY_SECONDS: Final = 120.0
STOP_SECONDS: Final = 60.0
CONNECTING_AT_ONCE: Final = 100
BOOKS_KEPT: Final = 2_000
"""Books, by their seq, against which messages can be checked."""

Fact = tuple[str, int, int, int]
"""Type, seq, prev_seq and ts of a message."""


class Crowd(Struct, array_like=True):
    """What became of the clients. Times are int64 arrays of nanoseconds as bytes."""

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
    """And for those heard over ZeroMQ."""


class Books:
    """Decodes each different message once and checks it against the books known."""

    def __init__(self) -> None:
        self.wrong = 0
        self.unchecked = 0
        self._facts: dict[bytes, Fact] = {}
        self._books: dict[int, tuple[dict[str, str], dict[str, str]]] = {}
        self.first: dict[int, int] = {}
        """Book seq -> its first arrival."""

    def fact(self, payload: bytes) -> Fact:
        """What a client needs to know of a message."""
        fact = self._facts.get(payload)
        if fact is None:
            if len(self._facts) > 4 * BOOKS_KEPT:
                self._facts.clear()
            message = msgspec.json.decode(payload)
            fact = (
                message["type"], message.get("seq", 0),
                message.get("prev_seq", 0), message.get("ts", 0),
            )  # fmt: skip
            self._facts[payload] = fact
            if fact[0] in ("snapshot", "l2_update"):
                self._check(message)
        return fact

    def _check(self, message: dict[str, Any]) -> None:
        seq = message["seq"]
        bids: dict[str, str] = {}
        asks: dict[str, str] = {}
        if message["type"] == "l2_update":
            known = self._books.get(message["prev_seq"])
            if known is None:
                self.unchecked += 1
                return
            bids, asks = dict(known[0]), dict(known[1])
        for book, changes in ((bids, message["bids"]), (asks, message["asks"])):
            for price, quantity in changes:
                if quantity == "0":
                    book.pop(price, None)
                else:
                    book[price] = quantity
        if checksum(bids, asks) != message["checksum"] or self._books.get(seq, (bids, asks)) != (
            bids,
            asks,
        ):
            self.wrong += 1
        self._books[seq] = (bids, asks)
        if len(self._books) > BOOKS_KEPT:
            del self._books[next(iter(self._books))]


def checksum(bids: dict[str, str], asks: dict[str, str]) -> int:
    """Kraken's checksum of the top ten levels a side."""

    def top(book: dict[str, str], reverse: bool) -> list[tuple[int, str, str]]:
        keyed = [(int(price.replace(".", "")), price, lots) for price, lots in book.items()]
        return sorted(keyed, key=itemgetter(0), reverse=reverse)[:10]

    text = "".join(
        price.replace(".", "").lstrip("0") + quantity.replace(".", "").lstrip("0")
        for _, price, quantity in top(asks, False) + top(bids, True)
    )
    return crc32(text.encode())


class Client(WSListener):
    """One client: its place in the chain, and how many updates it has had."""

    def __init__(self, room: "Room") -> None:
        super().__init__()
        self._room = room
        self.alive = False
        self.seq = 0
        self.updates = 0

    def on_ws_connected(self, transport: WSTransport) -> None:
        """The handshake is done."""
        self.transport = transport
        self.alive = True

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """The connection is gone."""
        self.alive = False

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """One message."""
        now_ns = time.time_ns()
        room = self._room
        kind, seq, prev_seq, ts = room.books.fact(frame.get_payload_as_bytes())
        counting = room.counting
        if kind == "l2_update":
            if prev_seq != self.seq:
                room.crowd.broken_chains += 1
            self.seq = seq
            if counting:
                self.updates += 1
                room.from_event.append(now_ns - ts * 1000)
                room.from_first.append(now_ns - room.books.first.setdefault(seq, now_ns))
        elif kind == "bbo":
            if counting:
                room.bbo.append(now_ns - ts * 1000)
        elif kind == "snapshot":
            if not self.seq:
                room.waiting -= 1
            self.seq = seq
        elif kind == "resync":
            room.crowd.resyncs += 1
        if counting:
            room.crowd.messages += 1


class Room:
    """All clients of this process and what they share."""

    def __init__(self, clients: int) -> None:
        self.books = Books()
        self.crowd = Crowd(clients=clients)
        self.counting = False
        self.waiting = clients
        self.clients = [Client(self) for _ in range(clients)]
        self.from_event, self.from_first = array("q"), array("q")
        self.bbo, self.zeromq_bbo = array("q"), array("q")

    async def enter(self, url: str) -> None:
        """Connect all, some at a time."""
        gate = asyncio.Semaphore(CONNECTING_AT_ONCE)

        async def connect(client: Client) -> None:
            async with gate:
                await ws_connect(lambda: client, url, websocket_handshake_timeout=READY_SECONDS)

        await asyncio.gather(*(connect(client) for client in self.clients))
        deadline = time.monotonic() + READY_SECONDS
        while self.waiting:
            if time.monotonic() > deadline:
                raise SystemExit(f"{self.waiting} clients without a book at {url}")
            await asyncio.sleep(0.05)

    def hear(self, source: "zmq.Socket[bytes]") -> None:
        """Take what the ZeroMQ feed has brought."""
        while has_more(source):
            payload = source.recv_multipart()[2]
            message = decode_feed(payload)
            now_ns = time.time_ns()
            if isinstance(message, feed.BestBidOffer) and self.counting:
                self.zeromq_bbo.append(now_ns - message.time_ns)

    def close(self, seconds: float) -> Crowd:
        """The report."""
        crowd = self.crowd
        updates = [client.updates for client in self.clients]
        crowd.seconds = seconds
        crowd.dead = sum(not (client.alive and client.updates) for client in self.clients)
        crowd.updates = sum(updates)
        crowd.updates_fewest = min(updates, default=0)
        crowd.updates_median = statistics.median(updates) if updates else 0.0
        crowd.wrong_books, crowd.unchecked = self.books.wrong, self.books.unchecked
        crowd.from_event = self.from_event.tobytes()
        crowd.from_first = self.from_first.tobytes()
        crowd.bbo_from_event = self.bbo.tobytes()
        crowd.zeromq_bbo_from_event = self.zeromq_bbo.tobytes()
        return crowd


async def _run(port: int, symbol: str, clients: int, address: str) -> Crowd:
    room = Room(clients)
    loop = asyncio.get_running_loop()
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    if address:
        source = sockets.feed_sub(context, address)
        source.setsockopt(zmq.SUBSCRIBE, feed.topic("bbo", symbol).encode())
        loop.add_reader(source.fileno(), room.hear, source)

        def look_again() -> None:
            room.hear(source)
            loop.call_later(0.05, look_again)

        look_again()
    await room.enter(f"ws://127.0.0.1:{port}/ws/market-data/{symbol}")
    sys.stdout.buffer.write(b"ready\n")
    sys.stdout.buffer.flush()
    gc.collect()
    gc.freeze()
    gc.disable()
    await loop.run_in_executor(None, sys.stdin.readline)
    room.counting, begun = True, time.monotonic()
    await loop.run_in_executor(None, sys.stdin.read)
    room.counting = False
    report = room.close(time.monotonic() - begun)
    context.destroy(linger=0)
    return report


class CrowdProcess:
    """The process above, seen from the one that measures."""

    def __init__(self, port: int, symbol: str, clients: int, feed_address: str = "") -> None:
        # Megabytes written to a pipe behind uvloop have arrived cut short, now and then; in a
        # file they never have.
        self._folder = tempfile.TemporaryDirectory(prefix="crossbook-crowd-")
        self._report = Path(self._folder.name) / "report"
        self._process = subprocess.Popen(
            [
                sys.executable, "-m", "bench.websocket_crowd",
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
            raise TimeoutError("the crowd did not come in")

    def go(self) -> None:
        """Count from now on."""
        assert self._process.stdin is not None, "no pipe"
        self._process.stdin.write(b"go\n")
        self._process.stdin.flush()

    def stop(self) -> Crowd:
        """End it and take its report."""
        self._process.communicate(timeout=STOP_SECONDS)
        if self._process.returncode:
            raise RuntimeError(f"a crowd ended with status {self._process.returncode}")
        return msgspec.msgpack.decode(self._report.read_bytes(), type=Crowd)


def main(path: str, port: str, symbol: str, clients: str, address: str = "") -> None:
    """Run the crowd to its end and write its report."""
    # Clients are elsewhere: they should not take the exchange's processors from it.
    give_way()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    report = uvloop.run(_run(int(port), symbol, int(clients), address))
    Path(path).write_bytes(msgspec.msgpack.encode(report))


if __name__ == "__main__":
    main(*sys.argv[1:])
