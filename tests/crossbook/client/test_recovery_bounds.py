"""A recovery at the bounds of its hole: the executions that it settles, and the number after which
the session continues."""

import pytest

from crossbook.client.recovery import Recovery, Track
from crossbook.common.messages.entry import Ack, CaughtUp, Reject
from crossbook.common.types import RejectReason
from tests.crossbook.client.test_recovery import (
    TOKEN,
    execution,
    give,
    log_on,
    logged_on,
    lose_session,
    requested,
    sent_by,
)


def ack_of(seq: int, order_id: int) -> Ack:
    return Ack(
        request_seq=0, seq=seq, order_id=order_id, status=1, client_order_id="", remaining_lots=5,
        time_ns=0,
    )  # fmt: skip


def test_a_recovery_is_done_at_its_number_also_where_that_is_the_first() -> None:
    recovery = Recovery(1, ())
    assert not recovery.done, "no number is known"
    for target_seq, done in ((0, True), (1, False)):
        recovery.target_seq = target_seq
        assert recovery.done is done
    recovery.caught_up(CaughtUp(1, 1, 1, True))
    assert recovery.done
    recovery.request_again()
    assert not recovery.done


def test_answers_behind_a_hole_count_as_received_and_reports_do_not() -> None:
    track = Track()
    recovery = Recovery(10, [(14, 3, 2, 9)])
    for seq in (12, 13, 16):
        recovery.answered(ack_of(seq, 1_000 + seq))
    recovery.caught_up(CaughtUp(1, 10, 12, True))
    assert recovery.answers_behind() == [(13, 1_013, 0, 0), (16, 1_016, 0, 0)]
    track.end_recovery(recovery)
    assert track.recovery is None
    assert not recovery.under_way
    assert (track.progress.last_seq, track.progress.complete_seq) == (16, 15)
    assert track.progress.part == {(16, 1_016, 0, 0)}


@pytest.mark.parametrize(
    ("last_seq", "ends_at", "left"), [(20, 5, 0), (6, 5, 0), (5, 5, 5), (4, 5, 4)]
)
def test_a_history_that_ends_before_the_received_reports_is_another_one(
    last_seq: int, ends_at: int, left: int
) -> None:
    track = Track()
    track.progress.complete(last_seq)
    recovery = Recovery(10, ())
    assert recovery.caught_up(CaughtUp(1, 10, ends_at, False)) == []
    track.end_recovery(recovery)
    assert (track.progress.last_seq, track.progress.complete_seq) == (left, left)


def test_settled_executions_lie_within_the_hole_and_the_rest_outside() -> None:
    recovery = Recovery(10, [(11, 1, 2, 5)])
    held = [execution(seq, trade_id=trade) for seq, trade in ((9, 1), (10, 2), (11, 5), (12, 3))]
    for each in (*held, execution(13, trade_id=4), held[1]):
        recovery.receive(each)
    assert recovery.caught_up(CaughtUp(1, 10, 12, True)) == [held[1], held[3]]
    assert recovery.next_seq == 13
    recovery.receive(held[3])
    assert recovery.rest() == [held[0], execution(13, trade_id=4)]


def test_after_a_refused_logon_the_next_session_requests_the_hole_at_once() -> None:
    session = logged_on(seq=100)
    lose_session(session)
    first = requested(session)[1]
    session.open()
    logon = sent_by(session)[0]
    give(
        session,
        Reject(request_seq=logon.request_seq, reason=RejectReason.BUSY, field="", text="full"),
    )
    assert session.recovering
    session.open()
    log_on(session, TOKEN + 2)
    again = requested(session)[1]
    assert again.from_seq == first.from_seq == 101
    assert again.request_seq > first.request_seq
