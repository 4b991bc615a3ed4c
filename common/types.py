"""The words of the market as enumerations, and the limits of its texts and numbers.

Every value travels as a plain integer, and its name has the unit: `price_ticks` and
`quantity_lots` are numbers of ticks and lots of their instrument, `fee` and `quote_amount` numbers
of an asset's smallest unit, `time_ns` nanoseconds since the Unix epoch. No value is ever a
float. Users write a member of an enumeration by its name in small letters: `gtc`, `expire_taker`.
"""

from enum import IntEnum
from typing import Final

MAX_INT: Final = 2**63 - 1
"""Largest integer on any wire: what a signed 64-bit client can hold."""

MAX_ACCOUNT: Final = 2**31 - 1
"""Largest account number."""

MAX_CLIENT_ORDER_ID: Final = 36
"""Longest client order id, in characters; the limit Binance documents for newClientOrderId."""

MAX_ASSET: Final = 12
"""Longest name of an asset, in characters."""

MAX_SYMBOL: Final = 20
"""Longest instrument symbol, in characters."""


class Side(IntEnum):
    """Order side (FIX tag 54)."""

    BUY = 1
    SELL = 2


class OrderType(IntEnum):
    """Order type (FIX tag 40). From `STOP` on an order waits for the last trade price."""

    LIMIT = 1
    MARKET = 2
    STOP = 3
    STOP_LIMIT = 4
    TAKE_PROFIT = 5
    TAKE_PROFIT_LIMIT = 6


class TimeInForce(IntEnum):
    """How long an order may work (FIX tag 59). A market order is always immediate."""

    GTC = 1
    IOC = 2
    FOK = 3
    GTD = 4
    """Until a stated time."""
    DAY = 5
    """Until the end of the day of entry, UTC."""


class Prevention(IntEnum):
    """Self-trade prevention: the fate of a taker and an order of its own account that meet."""

    NONE = 0
    """They trade."""
    EXPIRE_TAKER = 1
    EXPIRE_MAKER = 2
    EXPIRE_BOTH = 3
    DECREMENT = 4
    """Both lose the smaller quantity: the smaller order expires, the larger stays."""


class InstrumentState(IntEnum):
    """Requests that an instrument accepts at present. Cancels are always accepted."""

    OPEN = 1
    POST_ONLY = 2
    """Orders that would rest, and no others."""
    CANCEL_ONLY = 3
    HALTED = 4
    AUCTION = 5
    """The call phase: orders gather, and trade at one price when it is uncrossed."""


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
    EXPIRED_IN_MATCH = 7
    """Ended because it met an order of its own account."""


class ExecutionKind(IntEnum):
    """Kind of an execution report (FIX tag 150)."""

    NEW = 1
    FILL = 2
    CANCELED = 3
    EXPIRED = 4
    AMENDED = 5
    COMPLETED = 6
    """A market order by quote amount ended because the rest buys less than one lot."""
    TRIGGERED = 7
    """A waiting order was elected by the last trade price and works from now on."""
    PREVENTED = 8
    """An order lost lots to one of its own account (`Prevention.DECREMENT`) and stays."""


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
    TOO_LATE = 24
    """The expiry time of the order is in the past already."""
    EXPIRE_TIME = 25
    """The order reached its expiry time (GTD, DAY)."""
    SELF_TRADE = 26
    """Ended in match: the next order to trade with belonged to the same account."""
    CANCEL_AFTER = 27
    """Canceled because its account did not renew its `cancel-after` in time."""
    DISCONNECTED = 28
    """Canceled because its session had requested that and has ended."""
    DUPLICATE_TRANSFER = 29
    """This transfer was made before."""
    THROTTLED = 30
    """More requests than the account, or the address, may send in this time; nothing changed."""
    FORBIDDEN = 31
    """The key of the sender does not permit the request."""
    UNKNOWN_KEY = 32
    """No API key has this id."""
    DUPLICATE_KEY = 33
    """An API key with this id, or with this public key of CURVE, exists."""
    TOO_MANY_FILLS = 34
    """The rest of an order expired: it had met as many makers as one order may."""
    LEVEL_FULL = 35
    """As many orders stand at this price as may."""
