"""A fixed small program: one of its messages is the unit that instructions are counted in.

Instructions differ from one build of CPython to another, and with them what this costs; the ratio
moves less. It works as the engine does, with dictionaries, sorted lists, structs and short methods.
It must never be changed: every accepted ratio rests on it.
"""

from bisect import bisect_left, insort

from msgspec import Struct


class OrderOutcome(Struct, gc=False):
    """An event of an order."""

    number: int
    order_id: int
    price: int
    lots: int


class Resting(Struct, gc=False):
    """An order in the book."""

    order_id: int
    price: int
    lots: int


class Yardstick:
    """One side of a book: orders rest at their prices and are removed again."""

    def __init__(self) -> None:
        self.number = 0
        self.orders: dict[int, Resting] = {}
        self.levels: dict[int, dict[int, Resting]] = {}
        self.prices: list[int] = []

    def enter(self, order_id: int, price: int, lots: int) -> list[OrderOutcome]:
        """Rest an order."""
        self.number = number = self.number + 1
        order = self.orders[order_id] = Resting(order_id, price, lots)
        level = self.levels.get(price)
        if level is None:
            level = self.levels[price] = {}
            insort(self.prices, price)
        level[order_id] = order
        return [OrderOutcome(number, order_id, price, lots)]

    def cancel(self, order_id: int) -> list[OrderOutcome]:
        """Remove an order."""
        self.number = number = self.number + 1
        order = self.orders.pop(order_id)
        level = self.levels[order.price]
        del level[order_id]
        if not level:
            del self.levels[order.price]
            del self.prices[bisect_left(self.prices, order.price)]
        return [OrderOutcome(number, order_id, order.price, order.lots)]


def run(messages: int) -> int:
    """Apply so many messages, half of them cancels; returns the number of events."""
    book = Yardstick()
    outcomes: list[OrderOutcome] = []
    for number in range(messages // 2):
        outcomes += book.enter(number, 30_000 + number * 7_919 % 97, 1 + number % 100)
        if number >= 40:
            outcomes += book.cancel(number - 40)
    return len(outcomes)
