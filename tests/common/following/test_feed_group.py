"""The feeds of two publishers as one."""

import pytest
from msgspec.structs import replace

from crossbook.common.following.depth import BookChecksum
from crossbook.common.following.feed_follower import STALE_NS, FeedFollower
from crossbook.common.following.feed_group import FeedGroup
from crossbook.common.instruments import Instrument, example
from crossbook.common.messages.codec import encode
from crossbook.common.messages.feed import (
    HEARTBEAT_TOPIC,
    Heartbeat,
    InstrumentList,
    InstrumentsRequest,
    Snapshot,
    SnapshotRequest,
    topic,
)

ONE = example()
TWO = replace(example(), id=2, symbol="ETH-USDT")


def answer(group: FeedGroup, follower: FeedFollower, *instruments: Instrument) -> None:
    """A publisher of these instruments answers all its requests."""
    by_symbol = {each.symbol: each for each in instruments}
    while requests := follower.drain_requests():
        for request in requests:
            if isinstance(request, InstrumentsRequest):
                group.on_reply(follower, InstrumentList(request.request_id, list(instruments)))
            elif isinstance(request, SnapshotRequest):
                levels = [(90, 1)]
                checksum = BookChecksum(by_symbol[request.symbol]).of_levels(levels, [])
                number = request.request_id
                book = Snapshot(
                    request_id=number,
                    symbol=request.symbol,
                    seq=5,
                    topics={},
                    bids=levels,
                    asks=[],
                    checksum=checksum,
                    time_ns=1,
                    last_trade_id=0,
                )
                group.on_reply(follower, book)


def group_of(*symbols: str) -> FeedGroup:
    group = FeedGroup(2, symbols, ("l2",))
    group.on_time(1)
    return group


def test_every_instrument_of_every_publisher_is_followed() -> None:
    group = group_of()
    first, second = group.followers
    answer(group, first, ONE)
    assert not group.ready
    assert list(group.instruments) == [ONE.symbol]
    answer(group, second, TWO)
    assert group.ready
    assert list(group.instruments) == [ONE.symbol, TWO.symbol]
    assert group.of(TWO.symbol) is second
    assert group.book(TWO.symbol).best[0] == 90
    assert len(group.drain_updates()) == 2
    assert group.counters.snapshots == 2


@pytest.mark.parametrize("first_answers_first", [True, False])
def test_a_named_instrument_is_found_where_it_is(first_answers_first: bool) -> None:
    group = group_of(TWO.symbol)
    pairs = list(zip(group.followers, (ONE, TWO), strict=True))
    for follower, instrument in pairs if first_answers_first else reversed(pairs):
        answer(group, follower, instrument)
    assert group.ready
    assert group.unknown_symbols == []
    assert group.book(TWO.symbol).best[0] == 90
    assert [each.symbols() for each in group.followers] == [[], [TWO.symbol]]


def test_an_instrument_that_no_publisher_has_is_unknown() -> None:
    group = group_of("DOGE-USDT")
    answer(group, group.followers[0], ONE)
    assert group.unknown_symbols == []
    answer(group, group.followers[1], TWO)
    assert group.unknown_symbols == ["DOGE-USDT"]
    assert not group.ready


def beat(follower: FeedFollower, *instruments: Instrument) -> None:
    """A heartbeat with these instruments' books."""
    last = {topic("l2", each.symbol): 0 for each in instruments}
    follower.on_feed(
        HEARTBEAT_TOPIC.encode(), 1, encode(Heartbeat(seq=5, time_ns=1, stale_ms=0, topics=last))
    )


@pytest.mark.parametrize("received_early", [True, False])
def test_an_instrument_the_publisher_lists_later_is_followed(
    received_early: bool,
) -> None:
    group = FeedGroup(1, (), ("l2",))
    (follower,) = group.followers
    group.on_time(1)
    if received_early:
        # The answer, which has less, was on its way when the heartbeat overtook it.
        beat(follower, ONE, TWO)
    answer(group, follower, ONE)
    beat(follower, ONE, TWO)
    answer(group, follower, ONE, TWO)
    assert group.ready
    assert list(group.instruments) == [ONE.symbol, TWO.symbol]
    assert group.book(TWO.symbol).best[0] == 90
    beat(follower, ONE, TWO)
    assert not follower.drain_requests()


def test_a_silent_publisher_makes_only_its_own_instruments_stale() -> None:
    group, only_one = group_of(), group_of(ONE.symbol)
    for each in (group, only_one):
        answer(each, each.followers[0], ONE)
        answer(each, each.followers[1], TWO)
        each.on_time(STALE_NS + 2)
        heartbeat = encode(Heartbeat(seq=5, time_ns=1, stale_ms=0, topics={}))
        each.followers[0].on_feed(HEARTBEAT_TOPIC.encode(), 1, heartbeat)
    assert group.stale
    assert group.of(TWO.symbol).stale
    assert not group.of(ONE.symbol).stale
    assert not only_one.stale


def test_an_instrument_that_no_publisher_named_is_the_one_that_follows_it() -> None:
    group = group_of(ONE.symbol, TWO.symbol)
    first, second = group.followers
    first.unfollow(TWO.symbol)
    second.unfollow(ONE.symbol)
    assert group.of(ONE.symbol) is first
    assert group.of(TWO.symbol) is second
    second.unfollow(TWO.symbol)
    assert group.of(TWO.symbol) is first
