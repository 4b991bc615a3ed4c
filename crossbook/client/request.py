"""Requests from the arguments of users: words, exact decimals, or whole steps.

A price, quantity or quote amount is decimal text or a `Decimal`, in the instrument's own assets.
Ticks, lots and the quote asset's smallest units have arguments of their own, which take integers
only; so 65000 is never read as 650.00. A bare number where a decimal belongs is refused before
anything is sent, as a float is. The requests have request sequence zero until a session numbers
them.
"""

from collections.abc import Set
from decimal import Decimal
from enum import IntEnum
from operator import index
from typing import Final, SupportsFloat, TypedDict, TypeVar, Unpack

from crossbook.common.messages.entry import Amend, Cancel, CancelAfter, MassCancel, New
from crossbook.common.types import MAX_INT, OrderType, Prevention, Side, TimeInForce
from crossbook.errors import InvalidArgument

Amount = str | Decimal
"""An exact decimal, in the asset it is an amount of."""

_E = TypeVar("_E", bound=IntEnum)
_LIMIT: Final = OrderType.LIMIT
_GTC: Final = TimeInForce.GTC
_EXPIRE_TAKER: Final = Prevention.EXPIRE_TAKER


class OrderTerms(TypedDict, total=False):
    """The terms of a new order other than symbol, side, quantity and price."""

    order_type: OrderType | str
    """"limit" unless given; "market", "stop", "stop_limit", "take_profit", "take_profit_limit"."""

    time_in_force: TimeInForce | str
    """"gtc" unless given; "ioc", "fok", "gtd", "day"."""

    client_order_id: str
    """The account's own id of the order, used once."""

    quote_amount: Amount | None
    """Money that a market order spends or brings, in place of a quantity."""

    stop_price: Amount | None
    """Price of the last trade at which a waiting order enters the book."""

    display_quantity: Amount | None
    """Quantity that an iceberg shows at a time."""

    expire_time: int | None
    """End of an order with "gtd", in nanoseconds since the Unix epoch."""

    post_only: bool
    """Refuse the order where it would trade at once."""

    prevention: Prevention | str
    """"expire_taker" unless given; "expire_maker", "expire_both", "decrement", "none"."""

    quantity_lots: int | None
    """The quantity in whole lots."""

    price_ticks: int | None
    """The price in whole ticks."""

    quote_units: int | None
    """The quote amount in the quote asset's smallest units."""

    stop_price_ticks: int | None
    """The stop price in whole ticks."""

    display_lots: int | None
    """The display quantity in whole lots."""


class AmendedTerms(TypedDict, total=False):
    """The terms that an amendment may change; a term that is not given stays as it is."""

    quantity: Amount | None
    """The new total quantity, the filled part included."""

    price: Amount | None
    """The new limit price."""

    stop_price: Amount | None
    """The new price that a waiting order waits for."""

    quantity_lots: int | None
    """The quantity in whole lots."""

    price_ticks: int | None
    """The price in whole ticks."""

    stop_price_ticks: int | None
    """The stop price in whole ticks."""


_ORDER_TERMS: Final = frozenset(OrderTerms.__annotations__)
_AMENDED_TERMS: Final = frozenset(AmendedTerms.__annotations__)


def new_order(
    symbol: str,
    side: Side | str,
    quantity: Amount | None = None,
    price: Amount | None = None,
    **terms: Unpack[OrderTerms],
) -> New:
    """A new order, with any of `OrderTerms`.

    Raises `TypeError` or `ValueError` naming the argument.

    >>> new_order("BTC-USDT", "buy", "0.5", "50000.01", time_in_force="ioc").time_in_force
    2
    >>> new_order("BTC-USDT", "buy", quantity_lots=50_000, price_ticks=5_000_001).price
    5000001
    """
    _check_terms("new_order", terms.keys(), _ORDER_TERMS)
    expire_time = terms.get("expire_time")
    return New(
        0,
        symbol,
        choice("side", side, Side),
        _either("quantity", quantity, "quantity_lots", terms.get("quantity_lots")),
        _either("price", price, "price_ticks", terms.get("price_ticks")),
        choice("order_type", terms.get("order_type", _LIMIT), OrderType),
        choice("time_in_force", terms.get("time_in_force", _GTC), TimeInForce),
        terms.get("client_order_id", ""),
        _either("quote_amount", terms.get("quote_amount"), "quote_units", terms.get("quote_units")),
        _either(
            "stop_price", terms.get("stop_price"), "stop_price_ticks", terms.get("stop_price_ticks")
        ),
        _either(
            "display_quantity",
            terms.get("display_quantity"),
            "display_lots",
            terms.get("display_lots"),
        ),
        0 if expire_time is None else whole("expire_time", expire_time),
        terms.get("post_only", False),
        choice("prevention", terms.get("prevention", _EXPIRE_TAKER), Prevention),
    )


def cancel_order(symbol: str, order_id: int = 0, client_order_id: str = "") -> Cancel:
    """Cancel one open order, by its id or by its client order id."""
    _one_name(order_id, client_order_id)
    return Cancel(0, symbol, order_id, client_order_id)


def amend_order(
    symbol: str, order_id: int = 0, client_order_id: str = "", **terms: Unpack[AmendedTerms]
) -> Amend:
    """Change an open order by any of `AmendedTerms`."""
    _check_terms("amend_order", terms.keys(), _AMENDED_TERMS)
    _one_name(order_id, client_order_id)
    return Amend(
        0,
        symbol,
        order_id,
        client_order_id,
        _either("quantity", terms.get("quantity"), "quantity_lots", terms.get("quantity_lots")),
        _either("price", terms.get("price"), "price_ticks", terms.get("price_ticks")),
        _either(
            "stop_price", terms.get("stop_price"), "stop_price_ticks", terms.get("stop_price_ticks")
        ),
    )


def cancel_after(timeout_s: float) -> CancelAfter:
    """Cancel all open orders unless this request is repeated in time; zero calls it off.

    >>> cancel_after(1.5).timeout_ms
    1500
    """
    if isinstance(timeout_s, bool) or not isinstance(timeout_s, SupportsFloat):
        raise TypeError(f"timeout_s: a number of seconds, not {timeout_s!r}")
    if timeout_s and not 0.001 <= timeout_s <= 24 * 60 * 60:
        raise InvalidArgument(
            "timeout_s", f"{timeout_s} is not within 0.001 to 86400, nor 0", "0.001 to 86400, or 0"
        )
    return CancelAfter(0, round(timeout_s * 1000))


def mass_cancel(symbol: str | None = None, side: Side | str | None = None) -> MassCancel:
    """Cancel all open orders of the account, of one symbol and side if given.

    An empty symbol or side is refused, because it would widen what it was meant to narrow.

    >>> mass_cancel("")
    Traceback (most recent call last):
    crossbook.errors.InvalidArgument: symbol: '' is no instrument; leave it out to cancel in all
    """
    if symbol == "":
        raise InvalidArgument(
            "symbol", "'' is no instrument; leave it out to cancel in all", "an instrument"
        )
    return MassCancel(0, symbol or "", 0 if side is None else choice("side", side, Side))


def decimal_text(field: str, value: Amount, steps: str) -> str:
    """The text of `value` in a message; raises `TypeError` or `ValueError` naming `field`.

    `steps` names the argument for the same amount as a whole number.

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
            raise InvalidArgument(field, f"{value} is not a positive number", "above 0")
        if value.adjusted() >= 40:
            raise InvalidArgument(
                field, f"{value} is too large: at most 40 digits", "at most 40 digits"
            )
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
    crossbook.errors.InvalidArgument: price_ticks: 0 is not within 1 to 9223372036854775807
    """
    if isinstance(value, bool):
        raise TypeError(f"{field}: an int, not {value}")
    try:
        number = index(value)
    except TypeError:
        raise TypeError(f"{field}: an int, not {type(value).__name__}") from None
    if not 1 <= number <= MAX_INT:
        limit = f"1 to {MAX_INT}"
        raise InvalidArgument(field, f"{number} is not within {limit}", limit)
    return number


def _either(field: str, value: Amount | None, steps: str, count: int | None) -> int | str:
    """An amount given as a decimal or as a number of steps; zero where it is not given."""
    if count is None:
        return 0 if value is None else decimal_text(field, value, steps)
    if value is not None:
        raise InvalidArgument(field, f"give {field} or {steps}, not both", "one of both")
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
        raise InvalidArgument(field, f"{value!r} is none of {names}", names) from None


def _check_terms(function: str, given: Set[str], known: frozenset[str]) -> None:
    for name in given - known:
        raise TypeError(f"{function}() got an unexpected keyword argument {name!r}")


def _one_name(order_id: int, client_order_id: str) -> None:
    if bool(order_id) == bool(client_order_id):
        raise InvalidArgument("order_id", "give one of order_id and client_order_id", "one of both")
