"""The price of an uncross equals that of a plain search over all prices."""

import random

from crossbook.common.auction import NOTHING, Price, uncross_price
from crossbook.common.types import Side
from tests.model import auction as model
from tests.model.orders import ModelOrder


def _order(order_id: int, side: Side, price_ticks: int, lots: int) -> ModelOrder:
    return ModelOrder(
        order_id=order_id, account=1, instrument=1, side=side, price_ticks=price_ticks,
        total_lots=lots, filled_lots=0, client_order_id="",
    )  # fmt: skip


def test_price_is_that_of_the_obvious_search_for_any_volumes() -> None:
    for seed in range(3_000):
        chance = random.Random(seed)
        orders = [
            _order(each, chance.choice((Side.BUY, Side.SELL)), chance.choice((0, *range(1, 9))),
                   chance.randint(1, 4))
            for each in range(chance.randint(0, 7))
        ]  # fmt: skip
        levels: dict[int, dict[int, int]] = {Side.BUY: {}, Side.SELL: {}}
        market: dict[int, int] = {Side.BUY: 0, Side.SELL: 0}
        for order in orders:
            at = levels[order.side]
            if order.price_ticks:
                at[order.price_ticks] = at.get(order.price_ticks, 0) + order.remaining_lots
            else:
                market[order.side] += order.remaining_lots
        last = chance.choice((0, 0, *range(1, 10)))
        found = uncross_price(
            levels[Side.BUY], levels[Side.SELL], market[Side.BUY], market[Side.SELL], last
        )
        assert (found.price_ticks, found.lots, found.surplus_lots) == model.uncross_price(
            orders, last
        ), seed


def test_nothing_trades_where_one_side_is_empty() -> None:
    assert uncross_price({100: 5}, {}, 3, 0, 100) == NOTHING


def test_market_orders_of_both_sides_trade_at_the_last_price() -> None:
    assert uncross_price({}, {}, 3, 2, 100) == Price(price_ticks=100, lots=2, surplus_lots=1)
