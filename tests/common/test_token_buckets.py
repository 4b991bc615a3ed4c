"""Token buckets, compared with tokens that are counted one by one."""

import random

import pytest

from crossbook.common import token_buckets
from crossbook.common.token_buckets import CONNECTIONS_S, TokenBuckets

SECOND = 1_000_000_000


def test_a_bucket_gives_its_burst_at_once_and_its_rate_from_then_on() -> None:
    buckets = TokenBuckets(per_s=100, burst=250)
    assert buckets.take("ann", 1_000, 0) == 250
    taken = sum(buckets.take("ann", 1_000, tenth * SECOND // 10) for tenth in range(1, 51))
    assert taken == 500
    assert buckets.take("bob", 1_000, 0) == 250


def test_buckets_hold_as_many_tokens_as_an_exact_count() -> None:
    chance = random.Random(5)
    buckets = TokenBuckets(per_s=8, burst=20)
    now_ns, exact = 0, 20.0
    for _ in range(5_000):
        step_ns = chance.randrange(SECOND // 2)
        now_ns += step_ns
        exact = min(20.0, exact + 8 * step_ns / SECOND)
        is_at_an_edge = min(exact % 1, 1 - exact % 1) < 1e-6
        assert abs(buckets.left(1, now_ns) - int(exact)) <= is_at_an_edge
        requested = chance.randrange(12)
        taken = buckets.take(1, requested, now_ns)
        assert taken <= requested
        exact -= taken
        assert exact > -1e-6
        assert taken == requested or exact < 1 + 1e-6


def test_the_wait_is_until_the_next_token_and_no_longer() -> None:
    buckets = TokenBuckets(per_s=4, burst=2)
    buckets.take("ann", 2, 0)
    wait_ns = buckets.wait_ns("ann", 10)
    assert buckets.take("ann", 1, 10 + wait_ns - 1) == 0
    assert buckets.take("ann", 1, 10 + wait_ns) == 1
    assert buckets.wait_ns("bob", 10) == 0


@pytest.mark.parametrize(("now_ns", "ms"), [(0, 250), (1, 250), (1_000_000, 249), (SECOND, 1)])
def test_the_wait_in_milliseconds_is_rounded_up_and_never_zero(now_ns: int, ms: int) -> None:
    buckets = TokenBuckets(per_s=4, burst=2)
    buckets.take("ann", 2, 0)
    assert buckets.wait_ms("ann", now_ns) == ms


def test_a_debt_is_paid_before_the_next_token() -> None:
    buckets = TokenBuckets(per_s=1, burst=2)
    assert buckets.take("ann", 9, 0) == 2
    assert buckets.take("ann", 9, 0, debt=3) == 3
    assert buckets.take("ann", 9, 3 * SECOND) == 0
    assert buckets.take("ann", 9, 4 * SECOND) == 1


@pytest.mark.parametrize(("now_ns", "seconds"), [(0, 2), (1, 2), (SECOND, 1), (2 * SECOND, 0)])
def test_a_bucket_names_the_whole_seconds_until_it_is_full(now_ns: int, seconds: int) -> None:
    buckets = TokenBuckets(per_s=2, burst=4)
    assert (buckets.window_s, buckets.full_in_s("ann", 0)) == (2, 0)
    buckets.take("ann", 4, 0)
    assert buckets.full_in_s("ann", now_ns) == seconds


def test_buckets_are_bounded_and_full_ones_are_dropped_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(token_buckets, "BUCKETS_MAX", 100)
    buckets = TokenBuckets(per_s=1, burst=2)
    buckets.take("old", 2, 0)
    for number in range(150):
        buckets.take(number, 1, 10 * SECOND)
        assert len(buckets) <= 100
    assert buckets.left("old", 10 * SECOND) == 2
    assert buckets.left(149, 10 * SECOND) == 1


def test_an_address_may_make_its_connections_of_ten_seconds_at_once() -> None:
    buckets = TokenBuckets.of_connections(5)
    assert buckets is not None
    assert buckets.take("192.0.2.7", 1_000, 0) == 5 * CONNECTIONS_S
    assert buckets.take("192.0.2.7", 1_000, SECOND) == 5
    assert TokenBuckets.of_connections(0) is None
