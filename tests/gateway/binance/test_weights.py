"""Weights of addresses and counts of orders."""

import pytest

from crossbook.common.times import DAY_NS, SECOND_NS
from crossbook.common.token_buckets import TokenBuckets
from crossbook.gateway.binance import order_counts, weights
from crossbook.gateway.binance.order_counts import OrderCounts
from crossbook.gateway.binance.problem import Refusal
from crossbook.gateway.binance.weights import (
    BAN_S,
    IGNORED_MAX,
    MINUTE_NS,
    NO_LIMIT,
    AddressWeights,
)

MINUTE = 29_000_000 * MINUTE_NS


def refused(limits: AddressWeights, weight: int, now_ns: int) -> Refusal:
    """The refusal of a request."""
    with pytest.raises(Refusal) as found:
        limits.take("a", weight, now_ns)
    return found.value


def test_weights_add_up_within_a_minute_and_begin_anew_with_the_next() -> None:
    limits = AddressWeights(per_minute=100)
    taken = [limits.take("a", weight, MINUTE + at) for at, weight in enumerate((1, 20, 79))]
    assert taken == [1, 21, 100]
    assert limits.take("b", 5, MINUTE) == 5
    assert limits.used("a", MINUTE + MINUTE_NS - 1) == 100
    assert limits.used("a", MINUTE + MINUTE_NS) == 0
    assert limits.take("a", 3, MINUTE + MINUTE_NS) == 3


def test_a_request_beyond_the_weight_of_a_minute_is_refused_until_the_next() -> None:
    limits = AddressWeights(per_minute=100)
    limits.take("a", 90, MINUTE)
    refusal = refused(limits, 20, MINUTE + 18 * SECOND_NS)
    assert (refusal.status, refusal.code, refusal.retry_after_s) == (429, -1003, 42)
    assert refusal.msg == (
        "Too much request weight used; current limit is 100 request weight per 1 MINUTE. Please "
        "use WebSocket Streams for live updates to avoid polling the API."
    )
    assert limits.take("a", 10, MINUTE + 18 * SECOND_NS) == 100
    assert limits.refused == 1


def test_an_address_that_goes_on_is_banned_for_a_while() -> None:
    limits = AddressWeights(per_minute=10)
    limits.take("a", 10, MINUTE)
    statuses = [refused(limits, 1, MINUTE + 1).status for _ in range(IGNORED_MAX + 1)]
    assert statuses == [429] * IGNORED_MAX + [418]
    limits.admit("b", MINUTE + 2, 0)
    with pytest.raises(Refusal) as banned:
        limits.admit("a", MINUTE + 10 * SECOND_NS, 0)
    assert (banned.value.status, banned.value.code) == (418, -1003)
    assert banned.value.retry_after_s == BAN_S - 9
    assert "IP banned until" in banned.value.msg
    over_ns = MINUTE + 1 + BAN_S * SECOND_NS
    limits.admit("a", over_ns, 0)
    assert limits.take("a", 1, over_ns) == 1


def test_the_bucket_of_an_address_is_that_of_all_interfaces() -> None:
    buckets = TokenBuckets(per_s=10, burst=20)
    limits = AddressWeights(per_minute=600, buckets=buckets)
    assert buckets.take("a", 19, 0) == 19
    limits.admit("a", MINUTE, 0)
    with pytest.raises(Refusal) as refusal:
        limits.admit("a", MINUTE, 0)
    assert (refusal.value.status, refusal.value.code) == (429, -1003)
    assert "20 requests per 2 SECOND" in refusal.value.msg
    assert refusal.value.retry_after_s == 1


def test_without_a_limit_weights_are_counted_all_the_same() -> None:
    limits = AddressWeights(per_minute=0)
    assert [limits.take("a", 10**6, MINUTE) for _ in range(2)] == [10**6, 2 * 10**6]
    assert limits.documents() == [
        {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1,
         "limit": NO_LIMIT},
    ]  # fmt: skip


def test_limits_are_shown_as_they_are_held() -> None:
    limits = AddressWeights(per_minute=600, buckets=TokenBuckets(10, 20))
    assert [list(each.values()) for each in limits.documents()] == [
        ["REQUEST_WEIGHT", "MINUTE", 1, 600],
        ["RAW_REQUESTS", "SECOND", 2, 20],
    ]
    assert [list(each.values()) for each in OrderCounts(5).documents()] == [
        ["ORDERS", "SECOND", 10, 50],
        ["ORDERS", "DAY", 1, 432_000],
    ]


def test_addresses_are_not_remembered_without_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "ADDRESSES_MAX", 3)
    limits = AddressWeights(per_minute=10)
    for name in "abcd":
        limits.take(name, 5, MINUTE)
    assert len(limits) == 3
    assert [limits.used(name, MINUTE) for name in "abcd"] == [0, 5, 5, 5]


def test_orders_are_counted_in_ten_seconds_and_in_a_day() -> None:
    counts = OrderCounts(per_second=1)
    day = 20_000 * DAY_NS
    for at_s in (0, 9, 10, 11):
        counts.check(7, day + at_s * SECOND_NS)
        counts.add(7, day + at_s * SECOND_NS)
    found = counts.of(7, day + 12 * SECOND_NS)
    assert (found.in_window, found.in_day) == (2, 4)
    assert [each["count"] for each in counts.counted(7, day + DAY_NS)] == [0, 0]
    assert [each["count"] for each in counts.counted(8, day)] == [0, 0]


def test_an_order_beyond_a_window_is_refused_with_the_limit_and_the_wait() -> None:
    counts = OrderCounts(per_second=1)
    day = 20_000 * DAY_NS
    for _ in range(10):
        counts.check(7, day)
        counts.add(7, day)
    counts.check(8, day)
    with pytest.raises(Refusal) as refusal:
        counts.check(7, day + 3 * SECOND_NS)
    assert (refusal.value.status, refusal.value.code, refusal.value.retry_after_s) == (
        429,
        -1015,
        7,
    )
    assert refusal.value.msg == "Too many new orders; current limit is 10 orders per 10 SECOND."
    counts.check(7, day + 10 * SECOND_NS)


def test_an_order_beyond_a_day_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = OrderCounts(per_second=1)
    counts.in_day_most = 2
    day = 20_000 * DAY_NS
    for _ in range(2):
        counts.add(7, day)
    with pytest.raises(Refusal) as refusal:
        counts.check(7, day + 20 * SECOND_NS)
    assert refusal.value.msg == "Too many new orders; current limit is 2 orders per 1 DAY."
    assert refusal.value.retry_after_s == 86_380


def test_accounts_are_not_remembered_without_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order_counts, "ACCOUNTS_MAX", 2)
    counts = OrderCounts(per_second=0)
    for account in (1, 2, 3):
        counts.check(account, 0)
        counts.add(account, 0)
    assert len(counts) == 2
    assert counts.of(3, 0).in_day == 1
