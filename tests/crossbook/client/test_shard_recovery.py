"""Filling holes of several shards, and catch-ups by hand."""

from typing import Any

import pytest

from crossbook.client import procedures
from crossbook.client.session import ClientSession
from crossbook.common.messages.entry import (
    CatchUp,
    CaughtUp,
    Ping,
    Pong,
    Reject,
)
from crossbook.common.shards import base_of
from crossbook.common.types import RejectReason
from crossbook.errors import ExecutionsMissed
from tests.crossbook.client.test_recovery import (
    execution,
    give,
    kinds,
    logged_on,
    lose_session,
    requested,
    sent_by,
)

OTHER = base_of(1)


def give_pongs(session: ClientSession, request_seq: int, first: int, second: int) -> None:
    """The answer to a ping where there are two shards."""
    give(session, Pong(0, second, 0), Pong(request_seq, first, 0))


def test_holes_of_two_shards_are_filled_each_by_its_own_numbers() -> None:
    session = logged_on(seq=100)
    give(session, Pong(0, OTHER + 7, 0))
    give(session, execution(101), execution(OTHER + 9))
    assert session.last_seqs == [101, OTHER + 9]
    assert len(kinds(session)) == 2
    lose_session(session)
    sent = sent_by(session)
    pings = [request for request in sent if isinstance(request, Ping)]
    questions = [request for request in sent if isinstance(request, CatchUp)]
    assert [each.from_seq for each in questions] == [101, OTHER + 9]
    for ping in pings:
        give_pongs(session, ping.request_seq, 103, OTHER + 12)
    # The second shard's hole is filled while the first one's is open: only the first holds back.
    first, second = questions
    expected = [execution(OTHER + 9), execution(OTHER + 11, 4), execution(OTHER + 12)]
    give(
        session,
        *expected,
        CaughtUp(
            request_seq=second.request_seq, from_seq=OTHER + 9, to_seq=OTHER + 12, complete=True
        ),
    )
    assert kinds(session) == [(OTHER + 11, 4), (OTHER + 12, 2)]
    assert session.recovering
    give(session, execution(OTHER + 13), execution(104), execution(103))
    assert kinds(session) == [(OTHER + 13, 2)]
    give(session, CaughtUp(request_seq=first.request_seq, from_seq=101, to_seq=103, complete=True))
    assert kinds(session) == [(103, 2), (104, 2)]
    assert not session.recovering
    assert (session.holes, session.last_seqs) == (0, [104, OTHER + 13])


def test_a_shard_is_caught_up_with_by_hand_and_the_other_goes_on() -> None:
    session = logged_on(seq=100)
    give(session, execution(OTHER + 3), execution(101))
    recovery = session.catch_up(OTHER)
    ping, question = requested(session)
    assert ping is not None
    assert question.from_seq == OTHER
    give_pongs(session, ping.request_seq, 101, OTHER + 3)
    give(session, execution(102), execution(OTHER + 1), execution(OTHER + 3))
    give(
        session,
        CaughtUp(
            request_seq=question.request_seq, from_seq=OTHER + 1, to_seq=OTHER + 3, complete=True
        ),
    )
    assert [each.seq for each in recovery.filled] == [OTHER + 1, OTHER + 3]
    assert kinds(session) == [(101, 2), (102, 2)]


def test_a_catch_up_from_beyond_the_end_returns_the_end_and_changes_nothing() -> None:
    session = logged_on(seq=100)
    recovery = session.catch_up(1_000)
    ping, catch_up = requested(session)
    assert ping is not None
    give(session, execution(101), Pong(ping.request_seq, 101, 0))
    assert session.recovering
    give(
        session,
        execution(102),
        CaughtUp(request_seq=catch_up.request_seq, from_seq=1_000, to_seq=102, complete=False),
    )
    assert not session.recovering
    with pytest.raises(ExecutionsMissed, match=r"1000 is beyond .* last number is 102") as missed:
        procedures.caught_up(recovery, "here")
    assert missed.value.from_seq == 103
    # Executions of the meantime arrive once, and the session continues from there.
    assert [each.seq for each in session.executions] == [101, 102]
    assert session.last_seq == 102
    lose_session(session)
    assert requested(session)[1].from_seq == 102


def test_executions_on_their_way_when_a_catch_up_begins_behind_them_are_returned() -> None:
    session = logged_on(seq=100)
    recovery = session.catch_up(103)
    ping, catch_up = requested(session)
    assert ping is not None
    give(
        session, execution(101), execution(102), Pong(ping.request_seq, 103, 0), execution(103),
        CaughtUp(request_seq=catch_up.request_seq, from_seq=103, to_seq=103, complete=True),
    )  # fmt: skip
    assert [each.seq for each in procedures.caught_up(recovery, "here")] == [103]
    assert [each.seq for each in session.executions] == [101, 102]


@pytest.mark.parametrize("from_seq", [-1, 2**63, 1.0, True, None])
def test_a_value_that_is_no_sequence_number_is_refused(from_seq: Any) -> None:
    session = logged_on()
    with pytest.raises(ValueError, match=r"from_seq: .* is not within 0 to 9223372036854775807"):
        session.catch_up(from_seq)
    assert not session.recovering


def test_the_error_of_a_refused_catch_up_has_the_reason() -> None:
    session = logged_on()
    recovery = session.catch_up(1)
    _, catch_up = requested(session)
    give(
        session,
        Reject(
            request_seq=catch_up.request_seq,
            reason=RejectReason.MALFORMED,
            field="from_seq",
            text="no shard 9",
        ),
    )
    with pytest.raises(ExecutionsMissed, match="no shard 9"):
        procedures.caught_up(recovery, "here")
