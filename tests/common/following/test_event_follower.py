"""Following an incarnation: order, repeats, holes, restarts."""

from random import Random

import pytest

from crossbook.common.following.event_follower import EventFollower, RepeatTimer
from crossbook.common.messages.events import CommandRejected, EventBatch


def batch(first_seq: int, last_seq: int, incarnation: int = 7) -> EventBatch:
    """A batch with one event a sequence number."""
    events = [
        CommandRejected(
            seq=seq, gateway=0, request_seq=0, account=1, instrument=1, reason=1, field=""
        )
        for seq in range(first_seq, last_seq + 1)
    ]
    return EventBatch(
        incarnation=incarnation,
        first_seq=first_seq,
        last_seq=last_seq,
        time_ns=0,
        events=list(events),
    )


def heartbeat(seq: int, incarnation: int = 7) -> EventBatch:
    return EventBatch(
        incarnation=incarnation, first_seq=seq + 1, last_seq=seq, time_ns=0, events=[]
    )


def seqs(batches: object) -> list[int]:
    assert isinstance(batches, list | tuple)
    return [event.seq for taken in batches for event in taken.events]


def at(seq: int, incarnation: int = 7, held_max: int = 100) -> EventFollower:
    follower = EventFollower(from_start=True, held_max=held_max)
    follower.reset(incarnation, seq)
    return follower


def test_the_next_batch_is_handed_on_as_it_is() -> None:
    follower = at(4)
    following = batch(5, 6)
    assert list(follower.receive(following)) == [following]
    assert (follower.seq, follower.gap(), follower.restarted) == (6, None, False)


def test_a_repeated_batch_is_dropped() -> None:
    follower = at(4)
    follower.receive(batch(5, 6))
    assert not follower.receive(batch(5, 6))
    assert not follower.receive(batch(5, 5))
    assert (follower.seq, follower.gap()) == (6, None)


def test_a_batch_that_waited_and_was_covered_meanwhile_is_dropped() -> None:
    follower = at(0)
    for waiting in (batch(3, 4), batch(2, 4), batch(4, 4), batch(3, 5)):
        assert not follower.receive(waiting)
    ready = follower.receive(batch(1, 1))
    assert [(each.first_seq, each.last_seq) for each in ready] == [(1, 1), (2, 4), (5, 5)]
    assert follower.held == 0


def test_a_batch_applied_in_part_is_cut_to_its_new_events() -> None:
    follower = at(5)
    (cut,) = follower.receive(batch(4, 7))
    assert (cut.first_seq, cut.last_seq, seqs([cut])) == (6, 7, [6, 7])
    assert follower.seq == 7


def test_batches_behind_a_hole_wait_for_it_and_come_in_order() -> None:
    follower = at(0)
    assert not follower.receive(batch(6, 7))
    assert not follower.receive(batch(3, 4))
    assert follower.gap() == (7, 1, 2)
    assert seqs(follower.receive(batch(1, 2))) == [1, 2, 3, 4]
    assert follower.gap() == (7, 5, 5)
    assert seqs(follower.receive(batch(5, 5))) == [5, 6, 7]
    assert follower.gap() is None


def test_overlapping_held_batches_come_out_once() -> None:
    follower = at(0)
    for held in (batch(2, 6), batch(2, 3), batch(4, 9), batch(5, 5)):
        assert not follower.receive(held)
    assert seqs(follower.receive(batch(1, 1))) == list(range(1, 10))


def test_a_heartbeat_shows_a_lost_tail() -> None:
    follower = at(3)
    follower.receive(heartbeat(3))
    assert follower.gap() is None
    assert not follower.receive(heartbeat(5))
    assert follower.gap() == (7, 4, 5)
    assert seqs(follower.receive(batch(4, 5))) == [4, 5]
    assert follower.gap() is None


def test_held_batches_are_bounded_and_dropped_ones_are_a_hole_again() -> None:
    follower = at(0, held_max=3)
    for first in (2, 3, 4, 5):
        follower.receive(batch(first, first))
    assert seqs(follower.receive(batch(1, 1))) == [1, 2, 3]
    assert follower.gap() == (7, 4, 5)


def test_joining_now_takes_the_first_batch_as_it_comes() -> None:
    follower = EventFollower(from_start=False)
    assert follower.gap() is None
    assert seqs(follower.receive(batch(41, 42))) == [41, 42]
    assert (follower.incarnation, follower.seq) == (7, 42)


def test_joining_now_at_a_heartbeat_starts_behind_it() -> None:
    follower = EventFollower(from_start=False)
    follower.receive(heartbeat(9))
    assert (follower.incarnation, follower.seq, follower.gap()) == (7, 9, None)
    assert seqs(follower.receive(batch(10, 10))) == [10]


def test_from_start_nothing_is_ready_before_the_snapshot_and_nothing_is_lost() -> None:
    follower = EventFollower(from_start=True)
    assert not follower.receive(batch(1, 2))
    assert not follower.receive(batch(3, 8))
    assert not follower.receive(batch(9, 9))
    assert follower.gap() is None
    assert seqs(follower.reset(7, 5)) == [6, 7, 8, 9]
    assert (follower.incarnation, follower.seq, follower.gap()) == (7, 9, None)


def test_another_incarnation_waits_for_a_reset() -> None:
    follower = at(50)
    follower.receive(batch(60, 60))
    assert not follower.receive(batch(3, 4, incarnation=8))
    assert follower.restarted
    assert (follower.other_incarnation, follower.gap()) == (8, None)
    assert not follower.receive(batch(51, 52))
    assert seqs(follower.reset(8, 2)) == [3, 4]
    assert (follower.incarnation, follower.seq, follower.restarted) == (8, 4, False)
    follower.receive(heartbeat(4, incarnation=8))
    assert (follower.seq, follower.gap()) == (4, None)


def test_a_reset_to_another_incarnation_drops_held_batches() -> None:
    follower = at(5)
    follower.receive(batch(9, 9))
    assert not follower.reset(8, 6)
    assert follower.gap() is None


def test_a_reset_behind_the_hole_mends_it() -> None:
    follower = at(5)
    follower.receive(batch(9, 9))
    assert seqs(follower.reset(7, 8)) == [9]
    assert follower.gap() is None


def test_a_reset_keeps_the_highest_number_of_its_incarnation() -> None:
    follower = at(5)
    follower.receive(heartbeat(9))
    assert not follower.reset(7, 7)
    assert follower.gap() == (7, 8, 9)


@pytest.mark.parametrize("seed", range(20))
def test_any_loss_repeat_and_reordering_is_mended_by_answering_gaps(seed: int) -> None:
    random = Random(seed)
    last = 400
    follower = at(0, held_max=random.choice((1, 5, 100)))
    sent: list[EventBatch] = []
    first = 1
    while first <= last:
        end = min(last, first + random.choice((0, 1, 7)))
        sent.append(batch(first, end))
        first = end + 1
    arriving = [piece for piece in sent for _ in range(random.choice((0, 1, 1, 1, 2)))]
    for n in range(0, len(arriving) - 5, 5):
        arriving[n : n + 5] = random.sample(arriving[n : n + 5], 5)
    taken: list[int] = []
    for piece in arriving:
        taken += seqs(follower.receive(piece))
    taken += seqs(follower.receive(heartbeat(last)))
    while (gap := follower.gap()) is not None:
        _, from_seq, to_seq = gap
        # The answer has other batches than were sent, and may stop short of the range.
        taken += seqs(follower.receive(batch(max(1, from_seq - 3), min(to_seq, from_seq + 4))))
    assert taken == list(range(1, last + 1)), f"seed {seed}"


def test_a_repeated_request_waits_for_the_interval_and_not_for_a_new_message() -> None:
    timer = RepeatTimer(interval_ns=200)
    assert [timer.due((7, 1), now) for now in (0, 199, 200, 399, 400)] == [
        True, False, True, False, True,
    ]  # fmt: skip
    assert timer.due((7, 2), 401)
    assert not timer.due((7, 2), 402)
    timer.forget()
    assert timer.due((7, 2), 403)


def test_an_incarnation_without_commands_misses_nothing() -> None:
    """The follower has received a heartbeat of the incarnation before the reset to it, or nothing
    of it."""
    for has_heartbeat in (True, False):
        follower = at(4)
        follower.receive(batch(7, 8))
        if has_heartbeat:
            assert not follower.receive(heartbeat(0, incarnation=8))
        assert not follower.reset(8, 0)
        assert (follower.incarnation, follower.seq, follower.gap()) == (8, 0, None)
