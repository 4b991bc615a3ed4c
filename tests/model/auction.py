"""The obvious uncross price: every candidate tried, volumes added up anew for each."""

from collections.abc import Sequence

from common.types import Side
from tests.model.orders import Order


def uncross_price(orders: Sequence[Order], last: int) -> tuple[int, int, int]:
    """(price, lots, surplus of buyers) for the orders of one call phase; zeros for none."""
    candidates = {order.price_ticks for order in orders if order.price_ticks}
    if last:
        candidates.add(last)
    outcomes = []
    for price in sorted(candidates):
        bought = sum(
            order.open_lots
            for order in orders
            if order.side == Side.BUY and (not order.price_ticks or order.price_ticks >= price)
        )
        sold = sum(
            order.open_lots
            for order in orders
            if order.side == Side.SELL and (not order.price_ticks or order.price_ticks <= price)
        )
        if min(bought, sold):
            outcomes.append((price, min(bought, sold), bought - sold))
    if not outcomes:
        return 0, 0, 0
    most = max(lots for _, lots, _ in outcomes)
    outcomes = [each for each in outcomes if each[1] == most]
    least = min(abs(surplus) for _, _, surplus in outcomes)
    outcomes = [each for each in outcomes if abs(each[2]) == least]
    surpluses = [surplus for _, _, surplus in outcomes]
    if min(surpluses) > 0:
        return outcomes[-1]
    if max(surpluses) < 0:
        return outcomes[0]
    reference = last or (outcomes[0][0] + outcomes[-1][0]) // 2
    nearest = min(abs(price - reference) for price, _, _ in outcomes)
    return max(each for each in outcomes if abs(each[0] - reference) == nearest)
