"""The clients of `bench/stalled.py`: a crowd of subscribers, and one client of everything, which is
stopped at times. Each is a process of its own.

    python -m bench.audience crowd FEED SUBSCRIBERS
    python -m bench.audience follower FEED SNAPSHOTS ORDERS ACCOUNT

Both print "ready" once the feed arrives, run until their input ends, then write one msgpack
report to their output.
"""

import contextlib
import gc
import select
import subprocess
import sys
import time
from array import array
from pathlib import Path
from typing import Self

import msgspec
import zmq
from msgspec import Struct

from crossbook.client.market_data import MarketData
from crossbook.common.following.feed_topic import FeedCounters
from crossbook.common.messages import codec, entry, feed
from crossbook.common.process import sockets
from crossbook.common.types import RejectReason

REPOSITORY = Path(__file__).resolve().parent.parent
SYMBOLS = ("BTC-USDT", "ETH-USDT", "SOL-USDT", "BTC-USD")
"""The first four instruments: those the load trades."""

READY_SECONDS = 15.0
STOP_SECONDS = 30.0
LEVEL_SECONDS = 10.0
"""Time for the follower to be current with the feed at the end."""

PING_SECONDS = 0.2
Levels = list[tuple[int, int]]


class CrowdArrivals(Struct, array_like=True):
    """The crowd's messages: sequence numbers and arrival times (monotonic ns) of every best bid
    and offer at every subscriber, as bytes of two arrays of int64."""

    seqs: bytes
    times_ns: bytes
    messages: int
    lost: int
    """Messages missing by the topics' own numbering, over all subscribers."""


class Followed(Struct, array_like=True):
    """The result of the client that was stopped at times."""

    counters: FeedCounters
    gap_ns: list[int]
    """When its market data was first known to miss something, each time (monotonic ns)."""
    whole_ns: list[int]
    """When nothing was missing any more."""
    cut_off_ns: list[int]
    """When its order-entry session was answered NOT_LOGGED_ON."""
    executions: int
    books: dict[str, tuple[Levels, Levels]]
    """Bids and asks at the end."""


class AudienceProcess:
    """One of the two, seen from the process that measures."""

    def __init__(self, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, *arguments],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.pid = self._process.pid
        assert self._process.stdout is not None, "no pipe"
        if self._process.stdout.readline() != b"ready\n":
            self._process.wait(STOP_SECONDS)
            raise TimeoutError(f"{arguments[0]} received nothing")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def stop(self) -> bytes:
        """End it and read its report."""
        out, _ = self._process.communicate(timeout=STOP_SECONDS)
        return out


def crowd(address: str, count: int) -> CrowdArrivals:
    """Subscribe `count` times, each to one instrument's book, best prices and trades."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    sockets.allow_many_sockets(context)
    subscribers = [sockets.feed_sub(context, address) for _ in range(count)]
    for place, subscriber in enumerate(subscribers):
        for channel in ("l2", "bbo", "trade"):
            name = feed.topic(channel, SYMBOLS[place % len(SYMBOLS)])
            subscriber.setsockopt(zmq.SUBSCRIBE, name.encode())
        subscriber.setsockopt(zmq.SUBSCRIBE, feed.HEARTBEAT_TOPIC.encode())
    deadline = time.monotonic() + READY_SECONDS
    for subscriber in subscribers:
        if not subscriber.poll(max(0, round((deadline - time.monotonic()) * 1000))):
            raise SystemExit(f"nothing on the feed {address} in {READY_SECONDS} s")
    _print_ready()
    arrivals = _listen(subscribers)
    context.destroy(linger=0)
    return arrivals


def _listen(subscribers: "list[zmq.Socket[bytes]]") -> CrowdArrivals:
    seqs, times = array("q"), array("q")
    last: list[dict[bytes, int]] = [{} for _ in subscribers]
    messages = lost = 0
    now, decode = time.monotonic_ns, codec.decode_feed
    with select.epoll() as poll:
        stop = sys.stdin.fileno()
        poll.register(stop, select.EPOLLIN | select.EPOLLHUP)
        places = {int(each.getsockopt(zmq.FD)): place for place, each in enumerate(subscribers)}
        for fd in places:
            poll.register(fd, select.EPOLLIN)
        ready = list(places)
        while stop not in ready:
            for fd in ready:
                place = places[fd]
                receive, numbers = subscribers[place].recv_multipart, last[place]
                with contextlib.suppress(zmq.Again):
                    while True:
                        topic, number, payload = receive(zmq.NOBLOCK)
                        moment = now()
                        messages += 1
                        position = int.from_bytes(number, "big")
                        lost += max(0, position - numbers.get(topic, position - 1) - 1)
                        numbers[topic] = position
                        if topic.startswith(b"bbo."):
                            message = decode(payload)
                            assert isinstance(message, feed.BestBidOffer)
                            seqs.append(message.seq)
                            times.append(moment)
            ready = [fd for fd, _ in poll.poll()]
    return CrowdArrivals(seqs.tobytes(), times.tobytes(), messages, lost)


class Follower:
    """Follows all channels of all traded instruments, and has a session of an account that the load
    trades for: it receives every report of the load's orders and fills."""

    def __init__(self, feed_address: str, snapshots: str, orders: str, account: int) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._market = MarketData(
            feed_address, snapshots, SYMBOLS, ("trade", "bbo", "l2", "l3"), self._context
        )
        self._orders = sockets.orders_dealer(self._context, orders)
        self._account = account
        self._token = bytes(entry.TOKEN_BYTES)
        self._request_seq = 0
        self._ping_due = 0.0
        self._gap_ns: list[int] = []
        self._whole_ns: list[int] = []
        self._cut_off_ns: list[int] = []
        self._executions = 0

    def run(self) -> Followed:
        """Follow until the input ends, then until current with the feed; returns the result."""
        self._market.wait_ready(READY_SECONDS)
        self._send(entry.Logon(0, self._account))
        while not any(self._token):
            self._step()
        _print_ready()
        while not select.select([sys.stdin], [], [], 0)[0]:
            self._step()
        deadline = time.monotonic() + LEVEL_SECONDS
        level_since = time.monotonic()
        while time.monotonic() < min(deadline, level_since + 0.5):
            if self._step():
                level_since = time.monotonic()
        books = {symbol: self._market.book(symbol) for symbol in SYMBOLS}
        followed = Followed(
            self._market.counters,
            self._gap_ns,
            self._whole_ns,
            self._cut_off_ns,
            self._executions,
            {symbol: (book.bids(), book.asks()) for symbol, book in books.items()},
        )
        self._market.close()
        self._context.destroy(linger=0)
        return followed

    def _step(self) -> bool:
        """Read what has arrived; whether it was more than heartbeats, or something is missing."""
        gaps = self._market.counters.gaps
        updates = self._market.receive(0.02)
        if self._market.counters.gaps > gaps and len(self._gap_ns) == len(self._whole_ns):
            self._gap_ns.append(time.monotonic_ns())
        if self._market.ready and len(self._gap_ns) > len(self._whole_ns):
            self._whole_ns.append(time.monotonic_ns())
        with contextlib.suppress(zmq.Again):
            while True:
                for reply in codec.decode_replies(self._orders.recv(zmq.NOBLOCK)):
                    self._receive(reply)
        if any(self._token) and time.monotonic() >= self._ping_due:
            self._ping_due = time.monotonic() + PING_SECONDS
            self._send(entry.Ping(0))
        changed = any(not isinstance(update, feed.Heartbeat) for update in updates)
        return changed or not self._market.ready

    def _receive(self, reply: entry.Reply) -> None:
        if isinstance(reply, entry.Welcome):
            self._token = reply.token.to_bytes(entry.TOKEN_BYTES, "big")
        elif isinstance(reply, entry.Execution):
            self._executions += 1
        elif isinstance(reply, entry.Reject) and any(self._token):
            assert reply.reason == RejectReason.NOT_LOGGED_ON, reply
            self._cut_off_ns.append(time.monotonic_ns())
            self._token = bytes(entry.TOKEN_BYTES)
            self._send(entry.Logon(0, self._account))

    def _send(self, request: entry.Request) -> None:
        self._orders.send(self._token + codec.encode(request))


def _print_ready() -> None:
    sys.stdout.buffer.write(b"ready\n")
    sys.stdout.buffer.flush()
    gc.collect()
    gc.freeze()
    gc.disable()


def main(kind: str, *arguments: str) -> None:
    """Run one of the two to its end and write its report."""
    report: CrowdArrivals | Followed
    if kind == "crowd":
        address, count = arguments
        report = crowd(address, int(count))
    else:
        feed_address, snapshots, orders, account = arguments
        report = Follower(feed_address, snapshots, orders, int(account)).run()
    sys.stdout.buffer.write(msgspec.msgpack.encode(report))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
