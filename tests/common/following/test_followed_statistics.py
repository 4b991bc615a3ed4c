"""Candles and ticker over a lossy feed: complete, in order, and never older than those received
before."""

import pytest
from msgspec.structs import replace

from crossbook.common.following.feed_follower import FeedFollower
from crossbook.common.messages.codec import decode_feed, encode
from crossbook.common.messages.feed import Candles, Snapshot, SnapshotRequest, Ticker, topic
from crossbook.common.messages.history_queries import Candle
from tests.common.following.test_local_book import FollowerWorld, started
from tests.worlds.feed_source import SYMBOL, FeedSource, Frames

CHANNELS = ("candle", "ticker")
CANDLE, TICKER = (topic(channel, SYMBOL).encode() for channel in CHANNELS)


def traded(world: FollowerWorld) -> list[Frames]:
    """The frames of steps up to the first one with a trade, which is included."""
    frames: list[Frames] = []
    while not any(name == TICKER for name, _, _ in frames):
        frames += world.source.step()
    return frames


@pytest.mark.parametrize("seed", range(8))
def test_every_candle_arrives_in_order_as_it_ended(seed: int) -> None:
    world = FollowerWorld(seed, CHANNELS, lossy=0.3)
    world.answer()
    world.run(300, answer_chance=0.3)
    world.settle()
    world.check_statistics()
    numbers = [update.seq for update in world.updates if isinstance(update, Candles)]
    assert numbers == sorted(numbers)
    assert len(numbers) == len(set(numbers)) > 50
    received = {
        (candle.interval_s, candle.open_ns): candle
        for update in world.updates if isinstance(update, Candles)
        for candle in update.candles
    }  # fmt: skip
    sent = {
        (candle.interval_s, candle.open_ns): candle
        for payload in world.source.sent[CANDLE.decode()].values()
        for candle in candles_in(payload)
    }
    assert received == {place: candle for place, candle in sent.items() if place in received}
    assert len(received) > len(sent) // 2


def candles_in(payload: bytes) -> list[Candle]:
    message = decode_feed(payload)
    assert isinstance(message, Candles)
    return list(message.candles)


def test_a_late_follower_begins_with_the_present_state() -> None:
    world = FollowerWorld(channels=CHANNELS)
    traded(world)
    world.answer()
    assert world.follower.ticker(SYMBOL) == world.source.ticker
    assert world.follower.candles(SYMBOL) == {
        candle.interval_s: candle for candle in world.source.series.latest()
    }
    assert world.follower.counters.messages == 0


def test_messages_on_their_way_do_not_undo_a_snapshot() -> None:
    world = started(channels=("l2", *CHANNELS))
    early = traded(world)
    late = traded(world)
    held = [frame for frame in early + late if frame[0] in (CANDLE, TICKER)]
    # A wrong message in the book leads to a snapshot, which overtakes these.
    place = world.follower._books[SYMBOL].topics[0].next_seq
    world.feed([(topic("l2", SYMBOL).encode(), place, b"\xc1")])
    (request,) = (r for r in world.follower.drain_requests() if isinstance(r, SnapshotRequest))
    world.follower.on_reply(world.source.answer(request))
    newest = world.source.ticker
    assert world.follower.ticker(SYMBOL) == newest
    world.updates.clear()
    candles = world.follower.candles(SYMBOL)
    for frame in held[:-2]:
        world.feed([frame])
        assert world.follower.ticker(SYMBOL) == newest
        assert world.follower.candles(SYMBOL) == candles
    world.feed(held[-2:])
    assert [type(update) for update in world.updates].count(Ticker) == len(held) // 2
    world.settle()
    world.check_statistics()


def test_the_next_message_replaces_one_lost_for_good() -> None:
    world = started(channels=CHANNELS, history=3)
    for _ in range(12):
        traded(world)
    world.feed(traded(world))
    world.settle()
    world.check_statistics()
    assert world.follower.counters.lost > 0
    assert world.follower.counters.snapshots == 1


def test_the_statistics_of_a_publisher_without_the_past_are_empty() -> None:
    world = started(channels=CHANNELS)
    world.feed(traded(world))
    assert world.follower.ticker(SYMBOL) is not None
    world.source = FeedSource(seed=77, epoch=9)
    world.feed([world.source.heartbeat()])
    world.settle()
    assert world.follower.ticker(SYMBOL) is None
    assert world.follower.candles(SYMBOL) == {}
    world.feed(traded(world))
    world.settle()
    world.check_statistics()


def test_a_ticker_on_the_topic_of_candles_is_not_taken() -> None:
    world = started(channels=CHANNELS)
    world.feed(traded(world))
    before = world.follower.ticker(SYMBOL)
    assert before is not None
    world.source.last[CANDLE.decode()] += 1
    wrong = encode(replace(before, high_ticks=99))
    world.feed([(CANDLE, world.source.last[CANDLE.decode()], wrong)])
    assert world.follower.ticker(SYMBOL) == before
    assert world.follower.counters.mismatches == 1


def test_candles_and_ticker_need_their_channels() -> None:
    follower = FeedFollower([SYMBOL], ["l2"])
    with pytest.raises(ValueError, match="ticker"):
        follower.ticker(SYMBOL)
    with pytest.raises(ValueError, match="candle"):
        follower.candles(SYMBOL)
    with pytest.raises(KeyError):
        FeedFollower([SYMBOL], CHANNELS).ticker("DOGE-USD")


def test_a_snapshot_of_an_earlier_publisher_has_no_statistics() -> None:
    """Fields appended to `Snapshot` have defaults: the snapshot of an older publisher decodes as
    one whose past is unknown."""
    world = FollowerWorld(channels=CHANNELS)
    traded(world)
    world.follower.on_time(1)
    for request in world.follower.drain_requests():
        world.follower.on_reply(world.source.answer(request))
    (request,) = world.follower.drain_requests()
    reply = world.source.answer(request)
    assert isinstance(reply, Snapshot)
    world.follower.on_reply(replace(reply, ticker=None, candles=[]))
    assert world.follower.ticker(SYMBOL) is None
    assert world.follower.candles(SYMBOL) == {}
