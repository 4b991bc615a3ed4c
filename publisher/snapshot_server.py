"""Replies to consumers: snapshots, earlier messages, the list of instruments."""

from collections import Counter
from collections.abc import Callable
from typing import Final

import msgspec

from crossbook.common.errors import CodecError
from crossbook.common.messages.codec import decode_feed_request, decoded
from crossbook.common.messages.explain import blame, fields_by_tag
from crossbook.common.messages.feed import (
    FeedReject,
    FeedReply,
    FeedRequest,
    InstrumentList,
    InstrumentsRequest,
    Range,
    RangeRequest,
    SnapshotRequest,
    TooOld,
)
from crossbook.common.messages.process_metrics import Metrics, MetricsRequest
from crossbook.common.types import RejectReason
from crossbook.publisher.replica import PublisherReplica

REQUEST_BYTES_MAX: Final = 1_024
"""Longest request decoded."""

RANGE_BYTES_MAX: Final = 1024 * 1024
"""Most payload bytes in one `Range`; a single larger message is still sent."""

_FIELDS: Final = fields_by_tag(FeedRequest | MetricsRequest)


class SnapshotServer:
    """Answers requests from the books and resend buffers as last published.

    Call it only between a `publish` and the next `apply`, so that books and topic numbers agree.
    `answers` counts replies by kind; `metrics` returns the process's exposition.
    """

    def __init__(self, replica: PublisherReplica) -> None:
        self.answers: Counter[str] = Counter()
        self.metrics: Callable[[], str] = str
        self._replica = replica
        self._feed = replica.feed

    def answer(self, payload: bytes) -> FeedReply | Metrics:
        """The reply to one encoded request; unsound bytes get a `FeedReject`."""
        reply = self._answer(payload)
        self.answers[type(reply).__name__] += 1
        return reply

    def _answer(self, payload: bytes) -> FeedReply | Metrics:
        if len(payload) > REQUEST_BYTES_MAX:
            text = f"{len(payload)} bytes, at most {REQUEST_BYTES_MAX} are taken"
            return FeedReject(0, RejectReason.TOO_LARGE, "frame", text)
        try:
            request: FeedRequest | MetricsRequest = decoded(decode_feed_request, payload)
        except CodecError as error:
            at_fault = blame(payload, str(error), _FIELDS)
            return FeedReject(
                at_fault.request_id, RejectReason.MALFORMED, at_fault.field, str(error)
            )
        if isinstance(request, SnapshotRequest):
            return self._snapshot(request)
        if isinstance(request, RangeRequest):
            return self._range(request)
        if isinstance(request, MetricsRequest):
            return Metrics(request.request_id, self._feed.seq, self.metrics())
        assert isinstance(request, InstrumentsRequest)
        instruments = [market.instrument for market in self._feed.markets.values()]
        return InstrumentList(request.request_id, instruments)

    def _snapshot(self, request: SnapshotRequest) -> FeedReply:
        market = self._feed.by_symbol.get(request.symbol)
        if market is None:
            text = f"no instrument {request.symbol!r}"
            return FeedReject(request.request_id, RejectReason.UNKNOWN_SYMBOL, "symbol", text)
        if not self._replica.incarnation:
            text = "no book yet: the matcher has not answered; try again"
            return FeedReject(request.request_id, RejectReason.BUSY, "symbol", text)
        feed = self._feed
        return market.snapshot(request.request_id, feed.seq, feed.time_ns, request.orders)

    def _range(self, request: RangeRequest) -> FeedReply:
        topic = self._feed.topics.get(request.topic)
        if topic is None:
            text = f"no topic {request.topic!r} is kept"
            return FeedReject(request.request_id, RejectReason.UNKNOWN_SYMBOL, "topic", text)
        if request.to_seq < request.from_seq:
            text = f"{request.to_seq} is below from_seq"
            return FeedReject(request.request_id, RejectReason.MALFORMED, "to_seq", text)
        payloads = topic.since(request.from_seq, request.to_seq, RANGE_BYTES_MAX)
        if payloads is None:
            return TooOld(request.request_id, topic.name, topic.first_seq, topic.last_seq)
        raw = [msgspec.Raw(payload) for payload in payloads]
        return Range(request.request_id, topic.name, request.from_seq, raw)
