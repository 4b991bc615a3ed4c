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
max_open_orders = {orders}
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


def written(folder: Path, opening: str = "", orders: int = 0) -> Path:
    path = folder / "instruments.toml"
    path.write_text(FILE.format(opening=opening, orders=orders))
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
    path = written(tmp_path, 'USDT = "1.25"\nBTC = "0.00000003"', orders=4)
    for accounts in (False, True):
        assert load_rules(path, accounts) == Rules(
            accounts=accounts, opening=(("USDT", 125), ("BTC", 3)), max_open_orders=4
        )
    assert load_rules(written(tmp_path), False) == Rules()


@pytest.mark.parametrize(
    ("opening", "orders", "words"),
    [
        ('ETH = "1"', 0, "opening: ETH has no decimals"),
        ('USDT = "1.234"', 0, "opening: USDT"),
        ('USDT = "x"', 0, "opening: USDT"),
        (f'BTC = "{(BALANCE_MAX + 1) // 10**8}.{(BALANCE_MAX + 1) % 10**8:08d}"', 0, "more than"),
        ("", -1, "max_open_orders may not be negative"),
    ],
)
def test_rules_that_cannot_hold_are_refused(
    tmp_path: Path, opening: str, orders: int, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        load_rules(written(tmp_path, opening, orders), False)


def test_the_largest_opening_balance_is_taken(tmp_path: Path) -> None:
    largest = f'BTC = "{BALANCE_MAX // 10**8}.{BALANCE_MAX % 10**8:08d}"'
    assert load_rules(written(tmp_path, largest), True).opening == (("BTC", BALANCE_MAX),)
