"""The resting orders of one instrument in price-time priority.

A side is a plain list of keys, best last, beside a dict of levels. The key is the price for bids
and its negative for asks, so on both sides a larger key is a better price and the best one is
`keys[-1]`. Opening and closing a level near the best is the hot path of real order flow, and
there a list with `bisect` touches only a few bytes (matcher/README.md, "Decisions"). Orders
of a level are a linked list: O(1) to append, to take from the front and to remove from anywhere,
with nothing left behind to skip later.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator

from msgspec import Struct

from common.events import Event, TradeExecuted
from common.instruments import Instrument
from common.types import Side
from matcher.fees import fee
from matcher.order import Order

_BUY = int(Side.BUY)


class Level(Struct, eq=False, gc=False):
    """All orders at one price: `head` is next to trade, `lots` is the sum of their open lots."""

    side: "BookSide"
    key: int
    lots: int
    head: Order | None
    tail: Order | None


class BookSide:
    """Bids or asks: `keys` ascending (best last), and the level of each key."""

    __slots__ = ("keys", "levels", "sign")

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.keys: list[int] = []
        self.levels: dict[int, Level] = {}

    def add(self, order: Order) -> None:
        """Put an order at the back of its level. O(1), O(log levels) where it opens one."""
        key = order.price_ticks * self.sign
        level = self.levels.get(key)
        if level is None:
            self.levels[key] = order.level = Level(self, key, order.open_lots, order, order)
            keys = self.keys
            if keys and key < keys[-1]:
                insort(keys, key)
            else:
                keys.append(key)
            return
        tail = level.tail
        assert tail is not None, "an empty level is in the book"
        tail.after = order
        order.before = tail
        order.level = level
        level.tail = order
        level.lots += order.open_lots

    def remove(self, order: Order) -> None:
        """Take an order out of the queue, wherever it stands. O(1), O(log levels) for the last
        one of a level."""
        level = order.level
        assert level is not None, "the order is not resting"
        before = order.before
        after = order.after
        level.lots -= order.open_lots
        if before is None:
            level.head = after
            if after is None:
                self._close(level.key)
        else:
            before.after = after
        if after is None:
            level.tail = before
        else:
            after.before = before
        order.level = order.before = order.after = None

    def _close(self, key: int) -> None:
        del self.levels[key]
        keys = self.keys
        if keys[-1] == key:
            keys.pop()
        else:
            del keys[bisect_left(keys, key)]

    def orders(self) -> Iterator[Order]:
        """Every order in priority order."""
        for key in reversed(self.keys):
            order = self.levels[key].head
            while order is not None:
                yield order
                order = order.after

    def lots_within(self, bound: int, wanted_lots: int) -> int:
        """Open lots at keys of at least `bound`, counted from the best until `wanted_lots`."""
        total = 0
        for key in reversed(self.keys):
            if key < bound or total >= wanted_lots:
                break
            total += self.levels[key].lots
        return total


class OrderBook:
    """Both sides of one instrument, and what its trades are charged.

    The book never crosses: `match` takes every crossing lot before the caller may rest the rest.
    """

    __slots__ = (
        "asks",
        "base_units_per_lot",
        "bids",
        "instrument",
        "instrument_id",
        "last_price_ticks",
        "last_trade_id",
        "maker_fee_rate",
        "notional_per_tick_lot",
        "taker_fee_rate",
    )

    def __init__(self, instrument: Instrument) -> None:
        self.instrument_id = instrument.id
        self.base_units_per_lot = instrument.base_units_per_lot
        self.notional_per_tick_lot = instrument.notional_per_tick_lot
        self.configure(instrument)
        self.bids = BookSide(1)
        self.asks = BookSide(-1)
        self.last_trade_id = 0
        self.last_price_ticks = 0

    def configure(self, instrument: Instrument) -> None:
        """Limits and fees are this instrument's from now on; the grid must be the same."""
        self.instrument = instrument
        self.maker_fee_rate = instrument.maker_fee_rate
        self.taker_fee_rate = instrument.taker_fee_rate

    def crosses(self, side: int, price_ticks: int) -> bool:
        """Whether an order of `side` at this price would trade now. Equal prices cross."""
        if side == _BUY:
            keys = self.asks.keys
            return bool(keys) and keys[-1] >= -price_ticks
        keys = self.bids.keys
        return bool(keys) and keys[-1] >= price_ticks

    def match(self, taker: Order, bound: int, seq: int, events: list[Event]) -> None:
        """Fill `taker` against the other side down to the key `bound`, appending the trades.

        Every trade is at the maker's price, makers in priority order. Filled makers leave the
        book and their account's index; `taker.open_lots` is what is left. O(makers filled).
        """
        side = self.asks if taker.side == _BUY else self.bids
        keys = side.keys
        open_lots = taker.open_lots
        while open_lots and keys and keys[-1] >= bound:
            level = side.levels[keys[-1]]
            maker = level.head
            while maker is not None and open_lots:
                lots = maker.open_lots if maker.open_lots < open_lots else open_lots
                open_lots -= lots
                taker.open_lots = open_lots
                after = maker.after
                self._trade(taker, maker, lots, seq, events)
                if not maker.open_lots:
                    side.remove(maker)
                    maker.account.discard(maker)
                maker = after

    def match_quote(self, taker: Order, quote_amount: int, seq: int, events: list[Event]) -> int:
        """Fill a market order that spends (or, selling, receives) `quote_amount`.

        Stops when the rest is worth less than one lot at the next maker's price, or when the
        book is empty; returns the rest. `taker.quantity_lots` becomes what was filled.
        """
        side = self.asks if taker.side == _BUY else self.bids
        while side.keys:
            maker = side.levels[side.keys[-1]].head
            assert maker is not None, "an empty level is in the book"
            lot_price = maker.price_ticks * self.notional_per_tick_lot
            lots = min(maker.open_lots, quote_amount // lot_price)
            if not lots:
                break
            quote_amount -= lots * lot_price
            taker.quantity_lots += lots
            self._trade(taker, maker, lots, seq, events)
            if not maker.open_lots:
                side.remove(maker)
                maker.account.discard(maker)
        return quote_amount

    def _trade(self, taker: Order, maker: Order, lots: int, seq: int, events: list[Event]) -> None:
        """Move `lots` from maker to taker and append the trade; `taker.open_lots` is current."""
        maker.open_lots -= lots
        level = maker.level
        assert level is not None, "the maker is not resting"
        level.lots -= lots
        price_ticks = maker.price_ticks
        self.last_trade_id = trade_id = self.last_trade_id + 1
        self.last_price_ticks = price_ticks
        base = lots * self.base_units_per_lot
        quote = lots * price_ticks * self.notional_per_tick_lot
        if taker.side == _BUY:
            maker_fee = fee(quote, self.maker_fee_rate)
            taker_fee = fee(base, self.taker_fee_rate)
        else:
            maker_fee = fee(base, self.maker_fee_rate)
            taker_fee = fee(quote, self.taker_fee_rate)
        events.append(
            TradeExecuted(
                seq,
                trade_id,
                self.instrument_id,
                price_ticks,
                lots,
                taker.side,
                maker.order_id,
                taker.order_id,
                maker.account.account_id,
                taker.account.account_id,
                maker_fee,
                taker_fee,
                maker.quantity_lots - maker.open_lots,
                maker.open_lots,
                taker.quantity_lots - taker.open_lots,
                taker.open_lots,
                maker.client_order_id,
                taker.client_order_id,
            )
        )
