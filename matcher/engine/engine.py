"""The state machine of the venue: `Engine.apply(command)` gives events, and nothing else.

No sockets, files, clocks or randomness: the same commands at the same times give the same events
byte for byte, on any machine. Everything is validated before anything changes, so a refused
command needs no rollback. Rules: docs/guide/orders.md.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

from crossbook.common.instruments import Instrument
from crossbook.common.messages.commands import (
    AddInstrument,
    AdjustBalance,
    AdvanceTime,
    AmendOrder,
    CancelOrder,
    Command,
    MassCancelOrders,
    NewOrder,
    SetCancelAfter,
    SetFees,
    SetInstrumentState,
    Uncross,
)
from crossbook.common.messages.entry import OrderState
from crossbook.common.messages.events import (
    AccountOpened,
    Event,
    OrderAccepted,
    OrderCanceled,
    OrderCompleted,
    OrdersMassCanceled,
    TimeAdvanced,
)
from crossbook.common.messages.matcher_queries import BookState
from crossbook.common.rules import EDITION, Rules
from crossbook.common.types import (
    MAX_INT,
    InstrumentState,
    OrderStatus,
    OrderType,
    RejectReason,
    Side,
    TimeInForce,
)
from crossbook.matcher.engine import administration, queries
from crossbook.matcher.engine.accounts import Ledger
from crossbook.matcher.engine.amendment import amend, amend_plain
from crossbook.matcher.engine.answers import (
    Fault,
    canceled,
    expired,
    rejected,
    repeated,
    unknown_order,
)
from crossbook.matcher.engine.book import OrderBook
from crossbook.matcher.engine.dedupe import RetryWindow, is_next_request, retry_limits
from crossbook.matcher.engine.dry_run import is_fillable
from crossbook.matcher.engine.election import elect
from crossbook.matcher.engine.funds import fault_of_means
from crossbook.matcher.engine.order import Account, Order
from crossbook.matcher.engine.special import Special, Waits
from crossbook.matcher.engine.special_terms import as_accepted, special_terms
from crossbook.matcher.engine.terms import MODES, PLAIN_TIMES, SIDES, terms_fault
from crossbook.matcher.engine.timers import Timers

_BUY: Final = int(Side.BUY)
_SELL: Final = int(Side.SELL)
_LIMIT: Final = int(OrderType.LIMIT)
_GTC: Final = int(TimeInForce.GTC)
_IOC: Final = int(TimeInForce.IOC)
_FOK: Final = int(TimeInForce.FOK)
_OPEN: Final = int(InstrumentState.OPEN)

_CANCELED: Final = int(OrderStatus.CANCELED)
_EXPIRED: Final = int(OrderStatus.EXPIRED)


class Engine:
    """All books, all open orders, and the number of the last command applied.

    >>> from crossbook.common.instruments import example
    >>> engine = Engine([example()])
    >>> engine.apply(NewOrder(0, 0, 7, 1, Side.SELL, 1, 1, 5000000, 300, "a"))
    [OrderAccepted(seq=1, gateway=0, request_seq=0, account=7, instrument=1, side=<Side.SELL: 2>, \
order_type=1, time_in_force=1, price_ticks=5000000, quantity_lots=300, client_order_id='a', \
quote_amount=0, prevention=0, instructions=None)]
    """

    def __init__(
        self,
        instruments: Iterable[Instrument],
        rules: Rules | None = None,
        edition: int = EDITION,
    ) -> None:
        self.books: dict[int, OrderBook] = {}
        self.accounts: dict[int, Account] = {}
        self.seq = 0
        self.last_request: dict[int, int] = {}
        self.retries = RetryWindow(*retry_limits(edition))
        self.transfers: dict[str, None] = {}
        self.timers = Timers()
        self.ledger: Ledger | None = None
        self.rules = Rules()
        self.edition = edition
        self.configured: dict[int, Instrument] = {}
        self.is_bounded = False
        self._appliers: dict[type, Callable[[Any, int, int], list[Event]]] = {
            MassCancelOrders: self._mass_cancel,
            SetCancelAfter: self._cancel_after,
            AdvanceTime: self._advance_time,
            AddInstrument: self._administer(administration.add_instrument),
            SetInstrumentState: self._administer(administration.set_state),
            Uncross: self._administer(administration.uncross),
            SetFees: self._administer(administration.set_fees),
            AdjustBalance: self._administer(administration.adjust_balance),
        }
        self.configure(instruments, rules, edition)

    def configure(
        self,
        instruments: Iterable[Instrument],
        rules: Rules | None = None,
        edition: int = EDITION,
    ) -> None:
        """Trade these instruments under these rules (None: those there are) from now on, by this
        edition of the market's rules.

        New instruments are added. Known ones change limits and fees where this configuration says
        other than the last one did; what was changed or added since by an administrator stays.

        Raises `ConfigError`, before anything changes, when an instrument of the last
        configuration is missing or would change its grid: the ticks and lots of its orders would
        mean something else. Likewise when the grid of a new one is finer than its money, or when
        accounts would begin or end while orders are open.
        """
        administration.configure(self, list(instruments), rules, edition)

    @property
    def instruments(self) -> list[Instrument]:
        """What is traded, in the order of configuration."""
        return [book.instrument for book in self.books.values()]

    def apply(self, command: Command, time_ns: int = 0) -> list[Event]:
        """Apply one command as number `seq + 1` and return its events, the answer first.

        What is due by `time_ns` happens before, as a number of its own. A command that is not the
        next one of its gateway takes no number and does nothing: it was applied before, or others
        before it are missing and will be sent again. Gateway zero is exempt.
        """
        if time_ns >= self.timers.due_ns:
            return administration.advance(self, time_ns) + self.apply(command, time_ns)
        gateway = command.gateway
        if gateway:
            request = command.request_seq
            last = self.last_request.get(gateway, 0)
            if gateway < 0 or (request != last + 1 and not is_next_request(last, request)):
                return []
            self.last_request[gateway] = request
        self.seq = seq = self.seq + 1
        if type(command) is NewOrder:
            return self._new_order(command, seq, time_ns)
        if type(command) is CancelOrder:
            return self._cancel_order(command, seq)
        if type(command) is AmendOrder:
            return self._amend_order(command, seq)
        return self._appliers[type(command)](command, seq, time_ns)

    def _administer(
        self, action: Callable[["Engine", Any, int], list[Event]]
    ) -> Callable[[Any, int, int], list[Event]]:
        return lambda command, seq, time_ns: action(self, command, seq)

    def _new_order(self, command: NewOrder, seq: int, time_ns: int) -> list[Event]:
        instrument = command.instrument
        book = self.books.get(instrument)
        if book is None:
            return [rejected(command, seq, (RejectReason.UNKNOWN_SYMBOL, "instrument"))]
        client_order_id = command.client_order_id
        if client_order_id:
            earlier = self.retries.find(command, time_ns)
            if earlier is not None:
                return [_not_new(command, earlier, seq)]
        instructions = command.instructions
        special: Special | None = None
        fault: Fault | None
        side, order_type = command.side, command.order_type
        time_in_force, prevention = command.time_in_force, command.prevention
        price_ticks, lots = command.price_ticks, command.quantity_lots
        quote_amount = command.quote_amount
        if (
            instructions is None
            and order_type == _LIMIT
            and book.state == _OPEN
            and side in SIDES
            and time_in_force in PLAIN_TIMES
            and prevention in MODES
            and not quote_amount
        ):
            fault = terms_fault(book, price_ticks, lots)
        else:
            fault, special = special_terms(command, book, time_ns)
        if fault is not None:
            return [rejected(command, seq, fault)]
        account_id = command.account
        account = self.accounts.get(account_id)
        if account is None:
            account = self.accounts[account_id] = Account(account_id)
        elif client_order_id and client_order_id in account.by_client_order_id:
            fault = (RejectReason.DUPLICATE_CLIENT_ORDER_ID, "client_order_id")
            return [rejected(command, seq, fault)]
        hold_unit = 0
        if self.is_bounded:
            fault, hold_unit = fault_of_means(self, command, book, account, special)
            if fault is not None:
                if not account.opened and account.is_blank:
                    del self.accounts[account_id]
                return [rejected(command, seq, fault)]
        events: list[Event] = [
            OrderAccepted(
                seq, command.gateway, command.request_seq, account_id, instrument, side, order_type,
                time_in_force, price_ticks, lots, client_order_id, quote_amount, prevention,
                instructions if special is None else as_accepted(command, special),
            )
        ]  # fmt: skip
        order = Order(
            seq, account, instrument, side, price_ticks, lots, lots, client_order_id, time_ns,
            prevention, hold_unit, special,
        )  # fmt: skip
        if client_order_id:
            self.retries.add(command, order)
        if self.is_bounded:
            self._fund(order, book, time_in_force, events)
        if special is not None and special.waits:
            self._wait(order, book, special, seq)
        elif order_type == _LIMIT:
            if self.enter_limit(order, book, time_in_force, seq, events):
                account.orders[seq] = order
                if client_order_id:
                    account.by_client_order_id[client_order_id] = order
        elif quote_amount:
            _run_quote_market(order, book, quote_amount, seq, events)
        else:
            self.enter_market(order, book, seq, events)
        if book.triggers is not None:
            elect(self, book, seq, events)
        return events

    def _fund(self, order: Order, book: OrderBook, time_in_force: int, events: list[Event]) -> None:
        """Open the account if it is new, and hold what the order may need.

        An order that will be killed changes nothing: it does not open its account either.
        """
        ledger = self.ledger
        if ledger is None:
            return
        account = order.account
        if not account.opened:
            waits = order.special is not None and order.special.waits
            if time_in_force == _FOK and not waits and not self._will_fill(order, book):
                order.hold_unit = 0
                return
            given = ledger.open(account)
            events.append(AccountOpened(order.order_id, account.account_id, given))
        if order.hold_unit:
            ledger.hold(order, book, order.remaining_lots)

    def _will_fill(self, order: Order, book: OrderBook) -> bool:
        limit = -order.price_ticks if order.side == _BUY else order.price_ticks
        return is_fillable(book, order, book.reach(order.side, limit))

    def _wait(self, order: Order, book: OrderBook, special: Special, seq: int) -> None:
        """Let an accepted order wait for its trigger, or for the end of the call phase."""
        order.account.add(order)
        if special.expire_ns:
            self.timers.add(special.expire_ns, seq, order)
        if special.waits == Waits.TRIGGER:
            book.wait(order)
        else:
            book.uncrossing[seq] = order

    def enter_limit(
        self, order: Order, book: OrderBook, time_in_force: int, seq: int, events: list[Event]
    ) -> bool:
        """Match an incoming limit order; what is left rests or expires. Whether it rests.

        In a call phase and where only resting orders are taken nothing is matched.
        """
        price_ticks = order.price_ticks
        if order.side == _BUY:
            own, other, limit = book.bids, book.asks, -price_ticks
        else:
            own, other, limit = book.asks, book.bids, price_ticks
        if other.best >= limit and book.state == _OPEN:
            bound = limit
            if book.banded:
                bound = book.reach(order.side, limit)
            if time_in_force == _FOK and not is_fillable(book, order, bound):
                self.expire(order, book, seq, RejectReason.FILL_OR_KILL, events)
                return False
            book.match(order, bound, seq, events)
            if not order.remaining_lots or order.ended_as:
                if order.order_id != seq and not order.ended_as:
                    book.end_filled(order)
                return False
            if bound != limit and other.best >= limit:
                self.expire(order, book, seq, RejectReason.PRICE_BAND, events)
                return False
        if time_in_force == _GTC and order.special is None:
            own.add(order)
            return True
        if time_in_force == _IOC:
            self.expire(order, book, seq, RejectReason.IMMEDIATE_OR_CANCEL, events)
            return False
        if time_in_force == _FOK:
            self.expire(order, book, seq, RejectReason.FILL_OR_KILL, events)
            return False
        book.rest(order)
        return True

    def enter_market(self, order: Order, book: OrderBook, seq: int, events: list[Event]) -> None:
        """Match an incoming market order; what is left expires."""
        bound = limit = -MAX_INT if order.side == _BUY else 0
        if book.banded:
            bound = book.reach(order.side, limit)
        book.match(order, bound, seq, events)
        if order.ended_as:
            return
        if order.remaining_lots:
            self.expire(order, book, seq, _why_unfilled(book, order.side), events)
        elif order.order_id != seq:
            book.end_filled(order)

    def expire(
        self, order: Order, book: OrderBook, seq: int, reason: RejectReason, events: list[Event]
    ) -> None:
        """What is left of the order is gone."""
        resting = book.end(order, _EXPIRED)
        events.append(expired(order, seq, reason, resting=resting))

    def _cancel_order(self, command: CancelOrder, seq: int) -> list[Event]:
        # What `_find` does, written out: cancels are as many as orders.
        account_id = command.account
        account = self.accounts.get(account_id)
        order = None
        if account is not None:
            order_id = command.order_id
            if order_id:
                order = account.orders.get(order_id)
            else:
                order = account.by_client_order_id.get(command.client_order_id)
        if account is None or order is None or order.instrument != command.instrument:
            return [rejected(command, seq, unknown_order(command))]
        queue = order.queue
        if queue is None or order.special is not None:
            resting = self.books[order.instrument].end(order, _CANCELED)
            return [canceled(order, seq, command.gateway, command.request_seq, resting)]
        queue.remove(order)
        del account.orders[order.order_id]
        client_order_id = order.client_order_id
        if client_order_id:
            del account.by_client_order_id[client_order_id]
            order.ended_as = _CANCELED
        remaining_lots = order.remaining_lots
        if order.hold_unit and self.ledger is not None:
            self.ledger.hold(order, self.books[order.instrument], -remaining_lots)
        return [
            OrderCanceled(
                seq, command.gateway, command.request_seq, account_id, order.instrument,
                order.order_id, order.side, order.price_ticks, remaining_lots,
                order.quantity_lots - remaining_lots, client_order_id,
            )
        ]  # fmt: skip

    def _amend_order(self, command: AmendOrder, seq: int) -> list[Event]:
        order = self._find(command)
        if order is None:
            return [rejected(command, seq, unknown_order(command))]
        book = self.books[order.instrument]
        if order.special is None and not order.hold_unit and book.state == _OPEN:
            return amend_plain(self, order, book, command, seq)
        return amend(self, order, book, command, seq)

    def _find(self, command: AmendOrder) -> Order | None:
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

    def _mass_cancel(self, command: MassCancelOrders, seq: int, time_ns: int) -> list[Event]:
        instrument, side = command.instrument, command.side
        if instrument and instrument not in self.books:
            return [rejected(command, seq, (RejectReason.UNKNOWN_SYMBOL, "instrument"))]
        if side not in (0, _BUY, _SELL):
            return [rejected(command, seq, (RejectReason.UNSUPPORTED_COMBINATION, "side"))]
        doomed = [
            order
            for order in queries.orders_of(self, command.account)
            if instrument in (0, order.instrument) and side in (0, order.side)
        ]
        events: list[Event] = [
            OrdersMassCanceled(
                seq,
                command.gateway,
                command.request_seq,
                command.account,
                instrument,
                command.side,
                len(doomed),
            )
        ]
        self.cancel_all(doomed, seq, command.reason, events)
        return events

    def cancel_all(
        self, orders: Iterable[Order], seq: int, reason: int, events: list[Event]
    ) -> None:
        """Cancel these open orders, for a standing request if `reason` says which."""
        for order in orders:
            resting = self.books[order.instrument].end(order, _CANCELED)
            events.append(canceled(order, seq, 0, 0, resting, reason))

    def _advance_time(self, command: AdvanceTime, seq: int, time_ns: int) -> list[Event]:
        """Somebody else than the matcher said what time it is: it is told, and nothing is due."""
        return [TimeAdvanced(seq, time_ns)]

    def _cancel_after(self, command: SetCancelAfter, seq: int, time_ns: int) -> list[Event]:
        return administration.cancel_after(self, command, seq, time_ns)

    @property
    def next_due_ns(self) -> int:
        """When something will happen by itself; later than any time if nothing will."""
        return self.timers.due_ns

    def book_state(self, instrument: int) -> BookState:
        """One instrument's resting orders in priority order. O(orders)."""
        return queries.book_state(self.books[instrument])

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

        Zero and empty arguments do not restrict. O(open orders of the account), O(1) for one that
        is named.
        """
        return queries.open_orders(
            self, account, instrument, order_id, client_order_id, after_order_id, limit
        )


def _not_new(command: NewOrder, earlier: Order | Fault, seq: int) -> Event:
    """The answer to an order that is remembered, or that cannot be."""
    if isinstance(earlier, Order):
        return repeated(command, earlier, seq)
    return rejected(command, seq, earlier)


def _why_unfilled(book: OrderBook, side: int) -> RejectReason:
    """Why a market order was not filled: nothing is there, or only behind the price band."""
    if (book.asks if side == _BUY else book.bids).keys:
        return RejectReason.PRICE_BAND
    return RejectReason.INSUFFICIENT_LIQUIDITY


def _run_quote_market(
    order: Order, book: OrderBook, quote_amount: int, seq: int, events: list[Event]
) -> None:
    """Spend `quote_amount` as far as it goes and append the terminal event."""
    bound = -MAX_INT if order.side == _BUY else 0
    if book.banded:
        bound = book.reach(order.side, bound)
    left = book.match_quote(order, quote_amount, bound, seq, events)
    if order.ended_as:
        return
    if left and (book.asks if order.side == _BUY else book.bids).best < bound:
        order.ended_as = _EXPIRED
        events.append(expired(order, seq, _why_unfilled(book, order.side), left))
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
