"""Catch-ups: the executions of an account since a number, read again from the matcher. No I/O.

Ranges of events are requested page by page and go through the same reports as live events, for
the one session that catches up. A few catch-ups are in progress at a time, one of each account; the
others wait, and accounts take turns. The events read at once and the executions sent for one
request are limited, so that clients that catch up do not delay the others.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Raw

from crossbook.common.instruments import Instrument
from crossbook.common.messages.codec import decode_events
from crossbook.common.messages.entry import CaughtUp, Reject, Reply
from crossbook.common.messages.events import EventBatch
from crossbook.common.messages.matcher_queries import Resend, ResendRequest, ResendTooOld
from crossbook.common.shards import base_of, shard_of
from crossbook.common.types import RejectReason
from crossbook.gateway.orders.commands_in_flight import CommandsInFlight
from crossbook.gateway.orders.lines import Lines
from crossbook.gateway.orders.outbox import Outbox
from crossbook.gateway.orders.reports import Reporter
from crossbook.gateway.orders.session import OrderSession

CATCH_UPS_MAX: Final = 512
"""Most catch-ups that wait."""

IN_PROGRESS_MOST: Final = 4
"""Most catch-ups in progress."""

PAGE_SEQS: Final = 2_000
"""Numbers of one page. Behind each page the catch-ups that wait have their turn."""

EXECUTIONS_MAX: Final = 20_000
"""Executions after which a catch-up stops short, at the end of a command."""

EVENTS_A_TURN: Final = 200
"""Events read before the gateway's other work gets its turn, in some half a millisecond."""

REQUEST_AGAIN_NS: Final = 1_000_000_000
"""Wait for a page before it is requested again."""

GIVE_UP_NS: Final = 5_000_000_000
"""Time without a page after which the client gets `BUSY`."""


class _CatchUp:
    """One session's catch-up: `next_seq` is the first number not read."""

    def __init__(self, session: OrderSession, request_seq: int, from_seq: int, to_seq: int) -> None:
        self.session = session
        self.request_seq = request_seq
        self.from_seq = from_seq
        self.next_seq = from_seq
        self.to_seq = to_seq
        self.complete = True
        self.sent = 0
        self.pages: deque[Raw] = deque()
        self.requested_ns = -REQUEST_AGAIN_NS
        self.received_ns = 0
        self._batch: EventBatch | None = None
        self._position = 0
        self._outbox = Outbox()
        self._reporter: Reporter | None = None

    def begin(self, instruments: Iterable[Instrument]) -> None:
        """Be in progress: read events of these instruments."""
        if self._reporter is not None:
            return
        # With nothing in flight every answer is reported as to another session: by an execution.
        sessions = {self.session.account: (self.session,)}
        self._reporter = Reporter(instruments, 0, sessions, CommandsInFlight(0), self._outbox)

    @property
    def done(self) -> bool:
        """Whether all is sent, or as much as one request gets."""
        return self.next_seq > self.to_seq or self.sent >= EXECUTIONS_MAX

    @property
    def has_page(self) -> bool:
        """Whether there are events to read."""
        return self._batch is not None or bool(self.pages)

    def read(self) -> list[Reply]:
        """Read a few events of the page in hand; return the executions among them."""
        count = 0
        while self.has_page and not self.done and count < EVENTS_A_TURN:
            count += self._read_batch(EVENTS_A_TURN - count)
        replies = self._outbox.drain().get(self.session.identity, [])
        self.sent += len(replies)
        return replies

    def _read_batch(self, events_max: int) -> int:
        """Report the next events of a batch; return how many were read."""
        batch = self._batch
        if batch is None:
            self._batch = batch = decode_events(self.pages.popleft())
            self._position = 0
            if not batch.first_seq <= self.next_seq <= batch.last_seq:
                # Not the page that was requested; it will be requested again.
                self.pages.clear()
                self._batch = None
                return 1
        events = batch.events
        start = self._position
        end = min(start + events_max, len(events))
        # A command's events are never parted: the first one not read begins a number.
        while end < len(events) and events[end].seq == events[end - 1].seq:
            end += 1
        due = [event for event in events[start:end] if self.next_seq <= event.seq <= self.to_seq]
        assert self._reporter is not None, "read before it began"
        self._reporter.report(
            EventBatch(batch.incarnation, batch.first_seq, batch.last_seq, batch.time_ns, due)
        )
        self._position = end
        next_seq = events[end].seq if end < len(events) else batch.last_seq + 1
        self.next_seq = max(self.next_seq, min(next_seq, self.to_seq + 1))
        if end == len(events):
            self._batch = None
        return end - start


class CatchUps:
    """All catch-ups of one desk.

    The link sends the requests that `collect` returns, and hands the pages to `receive`. `has_work`
    is true while `work` has something to do, `has_unsent` while a new request is due.
    """

    def __init__(self, instruments: Iterable[Instrument], outbox: Outbox) -> None:
        self._instruments = {instrument.id: instrument for instrument in instruments}
        self._outbox = outbox
        self._lines: Lines[_CatchUp] = Lines(CATCH_UPS_MAX)
        self._tokens: set[bytes] = set()
        self._all: dict[int, _CatchUp] = {}
        self._by_id: dict[int, _CatchUp] = {}
        self._request_id = 0
        self.has_work = False
        self.has_unsent = False

    def __len__(self) -> int:
        return len(self._all) + len(self._lines)

    def set_instrument(self, instrument: Instrument) -> None:
        """Add or replace an instrument, for catch-ups begun from now on."""
        self._instruments[instrument.id] = instrument

    def start(self, session: OrderSession, request_seq: int, from_seq: int, to_seq: int) -> None:
        """Send `session` its executions of `from_seq`..`to_seq`, the last number there is; refused
        when there are too many catch-ups of its account already.

        A `from_seq` more than one beyond the last number is answered with that number, and as
        incomplete.
        """
        text = ""
        if session.token in self._tokens:
            text = "this session is catching up already"
        elif not self._lines.has_room(session.account):
            text = "too many sessions are catching up"
        if text:
            reject = Reject(request_seq, RejectReason.BUSY, "", text)
            self._outbox.add(session.identity, reject)
            return
        first_seq = base_of(shard_of(to_seq)) + 1
        catch_up = _CatchUp(session, request_seq, max(first_seq, from_seq), to_seq)
        catch_up.complete = catch_up.from_seq <= to_seq + 1
        if catch_up.done:
            self._answer(catch_up)
            return
        self._tokens.add(session.token)
        self._lines.add(session.account, catch_up)
        self._begin_next()

    def _begin_next(self) -> None:
        """Have as many catch-ups in progress as there may be."""
        while len(self._all) < IN_PROGRESS_MOST:
            catch_up = self._lines.take(but=self._all)
            if catch_up is None:
                return
            catch_up.begin(self._instruments.values())
            self._all[catch_up.session.account] = catch_up
            self.has_unsent = True

    def collect(self, incarnation: int, now_ns: int) -> list[ResendRequest]:
        """The requests for pages that are due, for the link to send; they count as sent."""
        self.has_unsent = False
        requests: list[ResendRequest] = []
        for catch_up in list(self._all.values()):
            catch_up.received_ns = catch_up.received_ns or now_ns
            if catch_up.has_page:
                continue
            if now_ns - catch_up.received_ns >= GIVE_UP_NS:
                self._give_up(catch_up, "the matcher did not answer in time")
            elif now_ns - catch_up.requested_ns >= REQUEST_AGAIN_NS:
                catch_up.requested_ns = now_ns
                self._by_id = {
                    number: other for number, other in self._by_id.items() if other is not catch_up
                }
                self._request_id += 1
                self._by_id[self._request_id] = catch_up
                requests.append(
                    ResendRequest(
                        self._request_id,
                        incarnation,
                        catch_up.next_seq,
                        min(catch_up.next_seq + PAGE_SEQS - 1, catch_up.to_seq),
                    )
                )
        return requests

    def receive(self, reply: Resend | ResendTooOld, incarnation: int, now_ns: int) -> None:
        """Receive the answer to a request that `collect` returned."""
        catch_up = self._by_id.pop(reply.request_id, None)
        if catch_up is None or reply.incarnation != incarnation:
            return
        if isinstance(reply, Resend):
            if reply.batches:
                catch_up.pages.extend(reply.batches)
                catch_up.received_ns = now_ns
                self.has_work = True
        elif reply.first_seq > catch_up.next_seq:
            if not catch_up.sent:
                catch_up.from_seq = reply.first_seq
            catch_up.complete = False
            catch_up.next_seq = reply.first_seq
            catch_up.received_ns = now_ns
            catch_up.requested_ns = now_ns - REQUEST_AGAIN_NS
            if catch_up.done:
                self._finish(catch_up)
            else:
                self.has_unsent = True

    def work(self, sessions: Mapping[bytes, OrderSession]) -> None:
        """Send a few more executions to one of the sessions that have a page; `sessions` are
        those that still exist, by token."""
        self.has_work = False
        for catch_up in list(self._all.values()):
            session = catch_up.session
            if sessions.get(session.token) is not session:
                self._forget(catch_up)
            elif catch_up.has_page and self.has_work:
                return
            elif catch_up.has_page:
                self._read(catch_up)
                self.has_work = True

    def _read(self, catch_up: _CatchUp) -> None:
        session = catch_up.session
        replies = catch_up.read()
        if replies:
            self._outbox.extend(session.identity, replies)
        if catch_up.done:
            self._finish(catch_up)
            return
        # Then it is the others' turn.
        del self._all[session.account]
        if catch_up.has_page:
            self._all[session.account] = catch_up
            return
        catch_up.requested_ns = -REQUEST_AGAIN_NS
        catch_up.received_ns = 0
        self._lines.add(session.account, catch_up)
        self._begin_next()

    def give_up_all(self, text: str) -> None:
        """End every catch-up with `BUSY`."""
        for catch_up in [*self._all.values(), *self._lines.drain()]:
            self._refuse(catch_up, text)
        self._all.clear()
        self._by_id.clear()
        self._tokens.clear()

    def _give_up(self, catch_up: _CatchUp, text: str) -> None:
        self._forget(catch_up)
        self._refuse(catch_up, text)

    def _refuse(self, catch_up: _CatchUp, text: str) -> None:
        reject = Reject(catch_up.request_seq, RejectReason.BUSY, "", text)
        self._outbox.add(catch_up.session.identity, reject)

    def _finish(self, catch_up: _CatchUp) -> None:
        self._forget(catch_up)
        self._answer(catch_up)

    def _answer(self, catch_up: _CatchUp) -> None:
        to_seq = min(catch_up.next_seq - 1, catch_up.to_seq)
        end = CaughtUp(catch_up.request_seq, catch_up.from_seq, to_seq, catch_up.complete)
        self._outbox.add(catch_up.session.identity, end)

    def _forget(self, catch_up: _CatchUp) -> None:
        """End a catch-up in progress; the next one begins."""
        del self._all[catch_up.session.account]
        self._tokens.discard(catch_up.session.token)
        self._by_id = {
            number: other for number, other in self._by_id.items() if other is not catch_up
        }
        self._begin_next()
