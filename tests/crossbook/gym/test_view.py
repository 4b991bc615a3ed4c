"""The observation's arrays, on a market of the episode's own agents."""

import numpy as np
import pytest

from crossbook.common.types import Side
from crossbook.gym.environment import instrument_for_learning
from crossbook.gym.episode import Episode
from crossbook.gym.view import FAR_BPS, LEVELS, TRADES, AgentView


def episode(warmup_s: float = 5.0) -> Episode:
    return Episode(instrument_for_learning(), 1, 6, warmup_s, 20_000.0, {})


def test_the_book_is_the_best_levels_of_both_sides() -> None:
    one = episode()
    book = AgentView(20_000.0).observation(one, 1.0)["book"]
    assert book.dtype == np.float32
    middle = one.middle
    for side, levels in enumerate((one.market.bids(LEVELS), one.market.asks(LEVELS))):
        for level, (price, lots) in enumerate(levels):
            bps = abs(price - middle) / middle * 10_000
            worth = lots * price / 10**7
            assert book[side, level, 0] == pytest.approx(min(1, bps / FAR_BPS), rel=1e-5)
            assert book[side, level, 1] == pytest.approx(worth / (worth + 1_000), rel=1e-5)
    assert (book[:, 0, 0] > 0).all()
    assert (np.diff(book[:, :, 0], axis=1) >= 0).all()


def test_levels_trades_and_quotes_that_are_absent_have_their_marks() -> None:
    one = episode(0.1)
    one.market.clear()
    one.trader.trades.clear()
    seen = AgentView(20_000.0).observation(one, 1.0)
    assert (seen["book"][:, :, 0] == 1).all()
    assert (seen["book"][:, :, 1] == 0).all()
    assert (seen["quotes"] == [[1, 0], [1, 0]]).all()
    assert (seen["trades"] == 0).all()


def test_trades_are_latest_first_with_the_side_of_the_taker() -> None:
    one = episode(60.0)
    trades = AgentView(20_000.0).observation(one, 1.0)["trades"]
    latest = list(one.trader.trades)[::-1]
    assert len(latest) > TRADES
    for row, trade in zip(trades, latest[:TRADES], strict=True):
        assert (row[1] > 0) == (trade.aggressor_side == Side.BUY)
        distance = (trade.price_ticks - one.middle) / one.middle * 10_000 / FAR_BPS
        assert row[0] == pytest.approx(distance, abs=1e-6)


def test_quotes_are_the_agents_best_price_and_all_its_lots_of_a_side() -> None:
    one = episode()
    far, near = one.middle * 0.998, one.middle * 0.999
    one.run(1, lambda trader: [trader.place(Side.BUY, price, 100) for price in (far, near)])
    quotes = AgentView(20_000.0).observation(one, 1.0)["quotes"]
    assert quotes[0, 0] == pytest.approx(10 / FAR_BPS, rel=0.05)
    worth = 200 * near / 10**7
    assert quotes[0, 1] == pytest.approx(worth / (worth + 1_000), rel=0.01)
    assert quotes[1].tolist() == [1, 0]


def test_position_cash_profit_and_time_are_shares() -> None:
    one = episode()
    one.run(3, lambda trader: trader.trade(Side.BUY, trader.limit_lots // 2, 100_000))
    seen = AgentView(20_000.0).observation(one, 0.25)
    assert seen["position"][0] == pytest.approx(0.5, abs=0.01)
    assert seen["cash"][0] == pytest.approx(-0.25, abs=0.01)
    assert seen["profit"][0] == pytest.approx(one.wealth / 20_000, rel=1e-4)
    assert seen["profit"][0] < 0
    assert seen["time_left"][0] == 0.25
    assert seen["volatility"][0] > 0


def test_values_are_cut_to_their_bounds() -> None:
    one = episode()
    view = AgentView(0.01)
    one.run(3, lambda trader: trader.trade(Side.BUY, trader.limit_lots, 100_000))
    one.market.middle = 1.0
    seen = view.observation(one, 1.0)
    assert view.space().contains(seen)
    assert seen["cash"][0] == -1
    assert seen["profit"][0] in (-1, 1)
