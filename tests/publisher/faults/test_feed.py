"""The feed behind rules: the messages that reach the wire for given events."""

from typing import Any

import pytest

from crossbook.common.faults.kinds import AnyFault
from crossbook.common.faults.market_data import (
    FeedDelay,
    FeedDrop,
    FeedDuplicate,
    FeedGap,
    FeedHeartbeatStopped,
    FeedReorder,
    FeedStandstill,
    FeedWrongChecksum,
)
from crossbook.common.faults.venue import ClockShifted
from crossbook.common.messages.codec import decode_feed
from crossbook.common.messages.feed import DepthUpdate, Heartbeat
from tests.publisher.faults.faulty_world import SELL, FaultyFeedWorld

MS = 1_000_000


def l2(**fields: Any) -> dict[str, Any]:
    """A rule for the topic `l2`, with more fields."""
    return {"channel": "l2", "symbol": "BTC-USDT", **fields}


def sent(world: FaultyFeedWorld, at_ms: int = 0) -> list[int]:
    """Enter one more order; return the numbers sent on the topic `l2` for it."""
    world.enter()
    return world.numbers("l2", at_ms)


def test_without_rules_everything_is_sent_once() -> None:
    world = FaultyFeedWorld()
    assert [sent(world), sent(world)] == [[1], [2]]


@pytest.mark.parametrize("rule", [FeedDrop(**l2(next=1)), FeedGap(**l2(next=1))])
def test_a_message_is_left_out(rule: AnyFault) -> None:
    world = FaultyFeedWorld(rule)
    assert [sent(world), sent(world)] == [[], [2]]
    is_gap = isinstance(rule, FeedGap)
    topic = "l2.BTC-USDT|"
    assert world.feed.is_lost(topic, world.base + 1, world.base + 1) is is_gap
    assert not world.feed.is_lost(topic, world.base + 2, world.base + 2)
    world.table.clear()
    assert not world.feed.is_lost(topic, world.base + 1, world.base + 1)


def test_other_channels_and_symbols_are_left_alone() -> None:
    world = FaultyFeedWorld(FeedDrop(**l2()), FeedDrop(symbol="ETH-USDT"))
    world.enter()
    assert world.numbers("l3") == [1]
    world.enter()
    assert world.numbers("bbo") == [2]


def test_a_message_is_sent_twice() -> None:
    assert sent(FaultyFeedWorld(FeedDuplicate(**l2()))) == [1, 1]


def test_a_message_is_overtaken_by_the_next_of_its_topic() -> None:
    world = FaultyFeedWorld(FeedReorder(**l2(next=1)))
    assert [sent(world), sent(world), sent(world)] == [[], [2, 1], [3]]


def test_a_message_that_nothing_overtakes_is_sent_after_a_second() -> None:
    world = FaultyFeedWorld(FeedReorder(**l2(next=1)))
    assert [sent(world), world.numbers("l2", 999), world.numbers("l2", 1_000)] == [[], [], [1]]


def test_a_late_message_is_overtaken_and_sent_when_its_time_has_come() -> None:
    world = FaultyFeedWorld(FeedDelay(milliseconds=50, **l2(next=1)))
    assert sent(world, 0) == []
    assert sent(world, 20) == [2]
    assert world.numbers("l2", 49) == []
    assert world.numbers("l2", 50) == [1]


def test_late_messages_leave_also_after_their_rule_is_removed() -> None:
    world = FaultyFeedWorld(FeedDelay(milliseconds=50, **l2()))
    sent(world)
    world.table.clear()
    assert world.numbers("l2", 60) == [1]


def test_heartbeats_do_not_count_a_topic_that_stands_still() -> None:
    world = FaultyFeedWorld()
    assert sent(world) == [1]
    world.table.add(FeedStandstill(**l2()))
    assert sent(world) == []
    assert (world.last("l2"), world.last("l3")) == (1, 2)
    world.table.clear()
    assert world.last("l2") == 2


def test_a_topic_goes_on_where_the_next_message_is_sent() -> None:
    world = FaultyFeedWorld(FeedStandstill(**l2(next=1)))
    assert sent(world) == []
    assert world.last("l2") == 0
    assert sent(world) == [2]
    assert world.last("l2") == 2


def test_a_checksum_is_wrong_and_the_resend_is_right() -> None:
    world = FaultyFeedWorld(FeedWrongChecksum(symbol="BTC-USDT", next=1))
    world.enter()
    ((_, _, payload),) = [each for each in world.feed.publish() if each[0].startswith(b"l2.")]
    update = decode_feed(payload)
    (kept,) = world.feed.topics["l2.BTC-USDT|"].since(world.base + 1, world.base + 1, 9_999) or []
    right = decode_feed(kept)
    assert isinstance(update, DepthUpdate)
    assert isinstance(right, DepthUpdate)
    assert update.checksum != right.checksum
    assert update.bids == right.bids


def test_heartbeats_stop_as_often_as_their_rule_applies() -> None:
    world = FaultyFeedWorld(FeedHeartbeatStopped(next=2))
    assert [world.feed.heartbeat_is_due() for _ in range(3)] == [False, False, True]
    assert world.table.applied["feed_heartbeat_stopped"] == 2


def test_times_are_shifted_and_those_of_heartbeats_are_true() -> None:
    world = FaultyFeedWorld(ClockShifted(shift_ms=3))
    world.enter()
    update: Any = next(decode_feed(each[2]) for each in world.round() if each[0][:2] == b"l2")
    assert update.time_ns == 3 * MS
    snapshot = world.feed.shown(world.market.snapshot(1, world.seq, world.feed.time_ns, False))
    assert snapshot.time_ns == 3 * MS
    beat = decode_feed(world.feed.heartbeat(0)[2])
    assert isinstance(beat, Heartbeat)
    assert (beat.time_ns, world.feed.time_ns) == (0, 0)
    world.table.clear()
    world.enter()
    update = next(decode_feed(each[2]) for each in world.round() if each[0][:2] == b"l2")
    assert update.time_ns == 0


def test_a_trade_has_the_shifted_time_too() -> None:
    world = FaultyFeedWorld(ClockShifted(shift_ms=-2))
    world.enter(SELL, 600)
    world.trade(600)
    trades: Any = next(decode_feed(each[2]) for each in world.round() if each[0][:5] == b"trade")
    assert [each.time_ns for each in trades.trades] == [-2 * MS]
