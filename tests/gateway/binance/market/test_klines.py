"""Klines of every interval against those that the trades give one by one."""

import random
from typing import Any

import pytest

from crossbook.common.following.candles import SECOND_NS
from crossbook.gateway.binance.market.intervals import INTERVALS
from crossbook.gateway.binance.problem import Refusal
from tests.gateway.binance.market.plain_market import (
    NOW_NS,
    PlainMarket,
    begin_of,
    plain_klines,
)

DAY_NS = 86_400 * SECOND_NS


def traded(seed: int, span_ns: int, count: int = 60) -> PlainMarket:
    """Trades in bursts over a span of time that ends now."""
    draw = random.Random(seed)
    market = PlainMarket()
    times = sorted(NOW_NS - draw.randrange(span_ns) for _ in range(count))
    for time_ns in times:
        for _ in range(draw.randint(1, 3)):
            market.trade_at(time_ns, 5_000_000 + draw.randint(-9, 9), draw.randint(1, 9))
    return market


SPANS_NS = {
    "1s": 90 * SECOND_NS, "1m": 7_000 * SECOND_NS, "3m": 20_000 * SECOND_NS,
    "5m": 30_000 * SECOND_NS, "15m": DAY_NS, "30m": 2 * DAY_NS, "1h": 4 * DAY_NS,
    "2h": 8 * DAY_NS, "4h": 16 * DAY_NS, "6h": 24 * DAY_NS, "8h": 32 * DAY_NS, "12h": 40 * DAY_NS,
    "1d": 70 * DAY_NS, "3d": 200 * DAY_NS, "1w": 400 * DAY_NS, "1M": 900 * DAY_NS,
}  # fmt: skip


@pytest.mark.parametrize("interval", INTERVALS)
def test_klines_of_every_interval_are_those_of_the_trades_without_a_hole(interval: str) -> None:
    market = traded(7, SPANS_NS[interval])
    expected = plain_klines(market.instrument, market.trades, interval, NOW_NS)
    assert any(not row[8] for row in expected), "no empty kline in this test"
    assert market.klines(interval=interval, limit=1_000) == expected
    assert market.klines(interval=interval, limit=7) == expected[-7:]
    start, end = expected[3][0], expected[9][0]
    assert market.klines(interval=interval, startTime=start, endTime=end) == expected[3:10]
    assert market.klines(interval=interval, startTime=start, limit=4) == expected[3:7]
    assert market.klines(interval=interval, startTime=start + 1, limit=4) == expected[4:8]
    assert market.klines(interval=interval, endTime=end + 1, limit=4) == expected[6:10]


@pytest.mark.parametrize("interval", ["1m", "1w", "1M"])
def test_klines_begin_with_the_first_trade(interval: str) -> None:
    market = traded(3, SPANS_NS[interval])
    expected = plain_klines(market.instrument, market.trades, interval, NOW_NS)
    assert market.klines(interval=interval, startTime=0, limit=3) == expected[:3]
    assert market.klines(interval=interval, startTime=0, endTime=1) == []
    before = expected[0][0] - 1
    assert market.klines(interval=interval, endTime=before) == []


def test_a_market_without_trades_has_no_klines() -> None:
    assert PlainMarket().klines(interval="1m") == []
    assert PlainMarket().klines(interval="1h", startTime=1) == []


def test_long_klines_are_read_from_many_pages_of_candles() -> None:
    market = PlainMarket()
    for minute in range(2_500):
        market.trade_at(NOW_NS - minute * 60 * SECOND_NS)
    market.trades.reverse()
    market.trades = [
        type(each)(each.seq, n, *list(_tail(each))) for n, each in enumerate(market.trades, 1)
    ]
    expected = plain_klines(market.instrument, market.trades, "3m", NOW_NS)
    assert market.klines(interval="3m", limit=1_000) == expected


def _tail(each: Any) -> list[int]:
    return [
        each.price_ticks, each.quantity_lots, each.aggressor_side, each.maker_order_id,
        each.taker_order_id, each.time_ns,
    ]  # fmt: skip


def test_the_running_interval_is_the_last_and_nothing_after_now_is_shown() -> None:
    market = PlainMarket()
    market.trade_at(NOW_NS)
    (row,) = market.klines(interval="1h", endTime=NOW_NS // 10**6 + 10**9)
    assert row[0] == begin_of("1h", NOW_NS) // 10**6
    assert row[6] > NOW_NS // 10**6
    assert market.klines(interval="1h", startTime=NOW_NS // 10**6 + 10**9) == []


def test_times_are_microseconds_on_request_and_read_in_either_unit() -> None:
    market = traded(5, SPANS_NS["1m"])
    (ms,) = market.klines(interval="1m", limit=1)
    (us,) = market.klines(interval="1m", limit=1, unit_ns=1_000)
    assert us[0] == ms[0] * 1_000
    assert us[6] == (ms[6] + 1) * 1_000 - 1
    assert market.klines(interval="1m", startTime=us[0]) == [ms]


def test_an_answer_contains_what_the_gateway_had_received() -> None:
    market = traded(5, SPANS_NS["1m"])
    market.sessions.seqs = [4_711]
    market.klines(interval="1m")
    assert {question.min_seq for question in market.questions} == {4_711}


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({}, -1102),
        ({"interval": "7m"}, -1120),
        ({"interval": "1m", "limit": "x"}, -1100),
        ({"interval": "1m", "limit": "0"}, -1130),
        ({"interval": "1m", "startTime": "-5"}, -1100),
        ({"interval": "1m", "startTime": "5", "endTime": "4"}, -1128),
        ({"interval": "1m", "timeZone": "8"}, -1130),
    ],
)
def test_a_parameter_at_fault_is_refused(parameters: dict[str, str], code: int) -> None:
    with pytest.raises(Refusal) as refusal:
        PlainMarket().klines(**parameters)
    assert refusal.value.code == code
