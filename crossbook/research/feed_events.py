"""Order-by-order events of one book, from the public feed.

They are those that `crossbook.research.order_events` makes of the matcher's events, as long as no
call phase crosses the book: a trade of an uncross may have two resting orders, and the feed does
not distinguish that from an order that takes after it lost its place.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import attrgetter

from crossbook.common.messages.feed import OrderChange, Trade
from crossbook.common.types import Side
from crossbook.research.order_events import Act, OrderEvent

_seq = attrgetter("seq")

RestingOrders = Iterable[tuple[int, int, int]]
"""(order id, price ticks, lots), best first, in priority order."""


class FeedBook:
    """What the resting orders of one instrument show, and what happens to them.

    Give it every change and every trade up to a number, once.
    """

    def __init__(self, instrument: int) -> None:
        self._instrument = instrument
        # order id -> (side, price ticks, shown lots)
        self._orders: dict[int, tuple[int, int, int]] = {}

    def load(self, bids: RestingOrders, asks: RestingOrders) -> None:
        """Replace the book."""
        sides = ((int(Side.BUY), bids), (int(Side.SELL), asks))
        self._orders = {
            order_id: (side, price, lots)
            for side, orders in sides
            for order_id, price, lots in orders
        }

    def apply(self, changes: Sequence[OrderChange], trades: Sequence[Trade]) -> list[OrderEvent]:
        """What happened, by whole commands, in order. O(changes + trades)."""
        traded = {seq: deque(each) for seq, each in groupby(trades, _seq)}
        found: list[OrderEvent] = []
        for seq, each in groupby(changes, _seq):
            self._command(list(each), traded.get(seq, deque()), found)
        return found

    def _command(
        self, changes: list[OrderChange], trades: "deque[Trade]", found: list[OrderEvent]
    ) -> None:
        for change in changes:
            known = self._orders.get(change.order_id)
            if trades and trades[0].maker_order_id == change.order_id and known is not None:
                self._executed(change, trades.popleft(), known, found)
            else:
                self._changed(change, known, found)

    def _executed(
        self,
        change: OrderChange,
        trade: Trade,
        known: tuple[int, int, int],
        found: list[OrderEvent],
    ) -> None:
        taker = self._orders.get(trade.taker_order_id)
        if taker is not None:
            # An amended order takes: it left its place before, which the feed shows afterwards.
            self._delete(trade.seq, trade.taker_order_id, taker, found)
        side, price, shown = known
        lots = trade.quantity_lots
        left = shown - lots
        self._orders[change.order_id] = (side, price, left)
        found.append(
            OrderEvent(
                self._instrument, trade.seq, "execute", change.order_id, side, price, lots, left,
                trade.trade_id, trade.taker_order_id,
            )
        )  # fmt: skip
        if not left:
            del self._orders[change.order_id]
        if change.shown_lots != left:
            # The next slice of an iceberg.
            self._show(change, "add", found)

    def _changed(
        self, change: OrderChange, known: tuple[int, int, int] | None, found: list[OrderEvent]
    ) -> None:
        if known is not None and (
            change.requeued or not change.shown_lots or change.price_ticks != known[1]
        ):
            self._delete(change.seq, change.order_id, known, found)
            known = None
        if change.shown_lots:
            self._show(change, "add" if known is None else "modify", found)

    def _show(self, change: OrderChange, act: Act, found: list[OrderEvent]) -> None:
        lots = change.shown_lots
        self._orders[change.order_id] = (change.side, change.price_ticks, lots)
        found.append(
            OrderEvent(
                self._instrument, change.seq, act, change.order_id, change.side,
                change.price_ticks, lots, lots,
            )
        )  # fmt: skip

    def _delete(
        self, seq: int, order_id: int, known: tuple[int, int, int], found: list[OrderEvent]
    ) -> None:
        del self._orders[order_id]
        side, price, lots = known
        found.append(OrderEvent(self._instrument, seq, "delete", order_id, side, price, lots, 0))
