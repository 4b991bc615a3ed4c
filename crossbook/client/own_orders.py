"""The account's own orders, kept from answers and execution reports as a session delivers them.

Two things are kept of each order. Its state is what the latest message says: messages are numbered,
so one that arrives late, as after a recovered gap, changes nothing. Its fills are added up, each
once: every fill says how much of the order was filled after it. No I/O.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Final

from crossbook.client.view import OfOrder, decimal, word
from crossbook.common.errors import DecimalError
from crossbook.common.grid import format_decimal
from crossbook.common.instruments import Instrument
from crossbook.common.messages import entry
from crossbook.common.types import (
    ExecutionKind,
    OrderStatus,
    OrderType,
    RejectReason,
    Side,
)
from crossbook.errors import InstrumentUnknown

ENDED_MAX: Final = 10_000
"""Most ended orders kept; beyond it the oldest are dropped."""

AVERAGE_DECIMALS: Final = 8
"""Digits of an average price beyond those of a price; the last one is rounded half up."""

_OPEN: Final = (OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED)
_ENDED_UNSEEN: Final = word(OrderStatus, 0)
_LAST_INDEX: Final = 2**31
"""Behind every change under a number."""

_Stamp = tuple[int, int]
"""The matcher's number of a change, and its index under it."""


class SessionObserver:
    """What a session does, for an owner that keeps state from it. This one keeps none."""

    def answered(self, reply: entry.Reply, request: entry.Request | None) -> None:
        """A request was answered; None: it had been given up before."""

    def executed(self, execution: entry.Execution) -> None:
        """An execution is delivered: in order, and once, or once more in a catch-up by hand."""

    def missed(self) -> None:
        """Answers or executions are missing, and will not be delivered."""

    def began_anew(self) -> None:
        """The exchange has begun a new history: what is known of the old one is void."""


class OwnOrder(OfOrder):
    """One order of the account, in ticks and lots and in decimals; it changes as messages arrive.

    `status` is NONE where the order has ended and its last reports were missed. The price is zero
    of an order without one. `reason` says why it ended, where it was not filled.
    """

    __slots__ = (
        "client_order_id", "described", "fee_units", "fill_lots", "filled_lots", "notional",
        "order_id", "order_type", "price_ticks", "quantity_lots", "reason", "remaining_lots",
        "seen", "side", "stamp", "status", "symbol", "time_ns", "trigger_ticks", "working",
    )  # fmt: skip
    _shown = (
        "symbol", "order_id", "client_order_id", "side", "status", "price", "quantity", "filled",
        "remaining", "average_price", "fees",
    )  # fmt: skip

    def __init__(
        self, symbol: str, order_id: int, side: Side, described: Instrument | None
    ) -> None:
        self.symbol = symbol
        self.order_id = order_id
        self.side = side
        self.described = described
        self.client_order_id = ""
        self.order_type = OrderType.LIMIT
        self.status = OrderStatus.NEW
        self.price_ticks = self.trigger_ticks = 0
        self.quantity_lots = self.filled_lots = self.remaining_lots = 0
        self.working = True
        self.reason = word(RejectReason, 0)
        self.time_ns = 0
        self.stamp: _Stamp = (0, 0)
        # Of the fills that were seen: their lots, price ticks times lots, and fees.
        self.fill_lots = self.notional = self.fee_units = 0
        # Parts of the filled lots whose fills were seen, as (from, to), in order and apart.
        self.seen: list[tuple[int, int]] = []

    __eq__ = object.__eq__
    __hash__ = object.__hash__

    @property
    def is_open(self) -> bool:
        """Whether the order has not ended."""
        return self.status in _OPEN

    @property
    def fills_known(self) -> bool:
        """Whether all its fills were seen, so that average price and fees are of all of them."""
        return self.fill_lots == self.filled_lots

    @property
    def average_price(self) -> Decimal | None:
        """The average price of the fills that were seen; None before the first."""
        lots = self.fill_lots
        if not lots:
            return None
        axis = self.instrument.grid.price
        scale = axis.step * 10**AVERAGE_DECIMALS
        rounded = (2 * self.notional * scale + lots) // (2 * lots)
        return Decimal(format_decimal(rounded, axis.decimals + AVERAGE_DECIMALS))

    @property
    def fees(self) -> Decimal:
        """The fees of the fills that were seen, in `fee_asset`; negative: rebates."""
        grid = self.instrument.grid
        return decimal(grid.base if self.side is Side.BUY else grid.quote, self.fee_units)

    @property
    def fee_asset(self) -> str:
        """The asset that its fills bring, in which fees are taken."""
        return self.instrument.base if self.side is Side.BUY else self.instrument.quote


class Orders(SessionObserver):
    """The account's own orders: those open, and the last ones that ended.

    Made and loaded by `orders()` of a client, and kept by its session from then on, whichever
    session of the account enters or cancels an order. `in_doubt` is true after a gap that could
    not be filled, and after a request without an answer: the next `orders()` loads them again.
    """

    def __init__(self, of_symbol: Callable[[str], Instrument | None]) -> None:
        self.in_doubt = True
        self._of_symbol = of_symbol
        self._open: dict[int, OwnOrder] = {}
        self._ended: dict[int, OwnOrder] = {}

    def open(self, symbol: str = "", side: Side | None = None) -> list[OwnOrder]:
        """The open orders, of one symbol and side if given, oldest first."""
        return [
            each
            for _, each in sorted(self._open.items())
            if symbol in ("", each.symbol) and side in (None, each.side)
        ]

    def ended(self) -> list[OwnOrder]:
        """The last orders that ended, in the order of their ends; at most `ENDED_MAX`."""
        return list(self._ended.values())

    def get(self, order_id: int) -> OwnOrder | None:
        """The order of this id, if it is open or ended lately."""
        return self._open.get(order_id) or self._ended.get(order_id)

    def named(self, client_order_id: str) -> OwnOrder | None:
        """The open order of this client order id, or the last ended one; None where there is
        none. The time is in proportion to the orders kept."""
        kept = (*self._ended.values(), *self._open.values())
        found = [each for each in kept if each.client_order_id == client_order_id]
        return found[-1] if found else None

    # What the session delivers.

    def answered(self, reply: entry.Reply, request: entry.Request | None) -> None:
        """Apply the answer to a command."""
        if isinstance(reply, entry.Reject):
            self.in_doubt = self.in_doubt or reply.reason == RejectReason.OUTCOME_UNKNOWN
        elif isinstance(reply, entry.Ack) and reply.order_id:
            if isinstance(request, entry.New | entry.Amend | entry.Cancel):
                self._acknowledged(reply, request)
            else:
                # An answer that came when its request was given up already.
                self.in_doubt = True

    def executed(self, execution: entry.Execution) -> None:
        """Apply an execution report."""
        order = self.get(execution.order_id)
        if order is None:
            order = self._add(execution.symbol, execution.order_id, execution.side)
        if execution.kind == ExecutionKind.FILL:
            self._filled(order, execution)
        stamp = (execution.seq, execution.index)
        unseen = order.status == _ENDED_UNSEEN and execution.status not in _OPEN
        if stamp <= order.stamp and not unseen:
            return
        order.client_order_id = execution.client_order_id
        if execution.kind in (ExecutionKind.NEW, ExecutionKind.AMENDED):
            order.price_ticks = execution.price_ticks
            order.quantity_lots = execution.quantity_lots
            # A report of an order that waits no longer names no trigger; the order keeps its own.
            order.trigger_ticks = execution.trigger_ticks or order.trigger_ticks
            order.working = execution.working
            if execution.kind == ExecutionKind.NEW:
                order.order_type = word(OrderType, execution.order_type)
        elif execution.kind == ExecutionKind.TRIGGERED:
            order.price_ticks, order.working = execution.price_ticks, True
        elif not order.quantity_lots:
            order.quantity_lots = execution.filled_lots + execution.remaining_lots
        order.reason = word(RejectReason, execution.reason)
        self._set(order, execution, stamp)

    def missed(self) -> None:
        """Something is missing: what is kept may be wrong."""
        self.in_doubt = True

    def began_anew(self) -> None:
        """Drop every order: ids and numbers of the new history are other ones."""
        self.in_doubt = True
        for order in self._open.values():
            order.status = _ENDED_UNSEEN
        self._open.clear()
        self._ended.clear()

    def load(self, listed: Sequence[entry.OrderState], seq: int, symbols: Iterable[str]) -> None:
        """Apply the exchange's open orders of these symbols as of its number `seq`."""
        stamp = (seq, _LAST_INDEX)
        for state in listed:
            order = self.get(state.order_id)
            if order is None:
                order = self._add(state.symbol, state.order_id, state.side)
            if order.stamp < stamp:
                order.client_order_id = state.client_order_id
                order.order_type = word(OrderType, state.order_type)
                order.price_ticks, order.trigger_ticks = state.price_ticks, state.trigger_ticks
                order.quantity_lots, order.working = state.quantity_lots, state.working
                self._set(order, state, stamp)
        listed_ids = {state.order_id for state in listed}
        asked = set(symbols)
        for order in self.open():
            if order.symbol in asked and order.order_id not in listed_ids and order.stamp < stamp:
                order.status, order.stamp = _ENDED_UNSEEN, stamp
                self._end(order)

    def _acknowledged(
        self, ack: entry.Ack, request: entry.New | entry.Amend | entry.Cancel
    ) -> None:
        order, stamp = self.get(ack.order_id), (ack.seq, -1)
        if order is None:
            if not isinstance(request, entry.New):
                self.in_doubt = True
                return
            order = self._add(request.symbol, ack.order_id, request.side)
            order.order_type = word(OrderType, request.order_type)
            order.working = not request.stop_price
        if stamp <= order.stamp:
            return
        order.client_order_id = ack.client_order_id
        if not isinstance(request, entry.Cancel):
            self._take_terms(order, request)
        self._set(order, ack, stamp)

    def _take_terms(self, order: OwnOrder, request: entry.New | entry.Amend) -> None:
        """Take over the terms that a request named."""
        try:
            order.price_ticks = _steps(order, request.price) or order.price_ticks
            order.trigger_ticks = _steps(order, request.stop_price) or order.trigger_ticks
            if isinstance(request.quantity, str):
                lots = order.instrument.quantity_to_lots(request.quantity)
            else:
                lots = request.quantity
            order.quantity_lots = lots or order.quantity_lots
        except (InstrumentUnknown, DecimalError):
            # Text that the exchange understood and this client cannot: a query has the numbers.
            self.in_doubt = True

    def _filled(self, order: OwnOrder, fill: entry.Execution) -> None:
        """Add up a fill that was not seen yet: which lots of the order it filled tells."""
        start, end = fill.filled_lots - fill.quantity_lots, fill.filled_lots
        place = bisect_left(order.seen, (start, start))
        if any(begin < end and start < stop for begin, stop in order.seen[max(0, place - 1) :]):
            return
        order.seen.insert(place, (start, end))
        if place + 1 < len(order.seen) and order.seen[place + 1][0] == end:
            order.seen[place : place + 2] = [(start, order.seen[place + 1][1])]
        if place and order.seen[place - 1][1] == start:
            order.seen[place - 1 : place + 1] = [(order.seen[place - 1][0], order.seen[place][1])]
        order.fill_lots += fill.quantity_lots
        order.notional += fill.price_ticks * fill.quantity_lots
        order.fee_units += fill.fee_units

    def _add(self, symbol: str, order_id: int, side: int) -> OwnOrder:
        order = OwnOrder(symbol, order_id, word(Side, side), self._of_symbol(symbol))
        self._open[order_id] = order
        return order

    def _set(
        self,
        order: OwnOrder,
        message: entry.Ack | entry.Execution | entry.OrderState,
        stamp: _Stamp,
    ) -> None:
        """Take over the state that a message has."""
        order.status = word(OrderStatus, message.status)
        order.filled_lots, order.remaining_lots = message.filled_lots, message.remaining_lots
        order.time_ns, order.stamp = message.time_ns, stamp
        if order.is_open:
            self._open[order.order_id] = order
            self._ended.pop(order.order_id, None)
        else:
            self._end(order)

    def _end(self, order: OwnOrder) -> None:
        self._open.pop(order.order_id, None)
        self._ended[order.order_id] = order
        if len(self._ended) > ENDED_MAX:
            del self._ended[next(iter(self._ended))]


def _steps(order: OwnOrder, price: int | str) -> int:
    """The ticks of a price in a request."""
    return price if isinstance(price, int) else order.instrument.price_to_ticks(price)
