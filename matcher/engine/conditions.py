"""What few orders have, beside the order itself."""

from enum import IntEnum

from msgspec import Struct


class Waits(IntEnum):
    """What an open order that does not rest waits for."""

    NOTHING = 0
    TRIGGER = 1
    UNCROSS = 2


class Conditions(Struct, array_like=True, gc=False):
    """What few orders have: how they were entered, and where they stand with it.

    `trigger_ticks` waits for the last price while `waits` says so. `display_lots` is the size of
    an iceberg's slices and `shown_lots` what is left of the one in the book. `expire_ns` is zero
    for ever.
    """

    order_type: int
    time_in_force: int
    trigger_ticks: int = 0
    display_lots: int = 0
    shown_lots: int = 0
    expire_ns: int = 0
    post_only: bool = False
    waits: int = 0
