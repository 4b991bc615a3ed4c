"""An exchange under load whose processes die and start again, and the check of the result."""

import random
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Final

import zmq

from crossbook.common.instruments_file import load_instruments
from crossbook.common.messages import codec, feed, matcher_queries
from crossbook.common.process import sockets
from crossbook.common.types import Side
from tests.crash.history import faults
from tests.crash.load import SYMBOLS, CrashLoad
from tests.crash.truth import Truth
from tests.system.exchange import PROCESSES, REPOSITORY, Exchange

INSTRUMENTS = load_instruments(REPOSITORY / "instruments.toml")
SETTINGS: Final = {
    "JOURNAL_SEGMENT_MB": "1",
    "SNAPSHOT_EVERY": "1000",
    "EVENT_HISTORY_MB": "1",
}
"""Segments and snapshots small enough that many begin and end under load."""

POINTS: Final = (
    ("matcher", "matcher.received"),
    ("matcher", "matcher.half_written"),
    ("matcher", "matcher.written"),
    ("matcher", "matcher.synced"),
    ("matcher", "matcher.published"),
    ("matcher", "matcher.snapshot_started"),
    ("matcher", "matcher.snapshot_half"),
    ("matcher", "matcher.snapshot_written"),
    ("matcher", "matcher.between_segments"),
    ("matcher", "matcher.recovering"),
    ("gateway", "gateway.received"),
    ("gateway", "gateway.forwarded"),
    ("gateway", "gateway.reported"),
    ("publisher", "publisher.taken"),
    ("publisher", "publisher.published"),
)
"""Every process with a named point at which it can be made to kill itself."""

RARE: Final = {point for _, point in POINTS if "snapshot" in point or "segments" in point} | {
    "matcher.recovering"
}
"""Points that a process does not reach many times within seconds."""

IN_CHILD: Final = "matcher.snapshot_half"
"""The one point in a child process: the matcher itself survives it."""

RUSH: Final = 4_000.0
"""New commands a second during the wait for a death."""

DEATH_SECONDS = 30.0
SETTLE_SECONDS = 30.0
TRADES_SECONDS = 2.0
SERVICE_SECONDS = 20.0
Orders = list[tuple[int, int, int]]


class CheckFailed(AssertionError):  # noqa: N818 - names an event
    """A broken promise; the text names it, with the command that repeats the run, and the logs."""


class CrashWorld:
    """One exchange, its load, and the truth about it. `command` repeats this run.

    `kills` counts processes that died, `recovery_ms` has for each process how long it took from
    its start to the first answer (or feed message) that proves it serves.
    """

    def __init__(self, seed: int, command: str, rate: float = 1_000.0, **settings: str) -> None:
        self._repeat = f"seed {seed}; repeat with: {command}"
        self.kills = 0
        self.recovery_ms: dict[str, list[float]] = {name: [] for name in PROCESSES}
        self.exchange = Exchange(ready=True, **{**SETTINGS, **settings})
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        with ExitStack() as opened:
            opened.callback(self._context.destroy, linger=0)
            opened.enter_context(self.exchange)
            self.truth = Truth(INSTRUMENTS)
            self.load = CrashLoad(self.exchange, seed, rate)
            opened.callback(self.load.close)
            self.run_until("every client trades", lambda: self._all_acknowledged(), 10.0)
            self._opened = opened.pop_all()

    def close(self) -> None:
        """End the processes and close the clients."""
        self._opened.close()

    def run(self, seconds: float) -> None:
        """Let the load go on."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.load.step()

    def run_until(self, goal: str, condition: Callable[[], bool], seconds: float) -> None:
        """Let the load go on until `condition` holds."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise self._failed([f"{goal}: not in {seconds} s"])
            self.load.step()

    def kill(self, name: str) -> None:
        """kill -9 one process at this instant."""
        self.exchange.kill(name)
        self._count(name)

    def await_death(self, name: str) -> None:
        """Let the load go on until the process has killed itself."""
        status: list[int | None] = []

        def died() -> bool:
            status[:] = [self.exchange.ended(name)]
            return status[0] is not None

        self.run_until(f"{name} dies", died, DEATH_SECONDS)
        if status != [-9]:
            raise self._failed([f"{name} ended with {status}"])
        self._count(name)

    def start(self, name: str, crash_at: str = "") -> None:
        """Start a process, to die at a named point when one is given."""
        self.exchange.start(name, **({"CROSSBOOK_CRASH_AT": crash_at} if crash_at else {}))

    def start_and_serve(self, *names: str) -> None:
        """Start processes and let the load go on until they serve."""
        began_ns = time.monotonic_ns()
        for name in names:
            self.start(name)
        for client in self.load.clients:
            client.await_ack()
        for name in names:
            self.run_until(f"{name} serves", lambda: self._served_ns(name) > began_ns,  # noqa: B023
                           SERVICE_SECONDS)  # fmt: skip
            if len(names) == 1:
                self.recovery_ms[name].append((self._served_ns(name) - began_ns) / 1e6)
        self.exchange.check_alive()

    def settle(self) -> None:
        """Let everything drain, then check it; raises `CheckFailed`. The load is quiet meanwhile.

        The messages of clients and the public feed must agree with the journal, and all books with
        the matcher's.
        """
        for client in self.load.clients:
            client.quiet = True
        self.run_until("all is answered", self.load.settled, SETTLE_SECONDS)
        books = self.matcher_books()
        for client in self.load.clients:
            client.ping()
        self.run_until(
            "all is received", lambda: self._all_have_received(books.seq), SETTLE_SECONDS
        )
        for client in self.load.clients:
            client.request_open_orders()
        self.run_until("orders are listed", self._all_have_listed, SETTLE_SECONDS)
        self.truth.read_journal(self.exchange.data)
        self._compare_books(books)
        self._await_trades()
        found = [] if self.truth.seq == books.seq else [f"journal ends with {self.truth.seq}"]
        found += faults((client.history for client in self.load.clients), self.truth,
                        self.load.public)  # fmt: skip
        if found:
            raise self._failed(found)
        for client in self.load.clients:
            client.quiet = False

    def _await_trades(self) -> None:
        """Wait until the subscriber has received the last trades, unless they were lost with a
        publisher."""
        end = time.monotonic() + TRADES_SECONDS
        while time.monotonic() < end and not all(
            trades[-1].trade_id <= self.load.last_trade_id(symbol)
            for symbol, trades in self.truth.trades.items()
        ):
            self.load.step()

    def _count(self, name: str) -> None:
        self.kills += 1
        self.load.public.publisher_deaths += name == "publisher"

    def _all_acknowledged(self) -> bool:
        return all(client.first_ack_ns for client in self.load.clients)

    def _all_have_received(self, seq: int) -> bool:
        return all(client.pong_seq >= seq for client in self.load.clients)

    def _all_have_listed(self) -> bool:
        return all(client.history.open_orders is not None for client in self.load.clients)

    def _served_ns(self, name: str) -> int:
        if name == "publisher":
            return self.load.received_public_ns
        return max(client.first_ack_ns for client in self.load.clients)

    def matcher_books(self) -> matcher_queries.Books:
        """The matcher's own books at this moment."""
        with sockets.matcher_queries_dealer(self._context, self.exchange.queries) as dealer:
            if dealer.poll(5_000, zmq.POLLOUT):
                dealer.send(codec.encode(matcher_queries.BooksRequest(1)))
                if dealer.poll(5_000):
                    reply = codec.decode_matcher_reply(dealer.recv())
                    assert isinstance(reply, matcher_queries.Books)
                    return reply
        raise self._failed(["the matcher does not send its books"])

    def _compare_books(self, books: matcher_queries.Books) -> None:
        """Publisher, subscriber and event stream have the matcher's books, order by order."""
        for book, instrument in zip(books.books, INSTRUMENTS, strict=True):
            if self.truth.book_state(instrument.id) != book:
                raise self._failed([f"{instrument.symbol}: the stream gives another book"])
            if instrument.symbol not in SYMBOLS:
                continue
            expected = [
                [(order.order_id, order.price_ticks, order.shown_lots) for order in side]
                for side in (book.bids, book.asks)
            ]
            symbol = instrument.symbol
            self.run_until(
                f"the publisher's book of {symbol} is the matcher's",
                lambda: self._published(symbol, books.seq) == expected,  # noqa: B023
                SETTLE_SECONDS,
            )
            self.run_until(
                f"the subscriber's book of {symbol} is the matcher's",
                lambda: self._followed(symbol) == expected,  # noqa: B023
                SETTLE_SECONDS,
            )

    def _published(self, symbol: str, seq: int) -> list[Orders]:
        with sockets.snapshots_dealer(self._context, self.exchange.snapshots) as dealer:
            dealer.send(codec.encode(feed.SnapshotRequest(1, symbol, orders=True)))
            if not dealer.poll(1_000):
                return []
            reply = codec.decode_feed_reply(dealer.recv())
        if not isinstance(reply, feed.Snapshot) or reply.seq < seq:
            return []
        return [reply.bid_orders, reply.ask_orders]

    def _followed(self, symbol: str) -> list[Orders]:
        if not self.load.market.ready:
            return []
        orders = self.load.market.orders(symbol)
        return [list(orders.orders(side)) for side in (Side.BUY, Side.SELL)]

    def _failed(self, found: list[str]) -> CheckFailed:
        lines = "\n".join(found)
        return CheckFailed(f"{lines}\n{self._repeat}\n{self.exchange.logs(2_500)}")


def die_at(world: CrashWorld, name: str, point: str, count: int = 1) -> None:
    """Let a process kill itself when it reaches a point for the `count`-th time under load, start
    it again, and let the load go on.

    The process is killed once before, because only a start arms a point.
    """
    world.run(0.1)
    world.kill(name)
    world.start(name, f"{point}:{count}")
    rate, world.load.rate = world.load.rate, RUSH
    if point == IN_CHILD:
        failures = world.exchange.log(name).count("snapshot_failed")
        world.run_until("a snapshot fails", lambda: failures < world.exchange.log(name).count(
            "snapshot_failed"), DEATH_SECONDS)  # fmt: skip
        world.kill(name)
    else:
        world.await_death(name)
    world.load.rate = rate
    world.start_and_serve(name)


def kill_at_random(world: CrashWorld, chance: random.Random, kills: int) -> None:
    """Kill random processes at random instants, sometimes two at once, and settle now and then."""
    target = world.kills + kills
    while world.kills < target:
        world.run(chance.uniform(0.05, 0.5))
        names = chance.sample(PROCESSES, 2 if chance.random() < 0.2 else 1)
        for name in names[: target - world.kills]:
            world.kill(name)
        gone = [name for name in names if name not in world.exchange.processes]
        world.run(chance.uniform(0.0, 0.3))
        world.start_and_serve(*gone)
        if chance.random() < 0.2:
            world.settle()
    world.settle()


def run_random(seed: int, kills: int) -> str:
    """One world with deaths at random instants and random named points; its figures."""
    world = CrashWorld(seed, f"python -m tests.crash --seed {seed} --kills {kills}")
    chance = random.Random(seed)
    try:
        while world.kills < kills:
            left = kills - world.kills
            if left > 1 and chance.random() < 0.4:
                process, point = chance.choice(POINTS)
                die_at(world, process, point, 1 if point in RARE else chance.randrange(1, 40))
            else:
                kill_at_random(world, chance, min(left, chance.randrange(1, 6)))
        world.settle()
        return figures(world)
    finally:
        world.close()


def percentile(values: list[float], share: float) -> float:
    """The smallest value that at least `share` of all do not exceed; zero for none.

    >>> percentile([3.0, 1.0, 2.0], 0.5)
    2.0
    """
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def figures(world: CrashWorld) -> str:
    """One line about the deaths of a world."""
    parts = [f"{world.kills} kills, {world.truth.seq:,} commands"]
    for name, values in world.recovery_ms.items():
        if values:
            middle, most = percentile(values, 0.5), max(values)
            parts.append(f"{name} serves {middle:.0f} ms after its start (at most {most:.0f} ms)")
    return "; ".join(parts)
