"""The state machine of the venue: `Engine.apply(command)` gives events, and nothing else.

No sockets, files, clocks or randomness: the same commands give the same events byte for byte,
on any machine. Everything is validated before anything changes, so a refused command needs no
rollback. Rules: matcher/README.md.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

from common.commands import AmendOrder, CancelOrder, Command, MassCancelOrders, NewOrder
from common.entry import OrderState
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
)
from common.instruments import Instrument, check_change
from common.sync import BookState, RestingOrder
from common.types import MAX_INT, OrderStatus, OrderType, RejectReason, Side, TimeInForce
from matcher.book import BookSide, OrderBook
from matcher.dedupe import RetryWindow, is_next_request
from matcher.order import Account, Order
from matcher.terms import Fault, limit_fault, market_fault, terms_fault

_BUY: Final = int(Side.BUY)
_SELL: Final = int(Side.SELL)
_LIMIT: Final = int(OrderType.LIMIT)
_GTC: Final = int(TimeInForce.GTC)
_IOC: Final = int(TimeInForce.IOC)
_FOK: Final = int(TimeInForce.FOK)

_CANCELED: Final = int(OrderStatus.CANCELED)
_EXPIRED: Final = int(OrderStatus.EXPIRED)


class Engine:
    """All books, all open orders, and the number of the last command applied.

    >>> from common.instruments import example
    >>> engine = Engine([example()])
    >>> engine.apply(NewOrder(0, 0, 7, 1, Side.SELL, 1, 1, 5000000, 300, "a"))
    [OrderAccepted(seq=1, gateway=0, request=0, account=7, instrument=1, side=<Side.SELL: 2>, \
order_type=1, time_in_force=1, price_ticks=5000000, quantity_lots=300, client_order_id='a', \
quote_amount=0)]
    """

    def __init__(self, instruments: Iterable[Instrument]) -> None:
        self.books: dict[int, OrderBook] = {}
        self.accounts: dict[int, Account] = {}
        self.seq = 0
        self.last_request: dict[int, int] = {}
        self.retries = RetryWindow()
        self._appliers: dict[type, Callable[[Any, int, int], list[Event]]] = {
            NewOrder: self._new_order,
            CancelOrder: self._cancel_order,
            AmendOrder: self._amend_order,
            MassCancelOrders: self._mass_cancel,
        }
        self.configure(instruments)

    def configure(self, instruments: Iterable[Instrument]) -> None:
        """Trade these instruments from now on: new ones are added, known ones change limits and
        fees.

        Raises `ConfigError`, before anything changes, when a known one is missing or would change
        its grid: the ticks and lots of its orders would mean something else. Likewise when the
        grid of a new one is finer than its money.
        """
        wanted = {instrument.id: instrument for instrument in instruments}
        for instrument_id, book in self.books.items():
            check_change(book.instrument, wanted.get(instrument_id))
        added = [
            OrderBook(instrument)
            for instrument_id, instrument in wanted.items()
            if instrument_id not in self.books
        ]
        for instrument_id, book in self.books.items():
            book.configure(wanted[instrument_id])
        for book in added:
            self.books[book.instrument_id] = book

    @property
    def instruments(self) -> list[Instrument]:
        """What is traded, in the order of configuration."""
        return [book.instrument for book in self.books.values()]

    def apply(self, command: Command, time_ns: int = 0) -> list[Event]:
        """Apply one command as number `seq + 1` and return its events, the answer first.

        A command that is not the next one of its gateway returns no events and takes no number:
        it was applied before, or others before it are missing and will be sent again. Gateway
        zero is exempt.
        """
        gateway = command.gateway
        if gateway:
            if not is_next_request(self.last_request.get(gateway, 0), command.request):
                return []
            self.last_request[gateway] = command.request
        self.seq = seq = self.seq + 1
        return self._appliers[type(command)](command, seq, time_ns)

    def _new_order(self, command: NewOrder, seq: int, time_ns: int) -> list[Event]:
        book = self.books.get(command.instrument)
        if book is None:
            return [_rejected(command, seq, (RejectReason.UNKNOWN_SYMBOL, "instrument"))]
        client_order_id = command.client_order_id
        if client_order_id:
            earlier = self.retries.find(command)
            if earlier is not None:
                return [_repeated(command, earlier, seq)]
        is_limit = command.order_type == _LIMIT
        fault = limit_fault(command, book) if is_limit else market_fault(command, book)
        if fault is not None:
            return [_rejected(command, seq, fault)]
        account = self.accounts.get(command.account)
        if account is None:
            account = self.accounts[command.account] = Account(command.account)
        elif client_order_id and client_order_id in account.by_client_order_id:
            fault = (RejectReason.DUPLICATE_CLIENT_ORDER_ID, "client_order_id")
            return [_rejected(command, seq, fault)]
        side = command.side
        lots = command.quantity_lots
        events: list[Event] = [
            OrderAccepted(
                seq,
                command.gateway,
                command.request,
                command.account,
                command.instrument,
                side,
                command.order_type,
                command.time_in_force,
                command.price_ticks,
                lots,
                client_order_id,
                command.quote_amount,
            )
        ]
        order = Order(
            seq,
            account,
            command.instrument,
            side,
            command.price_ticks,
            lots,
            lots,
            client_order_id,
            time_ns,
        )
        if client_order_id:
            self.retries.add(command, order)
        if is_limit:
            self._enter_limit(order, book, command.time_in_force, seq, events)
        elif command.quote_amount:
            _run_quote_market(order, book, command.quote_amount, seq, events)
        else:
            bound = -MAX_INT if side == _BUY else 0
            book.match(order, bound, seq, events)
            if order.open_lots:
                events.append(_expired(order, seq, RejectReason.INSUFFICIENT_LIQUIDITY))
        return events

    def _enter_limit(
        self, order: Order, book: OrderBook, time_in_force: int, seq: int, events: list[Event]
    ) -> None:
        """Match an accepted limit order; what is left rests or expires."""
        price_ticks = order.price_ticks
        if book.crosses(order.side, price_ticks):
            bound = -price_ticks if order.side == _BUY else price_ticks
            if time_in_force == _FOK:
                other = book.asks if order.side == _BUY else book.bids
                if other.lots_within(bound, order.open_lots) < order.open_lots:
                    events.append(_expired(order, seq, RejectReason.FILL_OR_KILL))
                    return
            book.match(order, bound, seq, events)
            if not order.open_lots:
                return
        if time_in_force == _GTC:
            (book.bids if order.side == _BUY else book.asks).add(order)
            order.account.add(order)
        else:
            reason = (
                RejectReason.IMMEDIATE_OR_CANCEL
                if time_in_force == _IOC
                else RejectReason.FILL_OR_KILL
            )
            events.append(_expired(order, seq, reason))

    def _cancel_order(self, command: CancelOrder, seq: int, time_ns: int) -> list[Event]:
        order = self._find(command)
        if order is None:
            return [_rejected(command, seq, _unknown_order(command))]
        self._end(order)
        return [_canceled(order, seq, command.gateway, command.request)]

    def _amend_order(self, command: AmendOrder, seq: int, time_ns: int) -> list[Event]:
        order = self._find(command)
        if order is None:
            return [_rejected(command, seq, _unknown_order(command))]
        if not command.price_ticks and not command.quantity_lots:
            return [_rejected(command, seq, (RejectReason.MALFORMED, "quantity"))]
        book = self.books[order.instrument]
        price_ticks = command.price_ticks or order.price_ticks
        total_lots = command.quantity_lots or order.quantity_lots
        fault = terms_fault(book.instrument, book.notional_per_tick_lot, price_ticks, total_lots)
        if fault is not None:
            return [_rejected(command, seq, fault)]
        filled_lots = order.quantity_lots - order.open_lots
        if total_lots <= filled_lots:
            self._end(order)
            return [_canceled(order, seq, command.gateway, command.request)]
        keeps = price_ticks == order.price_ticks and total_lots <= order.quantity_lots
        side = book.bids if order.side == _BUY else book.asks
        if keeps:
            assert order.level is not None, "an open order is not resting"
            order.level.lots -= order.quantity_lots - total_lots
        else:
            side.remove(order)
        order.price_ticks = price_ticks
        order.quantity_lots = total_lots
        order.open_lots = total_lots - filled_lots
        events: list[Event] = [_amended(order, seq, command, keeps)]
        if not keeps:
            if book.crosses(order.side, price_ticks):
                bound = -price_ticks if order.side == _BUY else price_ticks
                book.match(order, bound, seq, events)
            if order.open_lots:
                side.add(order)
            else:
                order.account.discard(order)
        return events

    def _mass_cancel(self, command: MassCancelOrders, seq: int, time_ns: int) -> list[Event]:
        instrument = command.instrument
        if instrument and instrument not in self.books:
            return [_rejected(command, seq, (RejectReason.UNKNOWN_SYMBOL, "instrument"))]
        if command.side not in (0, _BUY, _SELL):
            return [_rejected(command, seq, (RejectReason.UNSUPPORTED_COMBINATION, "side"))]
        account = self.accounts.get(command.account)
        doomed = [
            order
            for order in (account.orders.values() if account is not None else ())
            if instrument in (0, order.instrument) and command.side in (0, order.side)
        ]
        events: list[Event] = [
            OrdersMassCanceled(
                seq,
                command.gateway,
                command.request,
                command.account,
                instrument,
                command.side,
                len(doomed),
            )
        ]
        for order in doomed:
            self._end(order)
            events.append(_canceled(order, seq, 0, 0))
        return events

    def _find(self, command: CancelOrder | AmendOrder) -> Order | None:
        """The open order a command names, if it is that account's and that instrument's."""
        account = self.accounts.get(command.account)
        if account is None:
            return None
        if command.order_id:
            order = account.orders.get(command.order_id)
        else:
            order = account.by_client_order_id.get(command.client_order_id)
        if order is None or order.instrument != command.instrument:
            return None
        return order

    def _end(self, order: Order) -> None:
        """Take a resting order out of book and index."""
        assert order.level is not None, "an open order is not resting"
        order.level.side.remove(order)
        order.account.discard(order)
        order.ended_as = _CANCELED

    def book_state(self, instrument: int) -> BookState:
        """One instrument's resting orders in priority order. O(orders)."""
        book = self.books[instrument]
        return BookState(
            instrument,
            _resting(book.bids),
            _resting(book.asks),
            book.last_trade_id,
            book.last_price_ticks,
        )

    def open_orders(
        self,
        account: int,
        instrument: int = 0,
        order_id: int = 0,
        client_order_id: str = "",
        after_order_id: int = 0,
        limit: int = 1000,
    ) -> tuple[list[OrderState], bool]:
        """Open orders of an account, oldest first, and whether `limit` cut the list.

        Zero and empty arguments do not restrict. O(open orders of the account).
        """
        owner = self.accounts.get(account)
        found: list[OrderState] = []
        for order in owner.orders.values() if owner is not None else ():
            if (
                order.order_id > after_order_id
                and instrument in (0, order.instrument)
                and order_id in (0, order.order_id)
                and client_order_id in ("", order.client_order_id)
            ):
                if len(found) == limit:
                    return found, True
                found.append(self._order_state(order))
        return found, False

    def _order_state(self, order: Order) -> OrderState:
        filled_lots = order.quantity_lots - order.open_lots
        return OrderState(
            self.books[order.instrument].instrument.symbol,
            order.order_id,
            order.client_order_id,
            order.side,
            order.price_ticks,
            order.quantity_lots,
            filled_lots,
            order.open_lots,
            order.status,
            order.time_ns,
        )


def _run_quote_market(
    order: Order, book: OrderBook, quote_amount: int, seq: int, events: list[Event]
) -> None:
    """Spend `quote_amount` as far as it goes and append the terminal event."""
    left = book.match_quote(order, quote_amount, seq, events)
    other = book.asks if order.side == _BUY else book.bids
    if left and not other.keys:
        events.append(_expired(order, seq, RejectReason.INSUFFICIENT_LIQUIDITY, left))
        return
    events.append(
        OrderCompleted(
            seq,
            order.account.account_id,
            order.instrument,
            order.order_id,
            order.side,
            order.quantity_lots,
            left,
            order.client_order_id,
        )
    )


def _unknown_order(command: CancelOrder | AmendOrder) -> Fault:
    return (RejectReason.UNKNOWN_ORDER, "order_id" if command.order_id else "client_order_id")


def _rejected(command: Command, seq: int, fault: Fault) -> CommandRejected:
    return CommandRejected(
        seq,
        command.gateway,
        command.request,
        command.account,
        command.instrument,
        fault[0],
        fault[1],
        "" if isinstance(command, MassCancelOrders) else command.client_order_id,
    )


def _repeated(command: NewOrder, earlier: Order, seq: int) -> OrderRepeated:
    return OrderRepeated(
        seq,
        command.gateway,
        command.request,
        command.account,
        command.instrument,
        earlier.order_id,
        earlier.status,
        earlier.quantity_lots - earlier.open_lots,
        0 if earlier.ended_as else earlier.open_lots,
        earlier.client_order_id,
    )


def _canceled(order: Order, seq: int, gateway: int, request: int) -> OrderCanceled:
    return OrderCanceled(
        seq,
        gateway,
        request,
        order.account.account_id,
        order.instrument,
        order.order_id,
        order.side,
        order.price_ticks,
        order.open_lots,
        order.quantity_lots - order.open_lots,
        order.client_order_id,
    )


def _expired(order: Order, seq: int, reason: RejectReason, quote_left: int = 0) -> OrderExpired:
    """The end of what an order could not fill; the order ends."""
    order.ended_as = _EXPIRED
    return OrderExpired(
        seq,
        order.account.account_id,
        order.instrument,
        order.order_id,
        order.side,
        order.price_ticks,
        order.open_lots,
        order.quantity_lots - order.open_lots,
        reason,
        order.client_order_id,
        quote_left,
    )


def _amended(order: Order, seq: int, command: AmendOrder, kept_priority: bool) -> OrderAmended:
    return OrderAmended(
        seq,
        command.gateway,
        command.request,
        command.account,
        order.instrument,
        order.order_id,
        order.side,
        order.price_ticks,
        order.quantity_lots,
        order.quantity_lots - order.open_lots,
        order.open_lots,
        kept_priority,
        order.client_order_id,
    )


def _resting(side: BookSide) -> list[RestingOrder]:
    return [
        RestingOrder(order.order_id, order.price_ticks, order.open_lots) for order in side.orders()
    ]
