"""Reading the engine's state: books, open orders, balances."""

from collections.abc import Iterable

from crossbook.common.keys import without_secret
from crossbook.common.messages.admin import (
    AdminInspect,
    AdminKeys,
    AdminListKeys,
    AdminView,
    InstrumentStatus,
)
from crossbook.common.messages.entry import Balance, OrderState
from crossbook.common.messages.matcher_queries import BookState, RestingOrder
from crossbook.common.types import OrderType, Side, TimeInForce
from crossbook.matcher.engine.book import OrderBook
from crossbook.matcher.engine.keys import keys_page
from crossbook.matcher.engine.order import Account, BookSide, Order
from crossbook.matcher.engine.venue import Venue


def book_state(book: OrderBook) -> BookState:
    """Resting orders in priority order, last trade, state, and what waits for an uncross."""
    return BookState(
        book.instrument_id,
        _resting(book.bids),
        _resting(book.asks),
        book.last_trade_id,
        book.last_price_ticks,
        book.state,
        book.until[0] if book.until is not None else 0,
        _uncrossing(book, Side.BUY),
        _uncrossing(book, Side.SELL),
    )


def order_state(order: Order, symbol: str) -> OrderState:
    """An open order as its owner sees it."""
    conditions = order.conditions
    kind, time_in_force = int(OrderType.LIMIT), int(TimeInForce.GTC)
    trigger_ticks = display_lots = expire_ns = 0
    post_only, working = False, True
    if conditions is not None:
        kind, time_in_force = conditions.order_type, conditions.time_in_force
        trigger_ticks, display_lots = conditions.trigger_ticks, conditions.display_lots
        expire_ns, post_only = conditions.expire_ns, conditions.post_only
        working = not conditions.waits
    return OrderState(
        symbol,
        order.order_id,
        order.client_order_id,
        order.side,
        order.price_ticks,
        order.quantity_lots,
        order.quantity_lots - order.remaining_lots,
        order.remaining_lots,
        order.status,
        order.time_ns,
        kind,
        time_in_force,
        trigger_ticks,
        display_lots,
        expire_ns,
        post_only,
        order.prevention,
        working,
    )


def open_orders(
    venue: Venue,
    account: int,
    instrument: int,
    order_id: int,
    client_order_id: str,
    after_order_id: int,
    limit: int,
) -> tuple[list[OrderState], bool]:
    """See `Engine.open_orders`."""
    found: list[OrderState] = []
    for order in _named(venue.accounts.get(account), order_id, client_order_id):
        if (
            order.order_id > after_order_id
            and instrument in (0, order.instrument)
            and order_id in (0, order.order_id)
            and client_order_id in ("", order.client_order_id)
        ):
            if len(found) == limit:
                return found, True
            symbol = venue.books[order.instrument].instrument.symbol
            found.append(order_state(order, symbol))
    return found, False


def _named(owner: Account | None, order_id: int, client_order_id: str) -> Iterable[Order]:
    """The account's open orders that can have these ids, oldest first; without one all of them."""
    if owner is None:
        return ()
    if not order_id and not client_order_id:
        return owner.orders.values()
    order = (
        owner.orders.get(order_id) if order_id else owner.by_client_order_id.get(client_order_id)
    )
    return () if order is None else (order,)


def balances(venue: Venue, account: int) -> list[Balance]:
    """The balances of an account by asset name; the opening balances, if it is new."""
    ledger = venue.ledger
    if ledger is None:
        return []
    owner = venue.accounts.get(account) or Account(account)
    if not owner.opened:
        return [
            Balance(asset, ledger.available(owner, asset), 0)
            for asset, _ in sorted(ledger.rules.opening)
        ]
    return [
        Balance(asset, total, owner.held.get(asset, 0))
        for asset, total in sorted(owner.total.items())
    ]


def admin_view(venue: Venue, request: AdminInspect) -> AdminView:
    """Every instrument as it stands, and one account's money."""
    return AdminView(
        request.request_id,
        venue.seq,
        [
            InstrumentStatus(
                book.instrument,
                book.state,
                book.until[0] if book.until is not None else 0,
                book.last_price_ticks,
                book.last_trade_id,
            )
            for book in venue.books.values()
        ],
        balances(venue, request.account),
    )


def admin_keys(venue: Venue, request: AdminListKeys) -> AdminKeys:
    """API keys without their secrets. O(keys)."""
    found, more = keys_page(venue, request.after_key_id)
    return AdminKeys(request.request_id, venue.seq, [without_secret(key) for key in found], more)


def _uncrossing(book: OrderBook, side: int) -> list[RestingOrder]:
    waiting = book.uncrossing.values()
    return [
        RestingOrder(order.order_id, 0, order.remaining_lots)
        for order in waiting
        if order.side == side
    ]


def _resting(side: BookSide) -> list[RestingOrder]:
    return list(_rows(side.orders()))


def _rows(orders: Iterable[Order]) -> Iterable[RestingOrder]:
    for order in orders:
        shown = order.shown_lots
        conditions = order.conditions
        if conditions is None or not conditions.display_lots:
            yield RestingOrder(order.order_id, order.price_ticks, shown)
        else:
            hidden = order.remaining_lots - shown
            display_lots = conditions.display_lots
            yield RestingOrder(order.order_id, order.price_ticks, shown, display_lots, hidden)
