"""Requests of the WebSocket API and their answers. No I/O.

A request is `{"id", "method", "params"}`. Its parameters are those of REST: each becomes a text, as
it would stand in a query, so that the same functions read them. A signature is over all parameters
that came, sorted by name.
"""

from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from crossbook.common.errors import BAD_BYTES
from crossbook.gateway.binance.parameters import PARAMETERS_MAX
from crossbook.gateway.binance.problem import (
    DUPLICATE_VALUES,
    ILLEGAL_CHARACTERS,
    INVALID_JSON,
    MISSING,
    TOO_MANY_PARAMETERS,
    Refusal,
)
from crossbook.gateway.repeated_names import repeated_name
from crossbook.gateway.web.channel import text_frame

ID_MAX: Final = 36
"""Longest id, in characters."""

METHOD_MAX: Final = 64

SIGNATURE: Final = "signature"

_BAD_ID: Final = "Invalid 'id'; expected a text of at most 36 characters, an integer or null."
_BAD_FORM: Final = "Invalid request; expected an object with 'id', 'method' and 'params'."


class ApiRequest(Struct, frozen=True):
    """A sound request. `values` are its parameters as texts, `payload` what its signature is
    over."""

    id: Any
    method: str
    values: dict[str, str]
    payload: bytes


_form: Final = msgspec.json.Decoder(dict[str, Raw]).decode
_value: Final = msgspec.json.Decoder().decode
_encode: Final = msgspec.json.Encoder().encode


class BadRequestError(Exception):
    """A request that cannot be read; `id` is its id as far as it could be."""

    def __init__(self, refusal: Refusal, number: Any = None) -> None:
        super().__init__(refusal.msg)
        self.refusal = refusal
        self.id = number


def read_request(text: str) -> ApiRequest:
    """The request of a message; raises `BadRequestError`.

    >>> asked = read_request('{"id":1,"method":"ping","params":{"b":true,"a":"x","signature":"s"}}')
    >>> asked.values["b"], asked.payload
    ('true', b'a=x&b=true')
    """
    try:
        form = _form(text)
        twice = repeated_name(text.encode())
        number = _value(form["id"]) if "id" in form else None
    except BAD_BYTES:
        raise BadRequestError(Refusal(INVALID_JSON, _BAD_FORM)) from None
    is_text = isinstance(number, str) and len(number) <= ID_MAX
    is_number = isinstance(number, int) and not isinstance(number, bool)
    if number is not None and not is_text and not is_number:
        raise BadRequestError(Refusal(ILLEGAL_CHARACTERS, _BAD_ID))
    if twice is not None:
        raise BadRequestError(Refusal(TOO_MANY_PARAMETERS, DUPLICATE_VALUES), number)
    try:
        method = _value(form["method"]) if "method" in form else None
        params = msgspec.json.decode(form.get("params", Raw(b"null")), type=dict[str, Raw] | None)
    except BAD_BYTES:
        raise BadRequestError(Refusal(INVALID_JSON, _BAD_FORM), number) from None
    if not isinstance(method, str) or not 0 < len(method) <= METHOD_MAX:
        text = "Mandatory parameter 'method' was not sent, was empty/null, or malformed."
        raise BadRequestError(Refusal(MISSING, text), number)
    if params is None:
        params = {}
    if len(params) > PARAMETERS_MAX:
        text = f"Too many parameters; expected '{PARAMETERS_MAX}' and received '{len(params)}'."
        raise BadRequestError(Refusal(TOO_MANY_PARAMETERS, text), number)
    return _request(number, method, params)


def _request(number: Any, method: str, params: dict[str, Raw]) -> ApiRequest:
    texts = {name: _text(bytes(raw)) for name, raw in params.items()}
    payload = "&".join(f"{name}={texts[name]}" for name in sorted(texts) if name != SIGNATURE)
    values = {name: text for name, text in texts.items() if bytes(params[name]) != b"null"}
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in "".join(values.values())):
        text = "Illegal characters found in a parameter."
        raise BadRequestError(Refusal(ILLEGAL_CHARACTERS, text), number)
    return ApiRequest(number, method, values, payload.encode("utf-8", "surrogatepass"))


def _text(raw: bytes) -> str:
    """A JSON value as it stands in a query: texts bare, everything else as JSON."""
    if raw[:1] == b'"':
        return str(_value(raw))
    if raw[:1] in b"[{":
        return _encode(_value(raw)).decode()
    return raw.decode()


def result_frame(number: Any, result: Any, limits: list[dict[str, Any]] | None) -> bytes:
    """The answer to a request that succeeded; `limits` None leaves them out."""
    document = {"id": number, "status": 200, "result": result}
    if limits is not None:
        document["rateLimits"] = limits
    return text_frame(_encode(document))


def error_frame(number: Any, refusal: Refusal, limits: list[dict[str, Any]] | None) -> bytes:
    """The answer to a request that failed."""
    document = {"id": number, "status": refusal.status, "error": refusal.document()}
    if limits is not None:
        document["rateLimits"] = limits
    return text_frame(_encode(document))
