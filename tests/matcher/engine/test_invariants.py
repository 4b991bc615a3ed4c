"""Each invariant can fail: `check` names the one thing that is spoiled in a sound engine."""

from collections.abc import Callable

import pytest

from crossbook.matcher.engine.engine import Engine
from crossbook.matcher.engine.order import Account, Order
from tests.worlds.invariants import check
from tests.worlds.venue import ALICE, BOB, BTC, BUY, SELL, amend, limit, mass_cancel, venue


def sound() -> Engine:
    """Two bids at one price, one below; two asks; one order partly filled."""
    engine = venue()
    for price, lots in ((100, 5), (100, 6), (99, 7)):
        engine.apply(limit(ALICE, BUY, price, lots, name=f"bid {price} {lots}"))
    engine.apply(limit(BOB, SELL, 105, 5, name="ask"))
    engine.apply(limit(BOB, SELL, 106, 5))
    engine.apply(limit(ALICE, BUY, 105, 2))
    return engine


def resting(engine: Engine, order_id: int) -> Order:
    for account in engine.accounts.values():
        if order_id in account.orders:
            return account.orders[order_id]
    raise KeyError(order_id)


def test_a_sound_engine_passes() -> None:
    engine = sound()
    check(engine)
    engine.apply(amend(ALICE, 1, 99))
    check(engine)
    engine.apply(mass_cancel(ALICE))
    check(engine)
    check(venue())


def _cross(engine: Engine) -> None:
    side = engine.books[BTC.id].bids
    order = resting(engine, 1)
    side.remove(order)
    order.price_ticks = 105
    side.add(order)


def _lots_created(engine: Engine) -> None:
    resting(engine, 1).remaining_lots += 1


def _nothing_open(engine: Engine) -> None:
    resting(engine, 3).remaining_lots = 0


def _wrong_price(engine: Engine) -> None:
    resting(engine, 1).price_ticks = 98


def _wrong_side(engine: Engine) -> None:
    resting(engine, 1).side = int(SELL)


def _wrong_instrument(engine: Engine) -> None:
    resting(engine, 1).instrument = 2


def _broken_link(engine: Engine) -> None:
    resting(engine, 2).before = None


def _wrong_tail(engine: Engine) -> None:
    resting(engine, 1).before = None


def _lost_from_queue(engine: Engine) -> None:
    engine.books[BTC.id].bids.remove(resting(engine, 2))


def _rests_twice(engine: Engine) -> None:
    copy = resting(engine, 3)
    resting(engine, 2).after = resting(engine, 1).before = copy


def _prices_out_of_order(engine: Engine) -> None:
    engine.books[BTC.id].bids.keys.reverse()


def _price_without_orders(engine: Engine) -> None:
    engine.books[BTC.id].bids.keys.insert(0, 1)


def _wrong_best_price(engine: Engine) -> None:
    engine.books[BTC.id].bids.best = 99


def _filed_under_another_price(engine: Engine) -> None:
    side = engine.books[BTC.id].bids
    side.heads[98] = side.heads.pop(99)
    side.keys[0] = 98


def _order_elsewhere(engine: Engine) -> None:
    resting(engine, 3).queue = engine.books[BTC.id].asks


def _lost_from_index(engine: Engine) -> None:
    engine.accounts[ALICE].discard(resting(engine, 1))


def _dead_order_in_index(engine: Engine) -> None:
    account = engine.accounts[ALICE]
    account.orders[77] = Order(
        order_id=77,
        account=account,
        instrument=BTC.id,
        side=1,
        price_ticks=90,
        quantity_lots=5,
        remaining_lots=5,
        client_order_id="",
        time_ns=0,
    )


def _filed_under_another_id(engine: Engine) -> None:
    orders = engine.accounts[ALICE].orders
    orders[9] = orders.pop(3)


def _anothers_order(engine: Engine) -> None:
    resting(engine, 1).account = engine.accounts[BOB]


def _account_filed_wrongly(engine: Engine) -> None:
    engine.accounts[8] = Account(9)


def _dead_client_order_id(engine: Engine) -> None:
    engine.accounts[ALICE].by_client_order_id["ghost"] = resting(engine, 1)


def _lost_client_order_id(engine: Engine) -> None:
    del engine.accounts[BOB].by_client_order_id["ask"]


def _index_out_of_order(engine: Engine) -> None:
    orders = engine.accounts[ALICE].orders
    orders[1] = orders.pop(1)


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (_cross, "crossed"),
        (_lots_created, "bad quantity"),
        (_nothing_open, "bad quantity"),
        (_wrong_price, "wrong price"),
        (_wrong_side, "wrong side"),
        (_wrong_instrument, "wrong instrument"),
        (_broken_link, "queue is broken"),
        (_wrong_tail, "does not know the last"),
        (_lost_from_queue, "open but not resting"),
        (_rests_twice, "twice|elsewhere"),
        (_prices_out_of_order, "out of order"),
        (_price_without_orders, "price list and queues differ"),
        (_wrong_best_price, "best price"),
        (_filed_under_another_price, "wrong price"),
        (_order_elsewhere, "elsewhere"),
        (_lost_from_index, "orders rest but"),
        (_dead_order_in_index, "open but not resting"),
        (_filed_under_another_id, "filed wrongly"),
        (_anothers_order, "another owner"),
        (_account_filed_wrongly, "filed wrongly"),
        (_dead_client_order_id, "client order ids"),
        (_lost_client_order_id, "client order ids"),
        (_index_out_of_order, "unsorted"),
    ],
)
def test_a_spoiled_engine_is_noticed(spoil: Callable[[Engine], None], complaint: str) -> None:
    engine = sound()
    check(engine)
    spoil(engine)
    with pytest.raises(AssertionError, match=complaint):
        check(engine)


def test_queues_are_walked_from_end_to_end() -> None:
    engine = sound()
    for n in range(200):
        engine.apply(limit(ALICE, BUY, 50 + n % 7, 1 + n))
    check(engine)
    last = max(engine.accounts[ALICE].orders)
    resting(engine, last).remaining_lots = 0
    with pytest.raises(AssertionError, match="bad quantity"):
        check(engine)
