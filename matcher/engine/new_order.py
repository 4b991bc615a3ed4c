"""A new order: repeats are answered, terms and money are checked, then it waits or runs."""

from typing import Final

from crossbook.common.messages.commands import NewOrder
from crossbook.common.messages.events import AccountOpened, Event, OrderAccepted
from crossbook.common.types import InstrumentState, OrderType, RejectReason, Side, TimeInForce
from crossbook.matcher.engine.answers import Fault, rejected, repeated
from crossbook.matcher.engine.book import OrderBook
from crossbook.matcher.engine.conditions import OrderConditions, Waits
from crossbook.matcher.engine.dry_run import is_fillable
from crossbook.matcher.engine.election import elect
from crossbook.matcher.engine.funds import entry_fault
from crossbook.matcher.engine.matching import enter_limit, enter_market, enter_quote_market
from crossbook.matcher.engine.order import Account, Order
from crossbook.matcher.engine.terms import (
    MODES,
    PLAIN_TIMES,
    SIDES,
    as_accepted,
    conditions_of,
    terms_fault,
)
from crossbook.matcher.engine.venue import Venue

_BUY: Final = int(Side.BUY)
_LIMIT: Final = int(OrderType.LIMIT)
_FOK: Final = int(TimeInForce.FOK)
_OPEN: Final = int(InstrumentState.OPEN)


def new_order(venue: Venue, command: NewOrder, seq: int, time_ns: int) -> list[Event]:
    """Accept an order and run it, or refuse it."""
    instrument = command.instrument
    book = venue.books.get(instrument)
    if book is None:
        return [rejected(command, seq, (RejectReason.UNKNOWN_SYMBOL, "instrument"))]
    client_order_id = command.client_order_id
    if client_order_id:
        earlier = venue.retries.find(command, time_ns)
        if earlier is not None:
            return [_not_new(command, earlier, seq)]
    instructions = command.instructions
    conditions: OrderConditions | None = None
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
        fault, conditions = conditions_of(command, book, time_ns)
    if fault is not None:
        return [rejected(command, seq, fault)]
    account_id = command.account
    account = venue.accounts.get(account_id)
    if account is None:
        account = venue.accounts[account_id] = Account(account_id)
    elif client_order_id and client_order_id in account.by_client_order_id:
        fault = (RejectReason.DUPLICATE_CLIENT_ORDER_ID, "client_order_id")
        return [rejected(command, seq, fault)]
    hold_unit = 0
    if venue.is_bounded:
        fault, hold_unit = entry_fault(venue, command, book, account, conditions)
        if fault is not None:
            if not account.opened and account.is_blank:
                del venue.accounts[account_id]
            return [rejected(command, seq, fault)]
    events: list[Event] = [
        OrderAccepted(
            seq, command.gateway, command.request_seq, account_id, instrument, side, order_type,
            time_in_force, price_ticks, lots, client_order_id, quote_amount, prevention,
            instructions if conditions is None else as_accepted(command, conditions),
        )
    ]  # fmt: skip
    order = Order(
        seq, account, instrument, side, price_ticks, lots, lots, client_order_id, time_ns,
        prevention, hold_unit, conditions,
    )  # fmt: skip
    if client_order_id:
        venue.retries.add(command, order)
    if venue.is_bounded:
        _fund(venue, book, order, time_in_force, events)
    if conditions is not None and conditions.waits:
        _wait(venue, book, order, conditions, seq)
    elif order_type == _LIMIT:
        if enter_limit(book, order, time_in_force, seq, events):
            account.orders[seq] = order
            if client_order_id:
                account.by_client_order_id[client_order_id] = order
    elif quote_amount:
        enter_quote_market(book, order, quote_amount, seq, events)
    else:
        enter_market(book, order, seq, events)
    if book.triggers is not None:
        elect(book, seq, events)
    return events


def _not_new(command: NewOrder, earlier: Order | Fault, seq: int) -> Event:
    """The answer to a repeat of a remembered order, or to an order that cannot be remembered."""
    if isinstance(earlier, Order):
        return repeated(command, earlier, seq)
    return rejected(command, seq, earlier)


def _fund(
    venue: Venue, book: OrderBook, order: Order, time_in_force: int, events: list[Event]
) -> None:
    """Open the account if it is new, and hold what the order may need.

    An order that will be killed changes nothing: it does not open its account either.
    """
    ledger = venue.ledger
    if ledger is None:
        return
    account = order.account
    if not account.opened:
        waits = order.conditions is not None and order.conditions.waits
        if time_in_force == _FOK and not waits and not _will_fill(book, order):
            order.hold_unit = 0
            return
        given = ledger.open(account)
        events.append(AccountOpened(order.order_id, account.account_id, given))
    if order.hold_unit:
        ledger.hold(order, book.instrument, order.remaining_lots)


def _will_fill(book: OrderBook, order: Order) -> bool:
    limit = -order.price_ticks if order.side == _BUY else order.price_ticks
    return is_fillable(book, order, book.reach(order.side, limit))


def _wait(
    venue: Venue, book: OrderBook, order: Order, conditions: OrderConditions, seq: int
) -> None:
    """Let an accepted order wait for its trigger, or for the end of the call phase."""
    order.account.add(order)
    if conditions.expire_ns:
        venue.timers.add(conditions.expire_ns, seq, order)
    if conditions.waits == Waits.TRIGGER:
        book.wait(order)
    else:
        book.uncrossing[seq] = order
