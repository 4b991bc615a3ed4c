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
from crossbook.matcher.engine.conditions import OrderConditions, Waits
from crossbook.matcher.engine.dry_run import cost, lots_for
from crossbook.matcher.engine.ledger import Ledger
from crossbook.matcher.engine.order import Account, Order
from crossbook.matcher.engine.terms import room_fault
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
    if venue.is_limited:
        # Written out: few orders come near a limit, and each one pays for this look.
        price_ticks = command.price_ticks
        level = (
            book.bids.heads.get(price_ticks)
            if command.side == _BUY
            else book.asks.heads.get(-price_ticks)
        )
        if (
            len(account.orders) >= venue.max_open_orders
            or (level is not None and level.behind + 1 >= book.max_level_orders)
            or book.uncrossing
        ):
            fault = _room_fault(venue, command, book, account, conditions)
            if fault is not None:
                return fault, 0
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
        has = ledger.available(account, instrument.quote)
        bound = market_bound(book, side)
        need = cost(book, account, side, command.prevention, lots, bound, has)
        unit = 0
    return ledger.shortage(account, instrument.quote, need, "quantity"), unit


def can_pay(ledger: Ledger, book: OrderBook, order: Order) -> bool:
    """Whether a market order that waited can pay for what it will trade now."""
    if order.side != _BUY:
        return True
    lots = order.remaining_lots
    has = ledger.available(order.account, book.instrument.quote) + lots * order.hold_unit
    bound = market_bound(book, _BUY)
    return cost(book, order.account, _BUY, order.prevention, lots, bound, has) <= has


def short_buyers(ledger: Ledger | None, book: OrderBook, price_ticks: int) -> list[Order]:
    """The market orders of a call phase that cannot pay this price, those before them paid.
    O(market orders).

    Under the earlier editions at most the first one: the price was found anew after each.
    """
    if ledger is None:
        return []
    spent: dict[int, int] = {}
    short: list[Order] = []
    for order in book.uncrossing.values():
        if order.side == _BUY:
            account = order.account.account_id
            more = order.remaining_lots * (
                price_ticks * book.notional_per_tick_lot - order.hold_unit
            )
            needs = spent.get(account, 0) + more
            if needs <= ledger.available(order.account, book.instrument.quote):
                spent[account] = needs
                continue
            short.append(order)
            spent[account] = needs - more - order.remaining_lots * order.hold_unit
            if book.edition < 3:
                break
    return short


def market_bound(book: OrderBook, side: int) -> int:
    """The key down to which a market order may trade."""
    bound = -MAX_INT if side == _BUY else 0
    return book.reach(side, bound) if book.banded else bound


def _room_fault(
    venue: Venue,
    command: NewOrder,
    book: OrderBook,
    account: Account,
    conditions: OrderConditions | None,
) -> Fault | None:
    """Why there is no room for the order should it stay open, or None."""
    if not _may_stay(command, conditions):
        return None
    if len(account.orders) >= venue.max_open_orders:
        return (RejectReason.EXCEEDS_LIMIT, "account")
    if conditions is None or not conditions.waits:
        return room_fault(book, command.side, command.price_ticks)
    if conditions.waits == Waits.UNCROSS and len(book.uncrossing) >= book.max_level_orders:
        # The market orders of a call phase stand at one price too.
        return (RejectReason.LEVEL_FULL, "instrument")
    return None


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
