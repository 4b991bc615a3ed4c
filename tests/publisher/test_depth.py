"""The levels of one side, compared with a plain dict."""

from random import Random

import pytest

from crossbook.publisher.depth import DepthSide


def test_a_level_that_opens_and_closes_between_two_rounds_is_not_published() -> None:
    asks = DepthSide(-1)
    asks.add(100, 5)
    asks.add(100, -5)
    assert asks.settle() == []
    assert (asks.best(), asks.levels(), asks.lots) == ((0, 0), [], {})


def test_a_level_that_closes_and_opens_again_unchanged_is_not_published() -> None:
    asks = DepthSide(-1)
    asks.add(100, 5)
    asks.settle()
    asks.add(100, -5)
    asks.add(100, 5)
    assert asks.settle() == []
    assert asks.levels() == [(100, 5)]


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("burst", [3, 40, 3_000])
def test_changes_add_up_to_the_levels(sign: int, burst: int) -> None:
    random = Random(burst)
    side = DepthSide(sign)
    truth: dict[int, int] = {}
    followed: dict[int, int] = {}
    for _ in range(30):
        for _ in range(random.randint(1, burst)):
            price = random.randint(1, 4 * burst)
            held = truth.get(price, 0)
            lots = random.choice((-held, random.randint(-held, 9)))
            truth[price] = held + lots
            side.add(price, lots)
        for price, lots in side.settle():
            assert followed.get(price, 0) != lots
            followed[price] = lots
        expected = sorted(
            ((price, lots) for price, lots in truth.items() if lots),
            key=lambda level: -sign * level[0],
        )
        assert {price: lots for price, lots in followed.items() if lots} == dict(expected)
        assert side.levels() == expected
        assert side.top(10) == expected[:10]
        assert side.best() == (expected[0] if expected else (0, 0))
