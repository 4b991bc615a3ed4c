# ruff: noqa: N818 - a refusal is an answer to a client, not a fault of the program
"""The errors of the Binance-spot face: HTTP status, code and text.

Every error has the same document: `{"code": -1121, "msg": "Invalid symbol."}`. The text is part of
the contract: clients choose their exception by it. Source of codes and texts: errors.md of the
Binance Spot API documentation. The exchange's own reasons become codes in `refusal_of`.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from crossbook.common.types import RejectReason
from crossbook.gateway.problem import Problem

UNKNOWN: Final = -1000
INTERNAL: Final = -1001
TOO_MANY_REQUESTS: Final = -1003
TIMEOUT: Final = -1007
BUSY: Final = -1008
INVALID_MESSAGE: Final = -1013
UNKNOWN_ORDER_COMPOSITION: Final = -1014
TOO_MANY_ORDERS: Final = -1015
UNSUPPORTED_OPERATION: Final = -1020
INVALID_TIMESTAMP: Final = -1021
INVALID_SIGNATURE: Final = -1022
ILLEGAL_CHARACTERS: Final = -1100
TOO_MANY_PARAMETERS: Final = -1101
MISSING: Final = -1102
PARAMETER_EMPTY: Final = -1105
NOT_REQUIRED: Final = -1106
TOO_PRECISE: Final = -1111
INVALID_TIME_IN_FORCE: Final = -1115
INVALID_ORDER_TYPE: Final = -1116
INVALID_SIDE: Final = -1117
INVALID_INTERVAL: Final = -1120
INVALID_SYMBOL: Final = -1121
INVALID_SYMBOL_STATUS: Final = -1122
INVALID_LISTEN_KEY: Final = -1125
TOO_LONG_A_TIME: Final = -1127
BAD_COMBINATION: Final = -1128
INVALID_PARAMETER: Final = -1130
BAD_STRATEGY_TYPE: Final = -1134
INVALID_JSON: Final = -1135
INVALID_RESTRICTIONS: Final = -1145
DUPLICATE_SYMBOLS: Final = -1151
ORDER_REJECTED: Final = -2010
CANCEL_REJECTED: Final = -2011
NO_SUCH_ORDER: Final = -2013
BAD_KEY_FORMAT: Final = -2014
REJECTED_KEY: Final = -2015
INVALID_TIME_UNIT: Final = -1194
REPLACE_PARTLY_FAILED: Final = -2021
REPLACE_FAILED: Final = -2022
AMEND_REJECTED: Final = -2038
NO_REFERENCE_PRICE: Final = -2043

UNKNOWN_ORDER_SENT: Final = "Unknown order sent."
DUPLICATE_VALUES: Final = "Duplicate values for a parameter detected."
DUPLICATE_ORDER_SENT: Final = "Duplicate order sent."
MARKET_CLOSED: Final = "Market is closed."
INSUFFICIENT_BALANCE: Final = "Account has insufficient balance for requested action."
WOULD_TAKE: Final = "Order would immediately match and take."
WOULD_TRIGGER: Final = "Order would trigger immediately."

_ORDER_TEXT: Final[Mapping[RejectReason, str]] = {
    RejectReason.MARKET_HALTED: MARKET_CLOSED,
    RejectReason.INSUFFICIENT_BALANCE: INSUFFICIENT_BALANCE,
    RejectReason.UNKNOWN_ORDER: UNKNOWN_ORDER_SENT,
    RejectReason.DUPLICATE_CLIENT_ORDER_ID: DUPLICATE_ORDER_SENT,
    RejectReason.UNSUPPORTED_COMBINATION: "Unsupported order combination",
    RejectReason.POST_ONLY_WOULD_TAKE: WOULD_TAKE,
    RejectReason.STOP_WOULD_TRIGGER: WOULD_TRIGGER,
}
"""Texts of what a matching engine refuses, under the code of the action: -2010, -2011, -2038."""

_FILTERS: Final[Mapping[RejectReason, str]] = {
    RejectReason.BAD_TICK: "PRICE_FILTER",
    RejectReason.BAD_LOT: "LOT_SIZE",
    RejectReason.MIN_NOTIONAL: "NOTIONAL",
    RejectReason.PRICE_BAND: "PERCENT_PRICE_BY_SIDE",
    RejectReason.LEVEL_FULL: "EXCHANGE_MAX_NUM_ORDERS",
}
"""Filters that refuse an order for a reason."""

_LIMIT_FILTERS: Final[Mapping[str, str]] = {
    "price": "PRICE_FILTER",
    "stop_price": "PRICE_FILTER",
    "quantity": "LOT_SIZE",
    "quote_amount": "NOTIONAL",
    "quote_quantity": "NOTIONAL",
    "display_quantity": "ICEBERG_PARTS",
    "account": "EXCHANGE_MAX_NUM_ORDERS",
}
"""Filters that refuse an order for a field above its limit."""

PARAMETERS: Final[Mapping[str, str]] = {
    "side": "side",
    "price": "price",
    "quantity": "quantity",
    "symbol": "symbol",
    "order_id": "orderId",
    "client_order_id": "newClientOrderId",
    "order_type": "type",
    "time_in_force": "timeInForce",
    "stop_price": "stopPrice",
    "display_quantity": "icebergQty",
    "quote_amount": "quoteOrderQty",
    "quote_quantity": "quoteOrderQty",
    "self_trade_prevention": "selfTradePreventionMode",
}
"""Parameters of this face by the names of native fields."""


class Refusal(Exception):
    """Ends a request with an error. `data` goes beside code and text where a document has it;
    `retry_after_s` becomes the header `Retry-After`."""

    def __init__(
        self,
        code: int,
        msg: str,
        status: int = 400,
        data: Any = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(msg)
        self.code = code
        self.msg = msg
        self.status = status
        self.data = data
        self.retry_after_s = retry_after_s

    def document(self) -> dict[str, Any]:
        """The error as JSON shows it.

        >>> missing("symbol").document()["code"]
        -1102
        """
        document = {"code": self.code, "msg": self.msg}
        return document if self.data is None else {**document, "data": self.data}


def missing(parameter: str) -> Refusal:
    """A mandatory parameter was not sent, or is not what it must be."""
    text = f"Mandatory parameter '{parameter}' was not sent, was empty/null, or malformed."
    return Refusal(MISSING, text)


def needless(parameter: str) -> Refusal:
    """A parameter was sent with which the request has no meaning."""
    return Refusal(NOT_REQUIRED, f"Parameter '{parameter}' sent when not required.")


def illegal(parameter: str, legal: str) -> Refusal:
    """A parameter has characters that it may not have; `legal` is the range it may have."""
    text = f"Illegal characters found in parameter '{parameter}'; legal range is '{legal}'."
    return Refusal(ILLEGAL_CHARACTERS, text)


def not_valid(parameter: str) -> Refusal:
    """A parameter has a value that it may not have."""
    return Refusal(INVALID_PARAMETER, f"Data sent for parameter '{parameter}' is not valid.")


def too_precise(parameter: str) -> Refusal:
    """A number has more digits than any instrument or asset."""
    return Refusal(TOO_PRECISE, f"Parameter '{parameter}' has too much precision.")


def invalid_symbol() -> Refusal:
    """No instrument has this name."""
    return Refusal(INVALID_SYMBOL, "Invalid symbol.")


def filter_failure(name: str) -> Refusal:
    """A filter of the symbol refuses the order."""
    return Refusal(INVALID_MESSAGE, f"Filter failure: {name}")


def no_such_order() -> Refusal:
    """A query names an order that the account does not have."""
    return Refusal(NO_SUCH_ORDER, "Order does not exist.")


def duplicate_order() -> Refusal:
    """The client order id of an order is in use."""
    return Refusal(ORDER_REJECTED, DUPLICATE_ORDER_SENT)


def unknown_path(path: str) -> Refusal:
    """This face has no such path."""
    return Refusal(UNKNOWN, f"There is no endpoint {path[:100]} here.", 404)


def none_of(one: str, other: str) -> Refusal:
    """One of two parameters must be sent, and neither was."""
    text = f"Param '{one}' or '{other}' must be sent, but both were empty/null!"
    return Refusal(MISSING, text)


def unsupported(what: str) -> Refusal:
    """The exchange has no such thing; `what` is the plural subject of the sentence."""
    return Refusal(UNSUPPORTED_OPERATION, f"{what} are not supported.")


def rejected_key() -> Refusal:
    """No key has this id, or the key may not be used for this."""
    return Refusal(REJECTED_KEY, "Invalid API-key, IP, or permissions for action.", 401)


def bad_signature() -> Refusal:
    """The signature does not fit the key and the request."""
    return Refusal(INVALID_SIGNATURE, "Signature for this request is not valid.")


def busy(retry_after_s: int | None = 1) -> Refusal:
    """The exchange takes no requests at the moment; nothing has changed."""
    text = "Server is currently overloaded with other requests. Please try again in a few minutes."
    return Refusal(BUSY, text, 503, None, retry_after_s)


def timed_out() -> Refusal:
    """No answer came in time, so the outcome is not known."""
    text = (
        "Timeout waiting for response from backend server. Send status unknown; execution status "
        "unknown."
    )
    return Refusal(TIMEOUT, text, 504)


def internal() -> Refusal:
    """A fault of the gateway; the caller has logged it."""
    text = "Internal error; unable to process your request. Please try again."
    return Refusal(INTERNAL, text, 500)


def too_many_requests(text: str, retry_after_s: int, is_banned: bool = False) -> Refusal:
    """More requests than may be sent in this time."""
    return Refusal(TOO_MANY_REQUESTS, text, 418 if is_banned else 429, None, retry_after_s)


def refusal_of_reason(
    reason: int, field: str = "", action: int = ORDER_REJECTED, retry_after_s: int | None = None
) -> Refusal:
    """The error for a `RejectReason` of the exchange. `action` is the code under which the action
    is refused: -2010 for an order, -2011 for a cancel, -2038 for an amend, -2013 for a query.

    >>> refusal_of_reason(RejectReason.BAD_TICK, "price").msg
    'Filter failure: PRICE_FILTER'
    >>> refusal_of_reason(RejectReason.UNKNOWN_ORDER, "order_id", CANCEL_REJECTED).document()
    {'code': -2011, 'msg': 'Unknown order sent.'}
    """
    known = RejectReason(reason)
    if known == RejectReason.UNKNOWN_ORDER and action == NO_SUCH_ORDER:
        return no_such_order()
    if (text := _ORDER_TEXT.get(known)) is not None:
        return Refusal(action, text)
    if known == RejectReason.EXCEEDS_LIMIT:
        return filter_failure(_LIMIT_FILTERS.get(field, "LOT_SIZE"))
    if (name := _FILTERS.get(known)) is not None:
        is_slice = field == "display_quantity"
        return filter_failure("ICEBERG_PARTS" if is_slice else name)
    if known == RejectReason.THROTTLED:
        wait_s = retry_after_s or 1
        if action == ORDER_REJECTED:
            return Refusal(TOO_MANY_ORDERS, "Too many new orders.", 429, None, wait_s)
        return too_many_requests("Too many requests queued.", wait_s)
    other = _OTHERS.get(known)
    # The reasons left are those for which orders end, and no request is refused for them.
    return Refusal(action, known.name) if other is None else other(PARAMETERS.get(field, field))


def refusal_of(problem: Problem, action: int = ORDER_REJECTED) -> Refusal:
    """The error for a problem of the native interfaces.

    >>> from crossbook.gateway.problem import history_unavailable
    >>> refusal_of(history_unavailable("the recorder is silent")).code
    -1008
    """
    detail = problem.detail
    field = detail.field or ""
    if detail.code in RejectReason.__members__:
        reason = RejectReason[detail.code]
        return refusal_of_reason(reason, field, action, problem.retry_after_s)
    if problem.status == 503:
        return busy(problem.retry_after_s)
    if problem.status >= 500:
        return internal()
    if problem.status == 401:
        return rejected_key()
    return Refusal(UNKNOWN, detail.message, problem.status)


def _malformed(parameter: str) -> Refusal:
    return missing(parameter) if parameter else Refusal(MISSING, _MALFORMED)


_MALFORMED: Final = "A mandatory parameter was not sent, was empty/null, or malformed."

_OTHERS: Final[Mapping[RejectReason, Callable[[str], Refusal]]] = {
    RejectReason.MALFORMED: _malformed,
    RejectReason.UNKNOWN_SYMBOL: lambda _: invalid_symbol(),
    RejectReason.STALE_REQUEST: lambda _: Refusal(
        INVALID_TIMESTAMP, "Timestamp for this request is outside of the recvWindow."
    ),
    RejectReason.BUSY: lambda _: busy(),
    RejectReason.NOT_LOGGED_ON: lambda _: rejected_key(),
    RejectReason.TOO_LARGE: lambda _: Refusal(
        TOO_MANY_PARAMETERS, "Too many parameters sent.", 413
    ),
    RejectReason.INTERNAL: lambda _: internal(),
    RejectReason.OUTCOME_UNKNOWN: lambda _: timed_out(),
    RejectReason.TOO_LATE: _malformed,
    RejectReason.FORBIDDEN: lambda _: rejected_key(),
    RejectReason.UNKNOWN_KEY: lambda _: rejected_key(),
    RejectReason.DUPLICATE_KEY: lambda _: rejected_key(),
    RejectReason.DUPLICATE_TRANSFER: lambda _: duplicate_order(),
}
