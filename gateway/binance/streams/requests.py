"""The requests that a client of `/ws` and `/stream` sends, and their answers. No I/O.

`{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1}` is answered `{"result":null,"id":1}`; the
id comes back as it came. Codes and texts are those of the Binance Spot API documentation.
"""

from typing import Any, Final

import msgspec

from crossbook.common.errors import BAD_BYTES
from crossbook.gateway.web.channel import text_frame

METHODS: Final = (
    "SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY",
)  # fmt: skip

COMBINED: Final = "combined"
"""The property that is true while events are wrapped."""

UNKNOWN_PROPERTY: Final = 0
BAD_VALUE: Final = 1
INVALID_REQUEST: Final = 2
INVALID_JSON: Final = 3

NAMES_SHOWN: Final = 100
"""Characters of a client's text that an error repeats."""

_decode: Final = msgspec.json.Decoder().decode
_encode: Final = msgspec.json.Encoder().encode
_ID_MAX: Final = 36


class SubscriptionError(Exception):
    """Refuses a request: a code, and a text for people. `id` is that of the request, null where it
    could not be read."""

    def __init__(self, code: int, msg: str, number: Any = None) -> None:
        super().__init__(msg)
        self.code = code
        self.msg = msg
        self.id = number


class SubscriptionRequest(msgspec.Struct, frozen=True):
    """A request that is sound: the names or the property that it is about."""

    method: str
    params: tuple[Any, ...]
    id: Any


def read_request(text: str) -> SubscriptionRequest:
    """The request of a message; raises `SubscriptionError`.

    >>> read_request('{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":"a"}').params
    ('btcusdt@trade',)
    """
    try:
        message = _decode(text)
    except BAD_BYTES as error:
        raise SubscriptionError(INVALID_JSON, f"Invalid JSON: {error}"[:NAMES_SHOWN]) from None
    if not isinstance(message, dict):
        raise SubscriptionError(INVALID_JSON, "Invalid JSON: expected an object")
    number = message.get("id")
    is_text = isinstance(number, str) and len(number) <= _ID_MAX
    is_number = isinstance(number, int) and not isinstance(number, bool) and number >= 0
    if number is not None and not is_text and not is_number:
        raise SubscriptionError(
            INVALID_REQUEST, "Invalid request: request ID must be an unsigned integer"
        )
    method = message.get("method")
    if method not in METHODS:
        known = ", ".join(f"`{each}`" for each in METHODS)
        shown = str(method)[:NAMES_SHOWN]
        text = f"Invalid request: unknown variant `{shown}`, expected one of {known}"
        raise SubscriptionError(INVALID_REQUEST, text, number)
    params = message.get("params", [])
    if params is None:
        params = []
    if not isinstance(params, list):
        raise SubscriptionError(INVALID_REQUEST, "Invalid request: params must be a list", number)
    _check_params(method, params, number)
    return SubscriptionRequest(method, tuple(params), number)


def _check_params(method: str, params: list[Any], number: Any) -> None:
    if method in ("SUBSCRIBE", "UNSUBSCRIBE"):
        if not all(isinstance(name, str) for name in params):
            text = "Invalid request: stream name must be a string"
            raise SubscriptionError(INVALID_REQUEST, text, number)
    elif method in ("SET_PROPERTY", "GET_PROPERTY"):
        if not params or not isinstance(params[0], str):
            text = "Invalid request: property name must be a string"
            raise SubscriptionError(INVALID_REQUEST, text, number)
        if params[0] != COMBINED:
            raise SubscriptionError(UNKNOWN_PROPERTY, "Unknown property", number)
        if method == "SET_PROPERTY" and (len(params) != 2 or not isinstance(params[1], bool)):
            raise SubscriptionError(BAD_VALUE, "Invalid value type: expected Boolean", number)


def result_frame(result: Any, number: Any) -> bytes:
    """The answer to a request that succeeded."""
    return text_frame(_encode({"result": result, "id": number}))


def error_frame(error: SubscriptionError) -> bytes:
    """The answer to a request that failed."""
    return text_frame(_encode({"error": {"code": error.code, "msg": error.msg}, "id": error.id}))
