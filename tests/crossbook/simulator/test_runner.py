"""The speed of a simulation."""

import pytest

from crossbook.simulator.runner import Runner, SimulationPlan


@pytest.mark.parametrize(
    ("rate", "requests", "tick_s"), [(None, 0, 0.1), (None, 50, 0.1), (200.0, 50, 0.25)]
)
def test_a_tick_is_a_tenth_of_a_second_or_as_long_as_its_requests_need(
    rate: float | None, requests: int, tick_s: float
) -> None:
    plan = SimulationPlan(
        address="inproc://nowhere",
        first_account=1,
        agents=2,
        seed=1,
        symbols=("BTC-USDT",),
        rate=rate,
        duration_s=0.0,
        wait_s=0.0,
    )
    assert Runner(plan)._tick_s(requests) == tick_s
