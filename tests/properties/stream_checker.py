"""What the event stream promises, checked from events alone: no commands, no engine.

A reader keeps every order and the L3 books as a publisher would, and asserts each promise as the
events arrive. Its books can then be compared with the matcher's.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from common.depth import OrderDepth
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
from common.instruments import FEE_SCALE, Instrument
from common.sync import BookState, RestingOrder
from common.types import OrderStatus, OrderType, RejectReason, Side, TimeInForce


@dataclass(slots=True)
class _Order:
    accepted: OrderAccepted
    price_ticks: int
    total_lots: int
    filled_lots: int = 0
    gone_lots: int = 0
    spent: int = 0
    ended: bool = False
    status: OrderStatus = OrderStatus.NEW

    @property
    def open_lots(self) -> int:
        return self.total_lots - self.filled_lots - self.gone_lots


class StreamChecker:
    """Reads the events of one command after the other; raises `AssertionError` at a broken
    promise. Costs O(orders at the best prices) a trade."""

    def __init__(self, instruments: Iterable[Instrument]) -> None:
        self.books = {instrument.id: OrderDepth() for instrument in instruments}
        self._instruments = {instrument.id: instrument for instrument in instruments}
        self._orders: dict[int, _Order] = {}
        self._names: dict[tuple[int, str], int] = {}
        self._trade_ids = dict.fromkeys(self.books, 0)
        self._last_prices = dict.fromkeys(self.books, 0)
        self._seq = 0

    def read(self, events: list[Event]) -> None:
        """All events of one command."""
        assert events, "a command in the stream has at least its answer"
        answer = events[0]
        self._seq += 1
        for event in events:
            assert event.seq == self._seq, f"expected seq {self._seq}: {event}"
        if isinstance(answer, OrderAccepted):
            self._accept(answer, events[1:])
        elif isinstance(answer, OrderAmended):
            self._amend(answer, events[1:])
        elif isinstance(answer, OrdersMassCanceled):
            self._mass_cancel(answer, events[1:])
        elif isinstance(answer, OrderCanceled):
            assert len(events) == 1, f"a cancel is one event: {events}"
            self._cancel(answer)
        elif isinstance(answer, OrderRepeated):
            assert len(events) == 1, f"a repeat is one event: {events}"
            self._repeat(answer)
        else:
            assert isinstance(answer, CommandRejected), f"not an answer: {answer}"
            assert len(events) == 1, f"a reject is one event: {events}"
        for instrument, book in self.books.items():
            bid, ask = book.depth.best(Side.BUY)[0], book.depth.best(Side.SELL)[0]
            assert not ask or bid < ask, f"book {instrument} is crossed: {bid} >= {ask}"

    def book_state(self, instrument: int) -> BookState:
        """The book rebuilt from events, in the matcher's form."""
        bids, asks = (
            [RestingOrder(*order) for order in self.books[instrument].orders(side)]
            for side in (Side.BUY, Side.SELL)
        )
        return BookState(
            instrument, bids, asks, self._trade_ids[instrument], self._last_prices[instrument]
        )

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
        assert resting == sum(not order.ended for order in self._orders.values())

    def _accept(self, answer: OrderAccepted, rest: list[Event]) -> None:
        if answer.client_order_id:
            name = (answer.account, answer.client_order_id)
            assert name not in self._names, f"client order id is taken: {answer}"
            self._names[name] = answer.seq
        order = _Order(answer, answer.price_ticks, answer.quantity_lots)
        self._orders[answer.seq] = order
        trades, terminal = _split(rest)
        for trade in trades:
            self._trade(order, trade)
        self._finish(order, terminal)
        killed = isinstance(terminal, OrderExpired) and terminal.reason == RejectReason.FILL_OR_KILL
        if answer.time_in_force == TimeInForce.FOK:
            assert killed != bool(order.filled_lots), f"FOK is all or nothing: {rest}"
            assert killed or not order.open_lots, f"FOK is all or nothing: {rest}"

    def _repeat(self, answer: OrderRepeated) -> None:
        """What it tells of the earlier order is what the events before have told."""
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
        assert answer.open_lots == order.open_lots, f"open lots: {answer}"

    def _amend(self, answer: OrderAmended, rest: list[Event]) -> None:
        order = self._open_order(answer.order_id)
        kept = answer.price_ticks == order.price_ticks and answer.quantity_lots <= order.total_lots
        assert answer.kept_priority == kept, f"priority: {answer}"
        order.price_ticks = answer.price_ticks
        order.total_lots = answer.quantity_lots
        assert answer.open_lots == order.open_lots > 0, f"open lots: {answer}"
        assert answer.filled_lots == order.filled_lots, f"filled lots: {answer}"
        assert answer.client_order_id == order.accepted.client_order_id
        book = self.books[answer.instrument]
        if kept:
            assert not rest, f"nothing may follow: {rest}"
            book.set_order(answer.order_id, answer.side, order.price_ticks, order.open_lots)
            return
        book.set_order(answer.order_id, answer.side, order.price_ticks, 0)
        trades, terminal = _split(rest)
        assert terminal is None, f"a limit order rests or is filled: {terminal}"
        for trade in trades:
            self._trade(order, trade)
        self._finish(order, None)

    def _mass_cancel(self, answer: OrdersMassCanceled, rest: list[Event]) -> None:
        ids = []
        for event in rest:
            assert isinstance(event, OrderCanceled), f"only cancels follow: {event}"
            assert event.account == answer.account, f"another account's order: {event}"
            assert answer.instrument in (0, event.instrument), f"another instrument: {event}"
            assert answer.side in (0, event.side), f"another side: {event}"
            assert (event.gateway, event.request) == (0, 0), f"origin: {event}"
            ids.append(event.order_id)
            self._cancel(event)
        assert answer.count == len(ids), f"count: {answer}"
        assert ids == sorted(set(ids)), f"oldest first: {ids}"
        for order in self._orders.values():
            mine = order.accepted
            assert order.ended or not (
                mine.account == answer.account
                and answer.instrument in (0, mine.instrument)
                and answer.side in (0, mine.side)
            ), f"order {mine.seq} survived {answer}"

    def _cancel(self, event: OrderCanceled) -> None:
        order = self._open_order(event.order_id)
        assert event.canceled_lots == order.open_lots, f"canceled lots: {event}"
        assert event.filled_lots == order.filled_lots, f"filled lots: {event}"
        assert event.price_ticks == order.price_ticks, f"price: {event}"
        assert event.client_order_id == order.accepted.client_order_id, f"name: {event}"
        order.gone_lots = event.canceled_lots
        order.status = OrderStatus.CANCELED
        self.books[event.instrument].set_order(event.order_id, event.side, order.price_ticks, 0)
        self._end(order)

    def _trade(self, taker: _Order, trade: TradeExecuted) -> None:
        maker = self._open_order(trade.maker_order_id)
        side = taker.accepted.side
        assert trade.taker_order_id == taker.accepted.seq, f"another taker: {trade}"
        assert trade.aggressor_side == side, f"aggressor side: {trade}"
        assert trade.quantity_lots > 0, f"no trade of zero lots: {trade}"
        assert (trade.maker_account, trade.maker_client_order_id) == (
            maker.accepted.account,
            maker.accepted.client_order_id,
        ), f"maker's owner: {trade}"
        assert (trade.taker_account, trade.taker_client_order_id) == (
            taker.accepted.account,
            taker.accepted.client_order_id,
        ), f"taker's owner: {trade}"
        self._check_priority(taker, trade)
        self._check_fees(trade)
        self._trade_ids[trade.instrument] += 1
        assert trade.trade_id == self._trade_ids[trade.instrument], f"trade id: {trade}"
        self._last_prices[trade.instrument] = trade.price_ticks
        instrument = self._instruments[trade.instrument]
        taker.spent += trade.price_ticks * trade.quantity_lots * instrument.notional_per_tick_lot
        if taker.accepted.quote_amount:
            taker.total_lots += trade.quantity_lots
        for order, filled, left in (
            (maker, trade.maker_filled_lots, trade.maker_open_lots),
            (taker, trade.taker_filled_lots, trade.taker_open_lots),
        ):
            order.filled_lots += trade.quantity_lots
            assert order.open_lots >= 0, f"more than ordered: {trade}"
            order.status = OrderStatus.PARTIALLY_FILLED if left else OrderStatus.FILLED
            assert (filled, left) == (order.filled_lots, order.open_lots), f"totals: {trade}"
        self.books[trade.instrument].set_order(
            trade.maker_order_id, 3 - side, maker.price_ticks, maker.open_lots
        )
        if not maker.open_lots:
            self._end(maker)

    def _check_priority(self, taker: _Order, trade: TradeExecuted) -> None:
        """Internal order protection, then price-time priority, then the taker's limit."""
        maker_side = 3 - taker.accepted.side
        book = self.books[trade.instrument]
        best = book.depth.best(maker_side)[0]
        assert trade.price_ticks == best, f"an order at {best} was traded through: {trade}"
        order_id, price, _ = next(book.orders(maker_side))
        assert trade.maker_order_id == order_id, f"order {order_id} came first: {trade}"
        assert trade.price_ticks == price, f"not the maker's price {price}: {trade}"
        if taker.price_ticks:
            limit = taker.price_ticks
            within = price <= limit if taker.accepted.side == Side.BUY else price >= limit
            assert within, f"outside the taker's limit {limit}: {trade}"

    def _check_fees(self, trade: TradeExecuted) -> None:
        instrument = self._instruments[trade.instrument]
        base = trade.quantity_lots * instrument.base_units_per_lot
        quote = trade.quantity_lots * trade.price_ticks * instrument.notional_per_tick_lot
        buyer_is_taker = trade.aggressor_side == Side.BUY
        for fee, rate, received in (
            (trade.maker_fee, instrument.maker_fee_rate, quote if buyer_is_taker else base),
            (trade.taker_fee, instrument.taker_fee_rate, base if buyer_is_taker else quote),
        ):
            # The smallest whole fee that is not below the exact one.
            exact = received * rate
            assert exact <= fee * FEE_SCALE < exact + FEE_SCALE, f"fee {fee}: {trade}"

    def _finish(self, order: _Order, terminal: Event | None) -> None:
        """The taker after its trades: ended by `terminal`, filled, or resting."""
        accepted = order.accepted
        if terminal is not None:
            assert isinstance(terminal, OrderExpired | OrderCompleted), f"not terminal: {terminal}"
            assert terminal.order_id == accepted.seq, f"another order: {terminal}"
            assert terminal.filled_lots == order.filled_lots, f"filled lots: {terminal}"
            if accepted.quote_amount:
                assert terminal.quote_left == accepted.quote_amount - order.spent, str(terminal)
            self._check_reason(order, terminal)
            if isinstance(terminal, OrderExpired):
                assert terminal.expired_lots == order.open_lots, f"expired lots: {terminal}"
                order.gone_lots = terminal.expired_lots
                order.status = OrderStatus.EXPIRED
            else:
                order.status = OrderStatus.FILLED
            self._end(order)
            return
        assert not accepted.quote_amount, "an order by quote amount always says how it ended"
        if not order.open_lots:
            self._end(order)
            return
        assert accepted.order_type == OrderType.LIMIT, f"must not rest: {accepted}"
        assert accepted.time_in_force == TimeInForce.GTC, f"must not rest: {accepted}"
        book = self.books[accepted.instrument]
        book.set_order(accepted.seq, accepted.side, order.price_ticks, order.open_lots, True)

    def _check_reason(self, order: _Order, terminal: OrderExpired | OrderCompleted) -> None:
        """The right ending for the kind of order, and the book really had no more to give."""
        accepted = order.accepted
        maker_side = 3 - accepted.side
        depth = self.books[accepted.instrument].depth
        best = depth.best(maker_side)[0]
        unit = self._instruments[accepted.instrument].notional_per_tick_lot
        if isinstance(terminal, OrderCompleted):
            assert accepted.quote_amount, f"only for a quote amount: {terminal}"
            left = terminal.quote_left
            assert not left or left < best * unit, f"buys one lot more at {best}: {terminal}"
            return
        if accepted.order_type == OrderType.MARKET:
            assert terminal.reason == RejectReason.INSUFFICIENT_LIQUIDITY, str(terminal)
            assert not best, f"the book has more at {best}: {terminal}"
            return
        limit = order.price_ticks
        crossing = sum(
            lots
            for price, lots in depth.levels(maker_side)
            if (price <= limit if accepted.side == Side.BUY else price >= limit)
        )
        if accepted.time_in_force == TimeInForce.IOC:
            assert terminal.reason == RejectReason.IMMEDIATE_OR_CANCEL, str(terminal)
            assert not crossing, f"more would cross: {terminal}"
        else:
            assert terminal.reason == RejectReason.FILL_OR_KILL, str(terminal)
            assert crossing < accepted.quantity_lots, f"it was fillable: {terminal}"

    def _open_order(self, order_id: int) -> _Order:
        order = self._orders[order_id]
        assert not order.ended, f"order {order_id} ended before"
        return order

    def _end(self, order: _Order) -> None:
        """Terminal states are final, and every lot is accounted for."""
        assert not order.ended, f"order {order.accepted.seq} ended twice"
        assert order.total_lots == order.filled_lots + order.gone_lots, f"lots lost: {order}"
        order.ended = True
        self._names.pop((order.accepted.account, order.accepted.client_order_id), None)


def _split(rest: list[Event]) -> tuple[list[TradeExecuted], Event | None]:
    """Trades, then at most one terminal event."""
    terminal = None
    if rest and not isinstance(rest[-1], TradeExecuted):
        terminal = rest[-1]
        rest = rest[:-1]
    trades = []
    for event in rest:
        assert isinstance(event, TradeExecuted), f"only trades before the end: {event}"
        trades.append(event)
    return trades, terminal
