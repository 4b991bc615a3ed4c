"""The recorder's replica of the matcher: batches and replies in, batches to record and requests
out.

A record must be the history of the matcher that it follows. So the replica requests the last
recorded batch too, before it continues from a stored position and with every request for missing
batches, and compares its time.
"""

from collections.abc import Sequence
from typing import Final

from crossbook.common.errors import CrossbookError
from crossbook.common.following.replica import Replica
from crossbook.common.messages.codec import decode_events
from crossbook.common.messages.events import EventBatch
from crossbook.common.messages.matcher_queries import (
    MatcherReply,
    Resend,
    ResendRequest,
    ResendTooOld,
)
from crossbook.recorder.digest import RecordPosition

RESEND_AGAIN_NS: Final = 1_000_000_000
"""Time until a request is repeated: the matcher may have to read from disk."""

REMEDY: Final = (
    "Give another DATABASE_URL to keep this record, or start once with "
    "`python -m crossbook.recorder --rebuild`, which empties it and reads the journal again"
)

_NOTHING: Final[tuple[EventBatch, ...]] = ()


class RecordBrokenError(CrossbookError):
    """The record cannot be continued; the text has the reason and the remedy."""


class RecorderReplica(Replica):
    """The batches to record next, in order and each once, from `position` on.

    An empty record adopts the incarnation of the first batch it receives, and begins with the first
    batch that the matcher still holds. Every method with a batch or a reply raises
    `RecordBrokenError` where the matcher's commands are not those recorded. `gaps` counts requests
    for what is missing.
    """

    def __init__(self, position: RecordPosition) -> None:
        super().__init__(RESEND_AGAIN_NS)
        self.proven = False
        self._incarnation = position.incarnation
        self._seq = position.seq
        self._time_ns = position.time_ns
        self._recorded = position.seq > 0
        self._last_is_gone = False
        self._doubtful = False

    @property
    def seq(self) -> int:
        """The number of the last command returned."""
        return self._seq

    def receive(self, batch: EventBatch) -> Sequence[EventBatch]:
        """The batches to record after this one arrived."""
        follower = self._follower
        is_heartbeat = batch.last_seq < batch.first_seq
        if is_heartbeat and batch.incarnation == self._incarnation and batch.last_seq < self._seq:
            # A late batch of a full socket, or a matcher that lost recorded commands.
            self._doubtful = True
            return _NOTHING
        ready = follower.receive(batch)
        if follower.other_incarnation and not self._recorded:
            self._incarnation = follower.other_incarnation
            self.proven = True
            ready = follower.reset(self._incarnation, 0)
        return self._noted(ready)

    def receive_reply(self, reply: MatcherReply) -> Sequence[EventBatch]:
        """The batches to record after a reply."""
        if isinstance(reply, Resend) and reply.incarnation == self._incarnation:
            return self._take_resend(reply)
        if isinstance(reply, ResendTooOld) and reply.request_id == self._request_id:
            return self._take_too_old(reply)
        return _NOTHING

    def next_request(self, now_ns: int) -> ResendRequest | None:
        """The request to send now, if any; it counts as sent."""
        follower = self._follower
        gap = follower.gap() if self.proven else None
        in_doubt = not self.proven or self._doubtful or follower.restarted
        if not self._incarnation or (gap is None and not in_doubt):
            return None
        from_seq = max(self._seq + self._last_is_gone, 1)
        to_seq = from_seq if gap is None else gap[2]
        request = self._resend_request(self._incarnation, from_seq, to_seq, now_ns)
        self.gaps += request is not None and gap is not None
        return request

    def _take_resend(self, reply: Resend) -> Sequence[EventBatch]:
        ready: list[EventBatch] = []
        for raw in reply.batches:
            batch = decode_events(raw)
            if batch.first_seq <= self._seq <= batch.last_seq:
                self._compare(batch)
                self._doubtful = False
                if not self.proven:
                    ready += self._proved()
            if self.proven:
                ready += self._noted(self._follower.receive(batch))
        return ready

    def _take_too_old(self, reply: ResendTooOld) -> Sequence[EventBatch]:
        seq = self._seq
        if reply.incarnation != self._incarnation and self._recorded:
            raise RecordBrokenError(
                f"the database holds incarnation {self._incarnation} up to command {seq}, and the "
                f"matcher has incarnation {reply.incarnation}: another DATA_DIR, or one that was "
                f"emptied. {REMEDY}"
            )
        if reply.incarnation != self._incarnation:
            return _NOTHING
        if reply.last_seq < seq:
            raise RecordBrokenError(
                f"the database holds commands up to {seq}, and the matcher has come only to "
                f"{reply.last_seq}: its journal lost its end. {REMEDY}"
            )
        if reply.first_seq <= seq:
            return _NOTHING
        if reply.unsendable_bytes:
            raise RecordBrokenError(
                f"the events of commands {seq + 1} to {reply.first_seq - 1} are one batch of "
                f"{reply.unsendable_bytes} bytes, which the matcher cannot send: the record cannot "
                "go on behind them"
            )
        if reply.first_seq > seq + 1:
            if self._recorded:
                raise RecordBrokenError(
                    f"the database holds commands up to {seq}, and the journal begins with "
                    f"{reply.first_seq}: what is between is gone (JOURNAL_KEEP_SEGMENTS). {REMEDY}"
                )
            self._seq = reply.first_seq - 1
        self._last_is_gone = True
        return self._proved()

    def _compare(self, batch: EventBatch) -> None:
        """Raise `RecordBrokenError` unless the batch with the last recorded number has its time."""
        if self._time_ns and batch.time_ns != self._time_ns:
            raise RecordBrokenError(
                f"command {self._seq} of the matcher is not the one the database holds: the "
                f"journal lost its end and grew again. {REMEDY}"
            )

    def _proved(self) -> Sequence[EventBatch]:
        self.proven = True
        return self._noted(self._follower.reset(self._incarnation, self._seq))

    def _noted(self, ready: Sequence[EventBatch]) -> Sequence[EventBatch]:
        for batch in ready:
            if batch.first_seq <= batch.last_seq:
                self._seq, self._time_ns = batch.last_seq, batch.time_ns
                self._recorded = True
                self._last_is_gone = False
        return ready
