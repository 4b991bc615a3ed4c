"""Requests from what people write: sides as words, amounts as exact decimals, or whole steps.

A price, quantity or quote amount is decimal text or a `Decimal`, in the instrument's own assets.
Ticks, lots and the quote asset's smallest units have arguments of their own, which take integers
only; so 65000 is never read as 650.00. A bare number where a decimal belongs is refused before
anything is sent, as a float is. The requests made here carry request sequence zero; whoever sends
them numbers them.
"""

from decimal import Decimal
from enum import IntEnum
from operator import index
from typing import Final, TypeVar

from crossbook.common.messages.entry import Amend, Cancel, CancelAfter, MassCancel, New
from crossbook.common.types import MAX_INT, OrderType, Prevention, Side, TimeInForce

Amount = str | Decimal
"""An exact decimal, in the asset it is an amount of."""

_E = TypeVar("_E", bound=IntEnum)
_LIMIT: Final = OrderType.LIMIT
_GTC: Final = TimeInForce.GTC


def new_order(
    symbol: str,
    side: Side | str,
    quantity: Amount | None = None,
    price: Amount | None = None,
    *,
    order_type: OrderType | str = _LIMIT,
    time_in_force: TimeInForce | str = _GTC,
    client_order_id: str = "",
    quote_amount: Amount | None = None,
    stop_price: Amount | None = None,
    display_quantity: Amount | None = None,
    expire_time: int | None = None,
    post_only: bool = False,
    prevention: Prevention | str = Prevention.EXPIRE_TAKER,
    quantity_lots: int | None = None,
    price_ticks: int | None = None,
    quote_units: int | None = None,
    stop_price_ticks: int | None = None,
    display_lots: int | None = None,
) -> New:
    """A new order. `expire_time` is in nanoseconds since the Unix epoch.

    Raises `TypeError` or `ValueError` naming the argument.

    >>> new_order("BTC-USDT", "buy", "0.5", "50000.01", time_in_force="ioc").time_in_force
    2
    >>> new_order("BTC-USDT", "buy", quantity_lots=50_000, price_ticks=5_000_001).price
    5000001
    """
    return New(
        0,
        symbol,
        choice("side", side, Side),
        _either("quantity", quantity, "quantity_lots", quantity_lots),
        _either("price", price, "price_ticks", price_ticks),
        choice("order_type", order_type, OrderType),
        choice("time_in_force", time_in_force, TimeInForce),
        client_order_id,
        _either("quote_amount", quote_amount, "quote_units", quote_units),
        _either("stop_price", stop_price, "stop_price_ticks", stop_price_ticks),
        _either("display_quantity", display_quantity, "display_lots", display_lots),
        0 if expire_time is None else whole("expire_time", expire_time),
        post_only,
        choice("prevention", prevention, Prevention),
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
    quantity: Amount | None = None,
    price: Amount | None = None,
    stop_price: Amount | None = None,
    quantity_lots: int | None = None,
    price_ticks: int | None = None,
    stop_price_ticks: int | None = None,
) -> Amend:
    """Change price, total quantity (filled part included) or what a waiting order waits for; a
    term that is not given stays as it is."""
    _one_name(order_id, client_order_id)
    return Amend(
        0,
        symbol,
        order_id,
        client_order_id,
        _either("quantity", quantity, "quantity_lots", quantity_lots),
        _either("price", price, "price_ticks", price_ticks),
        _either("stop_price", stop_price, "stop_price_ticks", stop_price_ticks),
    )


def cancel_after(timeout_s: float) -> CancelAfter:
    """Cancel all open orders unless this is asked again in time; zero calls it off.

    >>> cancel_after(1.5).timeout_ms
    1500
    """
    timeout_ms = round(timeout_s * 1000)
    if timeout_s and not 1 <= timeout_ms <= 24 * 60 * 60 * 1000:
        raise ValueError(f"timeout_s: {timeout_s} is not within 0.001 to 86400, nor 0")
    return CancelAfter(0, timeout_ms)


def mass_cancel(symbol: str | None = None, side: Side | str | None = None) -> MassCancel:
    """Cancel all open orders of the account, of one symbol and side if given.

    An empty symbol or side is refused: what was meant to narrow must not widen.

    >>> mass_cancel("")
    Traceback (most recent call last):
    ValueError: symbol: '' is no instrument; leave it out to cancel in all of them
    """
    if symbol == "":
        raise ValueError("symbol: '' is no instrument; leave it out to cancel in all of them")
    return MassCancel(0, symbol or "", 0 if side is None else choice("side", side, Side))


def decimal_text(field: str, value: Amount, steps: str) -> str:
    """`value` as it travels; raises `TypeError` or `ValueError` naming `field`.

    `steps` is the argument that takes the same as a whole number.

    >>> from decimal import Decimal
    >>> decimal_text("price", Decimal("5.0E+4"), "price_ticks")
    '50000'
    >>> decimal_text("price", 65000, "price_ticks")
    Traceback (most recent call last):
    TypeError: price: a bare int may be meant either way; write price='65000' for a decimal, \
or price_ticks=65000
    """
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Decimal):
        if not value.is_finite() or value <= 0:
            raise ValueError(f"{field}: {value} is not a positive number")
        if value.adjusted() > 40:
            raise ValueError(f"{field}: {value} is too large: at most 40 digits")
        return format(value, "f")
    kind = type(value).__name__
    if isinstance(value, bool):
        raise TypeError(f"{field}: decimal text or Decimal, or {steps}= an int; not {value}")
    try:
        number = index(value)
    except TypeError:
        pass
    else:
        raise TypeError(
            f"{field}: a bare {kind} may be meant either way; write {field}='{number}' for a "
            f"decimal, or {steps}={number}"
        )
    if isinstance(value, float):
        raise TypeError(
            f"{field}: a float is not exact; write {field}='{value}' or Decimal('{value}'), or "
            f"{steps}= an int"
        )
    raise TypeError(f"{field}: decimal text or Decimal, or {steps}= an int; not {kind}")


def whole(field: str, value: int) -> int:
    """A positive whole number, of whatever integer type; raises naming `field`.

    >>> whole("price_ticks", 0)
    Traceback (most recent call last):
    ValueError: price_ticks: 0 is not within 1 to 9223372036854775807
    """
    if isinstance(value, bool):
        raise TypeError(f"{field}: an int, not {value}")
    try:
        number = index(value)
    except TypeError:
        raise TypeError(f"{field}: an int, not {type(value).__name__}") from None
    if not 1 <= number <= MAX_INT:
        raise ValueError(f"{field}: {number} is not within 1 to {MAX_INT}")
    return number


def _either(field: str, value: Amount | None, steps: str, count: int | None) -> int | str:
    """An amount given as a decimal or as a number of steps; zero where it is not given."""
    if count is None:
        return 0 if value is None else decimal_text(field, value, steps)
    if value is not None:
        raise ValueError(f"{field}: give {field} or {steps}, not both")
    return whole(steps, count)


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
    if bool(order_id) == bool(client_order_id):
        raise ValueError("order_id: give one of order_id and client_order_id")
