"""The rest of an act that is longer than one number may be.

A command ends at most `Rules.max_fills` orders that others than its sender own, or a few more. What
is left of it goes on under the next number, before any other command: it is a timer that is due at
once. So no command sees an act that has not ended.
"""

from enum import IntEnum
from typing import Final

from msgspec import Struct

AT_ONCE: Final = 0
"""The due time of what is unfinished."""


class Act(IntEnum):
    """The act that goes on."""

    CANCEL = 1
    """Of all orders that a mass cancel names."""
    ELECT = 2
    """Of the orders that the last price has met."""
    UNCROSS = 3


class Unfinished(Struct, array_like=True, gc=False):
    """What is left of the act of command `number`.

    `account`, `side` and `reason` are of a mass cancel; `price_ticks` is that of an uncross and
    `state` the one to enter after it.
    """

    number: int
    act: int
    instrument: int = 0
    account: int = 0
    side: int = 0
    reason: int = 0
    price_ticks: int = 0
    state: int = 0
