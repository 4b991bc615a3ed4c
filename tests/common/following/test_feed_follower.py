"""Requests, updates and counters of a follower under given losses, and its reactions at their
bounds."""

from collections.abc import Iterator
from hashlib import sha256

import pytest
from msgspec.structs import replace

from crossbook.common.following.feed_follower import HELD_MAX, STALE_NS, FeedFollower
from crossbook.common.following.feed_topic import RETRY_MAX_NS, RETRY_NS
from crossbook.common.instruments import example
from crossbook.common.messages.codec import encode
from crossbook.common.messages.feed import (
    BestBidOffer,
    FeedReject,
    Heartbeat,
    InstrumentList,
    InstrumentsRequest,
    Range,
    RangeRequest,
    Snapshot,
    SnapshotRequest,
    TooOld,
    topic,
)
from crossbook.common.sequence import first_of
from crossbook.common.types import RejectReason
from tests.common.following.test_local_book import ALL, FollowerWorld, started
from tests.worlds.feed_source import SYMBOL, FeedSource

EVERYTHING = (*ALL, "state")
BBO = topic("bbo", SYMBOL)


def trace(world: FollowerWorld, steps: int) -> Iterator[object]:
    """The observable state of a follower, after each step of its source."""
    follower = world.follower
    for step in range(steps):
        if step % 40 == 39:
            world.source = FeedSource(seed=step, epoch=world.source.last[BBO] // 2**30 + 3)
            world.source.history = 12
        if step % 7 == 3:
            world.feed(world.source.change_state(step % 5 + 1, step))
        world.source.answer_wrongly = step % 31 in (5, 6)
        if step % 17 == 8:
            world.feed([(name, seq, b"\xc1") for name, seq, _ in world.source.step()])
        world.run(1, answer_chance=0.4)
        yield world.requests_sent, world.updates, follower.ready, follower.stale, follower.counters
        yield follower.heartbeat, follower.drain_requests(), follower.is_live(SYMBOL)
        yield follower.ticker(SYMBOL), follower.candles(SYMBOL), follower.state(SYMBOL)
        book = follower.book(SYMBOL)
        yield book.seq, book.orders_seq, book.bids(), book.asks(), book.last_trade_id
        world.requests_sent, world.updates = [], []


@pytest.mark.parametrize(
    ("seed", "counters", "digest"),
    [
        (1, (514, 258, 47, 68, 14, 27, 5, 0), "bb07da48a0c5105a"),
        (2, (546, 241, 52, 75, 14, 25, 5, 0), "58b2bb583275e35c"),
        (3, (591, 224, 53, 73, 15, 27, 5, 0), "ef5f54ef20e9207c"),
    ],
)
def test_the_same_losses_lead_to_the_same_requests_and_updates(
    seed: int, counters: tuple[int, ...], digest: str
) -> None:
    """The digest differs after any change of a request, update or counter. Such a change must be
    intended."""
    world = FollowerWorld(seed, EVERYTHING, lossy=0.25, history=12)
    seen = sha256()
    for each in trace(world, 200):
        seen.update(repr(each).encode())
    found = world.follower.counters
    assert (
        found.messages, found.duplicates, found.gaps, found.resends, found.snapshots,
        found.mismatches, found.restarts, found.lost,
    ) == counters  # fmt: skip
    assert seen.hexdigest().startswith(digest)


def refusal(request_id: int, reason: RejectReason = RejectReason.UNKNOWN_SYMBOL) -> FeedReject:
    return FeedReject(request_id, reason, "symbol", "unknown")


def ready_follower(*channels: str) -> FollowerWorld:
    world = started(channels=channels)
    assert world.follower.ready
    return world


def test_a_snapshot_that_is_refused_names_its_symbol_and_no_other() -> None:
    follower = FeedFollower(["BTC-USDT", "ETH-USDT"], ["l2"])
    follower.on_time(1)
    (listing,) = follower.drain_requests()
    ether = replace(example(), id=2, symbol="ETH-USDT")
    follower.on_reply(InstrumentList(listing.request_id, [example(), ether]))
    first, second = follower.drain_requests()
    assert [first, second] == [SnapshotRequest(2, "BTC-USDT"), SnapshotRequest(3, "ETH-USDT")]
    follower.on_reply(refusal(3))
    assert follower.unknown_symbols == ["ETH-USDT"]
    follower.on_reply(refusal(3))
    assert follower.unknown_symbols == ["ETH-USDT"]
    follower.on_time(RETRY_NS + 1)
    assert follower.drain_requests() == [SnapshotRequest(4, "BTC-USDT")]


def test_a_refused_range_is_requested_again_when_more_is_missing() -> None:
    world = ready_follower("bbo", "trade")
    follower = world.follower
    end = world.source.last[BBO] + 3
    beat = Heartbeat(1, 0, 0, {BBO: end, topic("trade", SYMBOL): 0})
    follower.on_feed(b"heartbeat|", 1, encode(beat))
    (sent,) = follower.drain_requests()
    assert sent == RangeRequest(sent.request_id, BBO, end - 2, end)
    assert not follower.is_live(SYMBOL)
    follower.on_reply(refusal(sent.request_id))
    assert follower.is_live(SYMBOL)
    assert follower.unknown_symbols == []
    follower.on_feed(b"heartbeat|", 1, encode(beat))
    (again,) = follower.drain_requests()
    assert again == RangeRequest(sent.request_id + 1, BBO, end - 2, end)


def test_a_request_is_repeated_some_time_after_a_busy_answer() -> None:
    follower = FeedFollower([SYMBOL], ["l2"])
    follower.on_time(5)
    assert follower.drain_requests() == [InstrumentsRequest(1)]
    follower.on_reply(refusal(1, RejectReason.BUSY))
    assert follower.drain_requests() == []
    follower.on_time(5 + RETRY_NS)
    assert follower.drain_requests() == [InstrumentsRequest(2)]


def test_a_snapshot_without_a_book_is_requested_again_with_the_books_first_message() -> None:
    follower = FeedFollower([SYMBOL], ["l2", "state"])
    follower.on_time(1)
    follower.on_reply(InstrumentList(1, [example()]))
    assert follower.drain_requests() == [InstrumentsRequest(1), SnapshotRequest(2, SYMBOL)]
    follower.on_reply(refusal(2, RejectReason.BUSY))
    assert follower.drain_requests() == []
    state = topic("state", SYMBOL).encode()
    follower.on_feed(state, first_of(77), b"held until the snapshot")
    assert follower.drain_requests() == [SnapshotRequest(3, SYMBOL)]
    follower.on_feed(state, first_of(77) + 1, b"held, too")
    assert follower.drain_requests() == [], "one request for one refusal"


def test_a_request_is_repeated_after_twice_the_time_up_to_a_limit() -> None:
    follower = FeedFollower([SYMBOL], ["l2"])
    now_ns, waits = 1, []
    follower.on_time(now_ns)
    follower.drain_requests()
    for wait_ns in (RETRY_NS << n for n in range(7)):
        due_ns = min(wait_ns, RETRY_MAX_NS)
        follower.on_time(now_ns + due_ns - 1)
        waits.append(len(follower.drain_requests()))
        now_ns += due_ns
        follower.on_time(now_ns)
        waits.append(len(follower.drain_requests()))
    assert waits == [0, 1] * 7


def test_silence_counts_from_the_first_time_and_from_the_last_message() -> None:
    follower = FeedFollower([SYMBOL], ["l2"])
    assert not follower.stale
    follower.on_time(1)
    follower.on_time(1 + STALE_NS)
    assert not follower.stale
    follower.on_time(2 + STALE_NS)
    assert follower.stale
    follower.on_reply(refusal(1, RejectReason.BUSY))
    assert follower.stale, "an answer to no request that is open"
    follower.on_feed(b"x", 1, b"")
    assert not follower.stale
    for stale_ms, stale in ((2_000, False), (2_001, True)):
        follower.on_feed(b"heartbeat|", 1, encode(Heartbeat(1, 0, stale_ms, {})))
        assert follower.stale is stale


def test_a_heartbeat_before_any_message_reveals_the_earlier_ones() -> None:
    epoch = first_of(77)
    follower = FeedFollower([SYMBOL], ["bbo"])
    follower.on_time(1)
    (listing,) = follower.drain_requests()
    follower.on_reply(InstrumentList(listing.request_id, [example()]))
    (snapshot,) = follower.drain_requests()
    follower.on_reply(
        Snapshot(
            request_id=snapshot.request_id, symbol=SYMBOL, seq=1, topics={}, bids=[], asks=[],
            checksum=0, time_ns=0, last_trade_id=0,
        )
    )  # fmt: skip
    assert follower.ready
    follower.on_feed(b"heartbeat|", 1, encode(Heartbeat(1, 0, 0, {BBO: epoch + 1})))
    assert follower.drain_requests() == [
        RangeRequest(snapshot.request_id + 1, BBO, epoch, epoch + 1)
    ]
    assert follower.counters.gaps == 1


@pytest.mark.parametrize(
    ("first_held", "passed", "lost"), [(0, 3, 3), (1, 3, 3), (2, 1, 1), (3, 2, 2), (4, 3, 3)]
)
def test_messages_the_publisher_no_longer_has_are_passed_over(
    first_held: int, passed: int, lost: int
) -> None:
    """Three messages are missing. Those before the first one that the publisher holds are lost;
    where it holds none of the three, all are lost."""
    world = ready_follower("bbo")
    follower, before = world.follower, world.source.last[BBO]
    follower.on_feed(b"heartbeat|", 1, encode(Heartbeat(1, 0, 0, {BBO: before + 3})))
    (sent,) = follower.drain_requests()
    follower.on_reply(TooOld(sent.request_id, BBO, before + first_held, before + 9))
    assert follower.counters.lost == lost
    again = [RangeRequest(sent.request_id + 1, BBO, before + 1 + passed, before + 3)]
    assert follower.drain_requests() == (again if passed < 3 else [])
    assert follower.ready is (passed == 3)


def test_a_range_without_messages_gives_up_the_missing_ones() -> None:
    world = ready_follower("bbo")
    follower, before = world.follower, world.source.last[BBO]
    follower.on_feed(b"heartbeat|", 1, encode(Heartbeat(1, 0, 0, {BBO: before + 3})))
    (sent,) = follower.drain_requests()
    follower.on_reply(Range(sent.request_id + 1, BBO, before + 1, []))
    assert follower.counters.lost == 0
    follower.on_reply(Range(sent.request_id, "bbo.OTHER|", before + 1, []))
    assert follower.counters.lost == 0
    follower.on_reply(Range(sent.request_id, BBO, before + 1, []))
    assert (follower.counters.lost, follower.ready) == (3, True)


def test_beyond_the_bound_the_older_half_of_held_messages_is_dropped() -> None:
    world = ready_follower("bbo")
    payload = encode(
        BestBidOffer(
            symbol=SYMBOL, seq=1, bid_ticks=0, bid_lots=0, ask_ticks=0, ask_lots=0, time_ns=0,
        )
    )  # fmt: skip
    start = world.source.last[BBO] + 2
    for seq in range(start, start + HELD_MAX):
        world.follower.on_feed(BBO.encode(), seq, payload)
    (sent,) = world.follower.drain_requests()
    assert sent == RangeRequest(sent.request_id, BBO, start - 1, start - 1)
    world.follower.on_feed(BBO.encode(), start + HELD_MAX, payload)
    world.now_ns += RETRY_NS
    world.follower.on_time(world.now_ns)
    (again,) = world.follower.drain_requests()
    end = start + HELD_MAX // 2 - 1
    assert again == RangeRequest(sent.request_id + 1, BBO, start - 1, end)


def test_an_instrument_that_is_no_longer_followed_makes_no_request() -> None:
    world = ready_follower("bbo", "l2")
    follower, before = world.follower, world.source.last[BBO]
    assert follower.follows(SYMBOL)
    follower.on_feed(b"heartbeat|", 1, encode(Heartbeat(1, 0, 0, {BBO: before + 3})))
    follower.drain_requests()
    follower.unfollow(SYMBOL)
    assert not follower.follows(SYMBOL)
    assert follower.topics() == ["heartbeat|"]
    assert not follower.ready
    follower.on_time(world.now_ns + 100 * RETRY_NS)
    follower.on_feed(BBO.encode(), before + 1, b"")
    assert follower.drain_requests() == []


def test_instruments_added_later_are_found_by_their_topics() -> None:
    follower = FeedFollower([], ["bbo"])
    follower.on_time(1)
    follower.drain_requests()
    follower.on_reply(InstrumentList(1, [example()]))
    (snapshot,) = follower.drain_requests()
    follower.on_reply(
        Snapshot(
            request_id=snapshot.request_id, symbol=SYMBOL, seq=1, topics={}, bids=[], asks=[],
            checksum=0, time_ns=0, last_trade_id=0,
        )
    )  # fmt: skip

    def beat(*symbols: str) -> list[object]:
        topics = {topic(channel, each): 0 for each in symbols for channel in ("bbo", "l2")}
        follower.on_feed(b"heartbeat|", 1, encode(Heartbeat(1, 0, 0, topics)))
        return [*follower.drain_requests()]

    assert beat(SYMBOL) == []
    assert beat(SYMBOL, "ETH-USDT") == [InstrumentsRequest(3)]
    assert beat(SYMBOL, "ETH-USDT") == [], "it has been requested"
    ether = replace(example(), id=2, symbol="ETH-USDT")
    follower.on_reply(InstrumentList(3, [example(), ether]))
    assert follower.drain_requests() == [SnapshotRequest(4, "ETH-USDT")]
    assert follower.symbols() == [SYMBOL, "ETH-USDT"]
    assert beat(SYMBOL, "ETH-USDT") == []


@pytest.mark.parametrize("channel", ["ticker", "candle", "state"])
def test_a_channel_that_is_not_subscribed_to_is_refused(channel: str) -> None:
    follower = FeedFollower([SYMBOL], ["l2"])
    call = {"ticker": follower.ticker, "candle": follower.candles, "state": follower.state}
    with pytest.raises(ValueError, match=f'"{channel}"'):
        call[channel](SYMBOL)
    with pytest.raises(ValueError, match="channels"):
        FeedFollower([SYMBOL], [])


def test_a_snapshot_that_answers_something_else_changes_nothing() -> None:
    world = ready_follower("bbo")
    follower, before = world.follower, world.source.last[BBO]
    follower.on_feed(b"heartbeat|", 1, encode(Heartbeat(1, 0, 0, {BBO: before + 3})))
    (sent,) = follower.drain_requests()
    follower.drain_updates()
    follower.on_reply(
        Snapshot(
            request_id=sent.request_id, symbol=SYMBOL, seq=99, topics={}, bids=[(1, 1)], asks=[],
            checksum=0, time_ns=0, last_trade_id=0,
        )
    )  # fmt: skip
    assert follower.drain_updates() == []
    assert follower.counters.snapshots == 1
    assert follower.book(SYMBOL).seq != 99
