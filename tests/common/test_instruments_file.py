"""The instruments file: every field has its place, and every fault a message that names it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from crossbook.common.errors import ConfigError
from crossbook.common.instruments import MAX_NOTIONAL, Instrument
from crossbook.common.instruments_file import load_assignment, load_instruments, load_rules
from crossbook.common.rules import BALANCE_MAX, Rules
from tests.common.test_instruments import BAD_NAMES

SHIPPED = Path(__file__).resolve().parents[2] / "instruments.toml"

GOOD = """
[assets]
BTC = 8
USDT = 8

[[instrument]]
id = 1
symbol = "BTC-USDT"
base = "BTC"
quote = "USDT"
tick_size = "0.01"
lot_size = "0.00001"
max_price = "10000000"
min_quantity = "0.00001"
max_quantity = "9000"
"""

RULES = """
{limits}
[assets]
BTC = 8
USDT = 2
[opening]
{opening}
[[instrument]]
id = 1
symbol = "BTC-USDT"
base = "BTC"
quote = "USDT"
tick_size = "0.01"
lot_size = "1"
max_price = "10"
min_quantity = "1"
max_quantity = "9"
"""


def with_rules(folder: Path, opening: str = "", limits: str = "") -> Path:
    path = folder / "instruments.toml"
    path.write_text(RULES.format(opening=opening, limits=limits))
    return path


def test_the_shipped_file_loads() -> None:
    instruments = load_instruments(SHIPPED)
    assert instruments[0].symbol == "BTC-USDT"
    assert len(instruments) >= 3
    assert (instruments[0].maker_fee_rate, instruments[0].taker_fee_rate) == (1_000, 2_000)
    assert len({instrument.id for instrument in instruments}) == len(instruments)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.toml"):
        load_instruments(tmp_path / "gone.toml")


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("id = 1", "id = 0", "id must be"),
        ("id = 1", "id = 65536", "id must be"),
        ("id = 1", "id = 'one'", "id"),
        ('symbol = "BTC-USDT"', 'symbol = "btc usdt"', "symbol must be"),
        ('symbol = "BTC-USDT"', f'symbol = "{"B" * 21}"', "symbol must be"),
        ('symbol = "BTC-USDT"', "", "symbol"),
        ('base = "BTC"', 'base = "DOGE"', "DOGE"),
        ("USDT = 8", "USDT = 19", "USDT"),
        ("USDT = 8", "USDT = 4", "USDT more decimals"),
        ("BTC = 8", "BTC = 2", "lot_size"),
        ('tick_size = "0.01"', 'tick_size = "0"', "tick_size"),
        ('tick_size = "0.01"', "tick_size = 0.01", "tick_size"),
        ('tick_size = "0.01"', 'tick_size = "-1"', "tick_size"),
        ('lot_size = "0.00001"', 'lot_size = "0"', "lot_size"),
        ('max_price = "10000000"', 'max_price = "0.001"', "max_price"),
        ('max_price = "10000000"', 'max_price = "0"', "max_price"),
        ('min_quantity = "0.00001"', 'min_quantity = "0.000001"', "min_quantity"),
        ('min_quantity = "0.00001"', 'min_quantity = "0"', "min_quantity"),
        ('max_quantity = "9000"', 'max_quantity = "0.000001"', "max_quantity"),
        ('max_quantity = "9000"', 'max_quantity = "9000"\nmin_notional = "x"', "min_notional"),
        ('max_quantity = "9000"', 'max_quantity = "9000"\nmaker_fee_percent = "11"', "maker_fee"),
        ('max_quantity = "9000"', 'max_quantity = "9000"\ntaker_fee_percent = "?"', "taker_fee"),
        ('max_quantity = "9000"', 'max_quantity = "9000"\nmaker_fee_percent = "-1"', "rebate"),
        ('max_quantity = "9000"', 'max_quantity = "9000"\ncolour = "red"', "colour"),
        (GOOD, "[assets]\ninstrument = []", "instrument"),
        (GOOD, "instrument = []\n[assets]\nBTC = 8", "no .*instrument"),
        (GOOD, GOOD + GOOD.partition("USDT = 8")[2], "id is used twice"),
        (GOOD, "not toml", "instruments file"),
    ],
)
def test_a_wrong_entry_is_refused_by_name(
    tmp_path: Path, old: str, new: str, complaint: str
) -> None:
    path = tmp_path / "instruments.toml"
    path.write_text(GOOD)
    assert load_instruments(path)
    assert old in GOOD
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(ConfigError, match=complaint):
        load_instruments(path)


def test_a_rebate_is_a_negative_maker_fee(tmp_path: Path) -> None:
    path = tmp_path / "instruments.toml"
    path.write_text(GOOD + 'maker_fee_percent = "-0.01"')
    assert load_instruments(path)[0].maker_fee_rate == -100


@pytest.mark.parametrize("loader", [load_instruments, lambda path: load_assignment(path, 2)])
def test_a_file_that_is_not_utf8_is_refused_in_one_line(
    tmp_path: Path, loader: Callable[[Path], object]
) -> None:
    path = tmp_path / "instruments.toml"
    path.write_bytes(b"# one\n# t\xfcr\n")
    with pytest.raises(ConfigError) as caught:
        loader(path)
    assert str(caught.value) == (
        f"instruments file {path}: line 2, byte 4: 0xfc is not UTF-8; save the file as UTF-8"
    )


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_that_would_not_work_everywhere_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "instruments.toml"
    path.write_text(GOOD.replace('symbol = "BTC-USDT"', f"symbol = {json.dumps(name)}"))
    with pytest.raises(ConfigError, match="symbol must be 1 to 20 of A-Z") as caught:
        load_instruments(path)
    assert repr(name) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_asset_is_named_by_the_same_rule(tmp_path: Path) -> None:
    path = tmp_path / "instruments.toml"
    path.write_text(GOOD.replace('"USDT"', '"U/T"').replace("USDT =", '"U/T" ='))
    with pytest.raises(ConfigError, match=r"quote must be 1 to 12 of A-Z.*not 'U/T'"):
        load_instruments(path)


LIMITS = """
min_notional = "5"
maker_fee_percent = "-0.01"
taker_fee_percent = "0.05"
min_price = "0.02"
max_notional = "1000"
band_low = "0.05"
band_high = "100"
band_percent = "12.5"
"""


def test_every_field_of_the_file_has_its_place(tmp_path: Path) -> None:
    path = tmp_path / "instruments.toml"
    path.write_text(GOOD + LIMITS)
    (found,) = load_instruments(path)
    assert found == Instrument(
        id=1, symbol="BTC-USDT", base="BTC", quote="USDT", tick_size="0.01",
        lot_size="0.00001", base_decimals=8, quote_decimals=8, max_price_ticks=10**9,
        min_quantity_lots=1, max_quantity_lots=900_000_000, min_notional=5 * 10**8,
        maker_fee_rate=-100, taker_fee_rate=500, min_price_ticks=2, max_notional=1000 * 10**8,
        band_low_ticks=5, band_high_ticks=10_000, band_rate=125_000,
    )  # fmt: skip
    path.write_text(GOOD)
    (plain,) = load_instruments(path)
    assert (plain.min_price_ticks, plain.min_notional, plain.max_notional) == (1, 0, MAX_NOTIONAL)
    assert (plain.band_low_ticks, plain.band_high_ticks, plain.band_rate) == (0, 0, 0)
    assert (plain.maker_fee_rate, plain.taker_fee_rate) == (1_000, 2_000)


@pytest.mark.parametrize(
    ("changed", "sound"),
    [
        ('maker_fee_percent = "-0.05"\ntaker_fee_percent = "0.05"', True),
        ('maker_fee_percent = "-0.0501"\ntaker_fee_percent = "0.05"', False),
        ('taker_fee_percent = "10"', True),
        ('taker_fee_percent = "10.0001"', False),
        ('min_price = "10000000"', True),
        ('min_price = "10000000.01"', False),
    ],
)
def test_limits_hold_to_the_last_digit(tmp_path: Path, changed: str, sound: bool) -> None:
    path = tmp_path / "instruments.toml"
    path.write_text(GOOD + changed)
    if sound:
        assert len(load_instruments(path)) == 1
    else:
        with pytest.raises(ConfigError):
            load_instruments(path)


def test_loaded_rules_equal_those_of_the_file(tmp_path: Path) -> None:
    limits = "max_open_orders = 4\nmax_level_orders = 5\nmax_fills = 6"
    path = with_rules(tmp_path, 'USDT = "1.25"\nBTC = "0.00000003"', limits)
    for accounts in (False, True):
        assert load_rules(path, accounts) == Rules(
            accounts=accounts,
            opening=(("USDT", 125), ("BTC", 3)),
            max_open_orders=4,
            max_level_orders=5,
            max_fills=6,
        )


def test_a_file_without_limits_has_the_usual_ones(tmp_path: Path) -> None:
    assert load_rules(with_rules(tmp_path), False) == Rules(
        max_open_orders=100_000, max_level_orders=100_000, max_fills=65_536
    )
    no_limit = with_rules(tmp_path, limits="max_open_orders = 0\nmax_level_orders = 0")
    assert load_rules(no_limit, False) == Rules(max_fills=65_536)


@pytest.mark.parametrize(
    ("opening", "limits", "words"),
    [
        ('ETH = "1"', "", "opening: ETH has no decimals"),
        ('USDT = "1.234"', "", "opening: USDT"),
        ('USDT = "x"', "", "opening: USDT"),
        (f'BTC = "{(BALANCE_MAX + 1) // 10**8}.{(BALANCE_MAX + 1) % 10**8:08d}"', "", "more than"),
        ("", "max_open_orders = -1", "max_open_orders may not be negative, not -1"),
        ("", "max_level_orders = -2", "max_level_orders may not be negative, not -2"),
        ("", "max_fills = 0", "max_fills must be 1 to 65536, not 0"),
        ("", "max_fills = 65537", "max_fills must be 1 to 65536, not 65537"),
    ],
)
def test_rules_that_cannot_hold_are_refused(
    tmp_path: Path, opening: str, limits: str, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        load_rules(with_rules(tmp_path, opening, limits), False)


def test_the_largest_opening_balance_is_accepted(tmp_path: Path) -> None:
    largest = f'BTC = "{BALANCE_MAX // 10**8}.{BALANCE_MAX % 10**8:08d}"'
    assert load_rules(with_rules(tmp_path, largest), True).opening == (("BTC", BALANCE_MAX),)
