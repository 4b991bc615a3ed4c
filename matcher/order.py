"""An open order, and the account that owns it."""

from typing import TYPE_CHECKING, Optional

from msgspec import Struct

from common.types import OrderStatus

if TYPE_CHECKING:
    from matcher.book import Level


class Account:
    """An account's open orders, by order id (oldest first) and by client order id.

    This is the only order index: finding an order here proves that the account owns it.
    """

    __slots__ = ("account_id", "by_client_order_id", "orders")

    def __init__(self, account_id: int) -> None:
        self.account_id = account_id
        self.orders: dict[int, Order] = {}
        self.by_client_order_id: dict[str, Order] = {}

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

    `quantity_lots` is the total; what was filled is `quantity_lots - open_lots`. `before` and
    `after` are its neighbours in the queue of `level`, all None while it is not resting.
    `ended_as` is the status of an order that ended with lots left, else zero. A struct
    because those are made in C; outside the garbage collector's care because leaving a queue
    always cuts the links.
    """

    order_id: int
    account: Account
    instrument: int
    side: int
    price_ticks: int
    quantity_lots: int
    open_lots: int
    client_order_id: str
    time_ns: int
    level: Optional["Level"] = None
    before: Optional["Order"] = None
    after: Optional["Order"] = None
    ended_as: int = 0

    @property
    def status(self) -> int:
        """The order's `OrderStatus` as it stands."""
        if self.ended_as:
            return self.ended_as
        if not self.open_lots:
            return OrderStatus.FILLED
        if self.open_lots < self.quantity_lots:
            return OrderStatus.PARTIALLY_FILLED
        return OrderStatus.NEW
