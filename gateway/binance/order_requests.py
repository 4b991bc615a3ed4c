"""Reads orders of the Binance-spot face into requests of order entry. No I/O.

Only what the exchange could not read is refused here: missing and needless parameters, words that
it does not have, numbers off the grid. Every other rule is the matcher's.
"""

from collections.abc import Mapping
from typing import Final, Literal

from msgspec import Struct

from crossbook.common.errors import DecimalError
from crossbook.common.grid import Axis
from crossbook.common.instruments import Instrument
from crossbook.common.messages.entry import New
from crossbook.common.types import OrderType, Prevention, RejectReason, TimeInForce
from crossbook.gateway.binance.parameters import Parameters
from crossbook.gateway.binance.problem import (
    BAD_COMBINATION,
    BAD_STRATEGY_TYPE,
    INVALID_ORDER_TYPE,
    INVALID_SIDE,
    INVALID_TIME_IN_FORCE,
    ORDER_REJECTED,
    Refusal,
    missing,
    needless,
    none_of,
    not_valid,
    refusal_of_reason,
    too_precise,
)
from crossbook.gateway.binance.states import LIMIT_MAKER, PREVENTION_NUMBERS, SIDE_NUMBERS, TYPES
from crossbook.gateway.words import numbers_of

Form = Literal["ACK", "RESULT", "FULL"]
"""How much of an order its answer shows (`newOrderRespType`)."""

FORMS: Final[tuple[Form, ...]] = ("ACK", "RESULT", "FULL")

STRATEGY_TYPE_MIN: Final = 1_000_000

_LIMIT: Final = int(OrderType.LIMIT)
_MARKET: Final = int(OrderType.MARKET)
_TYPES: Final[Mapping[str, int]] = {**numbers_of(TYPES), LIMIT_MAKER: _LIMIT}
_TIMES: Final[Mapping[str, int]] = {
    "GTC": int(TimeInForce.GTC),
    "IOC": int(TimeInForce.IOC),
    "FOK": int(TimeInForce.FOK),
}
_TIMED: Final = ("LIMIT", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT")
_PRICED: Final = (*_TIMED, LIMIT_MAKER)
_WAITING: Final = ("STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT")
_FULL: Final = ("LIMIT", "MARKET")
_OTHERS: Final[Mapping[str, str]] = {
    "trailingDelta": "Trailing stop orders are not supported for this symbol.",
    "pegPriceType": "Pegged orders are not supported for this symbol.",
    "pegOffsetType": "Pegged orders are not supported for this symbol.",
    "pegOffsetValue": "Pegged orders are not supported for this symbol.",
}
"""Parameters of orders that the exchange does not have."""


class Wanted(Struct, gc=False):
    """An order as a request of order entry, and the form of its answer. `strategy` has the labels
    that the answer repeats."""

    order: New
    form: Form
    strategy: Mapping[str, int]


def order_of(asked: Parameters, instrument: Instrument) -> Wanted:
    """The order that the parameters describe; raises `Refusal`."""
    values = asked.values
    side = SIDE_NUMBERS.get(asked.needed("side"))
    if side is None:
        raise Refusal(INVALID_SIDE, "Invalid side.")
    kind = asked.needed("type")
    order_type = _TYPES.get(kind)
    if order_type is None:
        raise Refusal(INVALID_ORDER_TYPE, "Invalid orderType.")
    for name, text in _OTHERS.items():
        if name in values:
            raise Refusal(ORDER_REJECTED, text)
    quantity, quote_amount = _amounts(asked, kind, instrument)
    price = stop = display = 0
    ticks = instrument.grid.price
    if _belongs("price", values, kind in _PRICED):
        price = _steps(asked, "price", ticks)
    if _belongs("stopPrice", values, kind in _WAITING):
        stop = _steps(asked, "stopPrice", ticks)
    if "icebergQty" in values and asked.needed("icebergQty").strip("0."):
        _belongs("icebergQty", values, kind in _PRICED)
        display = _steps(asked, "icebergQty", instrument.grid.quantity, "display_quantity")
    order = New(
        0,
        instrument.symbol,
        side,
        quantity,
        price,
        order_type,
        _time_in_force(asked, kind),
        asked.name("newClientOrderId") or "",
        quote_amount,
        stop,
        display,
        0,
        kind == LIMIT_MAKER,
        _prevention(asked),
    )
    return Wanted(order, _form(asked, kind), _strategy(asked))


def quantity_of(asked: Parameters, name: str, instrument: Instrument) -> int:
    """The lots of a quantity that must be there; raises `Refusal`."""
    if name not in asked.values:
        raise missing(name)
    return _steps(asked, name, instrument.grid.quantity, "quantity")


def _amounts(asked: Parameters, kind: str, instrument: Instrument) -> tuple[int, int]:
    """The quantity of an order in lots, or what it may spend in units of the quote asset."""
    has_quantity, has_quote = "quantity" in asked.values, "quoteOrderQty" in asked.values
    if kind != "MARKET":
        if has_quote:
            raise needless("quoteOrderQty")
        return quantity_of(asked, "quantity", instrument), 0
    if has_quantity and has_quote:
        raise Refusal(BAD_COMBINATION, "Combination of optional parameters invalid.")
    if has_quantity:
        return quantity_of(asked, "quantity", instrument), 0
    if not has_quote:
        raise none_of("quantity", "quoteOrderQty")
    return 0, _steps(asked, "quoteOrderQty", instrument.grid.quote, "quote_amount")


def _belongs(name: str, values: Mapping[str, str], is_needed: bool) -> bool:
    """Whether the order has this parameter; raises `Refusal` where it is missing or needless."""
    if is_needed and name not in values:
        raise missing(name)
    if not is_needed and name in values:
        raise needless(name)
    return is_needed


def _time_in_force(asked: Parameters, kind: str) -> int:
    if not _belongs("timeInForce", asked.values, kind in _TIMED):
        return int(TimeInForce.GTC)
    number = _TIMES.get(asked.needed("timeInForce"))
    if number is None:
        raise Refusal(INVALID_TIME_IN_FORCE, "Invalid timeInForce.")
    return number


def _prevention(asked: Parameters) -> int:
    word = asked.text("selfTradePreventionMode")
    if word is None:
        return int(Prevention.EXPIRE_TAKER)
    number = PREVENTION_NUMBERS.get(word)
    if number is None:
        raise not_valid("selfTradePreventionMode")
    return number


def _form(asked: Parameters, kind: str) -> Form:
    word = asked.text("newOrderRespType")
    if word is None:
        return "FULL" if kind in _FULL else "ACK"
    for form in FORMS:
        if word == form:
            return form
    raise not_valid("newOrderRespType")


def _strategy(asked: Parameters) -> Mapping[str, int]:
    if "strategyId" not in asked.values and "strategyType" not in asked.values:
        return {}
    strategy_id, strategy_type = asked.integer("strategyId"), asked.integer("strategyType")
    if strategy_type is not None and strategy_type < STRATEGY_TYPE_MIN:
        raise Refusal(BAD_STRATEGY_TYPE, "strategyType was less than 1000000.")
    found = {"strategyId": strategy_id, "strategyType": strategy_type}
    return {name: number for name, number in found.items() if number is not None}


def _steps(asked: Parameters, name: str, axis: Axis, field: str = "price") -> int:
    """The steps of a decimal that is there; raises `Refusal`, for zero too: to the matcher a zero
    is a number that is not given."""
    text = asked.decimal(name)
    assert text is not None, name
    try:
        steps = axis.steps(text)
    except DecimalError as error:
        if error.reason == RejectReason.MALFORMED:
            raise too_precise(name) from None
        raise refusal_of_reason(error.reason, field) from None
    if not steps:
        reason = RejectReason.BAD_TICK if field == "price" else RejectReason.BAD_LOT
        if field == "quote_amount":
            reason = RejectReason.MIN_NOTIONAL
        raise refusal_of_reason(reason, field)
    return steps
