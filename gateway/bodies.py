"""Bodies of requests: decoded strictly, and said in the words of order entry."""

import re
from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec

from common.entry import Amend, New
from common.types import MAX_INT, OrderType, RejectReason, Side, TimeInForce
from gateway import documents
from gateway.problem import Problem, malformed, refused

SIDES: Final = {"buy": int(Side.BUY), "sell": int(Side.SELL)}
TIMES: Final = {
    "gtc": int(TimeInForce.GTC),
    "ioc": int(TimeInForce.IOC),
    "fok": int(TimeInForce.FOK),
}

ACCOUNT_MAX: Final = 2**31 - 1

_ORDER_ID: Final = re.compile(r"ORD-(\d{10,19})", re.ASCII)

T = TypeVar("T")


def decoder(kind: type[T]) -> Callable[[bytes], T]:
    """A decoder of bodies of one kind; it raises `Problem` 400 naming the field at fault."""
    decode = msgspec.json.Decoder(kind).decode

    def decode_body(body: bytes) -> T:
        try:
            return decode(body)
        except msgspec.ValidationError as error:
            raise explain(str(error)) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise malformed(None, f"the body is not JSON: {error}") from None

    return decode_body


def explain(text: str, field: str | None = None) -> Problem:
    """A decoder's complaint ("Expected ... - at `$.price`") as a problem that names the field."""
    what, mark, place = text.partition(" - at `$")
    if mark:
        field = place.rstrip("`").lstrip(".")
    for phrase in ("Object contains unknown field `", "Object missing required field `"):
        if what.startswith(phrase):
            name = what.removeprefix(phrase).rstrip("`")
            field = f"{field}.{name}" if field else name
    if "`str" in what and ("got `float`" in what or "got `int`" in what):
        what += ": numbers are sent as decimal text, in quotes"
    return malformed(field or None, what)


def order_number(text: str) -> int:
    """The number of an order id; raises `Problem`."""
    found = _ORDER_ID.fullmatch(text)
    if found is None or not 0 < int(found[1]) <= MAX_INT:
        raise malformed("order_id", f"{text[:40]!r} is not an order id such as ORD-0000000001")
    return int(found[1])


def account_number(text: str, field: str) -> int:
    """The account a client names; raises `Problem`."""
    number = whole_number(text)
    if number is None or not 1 <= number <= ACCOUNT_MAX:
        raise malformed(field, f"an account is a number from 1 to {ACCOUNT_MAX}")
    return number


def whole_number(text: str) -> int | None:
    """The number that ASCII digits say; None for anything else and for more than 64 bits."""
    if not (text.isascii() and text.isdigit()) or len(text) > 19 or int(text) > MAX_INT:
        return None
    return int(text)


def order_of(body: documents.OrderRequest) -> New:
    """The order-entry request of a body; raises `Problem` where fields contradict each other."""
    time_in_force = body.time_in_force
    if body.order_type in ("ioc", "fok"):
        if time_in_force not in (None, body.order_type):
            text = f"order_type {body.order_type} says another one"
            raise _contradiction("time_in_force", text)
        time_in_force = body.order_type
    is_market = body.order_type == "market"
    if is_market:
        if body.price is not None:
            raise _contradiction("price", "a market order has no price")
        if (body.quantity is None) == (body.quote_quantity is None):
            raise _contradiction("quantity", "give either quantity or quote_quantity")
    else:
        if body.price is None:
            raise malformed("price", "a limit order needs a price")
        if body.quantity is None:
            raise malformed("quantity", "a limit order needs a quantity")
        if body.quote_quantity is not None:
            raise _contradiction("quote_quantity", "only market orders have one")
    return New(
        0,
        body.symbol,
        SIDES[body.side],
        body.quantity if body.quantity is not None else 0,
        body.price if body.price is not None else 0,
        int(OrderType.MARKET if is_market else OrderType.LIMIT),
        TIMES[time_in_force or "gtc"],
        body.client_order_id or "",
        body.quote_quantity if body.quote_quantity is not None else 0,
    )


def amend_of(symbol: str, order_id: int, body: documents.AmendRequest) -> Amend:
    """The order-entry request of a body; raises `Problem` when it changes nothing."""
    if body.price is None and body.quantity is None:
        raise malformed("quantity", "give a new quantity, a new price or both")
    quantity, price = _nonzero("quantity", body.quantity), _nonzero("price", body.price)
    return Amend(0, symbol, order_id, "", quantity, price)


def _nonzero(field: str, text: str | None) -> Any:
    """An amend's text, which may not say zero: on the wire that leaves a term as it is."""
    if text is None:
        return 0
    if not text.strip("0."):
        raise malformed(field, f"{text!r} is not a new {field}")
    return text


def _contradiction(field: str, text: str) -> Problem:
    return refused(RejectReason.UNSUPPORTED_COMBINATION, field, text)
