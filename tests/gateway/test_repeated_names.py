"""A name that an object has twice is found, at whatever depth and however it is written."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossbook.gateway.repeated_names import repeated_name

LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=4)
NAMES = st.text(max_size=3)
VALUES = st.dictionaries(NAMES, LEAVES | st.dictionaries(NAMES, LEAVES, max_size=3), max_size=4)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (b'{"a":1,"a":1}', "a"),
        (b'{"a":1,"b":2,"b":3,"a":4}', "b"),
        (b'{"a":1,"\\u0061":2}', "a"),
        (b'{"":1,"":2}', ""),
        (b'[{"a":[{"b":1 , "b" : 2}]}]', "b"),
        (b'{"a":' + b"1" * 5_000 + b',"a":1}', "a"),
        (b'{"a":1e400,"a":1}', "a"),
        (b'{"a":{"a":1},"b":{"a":1}}', None),
        (b'{"a":"\\"a\\":1,\\"a\\":2"}', None),
        (b'{"a":1,"A":2,"a ":3}', None),
        (b'{"a":1,"a":1', None),
        (b"\xff", None),
        (b"", None),
    ],
)
def test_the_first_repeated_name_is_found(text: bytes, name: str | None) -> None:
    assert repeated_name(text) == name


@given(VALUES)
def test_a_text_that_was_written_by_a_program_repeats_no_name(value: Any) -> None:
    assert repeated_name(json.dumps(value).encode()) is None


def test_a_text_that_is_nested_too_deep_is_an_error_and_no_crash() -> None:
    with pytest.raises(RecursionError):
        repeated_name(b"[" * 100_000)
