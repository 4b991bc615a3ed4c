"""The invariants after every command (RULES "Core" 6), checked in the slow and obvious way."""

from itertools import pairwise

from crossbook.common.rules import FEE_ACCOUNT
from crossbook.common.types import InstrumentState, Side
from crossbook.matcher.engine.book import OrderBook
from crossbook.matcher.engine.conditions import Waits
from crossbook.matcher.engine.order import NOTHING, BookSide, Order
from crossbook.matcher.engine.triggers import is_met
from crossbook.matcher.engine.unfinished import AT_ONCE
from crossbook.matcher.engine.venue import Venue


def check(venue: Venue) -> None:
    """Raise `AssertionError` naming the first broken invariant. O(open orders)."""
    open_orders: dict[int, Order] = {}
    for book in venue.books.values():
        _check_book(book, open_orders)
        _check_waiting(book, open_orders, venue.unfinished is not None)
    indexed = 0
    for account_id, account in venue.accounts.items():
        assert account.account_id == account_id, f"account {account_id} is filed wrongly"
        for order_id, order in account.orders.items():
            assert order.order_id == order_id, f"order {order_id} is filed wrongly"
            assert order.account is account, f"order {order_id} has another owner"
            assert open_orders.get(order_id) is order, f"order {order_id} is open but not resting"
        named = {
            order.client_order_id: order
            for order in account.orders.values()
            if order.client_order_id
        }
        assert named == account.by_client_order_id, f"client order ids of {account_id} are wrong"
        assert list(account.orders) == sorted(account.orders), f"orders of {account_id} unsorted"
        indexed += len(account.orders)
    for entry in venue.retries.entries():
        order = entry.order
        if order.queue is not None:
            place = f"remembered order {order.order_id}"
            assert open_orders.get(order.order_id) is order, f"{place} is not the one that rests"
    assert indexed == len(open_orders), f"{len(open_orders)} orders rest but {indexed} are indexed"
    _check_timers(venue, open_orders)
    _check_money(venue, open_orders)


def _check_book(book: OrderBook, resting: dict[int, Order]) -> None:
    for side in (book.bids, book.asks):
        _check_side(side, book, resting)
    if not _may_be_crossed(book):
        bid, ask = book.bids.best, -book.asks.best
        assert bid < ask, f"book {book.instrument_id} is crossed: {bid} >= {ask}"
    if book.uncrossing:
        assert _may_be_crossed(book), f"book {book.instrument_id} has market orders and trades"


def _may_be_crossed(book: OrderBook) -> bool:
    """Whether an instrument is in a call phase, or in a halt that interrupted one."""
    return book.state not in (InstrumentState.OPEN, InstrumentState.POST_ONLY)


def _check_side(side: BookSide, book: OrderBook, resting: dict[int, Order]) -> None:
    keys = side.keys
    assert all(a < b for a, b in pairwise(keys)), "prices are out of order"
    assert side.best == (keys[-1] if keys else NOTHING), "the best price is another"
    assert set(keys) == set(side.heads), "price list and queues differ"
    for key in keys:
        head = side.heads[key]
        before: Order | None = None
        order: Order | None = head
        behind = -1
        while order is not None:
            place = f"order {order.order_id} at key {key}"
            assert order.order_id not in resting, f"{place} rests twice"
            assert order.queue is side, f"{place} thinks it is elsewhere"
            assert order is head or order.before is before, f"{place}: queue is broken"
            assert order.price_ticks * side.sign == key, f"{place}: wrong price"
            assert order.side == (1 if side.sign == 1 else 2), f"{place}: wrong side"
            assert order.instrument == book.instrument_id, f"{place}: wrong instrument"
            assert 0 < order.remaining_lots <= order.quantity_lots, f"{place}: bad quantity"
            assert 0 < order.shown_lots <= order.remaining_lots, f"{place}: shows the wrong lots"
            conditions = order.conditions
            assert conditions is None or not conditions.waits, f"{place} waits"
            resting[order.order_id] = order
            behind += 1
            assert order is head or not order.behind, f"{place} counts orders, but is not first"
            before, order = order, order.after
        tail = None if before is head else before
        assert head.before is tail, f"key {key}: the first order does not know the last"
        assert head.behind == behind, f"key {key}: {behind} are behind, not {head.behind}"
        limit = book.max_level_orders
        assert behind < limit, f"key {key}: more orders than {limit}"


def _check_waiting(book: OrderBook, open_orders: dict[int, Order], unfinished: bool) -> None:
    waiting = list(book.triggers.orders()) if book.triggers is not None else []
    for order in waiting:
        conditions = order.conditions
        place = f"waiting order {order.order_id}"
        assert conditions is not None, f"{place} waits for nothing"
        assert conditions.waits == Waits.TRIGGER, f"{place} does not know that it waits"
        kind, trigger_ticks = conditions.order_type, conditions.trigger_ticks
        met = is_met(order.side, kind, trigger_ticks, book.last_price_ticks) and not unfinished
        assert not met or book.state != InstrumentState.OPEN, f"{place} should have been elected"
    for order_id, order in book.uncrossing.items():
        place = f"market order {order_id}"
        assert order.order_id == order_id, f"{place} is filed wrongly"
        assert order.conditions is not None, f"{place} waits for nothing"
        assert order.conditions.waits == Waits.UNCROSS, f"{place} does not know that it waits"
    for order in (*waiting, *book.uncrossing.values()):
        assert order.order_id not in open_orders, f"order {order.order_id} is in two places"
        assert order.queue is None, f"order {order.order_id} waits and rests"
        assert 0 < order.remaining_lots <= order.quantity_lots, (
            f"order {order.order_id}: bad quantity"
        )
        open_orders[order.order_id] = order


def _check_timers(venue: Venue, open_orders: dict[int, Order]) -> None:
    expected = [
        (order.conditions.expire_ns, order.order_id)
        for order in open_orders.values()
        if order.conditions is not None and order.conditions.expire_ns
    ]
    expected += [each.deadline for each in venue.accounts.values() if each.deadline is not None]
    expected += [book.until for book in venue.books.values() if book.until is not None]
    if venue.unfinished is not None:
        expected.append((AT_ONCE, venue.unfinished.number))
    assert venue.timers.keys() == sorted(expected), "timers are not those of what is open"


def _check_money(venue: Venue, open_orders: dict[int, Order]) -> None:
    """Assert that every asset adds up to the money paid in, and that holds are those of the open
    orders."""
    ledger = venue.ledger
    held: dict[tuple[int, str], int] = {}
    for order in open_orders.values():
        instrument = venue.books[order.instrument].instrument
        asset = instrument.quote if order.side == Side.BUY else instrument.base
        owner = (order.account.account_id, asset)
        assert ledger is not None or not order.hold_unit, f"order {order.order_id} holds money"
        held[owner] = held.get(owner, 0) + order.remaining_lots * order.hold_unit
    if ledger is None:
        return
    sums: dict[str, int] = {}
    for number, account in venue.accounts.items():
        for asset, total in account.total.items():
            sums[asset] = sums.get(asset, 0) + total
            assert total >= 0 or number == FEE_ACCOUNT, f"account {number} owes {asset}"
        for asset, amount in account.held.items():
            assert amount == held.pop((number, asset), 0), f"{asset} held of {number} is wrong"
            free = account.total.get(asset, 0) - amount
            assert free >= 0 or number == FEE_ACCOUNT, f"account {number} holds more {asset}"
    assert not any(held.values()), f"holds without a trace: {held}"
    for asset in {*sums, *ledger.supply}:
        paid_in = ledger.supply.get(asset, 0)
        assert sums.get(asset, 0) == paid_in, (
            f"{asset}: accounts have {sums.get(asset)} of {paid_in}"
        )
