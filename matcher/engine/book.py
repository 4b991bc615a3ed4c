"""The resting orders of one instrument in price-time priority, and what waits beside them."""

from typing import Final, Union

from crossbook.common.instruments import FEE_SCALE, Instrument
from crossbook.common.rules import EDITION, NO_LIMIT
from crossbook.common.types import InstrumentState, Side
from crossbook.matcher.engine.conditions import Waits
from crossbook.matcher.engine.ledger import Ledger
from crossbook.matcher.engine.order import Account, BookSide, Order
from crossbook.matcher.engine.timers import Timers
from crossbook.matcher.engine.triggers import TriggerBook
from crossbook.matcher.engine.unfinished import Unfinished

_BUY: Final = int(Side.BUY)

Timed = Union[Order, Account, "OrderBook", Unfinished]
"""The owner of a timer: an order that expires, an account with a deadline, a book in a halt, or the
rest of an act, which is due at once."""


class Effort:
    """Counts work that leaves no event: the `makers` that dry runs looked at since `reset`.

    >>> effort = Effort()
    >>> effort.add(3)
    >>> effort.makers
    3
    """

    __slots__ = ("makers",)

    def __init__(self) -> None:
        self.makers = 0

    def add(self, makers: int) -> None:
        """A dry run has looked at so many makers."""
        self.makers += makers

    def reset(self) -> None:
        """Begin to count anew."""
        self.makers = 0


class OrderBook:
    """Both sides of one instrument, what waits beside them, and what its trades are charged.

    Outside a call phase the book never crosses: `matching.match` fills every crossing lot
    before what is left of an order may rest. `ledger` is None without accounts, `triggers` until an
    order has waited. `own_fees` has (maker, taker) rates by account, for those that have some.
    `uncrossing` are market orders of a call phase by order id, as they came. `edition` is that of
    the market's rules in force (see `crossbook.common.rules.EDITION`), `max_fills` and
    `max_level_orders` are limits of the rules.
    """

    __slots__ = (
        "asks",
        "banded",
        "base_units_per_lot",
        "bids",
        "edition",
        "effort",
        "instrument",
        "instrument_id",
        "last_price_ticks",
        "last_trade_id",
        "ledger",
        "maker_fee_rate",
        "max_fills",
        "max_level_orders",
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
        self,
        instrument: Instrument,
        timers: Timers[Timed] | None = None,
        ledger: Ledger | None = None,
        effort: Effort | None = None,
    ) -> None:
        self.instrument_id = instrument.id
        self.base_units_per_lot = instrument.base_units_per_lot
        self.notional_per_tick_lot = instrument.notional_per_tick_lot
        self.configure(instrument)
        self.bids = BookSide(1)
        self.asks = BookSide(-1)
        self.last_trade_id = 0
        self.last_price_ticks = 0
        self.timers: Timers[Timed] = Timers() if timers is None else timers
        self.ledger = ledger
        self.effort = Effort() if effort is None else effort
        self.edition = EDITION
        self.max_fills = self.max_level_orders = NO_LIMIT
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

    def forget(self, maker: Order, side: BookSide) -> None:
        """Remove a filled maker from book, index and timers."""
        side.remove(maker)
        maker.account.discard(maker)
        conditions = maker.conditions
        if conditions is not None and conditions.expire_ns:
            self.timers.discard(conditions.expire_ns, maker.order_id)

    def rest(self, order: Order) -> None:
        """The order joins the back of its queue, with its first slice if it is an iceberg."""
        (self.bids if order.side == _BUY else self.asks).add(order)
        conditions = order.conditions
        if conditions is not None:
            conditions.shown_lots = min(conditions.display_lots, order.remaining_lots)
            if conditions.expire_ns:
                self.timers.add(conditions.expire_ns, order.order_id, order)

    def wait(self, order: Order) -> None:
        """Let the order wait for its trigger."""
        if self.triggers is None:
            self.triggers = TriggerBook(self.last_price_ticks, self.last_trade_id)
        self.triggers.add(order)

    def end_filled(self, order: Order) -> None:
        """An order that entered again is filled: remove it from the index."""
        order.account.discard(order)
        conditions = order.conditions
        if conditions is not None and conditions.expire_ns:
            self.timers.discard(conditions.expire_ns, order.order_id)

    def end(self, order: Order, ended_as: int) -> bool:
        """Remove an open order from where it stands; returns whether it was resting in the book."""
        queue = order.queue
        conditions = order.conditions
        if queue is not None:
            queue.remove(order)
        if order.order_id in order.account.orders:
            order.account.discard(order)
        if conditions is not None:
            if conditions.waits == Waits.TRIGGER:
                assert self.triggers is not None, "nothing ever waited here"
                self.triggers.remove(order)
            elif conditions.waits == Waits.UNCROSS:
                del self.uncrossing[order.order_id]
            conditions.waits = 0
            if conditions.expire_ns:
                self.timers.discard(conditions.expire_ns, order.order_id)
        if order.hold_unit and self.ledger is not None:
            self.ledger.hold(order, self.instrument, -order.remaining_lots)
        order.ended_as = ended_as
        return queue is not None
