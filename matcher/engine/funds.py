"""Whether an account may have one more order: its number of open orders, and its money."""

from typing import Final

from crossbook.common.messages.commands import NewOrder
from crossbook.common.types import (
    MAX_INT,
    InstrumentState,
    OrderType,
    RejectReason,
    Side,
    TimeInForce,
)
from crossbook.matcher.engine.answers import Fault
from crossbook.matcher.engine.book import OrderBook
from crossbook.matcher.engine.conditions import OrderConditions
from crossbook.matcher.engine.dry_run import cost, lots_for
from crossbook.matcher.engine.ledger import Ledger
from crossbook.matcher.engine.order import Account, Order
from crossbook.matcher.engine.venue import Venue

_BUY: Final = int(Side.BUY)
_MARKET: Final = int(OrderType.MARKET)
_IMMEDIATE: Final = (int(TimeInForce.IOC), int(TimeInForce.FOK))
_AUCTION: Final = int(InstrumentState.AUCTION)


def entry_fault(
    venue: Venue,
    command: NewOrder,
    book: OrderBook,
    account: Account,
    conditions: OrderConditions | None,
) -> tuple[Fault | None, int]:
    """Why the account may not enter this order, or None; and what each lot of it will hold.

    Nothing changes. A market order is walked through the book to see what it will cost.
    """
    limit = venue.rules.max_open_orders
    if limit and len(account.orders) >= limit and _may_stay(command, conditions):
        return (RejectReason.EXCEEDS_LIMIT, "account"), 0
    ledger = venue.ledger
    if ledger is None:
        return None, 0
    instrument = book.instrument
    lots = command.quantity_lots
    side = command.side
    if command.quote_amount:
        return _quote_fault(ledger, command, book, account), 0
    if side != _BUY:
        unit = book.base_units_per_lot
        return ledger.shortage(account, instrument.base, lots * unit, "quantity"), unit
    price_ticks = command.price_ticks or _price_without_limit(book, conditions)
    unit = price_ticks * book.notional_per_tick_lot
    need = lots * unit
    if command.order_type == _MARKET and book.state != _AUCTION:
        need = cost(book, account, side, command.prevention, lots, market_bound(book, side))
        unit = 0
    return ledger.shortage(account, instrument.quote, need, "quantity"), unit


def can_pay(ledger: Ledger, book: OrderBook, order: Order) -> bool:
    """Whether a market order that waited can pay for what it will trade now."""
    if order.side != _BUY:
        return True
    need = cost(
        book, order.account, _BUY, order.prevention, order.remaining_lots, market_bound(book, _BUY)
    )
    has = ledger.available(order.account, book.instrument.quote)
    return need <= has + order.remaining_lots * order.hold_unit


def shortest_buyer(ledger: Ledger | None, book: OrderBook, price_ticks: int) -> Order | None:
    """The first market order of a call phase that cannot pay this price, those before it paid."""
    if ledger is None:
        return None
    spent: dict[int, int] = {}
    for order in book.uncrossing.values():
        if order.side == _BUY:
            account = order.account.account_id
            more = order.remaining_lots * (
                price_ticks * book.notional_per_tick_lot - order.hold_unit
            )
            spent[account] = spent.get(account, 0) + more
            if spent[account] > ledger.available(order.account, book.instrument.quote):
                return order
    return None


def market_bound(book: OrderBook, side: int) -> int:
    """The key down to which a market order may trade."""
    bound = -MAX_INT if side == _BUY else 0
    return book.reach(side, bound) if book.banded else bound


def _may_stay(command: NewOrder, conditions: OrderConditions | None) -> bool:
    """Whether the order may still be open once it has been run."""
    if conditions is not None and conditions.waits:
        return True
    return command.order_type != _MARKET and command.time_in_force not in _IMMEDIATE


def _price_without_limit(book: OrderBook, conditions: OrderConditions | None) -> int:
    """The price at which a buyer without a limit holds money: the trigger, else the last price."""
    if conditions is not None and conditions.trigger_ticks:
        return conditions.trigger_ticks
    return book.last_price_ticks


def _quote_fault(
    ledger: Ledger, command: NewOrder, book: OrderBook, account: Account
) -> Fault | None:
    amount, side = command.quote_amount, command.side
    if side == _BUY:
        return ledger.shortage(account, book.instrument.quote, amount, "quote_amount")
    lots = lots_for(book, account, side, command.prevention, amount, market_bound(book, side))
    need = lots * book.base_units_per_lot
    return ledger.shortage(account, book.instrument.base, need, "quote_amount")
