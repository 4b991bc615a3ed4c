"""Requests of consumers and their answers."""

import msgspec
import pytest

from crossbook.common.instruments import example
from crossbook.common.messages.codec import encode
from crossbook.common.messages.events import EventBatch, OrderAccepted
from crossbook.common.messages.feed import (
    FeedReject,
    InstrumentList,
    InstrumentsRequest,
    Range,
    RangeRequest,
    Snapshot,
    SnapshotRequest,
    TooOld,
)
from crossbook.common.messages.matcher_queries import Books
from crossbook.common.types import RejectReason
from crossbook.publisher.feed import Feed
from crossbook.publisher.replica import PublisherReplica
from crossbook.publisher.snapshot_server import RANGE_BYTES_MAX, REQUEST_BYTES_MAX, SnapshotServer


def server(orders: int = 3, history: int = 50) -> SnapshotServer:
    """A server of a book with `orders` bids, each published by itself."""
    replica = PublisherReplica(Feed([example()], 100, history))
    replica.next_request(0)
    replica.receive_reply(Books(request_id=1, incarnation=7, seq=0, time_ns=0, books=[]))
    for seq in range(1, orders + 1):
        replica.receive(
            EventBatch(
                incarnation=7,
                first_seq=seq,
                last_seq=seq,
                time_ns=0,
                events=[
                    OrderAccepted(
                        seq=seq,
                        gateway=0,
                        request_seq=0,
                        account=9,
                        instrument=1,
                        side=1,
                        order_type=1,
                        time_in_force=1,
                        price_ticks=500 + seq,
                        quantity_lots=2,
                    )
                ],
            )
        )
        replica.feed.publish()
    return SnapshotServer(replica)


def test_a_snapshot_carries_levels_orders_and_topic_numbers() -> None:
    reply = server().answer(encode(SnapshotRequest(4, "BTC-USDT", orders=True)))
    assert isinstance(reply, Snapshot)
    assert (reply.request_id, reply.seq, reply.last_trade_id) == (4, 3, 0)
    assert reply.bids == [(503, 2), (502, 2), (501, 2)]
    assert reply.bid_orders == [(3, 503, 2), (2, 502, 2), (1, 501, 2)]
    assert (reply.asks, reply.ask_orders) == ([], [])
    assert reply.topics["l2.BTC-USDT|"] == 103
    assert reply.topics["trade.BTC-USDT|"] == 100


def test_a_snapshot_of_levels_has_no_orders() -> None:
    reply = server().answer(encode(SnapshotRequest(4, "BTC-USDT")))
    assert isinstance(reply, Snapshot)
    assert (len(reply.bids), reply.bid_orders) == (3, [])


def test_a_requested_range_is_sent_again() -> None:
    reply = server().answer(
        encode(RangeRequest(request_id=5, topic="l3.BTC-USDT|", from_seq=102, to_seq=999))
    )
    assert isinstance(reply, Range)
    assert (reply.request_id, reply.from_seq, len(reply.payloads)) == (5, 102, 2)


def test_a_range_is_bounded_in_size() -> None:
    served = server(orders=0)
    market = served._feed.markets[1]
    for _ in range(20):
        market.topics[0].append(bytes(RANGE_BYTES_MAX // 10 + 1))
    reply = served.answer(
        encode(RangeRequest(request_id=5, topic="trade.BTC-USDT|", from_seq=101, to_seq=120))
    )
    assert isinstance(reply, Range)
    assert len(reply.payloads) == 9


@pytest.mark.parametrize("from_seq", [0, 100, 104])
def test_a_range_that_is_not_held_is_too_old(from_seq: int) -> None:
    reply = server().answer(
        encode(RangeRequest(request_id=5, topic="l2.BTC-USDT|", from_seq=from_seq, to_seq=200))
    )
    assert reply == TooOld(request_id=5, topic="l2.BTC-USDT|", first_seq=101, last_seq=103)


def test_instruments_are_listed() -> None:
    assert server().answer(encode(InstrumentsRequest(6))) == InstrumentList(6, [example()])


def test_before_the_matchers_first_answer_there_is_no_snapshot() -> None:
    waiting = SnapshotServer(PublisherReplica(Feed([example()], 100, 50)))
    reply = waiting.answer(encode(SnapshotRequest(4, "BTC-USDT")))
    assert isinstance(reply, FeedReject)
    assert (reply.request_id, reply.reason) == (4, RejectReason.BUSY)
    assert isinstance(waiting.answer(encode(InstrumentsRequest(6))), InstrumentList)


@pytest.mark.parametrize(
    ("payload", "request_id", "reason", "field"),
    [
        (encode(SnapshotRequest(4, "NO-SUCH")), 4, RejectReason.UNKNOWN_SYMBOL, "symbol"),
        (
            encode(RangeRequest(request_id=4, topic="l2.NO|", from_seq=1, to_seq=2)),
            4,
            RejectReason.UNKNOWN_SYMBOL,
            "topic",
        ),
        (
            encode(RangeRequest(request_id=4, topic="heartbeat|", from_seq=1, to_seq=2)),
            4,
            RejectReason.UNKNOWN_SYMBOL,
            "topic",
        ),
        (
            encode(RangeRequest(request_id=4, topic="l2.BTC-USDT|", from_seq=9, to_seq=8)),
            4,
            RejectReason.MALFORMED,
            "to_seq",
        ),
        (encode([2, 4, "l2.BTC-USDT|", -1, 8]), 4, RejectReason.MALFORMED, "from_seq"),
        (encode([2, 4, "l2.BTC-USDT|", 1.5, 8]), 4, RejectReason.MALFORMED, "from_seq"),
        (encode([1, 4, "S" * 21]), 4, RejectReason.MALFORMED, "symbol"),
        (encode([1, 4, "BTC-USDT", "yes"]), 4, RejectReason.MALFORMED, "orders"),
        (encode([1, -4, "BTC-USDT"]), 0, RejectReason.MALFORMED, "request_id"),
        (encode([1, 4]), 4, RejectReason.MALFORMED, "frame"),
        (encode([99, 4]), 4, RejectReason.MALFORMED, "tag"),
        (encode([[1], 4]), 4, RejectReason.MALFORMED, "tag"),
        (encode([]), 0, RejectReason.MALFORMED, "frame"),
        (encode({"symbol": "BTC-USDT"}), 0, RejectReason.MALFORMED, "frame"),
        (b"", 0, RejectReason.MALFORMED, "frame"),
        (b"\xc1\xff", 0, RejectReason.MALFORMED, "frame"),
        (b"\x91" * REQUEST_BYTES_MAX, 0, RejectReason.MALFORMED, "frame"),
        (bytes(REQUEST_BYTES_MAX + 1), 0, RejectReason.TOO_LARGE, "frame"),
    ],
)
def test_a_bad_request_is_refused_by_name(
    payload: bytes, request_id: int, reason: RejectReason, field: str
) -> None:
    reply = server().answer(payload)
    assert isinstance(reply, FeedReject)
    assert (reply.request_id, reply.reason, reply.field) == (request_id, reason, field), reply
    assert msgspec.msgpack.decode(encode(reply))
