"""Actions, rewards and ends of the execution environment."""

from typing import Any

import numpy as np
import pytest

from crossbook.common.errors import ConfigError
from crossbook.common.types import Liquidity
from crossbook.gym.execution import SHARES, ExecutionEnv

ALL = len(SHARES) - 1


def begun(**options: Any) -> ExecutionEnv:
    environment = ExecutionEnv(**{"duration_s": 20.0, "warmup_s": 5.0, **options})
    environment.reset(seed=2)
    return environment


@pytest.mark.parametrize(("side", "sign"), [("sell", -1), ("buy", 1)])
def test_a_market_order_for_all_costs_spread_impact_and_fees_and_ends_the_episode(
    side: str, sign: int
) -> None:
    environment = begun(side=side)
    lots = environment.episode.trader.limit_lots
    over, total = False, 0.0
    while not over:
        _, reward, over, _, info = environment.step(np.array([ALL, 1]))
        total += reward
    assert info["position_lots"] == sign * lots
    assert environment.time_left > 0
    assert total < -info["fees"] < 0
    # At 0.02 percent of 20,000.
    assert info["fees"] == pytest.approx(4.0, rel=0.05)


@pytest.mark.parametrize("side", ["sell", "buy"])
def test_passive_orders_trade_as_maker_without_fees(side: str) -> None:
    environment = begun(side=side, quantity_quote=300.0, duration_s=60.0)
    over = False
    fills = []
    while not over:
        _, _, over, _, info = environment.step(np.array([ALL, 0]))
        fills += environment.episode.trader.fills
    assert fills
    assert {fill.liquidity for fill in fills} == {Liquidity.MAKER}
    assert info["fees"] == 0
    assert sum(fill.lots for fill in fills) == abs(info["position_lots"])


def test_a_passive_order_follows_the_best_price_whole() -> None:
    environment = begun(quantity_quote=5_000_000.0)
    for _ in range(5):
        environment.step(np.array([ALL, 0]))
        trader = environment.episode.trader
        open_lots = sum(order.lots for order in trader.orders())
        assert open_lots - trader.position_lots == trader.limit_lots
    environment.step(np.array([0, 0]))
    assert environment.episode.trader.orders() == []


def test_a_position_left_at_the_end_counts_at_the_middle_less_its_charge() -> None:
    environment = begun(duration_s=3.0, left_over_bps=30.0)
    arrival = environment.episode.middle
    lots = environment.episode.trader.limit_lots
    rewards = [environment.step(np.array([0, 0]))[1:3] for _ in range(3)]
    assert [over for _, over in rewards] == [False, False, True]
    assert [reward for reward, _ in rewards[:2]] == [0, 0]
    middle = environment.episode.middle
    worth = environment.episode.quote_units
    assert rewards[2][0] == pytest.approx(
        worth(lots, middle - arrival) - 0.003 * worth(lots, middle)
    )


def test_never_more_than_the_whole_order_is_traded() -> None:
    environment = begun(quantity_quote=2_000.0)
    environment.action_space.seed(1)
    lots = environment.episode.trader.limit_lots
    over = False
    while not over:
        *_, over, _, info = environment.step(environment.action_space.sample())
        assert -lots <= info["position_lots"] <= 0


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"side": "short"}, "side: 'short' is not 'buy' or 'sell'"),
        ({"quantity_quote": 0}, "quantity_quote: 0 is not within 1 to 1,000,000,000"),
        ({"left_over_bps": -1}, "left_over_bps: -1 is not within 0 to 10,000"),
        ({"step_s": 0.1}, "step_s: 0.1 is not within 0.2 to 3,600"),
        ({"limit_quote": 5}, "limit_quote: it is quantity_quote here"),
    ],
)
def test_an_argument_out_of_its_limits_is_refused_by_name(
    options: dict[str, Any], fault: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        ExecutionEnv(**options)
    assert str(refused.value) == fault
