"""The batches that the recorder requests, adopts and refuses while it follows a matcher."""

from collections.abc import Callable

import pytest
from msgspec import Raw

from crossbook.common.messages.codec import encode
from crossbook.common.messages.events import EventBatch
from crossbook.common.messages.matcher_queries import Resend, ResendRequest, ResendTooOld
from crossbook.recorder.digest import RecordPosition
from crossbook.recorder.replica import RESEND_AGAIN_NS, RecordBrokenError, RecorderReplica

INCARNATION, OTHER = 7, 8


def batch(
    first_seq: int, last_seq: int, incarnation: int = INCARNATION, time_ns: int = 0
) -> EventBatch:
    """A batch of commands without events; its time distinguishes it from others."""
    return EventBatch(
        incarnation=incarnation,
        first_seq=first_seq,
        last_seq=last_seq,
        time_ns=time_ns or last_seq * 10,
        events=[],
    )


def heartbeat(last_seq: int, incarnation: int = INCARNATION) -> EventBatch:
    return batch(last_seq + 1, last_seq, incarnation)


def resend(request: ResendRequest | None, *batches: EventBatch) -> Resend:
    assert request is not None
    return Resend(
        request_id=request.request_id,
        incarnation=request.incarnation,
        batches=[Raw(encode(one)) for one in batches],
    )


def too_old(
    request: ResendRequest | None, first: int, last: int, incarnation: int = INCARNATION
) -> ResendTooOld:
    assert request is not None
    return ResendTooOld(
        request_id=request.request_id, incarnation=incarnation, first_seq=first, last_seq=last
    )


def recorded(seq: int = 20) -> RecorderReplica:
    """A replica that starts from a record up to `seq`."""
    return RecorderReplica(
        RecordPosition(incarnation=INCARNATION, seq=seq, time_ns=seq * 10, first_seq=1)
    )


def proven(seq: int = 20) -> RecorderReplica:
    """A replica whose matcher has proven to have the same history."""
    replica = recorded(seq)
    assert not replica.receive_reply(resend(replica.next_request(0), batch(seq - 4, seq)))
    assert replica.proven
    return replica


def numbers(ready: object) -> list[int]:
    assert isinstance(ready, list | tuple)
    return [one.last_seq for one in ready if one.first_seq <= one.last_seq]


def test_an_empty_record_adopts_an_incarnation_received_from_its_first_command() -> None:
    replica = RecorderReplica(RecordPosition())
    assert replica.next_request(0) is None
    assert not numbers(replica.receive(batch(11, 12)))
    resend_request = replica.next_request(0)
    assert resend_request == ResendRequest(
        request_id=1, incarnation=INCARNATION, from_seq=1, to_seq=10
    )
    assert numbers(replica.receive_reply(resend(resend_request, batch(1, 6), batch(7, 10)))) == [
        6,
        10,
        12,
    ]
    assert replica.next_request(RESEND_AGAIN_NS) is None


def test_an_empty_record_of_a_matcher_without_commands_adopts_any_incarnation() -> None:
    replica = RecorderReplica(RecordPosition())
    replica.receive(heartbeat(0))
    replica.receive(heartbeat(0, OTHER))
    assert numbers(replica.receive(batch(1, 3, OTHER))) == [3]


def test_an_empty_record_begins_where_the_journal_does() -> None:
    replica = RecorderReplica(RecordPosition())
    replica.receive(heartbeat(50))
    assert not numbers(replica.receive_reply(too_old(replica.next_request(0), 31, 50)))
    resend_request = replica.next_request(RESEND_AGAIN_NS)
    assert resend_request == ResendRequest(
        request_id=2, incarnation=INCARNATION, from_seq=31, to_seq=50
    )
    assert numbers(replica.receive_reply(resend(resend_request, batch(31, 50)))) == [50]


def test_a_record_goes_on_once_its_last_batch_has_been_compared() -> None:
    replica = recorded()
    assert not replica.receive(batch(21, 22))
    resend_request = replica.next_request(0)
    assert resend_request == ResendRequest(
        request_id=1, incarnation=INCARNATION, from_seq=20, to_seq=20
    )
    assert replica.next_request(RESEND_AGAIN_NS - 1) is None
    assert numbers(replica.receive_reply(resend(resend_request, batch(16, 20)))) == [22]
    assert numbers(replica.receive(batch(23, 23))) == [23]


def test_a_hole_is_requested_from_the_last_number_recorded() -> None:
    replica = proven()
    assert not replica.receive(batch(25, 26))
    resend_request = replica.next_request(RESEND_AGAIN_NS)
    assert resend_request == ResendRequest(
        request_id=2, incarnation=INCARNATION, from_seq=20, to_seq=24
    )
    answer = resend(resend_request, batch(16, 20), batch(21, 24))
    assert numbers(replica.receive_reply(answer)) == [24, 26]
    assert not numbers(replica.receive_reply(answer)), "an answer that comes twice"


def test_a_heartbeat_reveals_a_loss_at_the_end() -> None:
    replica = proven()
    replica.receive(heartbeat(23))
    assert replica.next_request(RESEND_AGAIN_NS) == ResendRequest(
        request_id=2, incarnation=INCARNATION, from_seq=20, to_seq=23
    )


def test_a_request_that_could_not_be_sent_is_repeated_at_once() -> None:
    replica = recorded()
    assert replica.next_request(0) is not None
    replica.not_sent()
    assert replica.next_request(1) is not None


def test_a_record_with_a_pruned_last_batch_goes_on_with_the_next() -> None:
    replica = recorded()
    replica.receive(batch(21, 21))
    assert numbers(replica.receive_reply(too_old(replica.next_request(0), 21, 21))) == [21]
    replica.receive(batch(25, 25))
    assert replica.next_request(RESEND_AGAIN_NS) == ResendRequest(
        request_id=2, incarnation=INCARNATION, from_seq=21, to_seq=24
    )


def test_an_old_heartbeat_leads_to_a_request_and_is_forgiven() -> None:
    replica = proven()
    replica.receive(heartbeat(12))
    resend_request = replica.next_request(RESEND_AGAIN_NS)
    assert resend_request == ResendRequest(
        request_id=2, incarnation=INCARNATION, from_seq=20, to_seq=20
    )
    replica.receive_reply(resend(resend_request, batch(16, 20)))
    assert replica.next_request(3 * RESEND_AGAIN_NS) is None


@pytest.mark.parametrize("make", [recorded, proven])
@pytest.mark.parametrize(
    ("first", "last", "incarnation", "why"),
    [
        (1, 40, OTHER, "another DATA_DIR"),
        (1, 19, INCARNATION, "lost its end"),
        (1, 0, INCARNATION, "lost its end"),
        (22, 40, INCARNATION, "JOURNAL_KEEP_SEGMENTS"),
    ],
)
def test_another_history_is_refused_with_the_remedy(
    make: Callable[[], RecorderReplica], first: int, last: int, incarnation: int, why: str
) -> None:
    replica = make()
    replica.receive(heartbeat(last, incarnation))
    with pytest.raises(RecordBrokenError, match=f"{why}.*--rebuild"):
        replica.receive_reply(
            too_old(replica.next_request(RESEND_AGAIN_NS), first, last, incarnation)
        )


@pytest.mark.parametrize("make", [recorded, proven])
def test_a_batch_that_the_matcher_cannot_send_ends_the_record_and_is_named(
    make: Callable[[], RecorderReplica],
) -> None:
    replica = make()
    replica.receive(heartbeat(40))
    request = replica.next_request(RESEND_AGAIN_NS)
    assert request is not None
    answer = ResendTooOld(
        request_id=request.request_id, incarnation=INCARNATION, first_seq=31, last_seq=40,
        unsendable_bytes=2_000_000_000,
    )  # fmt: skip
    with pytest.raises(RecordBrokenError, match="commands 21 to 30 are one batch of 2000000000 b"):
        replica.receive_reply(answer)


@pytest.mark.parametrize("make", [recorded, proven])
def test_a_journal_that_lost_its_end_and_grew_again_is_refused(
    make: Callable[[], RecorderReplica],
) -> None:
    replica = make()
    replica.receive(batch(25, 26))
    answer = resend(
        replica.next_request(RESEND_AGAIN_NS), batch(16, 20, time_ns=999), batch(21, 24)
    )
    with pytest.raises(RecordBrokenError, match="grew again"):
        replica.receive_reply(answer)


def test_late_answers_change_nothing() -> None:
    replica = proven()
    first = replica.next_request(0)
    replica.receive(batch(25, 26))
    assert replica.next_request(RESEND_AGAIN_NS) is not None
    assert not replica.receive_reply(
        ResendTooOld(request_id=1, incarnation=OTHER, first_seq=1, last_seq=1)
    )
    assert not replica.receive_reply(
        Resend(request_id=1, incarnation=OTHER, batches=[Raw(encode(batch(21, 24, OTHER)))])
    )
    assert first is None


@pytest.mark.parametrize("incarnation", [INCARNATION - 1, INCARNATION, INCARNATION + 1])
@pytest.mark.parametrize("seq", [19, 20, 21])
def test_only_an_earlier_number_of_the_same_incarnation_casts_doubt(
    incarnation: int, seq: int
) -> None:
    replica = proven()
    replica.receive(heartbeat(seq, incarnation))
    resend_request = replica.next_request(RESEND_AGAIN_NS)
    is_missing = incarnation == INCARNATION and seq == 21
    is_doubtful = incarnation == INCARNATION and seq == 19
    assert (resend_request is not None) == (is_missing or is_doubtful or incarnation != INCARNATION)
    if is_doubtful:
        assert numbers(replica.receive(batch(21, 21))) == [21], "what comes next is still taken"


@pytest.mark.parametrize("incarnation", [INCARNATION - 1, INCARNATION + 1])
def test_batches_of_another_incarnation_under_the_same_numbers_are_not_applied(
    incarnation: int,
) -> None:
    replica = recorded()
    resend_request = replica.next_request(0)
    assert resend_request is not None
    others = [Raw(encode(batch(16, 20, incarnation))), Raw(encode(batch(21, 21, incarnation)))]
    assert not replica.receive_reply(
        Resend(request_id=resend_request.request_id, incarnation=incarnation, batches=others)
    )
    assert not replica.proven


@pytest.mark.parametrize("number", [-1, 1])
def test_the_end_in_an_answer_to_another_request_is_not_applied(number: int) -> None:
    replica = recorded()
    resend_request = replica.next_request(0)
    assert resend_request is not None
    replica.receive_reply(
        ResendTooOld(
            request_id=resend_request.request_id + number,
            incarnation=INCARNATION,
            first_seq=1,
            last_seq=5,
        )
    )
    with pytest.raises(RecordBrokenError, match="only to 5"):
        replica.receive_reply(too_old(resend_request, 1, 5))


@pytest.mark.parametrize(("first", "last"), [(16, 20), (20, 20), (20, 24)])
def test_a_batch_with_the_last_number_anywhere_in_it_proves_the_history(
    first: int, last: int
) -> None:
    replica = recorded()
    found = batch(first, last, time_ns=200)
    assert (
        numbers(replica.receive_reply(resend(replica.next_request(0), found))) == [24][: last > 20]
    )
    assert replica.proven


@pytest.mark.parametrize(("first", "last"), [(15, 19), (21, 25)])
def test_a_batch_without_the_last_number_proves_nothing(first: int, last: int) -> None:
    replica = recorded()
    replica.receive_reply(resend(replica.next_request(0), batch(first, last)))
    assert not replica.proven


@pytest.mark.parametrize(("last", "broken"), [(19, True), (20, False), (21, False)])
def test_a_matcher_at_the_last_recorded_number_has_not_lost_its_end(
    last: int, broken: bool
) -> None:
    replica = recorded()
    answer = too_old(replica.next_request(0), 1, last)
    if broken:
        with pytest.raises(RecordBrokenError, match="lost its end"):
            replica.receive_reply(answer)
    else:
        assert not replica.receive_reply(answer)


@pytest.mark.parametrize(("first", "proves"), [(19, False), (20, False), (21, True)])
def test_only_an_answer_that_the_last_number_was_pruned_proves_a_record(
    first: int, proves: bool
) -> None:
    replica = recorded()
    replica.receive_reply(too_old(replica.next_request(0), first, 30))
    assert replica.proven is proves


def test_a_batch_of_one_command_moves_the_position() -> None:
    replica = proven()
    replica.receive(batch(21, 21))
    assert replica.seq == 21
    replica.receive(heartbeat(21))
    assert replica.seq == 21
