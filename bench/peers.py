"""Other engines, each timed and checked on the same commands as Crossbook's.

All are optional. A check runs the commands once more, untimed, and compares with Crossbook's
engine.
"""

import importlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Final

from msgspec import Struct

from bench import drivers, machine, node_peer, workload
from bench.stopwatch import processor_ns
from bench.traded import difference, reference, traded
from crossbook.common.messages.commands import Command
from crossbook.matcher.engine.engine import Engine

KEPT: Final = 128
"""Reports a timed run keeps at a time, as ours keeps a batch of events."""

LOOK_EVERY: Final = 500
"""Commands from one comparison of books to the next, for an engine that reports no trades."""

SLOW: Final = 10_000
"""Messages for an engine whose time for each grows with the orders that are open."""


class PeerEngine(Struct, frozen=True):
    """Another engine."""

    name: str
    """On PyPI or npm."""
    language: str
    elapsed_ns: Callable[[Sequence[Command], bool], int]
    """Time of one warmed-up run; the flag leaves the garbage collector on."""
    differs: Callable[[Sequence[Command]], str]
    """The first difference from Crossbook, or nothing."""
    most_messages: int = 0
    """It is given the first so many of a stream; zero: all."""

    @property
    def version(self) -> str:
        """The installed version, or "not ..." and why it cannot run here."""
        if self.name == node_peer.NAME:
            return node_peer.version()
        return machine.versions(self.name)[self.name]

    @property
    def is_available(self) -> bool:
        """Whether it can run here."""
        return not self.version.startswith("not ")


def available() -> list[PeerEngine]:
    """The peers that can run here."""
    return [peer for peer in PEERS if peer.is_available]


def book_differs(commands: Sequence[Command]) -> str:
    """The first difference of limit-order-book's book from Crossbook's, or nothing.

    It reports no trades. Equal orders and lots at every price, all along, follow from equal trades.
    """
    theirs = importlib.import_module("limit_order_book").LimitOrderBook()
    ours = Engine([workload.INSTRUMENT])
    found: list[str] = []

    def watched() -> Iterator[Command]:
        """The commands; both books are compared before each of them."""
        for number, command in enumerate(commands, 1):
            yield command
            ours.apply(command)
            if not found and (number % LOOK_EVERY == 0 or number == len(commands)):
                found.extend(f"after message {number}: {at}" for at in _unlike(theirs, ours))

    drivers.drive_limit_order_book(watched(), found.append, theirs)
    return found[0] if found else ""


def _unlike(theirs: Any, ours: Engine) -> Iterator[str]:
    book = ours.book_state(workload.INSTRUMENT.id)
    for name, orders, volume, count in (
        ("bids", book.bids, theirs.volume_buy, theirs.count_buy),
        ("asks", book.asks, theirs.volume_sell, theirs.count_sell),
    ):
        lots: dict[int, int] = {}
        for order in orders:
            lots[order.price_ticks] = lots.get(order.price_ticks, 0) + order.shown_lots
        if (count(), volume()) != (len(orders), sum(lots.values())):
            yield f"{name} {count()} orders of {volume()} lots, ours {len(orders)}"
        for price, here in lots.items():
            if volume(price) != here:
                yield f"{name} {volume(price)} lots at {price}, ours {here}"


def _in_process(
    name: str,
    language: str,
    drive: drivers.Driver,
    fills: Callable[[Iterable[Any]], Iterator[tuple[int, int]]],
    most_messages: int = 0,
) -> PeerEngine:
    """A peer from PyPI that reports its trades."""

    def differs(commands: Sequence[Command]) -> str:
        reported: list[Any] = []
        drive(commands, reported.append)
        return difference(traded(fills(reported)), reference(commands)[0])

    return PeerEngine(name, language, partial(_elapsed_ns, drive), differs, most_messages)


def _elapsed_ns(drive: drivers.Driver, commands: Sequence[Command], collect_garbage: bool) -> int:
    reported: deque[Any] = deque(maxlen=KEPT)
    return processor_ns(lambda part: drive(part, reported.append), commands, collect_garbage)


PEERS: Final = (
    _in_process("pyorderbook", "Python", drivers.drive_pyorderbook, drivers.fills_of_pyorderbook),
    _in_process(
        "lightmatchingengine",
        "Cython",
        drivers.drive_lightmatchingengine,
        drivers.fills_of_lightmatchingengine,
    ),
    _in_process(
        "order-matching",
        "Python",
        drivers.drive_order_matching,
        drivers.fills_of_order_matching,
        SLOW,
    ),
    PeerEngine(
        "limit-order-book",
        "C++",
        partial(_elapsed_ns, drivers.drive_limit_order_book),
        book_differs,
    ),
    PeerEngine(node_peer.NAME, "JavaScript", node_peer.elapsed_ns, node_peer.differs),
)
