"""Stops and take-profits of one instrument, waiting for the last trade price.

One that waits for a rising price (stop buy, take-profit sell) is met at last >= trigger, one that
waits for a falling price (stop sell, take-profit buy) at last <= trigger. None of them is in the
book or in market data.
"""

from collections.abc import Iterator
from typing import Final

from sortedcontainers import SortedDict

from crossbook.common.types import OrderType, Side
from crossbook.matcher.engine.order import Order

_BUY: Final = int(Side.BUY)
MANY: Final = 16
"""Where more than so many orders are met, and this part of those that wait, a side is built anew
without them."""

_STOPS: Final = (int(OrderType.STOP), int(OrderType.STOP_LIMIT))


def waits_for_a_rise(side: int, order_type: int) -> bool:
    """Which way the price must go for such an order.

    >>> waits_for_a_rise(Side.BUY, OrderType.STOP), waits_for_a_rise(Side.SELL, OrderType.STOP)
    (True, False)
    """
    return (side == _BUY) == (order_type in _STOPS)


def is_met(side: int, order_type: int, trigger_ticks: int, last_price_ticks: int) -> bool:
    """Whether the last price (zero: there is none yet) elects such an order."""
    if not last_price_ticks:
        return False
    if waits_for_a_rise(side, order_type):
        return last_price_ticks >= trigger_ticks
    return last_price_ticks <= trigger_ticks


class TriggerBook:
    """The waiting orders of one instrument. O(log orders) for each change.

    `price_ticks` is the last price that was compared with them, that of trade `trade_id`. `met` are
    the orders that it elects and that have not run yet, the next one last.
    """

    __slots__ = ("_falling", "_rising", "met", "price_ticks", "trade_id")

    def __init__(self, price_ticks: int, trade_id: int) -> None:
        self.price_ticks = price_ticks
        self.trade_id = trade_id
        self.met: list[Order] = []
        self._rising: SortedDict[tuple[int, int], Order] = SortedDict()
        self._falling: SortedDict[tuple[int, int], Order] = SortedDict()

    def __len__(self) -> int:
        return len(self._rising) + len(self._falling) + len(self.met)

    def add(self, order: Order) -> None:
        """Add a waiting order, behind those of the same trigger."""
        side, key = self._place(order)
        side[key] = order

    def remove(self, order: Order) -> None:
        """Remove a waiting order."""
        side, key = self._place(order)
        del side[key]

    def elect(self, last_price_ticks: int, trade_id: int) -> None:
        """Move what the price of this trade elects to `met`, in the order it is to be run: nearest
        to the price before first, then by arrival. O(orders met, times their logarithm)."""
        assert not self.met, "what an earlier price elected has not run"
        before = self.price_ticks or last_price_ticks
        self.price_ticks = last_price_ticks
        self.trade_id = trade_id
        found: list[tuple[int, int, Order]] = []
        for side, bound in ((self._rising, last_price_ticks), (self._falling, -last_price_ticks)):
            while side and side.peekitem(0)[0][0] <= bound:
                if len(found) >= MANY:
                    found += [_place(each, before) for each in _pop_through(side, bound)]
                    break
                found.append(_place(side.popitem(0), before))
        found.sort(key=lambda each: each[:2])
        self.met = [order for _, _, order in found]

    def restore_met(self, orders: list[Order]) -> None:
        """Let these waiting orders be those that an earlier price elected, the next one last."""
        for order in orders:
            self.remove(order)
        self.met = orders

    def orders(self) -> Iterator[Order]:
        """Every waiting order, by arrival."""
        waiting = [*self._rising.values(), *self._falling.values(), *self.met]
        return iter(sorted(waiting, key=lambda order: order.arrived))

    def _place(self, order: Order) -> tuple["SortedDict[tuple[int, int], Order]", tuple[int, int]]:
        conditions = order.conditions
        assert conditions is not None, "a plain order waits for nothing"
        trigger = conditions.trigger_ticks
        if waits_for_a_rise(order.side, conditions.order_type):
            return self._rising, (trigger, order.arrived)
        return self._falling, (-trigger, order.arrived)


def _place(waiting: tuple[tuple[int, int], Order], before: int) -> tuple[int, int, Order]:
    """An elected order with its place: the last one to run first."""
    (trigger, arrived), order = waiting
    return -abs(abs(trigger) - before), -arrived, order


def _pop_through(
    side: "SortedDict[tuple[int, int], Order]", bound: int
) -> list[tuple[tuple[int, int], Order]]:
    """Remove and return what waits at triggers up to `bound`. Many at once cost a tenth of as many
    one by one."""
    count = side.bisect_left((bound + 1, 0))
    if count * MANY < len(side):
        return [side.popitem(0) for _ in range(count)]
    items = list(side.items())
    side.clear()
    side.update(items[count:])
    return items[:count]
