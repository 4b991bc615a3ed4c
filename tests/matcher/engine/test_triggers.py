"""The triggers that a last price elects, and their order: exactly at the trigger, and just beside
it."""

import pytest

from crossbook.common.types import OrderType, Side
from crossbook.matcher.engine.conditions import OrderConditions, Waits
from crossbook.matcher.engine.order import Account, Order
from crossbook.matcher.engine.triggers import MANY, TriggerBook, is_met, waits_for_a_rise

BUY, SELL = int(Side.BUY), int(Side.SELL)
RISING = [
    (BUY, OrderType.STOP), (BUY, OrderType.STOP_LIMIT),
    (SELL, OrderType.TAKE_PROFIT), (SELL, OrderType.TAKE_PROFIT_LIMIT),
]  # fmt: skip
FALLING = [(3 - side, kind) for side, kind in RISING]


def order(number: int, trigger: int, side: int = BUY, kind: int = OrderType.STOP) -> Order:
    conditions = OrderConditions(kind, 1, trigger, waits=Waits.TRIGGER)
    return Order(
        order_id=number,
        account=Account(7),
        instrument=1,
        side=side,
        price_ticks=0,
        quantity_lots=5,
        remaining_lots=5,
        client_order_id="",
        time_ns=0,
        conditions=conditions,
    )


@pytest.mark.parametrize(("side", "kind"), RISING)
def test_some_wait_for_a_price_that_rises_to_the_trigger(side: int, kind: int) -> None:
    assert waits_for_a_rise(side, kind)
    assert [is_met(side, kind, 100, last) for last in (0, 99, 100, 101)] == [
        False, False, True, True,
    ]  # fmt: skip


@pytest.mark.parametrize(("side", "kind"), FALLING)
def test_others_wait_for_a_price_that_falls_to_it(side: int, kind: int) -> None:
    assert not waits_for_a_rise(side, kind)
    assert [is_met(side, kind, 100, last) for last in (0, 99, 100, 101)] == [
        False, True, True, False,
    ]  # fmt: skip


def elected(waiting: TriggerBook, last: int, trade_id: int) -> list[int]:
    """The orders that a price elects, in the order they are to run; they have run then."""
    waiting.elect(last, trade_id)
    ids = []
    while waiting.met:
        ids.append(waiting.met.pop().order_id)
    return ids


@pytest.mark.parametrize(("side", "kind"), [*RISING, *FALLING])
@pytest.mark.parametrize("last", [99, 100, 101])
def test_a_price_takes_out_the_levels_it_meets_and_leaves_the_rest(
    side: int, kind: int, last: int
) -> None:
    waiting = TriggerBook(50, 3)
    one = order(1, 100, side, kind)
    waiting.add(one)
    met = is_met(side, kind, 100, last)
    assert elected(waiting, last, 4) == ([1] if met else [])
    assert len(waiting) == (0 if met else 1)
    assert (waiting.price_ticks, waiting.trade_id) == (last, 4)


def test_the_nearest_to_the_price_before_comes_first_then_the_earliest() -> None:
    waiting = TriggerBook(100, 1)
    orders = {
        number: order(number, trigger, side)
        for number, trigger, side in (
            (1, 103, BUY), (2, 101, BUY), (3, 101, BUY), (4, 102, BUY), (5, 104, BUY),
        )
    }  # fmt: skip
    for each in reversed(orders.values()):
        waiting.add(each)
    assert elected(waiting, 103, 2) == [2, 3, 4, 1]
    assert elected(waiting, 104, 3) == [5]


def test_both_ways_are_measured_from_the_price_before() -> None:
    waiting = TriggerBook(100, 1)
    # After a halt the price may be beyond triggers of both ways.
    for number, trigger, side in ((1, 104, SELL), (2, 97, BUY), (3, 99, BUY), (4, 102, SELL)):
        waiting.add(order(number, trigger, side))
    assert elected(waiting, 100, 2) == [3, 4, 2, 1]


def test_without_a_price_before_the_distance_is_to_the_price_itself() -> None:
    waiting = TriggerBook(0, 0)
    for number, trigger in ((1, 90), (2, 99), (3, 95)):
        waiting.add(order(number, trigger))
    assert elected(waiting, 100, 1) == [2, 3, 1]


def test_one_that_is_removed_is_not_elected_and_the_others_are_listed_by_arrival() -> None:
    waiting = TriggerBook(100, 1)
    orders = [order(1, 105), order(2, 95, SELL), order(3, 105), order(4, 101)]
    orders[0].arrival = 9
    for each in orders:
        waiting.add(each)
    assert [each.order_id for each in waiting.orders()] == [2, 3, 4, 1]
    waiting.remove(orders[2])
    assert len(waiting) == 3
    assert elected(waiting, 105, 2) == [4, 1]
    assert [each.order_id for each in waiting.orders()] == [2]


def test_what_a_price_elected_still_waits_until_it_runs() -> None:
    waiting = TriggerBook(100, 1)
    orders = [order(1, 105), order(2, 101), order(3, 110)]
    for each in orders:
        waiting.add(each)
    waiting.elect(105, 2)
    assert [each.order_id for each in waiting.met] == [1, 2]
    assert (len(waiting), [each.order_id for each in waiting.orders()]) == (3, [1, 2, 3])


@pytest.mark.parametrize("count", [1, MANY - 1, MANY, 3 * MANY])
@pytest.mark.parametrize("left", [0, 1, 40 * MANY])
def test_many_orders_are_elected_as_few_are(count: int, left: int) -> None:
    waiting = TriggerBook(100, 1)
    for number in range(count + left):
        waiting.add(order(number + 1, 101 + number))
    assert elected(waiting, 100 + count, 2) == list(range(1, count + 1))
    assert [each.order_id for each in waiting.orders()] == list(range(count + 1, count + left + 1))
    assert elected(waiting, 100 + count + left, 3) == list(range(count + 1, count + left + 1))
    assert len(waiting) == 0
