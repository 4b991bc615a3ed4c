"""Candles equal those made from a plain list of all trades, however the trades are split into
parts."""

import random
from itertools import pairwise

import pytest

from crossbook.common.following.candles import SECOND_NS, CandleSeries
from crossbook.common.messages.history_queries import CANDLE_INTERVALS_S, Candle

Trade = tuple[int, int, int, int, int, int, int]
"""Price, lots, notional, trade id, seq, time, side of the taker."""


def some_trades(seed: int, count: int = 400) -> list[Trade]:
    """Trades over some days, often several in one second."""
    chance = random.Random(seed)
    time_ns = 1_760_000_000 * SECOND_NS
    trades = []
    for trade_id in range(1, count + 1):
        time_ns += chance.choice([0, 1, 300_000_000, SECOND_NS, 61 * SECOND_NS, 7_200 * SECOND_NS])
        price, lots = chance.randint(90, 110), chance.randint(1, 9)
        side = chance.choice([1, 2])
        trades.append((price, lots, price * lots * 10, trade_id, trade_id // 3, time_ns, side))
    return trades


def naive(trades: list[Trade]) -> dict[tuple[int, int], Candle]:
    """All candles of all trades, each from its own list of trades."""
    candles = {}
    for interval_s in CANDLE_INTERVALS_S:
        length = interval_s * SECOND_NS
        for open_ns in sorted({trade[5] // length * length for trade in trades}):
            inside = [trade for trade in trades if trade[5] // length * length == open_ns]
            prices = [trade[0] for trade in inside]
            candles[interval_s, open_ns] = Candle(
                interval_s=interval_s,
                open_ns=open_ns,
                open_ticks=prices[0],
                high_ticks=max(prices),
                low_ticks=min(prices),
                close_ticks=prices[-1],
                volume_lots=sum(trade[1] for trade in inside),
                quote_volume=sum(trade[2] for trade in inside),
                trades=len(inside),
                first_trade_id=inside[0][3],
                last_trade_id=inside[-1][3],
                seq=inside[-1][4],
                taker_buy_lots=sum(trade[1] for trade in inside if trade[6] == 1),
                taker_buy_quote_volume=sum(trade[2] for trade in inside if trade[6] == 1),
            )
    return candles


@pytest.mark.parametrize("seed", range(5))
def test_changed_candles_add_up_to_the_candles_of_all_trades(seed: int) -> None:
    trades, chance = some_trades(seed), random.Random(seed)
    series = CandleSeries()
    found: dict[tuple[int, int], Candle] = {}
    for trade in trades:
        series.add(*trade)
        if chance.random() < 0.1:
            found |= {(c.interval_s, c.open_ns): c for c in series.drain_changed()}
    found |= {(c.interval_s, c.open_ns): c for c in series.drain_changed()}
    assert found == naive(trades)


def test_a_loaded_series_goes_on_and_ignores_trades_it_contains() -> None:
    trades = some_trades(1)
    whole = CandleSeries()
    for trade in trades:
        whole.add(*trade)
    first, second = CandleSeries(), CandleSeries()
    for trade in trades[:250]:
        first.add(*trade)
    second.load(first.latest())
    assert second.latest() == first.latest()
    assert not second.drain_changed()
    for trade in trades[200:]:
        second.add(*trade)
    assert second.latest() == whole.latest()


def test_loading_drops_earlier_candles() -> None:
    series = CandleSeries()
    for trade in some_trades(2):
        series.add(*trade)
    series.load([])
    assert not series.latest()
    assert not series.drain_changed()
    series.add(5, 1, 50, 1, 1, SECOND_NS, 1)
    assert [candle.trades for candle in series.drain_changed()] == [1] * len(CANDLE_INTERVALS_S)


@pytest.mark.parametrize("total", [2**63 - 1, 2**63, 2**64 - 1, 2**64, 10**30])
@pytest.mark.parametrize("apart_ns", [1, SECOND_NS])
def test_sums_are_exact_however_large(total: int, apart_ns: int) -> None:
    series = CandleSeries()
    for trade_id, lots in enumerate((total - 3, 1, 2), 1):
        series.add(5, lots, 3 * lots, trade_id, trade_id, trade_id * apart_ns, 1)
    candle = series.latest()[-1]
    assert (candle.volume_lots, candle.quote_volume, candle.trades) == (total, 3 * total, 3)


def test_lengths_divide_each_other() -> None:
    assert not [pair for pair in pairwise(CANDLE_INTERVALS_S) if pair[1] % pair[0]]


@pytest.mark.parametrize("again", [0, 1])
def test_a_trade_counts_once_however_often_it_arrives(again: int) -> None:
    trades = some_trades(3, count=5)
    series = CandleSeries()
    for trade in trades:
        for _ in range(1 + again):
            series.add(*trade)
    found = series.latest()
    assert {candle.last_trade_id for candle in found} == {5}
    assert found == [naive(trades)[c.interval_s, c.open_ns] for c in found]
    loaded = CandleSeries()
    loaded.load(found)
    loaded.add(*trades[-1])
    assert (loaded.latest(), loaded.drain_changed()) == (found, [])
