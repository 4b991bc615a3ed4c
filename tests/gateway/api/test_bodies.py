"""Bodies of requests: each field has its place, and each refusal its reason."""

from typing import Any

import pytest

from crossbook.common.messages.entry import Amend, New
from crossbook.common.types import MAX_INT, OrderType, Prevention, RejectReason, Side, TimeInForce
from crossbook.gateway.api import documents
from crossbook.gateway.api.bodies import (
    amend_of,
    decoder,
    explain,
    order_number,
    order_of,
    whole_number,
)
from crossbook.gateway.problem import Problem

NEEDS = {
    "limit": {"quantity": "1", "price": "2"},
    "ioc": {"quantity": "1", "price": "2"},
    "fok": {"quantity": "1", "price": "2"},
    "market": {"quantity": "1"},
    "stop": {"quantity": "1", "stop_price": "3"},
    "stop_limit": {"quantity": "1", "price": "2", "stop_price": "3"},
    "take_profit": {"quantity": "1", "stop_price": "3"},
    "take_profit_limit": {"quantity": "1", "price": "2", "stop_price": "3"},
}
"""The order types, each with the fields that it requires."""


def parsed(order_type: Any, **fields: Any) -> New:
    """The order of a body with these fields."""
    return order_of(documents.OrderRequest("BTC-USDT", order_type, "buy", **fields))


def refusal(order_type: str, **fields: Any) -> tuple[int, str | None, str]:
    """The refusal of a body with these fields: status, field and text."""
    with pytest.raises(Problem) as caught:
        parsed(order_type, **fields)
    return caught.value.status, caught.value.detail.field, caught.value.detail.message


@pytest.mark.parametrize("order_type", NEEDS)
def test_an_order_with_the_fields_of_its_type_is_accepted(order_type: str) -> None:
    made = parsed(order_type, **NEEDS[order_type])
    assert (made.request_seq, made.symbol, made.side) == (0, "BTC-USDT", Side.BUY)
    fields = NEEDS[order_type]
    assert (made.quantity or 0, made.price or 0, made.stop_price or 0) == (
        fields["quantity"], fields.get("price", 0), fields.get("stop_price", 0),
    )  # fmt: skip


@pytest.mark.parametrize("order_type", NEEDS)
@pytest.mark.parametrize("field", ["price", "stop_price", "quantity"])
def test_the_refusal_of_an_order_without_a_field_of_its_type_names_the_field(
    order_type: str, field: str
) -> None:
    fields = dict(NEEDS[order_type])
    if fields.pop(field, None) is None:
        fields[field] = "7"
        status, named, words = refusal(order_type, **fields)
        assert (status, named) == (422, field)
        assert words.endswith(f"order has no {field}")
    else:
        status, named, words = refusal(order_type, **fields)
        assert named == field
        if order_type != "market":
            assert status == 400
            assert f"a {order_type.replace('_', '-')} order needs a {field}" in words


def test_a_market_order_has_one_of_two_amounts() -> None:
    assert parsed("market", quote_quantity="5").quote_amount == "5"
    for fields in ({}, {"quantity": "1", "quote_quantity": "5"}):
        status, named, words = refusal("market", **fields)
        assert (status, named) == (422, "quantity")
        assert words.endswith("give either quantity or quote_quantity")


@pytest.mark.parametrize("order_type", [each for each in NEEDS if each != "market"])
def test_only_market_orders_have_a_quote_quantity(order_type: str) -> None:
    status, named, _ = refusal(order_type, **NEEDS[order_type], quote_quantity="5")
    assert (status, named) == (422, "quote_quantity")


@pytest.mark.parametrize("time_in_force", [None, "gtc", "ioc", "fok", "day"])
def test_only_a_good_till_date_order_has_an_expiry(time_in_force: Any) -> None:
    fields = {**NEEDS["limit"], "time_in_force": time_in_force}
    assert parsed("limit", **fields).expire_time == 0
    status, named, _ = refusal("limit", **fields, expire_time=5)
    assert (status, named) == (422, "expire_time")
    status, named, _ = refusal("limit", **NEEDS["limit"], time_in_force="gtd")
    assert (status, named) == (400, "expire_time")


@pytest.mark.parametrize("order_type", ["ioc", "fok"])
def test_an_immediate_type_is_a_limit_order_of_that_time_in_force(order_type: str) -> None:
    for again in ({}, {"time_in_force": order_type}):
        made = parsed(order_type, **NEEDS["limit"], **again)
        assert made.order_type == OrderType.LIMIT
        assert made.time_in_force == TimeInForce[order_type.upper()]
    for other in {"gtc", "ioc", "fok", "gtd", "day"} - {order_type}:
        status, named, _ = refusal(order_type, **NEEDS["limit"], time_in_force=other)
        assert (status, named) == (422, "time_in_force")


def test_every_field_has_its_place() -> None:
    body = documents.OrderRequest(
        symbol="ETH-USDT", order_type="stop_limit", side="sell", quantity="1.5", price="2.5",
        time_in_force="gtd", client_order_id="mine", quote_quantity=None, stop_price="3.5",
        display_quantity="0.5", expire_time=17, post_only=False,
        self_trade_prevention="expire_both",
    )  # fmt: skip
    assert order_of(body) == New(
        request_seq=0,
        symbol="ETH-USDT",
        side=Side.SELL,
        quantity="1.5",
        price="2.5",
        order_type=OrderType.STOP_LIMIT,
        time_in_force=TimeInForce.GTD,
        client_order_id="mine",
        quote_amount=0,
        stop_price="3.5",
        display_quantity="0.5",
        expire_time=17_000_000,
        post_only=False,
        prevention=Prevention.EXPIRE_BOTH,
    )
    assert parsed("limit", **NEEDS["limit"], post_only=True).post_only
    plain = parsed("limit", **NEEDS["limit"])
    assert (plain.time_in_force, plain.post_only) == (TimeInForce.GTC, False)
    assert plain.client_order_id == ""


def amendment(**fields: Any) -> Amend:
    return amend_of("BTC-USDT", 7, documents.AmendRequest(**fields))


def test_an_amendment_has_the_changes_and_nothing_of_the_rest() -> None:
    assert amendment(quantity="1") == Amend(
        request_seq=0,
        symbol="BTC-USDT",
        order_id=7,
        client_order_id="",
        quantity="1",
        price=0,
        stop_price=0,
    )
    assert amendment(price="2") == Amend(
        request_seq=0,
        symbol="BTC-USDT",
        order_id=7,
        client_order_id="",
        quantity=0,
        price="2",
        stop_price=0,
    )
    assert amendment(stop_price="3") == Amend(
        request_seq=0,
        symbol="BTC-USDT",
        order_id=7,
        client_order_id="",
        quantity=0,
        price=0,
        stop_price="3",
    )
    every = amendment(quantity="1", price="2", stop_price="3")
    assert every == Amend(
        request_seq=0,
        symbol="BTC-USDT",
        order_id=7,
        client_order_id="",
        quantity="1",
        price="2",
        stop_price="3",
    )


@pytest.mark.parametrize("field", ["quantity", "price", "stop_price"])
@pytest.mark.parametrize("zero", ["0", "0.0", "00", "0.000"])
def test_an_amendment_to_nothing_is_refused(field: str, zero: str) -> None:
    with pytest.raises(Problem) as caught:
        amendment(**{field: zero})
    assert (caught.value.status, caught.value.detail.field) == (400, field)


def test_an_amendment_that_changes_nothing_is_refused() -> None:
    with pytest.raises(Problem) as caught:
        amendment()
    assert caught.value.detail.field == "quantity"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("ORD-0000000001", 1),
        ("ORD-1234567890", 1_234_567_890),
        (f"ORD-{MAX_INT}", MAX_INT),
        ("ORD-0000000000", None),
        (f"ORD-{MAX_INT + 1}", None),
        ("ORD-1", None),
        ("ord-0000000001", None),
        ("ORD-0000000001 ", None),
        ("1", None),
        ("", None),
    ],
)
def test_an_order_id_is_a_number_of_64_bits(text: str, number: int | None) -> None:
    if number is None:
        with pytest.raises(Problem) as caught:
            order_number(text)
        assert (caught.value.status, caught.value.detail.field) == (400, "order_id")
    else:
        assert order_number(text) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("17", 17),
        (str(MAX_INT), MAX_INT),
        (str(MAX_INT + 1), None),
        ("0" * 19, 0),
        ("0" * 20, None),
        ("-1", None),
        ("1.0", None),
        ("", None),
        ("\N{ARABIC-INDIC DIGIT ONE}", None),
        ("\N{SUPERSCRIPT TWO}", None),
    ],
)
def test_a_whole_number_is_ascii_digits_of_64_bits(text: str, number: int | None) -> None:
    assert whole_number(text) == number


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        (b'{"symbol":"A-B","order_type":"limit","side":"buy","price":1.5}', "price", "in quotes"),
        (b'{"symbol":"A-B","order_type":"limit","side":"buy","price":1}', "price", "in quotes"),
        (b'{"symbol":"A-B","order_type":"limit","side":"up"}', "side", "up"),
        (b'{"symbol":"A-B","order_type":"limit"}', "side", "missing"),
        (b'{"symbol":"A-B","order_type":"limit","side":"buy","x":1}', "x", "unknown"),
        (
            b'{"symbol":"A-B","order_type":"limit","side":"buy","side":"sell"}',
            "side",
            "given twice",
        ),
        (
            b'{"symbol":"A-B","order_type":"limit","side":"buy","sid\\u0065":"buy"}',
            "side",
            "given twice",
        ),
        (b"[]", None, "Expected `object`"),
        (b"{", None, "the body is not JSON"),
        (b'{"symbol":"A-B","order_type":"limit","side":"buy","post_only":1}', "post_only", "bool"),
    ],
)
def test_the_refusal_of_an_unreadable_body_names_its_field(
    body: bytes, field: str | None, words: str
) -> None:
    with pytest.raises(Problem) as caught:
        decoder(documents.OrderRequest)(body)
    assert (caught.value.status, caught.value.detail.field) == (400, field)
    assert words in caught.value.detail.message


def test_the_refusal_of_a_nested_value_names_its_path() -> None:
    assert explain("Object contains unknown field `c` - at `$.a.b`").detail.field == "a.b.c"
    assert explain("Object missing required field `c`").detail.field == "c"
    assert explain("Expected `int` - at `$.a`").detail.field == "a"
    assert explain("Expected `int`").detail.field is None
    assert explain("Expected `int`", "header").detail.field == "header"
    assert "quotes" not in explain("Expected `int`, got `float` - at `$.a`").detail.message
    assert "quotes" in explain("Expected `str`, got `float` - at `$.a`").detail.message


def test_refusals_have_the_reason_of_order_entry() -> None:
    with pytest.raises(Problem) as caught:
        parsed("market", quantity="1", price="2")
    assert caught.value.detail.code == RejectReason.UNSUPPORTED_COMBINATION.name
