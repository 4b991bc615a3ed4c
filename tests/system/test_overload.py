"""Far more requests than capacity, and feeds that lose messages: bounded, answered, recovered."""

import random
import time
from typing import Any, Final

import psutil
import pytest

from crossbook.client.market_data import MarketData
from crossbook.common.messages.codec import decode_feed
from crossbook.common.messages.feed import DepthUpdate, OrdersUpdate
from crossbook.common.types import Side
from tests.crash.load import SYMBOLS
from tests.crash.world import CrashWorld, percentile
from tests.system.exchange import PROCESSES

SEED: Final = 20_251_026
QUEUE: Final = 32
NO_LIMIT: Final = 1e6
"""Commands a second: more than the queue can hold."""

MEMORY_MB_MAX: Final = 150.0
"""Most that a process may grow under load; the retry window alone has 65,536 orders."""

LATENCY_MS_MAX: Final = 250.0
LOSS: Final = 0.05
SUBSCRIBERS: Final = 4
ROUNDS: Final = 4
ROUND_SECONDS: Final = 1.0
RECOVERY_MS_MAX: Final = 1_000.0


class MemoryGrowth:
    """Resident megabytes of the processes, and the most each has grown since its start."""

    def __init__(self, world: CrashWorld) -> None:
        self._world = world
        self._first: dict[int, float] = {}
        self.grown_mb = dict.fromkeys(PROCESSES, 0.0)
        self._due = 0.0

    def __call__(self) -> None:
        """Sample a few times a second."""
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + 0.2
        for name, process in self._world.exchange.processes.items():
            resident = psutil.Process(process.pid).memory_info().rss / 2**20
            grown = resident - self._first.setdefault(process.pid, resident)
            self.grown_mb[name] = max(self.grown_mb[name], grown)


def overload(seconds: float) -> str:
    """Send far too many requests, kill the matcher in the middle, check everything; returns the
    figures."""
    world = CrashWorld(
        SEED,
        "python -m pytest tests/system/test_overload.py",
        NO_LIMIT,
        ORDER_QUEUE_SIZE=str(QUEUE),
    )
    try:
        memory = MemoryGrowth(world)
        clients = world.load.clients
        world.load.companions.append(memory)
        p99_ms = []
        for half in range(2):
            if half:
                world.kill("matcher")
                world.start_and_serve("matcher")
                world.run(0.5)
            for client in clients:
                client.measure_anew()
            world.run(seconds / 2)
            latencies = [ms for client in clients for ms in client.latencies_ms]
            assert len(latencies) > 100, "hardly anything was admitted"
            p99_ms.append(percentile(latencies, 0.99))
        busy = sum(client.busy for client in clients)
        world.settle()
        assert busy > 100, "that was no overload"
        assert max(memory.grown_mb.values()) < MEMORY_MB_MAX, memory.grown_mb
        assert max(p99_ms) < LATENCY_MS_MAX, p99_ms
        grown = ", ".join(f"{name} {mb:.0f} MB" for name, mb in memory.grown_mb.items())
        return (
            f"{world.truth.seq:,} commands done, {busy:,} refused with BUSY; p99 of the admitted "
            f"{p99_ms[0]:.1f} ms before and {p99_ms[1]:.1f} ms after the kill; grown by {grown}"
        )
    finally:
        world.close()


def test_overload_is_refused_bounded_and_survives_a_kill() -> None:
    print(overload(3.0))


@pytest.mark.slow
def test_a_minute_of_overload_is_refused_bounded_and_survives_a_kill() -> None:
    print(overload(60.0))


class LossySubscriber:
    """A subscriber that loses some of the feed; it keeps the time of each recovery."""

    def __init__(self, world: CrashWorld, seed: str) -> None:
        self.market = MarketData(
            world.exchange.feed, world.exchange.snapshots, SYMBOLS, ("l2", "l3", "trade")
        )
        self._chance = random.Random(seed)
        self._lost: list[tuple[float, str, bool, int]] = []
        self._joined = time.monotonic()
        self.join_ms = 0.0
        self.mended_ms: list[float] = []
        self.dropped = 0
        follower: Any = self.market.group.followers[0]
        self._on_feed = follower.on_feed
        follower.on_feed = self._receive

    def __call__(self) -> None:
        """Receive waiting messages."""
        self.market.poll(0.0)
        if not self.join_ms and self.market.ready:
            self.join_ms = (time.monotonic() - self._joined) * 1e3
        left = []
        for loss in self._lost:
            when, symbol, by_order, seq = loss
            book = self.market.book(symbol)
            at = book.orders_seq if by_order else book.seq
            if self.market.ready and at >= seq:
                self.mended_ms.append((time.monotonic() - when) * 1e3)
            else:
                left.append(loss)
        self._lost = left

    @property
    def is_whole(self) -> bool:
        """Whether every loss has been mended."""
        return self.market.ready and not self._lost

    def forgive(self) -> None:
        """Forget the losses before this instant, because the publisher was killed."""
        self._lost.clear()

    def _receive(self, name: bytes, seq: int, payload: bytes) -> None:
        if self._chance.random() >= LOSS:
            self._on_feed(name, seq, payload)
            return
        self.dropped += 1
        message = decode_feed(payload)
        if isinstance(message, DepthUpdate | OrdersUpdate) and self.join_ms:
            by_order = isinstance(message, OrdersUpdate)
            self._lost.append((time.monotonic(), message.symbol, by_order, message.seq))


def check_equal(world: CrashWorld, subscribers: list[LossySubscriber]) -> None:
    """Let everything drain; then every subscriber has the matcher's books."""
    world.settle()
    for client in world.load.clients:
        client.quiet = True
    books = {book.instrument: book for book in world.matcher_books().books}
    for place, symbol in enumerate(SYMBOLS):
        book = books[place + 1]
        orders = [
            [(order.order_id, order.price_ticks, order.shown_lots) for order in side]
            for side in (book.bids, book.asks)
        ]
        for subscriber in subscribers:

            def equal(market: MarketData = subscriber.market, symbol: str = symbol) -> bool:
                depth = market.orders(symbol)
                local = market.book(symbol)
                return (
                    [list(depth.orders(side)) for side in (Side.BUY, Side.SELL)] == orders  # noqa: B023
                    and local.bids() == depth.depth.levels(Side.BUY)
                    and local.asks() == depth.depth.levels(Side.SELL)
                )

            world.run_until(f"a subscriber's book of {symbol} is the matcher's", equal, 10.0)
    for client in world.load.clients:
        client.quiet = False


def test_every_subscriber_recovers_from_loss_late_joining_and_restarts() -> None:
    world = CrashWorld(
        SEED, "python -m pytest tests/system/test_overload.py", 800.0, HEARTBEAT_MS="500"
    )
    subscribers: list[LossySubscriber] = []
    restarts_ms: list[float] = []
    try:
        for turn in range(ROUNDS):
            for late in range(SUBSCRIBERS // (1 + (turn > 0))):
                subscribers.append(LossySubscriber(world, f"{SEED}/{turn}/{late}"))
                world.load.companions.append(subscribers[-1])
            world.run(ROUND_SECONDS)
            if turn % 2:
                world.kill("publisher")
                for subscriber in subscribers:
                    subscriber.forgive()
                began = time.monotonic()
                world.start_and_serve("publisher")
                world.run_until(
                    "all have books again", lambda: all(s.market.ready for s in subscribers), 10.0
                )
                restarts_ms.append((time.monotonic() - began) * 1e3)
                world.run(ROUND_SECONDS / 2)
            check_equal(world, subscribers)
            world.run_until("all is mended", lambda: all(s.is_whole for s in subscribers), 10.0)
        mended = [ms for subscriber in subscribers for ms in subscriber.mended_ms]
        joined = [subscriber.join_ms for subscriber in subscribers]
        p99_ms = percentile(mended, 0.99)
        print(
            f"{sum(s.dropped for s in subscribers):,} messages dropped at {len(subscribers)} "
            f"subscribers: mended in {percentile(mended, 0.5):.0f} ms, p99 {p99_ms:.0f} ms, at "
            f"most {max(mended):.0f} ms; late joiners have books after at most {max(joined):.0f} "
            f"ms; a publisher killed and started again: all have books after "
            f"{max(restarts_ms):.0f} ms"
        )
        assert len(mended) > 200, "hardly anything was lost"
        assert p99_ms < RECOVERY_MS_MAX
        assert max(joined) < RECOVERY_MS_MAX
    finally:
        for subscriber in subscribers:
            subscriber.market.close()
        world.close()
