"""Keeping the feed equal to the matcher: what to apply, what to ask for, and when.

Bytes of the event stream and the matcher's answers come in, requests come out; sockets and the
clock belong to the service around it.
"""

from collections.abc import Sequence
from enum import Enum
from typing import Final

from crossbook.common.errors import StreamError
from crossbook.common.following.event_follower import AskAgain, EventFollower
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
    """Why the books have to be taken from the matcher's snapshot instead of its events."""

    STARTED = "started"
    MATCHER_RESTARTED = "matcher_restarted"
    RESEND_TOO_OLD = "resend_too_old"
    STREAM_BROKEN = "stream_broken"


class PublisherReplica(Replica):
    """Feeds a `Feed` with the matcher's events in order.

    It starts without books, asks for them, and holds what arrives until they come. A hole in the
    events is asked for by range. Where a range no longer helps (the matcher started anew, or has
    forgotten it) the books are asked for again and their difference is published.

    `gaps` counts requests for what is missing, `losses` by reason how often the books were lost.
    """

    def __init__(self, feed: Feed) -> None:
        super().__init__(RESEND_AGAIN_NS)
        self.feed = feed
        self.lost: Lost | None = Lost.STARTED
        self.fault = ""
        self.losses = {why.value: 0 for why in Lost}
        self._ask_books = AskAgain(BOOKS_AGAIN_NS)
        # Answers to requests before this one tell of a state that was lost since.
        self._first_books_id = 1

    @property
    def incarnation(self) -> int:
        """The incarnation of the matcher that the books belong to, zero before the first ones."""
        return self._follower.incarnation

    def receive(self, batch: EventBatch) -> None:
        """Apply a batch of the event stream, now or once what is missing before it has come."""
        follower = self._follower
        ready = follower.receive(batch)
        if ready:
            self._apply(ready)
        elif follower.other_incarnation and self.lost is None:
            self._lose(Lost.MATCHER_RESTARTED)

    def receive_reply(self, reply: MatcherReply) -> None:
        """Apply the matcher's answer to a request of ours."""
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
        """What to ask the matcher for now, if anything; it then counts as asked."""
        if self.lost is not None:
            if self._ask_books.due((), now_ns):
                self._request_id += 1
                return BooksRequest(self._request_id)
            return None
        gap = self._follower.gap()
        request = None if gap is None else self._resend_request(*gap, now_ns)
        self.gaps += request is not None
        return request

    def not_sent(self) -> None:
        super().not_sent()
        self._ask_books.forget()

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
            # What is held is given up with the position; a gap will show and be asked for.
            self._follower = EventFollower(from_start=True)
            self._lose(Lost.STREAM_BROKEN)

    def _lose(self, why: Lost) -> None:
        self.lost = why
        self.losses[why.value] += 1
        self._first_books_id = self._request_id + 1
