"""The longest batches: the acts that give the engine most to do, with and without their limits.

Each act is prepared in a fresh engine. Its commands are then applied batch by batch, as the
sequencer does, and each batch is timed alone, with the encoding of its events. Time is processor
time. Without limits the same engine runs under rules recorded before there were any (`max_fills`
zero): an act is one batch then.
"""

import gc
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

import typer
from msgspec import Struct
from msgspec.structs import replace

from bench import machine, workload
from crossbook.common.instruments_file import MAX_FILLS
from crossbook.common.messages.codec import encode
from crossbook.common.messages.commands import (
    Command,
    Instructions,
    MassCancelOrders,
    NewOrder,
    SetInstrumentState,
    Uncross,
)
from crossbook.common.rules import Rules
from crossbook.common.types import InstrumentState, OrderType, Prevention, Side, TimeInForce
from crossbook.matcher.batch import EXPIRY, apply_some
from crossbook.matcher.engine.engine import Engine

INSTRUMENT: Final = replace(workload.INSTRUMENT, max_quantity_lots=10**7)
SLICES: Final = 100
FRAME: Final = 60
"""FOK orders of one frame."""

BUY, SELL = int(Side.BUY), int(Side.SELL)
GTC, IOC, FOK = int(TimeInForce.GTC), int(TimeInForce.IOC), int(TimeInForce.FOK)
GTD: Final = int(TimeInForce.GTD)
PRICE: Final = 10_000
LATER_NS: Final = 10


class LongestRow(Struct, frozen=True):
    """One act under one set of rules: its batches, the longest of them, and the largest."""

    act: str
    limits: bool
    batches: int
    longest_ms: float
    total_ms: float
    events: int
    bytes: int


class LongestReport(Struct, frozen=True):
    """Result of `python -m bench longest`."""

    bench: str
    machine: machine.Machine
    method: dict[str, str | int]
    rows: list[LongestRow]


class _Act(Struct, frozen=True):
    """Commands that prepare a book, and those that are timed, at a time."""

    before: list[Command]
    timed: list[Command]
    time_ns: int = 0


def longest(
    orders: Annotated[int, typer.Option(min=1_000, help="Orders in the way.")] = 500_000,
    json: Annotated[Path | None, typer.Option(help="Write the report to this JSON file.")] = None,
) -> None:
    """The longest batches of the engine, with and without the limits of the rules."""
    report = run(orders)
    show(report)
    if json is not None:
        machine.write_json(json, report)


def run(orders: int) -> LongestReport:
    """Measure every act with about so many orders in its way."""
    described = machine.describe()
    rows = [
        _measure(name, make(orders), limits=limits)
        for name, make in ACTS.items()
        for limits in (False, True)
    ]
    method: dict[str, str | int] = {
        "orders": orders,
        "limit": f"{MAX_FILLS} makers or events",
        "time": "processor time of a batch: commands applied, events encoded",
    }
    return LongestReport("longest", described, method, rows)


def show(report: LongestReport) -> None:
    """Print the table."""
    print("longest batches of the engine")
    print(machine.line(report.machine))
    for name, text in report.method.items():
        print(f"{name}: {text}")
    print(f"\n{'act':<44}{'limits':>7}{'batches':>9}{'longest':>12}{'total':>12}{'largest':>22}")
    for row in report.rows:
        print(
            f"{row.act:<44}{'on' if row.limits else 'off':>7}{row.batches:>9}"
            f"{row.longest_ms:>9.1f} ms{row.total_ms:>9.1f} ms"
            f"{row.events:>9} ev{row.bytes / 1e6:>7.1f} MB"
        )


def _measure(name: str, act: _Act, *, limits: bool) -> LongestRow:
    engine = Engine([INSTRUMENT], Rules(max_fills=MAX_FILLS if limits else 0))
    for command in act.before:
        engine.apply(command)
    payloads = [encode(act.timed)] if act.timed else EXPIRY
    gc.collect()
    gc.disable()
    times, events, sizes = [], 0, 0
    while True:
        began = time.process_time()
        applied = apply_some(engine, 1, payloads, act.time_ns)
        times.append(time.process_time() - began)
        events, sizes = max(events, applied.events), max(sizes, len(applied.encoded))
        payloads = applied.rest or EXPIRY
        if not applied.rest and engine.next_due_ns > act.time_ns:
            break
    gc.enable()
    return LongestRow(name, limits, len(times), 1e3 * max(times), 1e3 * sum(times), events, sizes)


def _order(
    account: int,
    side: int,
    lots: int,
    time_in_force: int = GTC,
    price: int = PRICE,
    terms: Instructions | None = None,
    prevention: int = 0,
    kind: int = int(OrderType.LIMIT),
) -> NewOrder:
    return NewOrder(
        0, 0, account, INSTRUMENT.id, side, kind, time_in_force, price, lots, "", 0, prevention,
        terms,
    )  # fmt: skip


def _icebergs(orders: int) -> list[Command]:
    shows = Instructions(display_lots=1)
    return [_order(1, SELL, SLICES, terms=shows)] * (orders // SLICES)


def _killed(orders: int, prevention: int = 0) -> _Act:
    taker = _order(2, BUY, orders + 1, FOK, prevention=prevention)
    return _Act(_icebergs(orders), [taker] * FRAME)


def _plain(orders: int) -> list[Command]:
    return [_order(1 + n % 97, SELL, 1, price=PRICE + n % 1_000) for n in range(orders)]


def _sweep(orders: int) -> _Act:
    taker = _order(200, BUY, orders, IOC, price=2 * PRICE)
    # As many as it takes where each one stops.
    return _Act(_plain(orders), [taker] * (1 + orders // MAX_FILLS))


def _expiry(orders: int) -> _Act:
    terms = Instructions(expire_ns=LATER_NS)
    waiting = [_order(1 + n % 97, SELL, 1, GTD, terms=terms) for n in range(orders)]
    return _Act(list(waiting), [], LATER_NS)


def _election(orders: int) -> _Act:
    terms = Instructions(trigger_ticks=PRICE + 1)
    stop = int(OrderType.STOP)
    waiting: list[Command] = [_order(1, SELL, 1), _order(2, BUY, 1)]
    waiting += [_order(1 + n % 97, BUY, 1, GTC, 0, terms, kind=stop) for n in range(orders)]
    waiting.append(_order(1, SELL, 1, price=PRICE + 5))
    return _Act(waiting, [_order(2, BUY, 1, price=PRICE + 5)])


def _uncross(orders: int) -> _Act:
    gathered: list[Command] = [
        SetInstrumentState(0, 0, 0, INSTRUMENT.id, int(InstrumentState.AUCTION))
    ]
    gathered += [_order(1 + n % 97, BUY + n % 2, 1) for n in range(orders)]
    return _Act(gathered, [Uncross(0, 0, 0, INSTRUMENT.id)])


ACTS: Final[dict[str, Callable[[int], _Act]]] = {
    f"{FRAME} FOK that cannot fill, icebergs": _killed,
    f"{FRAME} FOK with prevention, icebergs": lambda n: _killed(n, int(Prevention.EXPIRE_MAKER)),
    "IOC through a tenth of the orders": lambda n: _sweep(n // 10),
    "IOC through all orders": _sweep,
    "IOC through the slices of icebergs": lambda n: _Act(
        _icebergs(n), [_order(2, BUY, n, IOC)] * (1 + n // MAX_FILLS)
    ),
    "mass cancel of all orders": lambda n: _Act(_plain(n), [MassCancelOrders(0, 0, 0)]),
    "all orders expire at one time": _expiry,
    "all stops elected by one trade": _election,
    "uncross of all orders": _uncross,
}
"""The acts by name, each made for a number of orders."""
