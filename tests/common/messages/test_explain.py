"""The request and the field at fault, at the bounds of what the bytes show."""

from typing import Any

import msgspec
import pytest

from crossbook.common.messages.explain import Blame, blame, head_of
from crossbook.common.types import MAX_INT

FIELDS: dict[object, tuple[str, ...]] = {1: ("request_id", "symbol"), 2: ("request_id",)}
encode = msgspec.msgpack.encode


@pytest.mark.parametrize(
    ("number", "request_id"),
    [
        (0, 0), (1, 1), (MAX_INT, MAX_INT), (MAX_INT + 1, 0), (-1, 0), (True, 0), (1.0, 0),
        ("1", 0), (None, 0),
    ],
)  # fmt: skip
def test_a_request_number_is_an_integer_within_its_range(number: Any, request_id: int) -> None:
    assert blame(encode([2, number]), "", FIELDS) == Blame(request_id, "frame")


@pytest.mark.parametrize(
    ("head", "text", "found"),
    [
        ([1, 5], "at `$[0]`", Blame(5, "frame")),
        ([1, 5], "at `$[1]`", Blame(5, "request_id")),
        ([1, 5], "at `$[2]`", Blame(5, "symbol")),
        ([1, 5], "at `$[2][7].x`", Blame(5, "symbol")),
        ([1, 5], "at `$[3]`", Blame(5, "frame")),
        ([2, 5], "at `$[2]`", Blame(5, "frame")),
        ([1, 5], "no place", Blame(5, "frame")),
        ([3, 5], "at `$[1]`", Blame(5, "tag")),
        (["1", 5], "at `$[1]`", Blame(5, "tag")),
        ([True, 5], "at `$[1]`", Blame(5, "tag")),
        ([1], "at `$[1]`", Blame(0, "request_id")),
        ([], "at `$[1]`", Blame(0, "frame")),
        ({}, "at `$[1]`", Blame(0, "frame")),
        (7, "at `$[1]`", Blame(0, "frame")),
    ],
)
def test_the_field_is_the_one_at_the_place_of_the_error(head: Any, text: str, found: Blame) -> None:
    assert blame(encode(head), text, FIELDS) == found


@pytest.mark.parametrize(
    ("payload", "head"),
    [
        (encode([3]), [3]),
        (encode([3, 4, 5]), [3, 4]),
        # An element that is no text, within the first two and behind them.
        (b"\x92\xa1\xff\x05", [None, 5]),
        (b"\x93\x03\x05\xa1\xff", [3, 5]),
        (b"\x93\x03\x05", []),
        (b"", []),
        (b"\xc1", []),
    ],
)
def test_the_head_is_the_first_two_elements_of_a_whole_array(
    payload: bytes, head: list[Any]
) -> None:
    assert head_of(payload) == head
