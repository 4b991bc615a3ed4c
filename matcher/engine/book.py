"""The resting orders of one instrument in price-time priority.

A side is a plain list of keys, best last, beside a dict of queues. The key is the price for bids
and its negative for asks, so on both sides a larger key is a better price and the best one is
`keys[-1]`. The first and the last order at a price near the best are the hot path of real order
flow, and there a list with `bisect` touches only a few bytes (bench/README.md, "Tuning log").
The queue of a price is a linked list: O(1) to append, to take from the front and to remove from
anywhere, with nothing left behind to skip later.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from crossbook.common.instruments import FEE_SCALE, Instrument
from crossbook.common.messages.events import Event, OrderReplenished, TradeExecuted
from crossbook.common.rules import EDITION
from crossbook.common.types import InstrumentState, Side
from crossbook.matcher.engine.fees import fee
from crossbook.matcher.engine.order import Order
from crossbook.matcher.engine.prevention import prevent
from crossbook.matcher.engine.special import Special, Waits
from crossbook.matcher.engine.timers import Timers
from crossbook.matcher.engine.triggers import TriggerBook

if TYPE_CHECKING:
    from crossbook.matcher.engine.accounts import Ledger

_BUY: Final = int(Side.BUY)

NOTHING: Final = -(2**63)
"""The best key of an empty side: worse than any."""


class BookSide:
    """Bids or asks: `keys` ascending, `best` of them, and who is next to trade at each key.

    The orders of one key are linked by `before` and `after` in the order they came. The last one
    has no `after`; the first one has the last as its `before`, so that both ends are at hand, or
    None where it stands alone.
    """

    __slots__ = ("best", "heads", "keys", "sign")

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.best = NOTHING
        self.keys: list[int] = []
        self.heads: dict[int, Order] = {}

    def add(self, order: Order) -> None:
        """Put an order behind all others at its price. O(1), O(log prices) for the first one."""
        order.queue = self
        key = order.price_ticks * self.sign
        head = self.heads.get(key)
        if head is None:
            self.heads[key] = order
            if key > self.best:
                self.keys.append(key)
                self.best = key
            else:
                insort(self.keys, key)
            return
        tail = head.before
        if tail is None:
            tail = head
        tail.after = head.before = order
        order.before = tail

    def remove(self, order: Order) -> None:
        """Take an order out of the queue, wherever it stands. O(1), O(log prices) for the last
        one at its price."""
        order.queue = None
        key = order.price_ticks * self.sign
        before = order.before
        if before is None:
            del self.heads[key]
            keys = self.keys
            if key == self.best:
                keys.pop()
                self.best = keys[-1] if keys else NOTHING
            else:
                del keys[bisect_left(keys, key)]
            return
        order.before = None
        after = order.after
        if after is None:
            before.after = None
            head = self.heads[key]
            head.before = None if head is before else before
            return
        order.after = None
        if self.heads[key] is order:
            self.heads[key] = after
            after.before = None if after is before else before
        else:
            before.after = after
            after.before = before

    def orders(self) -> Iterator[Order]:
        """Every order in priority order."""
        for key in reversed(self.keys):
            order: Order | None = self.heads[key]
            while order is not None:
                yield order
                order = order.after

    def lots_within(self, bound: int, wanted_lots: int) -> int:
        """Open lots at keys of at least `bound`, counted from the best until `wanted_lots`.

        O(orders counted)."""
        total = 0
        for key in reversed(self.keys):
            if key < bound:
                break
            order: Order | None = self.heads[key]
            while order is not None:
                total += order.remaining_lots
                if total >= wanted_lots:
                    return total
                order = order.after
        return total


class OrderBook:
    """Both sides of one instrument, what waits beside them, and what its trades are charged.

    Outside a call phase the book never crosses: `match` takes every crossing lot before the
    caller may rest the rest. `ledger` is None without accounts, `triggers` until something has
    waited. `own_fees` has (maker, taker) rates by account, for those that have some.
    `uncrossing` are market orders of a call phase by order id, as they came. `edition` is that of
    the market's rules in force (see `crossbook.common.rules.EDITION`).
    """

    __slots__ = (
        "asks",
        "banded",
        "base_units_per_lot",
        "bids",
        "edition",
        "instrument",
        "instrument_id",
        "last_price_ticks",
        "last_trade_id",
        "ledger",
        "maker_fee_rate",
        "max_lots",
        "max_tick_lots",
        "max_ticks",
        "min_lots",
        "min_tick_lots",
        "min_ticks",
        "notional_per_tick_lot",
        "own_fees",
        "state",
        "taker_fee_rate",
        "timers",
        "triggers",
        "uncrossing",
        "until",
    )

    def __init__(
        self, instrument: Instrument, timers: Timers | None = None, ledger: "Ledger | None" = None
    ) -> None:
        self.instrument_id = instrument.id
        self.base_units_per_lot = instrument.base_units_per_lot
        self.notional_per_tick_lot = instrument.notional_per_tick_lot
        self.configure(instrument)
        self.bids = BookSide(1)
        self.asks = BookSide(-1)
        self.last_trade_id = 0
        self.last_price_ticks = 0
        self.timers = Timers() if timers is None else timers
        self.ledger = ledger
        self.edition = EDITION
        self.triggers: TriggerBook | None = None
        self.own_fees: dict[int, tuple[int, int]] = {}
        self.uncrossing: dict[int, Order] = {}
        self.state = int(InstrumentState.OPEN)
        self.until: tuple[int, int] | None = None

    def configure(self, instrument: Instrument) -> None:
        """Limits and fees are this instrument's from now on; the grid must be the same."""
        self.instrument = instrument
        self.maker_fee_rate = instrument.maker_fee_rate
        self.taker_fee_rate = instrument.taker_fee_rate
        self.min_lots = instrument.min_quantity_lots
        self.max_lots = instrument.max_quantity_lots
        self.min_ticks = instrument.min_price_ticks
        self.max_ticks = instrument.max_price_ticks
        unit = self.notional_per_tick_lot
        self.min_tick_lots = -(-instrument.min_notional // unit)
        self.max_tick_lots = instrument.max_notional // unit
        self.banded = bool(
            instrument.band_low_ticks or instrument.band_high_ticks or instrument.band_rate
        )

    @property
    def is_crossed(self) -> bool:
        """Whether bids meet asks, as they may in a call phase."""
        return self.bids.best >= -self.asks.best

    def crosses(self, side: int, price_ticks: int) -> bool:
        """Whether an order of `side` at this price would trade now. Equal prices cross."""
        if side == _BUY:
            return self.asks.best >= -price_ticks
        return self.bids.best >= price_ticks

    def reach(self, side: int, bound: int) -> int:
        """How far a taker that would go to the key `bound` may go within the price bands."""
        instrument = self.instrument
        low, high = instrument.band_low_ticks, instrument.band_high_ticks
        if instrument.band_rate and self.last_price_ticks:
            width = self.last_price_ticks * instrument.band_rate // FEE_SCALE
            low = max(low, self.last_price_ticks - width)
            high = min(high or self.last_price_ticks + width, self.last_price_ticks + width)
        if side == _BUY:
            return max(bound, -high) if high else bound
        return max(bound, low)

    def match(self, taker: Order, bound: int, seq: int, events: list[Event]) -> None:
        """Fill `taker` against the other side down to the key `bound`, appending what happens.

        Every trade is at the maker's price, makers in priority order. Filled makers leave the
        book and their account's index; `taker.remaining_lots` is what is left, unless an own order
        ended it (`ended_as`). O(makers filled).
        """
        side = self.asks if taker.side == _BUY else self.bids
        remaining_lots = taker.remaining_lots
        owner = taker.account if taker.prevention else None
        while remaining_lots and side.best >= bound:
            maker = side.heads[side.best]
            if maker.account is owner:
                prevent(self, taker, maker, seq, events)
                remaining_lots = 0 if taker.ended_as else taker.remaining_lots
                continue
            special = maker.special
            offered = maker.remaining_lots
            if special is not None and special.display_lots:
                offered = special.shown_lots
            lots = offered if offered < remaining_lots else remaining_lots
            remaining_lots -= lots
            taker.remaining_lots = remaining_lots
            maker.remaining_lots -= lots
            self.print(taker, maker, lots, maker.price_ticks, seq, events)
            if not maker.remaining_lots:
                self.forget(maker, side)
            elif special is not None and special.display_lots:
                self._slice(maker, special, lots, side, seq, events)

    def match_quote(
        self, taker: Order, quote_amount: int, bound: int, seq: int, events: list[Event]
    ) -> int:
        """Fill a market order that spends (or, selling, receives) `quote_amount`.

        Stops when the rest is worth less than one lot at the next maker's price, whoever that
        maker is, when nothing is left down to the key `bound`, or when an own order ended it;
        returns the rest. `taker.quantity_lots` becomes what was filled.
        """
        own_first = self.edition == 1
        side = self.asks if taker.side == _BUY else self.bids
        owner = taker.account if taker.prevention else None
        while side.best >= bound:
            maker = side.heads[side.best]
            is_own = maker.account is owner
            lot_price = maker.price_ticks * self.notional_per_tick_lot
            if quote_amount < lot_price and not (own_first and is_own):
                break
            if is_own:
                prevent(self, taker, maker, seq, events, quote_amount)
                if taker.ended_as:
                    break
                continue
            lots = min(maker.shown_lots, quote_amount // lot_price)
            quote_amount -= lots * lot_price
            taker.quantity_lots += lots
            maker.remaining_lots -= lots
            self.print(taker, maker, lots, maker.price_ticks, seq, events)
            if not maker.remaining_lots:
                self.forget(maker, side)
            elif maker.special is not None and maker.special.display_lots:
                self._slice(maker, maker.special, lots, side, seq, events)
        return quote_amount

    def forget(self, maker: Order, side: BookSide) -> None:
        """A filled maker leaves book, index and timers."""
        side.remove(maker)
        maker.account.discard(maker)
        special = maker.special
        if special is not None and special.expire_ns:
            self.timers.discard(special.expire_ns, maker.order_id)

    def rest(self, order: Order) -> None:
        """The order joins the back of its queue, with its first slice if it is an iceberg."""
        (self.bids if order.side == _BUY else self.asks).add(order)
        special = order.special
        if special is not None:
            special.shown_lots = min(special.display_lots, order.remaining_lots)
            if special.expire_ns:
                self.timers.add(special.expire_ns, order.order_id, order)

    def wait(self, order: Order) -> None:
        """The order waits for the last price from now on."""
        if self.triggers is None:
            self.triggers = TriggerBook(self.last_price_ticks, self.last_trade_id)
        self.triggers.add(order)

    def end_filled(self, order: Order) -> None:
        """An order that came in again has nothing left: it leaves the index."""
        order.account.discard(order)
        special = order.special
        if special is not None and special.expire_ns:
            self.timers.discard(special.expire_ns, order.order_id)

    def end(self, order: Order, ended_as: int) -> bool:
        """Take an open order out, wherever it stands; whether that was in the book."""
        queue = order.queue
        special = order.special
        if queue is not None:
            queue.remove(order)
        if order.order_id in order.account.orders:
            order.account.discard(order)
        if special is not None:
            if special.waits == Waits.TRIGGER:
                assert self.triggers is not None, "nothing ever waited here"
                self.triggers.remove(order)
            elif special.waits == Waits.UNCROSS:
                del self.uncrossing[order.order_id]
            special.waits = 0
            if special.expire_ns:
                self.timers.discard(special.expire_ns, order.order_id)
        if order.hold_unit and self.ledger is not None:
            self.ledger.hold(order, self, -order.remaining_lots)
        order.ended_as = ended_as
        return queue is not None

    def _slice(
        self,
        maker: Order,
        special: Special,
        lots: int,
        side: BookSide,
        seq: int,
        events: list[Event],
    ) -> None:
        """An iceberg gave `lots` of what it shows: once that is gone the next slice queues."""
        special.shown_lots -= lots
        if special.shown_lots:
            return
        side.remove(maker)
        special.shown_lots = min(special.display_lots, maker.remaining_lots)
        maker.arrival = seq
        side.add(maker)
        events.append(replenished(maker, seq, True))

    def print(
        self,
        taker: Order,
        maker: Order,
        lots: int,
        price_ticks: int,
        seq: int,
        events: list[Event],
    ) -> None:
        """Charge and append a trade; both orders' open lots are what they are after it."""
        self.last_trade_id = trade_id = self.last_trade_id + 1
        self.last_price_ticks = price_ticks
        base = lots * self.base_units_per_lot
        quote = lots * price_ticks * self.notional_per_tick_lot
        maker_rate, taker_rate = self.maker_fee_rate, self.taker_fee_rate
        if self.own_fees:
            maker_rate, taker_rate = self._own_rates(maker, taker)
        if taker.side == _BUY:
            maker_fee = fee(quote, maker_rate)
            taker_fee = fee(base, taker_rate)
        else:
            maker_fee = fee(base, maker_rate)
            taker_fee = fee(quote, taker_rate)
        if self.ledger is not None:
            self.ledger.settle(self, taker, maker, lots, base, quote, maker_fee, taker_fee)
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
                maker.quantity_lots - maker.remaining_lots,
                maker.remaining_lots,
                taker.quantity_lots - taker.remaining_lots,
                taker.remaining_lots,
                maker.client_order_id,
                taker.client_order_id,
            )
        )

    def _own_rates(self, maker: Order, taker: Order) -> tuple[int, int]:
        own = self.own_fees
        maker_own = own.get(maker.account.account_id)
        taker_own = own.get(taker.account.account_id)
        return (
            self.maker_fee_rate if maker_own is None else maker_own[0],
            self.taker_fee_rate if taker_own is None else taker_own[1],
        )


def replenished(order: Order, seq: int, requeued: bool) -> OrderReplenished:
    """An iceberg shows its next slice."""
    return OrderReplenished(
        seq,
        order.account.account_id,
        order.instrument,
        order.order_id,
        order.side,
        order.price_ticks,
        order.shown_lots,
        order.remaining_lots,
        requeued,
        order.client_order_id,
    )
