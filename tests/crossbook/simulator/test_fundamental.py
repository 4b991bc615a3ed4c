"""The latent price stays within its bounds and jumps at news; its large moves come in clusters."""

import pytest

from bench.stylised import autocorrelation, excess_kurtosis, log_returns
from crossbook.simulator.chance import Chance
from crossbook.simulator.fundamental import TICKS_PER_SECOND, Fundamental


def path(seed: int, seconds: int, low: float = 1.0, high: float = 1e12) -> list[float]:
    value = Fundamental(50_000.0, low, high, Chance(seed))
    common = Chance(seed + 1)
    values = []
    for _ in range(seconds * TICKS_PER_SECOND):
        value.step(common.normal())
        values.append(value.value)
    return values


def test_the_latent_price_never_leaves_its_bounds() -> None:
    values = path(1, 600, 49_900.0, 50_100.0)
    assert all(49_900.0 < value < 50_100.0 for value in values)
    assert min(values) < 49_950.0 < 50_050.0 < max(values)


def test_news_comes_and_is_counted() -> None:
    value = Fundamental(100.0, 1.0, 1e6, Chance(3))
    for _ in range(3_600 * TICKS_PER_SECOND):
        value.step(0.0)
    assert value.news == pytest.approx(48, abs=25)


def test_returns_have_fat_tails_and_memory() -> None:
    returns = log_returns(path(2, 3_600), TICKS_PER_SECOND)
    assert excess_kurtosis(returns) > 1.0
    sizes = [abs(each) for each in returns]
    # Twice the deviation that a series without memory would show.
    assert autocorrelation(sizes, 1) > 2 / len(sizes) ** 0.5
