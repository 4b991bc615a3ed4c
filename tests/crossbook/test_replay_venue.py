"""Instruments of replays: their grids, and the money a replay takes."""

import pytest
from msgspec.structs import replace

from common.entry import Balance
from common.errors import ConfigError
from common.instruments import definition_fault, example
from crossbook.console import CommandError
from crossbook.replay_reference import Needs
from crossbook.replay_venue import check_money, definition, needed, own_grid


@pytest.mark.parametrize(
    ("tick_size", "lot_size"),
    [("0.01", "1"), ("0.0001", "1"), ("0.01", "0.00000001"), ("0.05", "0.5"), ("1", "1")],
)
def test_every_grid_makes_an_instrument_without_fees(tick_size: str, lot_size: str) -> None:
    made = definition(7, 65_535, tick_size, lot_size)

    assert definition_fault(made) == ""
    assert made.symbol == "REPLAY-7"
    assert (made.maker_fee_rate, made.taker_fee_rate, made.min_notional) == (0, 0, 0)
    assert made.price_text(1) == f"{float(tick_size):.{made.price_decimals}f}"


def test_a_grid_finer_than_money_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"tick 0\.0000000001 and lot 0\.000000001"):
        definition(1, 1, "0.0000000001", "0.000000001")


def test_the_grid_is_that_of_the_name_unless_the_files_say_another_tick() -> None:
    assert own_grid(example(), "") == ("0.01", "0.00001")
    assert own_grid(example(), "0.01") == ("0.01", "0.00001")
    assert own_grid(example(), "0.0001") == ("0.0001", "1")
    assert own_grid(None, "0.0001") == ("0.0001", "1")


NEEDS = Needs(base_lots=100, quote_tick_lots=5_000, traded_lots=40, traded_tick_lots=2_000, fills=3)


def test_what_is_needed_is_what_is_held_and_the_fees() -> None:
    """One lot of the example is 1,000 satoshi; 0.1 % and 0.2 % of what is traded, and a unit of
    rounding for each side of a fill."""
    free = replace(example(), maker_fee_rate=0, taker_fee_rate=0)
    unit = free.notional_per_tick_lot

    assert needed(free, NEEDS) == [("BTC", 8, 100_000), ("USDT", 8, 5_000 * unit)]
    assert needed(example(), NEEDS) == [
        ("BTC", 8, 100_000 + 40_000 * 3 // 1_000 + 6),
        ("USDT", 8, 5_000 * unit + 2_000 * unit * 3 // 1_000 + 6),
    ]


def test_an_account_that_lacks_money_is_told_how_much_and_how_it_gets_it() -> None:
    free = replace(example(), maker_fee_rate=0, taker_fee_rate=0)
    unit = free.notional_per_tick_lot
    has = [Balance("BTC", 100_000, 1), Balance("USDT", 5_000 * unit, 0)]

    with pytest.raises(CommandError) as caught:
        check_money(free, has, 6, NEEDS)

    assert "account 6 lacks 0.00000001 BTC for" in str(caught.value)
    assert "crossbook admin deposit 6 BTC 0.00000001;" in str(caught.value)
    assert "USDT" not in str(caught.value).replace("BTC-USDT", "")
    check_money(free, [replace(has[0], held=0), has[1]], 6, NEEDS)
    check_money(free, [], 6, NEEDS)
