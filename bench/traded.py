"""The trades of a run, and whether two engines traded the same."""

from collections.abc import Iterable
from hashlib import sha256

from msgspec import Struct

from bench import workload
from crossbook.common.messages.commands import Command
from crossbook.common.messages.events import Event, TradeExecuted
from crossbook.matcher.engine.engine import Engine


class Traded(Struct, frozen=True):
    """The trades of a run: equal for engines that agree on every one of them, in order."""

    trades: int
    lots: int
    notional: int
    """Sum of price ticks times lots."""
    digest: str
    """SHA-256 of the lines `price,lots` of all trades."""


def traded(fills: Iterable[tuple[int, int]]) -> Traded:
    """Sum up (price ticks, lots) of every trade."""
    trades = lots = notional = 0
    digest = sha256()
    for price_ticks, quantity_lots in fills:
        trades += 1
        lots += quantity_lots
        notional += price_ticks * quantity_lots
        digest.update(b"%d,%d\n" % (price_ticks, quantity_lots))
    return Traded(trades, lots, notional, digest.hexdigest())


def reference(commands: Iterable[Command]) -> tuple[Traded, int]:
    """The trades of Crossbook's engine on `commands`, and how many orders rest at the end. Not
    timed."""
    engine = Engine([workload.INSTRUMENT])
    return outcome(engine, map(engine.apply, commands))


def outcome(engine: Engine, answers: Iterable[list[Event]]) -> tuple[Traded, int]:
    """The trades in all these answers of an engine, and how many orders rest after them."""
    total = traded(
        (event.price_ticks, event.quantity_lots)
        for events in answers
        for event in events
        if isinstance(event, TradeExecuted)
    )
    book = engine.book_state(workload.INSTRUMENT.id)
    return total, len(book.bids) + len(book.asks)


def difference(theirs: Traded, ours: Traded) -> str:
    """The first difference, or nothing."""
    for name in ("trades", "lots", "notional"):
        if getattr(theirs, name) != getattr(ours, name):
            return f"{name} {getattr(theirs, name):,}, ours {getattr(ours, name):,}"
    return "" if theirs == ours else "as many trades, but not the same ones in the same order"
