"""An open order, the account that owns it, and the side of a book it rests in.

They hold each other, and so they stand in one module.

A side is a plain list of keys, best last, beside a dict of queues. The key is the price for bids
and its negative for asks, so on both sides a larger key is a better price and the best one is
`keys[-1]`. The first and the last order at a price near the best are the hot path of real order
flow, and there a list with `bisect` touches only a few bytes (bench/README.md, "Tuning log").
The queue of a price is a linked list: O(1) to append, to take from the front and to remove from
anywhere, with nothing left behind to skip later.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import Final, Optional

from msgspec import Struct

from crossbook.common.types import OrderStatus
from crossbook.matcher.engine.conditions import OrderConditions

NOTHING: Final = -(2**63)
"""The best key of an empty side: worse than any."""


class Account:
    """An account's open orders, by order id (oldest first) and by client order id, and its money.

    This is the only order index: an order that is found here belongs to the account.

    `total` and `held` are smallest units by asset; `opened` is set once the account
    has received its opening money. `deadline` is when its orders are canceled, and the number that
    set it.
    """

    __slots__ = (
        "account_id", "by_client_order_id", "deadline", "held", "opened", "orders", "total",
    )  # fmt: skip

    def __init__(self, account_id: int) -> None:
        self.account_id = account_id
        self.orders: dict[int, Order] = {}
        self.by_client_order_id: dict[str, Order] = {}
        self.opened = False
        self.total: dict[str, int] = {}
        self.held: dict[str, int] = {}
        self.deadline: tuple[int, int] | None = None

    @property
    def is_blank(self) -> bool:
        """Whether the account has nothing, as if no command had named it."""
        return not (self.opened or self.orders or self.total or self.deadline)

    def add(self, order: "Order") -> None:
        """The order is open: its ids are taken until `discard`."""
        self.orders[order.order_id] = order
        if order.client_order_id:
            self.by_client_order_id[order.client_order_id] = order

    def discard(self, order: "Order") -> None:
        """The order ended: its client order id may be used again."""
        del self.orders[order.order_id]
        if order.client_order_id:
            del self.by_client_order_id[order.client_order_id]


class Order(Struct, eq=False, gc=False):
    """An order while it is open; identity is the object's.

    `quantity_lots` is the total; what was filled is `quantity_lots - remaining_lots`. `queue` is
    the side of the book it rests in, `before` and `after` are its neighbours at its price there
    (see `BookSide`), all None while it is not resting.
    `ended_as` is the status of an order that ended with lots left, else zero. `hold_unit` is what
    each open lot holds of its account's money, zero without accounts. `arrival` is the number at
    which it last took its place, zero for the one that entered it. In the first order at a price
    `behind` counts the others, elsewhere it is zero. A plain limit order has no `conditions`. A
    struct because those are made in C; outside the garbage collector's care because leaving a queue
    always cuts the links.
    """

    order_id: int
    account: Account
    instrument: int
    side: int
    price_ticks: int
    quantity_lots: int
    remaining_lots: int
    client_order_id: str
    time_ns: int
    prevention: int = 0
    hold_unit: int = 0
    conditions: OrderConditions | None = None
    queue: Optional["BookSide"] = None
    before: Optional["Order"] = None
    after: Optional["Order"] = None
    ended_as: int = 0
    arrival: int = 0
    behind: int = 0

    @property
    def status(self) -> int:
        """The order's `OrderStatus` as it stands."""
        if self.ended_as:
            return self.ended_as
        if not self.remaining_lots:
            return OrderStatus.FILLED
        if self.remaining_lots < self.quantity_lots:
            return OrderStatus.PARTIALLY_FILLED
        return OrderStatus.NEW

    @property
    def arrived(self) -> int:
        """The number at which it took its place."""
        return self.arrival or self.order_id

    @property
    def shown_lots(self) -> int:
        """Open lots that the public sees while it rests."""
        conditions = self.conditions
        if conditions is None or not conditions.display_lots:
            return self.remaining_lots
        return conditions.shown_lots


class BookSide:
    """Bids or asks: `keys` ascending, `best` of them, and the next order to trade at each key.

    The orders of one key are linked by `before` and `after` in the order they came. The last one
    has no `after`; the first one has the last as its `before`, so that both ends are at hand, or
    None where it stands alone.
    """

    __slots__ = ("best", "heads", "keys", "sign")

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.best = NOTHING
        self.keys: list[int] = []
        self.heads: dict[int, Order] = {}

    def add(self, order: Order) -> None:
        """Put an order behind all others at its price. O(1), O(log prices) for the first one."""
        order.queue = self
        key = order.price_ticks * self.sign
        head = self.heads.get(key)
        if head is None:
            self.heads[key] = order
            if key > self.best:
                self.keys.append(key)
                self.best = key
            else:
                insort(self.keys, key)
            return
        tail = head.before
        if tail is None:
            tail = head
        tail.after = head.before = order
        order.before = tail
        head.behind += 1

    def remove(self, order: Order) -> None:
        """Take an order out of the queue, wherever it stands. O(1), O(log prices) for the last
        one at its price."""
        order.queue = None
        key = order.price_ticks * self.sign
        before = order.before
        if before is None:
            del self.heads[key]
            keys = self.keys
            if key == self.best:
                keys.pop()
                self.best = keys[-1] if keys else NOTHING
            else:
                del keys[bisect_left(keys, key)]
            return
        order.before = None
        after = order.after
        if after is None:
            before.after = None
            head = self.heads[key]
            head.before = None if head is before else before
            head.behind -= 1
            return
        order.after = None
        head = self.heads[key]
        if head is order:
            self.heads[key] = after
            after.before = None if after is before else before
            after.behind = order.behind - 1
            order.behind = 0
        else:
            before.after = after
            after.before = before
            head.behind -= 1

    def count_at(self, price_ticks: int) -> int:
        """The number of orders at a price. O(1)."""
        head = self.heads.get(price_ticks * self.sign)
        return 0 if head is None else head.behind + 1

    def orders(self) -> Iterator[Order]:
        """Every order in priority order."""
        for key in reversed(self.keys):
            order: Order | None = self.heads[key]
            while order is not None:
                yield order
                order = order.after
