"""States and ends of orders in the words of the Binance-spot face. No I/O.

The face has no word for an order that is canceled or elected later: a waiting order is NEW.
"""

from collections.abc import Mapping
from typing import Final

from crossbook.common.types import OrderType, Prevention, RejectReason, Side, TimeInForce
from crossbook.gateway.words import STATUSES, numbers_of

LIMIT_MAKER: Final = "LIMIT_MAKER"
"""The type of a limit order that only makes: natively a limit order with `post_only`."""

TYPES: Final[Mapping[int, str]] = {
    OrderType.LIMIT: "LIMIT",
    OrderType.MARKET: "MARKET",
    OrderType.STOP: "STOP_LOSS",
    OrderType.STOP_LIMIT: "STOP_LOSS_LIMIT",
    OrderType.TAKE_PROFIT: "TAKE_PROFIT",
    OrderType.TAKE_PROFIT_LIMIT: "TAKE_PROFIT_LIMIT",
}

SIDES: Final[Mapping[int, str]] = {Side.BUY: "BUY", Side.SELL: "SELL"}

TIMES_IN_FORCE: Final[Mapping[int, str]] = {
    TimeInForce.GTC: "GTC",
    TimeInForce.IOC: "IOC",
    TimeInForce.FOK: "FOK",
    # Clients decode a closed set of words: an order that ends at a time is one until canceled.
    TimeInForce.GTD: "GTC",
    TimeInForce.DAY: "GTC",
}

PREVENTIONS: Final[Mapping[int, str]] = {
    Prevention.NONE: "NONE",
    Prevention.EXPIRE_TAKER: "EXPIRE_TAKER",
    Prevention.EXPIRE_MAKER: "EXPIRE_MAKER",
    Prevention.EXPIRE_BOTH: "EXPIRE_BOTH",
    Prevention.DECREMENT: "DECREMENT",
}

STATES: Final[Mapping[int, str]] = {int(status): word for status, word in STATUSES.items()}
"""States of orders; the native ones have the same words."""

EXPIRY_REASONS: Final[Mapping[int, str]] = {
    RejectReason.IMMEDIATE_OR_CANCEL: "UNFILLED_IOC_QUANTITY_EXPIRED",
    RejectReason.FILL_OR_KILL: "UNFILLED_FOK_ORDER_EXPIRED",
    RejectReason.INSUFFICIENT_LIQUIDITY: "INSUFFICIENT_LIQUIDITY",
    RejectReason.PRICE_BAND: "EXECUTION_RULE_PRICE_RANGE_EXCEEDED",
    RejectReason.INSUFFICIENT_BALANCE: "REJECTED",
    RejectReason.TOO_MANY_FILLS: "EXCHANGE_CANCELED",
    RejectReason.LEVEL_FULL: "EXCHANGE_CANCELED",
    RejectReason.EXPIRE_TIME: "EXCHANGE_CANCELED",
}
"""`expiryReason` of an order that expired, by the reason of its end. Source: enums.md."""

WITHOUT_EXPIRY: Final = (
    RejectReason.SELF_TRADE,
    RejectReason.CANCEL_AFTER,
    RejectReason.DISCONNECTED,
)
"""Reasons of ends that are no expiry: EXPIRED_IN_MATCH by the first, CANCELED by the others."""

SIDE_NUMBERS: Final = numbers_of(SIDES)
PREVENTION_NUMBERS: Final = numbers_of(PREVENTIONS)


def type_word(order_type: int, post_only: bool) -> str:
    """The type of an order.

    >>> type_word(OrderType.LIMIT, True), type_word(OrderType.STOP, False)
    ('LIMIT_MAKER', 'STOP_LOSS')
    """
    return LIMIT_MAKER if post_only and order_type == OrderType.LIMIT else TYPES[order_type]
