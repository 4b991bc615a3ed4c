"""What must hold after every command (RULES "Core" 6), checked the slow and obvious way."""

from itertools import pairwise

from matcher.book import BookSide, OrderBook
from matcher.engine import Engine
from matcher.order import Order


def check(engine: Engine) -> None:
    """Raise `AssertionError` naming the first broken invariant. O(open orders)."""
    resting: dict[int, Order] = {}
    for book in engine.books.values():
        _check_book(book, resting)
    indexed = 0
    for account_id, account in engine.accounts.items():
        assert account.account_id == account_id, f"account {account_id} is filed wrongly"
        for order_id, order in account.orders.items():
            assert order.order_id == order_id, f"order {order_id} is filed wrongly"
            assert order.account is account, f"order {order_id} has another owner"
            assert resting.get(order_id) is order, f"order {order_id} is open but not resting"
        named = {
            order.client_order_id: order
            for order in account.orders.values()
            if order.client_order_id
        }
        assert named == account.by_client_order_id, f"client order ids of {account_id} are wrong"
        assert list(account.orders) == sorted(account.orders), f"orders of {account_id} unsorted"
        indexed += len(account.orders)
    for entry in engine.retries.entries():
        order = entry.order
        if order.level is not None:
            place = f"remembered order {order.order_id}"
            assert resting.get(order.order_id) is order, f"{place} is not the one that rests"
    assert indexed == len(resting), f"{len(resting)} orders rest but {indexed} are indexed"


def _check_book(book: OrderBook, resting: dict[int, Order]) -> None:
    for side in (book.bids, book.asks):
        _check_side(side, book, resting)
    if book.bids.keys and book.asks.keys:
        bid, ask = book.bids.keys[-1], -book.asks.keys[-1]
        assert bid < ask, f"book {book.instrument_id} is crossed: {bid} >= {ask}"


def _check_side(side: BookSide, book: OrderBook, resting: dict[int, Order]) -> None:
    keys = side.keys
    assert all(a < b for a, b in pairwise(keys)), "prices are out of order"
    assert set(keys) == set(side.levels), "price list and levels differ"
    for key in keys:
        level = side.levels[key]
        assert level.key == key, f"level {key} is filed under another key"
        assert level.side is side, f"level {key} is filed on the other side"
        assert level.head is not None, f"level {key} is empty"
        total = 0
        before: Order | None = None
        order: Order | None = level.head
        while order is not None:
            place = f"order {order.order_id} at level {key}"
            assert order.order_id not in resting, f"{place} rests twice"
            assert order.level is level, f"{place} thinks it is elsewhere"
            assert order.before is before, f"{place}: queue is broken"
            assert order.price_ticks * side.sign == key, f"{place}: wrong price"
            assert order.side == (1 if side.sign == 1 else 2), f"{place}: wrong side"
            assert order.instrument == book.instrument_id, f"{place}: wrong instrument"
            assert 0 < order.open_lots <= order.quantity_lots, f"{place}: bad quantity"
            resting[order.order_id] = order
            total += order.open_lots
            before, order = order, order.after
        assert level.tail is before, f"level {key}: tail is wrong"
        assert level.lots == total, f"level {key} says {level.lots} lots, its orders {total}"
