"""The words of the API: how enumerations, ids, times and rates are written in its JSON.

Each table leads from the number of order entry to its word; `numbers_of` leads back.
"""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from msgspec import Meta

from crossbook.common.grid import format_decimal
from crossbook.common.times import time_text
from crossbook.common.types import (
    ExecutionKind,
    InstrumentState,
    Liquidity,
    OrderStatus,
    OrderType,
    Prevention,
    Side,
    TimeInForce,
)

SideWord = Literal["buy", "sell"]
OrderTypeWord = Literal[
    "limit", "market", "stop", "stop_limit", "take_profit", "take_profit_limit"
]  # fmt: skip
TimeInForceWord = Literal["gtc", "ioc", "fok", "gtd", "day"]
PreventionWord = Literal[
    "expire_taker", "expire_maker", "expire_both", "decrement", "none"
]  # fmt: skip
LiquidityWord = Literal["maker", "taker"]
StatusWord = Literal[
    "NEW", "PARTIALLY_FILLED", "FILLED", "CANCELED", "EXPIRED", "REJECTED", "EXPIRED_IN_MATCH"
]  # fmt: skip
ExecutionWord = Literal[
    "new", "fill", "canceled", "expired", "amended", "completed", "triggered", "prevented"
]  # fmt: skip
StateWord = Annotated[
    Literal["open", "post_only", "cancel_only", "halted", "auction"],
    Meta(description="requests that the instrument accepts now; cancels it always accepts"),
]

SIDES: Final[Mapping[int, SideWord]] = {Side.BUY: "buy", Side.SELL: "sell"}
ORDER_TYPES: Final[Mapping[int, OrderTypeWord]] = {
    OrderType.LIMIT: "limit",
    OrderType.MARKET: "market",
    OrderType.STOP: "stop",
    OrderType.STOP_LIMIT: "stop_limit",
    OrderType.TAKE_PROFIT: "take_profit",
    OrderType.TAKE_PROFIT_LIMIT: "take_profit_limit",
}
TIMES_IN_FORCE: Final[Mapping[int, TimeInForceWord]] = {
    TimeInForce.GTC: "gtc",
    TimeInForce.IOC: "ioc",
    TimeInForce.FOK: "fok",
    TimeInForce.GTD: "gtd",
    TimeInForce.DAY: "day",
}
PREVENTIONS: Final[Mapping[int, PreventionWord]] = {
    Prevention.NONE: "none",
    Prevention.EXPIRE_TAKER: "expire_taker",
    Prevention.EXPIRE_MAKER: "expire_maker",
    Prevention.EXPIRE_BOTH: "expire_both",
    Prevention.DECREMENT: "decrement",
}
LIQUIDITIES: Final[Mapping[int, LiquidityWord]] = {
    Liquidity.MAKER: "maker",
    Liquidity.TAKER: "taker",
}
STATUSES: Final[Mapping[int, StatusWord]] = {
    OrderStatus.NEW: "NEW",
    OrderStatus.PARTIALLY_FILLED: "PARTIALLY_FILLED",
    OrderStatus.FILLED: "FILLED",
    OrderStatus.CANCELED: "CANCELED",
    OrderStatus.EXPIRED: "EXPIRED",
    OrderStatus.REJECTED: "REJECTED",
    OrderStatus.EXPIRED_IN_MATCH: "EXPIRED_IN_MATCH",
}
EXECUTIONS: Final[Mapping[int, ExecutionWord]] = {
    ExecutionKind.NEW: "new",
    ExecutionKind.FILL: "fill",
    ExecutionKind.CANCELED: "canceled",
    ExecutionKind.EXPIRED: "expired",
    ExecutionKind.AMENDED: "amended",
    ExecutionKind.COMPLETED: "completed",
    ExecutionKind.TRIGGERED: "triggered",
    ExecutionKind.PREVENTED: "prevented",
}
STATES: Final[Mapping[int, StateWord]] = {
    InstrumentState.OPEN: "open",
    InstrumentState.POST_ONLY: "post_only",
    InstrumentState.CANCEL_ONLY: "cancel_only",
    InstrumentState.HALTED: "halted",
    InstrumentState.AUCTION: "auction",
}

_FEE_DECIMALS: Final = 4
"""Digits behind the point of a fee in percent."""


def numbers_of(words: Mapping[int, str]) -> dict[str, int]:
    """The number of each word of a table.

    >>> numbers_of(SIDES)
    {'buy': 1, 'sell': 2}
    """
    return {word: int(number) for number, word in words.items()}


timestamp: Final = time_text


def order_id_text(order_id: int) -> str:
    """
    >>> order_id_text(1)
    'ORD-0000000001'
    """
    return f"ORD-{order_id:010d}"


def fee_percent(rate: int) -> str:
    """A fee rate of millionths in percent.

    >>> fee_percent(1000), fee_percent(-50)
    ('0.1000', '-0.0050')
    """
    return format_decimal(rate, _FEE_DECIMALS)
