"""The replies of a publisher behind fault rules: resends leave out what is lost, snapshots what is
hidden. No I/O."""

from crossbook.common.messages.feed import (
    FeedReply,
    RangeRequest,
    Snapshot,
    SnapshotRequest,
    TooOld,
)
from crossbook.publisher.faults.feed import FaultyFeed
from crossbook.publisher.replica import PublisherReplica
from crossbook.publisher.snapshot_server import SnapshotServer


class FaultySnapshotServer(SnapshotServer):
    """Answers as the messages of `feed` were sent."""

    def __init__(self, replica: PublisherReplica, feed: FaultyFeed) -> None:
        super().__init__(replica)
        self._faulty = feed

    def _snapshot(self, request: SnapshotRequest) -> FeedReply:
        reply = super()._snapshot(request)
        return self._faulty.shown(reply) if isinstance(reply, Snapshot) else reply

    def _range(self, request: RangeRequest) -> FeedReply:
        reply = super()._range(request)
        if not isinstance(reply, TooOld) and self._faulty.is_lost(
            request.topic, request.from_seq, request.to_seq
        ):
            topic = self._faulty.topics[request.topic]
            return TooOld(request.request_id, topic.name, topic.first_seq, topic.last_seq)
        return reply
