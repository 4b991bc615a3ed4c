"""The cost of a command, a round of the publisher and an object in a market of a given size.

Each function is a stage of its own process: it builds the market, then measures.
"""

import gc
import random
import statistics
import time
import tracemalloc
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from bench import workload
from crossbook.common.instruments import Instrument
from crossbook.common.messages.commands import AmendOrder, CancelOrder, Command, NewOrder
from crossbook.common.messages.events import Event, EventBatch, OrderAccepted, TradeExecuted
from crossbook.common.rules import Rules
from crossbook.common.types import OrderType, Side, TimeInForce
from crossbook.matcher.engine.engine import Engine
from crossbook.matcher.recovery.snapshot import capture, restore, state_hash
from crossbook.publisher.feed import Feed

LOTS: Final = 5
"""Of every order: an immediate one of as many fills exactly one."""
BLOCK: Final = 2_000
COMMANDS: Final = 10_000
"""Measured of each kind, at least."""
_LIMIT: Final = int(OrderType.LIMIT)
_GTC: Final = int(TimeInForce.GTC)
_IOC: Final = int(TimeInForce.IOC)
_BUY: Final = int(Side.BUY)
_SELL: Final = int(Side.SELL)


class Size(Struct, frozen=True):
    """A market: so many open orders on so many levels of each side of each instrument."""

    orders: int = 100_000
    levels: int = 1_000
    instruments: int = 1
    accounts: int = 64
    money: bool = False
    named: bool = False
    """With client order ids."""


class Built:
    """An engine of that size. `orders` are the open ones, in random order, unless forgotten."""

    def __init__(self, size: Size, *, forgetful: bool = False) -> None:
        self.size = size
        self._forgetful = forgetful
        self.chance = random.Random(size.orders)
        self.levels = max(1, min(size.levels, size.orders // (2 * size.instruments)))
        self.middle = 2 * self.levels + 10
        opening = 2**61 // size.accounts
        rules = Rules(
            accounts=size.money,
            opening=(("BENCH", opening), ("USD", opening)) if size.money else (),
        )
        self.engine = Engine(instruments(size.instruments), rules)
        self.names = count()
        self.orders: list[tuple[int, NewOrder]] = []
        for place in range(size.orders):
            self._add(place)
        self.chance.shuffle(self.orders)

    def _add(self, place: int) -> None:
        size = self.size
        turn = place // (2 * size.instruments)
        step = 1 + (turn if turn < self.levels else self.chance.randrange(self.levels))
        side = _SELL if place % 2 else _BUY
        self.enter(
            NewOrder(
                0, 0, 1 + place % size.accounts, 1 + place // 2 % size.instruments, Side(side),
                _LIMIT, _GTC, self.middle + 2 * (step if side == _SELL else -step), LOTS,
            )
        )  # fmt: skip

    def enter(self, order: NewOrder) -> None:
        """Enter an order that rests, and keep it."""
        order = self.renamed(order)
        self.engine.apply(order)
        if not self._forgetful:
            self.orders.append((self.engine.seq, order))

    def renamed(self, order: NewOrder) -> NewOrder:
        """The order under a new client order id, where orders have them."""
        if not self.size.named:
            return order
        return replace(order, client_order_id=f"bench-{next(self.names):012d}")

    def time(self, commands: Sequence[Command]) -> tuple[float, list[Event]]:
        """Apply these; microseconds of processor time of each, and the events."""
        apply = self.engine.apply
        events: list[Event] = []
        begin = time.process_time_ns()
        for command in commands:
            events += apply(command)
        return (time.process_time_ns() - begin) / 1e3 / len(commands), events


def instruments(number: int) -> list[Instrument]:
    """So many instruments of the same two assets."""
    return [
        replace(workload.INSTRUMENT, id=n, symbol=f"BENCH{n}-USD") for n in range(1, number + 1)
    ]


def costs(size: Size) -> dict[str, float]:
    """Microseconds of each kind of command, the median of blocks of them."""
    built = Built(size)
    _settle()
    block = max(5, min(BLOCK, size.orders // 5))
    found: dict[str, list[float]] = {}
    for _ in range(max(5, min(200, COMMANDS // block))):
        for kind, micros in _turn(built, block):
            found.setdefault(kind, []).append(micros)
    return {kind: round(statistics.median(all_), 4) for kind, all_ in found.items()}


def _turn(built: Built, block: int) -> list[tuple[str, float]]:
    """One block of each kind, after which the market is as large as before."""
    orders = built.orders
    found: list[tuple[str, float]] = []
    picked, orders[:block] = orders[:block], []
    amends: list[Command] = [
        AmendOrder(0, 0, order.account, order.instrument, order_id, 0, LOTS + 1)
        for order_id, order in picked
    ]
    found.append(("amend", built.time(amends)[0]))
    cancels: list[Command] = [_cancel(order_id, order) for order_id, order in picked]
    found.append(("cancel", built.time(cancels)[0]))
    entered = [built.renamed(order) for _, order in picked]
    first = built.engine.seq + 1
    found.append(("enter", built.time(entered)[0]))
    orders.extend(zip(range(first, first + block), entered, strict=True))
    found.append(("fill", _fill(built, block)))
    found.append(("best level", _open_and_close(built, [0] * block)))
    away = [1 + 2 * built.chance.randrange(built.levels) for _ in range(block)]
    found.append(("any level", _open_and_close(built, away)))
    return found


def _cancel(order_id: int, order: NewOrder) -> CancelOrder:
    return CancelOrder(0, 0, order.account, order.instrument, order_id)


def _fill(built: Built, block: int) -> float:
    """Each command trades with the best order of a side, which is then entered again."""
    size = built.size
    takers: list[Command] = [
        NewOrder(
            0, 0, 1 + n % size.accounts, 1 + n // 2 % size.instruments, Side(1 + n % 2), _LIMIT,
            _IOC, 4 * built.levels + 20 if n % 2 == 0 else 1, LOTS,
        )
        for n in range(block)
    ]  # fmt: skip
    micros, events = built.time(takers)
    filled = {event.maker_order_id for event in events if isinstance(event, TradeExecuted)}
    assert len(filled) == block, "an immediate order did not fill exactly one"
    again = [order for order_id, order in built.orders if order_id in filled]
    built.orders = [each for each in built.orders if each[0] not in filled]
    for order in again:
        built.enter(order)
    return micros


def _open_and_close(built: Built, away: Sequence[int]) -> float:
    """Each opens a level with a bid so many ticks below the middle, and closes it again."""
    size = built.size
    commands: list[Command] = []
    for n, ticks in enumerate(away):
        order = NewOrder(
            0, 0, 1 + n % size.accounts, 1 + n % size.instruments, Side.BUY, _LIMIT, _GTC,
            built.middle - ticks, LOTS,
        )  # fmt: skip
        commands += (order, _cancel(built.engine.seq + len(commands) + 1, order))
    return 2 * built.time(commands)[0]


class Footprint(Struct, frozen=True):
    """Memory of a market, per open order."""

    resident: float
    """Bytes the process has grown by."""
    allocated: float
    """Bytes allocated by Python; zero where they were not counted."""


def memory(size: Size, trace: bool) -> Footprint:
    """Memory for each open order of such a market, its share of everything else included."""
    Built(Size(orders=100))
    _settle()
    before = _resident()
    if trace:
        tracemalloc.start()
    built = Built(size, forgetful=True)
    gc.collect()
    allocated = tracemalloc.get_traced_memory()[0] if trace else 0
    grown = _resident() - before
    assert built.engine.seq == size.orders, "not all orders were entered"
    return Footprint(round(grown / size.orders, 1), round(allocated / size.orders, 1))


class LongestCommand(Struct, frozen=True):
    """The longest command, in milliseconds of processor time."""

    most_ms: float
    at: int
    """The number of that command."""
    rare_ms: float
    """The time that one command in ten thousand exceeds."""


def longest(orders: int, accounts: int, collector: bool) -> LongestCommand:
    """Enter so many resting orders, cancel and enter a fifth of them anew."""
    built = Built(Size(orders=100, accounts=accounts, named=True))
    _settle()
    if collector:
        gc.unfreeze()
        gc.enable()
    apply = built.engine.apply
    times: list[int] = []
    commands = (_some(built, place, orders, accounts) for place in range(orders + orders // 5))
    for command in commands:
        begin = time.thread_time_ns()
        apply(command)
        times.append(time.thread_time_ns() - begin)
    most = max(times)
    at = times.index(most)
    times.sort()
    return LongestCommand(
        round(most / 1e6, 3), at, round(times[-1 - len(times) // 10_000] / 1e6, 3)
    )


def _some(built: Built, place: int, orders: int, accounts: int) -> Command:
    """The next command of `longest`; its orders begin behind the hundred that are built."""
    account = 1 + place % accounts
    if place >= orders and place % 2:
        return CancelOrder(0, 0, 1 + (place - orders) % accounts, 1, 101 + place - orders)
    return NewOrder(
        0, 0, account, 1, Side(_BUY), _LIMIT, _GTC, 1 + place % built.middle, LOTS,
        f"gap-{place:012d}",
    )  # fmt: skip


class Kept(Struct, frozen=True):
    """One snapshot of a market, in memory."""

    make_s: float
    load_s: float
    megabytes: float


def snapshot(orders: int) -> Kept:
    """The time to make and to load a snapshot, checks of the state's hash included."""
    engine = Built(Size(orders=orders, named=True), forgetful=True).engine
    _settle()
    begin = time.process_time()
    state_hash(engine)
    data = capture(engine)
    made = time.process_time()
    state_hash(restore(data))
    loaded = time.process_time()
    return Kept(round(made - begin, 4), round(loaded - made, 4), round(len(data) / 2**20, 3))


def published(number: int) -> float:
    """Microseconds of the publisher from one order's events to its messages, of so many
    instruments that take turns."""
    feed = Feed(instruments(number), 0, 1_000)
    built = Built(Size(orders=number * 4, levels=2, instruments=number))
    batches = [
        EventBatch(1, seq, seq, 0, [_accepted(built.orders[seq % len(built.orders)][1], seq)])
        for seq in range(1, 6_001)
    ]
    _settle()
    micros = []
    for start in range(0, len(batches), 500):
        begin = time.process_time_ns()
        for batch in batches[start : start + 500]:
            feed.apply(batch)
            feed.publish()
            feed.publish_statistics(0)
        micros.append((time.process_time_ns() - begin) / 1e3 / 500)
    return round(statistics.median(micros), 3)


def _accepted(order: NewOrder, seq: int) -> Event:
    return OrderAccepted(
        seq, 0, 0, order.account, order.instrument, order.side, order.order_type,
        order.time_in_force, order.price_ticks, order.quantity_lots,
    )  # fmt: skip


def _settle() -> None:
    gc.collect()
    gc.freeze()
    gc.disable()


def _resident() -> int:
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * 4096
