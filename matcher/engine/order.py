"""An open order, and the account that owns it."""

from typing import TYPE_CHECKING, Optional

from msgspec import Struct

from crossbook.common.types import OrderStatus
from crossbook.matcher.engine.special import Special

if TYPE_CHECKING:
    from crossbook.matcher.engine.book import BookSide


class Account:
    """An account's open orders, by order id (oldest first) and by client order id, and its money.

    This is the only order index: finding an order here proves that the account owns it.

    `total` and `held` are smallest units by asset; an account without `opened` has not been seen
    with money yet. `deadline` is when its orders are canceled, and the number that set it.
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
        """Whether it is as if nobody had ever named it."""
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
    which it last took its place, zero for the one that entered it. A plain limit order has no
    `special`. A struct because those are made in C; outside the garbage collector's care because
    leaving a queue always cuts the links.
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
    special: Special | None = None
    queue: Optional["BookSide"] = None
    before: Optional["Order"] = None
    after: Optional["Order"] = None
    ended_as: int = 0
    arrival: int = 0

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
        special = self.special
        if special is None or not special.display_lots:
            return self.remaining_lots
        return special.shown_lots
