"""One instrument as the public sees it: events in, feed messages out.

The book is rebuilt from events alone. Nothing of a command shows before all of it: a taker first
takes from the makers, and what is left of it joins the book afterwards, so no consumer ever sees
the book crossed.
"""

from typing import Final

from common.codec import encode
from common.depth import CHECKSUM_LEVELS, BookChecksum
from common.errors import StreamError
from common.events import OrderAccepted, OrderAmended, OrderCanceled, TradeExecuted
from common.feed import (
    BestBidOffer,
    DepthUpdate,
    OrderChange,
    OrdersUpdate,
    Snapshot,
    Trade,
    Trades,
    topic,
)
from common.instruments import Instrument
from common.sync import BookState
from common.types import Side
from publisher.depth import DepthSide
from publisher.history import Frames, Topic
from publisher.statistics import Quote, Statistics

_BUY: Final = int(Side.BUY)
_SELL: Final = int(Side.SELL)


class Market:
    """Resting orders and levels of one instrument, and what of them is not yet published.

    `seq` arguments are the matcher's. Every method that takes an event raises `StreamError` when
    the event cannot be true of this book.
    """

    def __init__(
        self, instrument: Instrument, base: int, history_count: int, history_bytes: int
    ) -> None:
        self.instrument = instrument
        self.symbol = symbol = instrument.symbol
        self.last_trade_id = 0
        self._checksum = BookChecksum(instrument)
        self._trade, self._bbo, self._l2, self._l3 = books = tuple(
            Topic(topic(channel, symbol), base, history_count, history_bytes)
            for channel in ("trade", "bbo", "l2", "l3")
        )
        self.statistics = Statistics(instrument, base, history_count, history_bytes)
        self.topics = books + self.statistics.topics
        self.bids = DepthSide(1)
        self.asks = DepthSide(-1)
        # order id -> (side, price ticks, open lots). A dict keeps the order of entry, and an
        # order that loses priority is entered anew: so orders of one price stand in it in
        # priority order, and a level needs no queue of its own.
        self._orders: dict[int, tuple[int, int, int]] = {}
        self._changes: list[OrderChange] = []
        self._trades: list[Trade] = []
        self._taker: OrderAccepted | OrderAmended | None = None
        self._taker_open_lots = 0
        self._quote: Quote = (0, 0, 0, 0)
        # How many of `_trades` the statistics have heard of.
        self._told = 0
        self._l2_seq = 0
        self._l3_seq = 0
        self._sorted: tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]] | None = None

    def enter(self, event: OrderAccepted | OrderAmended, open_lots: int) -> None:
        """An order comes in that will rest if its trades, which follow, leave anything."""
        self._taker = event
        self._taker_open_lots = open_lots

    def trade(self, event: TradeExecuted, time_ns: int) -> None:
        """A maker gave lots to the taker."""
        order_id = event.maker_order_id
        known = self._orders.get(order_id)
        lots = event.quantity_lots
        if known is None or known[2] - lots != event.maker_open_lots:
            raise StreamError(f"trade {event.trade_id} of {self.symbol} with order {known}")
        side, price, _ = known
        open_lots = event.maker_open_lots
        if open_lots:
            self._orders[order_id] = (side, price, open_lots)
        else:
            del self._orders[order_id]
        (self.bids if side == _BUY else self.asks).add(price, -lots)
        seq = event.seq
        self._changes.append(OrderChange(seq, order_id, side, price, open_lots))
        self.last_trade_id = event.trade_id
        self._trades.append(
            Trade(
                seq,
                event.trade_id,
                event.price_ticks,
                lots,
                event.aggressor_side,
                order_id,
                event.taker_order_id,
                time_ns,
            )
        )
        self._taker_open_lots = event.taker_open_lots

    def rest(self) -> None:
        """The command of the last `enter` is over: its order rests with what is left."""
        event = self._taker
        assert event is not None, "no order was entered"
        self._taker = None
        seq, side, price, open_lots = (
            event.seq,
            event.side,
            event.price_ticks,
            self._taker_open_lots,
        )
        if type(event) is OrderAmended:
            order_id = event.order_id
            known = self._remove(order_id)
            if not open_lots:
                self._changes.append(OrderChange(seq, order_id, side, known[1], 0))
        else:
            order_id = seq
        if open_lots:
            self._orders[order_id] = (side, price, open_lots)
            (self.bids if side == _BUY else self.asks).add(price, open_lots)
            requeued = order_id != seq
            self._changes.append(OrderChange(seq, order_id, side, price, open_lots, requeued))

    def cancel(self, event: OrderCanceled) -> None:
        """A resting order left the book."""
        order_id = event.order_id
        side, price, lots = self._remove(order_id)
        if lots != event.canceled_lots:
            raise StreamError(f"order {order_id} of {self.symbol} canceled with {lots} lots open")
        self._changes.append(OrderChange(event.seq, order_id, side, price, 0))

    def reduce(self, event: OrderAmended) -> None:
        """A resting order has fewer lots, in its place."""
        order_id = event.order_id
        known = self._orders.get(order_id)
        if known is None:
            raise StreamError(f"order {order_id} of {self.symbol} amended and not in the book")
        self._show(event.seq, order_id, known, event.open_lots)

    def load(self, book: BookState | None, seq: int, *, same_stream: bool) -> None:
        """Become `book` (empty when None) by changes that a consumer can follow.

        Orders gone, moved in price or overtaken in their level are removed first, then lots
        change in place, then orders are entered in priority order: never crossed between.
        Candles and ticker go on only where no trade was missed.
        """
        self._taker = None
        wanted: dict[int, tuple[int, int, int]] = {}
        last_trade_id, last_price = 0, 0
        if book is not None:
            self.last_trade_id = last_trade_id = book.last_trade_id
            last_price = book.last_price_ticks
        self._tell_statistics()
        statistics = self.statistics
        statistics.count()
        if not (same_stream and statistics.known and statistics.last_trade_id == last_trade_id):
            statistics.forget(last_trade_id, last_price)
        if book is not None:
            for side, orders in ((_BUY, book.bids), (_SELL, book.asks)):
                for order in orders:
                    wanted[order.order_id] = (side, order.price_ticks, order.open_lots)
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

    def publish(self, seq: int, time_ns: int) -> list[Frames]:
        """Messages, at most one a topic, that bring consumers to `seq`."""
        sent: list[Frames] = []
        symbol = self.symbol
        if self._trades:
            sent.append(self._trade.append(encode(Trades(symbol, self._trades))))
            self._tell_statistics()
            self._trades = []
            self._told = 0
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
        )

    def orders(self) -> tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]]:
        """(order id, price ticks, open lots) of bids and of asks, in priority order."""
        if self._sorted is None:
            bids: list[tuple[int, int, int]] = []
            asks: list[tuple[int, int, int]] = []
            for order_id, (side, price, lots) in self._orders.items():
                (bids if side == _BUY else asks).append((order_id, price, lots))
            # Sorting is stable: orders of one price stay in the dict's, the priority, order.
            bids.sort(key=lambda order: -order[1])
            asks.sort(key=lambda order: order[1])
            self._sorted = (bids, asks)
        return self._sorted

    def _tell_statistics(self) -> None:
        self.statistics.hear(self._trades[self._told :] if self._told else self._trades)
        self._told = len(self._trades)

    def _remove(self, order_id: int) -> tuple[int, int, int]:
        known = self._orders.pop(order_id, None)
        if known is None:
            raise StreamError(f"order {order_id} of {self.symbol} is not in the book")
        side, price, lots = known
        (self.bids if side == _BUY else self.asks).add(price, -lots)
        return known

    def _show(self, seq: int, order_id: int, known: tuple[int, int, int], open_lots: int) -> None:
        """Change the open lots of a known order in its place."""
        side, price, before = known
        if open_lots != before:
            self._orders[order_id] = (side, price, open_lots)
            (self.bids if side == _BUY else self.asks).add(price, open_lots - before)
            self._changes.append(OrderChange(seq, order_id, side, price, open_lots))

    def _in_place(self, wanted: dict[int, tuple[int, int, int]]) -> dict[int, None]:
        """Orders that need not move to give `wanted`, which is in priority order.

        In each level: the orders at its front that are there already, in this sequence.
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
                # Nothing behind it may keep its place: it joins the back of the level.
                last_place[(side, price)] = len(place)
        return kept
