"""The market-data endpoints of the face against the plain market behind them."""

import random
from typing import Any

import pytest
from msgspec.structs import replace

from crossbook.common.following.candles import SECOND_NS
from crossbook.common.messages.feed import Ticker
from crossbook.gateway.binance.problem import Refusal
from crossbook.gateway.problem import Problem
from tests.gateway.binance.market.plain_market import ETH, NOW_NS, PlainMarket
from tests.worlds.plain_recorder import plain_ticker

MS = 10**6


def traded(count: int = 40, seed: int = 1) -> PlainMarket:
    """Trades of the last minutes, several of them at one time."""
    draw = random.Random(seed)
    market = PlainMarket()
    time_ns = NOW_NS - 400 * SECOND_NS
    for _ in range(count):
        time_ns += draw.choice((0, 0, 1_000 * MS, 2_300 * MS, 15_000 * MS))
        market.trade_at(time_ns, 5_000_000 + draw.randint(-9, 9), draw.randint(1, 9))
    market.trades = [replace(each, aggressor_side=draw.choice((1, 2))) for each in market.trades]
    market.now_ns = time_ns + MS
    return market


def with_ticker(market: PlainMarket) -> Ticker:
    """The ticker of the trades, which the market shows."""
    notional = market.instrument.notional_per_tick_lot
    ticker = plain_ticker(market.trades, market.now_ns, notional, 9, (4_999_990, 3, 5_000_010, 4))
    market.tickers["BTC-USDT"] = ticker
    return ticker


def row(each: Any) -> dict[str, Any]:
    return {
        "id": each.trade_id,
        "price": f"{each.price_ticks / 100:.8f}",
        "qty": f"{each.quantity_lots / 100_000:.8f}",
        "quoteQty": f"{each.price_ticks * each.quantity_lots / 10**7:.8f}",
        "time": each.time_ns // MS,
        "isBuyerMaker": each.aggressor_side == 2,
        "isBestMatch": True,
    }


def aggregate(each: Any) -> dict[str, Any]:
    trade = row(each)
    return {
        "a": trade["id"], "p": trade["price"], "q": trade["qty"], "f": trade["id"],
        "l": trade["id"], "T": trade["time"], "m": trade["isBuyerMaker"], "M": True,
    }  # fmt: skip


def test_trades_are_the_last_ones_oldest_first() -> None:
    market = traded()
    assert market.ask("trades", symbol="BTCUSDT") == [row(each) for each in market.trades]
    assert market.ask("trades", symbol="BTCUSDT", limit=3) == [
        row(each) for each in market.trades[-3:]
    ]
    (last,) = market.ask("trades", symbol="BTCUSDT", limit=1, unit_ns=1_000)
    assert last["time"] == market.trades[-1].time_ns // 1_000


def test_historical_trades_begin_at_an_id() -> None:
    market = traded()
    found = market.ask("historicalTrades", symbol="BTCUSDT", fromId=7, limit=5)
    assert found == [row(each) for each in market.trades[6:11]]
    assert market.ask("historicalTrades", symbol="BTCUSDT", limit=2) == [
        row(each) for each in market.trades[-2:]
    ]


def test_aggregates_of_a_span_of_time_are_its_trades() -> None:
    market = traded(60)
    times = sorted({each.time_ns // MS for each in market.trades})
    for start in (times[0] - 5, times[3], times[8] + 1, times[-1], times[-1] + 1):
        for end in (None, times[5], times[10], times[-1] + 9):
            if end is not None and end < start:
                continue
            span = {"startTime": start} if end is None else {"startTime": start, "endTime": end}
            expected = [
                aggregate(each)
                for each in market.trades
                if start * MS <= each.time_ns and (end is None or each.time_ns <= end * MS)
            ]
            assert market.ask("aggTrades", symbol="BTCUSDT", **span) == expected
            cut = market.ask("aggTrades", symbol="BTCUSDT", limit=4, **span)
            assert cut == expected[:4]


def test_aggregates_up_to_a_time_are_the_last_ones_before_it() -> None:
    market = traded(60)
    for each in market.trades[5::7]:
        end = each.time_ns // MS
        expected = [aggregate(e) for e in market.trades if e.time_ns <= end * MS][-4:]
        assert market.ask("aggTrades", symbol="BTCUSDT", limit=4, endTime=end) == expected
    assert market.ask("aggTrades", symbol="BTCUSDT", fromId=3, limit=2) == [
        aggregate(each) for each in market.trades[2:4]
    ]
    assert market.ask("aggTrades", symbol="BTCUSDT", endTime=5) == []
    assert market.ask("aggTrades", symbol="ETHUSDT") == []


def test_depth_has_the_best_levels_and_the_number_of_the_book() -> None:
    market = PlainMarket()
    market.set_book(77, {5_000_000: 3, 4_999_999: 20}, {5_000_001: 4, 5_000_002: 50_000})
    assert market.ask("depth", symbol="BTCUSDT", limit=1) == {
        "lastUpdateId": 77,
        "bids": [["50000.00000000", "0.00003000"]],
        "asks": [["50000.01000000", "0.00004000"]],
    }
    whole = market.ask("depth", symbol="BTCUSDT", limit=99_999)
    assert whole["asks"][1] == ["50000.02000000", "0.50000000"]


def test_the_average_price_is_weighted_and_of_five_minutes() -> None:
    market = PlainMarket()
    market.trade_at(NOW_NS - 301 * SECOND_NS, 100, 50)
    market.trade_at(NOW_NS - 200 * SECOND_NS, 5_000_000, 3)
    market.trade_at(NOW_NS - 1 * SECOND_NS, 5_000_001, 1)
    assert market.ask("avgPrice", symbol="BTCUSDT") == {
        "mins": 5, "price": "50000.00250000", "closeTime": NOW_NS // MS - 1_000,
    }  # fmt: skip
    market.now_ns += 600 * SECOND_NS
    assert market.ask("avgPrice", symbol="BTCUSDT")["price"] == "50000.01000000"
    assert market.ask("avgPrice", symbol="ETHUSDT")["price"] == "0.00000000"


def test_the_ticker_of_a_day_has_its_21_fields() -> None:
    market = traded()
    ticker = with_ticker(market)
    document = market.ask("ticker/24hr", symbol="BTCUSDT")
    prices = [each.price_ticks for each in market.trades]
    quote = sum(each.price_ticks * each.quantity_lots for each in market.trades)
    lots = sum(each.quantity_lots for each in market.trades)
    assert len(document) == 21
    assert document["openPrice"] == document["prevClosePrice"] == f"{prices[0] / 100:.8f}"
    assert document["highPrice"] == f"{max(prices) / 100:.8f}"
    assert document["lowPrice"] == f"{min(prices) / 100:.8f}"
    assert document["lastPrice"] == f"{prices[-1] / 100:.8f}"
    assert document["priceChange"] == f"{(prices[-1] - prices[0]) / 100:.8f}"
    percent = float(document["priceChangePercent"])
    assert percent == round((prices[-1] - prices[0]) / prices[0] * 100, 3)
    assert float(document["weightedAvgPrice"]) == pytest.approx(quote / lots / 100, abs=1e-8)
    assert document["bidPrice"] == "49999.90000000"
    assert (document["firstId"], document["lastId"], document["count"]) == (1, 40, 40)
    assert document["openTime"] == ticker.open_ns // MS
    assert document["lastQty"] == f"{market.trades[-1].quantity_lots / 100_000:.8f}"


def test_the_best_prices_of_a_ticker_are_those_of_the_book() -> None:
    market = traded()
    with_ticker(market)
    market.set_book(1, {4_000_000: 7}, {})
    document = market.ask("ticker/24hr", symbol="BTCUSDT")
    assert (document["bidPrice"], document["bidQty"]) == ("40000.00000000", "0.00007000")
    assert (document["askPrice"], document["askQty"]) == ("0.00000000", "0.00000000")
    assert market.ask("ticker/bookTicker", symbol="BTCUSDT") == {
        "symbol": "BTCUSDT", "bidPrice": "40000.00000000", "bidQty": "0.00007000",
        "askPrice": "0.00000000", "askQty": "0.00000000",
    }  # fmt: skip


def test_a_day_without_trades_is_flat_at_the_last_price() -> None:
    market = PlainMarket()
    market.tickers["BTC-USDT"] = Ticker(
        "BTC-USDT", 1, 0, 0, 0, 5_000_000, 1, 0, 0, 0, 0, 0, NOW_NS, 0, 0, 0, 0, NOW_NS
    )
    document = market.ask("ticker/24hr", symbol="BTCUSDT")
    assert {document[name] for name in ("openPrice", "highPrice", "lowPrice", "lastPrice")} == {
        "50000.00000000"
    }
    assert (document["firstId"], document["lastId"], document["count"]) == (-1, -1, 0)
    assert document["priceChangePercent"] == "0.000"
    assert document["weightedAvgPrice"] == "0.00000000"


def test_one_symbol_is_an_object_and_several_or_none_are_a_list() -> None:
    market = traded()
    with_ticker(market)
    market.tickers["ETH-USDT"] = replace(market.tickers["BTC-USDT"], symbol="ETH-USDT")
    one = market.ask("ticker/price", symbol="BTCUSDT")
    assert one["symbol"] == "BTCUSDT"
    for endpoint in ("ticker/price", "ticker/24hr"):
        each_way: list[dict[str, Any]] = [{}, {"symbols": '["BTCUSDT","ETHUSDT"]'}]
        for parameters in each_way:
            listed = market.ask(endpoint, **parameters)
            assert [each["symbol"] for each in listed] == ["BTCUSDT", "ETHUSDT"]
        assert len(market.ask(endpoint, symbols='["ETHUSDT"]')) == 1
    mini = market.ask("ticker/24hr", symbol="BTCUSDT", type="MINI")
    assert len(mini) == 12


def test_a_rolling_window_has_what_traded_in_it() -> None:
    market = traded()
    day = market.ask("ticker", symbol="BTCUSDT")
    assert day["count"] == 40
    assert len(day) == 15
    minute = market.ask("ticker", symbol="BTCUSDT", windowSize="1m")
    inside = [
        each
        for each in market.trades
        if each.time_ns // (60 * SECOND_NS) == market.now_ns // (60 * SECOND_NS)
    ]
    assert minute["count"] == len(inside)
    assert minute["lastPrice"] == day["lastPrice"]
    (eth,) = market.ask("ticker", symbols='["ETHUSDT"]', windowSize="7d", type="MINI")
    assert (eth["count"], eth["lastPrice"], len(eth)) == (0, "0.00000000", 12)


@pytest.mark.parametrize(
    ("zone", "hours"), [(None, 0), ("8", 8), ("-1:00", -1), ("05:45", 5.75), ("+14", 14)]
)
def test_a_trading_day_begins_at_midnight_of_its_time_zone(zone: str | None, hours: float) -> None:
    market = PlainMarket()
    for ago_s in range(200_000, 0, -7_000):
        market.trade_at(NOW_NS - ago_s * SECOND_NS, 5_000_000 - ago_s, 2)
    asked: dict[str, Any] = {} if zone is None else {"timeZone": zone}
    document = market.ask("ticker/tradingDay", symbol="BTCUSDT", **asked)
    day_ms, offset_ms = 86_400_000, int(hours * 3_600_000)
    begin = (NOW_NS // MS + offset_ms) // day_ms * day_ms - offset_ms
    inside = [each for each in market.trades if each.time_ns // MS >= begin]
    assert (document["openTime"], document["closeTime"]) == (begin, begin + day_ms - 1)
    assert (document["firstId"], document["lastId"]) == (inside[0].trade_id, inside[-1].trade_id)
    assert document["openPrice"] == f"{inside[0].price_ticks / 100:.8f}"
    assert document["volume"] == f"{2 * len(inside) / 100_000:.8f}"
    assert (document["count"], len(document)) == (len(inside), 15)
    (mini,) = market.ask("ticker/tradingDay", symbols='["BTCUSDT"]', type="MINI")
    assert len(mini) == 12


@pytest.mark.parametrize(
    ("endpoint", "parameters", "code"),
    [
        ("depth", {}, -1102),
        ("depth", {"symbol": "BTC-USDT"}, -1121),
        ("trades", {"symbol": "btcusdt"}, -1100),
        ("trades", {"symbol": "GONE"}, -1121),
        ("trades", {"symbol": "BTCUSDT", "limit": ""}, -1105),
        ("depth", {"symbol": "BTCUSDT", "limit": "0"}, -1130),
        ("historicalTrades", {"symbol": "BTCUSDT", "fromId": "-1"}, -1100),
        ("historicalTrades", {"symbol": "BTCUSDT", "fromId": str(2**64)}, -1130),
        ("aggTrades", {"symbol": "BTCUSDT", "fromId": "1", "startTime": "1"}, -1128),
        ("ticker/price", {"symbol": "BTCUSDT", "symbols": '["BTCUSDT"]'}, -1128),
        ("ticker/price", {"symbols": "BTCUSDT"}, -1100),
        ("ticker/price", {"symbols": "[]"}, -1100),
        ("ticker/price", {"symbols": '["GONE"]'}, -1121),
        ("ticker/price", {"symbols": '["BTCUSDT","BTCUSDT"]'}, -1151),
        ("klines", {"symbol": "BTCUSDT"}, -1102),
        ("klines", {"symbol": "BTCUSDT", "interval": "9m"}, -1120),
        ("klines", {"symbol": "BTCUSDT", "interval": "1m", "startTime": 9, "endTime": 8}, -1128),
        ("ticker/price", {"symbols": "[" * 10_000}, -1100),
        ("ticker/24hr", {"symbol": "BTCUSDT", "type": "HALF"}, -1130),
        ("ticker", {}, -1102),
        ("ticker/tradingDay", {}, -1102),
        ("ticker/tradingDay", {"symbol": "BTCUSDT", "timeZone": "UTC"}, -1130),
        ("ticker/tradingDay", {"symbol": "BTCUSDT", "timeZone": "5:50"}, -1130),
        ("ticker/tradingDay", {"symbol": "BTCUSDT", "timeZone": "-13"}, -1130),
        ("ticker/tradingDay", {"symbol": "BTCUSDT", "timeZone": "14:15"}, -1130),
        ("ticker/tradingDay", {"symbol": "BTCUSDT", "timeZone": "15"}, -1130),
        ("ticker", {"symbol": "BTCUSDT", "windowSize": "60m"}, -1130),
        ("ticker", {"symbol": "BTCUSDT", "windowSize": "8d"}, -1130),
    ],
)
def test_a_parameter_at_fault_is_refused(
    endpoint: str, parameters: dict[str, Any], code: int
) -> None:
    with pytest.raises(Refusal) as refusal:
        PlainMarket().ask(endpoint, **parameters)
    assert refusal.value.code == code


@pytest.mark.parametrize("endpoint", ["depth", "ticker/24hr", "ticker/price", "ticker/bookTicker"])
def test_a_market_that_is_not_there_is_busy(endpoint: str) -> None:
    with pytest.raises(Refusal) as refusal:
        PlainMarket().ask(endpoint, symbol="BTCUSDT")
    assert (refusal.value.code, refusal.value.status) == (-1008, 503)


def test_a_record_that_is_behind_is_unavailable() -> None:
    market = traded()
    market.sessions.seqs, market.recorded_seq = [9], 8
    with pytest.raises(Problem) as problem:
        market.ask("trades", symbol="BTCUSDT")
    assert problem.value.status == 503


def test_an_instrument_added_later_is_found() -> None:
    assert ETH.symbol == "ETH-USDT"
    assert PlainMarket().ask("trades", symbol="ETHUSDT") == []
