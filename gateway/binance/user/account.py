"""The events of one account that has user streams: changes of the exchange in, reports out. No I/O.

The open orders come from the record, and changes from the matching engines. Both meet by the number
of an order's last change, so that each change is reported once.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

from crossbook.common.instruments import Instrument
from crossbook.common.messages.entry import New
from crossbook.common.messages.events import (
    AccountOpened,
    BalanceAdjusted,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderCompleted,
    OrderExpired,
    OrderReduced,
    OrderTriggered,
    TradeExecuted,
)
from crossbook.common.types import OrderStatus, RejectReason, Side
from crossbook.gateway.binance.cancel_names import CancelNames
from crossbook.gateway.binance.decimals import FaceAxis, asset_axis
from crossbook.gateway.binance.user import events
from crossbook.gateway.binance.user.balances import FollowedBalances
from crossbook.gateway.binance.user.events import Change, UserEvent, execution_report
from crossbook.gateway.binance.user.reported_order import ReportedOrder, accepted, refused

_NEW: Final = int(OrderStatus.NEW)
_PARTIALLY_FILLED: Final = int(OrderStatus.PARTIALLY_FILLED)
_FILLED: Final = int(OrderStatus.FILLED)
_CANCELED: Final = int(OrderStatus.CANCELED)
_EXPIRED: Final = int(OrderStatus.EXPIRED)
_REJECTED: Final = int(OrderStatus.REJECTED)
_EXPIRED_IN_MATCH: Final = int(OrderStatus.EXPIRED_IN_MATCH)
_BUY: Final = int(Side.BUY)


class InstrumentIndex:
    """The instruments by their numbers, and the axes of the assets. `by_symbol` is the gateway's
    own mapping: an instrument that is added later is found too."""

    def __init__(self, by_symbol: "Callable[[], Iterable[Instrument]]") -> None:
        self._all = by_symbol
        self._by_id: dict[int, Instrument] = {}
        self._axes: dict[str, FaceAxis] = {}

    def of(self, number: int) -> Instrument:
        """The instrument of a number that an event has."""
        if number not in self._by_id:
            self._learn()
        return self._by_id[number]

    def axis(self, asset: str) -> FaceAxis | None:
        """The axis of an asset; None for one that no instrument has."""
        if asset not in self._axes:
            self._learn()
        return self._axes.get(asset)

    def _learn(self) -> None:
        for instrument in self._all():
            self._by_id[instrument.id] = instrument
            self._axes[instrument.base] = asset_axis(instrument.base_decimals)
            self._axes[instrument.quote] = asset_axis(instrument.quote_decimals)


class AccountEvents:
    """Makes the events of `account`, oldest first; `collect` returns them.

    `touched` are the assets whose balance may have changed since the owner took them, `time_ns` the
    time of the last change. While `balances` are exact, the position after each command follows the
    reports of that command, and nothing stays touched.
    """

    def __init__(self, account: int, instruments: InstrumentIndex, names: CancelNames) -> None:
        self.account = account
        self.touched: dict[str, None] = {}
        self.time_ns = 0
        self.balances = FollowedBalances()
        self._seq = 0
        self._entered: list[ReportedOrder] = []
        self._instruments = instruments
        self._names = names
        self._orders: dict[int, ReportedOrder] = {}
        self._made: list[UserEvent] = []
        # The last trade of an order by quote amount, and its report.
        self._last_trade: tuple[int, UserEvent] | None = None
        self._appliers: dict[type, Callable[[Any], None]] = {
            OrderAccepted: self._accepted,
            TradeExecuted: self._trade,
            OrderCanceled: self._canceled,
            OrderExpired: self._expired,
            OrderCompleted: self._completed,
            OrderAmended: self._amended,
            OrderTriggered: self._triggered,
            OrderReduced: self._reduced,
            BalanceAdjusted: self._adjusted,
            AccountOpened: self._opened,
        }

    def __len__(self) -> int:
        """The number of open orders."""
        return len(self._orders)

    def load(self, orders: Iterable[ReportedOrder]) -> None:
        """Begin with these open orders."""
        self._orders = {order.order_id: order for order in orders}
        for order in self._orders.values():
            if order.is_opaque:
                self.balances.hide(order.order_id)
            order.held_units = _open_units(order)

    def apply(self, event: Any, time_ns: int) -> None:
        """Apply an event that concerns the account."""
        if event.seq != self._seq:
            self._end_command()
            self._seq = event.seq
        self.time_ns = time_ns
        self._appliers[type(event)](event)

    def refuse(self, order: New, instrument: Instrument, text: str, time_ns: int) -> None:
        """Report an order that was refused."""
        change = Change(events.REJECTED, _REJECTED, 0, time_ns, rejected_for=text)
        self._made.append(execution_report(refused(order, instrument, time_ns), change))

    def collect(self) -> list[UserEvent]:
        """Remove and return the events made since the last call, which comes between commands."""
        self._end_command()
        made, self._made = self._made, []
        return made

    def position(self, balances: Iterable[tuple[str, int, int]]) -> UserEvent:
        """Balances of assets, each with its total and held part."""
        rows = [
            (asset, total, held, axis)
            for asset, total, held in balances
            if (axis := self._instruments.axis(asset)) is not None
        ]
        return events.account_position(rows, self.time_ns)

    def _end_command(self) -> None:
        """Make the position after the events of one command."""
        for order in self._entered:
            if order.order_id in self._orders:
                self.balances.hide(order.order_id)
        self._entered.clear()
        if self.touched and self.balances.is_exact:
            rows = [(asset, *self.balances.of(asset)) for asset in self.touched]
            self._made.append(self.position(rows))
            self.touched = {}

    def _count_hold(self, order: ReportedOrder, seq: int) -> None:
        """Count what an order holds after a change."""
        units = _open_units(order) if order.order_id in self._orders else 0
        if units != order.held_units:
            instrument = order.instrument
            asset = instrument.quote if order.side == _BUY else instrument.base
            self.balances.move(seq, asset, 0, units - order.held_units)
            order.held_units = units
        if order.order_id not in self._orders:
            self.balances.show(order.order_id)

    def _known(self, order_id: int, seq: int) -> ReportedOrder | None:
        """The open order of an event; None where the change is in it already."""
        order = self._orders.get(order_id)
        return None if order is None or seq <= order.seen_seq else order

    def _report(self, order: ReportedOrder, change: Change) -> UserEvent:
        instrument = order.instrument
        self.touched[instrument.base] = self.touched[instrument.quote] = None
        report = execution_report(order, change)
        self._made.append(report)
        return report

    def _accepted(self, event: OrderAccepted) -> None:
        order = accepted(event, self._instruments.of(event.instrument), self.time_ns)
        self._orders[order.order_id] = order
        self._count_hold(order, event.seq)
        if order.is_opaque:
            self._entered.append(order)
        self._report(order, Change(events.NEW, _NEW, event.seq, self.time_ns))

    def _trade(self, event: TradeExecuted) -> None:
        if event.maker_account == self.account:
            self._filled(event, event.maker_order_id, event.maker_filled_lots, is_maker=True)
        if event.taker_account == self.account:
            self._filled(event, event.taker_order_id, event.taker_filled_lots, is_maker=False)

    def _filled(
        self, event: TradeExecuted, order_id: int, filled_lots: int, *, is_maker: bool
    ) -> None:
        order = self._known(order_id, event.seq)
        if order is None:
            return
        instrument = order.instrument
        self._count_trade(event, instrument, order.side == _BUY, is_maker)
        order.filled_lots = filled_lots
        order.filled_units += (
            event.price_ticks * event.quantity_lots * instrument.notional_per_tick_lot
        )
        remaining = event.maker_remaining_lots if is_maker else event.taker_remaining_lots
        is_filled = not remaining and not order.quote_amount
        status = _FILLED if is_filled else _PARTIALLY_FILLED
        change = Change(events.TRADE, status, event.seq, self.time_ns, event, is_maker)
        report = self._report(order, change)
        if is_filled:
            del self._orders[order_id]
        elif order.quote_amount:
            self._last_trade = order_id, report
        self._count_hold(order, event.seq)

    def _count_trade(
        self, event: TradeExecuted, instrument: Instrument, is_buy: bool, is_maker: bool
    ) -> None:
        """Count what a trade moves. The fee is taken of the asset received."""
        base = event.quantity_lots * instrument.base_units_per_lot
        quote = event.price_ticks * event.quantity_lots * instrument.notional_per_tick_lot
        fee = event.maker_fee if is_maker else event.taker_fee
        if is_buy:
            base, quote = base - fee, -quote
        else:
            base, quote = -base, quote - fee
        self.balances.move(event.seq, instrument.base, base, 0)
        self.balances.move(event.seq, instrument.quote, quote, 0)

    def _canceled(self, event: OrderCanceled) -> None:
        order = self._known(event.order_id, event.seq)
        if order is None:
            return
        del self._orders[order.order_id]
        self._count_hold(order, event.seq)
        name = self._names.of(order.order_id)
        self._report(
            order,
            Change(events.CANCELED, _CANCELED, event.seq, self.time_ns, canceled_by=name),
        )

    def _expired(self, event: OrderExpired) -> None:
        order = self._known(event.order_id, event.seq)
        if order is None:
            return
        del self._orders[order.order_id]
        self._count_hold(order, event.seq)
        kind, status, prevented_lots = events.EXPIRED, _EXPIRED, 0
        if event.reason == RejectReason.SELF_TRADE:
            kind, status = events.TRADE_PREVENTION, _EXPIRED_IN_MATCH
            prevented_lots = event.expired_lots
            order.prevented_lots += prevented_lots
        change = Change(
            kind, status, event.seq, self.time_ns, reason=event.reason,
            prevented_lots=prevented_lots,
        )  # fmt: skip
        self._report(order, change)

    def _completed(self, event: OrderCompleted) -> None:
        order = self._known(event.order_id, event.seq)
        if order is None:
            return
        del self._orders[order.order_id]
        self._count_hold(order, event.seq)
        if self._last_trade is not None and self._last_trade[0] == order.order_id:
            events.complete(self._last_trade[1])
            return
        self._report(order, Change(events.EXPIRED, _FILLED, event.seq, self.time_ns))

    def _amended(self, event: OrderAmended) -> None:
        order = self._known(event.order_id, event.seq)
        if order is None:
            return
        order.price_ticks = event.price_ticks
        order.quantity_lots = event.quantity_lots
        order.trigger_ticks = event.trigger_ticks
        order.display_lots = event.display_lots
        self._count_hold(order, event.seq)
        if order.is_opaque:
            self.balances.hide(order.order_id)
        self._report(order, Change(events.REPLACED, order.status, event.seq, self.time_ns))

    def _triggered(self, event: OrderTriggered) -> None:
        order = self._known(event.order_id, event.seq)
        if order is None:
            return
        order.working_ns = self.time_ns
        self._report(order, Change(events.NEW, _NEW, event.seq, self.time_ns))

    def _reduced(self, event: OrderReduced) -> None:
        order = self._known(event.order_id, event.seq)
        if order is None:
            return
        order.quantity_lots = event.quantity_lots
        order.prevented_lots += event.prevented_lots
        self._count_hold(order, event.seq)
        change = Change(
            events.TRADE_PREVENTION, order.status, event.seq, self.time_ns,
            prevented_lots=event.prevented_lots,
        )  # fmt: skip
        self._report(order, change)

    def _adjusted(self, event: BalanceAdjusted) -> None:
        axis = self._instruments.axis(event.asset)
        self.balances.set_total(event.seq, event.asset, event.balance)
        if axis is not None:
            self.touched[event.asset] = None
            self._made.append(events.balance_update(event.asset, event.amount, axis, self.time_ns))

    def _opened(self, event: AccountOpened) -> None:
        for asset, total in event.balances:
            self.balances.set_total(event.seq, asset, total)
            if self._instruments.axis(asset) is not None:
                self.touched[asset] = None


def _open_units(order: ReportedOrder) -> int:
    """What an open order holds."""
    return (order.quantity_lots - order.filled_lots) * order.hold_unit
