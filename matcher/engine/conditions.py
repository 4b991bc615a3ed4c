"""The conditions of an order, which few orders have."""

from enum import IntEnum

from msgspec import Struct


class Waits(IntEnum):
    """The event that an open order that does not rest waits for."""

    NOTHING = 0
    TRIGGER = 1
    UNCROSS = 2


class OrderConditions(Struct, array_like=True, gc=False):
    """How an order that is more than a plain one was entered, and its state in that.

    `trigger_ticks` is waited for while `waits` is `TRIGGER`. `display_lots` is the size of
    an iceberg's slices and `shown_lots` what is left of the one in the book. `expire_ns` is zero
    without an expiry.
    """

    order_type: int
    time_in_force: int
    trigger_ticks: int = 0
    display_lots: int = 0
    shown_lots: int = 0
    expire_ns: int = 0
    post_only: bool = False
    waits: int = 0
