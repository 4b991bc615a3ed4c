"""The feed's replica of the matcher: event batches and replies in, requests out.

Sockets and the clock belong to the service around it.
"""

from collections.abc import Sequence
from enum import Enum
from typing import Final

from crossbook.common.errors import StreamError
from crossbook.common.following.event_follower import EventFollower, RepeatTimer
from crossbook.common.following.replica import Replica
from crossbook.common.messages.codec import decode_events
from crossbook.common.messages.events import EventBatch
from crossbook.common.messages.matcher_queries import (
    Books,
    BooksRequest,
    MatcherQuery,
    MatcherReply,
    Resend,
    ResendTooOld,
)
from crossbook.publisher.feed import Feed

RESEND_AGAIN_NS: Final = 200_000_000
BOOKS_AGAIN_NS: Final = 1_000_000_000


class Lost(Enum):
    """Reasons to load the books from the matcher's snapshot."""

    STARTED = "started"
    MATCHER_RESTARTED = "matcher_restarted"
    RESEND_TOO_OLD = "resend_too_old"
    STREAM_BROKEN = "stream_broken"


class PublisherReplica(Replica):
    """Feeds a `Feed` with the matcher's events in order.

    It starts without books, requests them, and holds batches until they arrive. It requests a hole
    in the events by range. Where the range is gone, or the matcher started a new incarnation, it
    requests the books again, and the feed publishes their difference.

    `gaps` counts requests for what is missing, `losses` by reason how often the books were lost.
    """

    def __init__(self, feed: Feed) -> None:
        super().__init__(RESEND_AGAIN_NS)
        self.feed = feed
        self.lost: Lost | None = Lost.STARTED
        self.fault = ""
        self.losses = {why.value: 0 for why in Lost}
        self._books_request = RepeatTimer(BOOKS_AGAIN_NS)
        # Replies to earlier requests have a state that was lost since.
        self._first_books_id = 1

    @property
    def incarnation(self) -> int:
        """The incarnation of the matcher that the books belong to, zero before the first ones."""
        return self._follower.incarnation

    def receive(self, batch: EventBatch) -> None:
        """Apply a batch, now or once the missing ones before it have arrived."""
        follower = self._follower
        ready = follower.receive(batch)
        if ready:
            self._apply(ready)
        elif follower.other_incarnation and self.lost is None:
            self._lose(Lost.MATCHER_RESTARTED)

    def receive_reply(self, reply: MatcherReply) -> None:
        """Apply the matcher's reply to a request."""
        if isinstance(reply, Books):
            self._take_books(reply)
        elif isinstance(reply, Resend):
            if self.lost is None and reply.incarnation == self._follower.incarnation:
                for raw in reply.batches:
                    self.receive(decode_events(raw))
        elif isinstance(reply, ResendTooOld):
            waiting = self.lost is None and self._follower.gap() is not None
            if waiting and reply.request_id == self._request_id:
                self._lose(Lost.RESEND_TOO_OLD)

    def next_request(self, now_ns: int) -> MatcherQuery | None:
        """The request to send now, if any; it counts as sent."""
        if self.lost is not None:
            if self._books_request.due((), now_ns):
                self._request_id += 1
                return BooksRequest(self._request_id)
            return None
        gap = self._follower.gap()
        if gap is None:
            return None
        request = self._resend_request(*gap, now_ns)
        self.gaps += request is not None
        return request

    def not_sent(self) -> None:
        super().not_sent()
        self._books_request.forget()

    def _take_books(self, books: Books) -> None:
        if self.lost is None or books.request_id < self._first_books_id:
            return
        self.feed.load(books)
        self.lost = None
        self._apply(self._follower.reset(books.incarnation, books.seq))

    def _apply(self, ready: Sequence[EventBatch]) -> None:
        try:
            for batch in ready:
                self.feed.apply(batch)
        except StreamError as error:
            self.fault = str(error)
            # The held batches are dropped with the position; a gap shows and is requested.
            self._follower = EventFollower(from_start=True)
            self._lose(Lost.STREAM_BROKEN)

    def _lose(self, why: Lost) -> None:
        self.lost = why
        self.losses[why.value] += 1
        self._first_books_id = self._request_id + 1
