"""Bodies of requests: strict decoders, and their translation to requests of order entry."""

import re
from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec

from crossbook.common.errors import BAD_BYTES
from crossbook.common.messages.entry import Amend, New
from crossbook.common.types import MAX_INT, OrderType, RejectReason
from crossbook.gateway.api import documents
from crossbook.gateway.problem import Problem, malformed, refused
from crossbook.gateway.repeated_names import repeated_name
from crossbook.gateway.words import ORDER_TYPES, PREVENTIONS, SIDES, TIMES_IN_FORCE, numbers_of

_TYPES: Final[dict[str, int]] = {
    **numbers_of(ORDER_TYPES),
    "ioc": int(OrderType.LIMIT),
    "fok": int(OrderType.LIMIT),
}
_TIMES: Final = numbers_of(TIMES_IN_FORCE)
_SIDES: Final = numbers_of(SIDES)
_PREVENTIONS: Final = numbers_of(PREVENTIONS)

_WAITING: Final = ("stop", "stop_limit", "take_profit", "take_profit_limit")
_AT_MARKET: Final = ("market", "stop", "take_profit")

_NAME_SHOWN: Final = 40
_ORDER_ID: Final = re.compile(r"ORD-(\d{10,19})", re.ASCII)

T = TypeVar("T")


def decoder(kind: type[T]) -> Callable[[bytes], T]:
    """A decoder of bodies of one kind; it raises `Problem` 400 with the field at fault."""
    decode = msgspec.json.Decoder(kind).decode

    def decode_body(body: bytes) -> T:
        try:
            decoded = decode(body)
            twice = repeated_name(bytes(body))
        except msgspec.ValidationError as error:
            raise explain(str(error)) from None
        except BAD_BYTES as error:
            raise malformed(None, f"the body is not JSON: {error}") from None
        if twice is not None:
            raise malformed(twice[:_NAME_SHOWN], "given twice")
        return decoded

    return decode_body


def explain(text: str, field: str | None = None) -> Problem:
    """The problem for the error text of a decoder, such as "Expected ... - at `$.price`"."""
    reason, mark, place = text.partition(" - at `$")
    if mark:
        field = place.rstrip("`").lstrip(".")
    for phrase in ("Object contains unknown field `", "Object missing required field `"):
        if reason.startswith(phrase):
            name = reason.removeprefix(phrase).rstrip("`")
            field = f"{field}.{name}" if field else name
    if "`str" in reason and ("got `float`" in reason or "got `int`" in reason):
        reason += ": numbers are sent as decimal text, in quotes"
    return malformed(field or None, reason)


def order_number(text: str) -> int:
    """The number in an order id; raises `Problem`."""
    found = _ORDER_ID.fullmatch(text)
    if found is None or not 0 < int(found[1]) <= MAX_INT:
        raise malformed("order_id", f"{text[:40]!r} is not an order id such as ORD-0000000001")
    return int(found[1])


def whole_number(text: str) -> int | None:
    """The number of ASCII digits; None for other text and for more than 64 bits."""
    if not (text.isascii() and text.isdigit()) or len(text) > 19 or int(text) > MAX_INT:
        return None
    return int(text)


def order_of(body: documents.OrderRequest) -> New:
    """The order-entry request of a body; raises `Problem` where fields contradict each other."""
    time_in_force = body.time_in_force
    if body.order_type in ("ioc", "fok"):
        if time_in_force not in (None, body.order_type):
            text = f"order_type {body.order_type} implies another one"
            raise _contradiction("time_in_force", text)
        time_in_force = body.order_type
    _check_terms(body, time_in_force)
    return New(
        0,
        body.symbol,
        _SIDES[body.side],
        body.quantity or 0,
        body.price or 0,
        _TYPES[body.order_type],
        _TIMES[time_in_force or "gtc"],
        body.client_order_id or "",
        body.quote_quantity or 0,
        body.stop_price or 0,
        body.display_quantity or 0,
        (body.expire_time or 0) * 1_000_000,
        body.post_only,
        _PREVENTIONS[body.self_trade_prevention],
    )


def _check_terms(body: documents.OrderRequest, time_in_force: str | None) -> None:
    """Raise `Problem` unless the order has the fields that its type needs, and no others."""
    kind = body.order_type.replace("_", "-")
    waits = body.order_type in _WAITING
    at_market = body.order_type in _AT_MARKET
    if waits != (body.stop_price is not None):
        raise _field_problem("stop_price", kind, waits)
    if at_market != (body.price is None):
        raise _field_problem("price", kind, not at_market)
    if body.order_type == "market":
        if (body.quantity is None) == (body.quote_quantity is None):
            raise _contradiction("quantity", "give either quantity or quote_quantity")
    elif body.quantity is None:
        raise malformed("quantity", f"a {kind} order needs a quantity")
    elif body.quote_quantity is not None:
        raise _contradiction("quote_quantity", "only market orders have one")
    if (time_in_force == "gtd") != (body.expire_time is not None):
        raise _field_problem("expire_time", time_in_force or "gtc", time_in_force == "gtd")


def _field_problem(field: str, kind: str, needs: bool) -> Problem:
    """The problem of a field that is missing, or that the order cannot have."""
    if needs:
        return malformed(field, f"a {kind} order needs a {field}")
    return _contradiction(field, f"a {kind} order has no {field}")


def amend_of(symbol: str, order_id: int, body: documents.AmendRequest) -> Amend:
    """The order-entry request of a body; raises `Problem` when it changes nothing."""
    if body.price is None and body.quantity is None and body.stop_price is None:
        raise malformed("quantity", "give a new quantity, price or stop_price")
    quantity, price = _nonzero("quantity", body.quantity), _nonzero("price", body.price)
    return Amend(0, symbol, order_id, "", quantity, price, _nonzero("stop_price", body.stop_price))


def _nonzero(field: str, text: str | None) -> Any:
    """The text of an amend, which may not be zero: in order entry zero leaves a term as it is."""
    if text is None:
        return 0
    if not text.strip("0."):
        raise malformed(field, f"{text!r} is not a new {field}")
    return text


def _contradiction(field: str, text: str) -> Problem:
    return refused(RejectReason.UNSUPPORTED_COMBINATION, field, text)
