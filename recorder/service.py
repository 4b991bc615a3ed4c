"""Sockets around the record: one loop follows and writes, another one answers.

Each has its own thread, sockets and database connection, so neither waits for the other. They share
only the last recorded number.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import zmq
from msgspec import Struct, field
from sqlalchemy.exc import DBAPIError, IntegrityError

from crossbook.common.errors import BAD_BYTES
from crossbook.common.following.event_follower import RepeatTimer
from crossbook.common.instruments import Instrument
from crossbook.common.messages.codec import decode_events, decode_matcher_reply, encode
from crossbook.common.messages.events import EventBatch
from crossbook.common.messages.history_queries import HistoryAnswer, HistoryQuestion, HistoryReject
from crossbook.common.messages.matcher_queries import GatewayRequest, GatewayState
from crossbook.common.messages.process_metrics import Metrics, MetricsRequest
from crossbook.common.process.clock import Clock
from crossbook.common.process.counters import TIMES_NS, Buckets
from crossbook.common.process.crash_points import reached
from crossbook.common.process.log import logger
from crossbook.common.process.sockets import drained
from crossbook.common.process.waking import Wake
from crossbook.recorder.database import reason_of
from crossbook.recorder.digest import Changes, EventDigest
from crossbook.recorder.questions import HistoryReader, not_yet, read_question
from crossbook.recorder.replica import REMEDY, RecordBrokenError, RecorderReplica
from crossbook.recorder.retention import Retention
from crossbook.recorder.store import Store

DRAIN_BATCHES: Final = 256
"""Most event batches received before they are written."""

EVENTS_MAX: Final = 16_384
"""About most events in one transaction; a larger batch is one transaction."""

SLEEP_MS: Final = 100
"""Longest sleep: bounds the delay of a stop, of a repeated request and of a failed send."""

REACH_MS: Final = 5
"""The sleep while the matcher is still to be reached."""

GATHER_NS: Final = 10_000_000
"""Time between two transactions of a busy matcher. A lone order is written at once; many orders
share the cost of one transaction, or the recorder would use more of the machine than the
matcher."""

AGAIN_NS: Final = 1_000_000_000
"""Time between two requests for the instruments."""

AGAIN_S: Final = 1.0
"""Time between two attempts at a failed database."""

WAITING_MAX: Final = 1_000
"""Most questions that wait for the record to come to their `min_seq`; further ones are answered
`NotYet` at once."""

WAIT_NS: Final = 2_000_000_000
WAIT_STEP_MS: Final = 2
"""Longest wait of a question, and the time between two checks of it."""

QUESTIONS_MAX: Final = 32
"""Questions received before the waiting ones are checked again."""


class RecorderTotals(Struct):
    """Counts of the loop: rows by table, nanoseconds of each transaction, and nanoseconds from the
    matcher's stamp of a command to its record, by the clocks of both. `gaps` are requests for
    missing events, `held` the batches that wait behind a gap."""

    rows: Counter[str] = field(default_factory=Counter)
    transactions: Buckets = field(default_factory=lambda: Buckets(TIMES_NS))
    delays: Buckets = field(default_factory=lambda: Buckets(TIMES_NS))
    failures: int = 0
    failing: bool = False
    gaps: int = 0
    held: int = 0
    malformed: int = 0
    forgotten: int = 0


class RecorderService:
    """The loop that follows the matcher into the database.

    `stop()` may be called from a signal handler. Other threads may read `seq`, the last
    recorded number, and the counts in `written`.
    """

    def __init__(
        self,
        store: Store,
        retention: Retention,
        instruments: Iterable[Instrument],
        events: "zmq.Socket[bytes]",
        queries: "zmq.Socket[bytes]",
        clock: Clock,
    ) -> None:
        self.seq = 0
        self.written = RecorderTotals()
        self._store = store
        self._retention = retention
        self._instruments = list(instruments)
        self._events = events
        self._queries = queries
        self._clock = clock
        self._replica: RecorderReplica | None = None
        self._digest: EventDigest | None = None
        self._has_instruments = False
        self._instruments_request = RepeatTimer(AGAIN_NS)
        self._failure = ""
        self._written_ns = 0
        self._stopping = threading.Event()
        self._first = zmq.Poller()
        self._first.register(queries, zmq.POLLIN)
        self._any = zmq.Poller()
        self._any.register(events, zmq.POLLIN)
        self._any.register(queries, zmq.POLLIN)

    def stop(self) -> None:
        """End the loop after the present round, within `SLEEP_MS`; at once where `run` has the
        descriptor of the signal that stops it."""
        self._stopping.set()

    def run(self, stop_descriptor: int | None = None) -> None:
        """Follow until `stop`. Every batch of the replica is written when it returns.

        A `stop_descriptor` that becomes readable ends the wait for messages.
        A failed database is retried. Raises `RecordBrokenError` where the record cannot be
        continued, `StreamError` where events contradict each other, `ConfigError` for tables of
        another version.
        """
        if stop_descriptor is not None:
            self._first.register(stop_descriptor, zmq.POLLIN)
            self._any.register(stop_descriptor, zmq.POLLIN)
        while not self._stopping.is_set():
            try:
                if self._replica is None:
                    self._load()
                if not self._has_instruments:
                    self._request_instruments()
                ready = self._wait()
                if self._queries in ready:
                    self._take_replies()
                if not self._has_instruments:
                    continue
                if self._events in ready:
                    self._take_events()
                self._send_request()
                self._write()
                self.written.forgotten += self._retention.step(self._clock.monotonic_ns())
            except IntegrityError as error:
                raise RecordBrokenError(
                    f"the tables hold rows behind their own position ({reason_of(error)}). {REMEDY}"
                ) from error
            except DBAPIError as error:
                self._failed(error)

    def _wait(self) -> set[Any]:
        """The sockets with messages, after the time to gather. A reply of the matcher ends the
        gathering, because the loop waits for it, and so does a stop."""
        if not self._has_instruments:
            return {waiting for waiting, _ in self._first.poll(REACH_MS)}
        since_ns = self._clock.monotonic_ns() - self._written_ns
        if since_ns < GATHER_NS:
            self._first.poll((GATHER_NS - since_ns) // 1_000_000)
        return {waiting for waiting, _ in self._any.poll(SLEEP_MS)}

    def _load(self) -> None:
        """Start at the database's position; batches that were gathered but not written are
        requested again."""
        self._store.open()
        position, latest = self._store.load(instrument.id for instrument in self._instruments)
        self._digest = EventDigest(self._instruments, position, latest)
        self._replica = RecorderReplica(position)
        # The instruments file lacks those added at run time.
        self._has_instruments = False
        self._retention.time_ns = position.time_ns
        self.seq = position.seq
        self._failure = ""
        self.written.failing = False
        logger().info("record_opened", incarnation=position.incarnation, seq=position.seq)

    def _failed(self, error: DBAPIError) -> None:
        self._replica = self._digest = None
        self.written.failures += 1
        self.written.failing = True
        reason = reason_of(error)
        if reason != self._failure:
            logger().error("database_failed", reason=reason, again_s=AGAIN_S)
        self._failure = reason
        self._stopping.wait(AGAIN_S)

    def _take_replies(self) -> None:
        """Record one of the matcher's replies. The next request is sent first, so that the matcher
        reads while the recorder writes."""
        assert self._replica is not None
        for payload in drained(self._queries, 1):
            try:
                reply = decode_matcher_reply(payload)
            except BAD_BYTES as error:
                logger().error("malformed_matcher_reply", reason=str(error))
                continue
            if isinstance(reply, GatewayState):
                self._add_instruments(reply.instruments)
                continue
            ready = self._replica.receive_reply(reply)
            self._send_request()
            self._record(ready)

    def _take_events(self) -> None:
        """Record the waiting batches, within a limit."""
        assert self._replica is not None
        for payload in drained(self._events, DRAIN_BATCHES):
            try:
                batch = decode_events(payload)
            except BAD_BYTES as error:
                logger().error("malformed_event_batch", reason=str(error))
                self.written.malformed += 1
                continue
            self._record(self._replica.receive(batch))

    def _add_instruments(self, instruments: Iterable[Instrument]) -> None:
        assert self._digest is not None
        for instrument in instruments:
            if self._digest.knows(instrument.id):
                continue
            self._digest.learn(instrument, self._store.latest(instrument.id))
        self._has_instruments = True

    def _request_instruments(self) -> None:
        """Request the instruments; events wait until the reply."""
        if self._instruments_request.due((), self._clock.monotonic_ns()):
            try:
                self._queries.send(encode(GatewayRequest(0, 0)), zmq.NOBLOCK)
            except zmq.Again:
                self._instruments_request.forget()

    def _send_request(self) -> None:
        assert self._replica is not None
        gaps = self._replica.gaps
        request = self._replica.next_request(self._clock.monotonic_ns())
        self.written.gaps += self._replica.gaps - gaps
        self.written.held = self._replica.held
        if request is not None:
            try:
                self._queries.send(encode(request), zmq.NOBLOCK)
            except zmq.Again:
                self._replica.not_sent()

    def _record(self, ready: Sequence[EventBatch]) -> None:
        assert self._digest is not None
        for batch in ready:
            self._digest.add(batch)
            if self._digest.rows >= EVENTS_MAX:
                self._write()

    def _write(self) -> None:
        assert self._digest is not None
        changes = self._digest.drain()
        if changes is None:
            return
        if not changes.before.seq:
            after = changes.after
            logger().info("record_begun", incarnation=after.incarnation, first_seq=after.first_seq)
        began_ns = self._clock.monotonic_ns()
        self._store.write(changes)
        reached("recorder.written")
        self._written_ns = self._clock.monotonic_ns()
        self._count(changes, self._written_ns - began_ns)
        self.seq = changes.after.seq
        self._retention.time_ns = changes.after.time_ns

    def _count(self, changes: Changes, nanoseconds: int) -> None:
        written = self.written
        written.transactions.add(nanoseconds)
        if not self._clock.is_manual:
            written.delays.add(max(0, self._clock.now_ns() - changes.after.time_ns))
        written.rows.update(
            orders=len(changes.orders),
            trades=len(changes.trades),
            fills=len(changes.fills),
            candles=len(changes.candles),
        )


class _WaitingQuestion(Struct, frozen=True):
    """A question whose number is not recorded yet, and the end of its wait."""

    frames: list[bytes]
    question: HistoryQuestion
    until_ns: int


class AnswerService(threading.Thread):
    """The thread that answers questions while `recorder` writes.

    `answers` counts replies by kind; `metrics` returns the process's exposition.
    """

    def __init__(
        self,
        reader: HistoryReader,
        recorder: RecorderService,
        questions: "zmq.Socket[bytes]",
        clock: Clock,
    ) -> None:
        super().__init__(name="answers", daemon=True)
        self.answers: Counter[str] = Counter()
        self.metrics: Callable[[], str] = str
        self._reader = reader
        self._recorder = recorder
        self._questions = questions
        self._clock = clock
        self._waiting: list[_WaitingQuestion] = []
        self._stopping = False
        self._wake = Wake()

    @property
    def waiting(self) -> int:
        """Number of questions whose number is not recorded yet."""
        return len(self._waiting)

    def stop(self) -> None:
        """End the thread; called once."""
        self._stopping = True
        self._wake.set()

    def run(self) -> None:
        """Answer until `stop`."""
        poller = zmq.Poller()
        poller.register(self._questions, zmq.POLLIN)
        poller.register(self._wake.descriptor, zmq.POLLIN)
        while not self._stopping:
            if poller.poll(WAIT_STEP_MS if self._waiting else SLEEP_MS):
                self._take_questions()
            if self._waiting:
                self._look_again()
        self._wake.close()

    def _take_questions(self) -> None:
        for _ in range(QUESTIONS_MAX):
            try:
                frames = self._questions.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            question = read_question(frames[-1])
            if isinstance(question, HistoryReject):
                self._send(frames, question)
            elif isinstance(question, MetricsRequest):
                metrics = Metrics(question.request_id, self._recorder.seq, self.metrics())
                self._send(frames, metrics)
            elif question.min_seq <= self._recorder.seq or self._reader.fault(question):
                self._send(frames, self._reader.answer(question))
            elif len(self._waiting) < WAITING_MAX:
                until_ns = self._clock.monotonic_ns() + WAIT_NS
                self._waiting.append(_WaitingQuestion(frames, question, until_ns))
            else:
                self._send(frames, not_yet(question, self._recorder.seq))

    def _look_again(self) -> None:
        """Answer the questions whose number is recorded or whose wait is over."""
        seq, now_ns = self._recorder.seq, self._clock.monotonic_ns()
        left = []
        for waiting in self._waiting:
            if waiting.question.min_seq <= seq:
                self._send(waiting.frames, self._reader.answer(waiting.question))
            elif now_ns >= waiting.until_ns:
                self._send(waiting.frames, not_yet(waiting.question, seq))
            else:
                left.append(waiting)
        self._waiting = left

    def _send(self, frames: list[Any], answer: HistoryAnswer | Metrics) -> None:
        self.answers[type(answer).__name__] += 1
        try:
            self._questions.send_multipart([*frames[:-1], encode(answer)], zmq.NOBLOCK)
        except zmq.ZMQError as error:
            # The sender is gone or does not read: it has to repeat the question.
            logger().debug("answer_lost", reason=str(error))
