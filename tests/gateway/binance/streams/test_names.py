"""Names of streams: those that there are, and those of which nothing comes."""

import pytest

from crossbook.gateway.binance.market.intervals import INTERVALS
from crossbook.gateway.binance.streams.names import StreamName, parse


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("btcusdt@trade", StreamName("trade", "BTCUSDT")),
        ("btcusdt@aggTrade", StreamName("aggTrade", "BTCUSDT")),
        ("btcusdt@bookTicker", StreamName("bookTicker", "BTCUSDT")),
        ("btcusdt@ticker", StreamName("ticker", "BTCUSDT")),
        ("btcusdt@miniTicker", StreamName("miniTicker", "BTCUSDT")),
        ("btcusdt@depth", StreamName("depth", "BTCUSDT", 0, 1_000)),
        ("btcusdt@depth@100ms", StreamName("depth", "BTCUSDT", 0, 100)),
        ("btcusdt@depth@1000ms", StreamName("depth", "BTCUSDT", 0, 1_000)),
        ("btcusdt@depth20", StreamName("depth", "BTCUSDT", 20, 1_000)),
        ("btcusdt@depth5@100ms", StreamName("depth", "BTCUSDT", 5, 100)),
        ("!ticker@arr", StreamName("ticker")),
        ("!miniTicker@arr", StreamName("miniTicker")),
        ("!miniTicker@arr@1000ms", StreamName("miniTicker")),
    ],
)
def test_a_name_has_its_meaning(name: str, meaning: StreamName) -> None:
    assert parse(name) == meaning


@pytest.mark.parametrize("interval", INTERVALS)
def test_there_are_klines_of_every_interval(interval: str) -> None:
    assert parse(f"btcusdt@kline_{interval}") == StreamName("kline", "BTCUSDT", interval=interval)


@pytest.mark.parametrize(
    "name",
    [
        "", "0", "btcusdt", "BTCUSDT@trade", "btcusdt@Trade", "btcusdt@depth7", "btcusdt@depth@9ms",
        "btcusdt@kline_7m", "btcusdt@1m", "btcusdt@trade@100ms", "!ticker", "!bookTicker@arr",
        "btcusdt@depth\n", "ß@trade", "x" * 100 + "@trade",
    ],
)  # fmt: skip
def test_other_names_mean_nothing(name: str) -> None:
    assert parse(name) is None
