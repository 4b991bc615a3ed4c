"""The rolling day, compared with a day that is summed up anew after every step."""

from random import Random

import pytest

from crossbook.common.messages.feed import Trade
from crossbook.publisher.ticker import DAY_MINUTES, MINUTE_NS, RollingDay
from tests.worlds.plain_recorder import plain_candles, trade

DAY_NS = DAY_MINUTES * MINUTE_NS


def check(day: RollingDay, trades: list[Trade], now_ns: int) -> None:
    """Assert that the day is the sum of the trades of the last 1,440 minutes."""
    open_ns = max(0, (now_ns // MINUTE_NS - DAY_MINUTES + 1) * MINUTE_NS)
    inside = [each for each in trades if each.time_ns >= open_ns]
    assert day.open_ns == open_ns
    assert day.trades == len(inside)
    assert day.volume_lots == sum(each.quantity_lots for each in inside)
    assert day.quote_volume == sum(each.price_ticks * each.quantity_lots for each in inside)
    prices = [each.price_ticks for each in inside] or [0]
    assert (day.high_ticks, day.low_ticks) == (max(prices), min(prices))
    if inside:
        assert day.first is not None
        assert day.last is not None
        assert day.first.open_ticks == prices[0]
        assert day.first.first_trade_id == inside[0].trade_id
        assert day.last.last_trade_id == inside[-1].trade_id
    else:
        assert (day.first, day.last) == (None, None)


@pytest.mark.parametrize("seed", range(8))
def test_the_day_equals_one_summed_up_anew(seed: int) -> None:
    random = Random(seed)
    # Dense trading, sparse trading, and pauses longer than the day.
    steps = random.choice(
        [(1, 20, 40), (MINUTE_NS // 3, 9 * MINUTE_NS), (1, 7 * MINUTE_NS, DAY_NS // 3, 2 * DAY_NS)]
    )
    day, trades, now_ns = RollingDay(), [], 1_761_436_800_000_000_000 + random.randrange(DAY_NS)
    price = 1_000
    for trade_id in range(1, 400):
        now_ns += random.choice(steps)
        price = max(1, price + random.randint(-5, 5))
        if random.random() < 0.7:
            trades.append(trade(trade_id, price, random.randint(1, 9), now_ns))
            day.put(plain_candles(trades, 60, 1)[-1])
        else:
            day.advance(now_ns)
        check(day, trades, now_ns)


def test_a_trade_leaves_with_its_minute_a_day_later() -> None:
    day = RollingDay()
    day.put(plain_candles([trade(1, 500, 2, 3 * MINUTE_NS - 1)], 60, 1)[0])
    day.advance(DAY_NS + 2 * MINUTE_NS - 1)
    assert (day.trades, day.open_ns) == (1, 2 * MINUTE_NS)
    day.advance(DAY_NS + 2 * MINUTE_NS)
    assert (day.trades, day.volume_lots, day.high_ticks, day.low_ticks) == (0, 0, 0, 0)
    assert day.open_ns == 3 * MINUTE_NS


def test_the_window_never_moves_back() -> None:
    day = RollingDay()
    day.advance(2 * DAY_NS)
    day.advance(DAY_NS)
    assert day.open_ns == DAY_NS + MINUTE_NS
    day.put(plain_candles([trade(1, 500, 2, 2 * DAY_NS - MINUTE_NS)], 60, 1)[0])
    assert (day.trades, day.open_ns) == (1, DAY_NS + MINUTE_NS)


@pytest.mark.parametrize("step", [1, -1])
def test_a_day_of_steady_rise_or_fall_holds_one_price_a_minute(step: int) -> None:
    day, price = RollingDay(), 100_000
    for trade_id in range(3 * DAY_MINUTES):
        price += step
        latest = plain_candles([trade(trade_id, price, 1, trade_id * MINUTE_NS)], 60, 1)[0]
        day.put(latest)
        day.put(latest)
    assert len(day._minutes) == DAY_MINUTES
    assert max(len(day._highs), len(day._lows)) == DAY_MINUTES
    assert (day.high_ticks - day.low_ticks) == DAY_MINUTES - 1
