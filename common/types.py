"""The words of the market as enumerations and integer aliases.

Every value travels as a plain integer. A price is a number of ticks and a quantity a number of
lots of its instrument; money is a number of the asset's smallest unit; time is nanoseconds since
the Unix epoch. No value of any kind is ever a float.
"""

from enum import IntEnum
from typing import Final

Ticks = int
Lots = int
Money = int
OrderId = int
AccountId = int
InstrumentId = int
SequenceNumber = int
Nanoseconds = int

MAX_INT: Final = 2**63 - 1
"""Largest integer on any wire: what a signed 64-bit client can hold."""

MAX_CLIENT_ORDER_ID: Final = 36
"""Longest client order id, in characters; the limit Binance documents for newClientOrderId."""

MAX_SYMBOL: Final = 20
"""Longest instrument symbol, in characters."""


class Side(IntEnum):
    """Order side (FIX tag 54)."""

    BUY = 1
    SELL = 2


class OrderType(IntEnum):
    """Order type (FIX tag 40)."""

    LIMIT = 1
    MARKET = 2


class TimeInForce(IntEnum):
    """How long an order may work (FIX tag 59). A market order is always immediate."""

    GTC = 1
    IOC = 2
    FOK = 3


class Liquidity(IntEnum):
    """Which side of a fill an order was on (FIX tag 851): resting, or arriving."""

    MAKER = 1
    TAKER = 2


class OrderStatus(IntEnum):
    """State of an order as its owner sees it (FIX tag 39, RULES "States")."""

    NEW = 1
    PARTIALLY_FILLED = 2
    FILLED = 3
    CANCELED = 4
    EXPIRED = 5
    REJECTED = 6


class ExecutionKind(IntEnum):
    """What an execution report tells (FIX tag 150)."""

    NEW = 1
    FILL = 2
    CANCELED = 3
    EXPIRED = 4
    AMENDED = 5
    COMPLETED = 6
    """A market order by quote amount ended because the rest buys less than one lot."""


class RejectReason(IntEnum):
    """Why a command was refused, and why an order expired (RULES, reason table)."""

    MALFORMED = 1
    UNKNOWN_SYMBOL = 2
    MARKET_HALTED = 3
    INSUFFICIENT_BALANCE = 4
    EXCEEDS_LIMIT = 5
    UNKNOWN_ORDER = 6
    DUPLICATE_CLIENT_ORDER_ID = 7
    STALE_REQUEST = 8
    UNSUPPORTED_COMBINATION = 9
    BAD_TICK = 10
    BAD_LOT = 11
    MIN_NOTIONAL = 12
    PRICE_BAND = 13
    POST_ONLY_WOULD_TAKE = 14
    STOP_WOULD_TRIGGER = 15
    BUSY = 16
    INSUFFICIENT_LIQUIDITY = 17
    NOT_LOGGED_ON = 18
    TOO_LARGE = 19
    INTERNAL = 20
    IMMEDIATE_OR_CANCEL = 21
    """The rest of an IOC order expired: nothing more crossed."""
    FILL_OR_KILL = 22
    """A FOK order expired whole: the book could not fill all of it."""
    OUTCOME_UNKNOWN = 23
    """The matcher lost its state before it answered; query before sending again."""
