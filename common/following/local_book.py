"""A consumer's book of one instrument, from a snapshot and the updates after it."""

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from crossbook.common.following.depth import BookChecksum, Depth, OrderDepth
from crossbook.common.instruments import Instrument
from crossbook.common.messages.feed import DepthUpdate, OrdersUpdate, Snapshot
from crossbook.common.types import Side


class Best(NamedTuple):
    """Best bid and offer; zero ticks and lots where a side is empty."""

    bid_ticks: int
    bid_lots: int
    ask_ticks: int
    ask_lots: int


class Level(NamedTuple):
    """A price level as exact decimals: the price in the quote asset, all that is shown there in the
    base asset."""

    price: Decimal
    quantity: Decimal


def levels_of(instrument: Instrument, levels: Iterable[tuple[int, int]]) -> list[Level]:
    """Levels of (price ticks, lots) as decimals. They are made from text, so nothing rounds them.

    >>> from crossbook.common.instruments import example
    >>> levels_of(example(), [(5000001, 50000)])
    [Level(price=Decimal('50000.01'), quantity=Decimal('0.50000'))]
    """
    return [
        Level(Decimal(instrument.price_text(ticks)), Decimal(instrument.quantity_text(lots)))
        for ticks, lots in levels
    ]


class LocalBook:
    """The book of one instrument, by level and, when `by_order`, by order.

    Without `by_level` the levels are those of the orders. Levels are true as of the
    matcher's `seq`, orders as of `orders_seq`. Prices are ticks, quantities lots; `instrument`
    formats them.

    Each `apply` returns whether the update fitted; after False the book is wrong until `load`.
    """

    def __init__(self, symbol: str, *, by_level: bool = True, by_order: bool = False) -> None:
        self.symbol = symbol
        self.instrument: Instrument | None = None
        self.seq = 0
        self.orders_seq = 0
        self.last_trade_id = 0
        self.order_depth = OrderDepth() if by_order else None
        self.depth = Depth() if by_level or self.order_depth is None else self.order_depth.depth
        self._by_level = by_level
        self._snapshot_seq = 0
        self._checksum: BookChecksum | None = None

    def bids(self, limit: int | None = None) -> list[tuple[int, int]]:
        """The best `limit` bid levels (all when None) as (price ticks, lots), best first."""
        return self.depth.levels(Side.BUY, limit)

    def asks(self, limit: int | None = None) -> list[tuple[int, int]]:
        """The best `limit` ask levels (all when None) as (price ticks, lots), best first."""
        return self.depth.levels(Side.SELL, limit)

    @property
    def best(self) -> Best:
        """Best bid and offer."""
        return Best(*self.depth.best(Side.BUY), *self.depth.best(Side.SELL))

    def bid_levels(self, limit: int | None = None) -> list[Level]:
        """The best `limit` bid levels (all when None) as decimals, best first; none before the
        instrument is known."""
        return levels_of(self.instrument, self.bids(limit)) if self.instrument else []

    def ask_levels(self, limit: int | None = None) -> list[Level]:
        """The best `limit` ask levels (all when None) as decimals, best first; none before the
        instrument is known."""
        return levels_of(self.instrument, self.asks(limit)) if self.instrument else []

    @property
    def best_bid(self) -> Level | None:
        """The best bid; None where there is none."""
        return next(iter(self.bid_levels(1)), None)

    @property
    def best_ask(self) -> Level | None:
        """The best offer; None where there is none."""
        return next(iter(self.ask_levels(1)), None)

    @property
    def checksum(self) -> int:
        """The CRC32 of the present top ten levels (see
        `crossbook.common.following.depth`)."""
        return self._checksum.of(self.depth) if self._checksum is not None else 0

    def describe(self, instrument: Instrument) -> None:
        """Set the instrument of the book; checksums need it."""
        self.instrument = instrument
        self._checksum = BookChecksum(instrument)

    def load(self, snapshot: Snapshot) -> bool:
        """Replace the book by a snapshot; return whether it agrees with its own checksum."""
        self.depth.load(snapshot.bids, snapshot.asks)
        sound = self.checksum == snapshot.checksum
        orders = self.order_depth
        if orders is not None:
            orders.clear()
            for side, listed in ((1, snapshot.bid_orders), (2, snapshot.ask_orders)):
                for order_id, price_ticks, remaining_lots in listed:
                    orders.set_order(order_id, side, price_ticks, remaining_lots)
            sound = sound and orders.depth.levels(1) == sorted(snapshot.bids, reverse=True)
            sound = sound and orders.depth.levels(2) == sorted(snapshot.asks)
        self.seq = self.orders_seq = self._snapshot_seq = snapshot.seq
        self.last_trade_id = snapshot.last_trade_id
        return sound

    def apply_levels(self, update: DepthUpdate) -> bool:
        """Apply an `l2` update; return whether it follows the book and the checksum agrees."""
        if not self._follows(update.prev_seq, self.seq):
            return False
        depth = self.depth
        for price_ticks, lots in update.bids:
            depth.set_level(Side.BUY, price_ticks, lots)
        for price_ticks, lots in update.asks:
            depth.set_level(Side.SELL, price_ticks, lots)
        self.seq = update.seq
        return self._checksum is None or self._checksum.of(depth) == update.checksum

    def apply_orders(self, update: OrdersUpdate) -> bool:
        """Apply an `l3` update; return whether it follows the book."""
        orders = self.order_depth
        if orders is None or not self._follows(update.prev_seq, self.orders_seq):
            return False
        for change in update.changes:
            orders.apply(change)
        self.orders_seq = update.seq
        if not self._by_level:
            self.seq = update.seq
        return True

    def _follows(self, prev_seq: int, seq: int) -> bool:
        # The topic's own numbers decide which message is the first after a snapshot: the snapshot
        # may be of any moment after the message before.
        return seq in (prev_seq, self._snapshot_seq)
