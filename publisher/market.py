"""The public view of one instrument: events in, feed messages out.

The book is rebuilt from events alone. A command shows as a whole: a taker first fills the makers,
and its rest joins the book afterwards, so the published book is crossed only in a call phase, where
it really is. An iceberg shows its slice only; an order that waits for a trigger and a market order
show nothing.
"""

from typing import Final, TypeAlias

from crossbook.common.errors import StreamError
from crossbook.common.following.depth import CHECKSUM_LEVELS, BookChecksum
from crossbook.common.instruments import Instrument
from crossbook.common.messages.codec import encode
from crossbook.common.messages.events import (
    OrderAccepted,
    OrderAmended,
    OrderExpired,
    OrderReduced,
    OrderReplenished,
    OrderTriggered,
    TradeExecuted,
)
from crossbook.common.messages.feed import (
    BestBidOffer,
    DepthUpdate,
    OrderChange,
    OrdersUpdate,
    Snapshot,
    Trade,
    Trades,
    topic,
)
from crossbook.common.messages.matcher_queries import BookState
from crossbook.common.types import Side
from crossbook.publisher.depth import DepthSide
from crossbook.publisher.market_state import StateTopic, Volumes
from crossbook.publisher.resend_buffer import FeedResendBuffer, Frames
from crossbook.publisher.statistics import MarketStatistics, Quote

_BUY: Final = int(Side.BUY)
_SELL: Final = int(Side.SELL)


Entering: TypeAlias = OrderAccepted | OrderAmended | OrderTriggered


class PublishedMarket:
    """Resting orders and levels of one instrument, and their unpublished changes.

    `seq` arguments are the matcher's. Every method with an event raises `StreamError` where the
    event contradicts the book. `uncrosses` is true while the trades of an uncross arrive.
    """

    def __init__(
        self, instrument: Instrument, base: int, resend_count: int, resend_bytes: int
    ) -> None:
        self.instrument = instrument
        self.symbol = symbol = instrument.symbol
        self.last_trade_id = 0
        self.last_price_ticks = 0
        self._checksum = BookChecksum(instrument)
        self._trade, self._bbo, self._l2, self._l3 = books = tuple(
            FeedResendBuffer(topic(channel, symbol), base, resend_count, resend_bytes)
            for channel in ("trade", "bbo", "l2", "l3")
        )
        self.statistics = MarketStatistics(instrument, base, resend_count, resend_bytes)
        self.state = StateTopic(symbol, self.volumes, base, resend_count, resend_bytes)
        self.topics = (*books, *self.statistics.topics, self.state.topic)
        self.bids = DepthSide(1)
        self.asks = DepthSide(-1)
        # order id -> (side, price ticks, shown lots). A dict keeps the order of entry, and an
        # order that loses priority is entered anew. So it holds orders of one price in priority
        # order, and a level needs no queue of its own.
        self._orders: dict[int, tuple[int, int, int]] = {}
        self._changes: list[OrderChange] = []
        self._trades: list[Trade] = []
        # order id -> (display lots, hidden lots) of an iceberg.
        self._icebergs: dict[int, tuple[int, int]] = {}
        self.uncrosses = False
        self._taker: Entering | None = None
        self._taker_id = 0
        self._taker_remaining_lots = 0
        self._quote: Quote = (0, 0, 0, 0)
        # Number of `_trades` that the statistics have.
        self._counted = 0
        self._taker_display_lots = 0
        self._l2_seq = 0
        self._l3_seq = 0
        self._sorted: tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]] | None = None

    def enter(self, event: Entering, order_id: int, remaining_lots: int, display_lots: int) -> None:
        """An incoming order: it rests with the lots that its trades, which follow, leave."""
        self._taker = event
        self._taker_id = order_id
        self._taker_remaining_lots = remaining_lots
        self._taker_display_lots = display_lots

    @property
    def open_orders(self) -> int:
        """Number of resting orders."""
        return len(self._orders)

    def trade(self, event: TradeExecuted, time_ns: int) -> None:
        """A trade reduces its maker and its taker; in an uncross both may be resting orders."""
        lots = event.quantity_lots
        self._give(event, event.maker_order_id, lots, event.maker_remaining_lots, self.uncrosses)
        if self.uncrosses:
            self._give(event, event.taker_order_id, lots, event.taker_remaining_lots, True)
        self.last_trade_id = event.trade_id
        self.last_price_ticks = event.price_ticks
        self._trades.append(
            Trade(
                event.seq,
                event.trade_id,
                event.price_ticks,
                lots,
                event.aggressor_side,
                event.maker_order_id,
                event.taker_order_id,
                time_ns,
            )
        )
        self._taker_remaining_lots = event.taker_remaining_lots

    def volumes(self) -> Volumes:
        """Lots by price, hidden ones included, and the last price. O(prices)."""
        sides = {_BUY: dict(self.bids.lots), _SELL: dict(self.asks.lots)}
        for order_id, (_, hidden) in self._icebergs.items():
            side, price, _ = self._orders[order_id]
            sides[side][price] += hidden
        # An emptied level stays with zero lots until the side is settled.
        bids, asks = ({p: lots for p, lots in side.items() if lots} for side in sides.values())
        return (bids, asks, self.last_price_ticks)

    def _give(
        self, event: TradeExecuted, order_id: int, lots: int, left_lots: int, may_wait: bool
    ) -> None:
        """A resting order traded and has `left_lots`, hidden ones included. In an uncross it may be
        a market order, which never shows."""
        known = self._orders.get(order_id)
        if known is None and may_wait:
            self.state.reduce(order_id, left_lots)
            return
        hidden = 0
        if self._icebergs and order_id in self._icebergs and known is not None:
            display, hidden = self._icebergs[order_id]
            # An uncross trades beyond the slice from the hidden lots.
            beyond = max(lots - known[2], 0)
            lots -= beyond
            hidden -= beyond
            self._icebergs[order_id] = (display, hidden)
        if known is None or known[2] - lots + hidden != left_lots:
            raise StreamError(f"trade {event.trade_id} of {self.symbol} with order {known}")
        side, price, before = known
        remaining_lots = before - lots
        (self.bids if side == _BUY else self.asks).add(price, -lots)
        if left_lots:
            self._orders[order_id] = (side, price, remaining_lots)
            if not remaining_lots:
                # The event with its next slice follows at once.
                return
        else:
            del self._orders[order_id]
            self._icebergs.pop(order_id, None)
        self._changes.append(OrderChange(event.seq, order_id, side, price, remaining_lots))

    def replenish(self, event: OrderReplenished) -> None:
        """An iceberg shows its next slice, behind its level or in its place."""
        order_id = event.order_id
        known = self._orders.get(order_id)
        if known is None or order_id not in self._icebergs:
            raise StreamError(f"iceberg {order_id} of {self.symbol} is not in the book")
        side, price, _ = known
        lots = event.shown_lots
        display, _ = self._icebergs[order_id]
        self._icebergs[order_id] = (display, event.remaining_lots - lots)
        if event.requeued:
            del self._orders[order_id]
        self._orders[order_id] = (side, price, lots)
        (self.bids if side == _BUY else self.asks).add(price, lots)
        self._changes.append(OrderChange(event.seq, order_id, side, price, lots, event.requeued))

    def rest(self) -> None:
        """End the incoming order of the last `enter`: it rests with its remaining lots."""
        event = self._taker
        assert event is not None, "no order was entered"
        self._taker = None
        remaining_lots, order_id = self._taker_remaining_lots, self._taker_id
        requeued = type(event) is OrderAmended
        if requeued:
            known = self._remove(order_id)
            self._icebergs.pop(order_id, None)
            if not remaining_lots:
                self._changes.append(OrderChange(event.seq, order_id, event.side, known[1], 0))
        if not remaining_lots:
            return
        side, price = event.side, event.price_ticks
        shown = remaining_lots
        if self._taker_display_lots:
            shown = min(self._taker_display_lots, remaining_lots)
            self._icebergs[order_id] = (self._taker_display_lots, remaining_lots - shown)
        self._orders[order_id] = (side, price, shown)
        (self.bids if side == _BUY else self.asks).add(price, shown)
        self._changes.append(OrderChange(event.seq, order_id, side, price, shown, requeued))

    def leave(self, seq: int, order_id: int, remaining_lots: int) -> None:
        """A resting order ended with `remaining_lots`, hidden ones included."""
        hidden = self._icebergs.pop(order_id, (0, 0))[1] if self._icebergs else 0
        side, price, lots = self._remove(order_id)
        if lots + hidden != remaining_lots:
            raise StreamError(f"order {order_id} of {self.symbol} ended with {lots} lots open")
        self._changes.append(OrderChange(seq, order_id, side, price, 0))

    def expire(self, event: OrderExpired) -> None:
        """A resting or the incoming order ended without a request."""
        if event.resting:
            self.leave(event.seq, event.order_id, event.expired_lots)
        elif self.state.reduce(event.order_id, 0):
            return
        elif self._taker is not None and event.order_id == self._taker_id:
            self._taker_remaining_lots = 0

    def reduce(self, event: OrderAmended | OrderReduced) -> None:
        """A resting or the incoming order has fewer lots, and keeps its place."""
        order_id = event.order_id
        if self._taker is not None and order_id == self._taker_id:
            self._taker_remaining_lots = event.remaining_lots
            return
        known = self._orders.get(order_id)
        if known is None:
            if type(event) is OrderReduced and not event.resting:
                return
            raise StreamError(f"order {order_id} of {self.symbol} amended and not in the book")
        shown = event.remaining_lots
        if order_id in self._icebergs:
            shown = event.shown_lots
            self._icebergs[order_id] = (self._icebergs[order_id][0], event.remaining_lots - shown)
        self._show(event.seq, order_id, known, shown)

    def load(self, book: BookState | None, seq: int, *, same_incarnation: bool) -> None:
        """Become `book`, empty for None, by changes that a consumer can apply.

        Orders gone, moved in price or overtaken in their level are removed first, then lots
        change in place, then orders are entered in priority order: never crossed between.
        Candles and ticker continue only where no trade was missed.
        """
        self._taker = None
        self._icebergs.clear()
        wanted: dict[int, tuple[int, int, int]] = {}
        last_trade_id, last_price = 0, 0
        if book is not None:
            self.last_trade_id = last_trade_id = book.last_trade_id
            self.last_price_ticks = last_price = book.last_price_ticks
        self._add_statistics()
        statistics = self.statistics
        statistics.count()
        if not (
            same_incarnation and statistics.known and statistics.last_trade_id == last_trade_id
        ):
            statistics.forget(last_trade_id, last_price)
        if book is not None:
            for side, orders in ((_BUY, book.bids), (_SELL, book.asks)):
                for order in orders:
                    wanted[order.order_id] = (side, order.price_ticks, order.shown_lots)
                    if order.display_lots:
                        iceberg = (order.display_lots, order.hidden_lots)
                        self._icebergs[order.order_id] = iceberg
        self.uncrosses = False
        kept = self._in_place(wanted)
        for order_id in [order_id for order_id in self._orders if order_id not in kept]:
            side, price, _ = self._remove(order_id)
            self._changes.append(OrderChange(seq, order_id, side, price, 0))
        for order_id in kept:
            self._show(seq, order_id, self._orders[order_id], wanted[order_id][2])
        for order_id, (side, price, lots) in wanted.items():
            if order_id not in kept:
                self._orders[order_id] = (side, price, lots)
                (self.bids if side == _BUY else self.asks).add(price, lots)
                self._changes.append(OrderChange(seq, order_id, side, price, lots))
        self.state.load(book)

    def publish(self, seq: int, time_ns: int) -> list[Frames]:
        """Messages that bring consumers to `seq`: one a topic at most, and one for each call phase
        that ended. A state in which the book may be crossed precedes the book, another one
        follows it, so that a consumer never sees a crossed book in another state."""
        state = self.state
        state.disturb()
        sent = state.before_book(seq, time_ns)
        sent += self._publish_book(seq, time_ns)
        return sent + state.after_book(seq, time_ns)

    def _publish_book(self, seq: int, time_ns: int) -> list[Frames]:
        sent: list[Frames] = []
        symbol = self.symbol
        if self._trades:
            sent.append(self._trade.append(encode(Trades(symbol, self._trades))))
            self._add_statistics()
            self._trades = []
            self._counted = 0
        changes = self._changes
        if not changes:
            return sent
        first_seq = changes[0].seq
        orders = OrdersUpdate(symbol, first_seq, seq, self._l3_seq, changes, time_ns)
        sent.append(self._l3.append(encode(orders)))
        self._l3_seq = seq
        self._changes = []
        self._sorted = None
        bids, asks = self.bids.settle(), self.asks.settle()
        if bids or asks:
            update = DepthUpdate(
                symbol, first_seq, seq, self._l2_seq, bids, asks, self.checksum(), time_ns
            )
            sent.append(self._l2.append(encode(update)))
            self._l2_seq = seq
            quote = self.bids.best() + self.asks.best()
            if quote != self._quote:
                self._quote = quote
                best = BestBidOffer(symbol, seq, *quote, time_ns)
                sent.append(self._bbo.append(encode(best)))
        return sent

    def publish_statistics(self, seq: int, time_ns: int) -> list[Frames]:
        """Candle and ticker messages that bring consumers to `seq`, after `publish` has."""
        return self.statistics.publish(seq, time_ns, self._quote)

    @property
    def book_seqs(self) -> tuple[int, int]:
        """The numbers of the last messages about levels and about orders."""
        return (self._l2_seq, self._l3_seq)

    def checksum(self) -> int:
        """CRC32 of the top levels as last published."""
        return self._checksum.of_levels(
            self.bids.top(CHECKSUM_LEVELS), self.asks.top(CHECKSUM_LEVELS)
        )

    def snapshot(self, request_id: int, seq: int, time_ns: int, orders: bool) -> Snapshot:
        """The book as last published. O(levels), and with `orders` O(orders log orders) the
        first time after a change."""
        bids, asks = self.orders() if orders else ([], [])
        ticker, candles = self.statistics.state(seq, time_ns, self._quote)
        return Snapshot(
            request_id,
            self.symbol,
            seq,
            {topic.name: topic.last_seq for topic in self.topics},
            self.bids.levels(),
            self.asks.levels(),
            self.checksum(),
            time_ns,
            self.last_trade_id,
            bids,
            asks,
            ticker,
            candles,
            self.state.as_of(seq, time_ns),
        )

    def orders(self) -> tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]]:
        """(order id, price ticks, shown lots) of bids and of asks, in priority order."""
        if self._sorted is None:
            bids: list[tuple[int, int, int]] = []
            asks: list[tuple[int, int, int]] = []
            for order_id, (side, price, lots) in self._orders.items():
                (bids if side == _BUY else asks).append((order_id, price, lots))
            # Sorting is stable: orders of one price stay in priority order, which is the dict's.
            bids.sort(key=lambda order: -order[1])
            asks.sort(key=lambda order: order[1])
            self._sorted = (bids, asks)
        return self._sorted

    def _add_statistics(self) -> None:
        self.statistics.add(self._trades[self._counted :] if self._counted else self._trades)
        self._counted = len(self._trades)

    def _remove(self, order_id: int) -> tuple[int, int, int]:
        known = self._orders.pop(order_id, None)
        if known is None:
            raise StreamError(f"order {order_id} of {self.symbol} is not in the book")
        side, price, lots = known
        (self.bids if side == _BUY else self.asks).add(price, -lots)
        return known

    def _show(self, seq: int, order_id: int, known: tuple[int, int, int], shown_lots: int) -> None:
        """Change the shown lots of a known order in its place."""
        side, price, before = known
        if shown_lots != before:
            self._orders[order_id] = (side, price, shown_lots)
            (self.bids if side == _BUY else self.asks).add(price, shown_lots - before)
            self._changes.append(OrderChange(seq, order_id, side, price, shown_lots))

    def _in_place(self, wanted: dict[int, tuple[int, int, int]]) -> dict[int, None]:
        """Orders that need not move to give `wanted`, which is in priority order.

        In each level these are the orders at its front that stand there already in this sequence.
        """
        place = {order_id: place for place, order_id in enumerate(self._orders)}
        last_place: dict[tuple[int, int], int] = {}
        kept: dict[int, None] = {}
        for order_id, (side, price, _) in wanted.items():
            known = self._orders.get(order_id)
            at = place[order_id] if known is not None and known[:2] == (side, price) else -1
            if at > last_place.get((side, price), -1):
                kept[order_id] = None
                last_place[(side, price)] = at
            else:
                # No order behind it keeps its place: each joins the back of the level.
                last_place[(side, price)] = len(place)
        return kept
