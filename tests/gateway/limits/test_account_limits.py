"""The limits of accounts at the desk: the accepted requests, the refused ones, and their wait."""

import pytest

from crossbook.common.messages.entry import (
    Ack,
    Cancel,
    CatchUp,
    MassCancel,
    New,
    Ping,
    Query,
    Reject,
    Request,
)
from crossbook.common.types import RejectReason
from crossbook.gateway.limits.account_limits import (
    CATCH_UPS,
    ORDERS,
    QUERIES,
    UNLIMITED,
    AccountLimits,
)
from crossbook.gateway.problem import Problem
from tests.worlds.desk_world import DeskWorld

SECOND = 1_000_000_000
ANN, BOB = b"ann", b"bob"


class Time:
    """A clock that stands still."""

    def __init__(self) -> None:
        self.now_ns = 5 * SECOND

    def __call__(self) -> int:
        return self.now_ns


def new(number: int) -> New:
    return New(number, "BTC-USDT", 1, quantity=100, price=1_000_000, client_order_id=f"n{number}")


def seqs(requests: object) -> list[int]:
    assert isinstance(requests, list | tuple)
    return [request.request_seq for request in requests]


def test_a_frame_passes_as_far_as_there_are_tokens_and_the_rest_names_the_wait() -> None:
    limits = AccountLimits(10, 0, 0, Time())
    passed, rejects = limits.admit(7, [new(number) for number in range(1, 31)])
    assert seqs(passed) == list(range(1, 21))
    assert seqs(rejects) == list(range(21, 31))
    assert {(each.reason, each.seq, each.retry_after_ms) for each in rejects} == {
        (RejectReason.THROTTLED, 0, 100)
    }
    assert rejects[0].client_order_id == "n21"
    assert rejects[0].text == "an account may send 20 orders in 2 s (ORDERS_PER_SECOND)"
    assert limits.throttled == {ORDERS: 10}


def test_a_retry_after_the_wait_is_accepted() -> None:
    time = Time()
    limits = AccountLimits(10, 0, 0, time)
    _, rejects = limits.admit(7, [new(number) for number in range(1, 22)])
    time.now_ns += rejects[0].retry_after_ms * 1_000_000
    assert limits.admit(7, [new(99)]) == ([new(99)], [])


def test_accounts_and_kinds_have_buckets_of_their_own() -> None:
    limits = AccountLimits(1, 1, 60, Time())
    frame: list[Request] = [new(1), Query(2), new(3), Query(4), new(5), Query(6), CatchUp(7, 1)]
    passed, rejects = limits.admit(7, frame)
    assert (seqs(passed), seqs(rejects)) == ([1, 2, 3, 4, 7], [5, 6])
    assert limits.admit(8, frame)[0] == passed
    assert limits.throttled == {ORDERS: 2, QUERIES: 2}


def test_catch_ups_are_counted_by_the_minute() -> None:
    time = Time()
    limits = AccountLimits(0, 0, 3, time)
    _, rejects = limits.admit(7, [CatchUp(number, 1) for number in range(1, 5)])
    assert seqs(rejects) == [4]
    assert rejects[0].retry_after_ms == 20_000
    assert "CATCH_UPS_PER_MINUTE" in rejects[0].text
    assert limits.throttled == {CATCH_UPS: 1}


def test_cancels_pass_when_orders_no_longer_do_down_to_a_debt_of_one_burst() -> None:
    limits = AccountLimits(10, 0, 0, Time())
    limits.admit(7, [new(number) for number in range(1, 31)])
    cancels = [Cancel(number, "BTC-USDT", 1) for number in range(1, 20)]
    assert limits.admit(7, [*cancels, MassCancel(20)])[1] == []
    assert seqs(limits.admit(7, [MassCancel(21), new(22)])[1]) == [21, 22]


def test_pings_are_free_and_without_limits_everything_is() -> None:
    limits = AccountLimits(1, 1, 1, Time())
    pings = [Ping(number) for number in range(1_000)]
    assert limits.admit(7, pings) == (pings, [])
    orders = [new(number) for number in range(1_000)]
    assert UNLIMITED.admit(7, orders) == (orders, [])
    UNLIMITED.check(7, ORDERS)


def test_a_request_without_a_session_is_a_problem_with_the_wait() -> None:
    limits = AccountLimits(10, 2, 0, Time())
    for _ in range(4):
        limits.check("192.0.2.7", QUERIES)
    with pytest.raises(Problem) as caught:
        limits.check("192.0.2.7", QUERIES)
    assert (caught.value.status, caught.value.detail.code) == (429, "THROTTLED")
    assert caught.value.retry_after_s == 1
    assert limits.left("192.0.2.7", QUERIES) == (0, 2)
    limits.check("192.0.2.8", QUERIES)


def test_the_desk_answers_each_request_beyond_the_limit_and_enters_the_others() -> None:
    world = DeskWorld()
    limits = AccountLimits(2, 1, 0, Time())
    world.desk.limit_by(limits.admit)
    ann, bob = world.log_on(ANN, 7), world.log_on(BOB, 8)
    replies = world.replies_to(ANN, ann, *(new(number) for number in range(2, 8)))
    acks = [each for each in replies if isinstance(each, Ack)]
    rejects = [each for each in replies if isinstance(each, Reject)]
    assert (seqs(acks), seqs(rejects)) == ([2, 3, 4, 5], [6, 7])
    assert world.desk.outbox.rejects == {RejectReason.THROTTLED: 2}
    assert isinstance(world.replies_to(BOB, bob, new(2))[0], Ack)
