"""No promise is broken by many seeds, under the faults of each run."""

import pytest

from tests.simulation.run import simulate

FAST_SEEDS = 200
SLOW_SEEDS = 10_000
CHUNK = 20
SLOW_CHUNK = 100


@pytest.mark.parametrize("first", range(0, FAST_SEEDS, CHUNK))
def test_every_promise_is_kept(first: int) -> None:
    for seed in range(first, first + CHUNK):
        simulate(seed)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(FAST_SEEDS, FAST_SEEDS + SLOW_SEEDS, SLOW_CHUNK))
def test_every_promise_is_kept_by_many_seeds(first: int) -> None:
    for seed in range(first, first + SLOW_CHUNK):
        simulate(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_every_promise_is_kept_for_long(seed: int) -> None:
    simulate(seed, steps=1_500)
