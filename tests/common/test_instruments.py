"""Exact decimal text to ticks and lots and back, names, and changes of an instrument."""

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from crossbook.common.errors import ConfigError
from crossbook.common.instruments import check_change, definition_fault, example, name_fault

BAD_NAMES = (
    "BTC/USD", "-BTC", "_BTC", "600519", "1-2", "", "btc", "B C", "B.C", "B|C", "B\u00c4", "B\n",
    "B%2FC", "B" * 21,
)  # fmt: skip
"""Names that a topic, a path, a URL or the command line cannot carry."""


def test_a_grid_is_made_once_and_is_neither_compared_nor_encoded() -> None:
    instrument = example()
    assert instrument.grid is instrument.grid
    assert (instrument, msgspec.msgpack.encode(instrument)) == (
        example(), msgspec.msgpack.encode(example()),
    )  # fmt: skip
    assert replace(instrument, tick_size="0.1").price_text(5) == "0.5"


def test_units_of_money_are_whole() -> None:
    assert example().base_units_per_lot == 1_000
    # One lot (1e-5 BTC) at one tick (0.01 USDT) is 1e-7 USDT: ten units of 1e-8.
    assert example().notional_per_tick_lot == 10


@pytest.mark.parametrize("field", ["symbol", "base", "quote"])
@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_that_some_interface_cannot_carry_is_a_fault(name: str, field: str) -> None:
    assert name_fault(replace(example(), **{field: name})) == field


@pytest.mark.parametrize("name", ["BTC-USDT", "1INCH_USDT", "A", "600519-CNY", "X-", "B" * 20])
def test_a_name_that_every_interface_can_carry_is_admitted(name: str) -> None:
    assert not name_fault(replace(example(), symbol=name))


def test_limits_and_fees_may_change_and_name_assets_and_grid_may_not() -> None:
    known = example()
    check_change(known, replace(known, taker_fee_rate=7, max_price_ticks=9, min_notional=3))
    for field, other in (
        ("symbol", "A-B"), ("base", "A"), ("quote", "B"), ("tick_size", "0.1"), ("lot_size", "1"),
        ("base_decimals", 7), ("quote_decimals", 7),
    ):  # fmt: skip
        with pytest.raises(ConfigError, match=f"{field} was {getattr(known, field)} when"):
            check_change(known, replace(known, **{field: other}))
    with pytest.raises(ConfigError, match="is in the recorded state but not"):
        check_change(known, None)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({}, ""),
        ({"quote": "BTC"}, "quote"),
        ({"base_decimals": -1}, "base_decimals"),
        ({"tick_size": "0"}, "tick_size"),
        ({"lot_size": "x"}, "lot_size"),
        # One lot at one tick would be worth less than the smallest unit of the quote asset.
        ({"quote_decimals": 6}, "tick_size"),
        ({"quote_decimals": 7}, ""),
    ],
)
def test_a_definition_is_refused_by_the_field_at_fault(changed: dict[str, Any], field: str) -> None:
    assert definition_fault(replace(example(), **changed)) == field
