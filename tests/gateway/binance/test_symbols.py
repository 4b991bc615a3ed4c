"""Names of instruments in the Binance-spot face."""

import pytest
from msgspec.structs import replace

from crossbook.common.errors import ConfigError
from crossbook.common.instruments import example
from crossbook.gateway.binance.symbols import SymbolTable, check_names

BTC_USDT = example()
BTC_USD = replace(BTC_USDT, id=2, symbol="BTC-USD", quote="USD")
ETH_USDT = replace(BTC_USDT, id=3, symbol="ETH-USDT", base="ETH")


def test_a_name_leads_to_its_instrument_and_a_native_symbol_to_none() -> None:
    table = SymbolTable({each.symbol: each for each in (BTC_USDT, BTC_USD)})
    assert table.find("BTCUSDT") is BTC_USDT
    assert table.find("BTCUSD") is BTC_USD
    assert [table.find(name) for name in ("BTC-USDT", "btcusdt", "BTC", "")] == [None] * 4
    assert [name for name, _ in table] == ["BTCUSDT", "BTCUSD"]


def test_an_instrument_that_is_added_later_is_found() -> None:
    instruments = {BTC_USDT.symbol: BTC_USDT}
    table = SymbolTable(instruments)
    assert table.find("ETHUSDT") is None
    instruments[ETH_USDT.symbol] = ETH_USDT
    assert table.find("ETHUSDT") is ETH_USDT
    instruments[BTC_USD.symbol] = BTC_USD
    assert [name for name, _ in table] == ["BTCUSDT", "ETHUSDT", "BTCUSD"]


def test_an_instrument_that_changes_is_returned_as_it_is_now() -> None:
    instruments = {BTC_USDT.symbol: BTC_USDT}
    table = SymbolTable(instruments)
    assert table.find("BTCUSDT") is BTC_USDT
    instruments[BTC_USDT.symbol] = dearer = replace(BTC_USDT, taker_fee_rate=9000)
    assert table.find("BTCUSDT") is dearer


def test_two_instruments_with_one_name_are_refused_with_both_names() -> None:
    joined = replace(BTC_USDT, id=2, symbol="BTCU-SDT", base="BTCU", quote="SDT")
    check_names([BTC_USDT, BTC_USD, ETH_USDT])
    with pytest.raises(ConfigError, match="BTC-USDT and BTCU-SDT are both BTCUSDT"):
        check_names([BTC_USDT, ETH_USDT, joined])


def test_of_two_instruments_with_one_name_the_first_keeps_it() -> None:
    joined = replace(BTC_USDT, id=2, symbol="BTCU-SDT", base="BTCU", quote="SDT")
    table = SymbolTable({each.symbol: each for each in (BTC_USDT, joined)})
    assert table.find("BTCUSDT") is BTC_USDT
