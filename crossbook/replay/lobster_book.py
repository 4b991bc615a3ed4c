"""A LOBSTER recording as commands: every message of the file, and the orders that it only names.

A file names orders whose submission it does not show: they rested before it begins, or entered out
of its window. Where ids grow with time, as NASDAQ's do, such an order is entered at the place of
its id among the submissions, and so gets its place in the queue; otherwise executed orders are
assumed to have been in front, in the order of their executions.
"""

from bisect import bisect_right
from collections.abc import Iterator
from itertools import pairwise, zip_longest
from pathlib import Path
from typing import Final

from msgspec import Struct

from crossbook.common.types import Side
from crossbook.csv_file import RecordingError
from crossbook.replay.recording import BookRow, Op, RecordedCommand, RecordedFill

SUBMISSION: Final = 1
PARTIAL_CANCEL: Final = 2
DELETION: Final = 3
EXECUTION: Final = 4
SKIPPED: Final = {5: "hidden execution", 6: "cross trade", 7: "trading halt"}

NO_ASK: Final = 9_999_999_999

_GROWING_PERCENT: Final = 90
"""Share of submissions with a higher id than the one before from which ids are assumed to grow."""

_BUY: Final = int(Side.BUY)
_SELL: Final = int(Side.SELL)

Levels = tuple[tuple[int, int], ...]


class MessageLine(Struct, gc=False, frozen=True):
    """One line of a message file; `line` is its number there."""

    time_ns: int
    kind: int
    order_id: int
    lots: int
    side: int
    price_ticks: int
    line: int = 0


class BookWindow(Struct, gc=False, frozen=True):
    """One row of the order book, and whether a side may continue out of view."""

    bids: Levels
    asks: Levels
    bids_cut: bool
    asks_cut: bool


class _Unseen(Struct):
    """An order whose submission the file does not show, from later messages.

    `first` is the index of the message that names it first, `executed` that of its first
    execution, `due` that of the submission it was before, by its id.
    """

    order_id: int
    side: int
    price_ticks: int
    lots: int = 0
    first: int = 0
    executed: int | None = None
    due: int = 0


class RebuiltBook:
    """The commands that replay the messages, and their expected results."""

    def __init__(self, messages: list[MessageLine]) -> None:
        self.commands: list[RecordedCommand] = []
        self.fills: dict[int, list[RecordedFill]] = {}
        self.books: dict[int, BookRow] = {}
        self.unexplained = 0
        self.guessed_makers = 0
        self._messages = messages
        self._next_id = max(message.order_id for message in messages) + 1
        self._unseen = _unseen_orders(messages)
        self._ids_grow = _ids_grow(messages)
        if self._ids_grow:
            _place_by_id(self._unseen, messages)
        # (side, price) -> open lots by order id, in priority order.
        self._levels: dict[tuple[int, int], dict[int, int]] = {}
        # (side, price) -> the synthetic orders for the rest of the level.
        self._anonymous: dict[tuple[int, int], list[int]] = {}
        # Orders whose place in the queue the file does not show.
        self._guesses: set[int] = set()

    def without_rows(self) -> None:
        """Rebuild from the messages alone."""
        time_ns = self._messages[0].time_ns
        waiting: list[_Unseen] = []
        for place, orders in self._unseen.items():
            if self._ids_grow:
                waiting += orders.values()
                continue
            for order in _in_queue_order(list(orders.values())):
                self._enter(time_ns, place, order.order_id, order.lots)
        waiting.sort(key=lambda order: (order.due, order.order_id), reverse=True)
        late: list[_Unseen] = []
        for index, message in enumerate(self._messages):
            while waiting and waiting[-1].due <= index:
                late.append(waiting.pop())
            if late:
                late = self._enter_due(late, index, message.time_ns)
            self._apply(message)

    def _enter_due(self, late: list[_Unseen], index: int, time_ns: int) -> list[_Unseen]:
        """Enter the orders that are due; those that would trade at once have to wait.

        One that message `index` names waits no longer: no order is known to be in its way.
        """
        kept: list[_Unseen] = []
        for order in late:
            if self._would_trade(order) and order.first > index:
                kept.append(order)
            else:
                self._enter(time_ns, (order.side, order.price_ticks), order.order_id, order.lots)
        return kept

    def _would_trade(self, order: _Unseen) -> bool:
        """Whether the other side has an order at this price or a better one. Costs O(levels)."""
        if order.side == _BUY:
            return any(side == _SELL and at <= order.price_ticks for side, at in self._levels)
        return any(side == _BUY and at >= order.price_ticks for side, at in self._levels)

    def with_rows(self, windows: Iterator[BookWindow], compared: int | None, path: Path) -> None:
        """Rebuild from messages and order book; row k is the book after message k."""
        before: BookWindow | None = None
        for index, (message, window) in enumerate(zip_longest(self._messages, windows)):
            if message is None or window is None:
                rows = index if window is None else f"more than {index}"
                raise RecordingError(
                    f"{path}: {rows} rows for the {len(self._messages)} messages of its file"
                )
            if before is None:
                self._open(message, window)
                before = window
            self._apply(message)
            for side in (_BUY, _SELL):
                self._reveal(index, message.time_ns, side, before, window)
            self._keep_row(window, compared)
            before = window

    def _open(self, message: MessageLine, window: BookWindow) -> None:
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
        self, index: int, time_ns: int, side: int, before: BookWindow, window: BookWindow
    ) -> None:
        """Fill the levels that were out of view before this row up to what the row shows."""
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
        end = levels[-1][0] * sign if now_cut else NO_ASK
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
        unseen = list(self._unseen.get(place, {}).values())
        if self._ids_grow:
            # Orders entered by now are in front of those known by their quantity only.
            unseen.sort(key=lambda order: (order.due > index + 1, order.order_id))
        else:
            unseen = _in_queue_order(unseen)
        for order in unseen:
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

    def _apply(self, message: MessageLine) -> None:
        place = (message.side, message.price_ticks)
        if message.kind in SKIPPED:
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

    def _execute(self, message: MessageLine, place: tuple[int, int]) -> None:
        """An IOC order of the other side; the fills are those of the order the message names.

        Where the queue is partly a guess, the file does not show which order was in front, and
        the fills are those of the queue as it was rebuilt.
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
            # Another order may have been hit: the orders left may differ from the venue's from here
            # on.
            self._guesses.update(level)
        fills = self._fill_front(place, lots)
        if not guessed:
            fills = [RecordedFill(message.order_id, message.price_ticks, lots)]
        self.fills[seq] = fills

    def _fill_front(self, place: tuple[int, int], lots: int) -> list[RecordedFill]:
        fills: list[RecordedFill] = []
        while lots:
            order_id, remaining_lots = next(iter(self._levels[place].items()))
            taken = min(lots, remaining_lots)
            fills.append(RecordedFill(order_id, place[1], taken))
            self._reduce(place, order_id, taken)
            lots -= taken
        return fills

    def _withdraw(self, message: MessageLine, place: tuple[int, int]) -> None:
        """Cancel or reduce the order named; lots that it does not have come off the back."""
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
        self._reduce(place, order_id, lots)

    def _reduce(self, place: tuple[int, int], order_id: int, lots: int) -> None:
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

    def _keep_row(self, window: BookWindow, compared: int | None) -> None:
        if not self.commands:
            return
        # A side that is not cut is known to have no more levels than the row shows.
        limits = []
        for levels, cut in ((window.bids, window.bids_cut), (window.asks, window.asks_cut)):
            known = len(levels) + (0 if cut else 1)
            limits.append(known if compared is None else min(known, compared))
        bids, asks = window.bids[: limits[0]], window.asks[: limits[1]]
        self.books[len(self.commands) - 1] = BookRow(bids, asks, limits[0], limits[1])


def _unseen_orders(messages: list[MessageLine]) -> dict[tuple[int, int], dict[int, _Unseen]]:
    """Orders named before (or without) their submission, by place and id."""
    submitted: set[int] = set()
    unseen: dict[tuple[int, int], dict[int, _Unseen]] = {}
    for index, message in enumerate(messages):
        if message.kind in SKIPPED:
            continue
        if message.kind == SUBMISSION:
            submitted.add(message.order_id)
        elif message.order_id not in submitted:
            at_place = unseen.setdefault((message.side, message.price_ticks), {})
            order = at_place.get(message.order_id)
            if order is None:
                order = at_place[message.order_id] = _Unseen(
                    message.order_id, message.side, message.price_ticks, first=index
                )
            order.lots += message.lots
            if message.kind == EXECUTION and order.executed is None:
                order.executed = index
    return unseen


def _ids_grow(messages: list[MessageLine]) -> bool:
    """Whether a later submission has a higher id: a few may come out of an auction."""
    ids = [message.order_id for message in messages if message.kind == SUBMISSION]
    grew = sum(after > before for before, after in pairwise(ids))
    return len(ids) > 1 and grew * 100 >= _GROWING_PERCENT * (len(ids) - 1)


def _place_by_id(
    unseen: dict[tuple[int, int], dict[int, _Unseen]], messages: list[MessageLine]
) -> None:
    """Find for every order the message it was entered before: the first submission with a higher
    id, or the first message that names it."""
    highest: list[int] = []
    for message in messages:
        before = highest[-1] if highest else 0
        highest.append(max(before, message.order_id) if message.kind == SUBMISSION else before)
    for orders in unseen.values():
        for order in orders.values():
            order.due = min(bisect_right(highest, order.order_id), order.first)


def _in_queue_order(orders: list[_Unseen]) -> list[_Unseen]:
    """Executed orders stood in front, in the order of their executions."""
    return sorted(
        orders,
        key=lambda order: (order.executed is None, order.executed or 0, order.first),
    )
