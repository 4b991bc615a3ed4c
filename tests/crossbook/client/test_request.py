"""Requests from the arguments of users: exact amounts are sent, ambiguous ones refused."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from crossbook import AsyncClient, Client, InvalidArgument
from crossbook.client.request import (
    AmendedTerms,
    OrderTerms,
    amend_order,
    cancel_after,
    cancel_order,
    mass_cancel,
    new_order,
)
from crossbook.common.messages.entry import Amend, New
from crossbook.common.types import MAX_INT, Side

AMOUNTS = [
    ("quantity", "quantity_lots"),
    ("price", "price_ticks"),
    ("quote_amount", "quote_units"),
    ("stop_price", "stop_price_ticks"),
    ("display_quantity", "display_lots"),
]
AMENDABLE = [AMOUNTS[0], AMOUNTS[1], AMOUNTS[3]]
CALLS = [(new, *names) for new in (True,) for names in AMOUNTS] + [
    (False, *names) for names in AMENDABLE
]


class Eight(int):
    """An integer type of a library, as numpy's are."""


class Index:
    """An integer that is no `int`, as numpy's are."""

    def __index__(self) -> int:
        return 8


def made(new: bool, **amounts: Any) -> New | Amend:
    if new:
        return new_order("BTC-USDT", "buy", **amounts)
    return amend_order("BTC-USDT", 1, **amounts)


@pytest.mark.parametrize(("new", "decimal", "steps"), CALLS)
@pytest.mark.parametrize("value", [65000, 0, -1, Eight(8), Index()])
def test_a_bare_integer_in_place_of_a_decimal_is_refused_with_both_spellings(
    new: bool, decimal: str, steps: str, value: Any
) -> None:
    number = value.__index__()
    with pytest.raises(TypeError) as caught:
        made(new, **{decimal: value})
    text = str(caught.value)
    assert text.startswith(f"{decimal}: a bare ")
    assert f"write {decimal}='{number}'" in text
    assert f"{steps}={number}" in text


@pytest.mark.parametrize(("new", "decimal", "steps"), CALLS)
@pytest.mark.parametrize("value", [0.5, True, b"1", [1]])
def test_the_refusal_of_an_inexact_decimal_names_its_argument(
    new: bool, decimal: str, steps: str, value: Any
) -> None:
    with pytest.raises(TypeError, match=rf"^{decimal}: .*{steps}="):
        made(new, **{decimal: value})


@pytest.mark.parametrize(("new", "decimal", "steps"), CALLS)
@pytest.mark.parametrize("value", ["NaN", "Infinity", "-1", "0", "0.00", "-0", "1E+50"])
def test_a_decimal_that_is_no_amount_names_its_argument(
    new: bool, decimal: str, steps: str, value: str
) -> None:
    with pytest.raises(ValueError, match=rf"^{decimal}: "):
        made(new, **{decimal: Decimal(value)})


@pytest.mark.parametrize(("new", "decimal", "steps"), CALLS)
def test_amounts_travel_exactly_in_either_spelling(new: bool, decimal: str, steps: str) -> None:
    field = {"display_lots": "display_quantity"}.get(steps, decimal)
    for value, travels in (("0.50", "0.50"), (Decimal("0.50"), "0.50"), (Decimal("1E3"), "1000")):
        assert getattr(made(new, **{decimal: value}), field) == travels
    for count in (1, 8, MAX_INT, Eight(8), Index()):
        found = getattr(made(new, **{steps: count}), field)
        assert found == count.__index__()
        assert type(found) is int
    assert getattr(made(new), field) == 0


@pytest.mark.parametrize(("new", "decimal", "steps"), CALLS)
@pytest.mark.parametrize(
    ("value", "error"),
    [
        (0, ValueError),
        (-1, ValueError),
        (MAX_INT + 1, ValueError),
        (True, TypeError),
        (5.0, TypeError),
        ("5", TypeError),
        (Decimal("5"), TypeError),
    ],
)
def test_steps_are_positive_integers(
    new: bool, decimal: str, steps: str, value: Any, error: type[Exception]
) -> None:
    with pytest.raises(error, match=rf"^{steps}: "):
        made(new, **{steps: value})


@pytest.mark.parametrize(("new", "decimal", "steps"), CALLS)
def test_an_amount_is_given_in_one_spelling(new: bool, decimal: str, steps: str) -> None:
    with pytest.raises(ValueError, match=f"give {decimal} or {steps}, not both"):
        made(new, **{decimal: "1", steps: 1})


@pytest.mark.parametrize("value", [0, -1, True, 1.5, "1"])
def test_an_expiry_is_a_positive_number_of_nanoseconds(value: Any) -> None:
    with pytest.raises((TypeError, ValueError), match=r"^expire_time: "):
        new_order("BTC-USDT", "buy", "1", "1", time_in_force="gtd", expire_time=value)


@pytest.mark.parametrize(
    "call",
    [
        lambda: mass_cancel(""),
        lambda: mass_cancel(side=""),
        lambda: mass_cancel(side=0),  # type: ignore[arg-type]
        lambda: cancel_order("BTC-USDT", 0, ""),
        lambda: cancel_order("BTC-USDT", 4, "mine"),
        lambda: amend_order("BTC-USDT", 4, "mine", price="1"),
        lambda: cancel_after(0.0001),
        lambda: cancel_after(-1),
    ],
)
def test_an_empty_or_doubled_argument_is_refused(
    call: Callable[[], object],
) -> None:
    with pytest.raises(ValueError, match=r"^(symbol|side|order_id|timeout_s): "):
        call()


@pytest.mark.parametrize("value", ["5", True, False, None, b"5"])
def test_a_time_that_is_no_number_of_seconds_is_refused_by_name(value: Any) -> None:
    with pytest.raises(TypeError, match=r"^timeout_s: a number of seconds, not "):
        cancel_after(value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_time_without_an_end_is_refused_by_name(value: float) -> None:
    with pytest.raises(ValueError, match=r"^timeout_s: "):
        cancel_after(value)


def test_words_become_the_protocols_numbers() -> None:
    order = new_order("BTC-USDT", "SELL", "1", order_type="market", time_in_force="ioc")
    assert (order.side, order.order_type, order.time_in_force) == (2, 2, 2)
    assert new_order("BTC-USDT", Side.BUY).side == 1
    assert mass_cancel(side="buy").side == 1
    assert mass_cancel().side == 0
    with pytest.raises(ValueError, match="side: 'up' is none of buy, sell"):
        new_order("BTC-USDT", "up")
    with pytest.raises(ValueError, match="order_id"):
        cancel_order("BTC-USDT")
    with pytest.raises(ValueError, match="order_id"):
        amend_order("BTC-USDT", quantity="1")


@pytest.mark.parametrize("name", ["pric", "account", "quantity_ticks"])
def test_a_term_that_does_not_exist_is_refused(name: str) -> None:
    given: dict[str, Any] = {name: "1"}
    refusal = f"unexpected keyword argument '{name}'"
    with pytest.raises(TypeError, match=refusal):
        new_order("BTC-USDT", "buy", "1", "1", **given)
    with pytest.raises(TypeError, match=refusal):
        amend_order("BTC-USDT", 1, **given)


def test_the_help_of_both_clients_names_every_term() -> None:
    for client in (Client, AsyncClient):
        for method, terms in ((client.submit, OrderTerms), (client.amend, AmendedTerms)):
            text = f"{method.__doc__} {terms.__doc__}"
            unnamed = {name for name in terms.__annotations__ if f"`{name}`" not in text}
            assert not unnamed


@pytest.mark.parametrize(
    ("call", "field", "limit"),
    [
        (lambda: new_order("BTC-USDT", "hold", "1"), "side", "buy, sell"),
        (lambda: new_order("BTC-USDT", "buy", Decimal(0)), "quantity", "above 0"),
        (
            lambda: new_order("BTC-USDT", "buy", "1", price_ticks=0),
            "price_ticks",
            f"1 to {MAX_INT}",
        ),
        (lambda: new_order("BTC-USDT", "buy", "1", quantity_lots=1), "quantity", "one of both"),
        (lambda: cancel_order("BTC-USDT"), "order_id", "one of both"),
        (lambda: cancel_after(1e9), "timeout_s", "0.001 to 86400, or 0"),
        (lambda: mass_cancel(""), "symbol", "an instrument"),
    ],
)
def test_a_wrong_argument_is_named_with_its_limit(
    call: Callable[[], object], field: str, limit: str
) -> None:
    with pytest.raises(InvalidArgument, match=f"^{field}: ") as caught:
        call()
    assert isinstance(caught.value, ValueError)
    assert (caught.value.field, caught.value.limit) == (field, limit)
