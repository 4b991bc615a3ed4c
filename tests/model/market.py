"""The fate of the orders of the obvious matcher after they are accepted."""

from collections.abc import Iterator
from dataclasses import replace as copy_of
from typing import Final

from crossbook.common.instruments import Instrument
from crossbook.common.messages.commands import Instructions, NewOrder
from crossbook.common.messages.events import (
    Event,
    OrderAccepted,
    OrderCanceled,
    OrderCompleted,
    OrderExpired,
    OrderReduced,
    OrderReplenished,
    OrderTriggered,
    TradeExecuted,
)
from crossbook.common.rules import Rules
from crossbook.common.types import (
    InstrumentState,
    OrderStatus,
    OrderType,
    Prevention,
    RejectReason,
    Side,
    TimeInForce,
)
from tests.model.money import Money
from tests.model.orders import ModelOrder, band, fee

ANY_NUMBER: Final = 10**9
"""The bound that stands for zero in a rule."""

Steps = Iterator[None]
"""An act in steps: the iterator stops before each of them."""


class Market:
    """All open orders by arrival, and the events of their trades.

    `own_fees` are (maker, taker) rates by (account, instrument). `rest` is an act that goes on
    under the next number.
    """

    def __init__(self, instruments: list[Instrument], rules: Rules) -> None:
        self.max_fills = rules.max_fills or ANY_NUMBER
        self.max_level_orders = rules.max_level_orders or ANY_NUMBER
        self.rest: Steps | None = None
        self.instruments = {instrument.id: instrument for instrument in instruments}
        self.open: list[ModelOrder] = []
        self.events: list[Event] = []
        self.seq = 0
        self.trade_ids = dict.fromkeys(self.instruments, 0)
        self.last_prices = dict.fromkeys(self.instruments, 0)
        self.looked_at = dict.fromkeys(self.instruments, 0)
        self.states = dict.fromkeys(self.instruments, int(InstrumentState.OPEN))
        self.own_fees: dict[tuple[int, int], tuple[int, int]] = {}
        self.money = Money(rules)

    def copy(self, instrument: int) -> "Market":
        """A copy with the orders of one instrument, for a trial."""
        other = Market([self.instruments[instrument]], Rules())
        other.max_fills = self.max_fills
        other.open = [copy_of(order) for order in self.open if order.instrument == instrument]
        other.last_prices[instrument] = self.last_prices[instrument]
        other.states[instrument] = self.states[instrument]
        return other

    @property
    def is_full(self) -> bool:
        """Whether the present number has as many events as it may."""
        return len(self.events) > self.max_fills

    def begin(self, act: Steps) -> None:
        """Do as much of an act as the present number has room for."""
        assert self.rest is None, "another act has not ended"
        for _ in act:
            if self.is_full:
                self.rest = act
                return

    def is_level_full(self, order: ModelOrder) -> bool:
        """Whether no other order may join those at the price of an order."""
        there = [
            each
            for each in self.open
            if (each.instrument, each.side, each.price_ticks, each.waits_for)
            == (order.instrument, order.side, order.price_ticks, "")
        ]
        return len(there) >= self.max_level_orders

    def by_priority(self, instrument: int, side: int) -> list[ModelOrder]:
        """Resting orders of one side, in the order in which they trade."""
        sign = -1 if side == Side.BUY else 1
        resting = [
            order
            for order in self.open
            if order.instrument == instrument and order.side == side and not order.waits_for
        ]
        return sorted(resting, key=lambda order: sign * order.price_ticks)

    def makers(self, taker: ModelOrder, banded: bool = False) -> list[ModelOrder]:
        """Orders that the taker could trade with, by priority. With `banded` those outside the
        price band are left out."""
        buying = taker.side == Side.BUY
        low, high = band(self.instruments[taker.instrument], self.last_prices[taker.instrument])
        found = []
        for order in self.by_priority(taker.instrument, 3 - taker.side):
            price = order.price_ticks
            if taker.price_ticks and (
                price > taker.price_ticks if buying else price < taker.price_ticks
            ):
                continue
            if banded and ((high and price > high) if buying else price < low):
                continue
            found.append(order)
        return found

    def need(self, order: ModelOrder, quote_amount: int) -> tuple[str, int]:
        """Asset and amount that an order needs when it is entered."""
        instrument = self.instruments[order.instrument]
        asset = self.money.asset_of(order, instrument)
        is_immediate = order.kind == OrderType.MARKET and not order.waits_for
        if quote_amount and order.side == Side.BUY:
            return asset, quote_amount
        if quote_amount:
            trial = self.copy(order.instrument)
            trial.spend(copy_of(order), quote_amount)
            return asset, trial.volume() * instrument.base_units_per_lot
        if is_immediate and order.side == Side.BUY:
            trial = self.copy(order.instrument)
            trial.come_in(copy_of(order))
            return asset, trial.turnover()
        return asset, order.remaining_lots * order.held_per_lot

    def volume(self) -> int:
        """Lots traded in the events so far."""
        return sum(e.quantity_lots for e in self.events if isinstance(e, TradeExecuted))

    def turnover(self) -> int:
        """Quote units traded in the events so far."""
        return sum(
            e.quantity_lots * e.price_ticks * self.instruments[e.instrument].notional_per_tick_lot
            for e in self.events
            if isinstance(e, TradeExecuted)
        )

    def accept(self, command: NewOrder, order: ModelOrder) -> None:
        """Report that an order was entered."""
        terms = command.instructions
        if terms is not None and command.time_in_force == TimeInForce.DAY:
            terms = Instructions(
                terms.trigger_ticks, terms.display_lots, order.expire_ns, terms.post_only
            )
        self.events.append(
            OrderAccepted(
                seq=self.seq, gateway=command.gateway, request_seq=command.request_seq,
                account=command.account, instrument=command.instrument, side=command.side,
                order_type=command.order_type, time_in_force=command.time_in_force,
                price_ticks=command.price_ticks, quantity_lots=command.quantity_lots,
                client_order_id=command.client_order_id, quote_amount=command.quote_amount,
                prevention=command.prevention, instructions=terms,
            )
        )  # fmt: skip

    def come_in(self, order: ModelOrder, again: bool = False) -> None:
        """Trade an incoming order; then its rest joins the book or expires. An order that comes in
        `again` after an amend rests whatever its time in force."""
        is_limit = bool(order.price_ticks)
        tif = order.time_in_force if not again else TimeInForce.GTC
        crosses = bool(self.makers(order))
        if self.states[order.instrument] != InstrumentState.OPEN:
            crosses = False
        if crosses:
            if is_limit and tif == TimeInForce.FOK and not self.fills_whole(order):
                self.expire(order, RejectReason.FILL_OR_KILL)
                return
            # The band is around the last price at the taker's arrival.
            reachable = self._reach(order)
            self._trade(order, reachable)
            if order.status == OrderStatus.EXPIRED_IN_MATCH or not order.remaining_lots:
                return
            left = self.makers(order)
            if left:
                met_all = left[0].price_ticks not in reachable
                why = RejectReason.PRICE_BAND if met_all else RejectReason.TOO_MANY_FILLS
                self.expire(order, why)
                return
        if not is_limit:
            self.expire(order, RejectReason.INSUFFICIENT_LIQUIDITY)
        elif tif == TimeInForce.IOC:
            self.expire(order, RejectReason.IMMEDIATE_OR_CANCEL)
        elif tif == TimeInForce.FOK:
            self.expire(order, RejectReason.FILL_OR_KILL)
        elif self.is_level_full(order):
            self.expire(order, RejectReason.LEVEL_FULL)
        else:
            order.show_next_slice()
            self.open.append(order)

    def _reach(self, taker: ModelOrder) -> set[int]:
        """The prices within the taker's limit and the present band."""
        return {maker.price_ticks for maker in self.makers(taker, banded=True)}

    def fills_whole(self, order: ModelOrder) -> bool:
        """Whether a copy of the market fills all of an order."""
        trial = self.copy(order.instrument)
        taker = copy_of(order)
        trial._trade(taker, trial._reach(taker))
        return taker.filled_lots == order.total_lots

    def _trade(self, taker: ModelOrder, prices: set[int]) -> None:
        for _ in range(self.max_fills):
            makers = [maker for maker in self.makers(taker) if maker.price_ticks in prices]
            if not makers or not taker.remaining_lots:
                return
            maker = makers[0]
            if taker.prevention and maker.account == taker.account:
                self._prevent(taker, maker)
                if taker.status == OrderStatus.EXPIRED_IN_MATCH:
                    return
            else:
                self._exchange(taker, maker, min(taker.remaining_lots, maker.offered_lots))

    def spend(self, taker: ModelOrder, quote_amount: int) -> None:
        """Trade a market order by quote amount for as long as the rest of the amount pays for one
        lot at the next price. Its last event has the amount left."""
        unit = self.instruments[taker.instrument].notional_per_tick_lot
        left = quote_amount
        taker.total_lots = 0
        prices = self._reach(taker)
        makers_met = 0
        while makers := [maker for maker in self.makers(taker) if maker.price_ticks in prices]:
            maker = makers[0]
            one_lot = maker.price_ticks * unit
            if left < one_lot:
                self._complete(taker, left)
                return
            if makers_met == self.max_fills:
                self.expire(taker, RejectReason.TOO_MANY_FILLS, left)
                return
            makers_met += 1
            if taker.prevention and maker.account == taker.account:
                self._prevent(taker, maker, left)
                if taker.status == OrderStatus.EXPIRED_IN_MATCH:
                    return
                continue
            lots = min(left // one_lot, maker.offered_lots)
            left -= lots * one_lot
            taker.total_lots += lots
            self._exchange(taker, maker, lots)
        if not left:
            self._complete(taker, left)
        elif self.makers(taker):
            self.expire(taker, RejectReason.PRICE_BAND, left)
        else:
            self.expire(taker, RejectReason.INSUFFICIENT_LIQUIDITY, left)

    def _complete(self, taker: ModelOrder, left: int) -> None:
        taker.status = OrderStatus.FILLED
        self.events.append(
            OrderCompleted(
                seq=self.seq, account=taker.account, instrument=taker.instrument,
                order_id=taker.order_id, side=taker.side, filled_lots=taker.filled_lots,
                quote_left=left, client_order_id=taker.client_order_id,
            )
        )  # fmt: skip

    def _prevent(self, taker: ModelOrder, maker: ModelOrder, left: int = 0) -> None:
        """Take the lots that the mode of the taker gives from both orders. An order without lots
        expires, makers first; the larger order keeps the rest."""
        everything = max(taker.remaining_lots, maker.remaining_lots)
        both = min(taker.remaining_lots, maker.remaining_lots)
        of_maker, of_taker = {
            Prevention.EXPIRE_TAKER: (0, everything),
            Prevention.EXPIRE_MAKER: (everything, 0),
            Prevention.EXPIRE_BOTH: (everything, everything),
            Prevention.DECREMENT: (both, both),
        }[Prevention(taker.prevention)]
        losses = [(maker, of_maker, 0), (taker, of_taker, left)]
        losses = [each for each in losses if each[1]]
        ending = [each[1] >= each[0].remaining_lots for each in losses]
        for (order, _, quote_left), ends in zip(losses, ending, strict=True):
            if ends:
                self.expire(order, RejectReason.SELF_TRADE, quote_left)
        for (order, lost, _), ends in zip(losses, ending, strict=True):
            if not ends:
                self._reduce(order, lost)

    def _reduce(self, order: ModelOrder, lots: int) -> None:
        order.total_lots -= lots
        order.shown_lots = min(order.shown_lots, order.remaining_lots)
        resting = order in self.open
        self.events.append(
            OrderReduced(
                seq=self.seq, account=order.account, instrument=order.instrument,
                order_id=order.order_id, side=order.side, price_ticks=order.price_ticks,
                prevented_lots=lots, quantity_lots=order.total_lots, filled_lots=order.filled_lots,
                remaining_lots=order.remaining_lots, resting=resting, shown_lots=order.offered_lots,
                client_order_id=order.client_order_id,
            )
        )  # fmt: skip

    def _exchange(self, taker: ModelOrder, maker: ModelOrder, lots: int) -> None:
        """Do one trade at the maker's price; an iceberg then shows its next slice."""
        self.fill(taker, maker, lots, maker.price_ticks)
        if not maker.display_lots:
            return
        maker.shown_lots -= lots
        if maker.remaining_lots and not maker.shown_lots:
            self.open.remove(maker)
            self.open.append(maker)
            maker.arrival = self.seq
            self.replenish(maker, requeued=True)

    def replenish(self, order: ModelOrder, requeued: bool) -> None:
        """Let an iceberg show its next slice."""
        order.show_next_slice()
        self.events.append(
            OrderReplenished(
                seq=self.seq, account=order.account, instrument=order.instrument,
                order_id=order.order_id, side=order.side, price_ticks=order.price_ticks,
                shown_lots=order.shown_lots, remaining_lots=order.remaining_lots, requeued=requeued,
                client_order_id=order.client_order_id,
            )
        )  # fmt: skip

    def fill(self, taker: ModelOrder, maker: ModelOrder, lots: int, price: int) -> None:
        """Fill `lots` at a price. An order with nothing left leaves the list."""
        instrument = self.instruments[taker.instrument]
        for order in (taker, maker):
            order.filled_lots += lots
            order.status = (
                OrderStatus.PARTIALLY_FILLED if order.remaining_lots else OrderStatus.FILLED
            )
            if not order.remaining_lots and order in self.open:
                self.open.remove(order)
        self.trade_ids[instrument.id] += 1
        self.last_prices[instrument.id] = price
        bought = lots * instrument.base_units_per_lot
        paid = price * lots * instrument.notional_per_tick_lot
        to_taker, to_maker = (bought, paid) if taker.side == Side.BUY else (paid, bought)
        own = self.own_fees
        default = (instrument.maker_fee_rate, instrument.taker_fee_rate)
        maker_rate = own.get((maker.account, instrument.id), default)[0]
        taker_rate = own.get((taker.account, instrument.id), default)[1]
        maker_fee, taker_fee = fee(to_maker, maker_rate), fee(to_taker, taker_rate)
        self.money.exchange(instrument, taker, maker, bought, paid, taker_fee, maker_fee)
        self.events.append(
            TradeExecuted(
                seq=self.seq, trade_id=self.trade_ids[instrument.id], instrument=instrument.id,
                price_ticks=price, quantity_lots=lots, aggressor_side=taker.side,
                maker_order_id=maker.order_id, taker_order_id=taker.order_id,
                maker_account=maker.account, taker_account=taker.account, maker_fee=maker_fee,
                taker_fee=taker_fee, maker_filled_lots=maker.filled_lots,
                maker_remaining_lots=maker.remaining_lots, taker_filled_lots=taker.filled_lots,
                taker_remaining_lots=taker.remaining_lots,
                maker_client_order_id=maker.client_order_id,
                taker_client_order_id=taker.client_order_id,
            )
        )  # fmt: skip

    def elect(self, instrument: int) -> Steps:
        """Run the orders that the last price elects, round after round."""
        while self.states[instrument] == InstrumentState.OPEN:
            last = self.last_prices[instrument]
            before = self.looked_at[instrument] or last
            waiting = [
                o for o in self.open if o.instrument == instrument and o.waits_for == "trigger"
            ]
            self.looked_at[instrument] = last
            met = [order for order in waiting if order.is_met(last)]
            if not met:
                return
            met.sort(key=lambda order: (abs(order.trigger_ticks - before), order.arrival))
            for order in met:
                yield
                self.open.remove(order)
                self._trigger(order)

    def _trigger(self, order: ModelOrder) -> None:
        order.waits_for = ""
        order.arrival = self.seq
        self.events.append(
            OrderTriggered(
                seq=self.seq, account=order.account, instrument=order.instrument,
                order_id=order.order_id, side=order.side, order_type=order.kind,
                time_in_force=order.time_in_force, price_ticks=order.price_ticks,
                remaining_lots=order.remaining_lots, trigger_ticks=order.trigger_ticks,
                last_price_ticks=self.last_prices[order.instrument],
                display_lots=order.display_lots, client_order_id=order.client_order_id,
            )
        )  # fmt: skip
        if not order.price_ticks and order.side == Side.BUY and self.money.rules.accounts:
            trial = self.copy(order.instrument)
            trial.come_in(copy_of(order))
            asset = self.instruments[order.instrument].quote
            # Elected orders that wait for their turn keep their holds.
            free = self.money.free(order.account, asset, self.open)
            if trial.turnover() > free:
                self.expire(order, RejectReason.INSUFFICIENT_BALANCE)
                return
        self.come_in(order)

    def cancel_all(self, orders: list[ModelOrder], reason: int) -> Steps:
        """Cancel open orders one after the other."""
        for order in orders:
            yield
            self.cancel(order, 0, 0, reason)

    def cancel(self, order: ModelOrder, gateway: int, request: int, reason: int = 0) -> None:
        """Cancel an open order on request."""
        self.open.remove(order)
        order.status = OrderStatus.CANCELED
        self.events.append(
            OrderCanceled(
                seq=self.seq, gateway=gateway, request_seq=request, account=order.account,
                instrument=order.instrument, order_id=order.order_id, side=order.side,
                price_ticks=order.price_ticks, canceled_lots=order.remaining_lots,
                filled_lots=order.filled_lots, client_order_id=order.client_order_id,
                resting=not order.waits_for, reason=reason,
            )
        )  # fmt: skip

    def expire(self, order: ModelOrder, reason: RejectReason, quote_left: int = 0) -> None:
        """Expire the remainder of an order, in the book or not."""
        was_open = order in self.open
        if was_open:
            self.open.remove(order)
        in_match = reason == RejectReason.SELF_TRADE
        order.status = OrderStatus.EXPIRED_IN_MATCH if in_match else OrderStatus.EXPIRED
        self.events.append(
            OrderExpired(
                seq=self.seq, account=order.account, instrument=order.instrument,
                order_id=order.order_id, side=order.side, price_ticks=order.price_ticks,
                expired_lots=order.remaining_lots, filled_lots=order.filled_lots, reason=reason,
                client_order_id=order.client_order_id, quote_left=quote_left,
                resting=was_open and not order.waits_for,
            )
        )  # fmt: skip
