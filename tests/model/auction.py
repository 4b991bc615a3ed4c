"""The obvious uncross price: all candidates are tried, and each rule in turn drops some."""

from collections.abc import Callable, Sequence
from fractions import Fraction

from msgspec import Struct

from crossbook.common.types import Side
from tests.model.orders import ModelOrder


class Outcome(Struct, frozen=True):
    """The lots that buyers, and sellers, would trade at one price if the other side had no
    limit."""

    price: int
    bought: int
    sold: int

    @property
    def volume(self) -> int:
        return min(self.bought, self.sold)

    @property
    def surplus(self) -> int:
        return self.bought - self.sold


def uncross_price(orders: Sequence[ModelOrder], last: int) -> tuple[int, int, int]:
    """(price, lots, surplus of buyers) for the orders of one call phase; zeros for none."""
    candidates = {order.price_ticks for order in orders if order.price_ticks}
    if last:
        candidates.add(last)
    left = [_at(price, orders) for price in candidates]
    left = _greatest(left, lambda each: each.volume)
    if not left or not left[0].volume:
        return 0, 0, 0
    left = _greatest(left, lambda each: -abs(each.surplus))
    if all(each.surplus > 0 for each in left):
        left = _greatest(left, lambda each: each.price)
    elif all(each.surplus < 0 for each in left):
        left = _greatest(left, lambda each: -each.price)
    # Before the first trade the price nearest to the middle of the remaining ones is chosen.
    prices = [each.price for each in left]
    reference = Fraction(last) if last else Fraction(min(prices) + max(prices), 2)
    left = _greatest(left, lambda each: -abs(each.price - reference))
    [best] = _greatest(left, lambda each: each.price)
    return best.price, best.volume, best.surplus


def _greatest(some: list[Outcome], by: Callable[[Outcome], Fraction | int]) -> list[Outcome]:
    """The outcomes for which `by` is greatest."""
    return [each for each in some if by(each) == max(by(other) for other in some)]


def _at(price: int, orders: Sequence[ModelOrder]) -> Outcome:
    """The lots traded at a price, market orders included."""
    bought = sold = 0
    for order in orders:
        limit = order.price_ticks or price
        if order.side == Side.BUY and limit >= price:
            bought += order.remaining_lots
        if order.side == Side.SELL and limit <= price:
            sold += order.remaining_lots
    return Outcome(price, bought, sold)
