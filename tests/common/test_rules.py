"""Rules of the market: read from the instruments file, and recorded with their edition."""

from pathlib import Path

import msgspec
import pytest

from crossbook.common.errors import ConfigError
from crossbook.common.instruments import example
from crossbook.common.rules import (
    BALANCE_MAX,
    EDITION,
    Configuration,
    Rules,
    decode_configuration,
    encode_configuration,
    load_rules,
)

FILE = """
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


def written(folder: Path, opening: str = "", limits: str = "") -> Path:
    path = folder / "instruments.toml"
    path.write_text(FILE.format(opening=opening, limits=limits))
    return path


def test_a_configuration_comes_back_with_the_current_edition() -> None:
    rules = Rules(accounts=True, opening=(("BTC", 5), ("USDT", 7)), max_open_orders=9)
    recorded = encode_configuration([example()], rules)
    assert decode_configuration(recorded) == Configuration(
        instruments=[example()], rules=rules, edition=EDITION
    )


@pytest.mark.parametrize("count", [0, 1, 2])
def test_the_first_format_was_a_list_of_instruments(count: int) -> None:
    recorded = msgspec.msgpack.encode([example()] * count)
    if count:
        assert decode_configuration(recorded) == Configuration(
            instruments=[example()] * count, rules=Rules(), edition=1
        )
    before_editions = msgspec.msgpack.encode([2, [example()] * count, Rules(True)])
    decoded = decode_configuration(before_editions)
    assert decoded == Configuration(instruments=[example()] * count, rules=Rules(True), edition=1)


def test_loaded_rules_equal_those_of_the_file(tmp_path: Path) -> None:
    limits = "max_open_orders = 4\nmax_level_orders = 5\nmax_fills = 6"
    path = written(tmp_path, 'USDT = "1.25"\nBTC = "0.00000003"', limits)
    for accounts in (False, True):
        assert load_rules(path, accounts) == Rules(
            accounts=accounts,
            opening=(("USDT", 125), ("BTC", 3)),
            max_open_orders=4,
            max_level_orders=5,
            max_fills=6,
        )


def test_a_file_without_limits_has_the_usual_ones_and_rules_recorded_before_had_none(
    tmp_path: Path,
) -> None:
    assert load_rules(written(tmp_path), False) == Rules(
        max_open_orders=100_000, max_level_orders=100_000, max_fills=65_536
    )
    no_limit = written(tmp_path, limits="max_open_orders = 0\nmax_level_orders = 0")
    assert load_rules(no_limit, False) == Rules(max_fills=65_536)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode([True, []]), type=Rules) == Rules(True)


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
        load_rules(written(tmp_path, opening, limits), False)


def test_the_largest_opening_balance_is_accepted(tmp_path: Path) -> None:
    largest = f'BTC = "{BALANCE_MAX // 10**8}.{BALANCE_MAX % 10**8:08d}"'
    assert load_rules(written(tmp_path, largest), True).opening == (("BTC", BALANCE_MAX),)
