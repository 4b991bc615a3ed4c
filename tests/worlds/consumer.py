"""A consumer of the feed as a client would write it. It asserts every promise of the feed."""

from collections.abc import Callable, Sequence

from crossbook.common.following.depth import BookChecksum, Depth, OrderDepth
from crossbook.common.instruments import Instrument
from crossbook.common.messages.codec import decode_feed, decode_feed_reply, encode
from crossbook.common.messages.feed import (
    BestBidOffer,
    DepthUpdate,
    FeedReply,
    FeedRequest,
    Heartbeat,
    OrderChange,
    OrdersUpdate,
    Range,
    RangeRequest,
    Snapshot,
    SnapshotRequest,
    TooOld,
    Trade,
    Trades,
    topic,
)
from crossbook.common.messages.process_metrics import Metrics
from crossbook.common.types import Side
from crossbook.publisher.resend_buffer import Frames

ReplyTo = Callable[[bytes], FeedReply | Metrics]
CHANNELS = ("trade", "bbo", "l2", "l3")


class FeedConsumer:
    """The books L2 and L3, the best bid and offer, and the trades of one instrument.

    Lost messages are requested again through `reply_to`; where they are no longer held a snapshot
    is applied.
    """

    def __init__(self, instrument: Instrument, base: int, reply_to: ReplyTo) -> None:
        self.depth = Depth()
        self.book = OrderDepth()
        self.quote = (0, 0, 0, 0)
        self.trades: list[Trade] = []
        self.snapshots = self.ranges = 0
        self._symbol = instrument.symbol
        self._checksum = BookChecksum(instrument)
        self._reply_to = reply_to
        self._last = {topic(channel, self._symbol): base for channel in CHANNELS}
        # Topic -> the sequence number its next message must continue; none after a snapshot.
        self._prev_seq: dict[str, int | None] = dict.fromkeys(self._last, 0)

    def apply(self, frames: Frames) -> None:
        """Apply one message, after filling a hole before it. Other topics are ignored."""
        name, number = frames[0].decode(), int.from_bytes(frames[1], "big")
        if name not in self._last:
            return
        if number > self._last[name] + 1:
            self.mend(name, number - 1)
        if number == self._last[name] + 1:
            self._apply(name, frames[2])

    def receive_heartbeat(self, heartbeat: Heartbeat) -> None:
        """Fill the hole that a heartbeat shows at the end of a topic."""
        for name in self._last:
            self.mend(name, heartbeat.topics[name])

    def mend(self, name: str, to_seq: int) -> None:
        """Request messages of a topic up to `to_seq`."""
        while self._last[name] < to_seq:
            reply = self._request(
                RangeRequest(request_id=5, topic=name, from_seq=self._last[name] + 1, to_seq=to_seq)
            )
            if isinstance(reply, TooOld):
                self.apply_snapshot()
                return
            assert isinstance(reply, Range), reply
            assert reply.from_seq == self._last[name] + 1
            self.ranges += 1
            for payload in reply.payloads:
                self._apply(name, bytes(payload))

    def apply_snapshot(self) -> None:
        """Begin both books anew from a snapshot."""
        snapshot = self._request(SnapshotRequest(6, self._symbol, orders=True))
        assert isinstance(snapshot, Snapshot), snapshot
        self.snapshots += 1
        self._last = dict(snapshot.topics)
        self._prev_seq = dict.fromkeys(self._last)
        self.depth.load(snapshot.bids, snapshot.asks)
        self.book.clear()
        for side, orders in ((Side.BUY, snapshot.bid_orders), (Side.SELL, snapshot.ask_orders)):
            for order_id, price_ticks, lots in orders:
                self.book.set_order(order_id, side, price_ticks, lots)
        self.quote = self.depth.best(Side.BUY) + self.depth.best(Side.SELL)
        assert self.book.depth == self.depth
        assert snapshot.checksum == self._checksum.of(self.depth)
        assert snapshot.bids == self.depth.levels(Side.BUY)
        assert snapshot.asks == self.depth.levels(Side.SELL)

    def check_settled(self) -> None:
        """Assert that L3 adds up to L2, and that the best of L2 is the quote."""
        assert self.book.depth == self.depth
        assert self.quote == self.depth.best(Side.BUY) + self.depth.best(Side.SELL)

    def _request(self, request: FeedRequest) -> FeedReply:
        # Encoded and decoded, as over a socket.
        reply: FeedReply = decode_feed_reply(encode(self._reply_to(encode(request))))
        return reply

    def _apply(self, name: str, payload: bytes) -> None:
        message = decode_feed(payload)
        self._last[name] += 1
        if isinstance(message, Trades):
            self.trades += message.trades
        elif isinstance(message, BestBidOffer):
            quote = (message.bid_ticks, message.bid_lots, message.ask_ticks, message.ask_lots)
            assert quote != self.quote or self.snapshots, "an unchanged quote was published"
            self.quote = quote
        elif isinstance(message, DepthUpdate):
            self._follow(name, message.prev_seq, message.seq)
            self._apply_levels(message)
        elif isinstance(message, OrdersUpdate):
            self._follow(name, message.prev_seq, message.seq)
            assert message.first_seq == message.changes[0].seq
            self._apply_changes(message.changes)

    def _follow(self, name: str, prev_seq: int, seq: int) -> None:
        assert self._prev_seq[name] in (None, prev_seq)
        self._prev_seq[name] = seq

    def _apply_levels(self, update: DepthUpdate) -> None:
        assert update.bids or update.asks, "an update without levels"
        for side, levels in ((Side.BUY, update.bids), (Side.SELL, update.asks)):
            for price_ticks, lots in levels:
                assert lots >= 0
                assert self.depth.lots_at(side, price_ticks) != lots, "an unchanged level"
                self.depth.set_level(side, price_ticks, lots)
        assert update.checksum == self._checksum.of(self.depth)
        _check_not_crossed(self.depth)

    def _apply_changes(self, changes: Sequence[OrderChange]) -> None:
        for change in changes:
            if not change.shown_lots:
                assert self.book.get(change.order_id) is not None, f"unknown order in {change}"
            self.book.apply(change)
            _check_not_crossed(self.book.depth)


def _check_not_crossed(depth: Depth) -> None:
    bid, reply_to = depth.best(Side.BUY), depth.best(Side.SELL)
    assert not (bid[1] and reply_to[1]) or bid[0] < reply_to[0], f"crossed: {bid} {reply_to}"
