"""The commands of a recording, from what happened to the resting orders of a market. Does no I/O.

Every command of the market that changed its book becomes commands with the same fills: an order
that took and did not rest is an `exec`, one that rests is a `new` with what it took before. An
order that lost its place, and the next slice of an iceberg, are orders of their own.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter

from msgspec import Struct

from crossbook.common.following.depth import OrderDepth
from crossbook.common.types import Side
from crossbook.replay.recording import Op, RecordedCommand, RecordedFill
from crossbook.research.order_events import OrderEvent

_seq = attrgetter("seq")


class RecordedStep(Struct, frozen=True):
    """One command and its fills; after the `last` one of a command of the market, the flow's book
    is the market's."""

    command: RecordedCommand
    fills: list[RecordedFill]
    last: bool


class _Taker(Struct):
    """An incoming order and what it took so far."""

    order_id: int
    side: int
    fills: list[RecordedFill]

    def has_met(self, maker_id: int) -> bool:
        return any(fill.maker_id == maker_id for fill in self.fills)

    @property
    def lots(self) -> int:
        return sum(fill.quantity_lots for fill in self.fills)


class Flow:
    """The flow of one instrument, numbered from 0; orders get new ids, from 1 on.

    `book` is the market's book, and `ids` are the recording's ids of its orders.
    """

    def __init__(self) -> None:
        self.book = OrderDepth()
        self.ids: dict[int, int] = {}
        self._seq = 0
        self._last_id = 0
        self._steps: list[tuple[RecordedCommand, list[RecordedFill]]] = []
        self._taker: _Taker | None = None
        self._time_ns = 0

    def begin(self, time_ns: int) -> Iterator[RecordedStep]:
        """The orders of the book as commands that lead to it, in priority order."""
        self._time_ns = time_ns
        for side in (int(Side.BUY), int(Side.SELL)):
            for order_id, price_ticks, lots in self.book.orders(side):
                self._new(order_id, side, price_ticks, lots, [])
        return self._drain()

    def follow(self, events: Iterable[OrderEvent]) -> None:
        """Keep the book without recording, before `begin`."""
        for event in events:
            self._show(event)

    def apply(self, events: Iterable[OrderEvent], time_ns: int) -> Iterator[RecordedStep]:
        """The commands of whole commands of the market."""
        self._time_ns = time_ns
        for _, of_command in groupby(events, _seq):
            for event in of_command:
                self._happened(event)
                self._show(event)
            self._end_taker()
            yield from self._drain()

    def _show(self, event: OrderEvent) -> None:
        self.book.set_order(
            event.order_id, event.side, event.price_ticks, event.remaining_lots,
            requeue=event.act == "add",
        )  # fmt: skip

    def _happened(self, event: OrderEvent) -> None:
        if event.act == "execute":
            self._executed(event)
            return
        taker = self._taker
        if taker is not None and event.act != "add" and taker.has_met(self.ids[event.order_id]):
            # It took all it could: another taker, which traded nothing, followed.
            self._end_taker()
        if event.act == "delete":
            # Before the taker that is under way: it removes what the taker does not meet.
            self._record("cancel", self.ids.pop(event.order_id))
        elif event.act == "modify":
            known = self.book.get(event.order_id)
            assert known is not None, f"order {event.order_id} is not in the book"
            less = known[2] - event.quantity_lots
            assert less > 0, f"order {event.order_id} kept its place and grew by {-less}"
            self._record("reduce", self.ids[event.order_id], lots=less)
        else:
            self._added(event)

    def _executed(self, event: OrderEvent) -> None:
        taker = self._taker
        if taker is None or taker.order_id != event.other_order_id:
            self._end_taker()
            side = int(Side.SELL if event.side == Side.BUY else Side.BUY)
            taker = self._taker = _Taker(event.other_order_id, side, [])
        maker_id = self.ids[event.order_id]
        taker.fills.append(RecordedFill(maker_id, event.price_ticks, event.quantity_lots))
        if not event.remaining_lots:
            del self.ids[event.order_id]

    def _added(self, event: OrderEvent) -> None:
        taker = self._taker
        if taker is None or taker.order_id != event.order_id:
            # The next slice of an iceberg joins while the taker is under way, or a triggered order
            # rests behind another one.
            self._end_taker()
            self._new(event.order_id, event.side, event.price_ticks, event.quantity_lots, [])
            return
        self._taker = None
        lots = taker.lots + event.quantity_lots
        self._new(event.order_id, event.side, event.price_ticks, lots, taker.fills)

    def _end_taker(self) -> None:
        """The incoming order does not rest: it ends with its last fill."""
        taker, self._taker = self._taker, None
        if taker is not None:
            self._last_id += 1
            price_ticks = taker.fills[-1].price_ticks
            self._record("exec", self._last_id, taker.side, price_ticks, taker.lots, taker.fills)

    def _new(
        self, order_id: int, side: int, price_ticks: int, lots: int, fills: list[RecordedFill]
    ) -> None:
        self._last_id += 1
        self.ids[order_id] = self._last_id
        self._record("new", self._last_id, side, price_ticks, lots, fills)

    def _record(
        self,
        op: Op,
        recorded_id: int,
        side: int = 0,
        price_ticks: int = 0,
        lots: int = 0,
        fills: list[RecordedFill] | None = None,
    ) -> None:
        command = RecordedCommand(
            self._seq, self._time_ns, op, recorded_id, side, price_ticks, lots
        )
        self._seq += 1
        self._steps.append((command, fills or []))

    def _drain(self) -> Iterator[RecordedStep]:
        steps, self._steps = self._steps, []
        for number, (command, fills) in enumerate(steps, 1):
            yield RecordedStep(command, fills, number == len(steps))
