"""A recording under price-time priority: whether it keeps the rule, and the money it needs. Does
no I/O."""

from collections.abc import Callable

from msgspec import Struct

from crossbook.common.types import Side
from crossbook.replay.plain_book import PlainBook
from crossbook.replay.recording import BookDigest, BookRow, RecordedFill, Recording

LevelsOf = Callable[[int, int], list[tuple[int, int]]]
"""(price ticks, lots) of a side, best first, and how many at most."""


class Needs(Struct):
    """The most that open orders hold at once, and the total traded, in lots of the base asset and
    in ticks times lots of the quote asset."""

    base_lots: int = 0
    quote_tick_lots: int = 0
    traded_lots: int = 0
    traded_tick_lots: int = 0
    fills: int = 0


class Reference(Struct):
    """The results that the commands must have, kept only where the recording has others.

    `fills`, `books` and `digests` are those of the rule, by the `seq` of the command; rows have
    the levels that the recording compares.
    """

    fills: dict[int, list[RecordedFill]]
    books: dict[int, BookRow]
    digests: dict[int, BookDigest]
    needs: Needs

    @property
    def breaks(self) -> int:
        """Commands whose recorded fills, row or digest are not those of price-time priority."""
        return len(self.fills.keys() | self.books.keys() | self.digests.keys())


def reference_of(recording: Recording) -> Reference:
    """Replay a recording into a plain book. Costs O(log levels) for a command."""
    book = PlainBook()
    holds = _Holds(book)
    reference = Reference({}, {}, {}, holds.needs)
    for command in recording.commands:
        seq = command.seq
        holds.before(command.op, command.order_id, command.quantity_lots)
        fills = book.apply(command)
        if command.op in ("new", "exec"):
            holds.entered(
                command.side, command.price_ticks, command.quantity_lots, fills,
                command.op == "new",
            )  # fmt: skip
        if recording.fills is not None and fills != recording.fills.get(seq, []):
            reference.fills[seq] = fills
        row = recording.books.get(seq)
        if row is not None and row_difference(row, book.levels):
            reference.books[seq] = BookRow(
                tuple(book.levels(int(Side.BUY), row.bid_levels)),
                tuple(book.levels(int(Side.SELL), row.ask_levels)),
                row.bid_levels,
                row.ask_levels,
            )
        digest = recording.digests.get(seq)
        if digest is not None:
            found = BookDigest(len(book), book.digest())
            if found != digest:
                reference.digests[seq] = found
    return reference


class _Holds:
    """The amounts that the open orders of all traders together hold during a recording."""

    def __init__(self, book: PlainBook) -> None:
        self.needs = Needs()
        self._book = book
        self._base_lots = 0
        self._quote_tick_lots = 0

    def before(self, op: str, order_id: int, lots: int) -> None:
        """Free what a cancel or reduction removes."""
        if op not in ("cancel", "reduce"):
            return
        found = self._book.order(order_id)
        if found is not None:
            side, price_ticks, remaining_lots = found
            self._free(side, price_ticks, min(lots, remaining_lots) if lots else remaining_lots)

    def entered(
        self, side: int, price_ticks: int, lots: int, fills: list[RecordedFill], rests: bool
    ) -> None:
        """An order holds its whole before it trades, and its rest after that."""
        needs = self.needs
        if side == Side.BUY:
            whole = self._quote_tick_lots + price_ticks * lots
            needs.quote_tick_lots = max(needs.quote_tick_lots, whole)
        else:
            needs.base_lots = max(needs.base_lots, self._base_lots + lots)
        maker_side = int(Side.SELL if side == Side.BUY else Side.BUY)
        for fill in fills:
            self._free(maker_side, fill.price_ticks, fill.quantity_lots)
            lots -= fill.quantity_lots
            needs.traded_lots += fill.quantity_lots
            needs.traded_tick_lots += fill.price_ticks * fill.quantity_lots
        needs.fills += len(fills)
        if rests:
            self._free(side, price_ticks, -lots)

    def _free(self, side: int, price_ticks: int, lots: int) -> None:
        if side == Side.BUY:
            self._quote_tick_lots -= price_ticks * lots
        else:
            self._base_lots -= lots


def row_difference(row: BookRow, levels: LevelsOf) -> str:
    """The first difference between a recorded row and a book; empty when they agree."""
    sides = (
        (int(Side.BUY), "bid", row.bids, row.bid_levels),
        (int(Side.SELL), "ask", row.asks, row.ask_levels),
    )
    for side, name, recorded, limit in sides:
        found = levels(side, limit) if limit else []
        for level in range(max(len(found), len(recorded))):
            actual = found[level] if level < len(found) else None
            expected = recorded[level] if level < len(recorded) else None
            if actual != expected:
                texts = f"{_level_text(actual)}, recorded {_level_text(expected)}"
                return f"{name} {level + 1} is {texts}"
    return ""


def _level_text(level: tuple[int, int] | None) -> str:
    return "empty" if level is None else f"{level[1]} lots at {level[0]}"
