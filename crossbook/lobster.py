"""LOBSTER's own files: `..._message_N.csv` and, beside it, `..._orderbook_N.csv`.

LOBSTER shows a window on the book: N levels, from some time on. What was there before, or comes
into view from behind the last level, is known by its quantity only. It is entered here as
synthetic orders: one for each order that a later message of the file names, in the order in which
those are executed, and one for the rest of the level. With them every message can be replayed and
every row of the order book compared in full.
"""

from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Final

from msgspec import Struct

from common.errors import DecimalError
from common.instruments import parse_decimal
from common.types import Side
from crossbook.csv_file import CsvFile, RecordingError, Row, open_text, sibling
from crossbook.recording import BookRow, Op, RecordedCommand, RecordedFill, Recording

SUBMISSION: Final = 1
PARTIAL_CANCEL: Final = 2
DELETION: Final = 3
EXECUTION: Final = 4
_SKIPPED: Final = {5: "hidden execution", 6: "cross trade", 7: "trading halt"}

PRICE_DECIMALS: Final = 4
"""LOBSTER's prices are whole numbers of a ten-thousandth of a dollar."""

ALL_LEVELS_UP_TO: Final = 50_000
"""Messages up to which every level of every row is kept for comparison."""

COMPARED_LEVELS: Final = 10
"""Levels kept for comparison in a longer file."""

_MESSAGE_COLUMNS: Final = ("time", "type", "order_id", "size", "price", "direction")
_BUY: Final = int(Side.BUY)
_SELL: Final = int(Side.SELL)
_NO_ASK: Final = 9_999_999_999

_Levels = tuple[tuple[int, int], ...]


class _Message(Struct, gc=False, frozen=True):
    time_ns: int
    kind: int
    order_id: int
    lots: int
    side: int
    price_ticks: int


class _Window(Struct, gc=False, frozen=True):
    """One row of the order book, and whether a side may continue out of view."""

    bids: _Levels
    asks: _Levels
    bids_cut: bool
    asks_cut: bool


class _Unseen(Struct):
    """What the file tells later about an order whose submission it does not show."""

    order_id: int
    lots: int = 0
    first: int = 0
    executed: int | None = None


def is_message_file(path: Path) -> bool:
    """Whether a file begins like LOBSTER's messages: six or seven columns and no header."""
    try:
        with open_text(path) as file:
            values = file.readline(1_000).strip().split(",")
    except (OSError, EOFError, UnicodeDecodeError):
        return False
    whole = [value.removeprefix("-").isdigit() for value in values]
    return len(values) in (6, 7) and all(whole[1:6]) and values[1] in "1234567"


def read_lobster_recording(path: Path, units_per_tick: int = 100) -> Recording:
    """Read a LOBSTER message file and its order book; raises `RecordingError`.

    `units_per_tick` is the tick size in ten-thousandths of a dollar. Without an order book file
    beside it only the fills can be compared.
    """
    messages, notes = _read_messages(path, units_per_tick)
    orderbook = None
    if "message" in path.name:
        orderbook = sibling(path, _stem(path).replace("message", "orderbook"))
    rebuilt = _Rebuilt(messages)
    if orderbook is None:
        notes.append("no orderbook file beside it: only fills are compared")
        rebuilt.without_rows()
    else:
        many = len(messages) > ALL_LEVELS_UP_TO
        if many:
            notes.append(f"the first {COMPARED_LEVELS} levels are compared")
        windows = _read_windows(orderbook, units_per_tick)
        rebuilt.with_rows(windows, COMPARED_LEVELS if many else None, orderbook)
    if rebuilt.unexplained:
        notes.append(f"{rebuilt.unexplained} messages about orders that cannot be there: skipped")
    if rebuilt.guessed_makers:
        notes.append(f"the files leave open which order {rebuilt.guessed_makers} executions hit")
    return Recording(_stem(path), rebuilt.commands, rebuilt.fills, rebuilt.books, {}, notes)


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz").removesuffix(".csv")


def _read_messages(path: Path, units_per_tick: int) -> tuple[list[_Message], list[str]]:
    header = (*_MESSAGE_COLUMNS, *(("more",) if _columns_of(path) == 7 else ()))
    messages: list[_Message] = []
    skipped: dict[int, int] = {}
    for row in CsvFile(path, header=header).rows():
        kind = row.integer("type", least=1)
        if kind in _SKIPPED:
            skipped[kind] = skipped.get(kind, 0) + 1
        elif kind > EXECUTION:
            raise row.fault("type", f"{kind} is no LOBSTER event type")
        messages.append(_message(row, kind, units_per_tick))
    if not messages:
        raise RecordingError(f"{path}: holds no messages")
    names = [f"{count} x {_SKIPPED[kind]}" for kind, count in sorted(skipped.items())]
    return messages, [f"skipped {', '.join(names)}"] if names else []


def _message(row: Row, kind: int, units_per_tick: int) -> _Message:
    try:
        time_ns = parse_decimal(row.text("time"), 9)
    except DecimalError as error:
        raise row.fault("time", f"{row.text('time')!r}: {error}") from error
    if kind in _SKIPPED:
        return _Message(time_ns, kind, 0, 0, 0, 0)
    if row.text("direction") not in ("1", "-1"):
        raise row.fault("direction", f"{row.text('direction')!r} is neither 1 nor -1")
    return _Message(
        time_ns,
        kind,
        row.integer("order_id"),
        row.integer("size", least=1),
        _BUY if row.text("direction") == "1" else _SELL,
        _ticks(row, "price", units_per_tick),
    )


def _ticks(row: Row, column: str, units_per_tick: int) -> int:
    ticks, rest = divmod(row.integer(column, least=1), units_per_tick)
    if rest:
        raise row.fault(column, f"{row.text(column)} is not a multiple of {units_per_tick}")
    return ticks


def _read_windows(path: Path, units_per_tick: int) -> Iterator[_Window]:
    columns = _columns_of(path)
    if columns % 4 or not columns:
        raise RecordingError(f"{path}: line 1: {columns} columns, not four for each level")
    levels = range(1, columns // 4 + 1)
    header = [f"{side}{level}_{what}" for level in levels for side in ("ask", "bid")
              for what in ("price", "size")]  # fmt: skip
    # Rows repeat each other almost entirely: equal levels share one tuple.
    shared: dict[tuple[int, int], tuple[int, int]] = {}
    for row in CsvFile(path, header=header).rows():
        bids = _window_side(row, "bid", levels, units_per_tick, shared)
        asks = _window_side(row, "ask", levels, units_per_tick, shared)
        yield _Window(bids, asks, len(bids) == len(levels), len(asks) == len(levels))


def _window_side(
    row: Row,
    side: str,
    levels: range,
    units_per_tick: int,
    shared: dict[tuple[int, int], tuple[int, int]],
) -> _Levels:
    found: list[tuple[int, int]] = []
    for level in levels:
        if row.text(f"{side}{level}_price") in (str(_NO_ASK), str(-_NO_ASK)):
            break
        price_ticks = _ticks(row, f"{side}{level}_price", units_per_tick)
        one = (price_ticks, row.integer(f"{side}{level}_size", least=1))
        found.append(shared.setdefault(one, one))
    return tuple(found)


def _columns_of(path: Path) -> int:
    try:
        with open_text(path) as file:
            return len(file.readline(100_000).split(","))
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise RecordingError(f"{path}: {error}") from error


class _Rebuilt:
    """Commands that replay the messages, and what must follow from them."""

    def __init__(self, messages: list[_Message]) -> None:
        self.commands: list[RecordedCommand] = []
        self.fills: dict[int, list[RecordedFill]] = {}
        self.books: dict[int, BookRow] = {}
        self.unexplained = 0
        self.guessed_makers = 0
        self._messages = messages
        self._next_id = max(message.order_id for message in messages) + 1
        self._unseen = _unseen_orders(messages)
        # (side, price) -> open lots by order id, in priority order.
        self._levels: dict[tuple[int, int], dict[int, int]] = {}
        # (side, price) -> the synthetic orders that stand for nobody in particular.
        self._anonymous: dict[tuple[int, int], list[int]] = {}
        # Orders whose place in the queue the file does not tell.
        self._guesses: set[int] = set()

    def without_rows(self) -> None:
        """Rebuild from the messages alone."""
        time_ns = self._messages[0].time_ns
        for place, orders in self._unseen.items():
            for order in _in_queue_order(list(orders.values())):
                self._enter(time_ns, place, order.order_id, order.lots)
        for message in self._messages:
            self._apply(message)

    def with_rows(self, windows: Iterator[_Window], compared: int | None, path: Path) -> None:
        """Rebuild from messages and order book; row k is the book after message k."""
        before: _Window | None = None
        for index, (message, window) in enumerate(zip_longest(self._messages, windows)):
            if message is None or window is None:
                rows = index if window is None else f"more than {index}"
                raise RecordingError(
                    f"{path}: {rows} rows for the {len(self._messages)} messages beside it"
                )
            if before is None:
                self._open(message, window)
                before = window
            self._apply(message)
            for side in (_BUY, _SELL):
                self._reveal(index, message.time_ns, side, before, window)
            self._keep_row(window, compared)
            before = window

    def _open(self, message: _Message, window: _Window) -> None:
        """Enter the book as it stood before the first message."""
        for side, levels in ((_BUY, window.bids), (_SELL, window.asks)):
            lots_at = dict(levels)
            if side == message.side:
                change = message.lots if message.kind == SUBMISSION else -message.lots
                lots = lots_at.get(message.price_ticks, 0) - change
                lots_at[message.price_ticks] = max(0, lots)
            for price_ticks, lots in sorted(lots_at.items(), reverse=side == _BUY):
                self._settle(-1, message.time_ns, (side, price_ticks), lots)

    def _reveal(
        self, index: int, time_ns: int, side: int, before: _Window, window: _Window
    ) -> None:
        """Bring the levels that were out of view before this row to what the row shows."""
        if side == _BUY:
            seen, cut, levels, now_cut = before.bids, before.bids_cut, window.bids, window.bids_cut
        else:
            seen, cut, levels, now_cut = before.asks, before.asks_cut, window.asks, window.asks_cut
        if not cut:
            return
        sign = -1 if side == _BUY else 1
        edge = seen[-1][0] * sign
        shown = {price: lots for price, lots in levels if price * sign > edge}
        if now_cut and not shown:
            return
        end = levels[-1][0] * sign if now_cut else _NO_ASK
        gone = [
            place
            for place in self._levels
            if place[0] == side and edge < place[1] * sign <= end and place[1] not in shown
        ]
        for place in gone:
            self._settle(index, time_ns, place, 0)
        for price_ticks, lots in shown.items():
            self._settle(index, time_ns, (side, price_ticks), lots)

    def _settle(self, index: int, time_ns: int, place: tuple[int, int], lots: int) -> None:
        """Enter or remove orders until `lots` are open at a place."""
        missing = lots - sum(self._levels.get(place, {}).values())
        for order in _in_queue_order(list(self._unseen.get(place, {}).values())):
            if order.first > index and 0 < order.lots <= missing:
                del self._unseen[place][order.order_id]
                self._enter(time_ns, place, order.order_id, order.lots)
                missing -= order.lots
        if missing > 0:
            self._anonymous.setdefault(place, []).append(self._next_id)
            self._enter(time_ns, place, self._next_id, missing)
            self._next_id += 1
        while missing < 0:
            anonymous = self._anonymous.get(place)
            order_id = anonymous[-1] if anonymous else next(reversed(self._levels[place]))
            lots_removed = min(-missing, self._levels[place][order_id])
            self._remove(time_ns, place, order_id, lots_removed)
            missing += lots_removed
        self._guesses.update(self._levels.get(place, ()))

    def _apply(self, message: _Message) -> None:
        place = (message.side, message.price_ticks)
        if message.kind in _SKIPPED:
            return
        if message.kind == SUBMISSION:
            self._enter(message.time_ns, place, message.order_id, message.lots)
            return
        if place not in self._levels:
            self.unexplained += 1
        elif message.kind == EXECUTION:
            self._execute(message, place)
        else:
            self._withdraw(message, place)

    def _execute(self, message: _Message, place: tuple[int, int]) -> None:
        """An IOC order of the other side; the fills are those of the order the message names.

        Where the queue is partly a guess, the file does not say who stood in front, and the
        fills are those of the queue as it was rebuilt.
        """
        level = self._levels[place]
        guessed = level.get(message.order_id, 0) < message.lots
        if not guessed:
            queue = list(level)
            front = queue[: queue.index(message.order_id) + 1]
            guessed = len(front) > 1 and not self._guesses.isdisjoint(front)
        seq = len(self.commands)
        taker = _SELL if message.side == _BUY else _BUY
        lots = min(message.lots, sum(level.values()))
        self._command(message.time_ns, "exec", self._next_id, taker, message.price_ticks, lots)
        self._next_id += 1
        self.guessed_makers += guessed
        if guessed:
            # Whoever was really hit, the orders left may differ from the venue's from here on.
            self._guesses.update(level)
        fills = self._take_front(place, lots)
        if not guessed:
            fills = [RecordedFill(message.order_id, message.price_ticks, lots)]
        self.fills[seq] = fills

    def _take_front(self, place: tuple[int, int], lots: int) -> list[RecordedFill]:
        fills: list[RecordedFill] = []
        while lots:
            order_id, open_lots = next(iter(self._levels[place].items()))
            taken = min(lots, open_lots)
            fills.append(RecordedFill(order_id, place[1], taken))
            self._take(place, order_id, taken)
            lots -= taken
        return fills

    def _withdraw(self, message: _Message, place: tuple[int, int]) -> None:
        """Cancel or reduce the order named; what it does not have is taken from the back."""
        left = message.lots
        while left and place in self._levels:
            level, anonymous = self._levels[place], self._anonymous.get(place)
            if message.order_id in level:
                order_id = message.order_id
            else:
                order_id = anonymous[0] if anonymous else next(reversed(level))
                self._guesses.update(level)
            lots = min(left, level[order_id])
            left -= lots
            self._remove(message.time_ns, place, order_id, lots)

    def _enter(self, time_ns: int, place: tuple[int, int], order_id: int, lots: int) -> None:
        self._levels.setdefault(place, {})[order_id] = lots
        self._command(time_ns, "new", order_id, *place, lots)

    def _remove(self, time_ns: int, place: tuple[int, int], order_id: int, lots: int) -> None:
        if lots == self._levels[place][order_id]:
            self._command(time_ns, "cancel", order_id, 0, 0, 0)
        else:
            self._command(time_ns, "reduce", order_id, 0, 0, lots)
        self._take(place, order_id, lots)

    def _take(self, place: tuple[int, int], order_id: int, lots: int) -> None:
        level = self._levels[place]
        level[order_id] -= lots
        if not level[order_id]:
            del level[order_id]
            anonymous = self._anonymous.get(place)
            if anonymous and order_id in anonymous:
                anonymous.remove(order_id)
        if not level:
            del self._levels[place]

    def _command(
        self, time_ns: int, op: Op, order_id: int, side: int, price_ticks: int, lots: int
    ) -> None:
        seq = len(self.commands)
        self.commands.append(RecordedCommand(seq, time_ns, op, order_id, side, price_ticks, lots))

    def _keep_row(self, window: _Window, compared: int | None) -> None:
        if not self.commands:
            return
        # A side that is not cut is known to have no more levels than the row shows.
        limits = []
        for levels, cut in ((window.bids, window.bids_cut), (window.asks, window.asks_cut)):
            known = len(levels) + (0 if cut else 1)
            limits.append(known if compared is None else min(known, compared))
        bids, asks = window.bids[: limits[0]], window.asks[: limits[1]]
        self.books[len(self.commands) - 1] = BookRow(bids, asks, limits[0], limits[1])


def _unseen_orders(messages: list[_Message]) -> dict[tuple[int, int], dict[int, _Unseen]]:
    """Orders named before (or without) their submission, by place and id."""
    submitted: set[int] = set()
    unseen: dict[tuple[int, int], dict[int, _Unseen]] = {}
    for index, message in enumerate(messages):
        if message.kind in _SKIPPED:
            continue
        if message.kind == SUBMISSION:
            submitted.add(message.order_id)
        elif message.order_id not in submitted:
            at_place = unseen.setdefault((message.side, message.price_ticks), {})
            order = at_place.setdefault(message.order_id, _Unseen(message.order_id, first=index))
            order.lots += message.lots
            if message.kind == EXECUTION and order.executed is None:
                order.executed = index
    return unseen


def _in_queue_order(orders: list[_Unseen]) -> list[_Unseen]:
    """Executed orders stood in front, in the order of their executions."""
    return sorted(
        orders,
        key=lambda order: (order.executed is None, order.executed or 0, order.first),
    )
