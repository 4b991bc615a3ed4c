"""The state of an instrument over a lossy feed: a follower has the present state, whenever it
joins."""

import pytest
from msgspec.structs import replace

from crossbook.common.following.feed_follower import FeedFollower
from crossbook.common.messages.feed import MarketState, Snapshot, SnapshotRequest, topic
from crossbook.common.sequence import first_of
from crossbook.common.types import InstrumentState
from tests.common.following.test_local_book import FollowerWorld, started
from tests.worlds.feed_source import SYMBOL, FeedSource

STATE = topic("state", SYMBOL).encode()


def check(world: FollowerWorld) -> None:
    assert world.follower.ready
    assert world.follower.state(SYMBOL) == world.source.state


@pytest.mark.parametrize("seed", range(6))
def test_the_state_over_a_lossy_feed_ends_right_and_none_is_reported_twice(seed: int) -> None:
    world = FollowerWorld(seed, ("l2", "state"), lossy=0.3)
    world.answer()
    for n in range(100):
        world.feed(world.source.change_state(n % 5 + 1, n))
        world.run(2, answer_chance=0.3)
    world.settle()
    check(world)
    received = [update.seq for update in world.updates if isinstance(update, MarketState)]
    assert received == sorted(set(received))


def test_a_late_follower_begins_with_the_present_state() -> None:
    world = FollowerWorld(channels=("state",))
    world.source.change_state(InstrumentState.HALTED, 77)
    world.answer()
    check(world)
    assert world.follower.counters.messages == 0


def test_a_lost_state_shows_in_the_heartbeat() -> None:
    world = started(channels=("state",))
    world.source.change_state(InstrumentState.HALTED)
    assert world.follower.state(SYMBOL) != world.source.state
    world.feed([world.source.heartbeat()])
    world.answer()
    check(world)


def test_the_next_message_replaces_states_lost_for_good() -> None:
    world = started(channels=("state",), history=1)
    for state in (2, 3, 4):
        frames = world.source.change_state(state)
    world.feed(frames)
    world.settle()
    check(world)
    assert world.follower.counters.lost == 2


def test_a_later_publisher_sends_its_state_by_snapshot_and_by_message() -> None:
    world = started(channels=("state",))
    world.feed(world.source.change_state(InstrumentState.HALTED))
    world.source = FeedSource(seed=77, epoch=9)
    world.feed([world.source.heartbeat()])
    world.settle()
    check(world)
    world.source = FeedSource(seed=78, epoch=10)
    frames = world.source.change_state(InstrumentState.AUCTION)
    assert frames[0][1] == first_of(10)
    world.feed(frames)
    world.settle()
    check(world)


def test_a_message_on_its_way_does_not_undo_a_snapshot() -> None:
    world = started(channels=("l2", "state"))
    late = world.source.change_state(InstrumentState.HALTED)
    newest = world.source.change_state(InstrumentState.OPEN)
    place = world.follower._books[SYMBOL].topics[0].next_seq
    world.feed([(topic("l2", SYMBOL).encode(), place, b"\xc1")])
    (request,) = (r for r in world.follower.drain_requests() if isinstance(r, SnapshotRequest))
    world.follower.on_reply(world.source.answer(request))
    world.feed(late)
    assert world.follower.state(SYMBOL) == world.source.state
    world.feed(newest)
    assert world.follower.state(SYMBOL) == world.source.state


def test_the_state_needs_its_channel() -> None:
    with pytest.raises(ValueError, match="state"):
        FeedFollower([SYMBOL], ["l2"]).state(SYMBOL)


def test_an_earlier_publisher_sends_no_state() -> None:
    world = FollowerWorld(channels=("state",))
    world.follower.on_time(1)
    for request in world.follower.drain_requests():
        world.follower.on_reply(world.source.answer(request))
    (request,) = world.follower.drain_requests()
    reply = world.source.answer(request)
    assert isinstance(reply, Snapshot)
    world.follower.on_reply(replace(reply, state=None))
    assert world.follower.state(SYMBOL) is None
