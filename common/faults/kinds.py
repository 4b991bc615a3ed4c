"""All kinds of faults, and the strict reading of rules."""

from collections.abc import Mapping
from typing import Any, Final, TypeAlias, get_args

import msgspec

from crossbook.common.errors import BAD_BYTES, CrossbookError
from crossbook.common.faults.face import FaceFault
from crossbook.common.faults.market_data import MarketDataFault
from crossbook.common.faults.order_entry import (
    AnswerLate,
    AnswerTwice,
    AnswerUnknown,
    CloseConnection,
    Delay,
    ExecutionsDisconnect,
    ExecutionsLate,
    ExecutionsOutOfOrder,
    ExecutionsSilent,
    NoAnswer,
    Refuse,
)
from crossbook.common.faults.rule import FaultRule, kind_of
from crossbook.common.faults.venue import VenueFault

AnyFault: TypeAlias = (
    Delay
    | Refuse
    | CloseConnection
    | AnswerUnknown
    | AnswerTwice
    | AnswerLate
    | NoAnswer
    | ExecutionsSilent
    | ExecutionsDisconnect
    | ExecutionsLate
    | ExecutionsOutOfOrder
    | MarketDataFault
    | VenueFault
    | FaceFault
)
"""A rule of any kind, as every interface carries it."""

KINDS: Final[Mapping[str, type[FaultRule]]] = {kind_of(kind): kind for kind in get_args(AnyFault)}
"""Each kind by its name."""

_decode = msgspec.json.Decoder(AnyFault).decode
_SHOWN: Final = 60


class FaultRuleError(CrossbookError):
    """A rule is malformed: the text has value and limit, `field` the field at fault where it is
    known."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field
        self.text = text


def rule_from_json(document: bytes) -> AnyFault:
    """The rule of a JSON document; raises `FaultRuleError`.

    >>> rule_from_json(b'{"kind": "no_answer", "account": 7}').account
    7
    >>> rule_from_json(b'{"kind": "delay", "milliseconds": 900000}')
    Traceback (most recent call last):
    crossbook.common.faults.kinds.FaultRuleError: 900000: Expected `float` <= 600000.0
    """
    try:
        return _decode(document)
    except BAD_BYTES as error:
        try:
            values = msgspec.json.decode(document)
        except BAD_BYTES:
            raise FaultRuleError("", f"the rule is not JSON: {error}") from None
        raise _error(str(error), values) from None


def rule_of(values: Mapping[str, Any]) -> AnyFault:
    """The rule of these values, where numbers may be text; raises `FaultRuleError`.

    >>> rule_of({"kind": "delay", "milliseconds": "200", "next": "3"}).next
    3
    """
    try:
        rule: AnyFault = msgspec.convert(values, AnyFault, strict=False)
    except msgspec.ValidationError as error:
        raise _error(str(error), values) from None
    return rule


def _error(text: str, values: Any) -> FaultRuleError:
    """The error for a decoder's text, with the value that it is about."""
    reason, mark, place = text.partition(" - at `$")
    field = place.strip("`.") if mark else ""
    kind = values.get("kind") if isinstance(values, Mapping) else None
    if field == "kind" or (isinstance(values, Mapping) and kind is None):
        return FaultRuleError("kind", f"{_shown(kind)}: kinds are {', '.join(KINDS)}")
    for phrase in ("Object contains unknown field `", "Object missing required field `"):
        if reason.startswith(phrase):
            field = reason.removeprefix(phrase).rstrip("`")
            if "unknown" in phrase:
                known = [each.name for each in msgspec.structs.fields(KINDS[str(kind)])]
                reason = f"{kind} has no such field; its fields are {', '.join(known)}"
            else:
                reason = f"{kind} needs it"
            return FaultRuleError(field, reason)
    if field and isinstance(values, Mapping) and field in values:
        reason = f"{_shown(values[field])}: {reason}"
    return FaultRuleError(field, reason)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
