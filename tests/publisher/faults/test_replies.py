"""Replies of a publisher behind rules."""

from crossbook.common.faults.market_data import BookEmpty, FeedGap
from crossbook.common.messages.codec import encode
from crossbook.common.messages.feed import (
    FeedReply,
    Range,
    RangeRequest,
    Snapshot,
    SnapshotRequest,
    TooOld,
)
from crossbook.common.messages.matcher_queries import Books
from crossbook.publisher.faults.replies import FaultySnapshotServer
from crossbook.publisher.replica import PublisherReplica
from tests.publisher.faults.faulty_world import SELL, FaultyFeedWorld

L2 = "l2.BTC-USDT|"


def served(world: FaultyFeedWorld) -> FaultySnapshotServer:
    """A server of the world's book."""
    replica = PublisherReplica(world.feed)
    replica.next_request(0)
    replica.receive_reply(Books(request_id=1, incarnation=7, seq=0, time_ns=0, books=[]))
    return FaultySnapshotServer(replica, world.feed)


def resend(server: FaultySnapshotServer, first: int, last: int) -> FeedReply:
    """The reply to a request for these messages of `l2`, numbered from 1."""
    base = FaultyFeedWorld.base
    reply = server.answer(encode(RangeRequest(1, L2, base + first, base + last)))
    assert isinstance(reply, Range | TooOld)
    return reply


def test_a_gap_has_no_resend_while_its_rule_is_there() -> None:
    world = FaultyFeedWorld(FeedGap(channel="l2", next=1))
    server = served(world)
    for _ in range(3):
        world.enter()
        world.round()
    assert isinstance(resend(server, 1, 3), TooOld)
    assert isinstance(resend(server, 2, 3), Range)
    world.table.clear()
    assert isinstance(resend(server, 1, 3), Range)


def test_a_snapshot_leaves_out_the_hidden_side_and_agrees_with_itself() -> None:
    world = FaultyFeedWorld(BookEmpty(side="asks"))
    server = served(world)
    world.enter()
    world.enter(SELL, 900)
    world.round()
    reply = server.answer(encode(SnapshotRequest(1, "BTC-USDT")))
    assert isinstance(reply, Snapshot)
    assert (len(reply.bids), reply.asks) == (1, [])
    assert reply.checksum != world.market.checksum()
    world.table.clear()
    world.round()
    reply = server.answer(encode(SnapshotRequest(2, "BTC-USDT")))
    assert isinstance(reply, Snapshot)
    assert (len(reply.bids), len(reply.asks), reply.checksum) == (1, 1, world.market.checksum())
