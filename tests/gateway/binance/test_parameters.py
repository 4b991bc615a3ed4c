"""Parameters of requests: where they stand, what is signed, what is refused."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossbook.gateway.binance.parameters import (
    MOMENT_MAX_NS,
    MS,
    PARAMETERS_MAX,
    SYMBOLS_MAX,
    US,
    Parameters,
    payload_of,
    values_of,
)
from crossbook.gateway.binance.problem import Refusal

MANY = json.dumps([f"A{number}" for number in range(SYMBOLS_MAX + 1)], separators=(",", ":"))

LETTERS = st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_categories=["Cc"])
NAMES = st.text(LETTERS, min_size=1, max_size=8)


@given(st.dictionaries(NAMES, NAMES, max_size=6), st.dictionaries(NAMES, NAMES, max_size=6))
def test_query_and_body_are_one_set_of_parameters_and_the_query_counts(
    query: dict[str, str], body: dict[str, str]
) -> None:
    found = values_of(urlencode(query).encode(), urlencode(body).encode())
    assert found == {**body, **query}


def test_a_plain_and_an_encoded_text_are_the_same_value() -> None:
    assert values_of(b"a=1%2B1&b=x+y", b"c=%5B%22A%22%5D") == {
        "a": "1+1", "b": "x y", "c": '["A"]',
    }  # fmt: skip


def test_empty_parts_are_no_parameters() -> None:
    assert values_of(b"&a=1&&b=2&", b"&") == {"a": "1", "b": "2"}
    assert values_of(b"a=", b"") == {"a": ""}


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"{}", -1100),
        (b'{"symbol":"BTCUSDT"}', -1100),
        (b"=1", -1100),
        (b"a=%zz", -1100),
        (b"a=%ff", -1100),
        (b"a=\xff", -1100),
        (b"a=%00", -1100),
        (b"a=1\n", -1100),
        (b"a=1&a=2", -1101),
        (b"&".join(b"p%d=1" % n for n in range(PARAMETERS_MAX + 1)), -1101),
    ],
)
def test_bytes_that_are_no_parameters_are_refused(raw: bytes, code: int) -> None:
    for query, body in ((raw, b""), (b"", raw)):
        with pytest.raises(Refusal) as refused:
            values_of(query, body)
        assert refused.value.code == code


@pytest.mark.parametrize(
    ("query", "body", "payload"),
    [
        (b"a=1&b=2&signature=ab", b"", b"a=1&b=2"),
        (b"signature=ab&a=1", b"", b"a=1"),
        (b"a=1&signature=ab&b=2", b"", b"a=1&b=2"),
        (b"a=1", b"b=2&signature=ab", b"a=1b=2"),
        (b"a=1&signature=ab", b"b=2", b"a=1b=2"),
        (b"", b"b=%20+x&signature=ab", b"b=%20+x"),
        (b"signature=ab", b"", b""),
        (b"a=1&mysignature=ab", b"", b"a=1&mysignature=ab"),
        (b"signature=x&a=1&signature=y", b"", b"a=1"),
    ],
)
def test_the_payload_is_query_and_body_as_received_without_the_signature(
    query: bytes, body: bytes, payload: bytes
) -> None:
    assert payload_of(query, body) == payload


@given(st.lists(st.sampled_from([b"a=1", b"b=%20", b"signature=x", b"c=+", b"xsignature=2"])))
def test_a_payload_is_every_other_part_in_its_order(parts: list[bytes]) -> None:
    kept = [part for part in parts if not part.startswith(b"signature=")]
    assert payload_of(b"&".join(parts), b"") == b"&".join(kept)


def code_of(read: Callable[[Parameters], Any], value: str, name: str = "x") -> int | None:
    """The code with which a value is refused; None where it is read."""
    try:
        read(Parameters({name: value}))
    except Refusal as refusal:
        return refusal.code
    return None


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("1", None),
        ("0.1", None),
        ("49999.10000000", None),
        ("1.000000000000", None),
        ("0.000000001", -1111),
        ("-1", -1100),
        ("1e3", -1100),
        (".5", -1100),
        ("5.", -1100),
        ("1,5", -1100),
        ("nan", -1100),
        ("\uff11", -1100),
        ("1" * 21, -1100),
        ("", -1105),
    ],
)
def test_a_decimal_is_plain_text_of_at_most_eight_digits(value: str, code: int | None) -> None:
    assert code_of(lambda asked: asked.decimal("x"), value) == code


def test_a_decimal_says_which_parameter_and_which_range() -> None:
    with pytest.raises(Refusal) as refused:
        Parameters({"price": "abc"}).decimal("price")
    assert refused.value.msg == (
        "Illegal characters found in parameter 'price'; legal range is "
        r"'^([0-9]{1,20})(\.[0-9]{1,20})?$'."
    )
    with pytest.raises(Refusal) as refused:
        Parameters({"quantity": "1.123456789"}).decimal("quantity")
    assert refused.value.msg == "Parameter 'quantity' has too much precision."


@pytest.mark.parametrize(
    ("value", "code"),
    [("1", None), ("10", None), ("0", -1130), ("11", -1130), ("x", -1100), ("9" * 19, -1130),
     ("9" * 25, -1100), ("-1", -1100), ("", -1105)],
)  # fmt: skip
def test_an_integer_is_within_its_bounds(value: str, code: int | None) -> None:
    assert code_of(lambda asked: asked.integer("x", 1, 10), value) == code


def test_a_count_above_the_most_is_the_most() -> None:
    counts = [Parameters(values).count("limit", 500, 1000) for values in ({}, {"limit": "5000"})]
    assert counts == [500, 1000]
    assert code_of(lambda asked: asked.count("x", 1, 2), "0") == -1130


def test_a_time_is_in_milliseconds_or_microseconds() -> None:
    asked = Parameters(
        {
            "ms": "1761482096789",
            "us": "1761482096789123",
            "far": "9" * 13,
            "last": "9" * 18,
            "more": "9" * 20,
        }
    )
    assert asked.moment_ns("ms") == 1761482096789 * MS
    assert asked.moment_ns("us") == 1761482096789123 * US
    assert asked.moment_ns("none") is None
    assert asked.unit_of("far") == MS
    assert asked.moment_ns("far") == asked.moment_ns("last") == MOMENT_MAX_NS
    with pytest.raises(Refusal) as refused:
        asked.moment_ns("more")
    assert refused.value.code == -1130


@pytest.mark.parametrize(
    ("value", "found"), [("true", True), ("TRUE", True), ("False", False), ("1", -1100)]
)
def test_a_boolean_is_a_word(value: str, found: bool | int) -> None:
    if isinstance(found, bool):
        assert Parameters({"x": value}).boolean("x") is found
    else:
        assert code_of(lambda asked: asked.boolean("x"), value) == found


@pytest.mark.parametrize(
    ("value", "code"),
    [("BTCUSDT", None), ("BTC-USDT", None), ("btcusdt", -1100), ("B" * 21, -1100), ("", -1102)],
)
def test_a_symbol_has_capital_letters_and_digits(value: str, code: int | None) -> None:
    assert code_of(lambda asked: asked.symbol(), value, "symbol") == code


@pytest.mark.parametrize(
    ("value", "code"),
    [('["A","B"]', None), ("[]", -1100), ("A", -1100), ('["a"]', -1100), ('["A", "B"]', -1100),
     (MANY, -1130), ("[1]", -1100), ('["A","A"]', -1151),
     ("", -1105)],
)  # fmt: skip
def test_symbols_are_a_json_list_of_different_names(value: str, code: int | None) -> None:
    assert code_of(lambda asked: asked.symbols(), value, "symbols") == code


@pytest.mark.parametrize(
    ("value", "code", "old"),
    [("a.A:/_-9", None, None), ("a b", -1100, None), ("n" * 37, -1100, -1100), ("é", -1100, -1100),
     ("", -1105, -1105)],
)  # fmt: skip
def test_a_new_name_is_stricter_than_the_name_of_an_order_that_exists(
    value: str, code: int | None, old: int | None
) -> None:
    assert code_of(lambda asked: asked.name("x"), value) == code
    assert code_of(lambda asked: asked.old_name("x"), value) == old


def test_a_parameter_that_is_not_there_is_none_and_a_needed_one_is_refused() -> None:
    asked = Parameters({})
    assert [
        asked.text("x"), asked.name("x"), asked.old_name("x"), asked.decimal("x"),
        asked.integer("x"), asked.boolean("x"), asked.symbols(),
    ] == [None] * 7  # fmt: skip
    with pytest.raises(Refusal) as refused:
        asked.needed("symbol")
    assert refused.value.msg.startswith("Mandatory parameter 'symbol' was not sent")


def test_times_of_an_answer_are_in_the_unit_that_was_asked_for() -> None:
    time_ns = 1_761_482_096_789_123_456
    assert Parameters({}).time(time_ns) == 1_761_482_096_789
    assert Parameters({}, US).time(time_ns) == 1_761_482_096_789_123


def test_encoded_values_are_signed_as_they_came() -> None:
    text = quote_plus('["BTCUSDT"]')
    assert payload_of(f"symbols={text}&signature=x".encode(), b"") == f"symbols={text}".encode()


def test_a_span_ends_with_the_last_nanosecond_of_its_end() -> None:
    asked = Parameters({"startTime": "5", "endTime": "5"})
    assert asked.span_ns() == (5 * MS, 6 * MS - 1)
    fine = Parameters({"startTime": "1761482096789123", "endTime": "1761482096789123"})
    assert fine.span_ns() == (1761482096789123 * US, 1761482096789123 * US + US - 1)
    assert Parameters({}).span_ns() == (None, None)
    with pytest.raises(Refusal) as refused:
        Parameters({"startTime": "6", "endTime": "5"}).span_ns()
    assert refused.value.code == -1128


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({}, None),
        ({"symbol": "A"}, "A"),
        ({"symbols": '["A"]'}, ["A"]),
        ({"symbol": "A", "symbols": '["A"]'}, -1128),
        ({"symbol": ""}, -1102),
        ({"symbols": ""}, -1105),
    ],
)
def test_a_request_names_one_symbol_or_a_list(values: dict[str, str], found: Any) -> None:
    if not isinstance(found, int):
        assert Parameters(values).symbol_or_symbols() == found
        return
    with pytest.raises(Refusal) as refused:
        Parameters(values).symbol_or_symbols()
    assert refused.value.code == found


def test_a_choice_is_one_of_its_words() -> None:
    choices = {"FULL": 1, "MINI": 2}
    assert Parameters({"x": "MINI"}).choice("x", choices, "FULL") == 2
    assert Parameters({}).choice("x", choices, "FULL") == 1
    for values, code in (({}, -1102), ({"x": ""}, -1105), ({"x": "full"}, -1130)):
        with pytest.raises(Refusal) as refused:
            Parameters(values).choice("x", choices)
        assert refused.value.code == code
