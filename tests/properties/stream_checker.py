"""The promises of the events, checked from events alone, without commands or engine.

A reader keeps every order, the L3 books as a publisher would, and all money, and asserts each
promise as the events arrive. Its books can then be compared with the matcher's.
"""

from collections.abc import Iterable

from crossbook.common.following.depth import OrderDepth
from crossbook.common.instruments import FEE_SCALE, Instrument
from crossbook.common.messages.events import (
    AccountOpened,
    AuctionUncrossed,
    BalanceAdjusted,
    CancelAfterSet,
    CommandRejected,
    Event,
    FeesChanged,
    InstrumentAdded,
    InstrumentStateChanged,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderCompleted,
    OrderExpired,
    OrderReduced,
    OrderRepeated,
    OrderReplenished,
    OrdersMassCanceled,
    OrderTriggered,
    TimeAdvanced,
    TradeExecuted,
)
from crossbook.common.messages.matcher_queries import BookState, RestingOrder
from crossbook.common.types import (
    InstrumentState,
    OrderStatus,
    OrderType,
    RejectReason,
    Side,
    TimeInForce,
)
from tests.properties.checked_order import CheckedOrder

ANSWERS = (
    OrderAccepted, OrderRepeated, OrderCanceled, OrderAmended, OrdersMassCanceled,
    CommandRejected, TimeAdvanced, CancelAfterSet, InstrumentAdded, InstrumentStateChanged,
    AuctionUncrossed, FeesChanged, BalanceAdjusted,
)  # fmt: skip
LONELY = (OrderRepeated, OrderCanceled, CommandRejected, CancelAfterSet, FeesChanged)
IMMEDIATE = (TimeInForce.IOC, TimeInForce.FOK)


class StreamChecker:
    """Reads the events of one number after the other; raises `AssertionError` at a broken promise.
    Costs O(orders at the best prices) for each trade."""

    def __init__(self, instruments: Iterable[Instrument]) -> None:
        self._instruments = {instrument.id: instrument for instrument in instruments}
        self.books = {number: OrderDepth() for number in self._instruments}
        self.balances: dict[tuple[int, str], int] = {}
        self._orders: dict[int, CheckedOrder] = {}
        self._names: dict[tuple[int, str], int] = {}
        self._trade_ids = dict.fromkeys(self.books, 0)
        self._last_prices = dict.fromkeys(self.books, 0)
        self._states = dict.fromkeys(self.books, int(InstrumentState.OPEN))
        self._untils: dict[int, int] = {}
        self._own_fees: dict[tuple[int, int], tuple[int, int]] = {}
        self._incoming: CheckedOrder | None = None
        self._uncross_lots = -1
        self._uncrossing = 0
        self._mass_cancel: tuple[OrdersMassCanceled, list[OrderCanceled]] | None = None
        self._seq = 0

    def read(self, events: list[Event]) -> None:
        """Apply all events of one number."""
        assert events, "a number in the stream has at least its answer"
        answer = events[0]
        self._seq += 1
        for event in events:
            assert event.seq == self._seq, f"expected seq {self._seq}: {event}"
        assert isinstance(answer, ANSWERS), f"not an answer: {answer}"
        assert not isinstance(answer, LONELY) or len(events) == 1, f"one event only: {events}"
        goes_on = self._uncross_lots != -1 or self._mass_cancel is not None
        assert not goes_on or isinstance(answer, TimeAdvanced), f"an act goes on first: {answer}"
        for place, event in enumerate(events):
            assert not place or not isinstance(event, ANSWERS) or self._may_follow(answer, event), (
                f"an answer cannot follow: {event}"
            )
            self._apply(event)
        self._rest()
        self._check_mass_cancel(answer, events[1:])
        for instrument, book in self.books.items():
            bid, ask = book.depth.best(Side.BUY)[0], book.depth.best(Side.SELL)[0]
            trades = self._states[instrument] in (InstrumentState.OPEN, InstrumentState.POST_ONLY)
            assert not trades or not ask or bid < ask, f"book {instrument} crossed: {bid} {ask}"

    def _may_follow(self, answer: Event, event: Event) -> bool:
        """Whether an event that is otherwise an answer is a consequence of this answer."""
        if isinstance(event, OrderCanceled):
            return isinstance(answer, OrdersMassCanceled | TimeAdvanced)
        is_state = isinstance(event, InstrumentStateChanged)
        return is_state and isinstance(answer, AuctionUncrossed | TimeAdvanced)

    def book_state(self, instrument: int) -> BookState:
        """The book rebuilt from events, in the matcher's form."""
        bids, asks = (
            [self._resting(*order) for order in self.books[instrument].orders(side)]
            for side in (Side.BUY, Side.SELL)
        )
        return BookState(
            instrument=instrument, bids=bids, asks=asks, last_trade_id=self._trade_ids[instrument],
            last_price_ticks=self._last_prices[instrument], state=self._states[instrument],
            until_ns=self._untils.get(instrument, 0),
            market_bids=self._gathered(instrument, Side.BUY),
            market_asks=self._gathered(instrument, Side.SELL),
        )  # fmt: skip

    def _gathered(self, instrument: int, side: int) -> list[RestingOrder]:
        return [
            RestingOrder(order_id, 0, order.remaining_lots)
            for order_id, order in self._orders.items()
            if (order.accepted.instrument, order.accepted.side) == (instrument, side)
            and order.accepted.order_type == OrderType.MARKET
            and order.waits
            and not order.ended
        ]

    def _resting(self, order_id: int, price_ticks: int, lots: int) -> RestingOrder:
        order = self._orders[order_id]
        hidden = order.remaining_lots - order.public_lots
        return RestingOrder(order_id, price_ticks, lots, order.display_lots, hidden)

    def check_levels(self) -> None:
        """Each L2 level is the sum of its L3 orders, and no order was lost."""
        resting = 0
        for book in self.books.values():
            for side in (Side.BUY, Side.SELL):
                sums: dict[int, int] = {}
                for _, price, lots in book.orders(side):
                    sums[price] = sums.get(price, 0) + lots
                assert list(sums.items()) == book.depth.levels(side)
            resting += len(book)
        assert resting == sum(order.resting for order in self._orders.values())
        assert not any(order.ended and order.resting for order in self._orders.values())

    def _apply(self, event: Event) -> None:
        if isinstance(event, TradeExecuted):
            self._trade(event)
        elif isinstance(event, OrderExpired):
            self._expire(event)
        elif isinstance(event, OrderReplenished):
            self._replenish(event)
        elif isinstance(event, OrderReduced):
            self._reduce(event)
        elif isinstance(event, OrderCompleted):
            self._complete(event)
        elif isinstance(event, AccountOpened):
            for asset, amount in event.balances:
                assert (event.account, asset) not in self.balances, f"opened twice: {event}"
                self.balances[event.account, asset] = amount
        else:
            self._rest()
            self._apply_answer(event)

    def _apply_answer(self, event: Event) -> None:
        if isinstance(event, OrderAccepted):
            self._accept(event)
        elif isinstance(event, OrderTriggered):
            self._trigger(event)
        elif isinstance(event, OrderAmended):
            self._amend(event)
        elif isinstance(event, OrderCanceled):
            self._cancel(event)
        elif isinstance(event, OrderRepeated):
            self._repeat(event)
        elif isinstance(event, InstrumentAdded):
            number = event.instrument
            self._instruments[number] = event.definition
            self.books[number] = OrderDepth()
            self._trade_ids[number] = self._last_prices[number] = 0
            self._states[number] = InstrumentState.OPEN
        elif isinstance(event, InstrumentStateChanged):
            if event.instrument == self._uncrossing:
                assert self._uncross_lots == 0, f"{self._uncross_lots} lots did not uncross"
                self._uncross_lots, self._uncrossing = -1, 0
            self._states[event.instrument] = event.state
            self._untils[event.instrument] = event.until_ns
        elif isinstance(event, AuctionUncrossed):
            self._uncross_lots, self._uncrossing = event.quantity_lots, event.instrument
        elif isinstance(event, FeesChanged):
            owner = (event.account, event.instrument)
            self._own_fees.pop(owner, None)
            if not event.inherited:
                self._own_fees[owner] = (event.maker_fee_rate, event.taker_fee_rate)
        elif isinstance(event, BalanceAdjusted):
            owner_of = (event.account, event.asset)
            self.balances[owner_of] = self.balances.get(owner_of, 0) + event.amount

    def _accept(self, answer: OrderAccepted) -> None:
        if answer.client_order_id:
            name = (answer.account, answer.client_order_id)
            assert name not in self._names, f"client order id is in use: {answer}"
            self._names[name] = answer.seq
        order = CheckedOrder(answer, answer.price_ticks, answer.quantity_lots)
        self._orders[answer.seq] = order
        terms = answer.instructions
        gathers = self._states[answer.instrument] == InstrumentState.AUCTION
        order.waits = (terms is not None and terms.trigger_ticks > 0) or (
            gathers and answer.order_type == OrderType.MARKET
        )
        if not order.waits:
            self._incoming = order

    def _trigger(self, event: OrderTriggered) -> None:
        order = self._open_order(event.order_id)
        assert order.waits, f"it did not wait: {event}"
        assert event.price_ticks == order.price_ticks, f"price: {event}"
        assert event.remaining_lots == order.remaining_lots, f"open lots: {event}"
        assert event.last_price_ticks, f"no trade elected it: {event}"
        order.waits = False
        self._incoming = order

    def _rest(self) -> None:
        """Keep an order that was entered, with its remaining lots."""
        order, self._incoming = self._incoming, None
        if order is None or order.ended:
            return
        accepted = order.accepted
        assert not accepted.quote_amount, "an order by quote amount always reports its end"
        if not order.remaining_lots:
            self._end(order)
            return
        assert order.price_ticks, f"must not rest: {accepted}"
        assert accepted.time_in_force not in IMMEDIATE or order.resting, (
            f"must not rest: {accepted}"
        )
        order.shown_lots = min(order.display_lots, order.remaining_lots)
        self._show(order, requeue=True)

    def _show(self, order: CheckedOrder, requeue: bool = False) -> None:
        accepted = order.accepted
        order.resting = order.remaining_lots > 0
        self.books[accepted.instrument].set_order(
            accepted.seq, accepted.side, order.price_ticks, order.public_lots, requeue
        )

    def _amend(self, answer: OrderAmended) -> None:
        order = self._open_order(answer.order_id)
        order.price_ticks = answer.price_ticks
        assert answer.quantity_lots <= order.total_lots or not answer.kept_priority, str(answer)
        order.total_lots = answer.quantity_lots
        assert answer.remaining_lots == order.remaining_lots > 0, f"open lots: {answer}"
        assert answer.filled_lots == order.filled_lots, f"filled lots: {answer}"
        assert answer.client_order_id == order.accepted.client_order_id
        assert not answer.trigger_ticks or order.waits, f"it does not wait: {answer}"
        if order.display_lots:
            order.shown_lots = answer.shown_lots
        if order.waits:
            if not answer.kept_priority:
                # Behind all others of the call phase.
                self._orders[answer.order_id] = self._orders.pop(answer.order_id)
            return
        if answer.kept_priority:
            self._show(order)
            return
        book = self.books[answer.instrument]
        book.set_order(answer.order_id, answer.side, order.price_ticks, 0)
        order.resting = False
        self._incoming = order

    def _repeat(self, answer: OrderRepeated) -> None:
        """Assert that the fields about the earlier order agree with the events before."""
        order = self._orders[answer.order_id]
        earlier = order.accepted
        assert (answer.account, answer.instrument, answer.client_order_id) == (
            earlier.account,
            earlier.instrument,
            earlier.client_order_id,
        ), f"another order: {answer}"
        assert answer.client_order_id, f"an order without a name is never a repeat: {answer}"
        assert answer.status == order.status, f"status: {answer}"
        assert answer.filled_lots == order.filled_lots, f"filled lots: {answer}"
        assert answer.remaining_lots == order.remaining_lots, f"open lots: {answer}"

    def _check_mass_cancel(self, answer: Event, rest: list[Event]) -> None:
        """Assert that every order a mass cancel counts ends, under its number and the next ones."""
        if isinstance(answer, OrdersMassCanceled):
            self._mass_cancel = (answer, [])
        if self._mass_cancel is None:
            return
        act, found = self._mass_cancel
        more = [event for event in rest if isinstance(event, OrderCanceled)]
        found += more[: act.count - len(found)]
        if len(found) == act.count:
            self._mass_cancel = None
            self._check_canceled(act, found)

    def _check_canceled(self, answer: OrdersMassCanceled, canceled: list[OrderCanceled]) -> None:
        ids = []
        for event in canceled:
            assert answer.account in (0, event.account), f"another account's order: {event}"
            assert answer.instrument in (0, event.instrument), f"another instrument: {event}"
            assert answer.side in (0, event.side), f"another side: {event}"
            assert (event.gateway, event.request_seq) == (0, 0), f"origin: {event}"
            ids.append(event.order_id)
        assert answer.count == len(ids), f"count: {answer}"
        assert ids == sorted(set(ids)), f"oldest first: {ids}"
        for order in self._orders.values():
            mine = order.accepted
            assert order.ended or not (
                answer.account in (0, mine.account)
                and answer.instrument in (0, mine.instrument)
                and answer.side in (0, mine.side)
            ), f"order {mine.seq} survived {answer}"

    def _cancel(self, event: OrderCanceled) -> None:
        order = self._open_order(event.order_id)
        assert event.canceled_lots == order.remaining_lots, f"canceled lots: {event}"
        assert event.filled_lots == order.filled_lots, f"filled lots: {event}"
        assert event.price_ticks == order.price_ticks, f"price: {event}"
        assert event.resting == order.resting, f"where it stood: {event}"
        assert event.client_order_id == order.accepted.client_order_id, f"name: {event}"
        self._go(order, event.canceled_lots, OrderStatus.CANCELED)

    def _expire(self, event: OrderExpired) -> None:
        order = self._open_order(event.order_id)
        assert event.filled_lots == order.filled_lots, f"filled lots: {event}"
        assert event.resting == order.resting, f"where it stood: {event}"
        accepted = order.accepted
        if accepted.quote_amount:
            assert event.quote_left == accepted.quote_amount - order.spent, str(event)
        else:
            assert event.expired_lots == order.remaining_lots, f"expired lots: {event}"
        killed = event.reason == RejectReason.FILL_OR_KILL
        if killed:
            assert accepted.time_in_force == TimeInForce.FOK, f"not a FOK order: {event}"
            assert not order.filled_lots, f"FOK is all or nothing: {event}"
        if event.reason == RejectReason.INSUFFICIENT_LIQUIDITY and order is self._incoming:
            best = self.books[event.instrument].depth.best(3 - event.side)[0]
            assert not best, f"the book has more at {best}: {event}"
        in_match = event.reason == RejectReason.SELF_TRADE
        self._go(
            order, order.remaining_lots,
            OrderStatus.EXPIRED_IN_MATCH if in_match else OrderStatus.EXPIRED,
        )  # fmt: skip

    def _go(self, order: CheckedOrder, lots: int, status: OrderStatus) -> None:
        order.gone_lots = lots
        order.status = status
        if order.resting:
            self._show(order)
        self._end(order)

    def _complete(self, event: OrderCompleted) -> None:
        order = self._open_order(event.order_id)
        accepted = order.accepted
        assert accepted.quote_amount, f"only for a quote amount: {event}"
        assert event.quote_left == accepted.quote_amount - order.spent, str(event)
        order.status = OrderStatus.FILLED
        self._end(order)

    def _replenish(self, event: OrderReplenished) -> None:
        order = self._open_order(event.order_id)
        assert order.resting, f"it does not rest: {event}"
        assert not order.shown_lots, f"it shows {order.shown_lots} still: {event}"
        assert event.remaining_lots == order.remaining_lots, f"open lots: {event}"
        assert event.shown_lots == min(order.display_lots, order.remaining_lots), str(event)
        order.shown_lots = event.shown_lots
        self._show(order, event.requeued)

    def _reduce(self, event: OrderReduced) -> None:
        order = self._open_order(event.order_id)
        order.total_lots -= event.prevented_lots
        assert event.prevented_lots > 0, f"nothing prevented: {event}"
        assert (event.quantity_lots, event.filled_lots, event.remaining_lots) == (
            order.total_lots,
            order.filled_lots,
            order.remaining_lots,
        ), f"totals: {event}"
        assert order.remaining_lots > 0, f"it should have expired: {event}"
        assert event.resting == order.resting, f"where it stands: {event}"
        if order.resting:
            order.shown_lots = min(order.shown_lots, order.remaining_lots)
            assert event.shown_lots == order.public_lots, f"shown lots: {event}"
            self._show(order)

    def _trade(self, trade: TradeExecuted) -> None:
        maker, taker = self._open_order(trade.maker_order_id), self._orders[trade.taker_order_id]
        instrument = self._instruments[trade.instrument]
        assert trade.aggressor_side == taker.accepted.side, f"aggressor side: {trade}"
        assert trade.quantity_lots > 0, f"no trade of zero lots: {trade}"
        for order, account, name in (
            (maker, trade.maker_account, trade.maker_client_order_id),
            (taker, trade.taker_account, trade.taker_client_order_id),
        ):
            accepted = order.accepted
            assert (account, name) == (accepted.account, accepted.client_order_id), (
                f"owner: {trade}"
            )
        if self._uncross_lots >= 0 and taker is not self._incoming:
            self._uncross_lots -= trade.quantity_lots
        else:
            assert taker is self._incoming, f"another taker: {trade}"
            self._check_priority(taker, maker, trade)
        self._check_fees(trade, instrument)
        self._trade_ids[trade.instrument] += 1
        assert trade.trade_id == self._trade_ids[trade.instrument], f"trade id: {trade}"
        self._last_prices[trade.instrument] = trade.price_ticks
        taker.spent += trade.price_ticks * trade.quantity_lots * instrument.notional_per_tick_lot
        if taker.accepted.quote_amount:
            taker.total_lots += trade.quantity_lots
        for order, filled, left in (
            (maker, trade.maker_filled_lots, trade.maker_remaining_lots),
            (taker, trade.taker_filled_lots, trade.taker_remaining_lots),
        ):
            order.filled_lots += trade.quantity_lots
            order.shown_lots = max(order.shown_lots - trade.quantity_lots, 0)
            assert order.remaining_lots >= 0, f"more than ordered: {trade}"
            order.status = OrderStatus.PARTIALLY_FILLED if left else OrderStatus.FILLED
            assert (filled, left) == (order.filled_lots, order.remaining_lots), f"totals: {trade}"
            if order is not self._incoming:
                if order.resting:
                    self.books[trade.instrument].set_order(
                        order.accepted.seq, order.accepted.side, order.price_ticks,
                        max(order.public_lots, 1 if left else 0),
                    )  # fmt: skip
                if not left:
                    order.resting = False
                    self._end(order)
        self._pay(trade, instrument)

    def _pay(self, trade: TradeExecuted, instrument: Instrument) -> None:
        """Move money between two accounts and the venue; assert that the sums stay equal."""
        base = trade.quantity_lots * instrument.base_units_per_lot
        quote = trade.quantity_lots * trade.price_ticks * instrument.notional_per_tick_lot
        buyer, seller = (
            (trade.taker_account, trade.taker_fee),
            (trade.maker_account, trade.maker_fee),
        )
        if trade.aggressor_side == Side.SELL:
            buyer, seller = seller, buyer
        for account, asset, amount in (
            (buyer[0], instrument.quote, -quote),
            (buyer[0], instrument.base, base - buyer[1]),
            (seller[0], instrument.base, -base),
            (seller[0], instrument.quote, quote - seller[1]),
            (0, instrument.base, buyer[1]),
            (0, instrument.quote, seller[1]),
        ):
            self.balances[account, asset] = self.balances.get((account, asset), 0) + amount

    def _check_priority(
        self, taker: CheckedOrder, maker: CheckedOrder, trade: TradeExecuted
    ) -> None:
        """Assert internal order protection, price-time priority and the limit of the taker."""
        maker_side = 3 - taker.accepted.side
        book = self.books[trade.instrument]
        best = book.depth.best(maker_side)[0]
        assert trade.price_ticks == best, f"an order at {best} was traded through: {trade}"
        order_id, price, _ = next(book.orders(maker_side))
        assert trade.maker_order_id == order_id, f"order {order_id} came first: {trade}"
        assert trade.price_ticks == price, f"not the maker's price {price}: {trade}"
        assert trade.quantity_lots <= maker.public_lots, f"more than is shown: {trade}"
        if taker.price_ticks:
            limit = taker.price_ticks
            within = price <= limit if taker.accepted.side == Side.BUY else price >= limit
            assert within, f"outside the taker's limit {limit}: {trade}"

    def _check_fees(self, trade: TradeExecuted, instrument: Instrument) -> None:
        base = trade.quantity_lots * instrument.base_units_per_lot
        quote = trade.quantity_lots * trade.price_ticks * instrument.notional_per_tick_lot
        buyer_is_taker = trade.aggressor_side == Side.BUY
        default = self._own_fees.get(
            (0, trade.instrument), (instrument.maker_fee_rate, instrument.taker_fee_rate)
        )
        rates = [
            self._own_fees.get((account, trade.instrument), default)
            for account in (trade.maker_account, trade.taker_account)
        ]
        for fee, rate, received in (
            (trade.maker_fee, rates[0][0], quote if buyer_is_taker else base),
            (trade.taker_fee, rates[1][1], base if buyer_is_taker else quote),
        ):
            # The smallest whole fee that is not below the exact one.
            exact = received * rate
            assert exact <= fee * FEE_SCALE < exact + FEE_SCALE, f"fee {fee}: {trade}"

    def _open_order(self, order_id: int) -> CheckedOrder:
        order = self._orders[order_id]
        assert not order.ended, f"order {order_id} ended before"
        return order

    def _end(self, order: CheckedOrder) -> None:
        """End an order; assert that it had not ended, and that every lot is accounted for."""
        assert not order.ended, f"order {order.accepted.seq} ended twice"
        assert order.total_lots == order.filled_lots + order.gone_lots, f"lots lost: {order}"
        order.ended = True
        self._names.pop((order.accepted.account, order.accepted.client_order_id), None)
