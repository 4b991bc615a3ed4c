"""The obvious matcher: one plain list of open orders, scanned from end to end for everything.

Written from the market rules alone, so that where it and the engine agree, two independent
readings of the rules agree. It is slow on purpose and keeps no index that could go wrong: the
list is in arrival order, and the best maker is found by looking at every order.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from common.commands import AmendOrder, CancelOrder, Command, MassCancelOrders, NewOrder
from common.events import (
    CommandRejected,
    Event,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderCompleted,
    OrderExpired,
    OrderRepeated,
    OrdersMassCanceled,
    TradeExecuted,
)
from common.instruments import FEE_SCALE, MAX_NOTIONAL, Instrument
from common.sync import BookState, RestingOrder
from common.types import OrderStatus, OrderType, RejectReason, Side, TimeInForce

Refusal = tuple[RejectReason, str]

REQUESTS_IN_EPOCH: Final = 2**30
"""A request number is epoch times this, plus the place within the epoch, from one."""

RETRY_WINDOW: Final = 65_536
"""Accepted orders with a client order id that a retry is compared with."""


@dataclass(slots=True)
class Order:
    """An order. `total_lots` includes the filled part; `status` is what its owner sees."""

    order_id: int
    account: int
    instrument: int
    side: int
    price_ticks: int
    total_lots: int
    filled_lots: int
    client_order_id: str
    status: OrderStatus = OrderStatus.NEW

    @property
    def open_lots(self) -> int:
        return self.total_lots - self.filled_lots


class ReferenceMatcher:
    """Applies commands by the letter of the rules; `open` is every open order by arrival."""

    def __init__(self, instruments: Iterable[Instrument], retry_window: int = RETRY_WINDOW) -> None:
        self.instruments = {instrument.id: instrument for instrument in instruments}
        self.open: list[Order] = []
        self.seq = 0
        self.trade_ids = dict.fromkeys(self.instruments, 0)
        self.last_prices = dict.fromkeys(self.instruments, 0)
        self.last_requests: dict[int, int] = {}
        self.remembered: list[tuple[NewOrder, Order]] = []
        self._retry_window = retry_window

    def apply(self, command: Command, time_ns: int = 0) -> list[Event]:
        """All events of `command`, in order; none for one that is not its gateway's next."""
        if command.gateway:
            if not follows(self.last_requests.get(command.gateway, 0), command.request):
                return []
            self.last_requests[command.gateway] = command.request
        self.seq += 1
        if isinstance(command, NewOrder):
            return self._new(command)
        if isinstance(command, CancelOrder):
            return self._cancel(command)
        if isinstance(command, AmendOrder):
            return self._amend(command)
        return self._mass_cancel(command)

    def book_state(self, instrument: int) -> BookState:
        """The book of one instrument in priority order."""
        sides: list[list[RestingOrder]] = []
        for side, sign in ((Side.BUY, -1), (Side.SELL, 1)):
            makers = [o for o in self.open if o.instrument == instrument and o.side == side]
            makers.sort(key=lambda order: sign * order.price_ticks)
            sides.append([RestingOrder(o.order_id, o.price_ticks, o.open_lots) for o in makers])
        return BookState(
            instrument,
            sides[0],
            sides[1],
            self.trade_ids[instrument],
            self.last_prices[instrument],
        )

    def _new(self, command: NewOrder) -> list[Event]:
        earlier = self._earlier(command)
        if earlier is not None:
            return [self._repeated(command, earlier)]
        refusal = self._refusal_of_new(command)
        if refusal:
            return [self._rejected(command, refusal, command.client_order_id)]
        events: list[Event] = [
            OrderAccepted(
                self.seq, command.gateway, command.request, command.account, command.instrument,
                command.side, command.order_type, command.time_in_force, command.price_ticks,
                command.quantity_lots, command.client_order_id, command.quote_amount,
            )
        ]  # fmt: skip
        order = Order(
            self.seq, command.account, command.instrument, command.side, command.price_ticks,
            command.quantity_lots, 0, command.client_order_id,
        )  # fmt: skip
        if command.client_order_id:
            self._remember(command, order)
        if command.quote_amount:
            return events + self._spend(order, command.quote_amount)
        if command.order_type == OrderType.MARKET:
            events += self._trade(order)
            if order.open_lots:
                events.append(self._expired(order, RejectReason.INSUFFICIENT_LIQUIDITY))
        elif command.time_in_force == TimeInForce.FOK and not self._fillable(order):
            events.append(self._expired(order, RejectReason.FILL_OR_KILL))
        else:
            events += self._trade(order)
            if order.open_lots and command.time_in_force == TimeInForce.IOC:
                events.append(self._expired(order, RejectReason.IMMEDIATE_OR_CANCEL))
            elif order.open_lots:
                self.open.append(order)
        return events

    def _earlier(self, command: NewOrder) -> Order | None:
        """The remembered order of the same account and name, if it said the same."""
        if not command.client_order_id or command.instrument not in self.instruments:
            return None
        for said, order in self.remembered:
            if said.account == command.account and said.client_order_id == command.client_order_id:
                again = replace(said, gateway=command.gateway, request=command.request)
                return order if again == command else None
        return None

    def _remember(self, command: NewOrder, order: Order) -> None:
        """Only the latest order of a name is remembered, and only so many names."""
        name = (command.account, command.client_order_id)
        self.remembered = [
            (said, earlier)
            for said, earlier in self.remembered
            if (said.account, said.client_order_id) != name
        ]
        self.remembered.append((command, order))
        self.remembered = self.remembered[-self._retry_window :]

    def _refusal_of_new(self, command: NewOrder) -> Refusal | None:
        unsupported = RejectReason.UNSUPPORTED_COMBINATION
        if command.instrument not in self.instruments:
            return RejectReason.UNKNOWN_SYMBOL, "instrument"
        if command.side not in (Side.BUY, Side.SELL):
            return unsupported, "side"
        if command.order_type not in (OrderType.LIMIT, OrderType.MARKET):
            return unsupported, "order_type"
        if command.time_in_force not in (TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK):
            return unsupported, "time_in_force"
        instrument = self.instruments[command.instrument]
        if command.order_type == OrderType.MARKET:
            if command.price_ticks != 0:
                return unsupported, "price"
            if command.time_in_force == TimeInForce.FOK:
                return unsupported, "time_in_force"
            if (command.quantity_lots != 0) == (command.quote_amount != 0):
                return unsupported, "quantity"
            if command.quote_amount:
                refusal = _refusal_of_quote_amount(instrument, command.quote_amount)
            else:
                refusal = _refusal_of_lots(instrument, command.quantity_lots)
        elif command.quote_amount != 0:
            return unsupported, "quote_amount"
        else:
            refusal = _refusal_of_terms(instrument, command.price_ticks, command.quantity_lots)
        if refusal:
            return refusal
        for order in self.open:
            if (
                command.client_order_id
                and order.account == command.account
                and order.client_order_id == command.client_order_id
            ):
                return RejectReason.DUPLICATE_CLIENT_ORDER_ID, "client_order_id"
        return None

    def _cancel(self, command: CancelOrder) -> list[Event]:
        order = self._find(command)
        if order is None:
            return [self._unknown_order(command)]
        self._cancel_open(order)
        return [self._canceled(order, command.gateway, command.request)]

    def _amend(self, command: AmendOrder) -> list[Event]:
        order = self._find(command)
        if order is None:
            return [self._unknown_order(command)]
        if command.price_ticks == 0 and command.quantity_lots == 0:
            refusal: Refusal | None = (RejectReason.MALFORMED, "quantity")
            price, total = order.price_ticks, order.total_lots
        else:
            price = command.price_ticks or order.price_ticks
            total = command.quantity_lots or order.total_lots
            refusal = _refusal_of_terms(self.instruments[order.instrument], price, total)
        if refusal:
            return [self._rejected(command, refusal, command.client_order_id)]
        if total <= order.filled_lots:
            self._cancel_open(order)
            return [self._canceled(order, command.gateway, command.request)]
        kept = price == order.price_ticks and total <= order.total_lots
        order.price_ticks = price
        order.total_lots = total
        events: list[Event] = [
            OrderAmended(
                self.seq, command.gateway, command.request, order.account, order.instrument,
                order.order_id, order.side, price, total, order.filled_lots, order.open_lots,
                kept, order.client_order_id,
            )
        ]  # fmt: skip
        if not kept:
            self.open.remove(order)
            events += self._trade(order)
            if order.open_lots:
                self.open.append(order)
        return events

    def _mass_cancel(self, command: MassCancelOrders) -> list[Event]:
        if command.instrument and command.instrument not in self.instruments:
            return [self._rejected(command, (RejectReason.UNKNOWN_SYMBOL, "instrument"), "")]
        if command.side not in (0, Side.BUY, Side.SELL):
            return [self._rejected(command, (RejectReason.UNSUPPORTED_COMBINATION, "side"), "")]
        gone = [
            order
            for order in self.open
            if order.account == command.account
            and command.instrument in (0, order.instrument)
            and command.side in (0, order.side)
        ]
        gone.sort(key=lambda order: order.order_id)
        events: list[Event] = [
            OrdersMassCanceled(
                self.seq, command.gateway, command.request, command.account, command.instrument,
                command.side, len(gone),
            )
        ]  # fmt: skip
        for order in gone:
            self._cancel_open(order)
            events.append(self._canceled(order, 0, 0))
        return events

    def _cancel_open(self, order: Order) -> None:
        self.open.remove(order)
        order.status = OrderStatus.CANCELED

    def _find(self, command: CancelOrder | AmendOrder) -> Order | None:
        for order in self.open:
            if order.account != command.account or order.instrument != command.instrument:
                continue
            if command.order_id:
                if order.order_id == command.order_id:
                    return order
            elif command.client_order_id and order.client_order_id == command.client_order_id:
                return order
        return None

    def _makers(self, taker: Order) -> list[Order]:
        """Orders the taker could trade with, in price-time priority."""
        buying = taker.side == Side.BUY
        crossing = []
        for order in self.open:
            if order.instrument != taker.instrument or order.side == taker.side:
                continue
            if taker.price_ticks:
                if buying and order.price_ticks > taker.price_ticks:
                    continue
                if not buying and order.price_ticks < taker.price_ticks:
                    continue
            crossing.append(order)
        crossing.sort(key=lambda order: order.price_ticks if buying else -order.price_ticks)
        return crossing

    def _fillable(self, taker: Order) -> bool:
        return sum(maker.open_lots for maker in self._makers(taker)) >= taker.open_lots

    def _trade(self, taker: Order) -> list[Event]:
        events: list[Event] = []
        for maker in self._makers(taker):
            if not taker.open_lots:
                break
            events.append(self._fill(taker, maker, min(taker.open_lots, maker.open_lots)))
        return events

    def _spend(self, taker: Order, quote_amount: int) -> list[Event]:
        """Trade a market order by quote amount; its last event says what was left."""
        unit = self.instruments[taker.instrument].notional_per_tick_lot
        events: list[Event] = []
        left = quote_amount
        taker.total_lots = 0
        while self._makers(taker):
            maker = self._makers(taker)[0]
            lots = min(left // (maker.price_ticks * unit), maker.open_lots)
            if lots == 0:
                break
            left -= lots * maker.price_ticks * unit
            taker.total_lots += lots
            events.append(self._fill(taker, maker, lots))
        if left and not self._makers(taker):
            events.append(self._expired(taker, RejectReason.INSUFFICIENT_LIQUIDITY, left))
        else:
            events.append(self._completed(taker, left))
        return events

    def _fill(self, taker: Order, maker: Order, lots: int) -> TradeExecuted:
        """Move `lots` at the maker's price; a maker with nothing left leaves the list."""
        instrument = self.instruments[taker.instrument]
        price = maker.price_ticks
        taker.filled_lots += lots
        maker.filled_lots += lots
        for order in (taker, maker):
            order.status = OrderStatus.PARTIALLY_FILLED if order.open_lots else OrderStatus.FILLED
        if not maker.open_lots:
            self.open.remove(maker)
        self.trade_ids[instrument.id] += 1
        self.last_prices[instrument.id] = price
        bought = lots * instrument.base_units_per_lot
        paid = price * lots * instrument.notional_per_tick_lot
        to_taker, to_maker = (bought, paid) if taker.side == Side.BUY else (paid, bought)
        return TradeExecuted(
            self.seq,
            self.trade_ids[instrument.id],
            instrument.id,
            price,
            lots,
            taker.side,
            maker.order_id,
            taker.order_id,
            maker.account,
            taker.account,
            _fee(to_maker, instrument.maker_fee_rate),
            _fee(to_taker, instrument.taker_fee_rate),
            maker.filled_lots,
            maker.open_lots,
            taker.filled_lots,
            taker.open_lots,
            maker.client_order_id,
            taker.client_order_id,
        )

    def _rejected(
        self, command: Command, refusal: Refusal, client_order_id: str
    ) -> CommandRejected:
        return CommandRejected(
            self.seq, command.gateway, command.request, command.account, command.instrument,
            refusal[0], refusal[1], client_order_id,
        )  # fmt: skip

    def _repeated(self, command: NewOrder, earlier: Order) -> OrderRepeated:
        alive = earlier.status in (OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED)
        return OrderRepeated(
            self.seq, command.gateway, command.request, earlier.account, earlier.instrument,
            earlier.order_id, earlier.status, earlier.filled_lots,
            earlier.open_lots if alive else 0, earlier.client_order_id,
        )  # fmt: skip

    def _unknown_order(self, command: CancelOrder | AmendOrder) -> CommandRejected:
        field = "order_id" if command.order_id else "client_order_id"
        refusal = (RejectReason.UNKNOWN_ORDER, field)
        return self._rejected(command, refusal, command.client_order_id)

    def _canceled(self, order: Order, gateway: int, request: int) -> OrderCanceled:
        return OrderCanceled(
            self.seq, gateway, request, order.account, order.instrument, order.order_id,
            order.side, order.price_ticks, order.open_lots, order.filled_lots,
            order.client_order_id,
        )  # fmt: skip

    def _expired(self, order: Order, reason: RejectReason, quote_left: int = 0) -> OrderExpired:
        order.status = OrderStatus.EXPIRED
        return OrderExpired(
            self.seq, order.account, order.instrument, order.order_id, order.side,
            order.price_ticks, order.open_lots, order.filled_lots, reason,
            order.client_order_id, quote_left,
        )  # fmt: skip

    def _completed(self, order: Order, quote_left: int) -> OrderCompleted:
        order.status = OrderStatus.FILLED
        return OrderCompleted(
            self.seq, order.account, order.instrument, order.order_id, order.side,
            order.filled_lots, quote_left, order.client_order_id,
        )  # fmt: skip


def follows(last: int, request: int) -> bool:
    """Whether a gateway's request comes right after `last`: the next one of the same epoch, or
    the first one of a later epoch."""
    epoch, place = divmod(request, REQUESTS_IN_EPOCH)
    last_epoch, last_place = divmod(last, REQUESTS_IN_EPOCH)
    if epoch == last_epoch:
        return place == last_place + 1
    return epoch > last_epoch and place == 1


def _refusal_of_lots(instrument: Instrument, lots: int) -> Refusal | None:
    if lots > instrument.max_quantity_lots:
        return RejectReason.EXCEEDS_LIMIT, "quantity"
    if lots < instrument.min_quantity_lots:
        return RejectReason.BAD_LOT, "quantity"
    return None


def _refusal_of_terms(instrument: Instrument, price_ticks: int, lots: int) -> Refusal | None:
    """Why a limit order with these terms is refused."""
    refusal = _refusal_of_lots(instrument, lots)
    if refusal:
        return refusal
    if price_ticks < 1:
        return RejectReason.BAD_TICK, "price"
    if price_ticks > instrument.max_price_ticks:
        return RejectReason.EXCEEDS_LIMIT, "price"
    notional = price_ticks * lots * instrument.notional_per_tick_lot
    if notional < instrument.min_notional:
        return RejectReason.MIN_NOTIONAL, "quantity"
    if notional > MAX_NOTIONAL:
        return RejectReason.EXCEEDS_LIMIT, "quantity"
    return None


def _refusal_of_quote_amount(instrument: Instrument, quote_amount: int) -> Refusal | None:
    if not 1 <= quote_amount <= MAX_NOTIONAL:
        return RejectReason.EXCEEDS_LIMIT, "quote_amount"
    if quote_amount < instrument.min_notional:
        return RejectReason.MIN_NOTIONAL, "quote_amount"
    return None


def _fee(received: int, rate: int) -> int:
    """The fee on `received`, up to the next whole unit: a rebate's size goes down."""
    whole, rest = divmod(abs(received * rate), FEE_SCALE)
    if rate < 0:
        return -whole
    return whole + 1 if rest else whole
