"""The request and the field at fault of unsound bytes, as far as the bytes show them."""

import re
from collections.abc import Mapping
from typing import Any, get_args

import msgspec
from msgspec import Struct

from crossbook.common.errors import BAD_BYTES
from crossbook.common.types import MAX_INT

_decode = msgspec.msgpack.Decoder().decode
_decode_elements = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode


class Blame(Struct, frozen=True):
    """Number of a request (zero where it cannot be read) and the field at fault."""

    request_id: int
    field: str


def fields_by_tag(union: Any) -> dict[object, tuple[str, ...]]:
    """The fields of each message of a union, by its tag, under their public names."""
    return {kind.__struct_config__.tag: kind.__struct_encode_fields__ for kind in get_args(union)}


def blame(
    payload: bytes | msgspec.Raw, text: str, fields: Mapping[object, tuple[str, ...]]
) -> Blame:
    """The request and field that msgspec's error `text` about `payload` refers to.

    >>> from crossbook.common.messages.matcher_queries import MatcherQuery
    >>> payload = msgspec.msgpack.encode([2, "x"])
    >>> blame(payload, "Expected `int`, got `str` - at `$[1]`", fields_by_tag(MatcherQuery))
    Blame(request_id=0, field='request_id')
    """
    head = head_of(payload)
    if not head:
        return Blame(0, "frame")
    number = head[1] if len(head) > 1 else 0
    request_id = number if type(number) is int and 0 <= number <= MAX_INT else 0
    names = fields.get(head[0]) if type(head[0]) is int else None
    if names is None:
        return Blame(request_id, "tag")
    # msgspec names the place in the array, where the tag is element 0.
    place = re.search(r"`\$\[(\d+)\]", text)
    index = int(place[1]) if place else 0
    return Blame(request_id, names[index - 1] if 1 <= index <= len(names) else "frame")


def head_of(payload: bytes | msgspec.Raw) -> list[Any]:
    """The first two elements of an array, tag and number of a request; None for an unsound element.

    Later elements need not be sound, as long as each ends within `payload`. Empty for anything but
    such an array.

    >>> head_of(b"\\x93\\x03\\x05\\xa2\\xff\\xfe")
    [3, 5]
    >>> head_of(b"\\x93\\x03\\x05\\xa2\\xff")
    []
    """
    try:
        elements = _decode_elements(payload)
    except BAD_BYTES:
        return []
    return [_value_of(element) for element in elements[:2]]


def _value_of(element: msgspec.Raw) -> Any:
    try:
        return _decode(element)
    except (*BAD_BYTES, ValueError, TypeError):
        # Also for a time out of range, and for a map with keys that a dict cannot have.
        return None
