"""Actions, rewards and ends of the market-making environment."""

from typing import Any

import numpy as np
import pytest

from crossbook.common.types import Side
from crossbook.gym.market_making import BUY, CANCEL, HOLD, QUOTE, SELL, MarketMakingEnv
from crossbook.simulator.market import OpenOrder


def begun(seed: int = 1, **options: Any) -> MarketMakingEnv:
    environment = MarketMakingEnv(**{"duration_s": 60.0, "step_s": 0.1, "warmup_s": 3.0, **options})
    environment.reset(seed=seed)
    return environment


def orders(environment: MarketMakingEnv) -> dict[Side, OpenOrder]:
    return {Side(order.side): order for order in environment.episode.trader.orders()}


def step(environment: MarketMakingEnv, *action: int) -> tuple[Any, float, bool, bool, Any]:
    return environment.step(np.array(action))


def test_quotes_stand_at_their_distance_and_size_and_give_way_to_the_next() -> None:
    environment = begun()
    middle = environment.episode.middle
    unit = environment.episode.market.lots_worth(500.0)
    step(environment, QUOTE, 9, 3, 1, 2)
    quotes = orders(environment)
    assert quotes[Side.BUY].price_ticks == int(middle * (1 - 10 * 0.00005))
    assert quotes[Side.BUY].lots == unit
    assert quotes[Side.SELL].price_ticks == pytest.approx(middle * (1 + 4 * 0.00005), abs=1)
    assert quotes[Side.SELL].price_ticks >= middle * (1 + 4 * 0.00005)
    assert quotes[Side.SELL].lots == 2 * unit
    step(environment, QUOTE, 11, 3, 0, 1)
    assert Side.BUY not in orders(environment)
    assert orders(environment)[Side.SELL].name != quotes[Side.SELL].name


def test_hold_leaves_the_quotes_and_cancel_ends_them() -> None:
    environment = begun()
    step(environment, QUOTE, 11, 11, 1, 1)
    quotes = orders(environment)
    assert len(quotes) == 2
    step(environment, HOLD, 0, 0, 4, 4)
    assert orders(environment) == quotes
    step(environment, CANCEL, 0, 0, 4, 4)
    assert orders(environment) == {}


def test_a_quote_with_unchanged_terms_keeps_its_place() -> None:
    environment = begun()
    kept = replaced = 0
    for _ in range(60):
        before = orders(environment)
        step(environment, QUOTE, 11, 11, 1, 1)
        after = orders(environment)
        for side in before.keys() & after.keys():
            one, other = before[side], after[side]
            stays = (one.price_ticks, one.lots) == (other.price_ticks, other.lots)
            assert stays == (one.name == other.name)
            kept += stays
            replaced += not stays
    assert kept > 5
    assert replaced > 5


def test_market_orders_trade_at_once_and_cost_the_takers_fee() -> None:
    environment = begun(size_quote=100.0)
    unit = environment.episode.market.lots_worth(100.0)
    _, reward, *_, info = step(environment, BUY, 0, 0, 2, 0)
    assert info["position_lots"] == 2 * unit
    assert info["fees"] == pytest.approx(200 * 0.0002, rel=0.01)
    assert reward == pytest.approx(info["wealth"])
    assert reward < -info["fees"]
    assert info["cash"] == pytest.approx(-200, rel=0.01)
    _, _, *_, info = step(environment, SELL, 0, 0, 0, 3)
    assert info["position_lots"] == -unit
    _, _, *_, after = step(environment, SELL, 0, 0, 4, 0)
    assert after["position_lots"] == -unit


def test_rewards_sum_to_the_wealth_without_a_penalty() -> None:
    environment = begun(seed=3, duration_s=30.0, step_s=0.5)
    environment.action_space.seed(2)
    total, over = 0.0, False
    while not over:
        _, reward, over, _, info = environment.step(environment.action_space.sample())
        total += reward
    assert info["wealth"] != 0
    assert total == pytest.approx(info["wealth"])


def test_wealth_is_the_ledgers_money_and_agrees_with_the_agents_reports() -> None:
    environment = begun(seed=3, step_s=0.5)
    environment.action_space.seed(4)
    over = False
    while not over:
        *_, over, _, info = environment.step(environment.action_space.sample())
    episode, trader = environment.episode, environment.episode.trader
    instrument = environment.instrument
    base, quote = episode.balances()
    assert trader.position_lots != 0
    assert trader.base_fee_units > 0
    assert base == trader.position_lots * instrument.base_units_per_lot - trader.base_fee_units
    assert quote == (
        trader.cash_tick_lots * instrument.notional_per_tick_lot - trader.quote_fee_units
    )
    # The engine's supply of each asset is what the accounts opened with: nothing was made.
    engine = episode.simulation.venue.engine
    assert engine.ledger is not None
    for asset in (instrument.base, instrument.quote):
        total = sum(account.total.get(asset, 0) for account in engine.accounts.values())
        assert total == engine.ledger.supply[asset]
    assert info["wealth"] == episode.wealth


def test_inventory_costs_its_penalty_for_each_second() -> None:
    environment = begun(inventory_penalty=50.0, step_s=0.5)
    plain = begun(step_s=0.5)
    for each in (environment, plain):
        step(each, BUY, 0, 0, 4, 0)
    share = environment.episode.trader.position_lots / environment.episode.trader.limit_lots
    assert share > 0.05
    rewards = [step(each, HOLD, 0, 0, 0, 0)[1] for each in (environment, plain)]
    assert rewards[1] - rewards[0] == pytest.approx(50.0 * 0.5 * share * share)


def test_an_episode_ends_when_too_much_is_lost() -> None:
    environment = begun(loss_limit_quote=0.1)
    _, _, terminated, truncated, info = step(environment, BUY, 0, 0, 4, 0)
    assert info["wealth"] <= -0.1
    assert (terminated, truncated) == (True, False)
    assert environment.time_left > 0.9


def test_the_position_stays_within_its_limit() -> None:
    environment = begun(limit_quote=1_000.0)
    for _ in range(5):
        observation, *_ = step(environment, BUY, 0, 0, 4, 0)
    trader = environment.episode.trader
    assert trader.position_lots == trader.limit_lots
    assert observation["position"][0] == 1


def test_the_draws_of_other_agents_do_not_depend_on_the_agent() -> None:
    idle, active = begun(), begun()
    for _ in range(50):
        step(idle, HOLD, 0, 0, 0, 0)
        step(active, BUY if active.time_left > 0.95 else SELL, 0, 0, 4, 4)
    values = [each.episode.simulation.flow.fundamentals[0].value for each in (idle, active)]
    assert values[0] == values[1]
    assert active.episode.middle != idle.episode.middle
