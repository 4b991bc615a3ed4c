"""Requests from what people write: sides as words, numbers as integers or exact decimal text.

An integer quantity is a number of lots and an integer price a number of ticks; text and `Decimal`
are quantities and prices as people write them. Floats are refused: they are not exact. The
requests made here carry request sequence zero; whoever sends them numbers them.
"""

from decimal import Decimal
from enum import IntEnum
from typing import Final, TypeVar

from common.entry import Amend, Cancel, CancelAfter, MassCancel, New
from common.types import MAX_INT, OrderType, SelfTrade, Side, TimeInForce

Number = int | str | Decimal
"""Lots, ticks or smallest units when an integer; otherwise an exact decimal."""

_E = TypeVar("_E", bound=IntEnum)
_LIMIT: Final = OrderType.LIMIT
_GTC: Final = TimeInForce.GTC


def new_order(
    symbol: str,
    side: Side | str,
    quantity: Number = 0,
    price: Number = 0,
    *,
    order_type: OrderType | str = _LIMIT,
    time_in_force: TimeInForce | str = _GTC,
    client_order_id: str = "",
    quote_amount: Number = 0,
    stop_price: Number = 0,
    display_quantity: Number = 0,
    expire_time: int = 0,
    post_only: bool = False,
    self_trade: SelfTrade | str = SelfTrade.EXPIRE_TAKER,
) -> New:
    """A new order. `expire_time` is in nanoseconds since the Unix epoch.

    >>> new_order("BTC-USDT", "buy", "0.5", "50000.01", time_in_force="ioc").time_in_force
    2
    """
    return New(
        0,
        symbol,
        choice("side", side, Side),
        number("quantity", quantity),
        number("price", price),
        choice("order_type", order_type, OrderType),
        choice("time_in_force", time_in_force, TimeInForce),
        client_order_id,
        number("quote_amount", quote_amount),
        number("stop_price", stop_price),
        number("display_quantity", display_quantity),
        expire_time,
        post_only,
        choice("self_trade", self_trade, SelfTrade),
    )


def cancel_order(symbol: str, order_id: int = 0, client_order_id: str = "") -> Cancel:
    """Cancel one open order, by its id or by its client order id."""
    _one_name(order_id, client_order_id)
    return Cancel(0, symbol, order_id, client_order_id)


def amend_order(
    symbol: str,
    order_id: int = 0,
    client_order_id: str = "",
    *,
    quantity: Number = 0,
    price: Number = 0,
    stop_price: Number = 0,
) -> Amend:
    """Change price, total quantity (filled part included) or what a waiting order waits for; zero
    leaves a term as it is."""
    _one_name(order_id, client_order_id)
    return Amend(
        0,
        symbol,
        order_id,
        client_order_id,
        number("quantity", quantity),
        number("price", price),
        number("stop_price", stop_price),
    )


def cancel_after(timeout_s: float) -> CancelAfter:
    """Cancel all open orders unless this is asked again in time; zero calls it off.

    >>> cancel_after(1.5).timeout_ms
    1500
    """
    timeout_ms = round(timeout_s * 1000)
    if not 0 <= timeout_ms <= 24 * 60 * 60 * 1000:
        raise ValueError(f"timeout_s: {timeout_s} is not within a day")
    return CancelAfter(0, timeout_ms)


def mass_cancel(symbol: str = "", side: Side | str | int = 0) -> MassCancel:
    """Cancel all open orders of the account, of one symbol and side if given."""
    return MassCancel(0, symbol, choice("side", side, Side) if side else 0)


def number(field: str, value: Number) -> int | str:
    """`value` as it travels; raises `TypeError` or `ValueError` naming `field`.

    >>> from decimal import Decimal
    >>> number("price", Decimal("5.0E+4"))
    '50000'
    >>> number("price", 50000.01)
    Traceback (most recent call last):
    TypeError: price: a float is not exact; write '50000.01' or Decimal('50000.01')
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        raise TypeError(f"{field}: a number, not {value}")
    if isinstance(value, int):
        if not 0 <= value <= MAX_INT:
            raise ValueError(f"{field}: {value} is not within 0 to {MAX_INT}")
        return int(value)
    if isinstance(value, Decimal):
        if not value.is_finite() or value.is_signed():
            raise ValueError(f"{field}: {value} is not a positive number")
        if value.adjusted() > 40:
            raise ValueError(f"{field}: {value} is too large")
        return format(value, "f")
    if isinstance(value, float):
        raise TypeError(f"{field}: a float is not exact; write '{value}' or Decimal('{value}')")
    raise TypeError(f"{field}: int, str or Decimal, not {type(value).__name__}")


def choice(field: str, value: IntEnum | str | int, words: type[_E]) -> int:
    """The number of a word, in either case; raises `ValueError` naming `field`.

    >>> choice("side", "SELL", Side)
    2
    """
    try:
        return int(words[value.upper()] if isinstance(value, str) else words(value))
    except (KeyError, ValueError):
        names = ", ".join(word.name.lower() for word in words)
        raise ValueError(f"{field}: {value!r} is none of {names}") from None


def _one_name(order_id: int, client_order_id: str) -> None:
    if not order_id and not client_order_id:
        raise ValueError("order_id: give an order_id or a client_order_id")
