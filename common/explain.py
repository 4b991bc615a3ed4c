"""Which request and which field unsound bytes were about, as far as the bytes allow to say."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from common.types import MAX_INT

_decode = msgspec.msgpack.Decoder().decode


class Blame(Struct, frozen=True):
    """Number of the request (zero when it cannot be read) and the field at fault."""

    request_id: int
    field: str


def fields_by_tag(union: Any) -> dict[object, tuple[str, ...]]:
    """The fields of each message of a union, by its tag."""
    return {kind.__struct_config__.tag: kind.__struct_fields__ for kind in union.__args__}


def blame(payload: bytes, text: str, fields: Mapping[object, tuple[str, ...]]) -> Blame:
    """What msgspec's complaint `text` about `payload` is to be blamed on.

    >>> from common.sync import SyncRequest
    >>> payload = msgspec.msgpack.encode([2, "x"])
    >>> blame(payload, "Expected `int`, got `str` - at `$[1]`", fields_by_tag(SyncRequest))
    Blame(request_id=0, field='request_id')
    """
    try:
        value: Any = _decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError, TypeError):
        return Blame(0, "frame")
    if not isinstance(value, list) or not value:
        return Blame(0, "frame")
    number = value[1] if len(value) > 1 else 0
    request_id = number if type(number) is int and 0 <= number <= MAX_INT else 0
    names = fields.get(value[0] if isinstance(value[0], int) else None)
    if names is None:
        return Blame(request_id, "tag")
    # msgspec names the place in the array, where the tag is element 0.
    place = re.search(r"`\$\[(\d+)\]", text)
    index = int(place[1]) if place else 0
    return Blame(request_id, names[index - 1] if 1 <= index <= len(names) else "frame")
