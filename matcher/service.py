"""The matcher's loop: moves bytes between its sockets and the sequencer, and holds no market rule.

Each round drains the waiting messages, applies them as one batch, syncs the journal and sends one
message. A batch is large under load and small without, and no order waits for a batch to fill.
"""

from collections.abc import Callable
from typing import Any

import zmq
from msgspec import Struct, field
from msgspec.structs import replace

from crossbook.common.errors import CodecError
from crossbook.common.messages.admin import (
    AdminAcceptTime,
    AdminAdvance,
    AdminFault,
    AdminRefused,
    AdminTimeAccepted,
    AdminView,
)
from crossbook.common.messages.codec import (
    decode_admin_request,
    decode_matcher_query,
    decoded,
    encode,
)
from crossbook.common.messages.process_metrics import Metrics, MetricsRequest
from crossbook.common.process.clock import Clock, ManualClock
from crossbook.common.process.counters import SIZES, TIMES_NS, Buckets
from crossbook.common.process.crash_points import reached
from crossbook.common.process.log import logger
from crossbook.common.process.sockets import drained, user_of
from crossbook.matcher.admin_access import AdminAccess
from crossbook.matcher.engine.timers import NEVER
from crossbook.matcher.journal.journal import Journal
from crossbook.matcher.manual_time import ManualTime
from crossbook.matcher.recovery.snapshotter import Snapshotter
from crossbook.matcher.sequencer import Sequencer
from crossbook.matcher.timekeeper import Timekeeper

DRAIN_MAX = 256
"""Most messages taken into one batch: bounds the latency of the first of them."""


LARGE_REPLY = 16 * 1024
"""Bytes of a reply to a query after which waiting commands have their turn."""

SLEEP_MS = 200
"""Longest sleep: bounds how late a stop is noticed."""


class Batches(Struct):
    """Histograms of the loop: messages and commands a batch, and the nanoseconds from the receipt
    of a batch until it was synced and sent."""

    messages: Buckets = field(default_factory=lambda: Buckets(SIZES))
    commands: Buckets = field(default_factory=lambda: Buckets(SIZES))
    times: Buckets = field(default_factory=lambda: Buckets(TIMES_NS))


class MatcherService:
    """The matcher's loop over its four sockets. `stop()` may be called from a signal handler.

    `clock` measures intervals, `timekeeper` gives the time of stamps; an administrator moves a
    `ManualClock`. With `sync_interval_ms` the journal is synced that often instead of by every
    batch. `admin_access` checks who acts, where the administrator's socket has keys. The loop
    counts in `batches`, and `metrics` returns the exposition for a metrics query.
    """

    def __init__(
        self,
        sequencer: Sequencer,
        journal: Journal,
        snapshotter: Snapshotter,
        commands: "zmq.Socket[bytes]",
        events: "zmq.Socket[bytes]",
        queries: "zmq.Socket[bytes]",
        admin: "zmq.Socket[bytes]",
        clock: Clock,
        timekeeper: Timekeeper,
        heartbeat_ms: int,
        batches: Batches,
        metrics: Callable[[], str],
        sync_interval_ms: int = 0,
        admin_access: AdminAccess | None = None,
    ) -> None:
        self._sequencer = sequencer
        self._journal = journal
        self._snapshotter = snapshotter
        self._commands = commands
        self._events = events
        self._queries = queries
        self._admin = admin
        self._admin_access = admin_access
        self._clock = clock
        self._timekeeper = timekeeper
        manual = clock if isinstance(clock, ManualClock) else None
        self._manual = ManualTime(sequencer, manual, events.send)
        self._is_alarmed = False
        self._refusals = 0
        self._heartbeat_ns = heartbeat_ms * 1_000_000
        self._batches = batches
        self._metrics = metrics
        self._sync_interval_ns = sync_interval_ms * 1_000_000
        self._stopping = False

    def stop(self) -> None:
        """Leave the loop after the current batch, within `SLEEP_MS`; at once where `run` has the
        descriptor of the signal that stops it."""
        self._stopping = True

    def run(self, stop_descriptor: int | None = None) -> None:
        """Serve until `stop`. Everything applied is synced and sent when it returns.

        A `stop_descriptor` that becomes readable ends the wait for messages.
        Raises `JournalFailed` when a write or sync fails; what was applied since the last sync
        has then not been sent.
        """
        commands, clock = self._commands, self._clock
        poller = zmq.Poller()
        poller.register(commands, zmq.POLLIN)
        poller.register(self._queries, zmq.POLLIN)
        poller.register(self._admin, zmq.POLLIN)
        if stop_descriptor is not None:
            poller.register(stop_descriptor, zmq.POLLIN)
        heartbeat_at = sync_at = clock.monotonic_ns()
        while not self._stopping:
            now_ns = clock.monotonic_ns()
            if now_ns >= heartbeat_at:
                self._events.send(self._sequencer.heartbeat(self._timekeeper.now_ns()))
                heartbeat_at = now_ns + self._heartbeat_ns
                self._check_clock()
            wake_at = min(heartbeat_at, now_ns + SLEEP_MS * 1_000_000)
            if self._sync_interval_ns:
                if now_ns >= sync_at:
                    self._journal.sync()
                    sync_at = now_ns + self._sync_interval_ns
                wake_at = min(wake_at, sync_at)
            if self._sequencer.next_due_ns < NEVER:
                wake_at = min(wake_at, now_ns + self._let_expire())
            wait_ms = max(0, (wake_at - now_ns) // 1_000_000 + 1)
            if self._sequencer.has_more:
                wait_ms = 0
                self._apply([], now_ns)
            for waiting, _ in poller.poll(wait_ms):
                if waiting is self._queries:
                    self._answer_queries()
                elif self._sequencer.has_more:
                    # Those that wait come first; the socket holds the others.
                    continue
                elif waiting is commands:
                    self._receive_commands()
                else:
                    self._receive_acts()
            self._snapshotter.tick()
        self._journal.sync()
        self._snapshotter.stop()

    def _let_expire(self) -> int:
        """Run the timers that are due without a command; nanoseconds until the next one."""
        now_ns = self._timekeeper.now_ns()
        if self._sequencer.is_due(now_ns):
            batch = self._sequencer.let_expire(now_ns)
            if batch is not None:
                self._events.send(batch)
        if self._manual.is_manual:
            # Nothing else comes due before the clock is moved.
            return SLEEP_MS * 1_000_000
        return max(0, self._sequencer.next_due_ns - now_ns)

    def _check_clock(self) -> None:
        """Raise the alarm when the machine's clock is refused, and end it when it is accepted."""
        keeper = self._timekeeper
        times = {"time_ns": keeper.now_ns(), "clock_ns": keeper.clock_ns}
        if keeper.refusals != self._refusals:
            # Includes a refusal that began and ended since the last check.
            self._refusals, self._is_alarmed = keeper.refusals, True
            remedy = "set the clock, or accept it: crossbook admin accept-time"
            logger().error("clock_refused", **times, remedy=remedy)
        if self._is_alarmed and not keeper.refused:
            self._is_alarmed = False
            logger().info("clock_believed", **times)

    def _receive_acts(self) -> None:
        """Receive one act of an administrator and answer it."""
        try:
            frames: Any = self._admin.recv_multipart(zmq.NOBLOCK, copy=False)
        except zmq.Again:
            return
        try:
            request: Any = decoded(decode_admin_request, frames[-1].bytes)
        except CodecError as error:
            logger().warning("malformed_admin_request", reason=str(error))
            reply: Any = AdminFault(0, str(error))
        else:
            if self._admin_access is not None:
                request = self._admin_access.checked(user_of(frames[-1]), request)
            refused = isinstance(request, AdminRefused)
            reply = request if refused else self._administer(request)
        try:
            self._admin.send_multipart([*frames[:-1], encode(reply)], zmq.NOBLOCK)
        except zmq.ZMQError as error:
            logger().warning("admin_reply_lost", reason=str(error))

    def _administer(self, request: Any) -> Any:
        """Apply an administrator's request; returns the answer."""
        keeper = self._timekeeper
        if isinstance(request, AdminAcceptTime):
            was_refused = keeper.refused
            before_ns, clock_ns = keeper.accept()
            logger().warning("time_accepted", time_ns=before_ns, clock_ns=clock_ns)
            return AdminTimeAccepted(request.request_id, before_ns, clock_ns, was_refused)
        if isinstance(request, AdminAdvance):
            moved = self._manual.advance(request)
            logger().debug("time_advanced", to_ns=request.to_ns, answer=repr(moved))
            return moved
        now_ns = keeper.now_ns()
        while self._sequencer.is_due(now_ns):
            batch = self._sequencer.let_expire(now_ns)
            if batch is not None:
                self._events.send(batch)
        batch, reply = self._sequencer.administer(request, now_ns)
        if batch is not None:
            self._events.send(batch)
            facts = {"what": repr(request.command), "answer": repr(reply)}
            logger().info("administered", requested_by=request.requested_by, **facts)
        if isinstance(reply, AdminView):
            now_ns = max(now_ns, self._sequencer.time_ns)
            return replace(
                reply,
                time_ns=now_ns,
                clock_ns=keeper.clock_ns,
                clock_refused=keeper.refused,
                is_manual=self._manual.is_manual,
            )
        return reply

    def _receive_commands(self) -> None:
        began_ns = self._clock.monotonic_ns()
        payloads = drained(self._commands, DRAIN_MAX)
        reached("matcher.received")
        self._apply(payloads, began_ns)

    def _apply(self, payloads: list[bytes], began_ns: int) -> None:
        """Apply one batch of what waits and these, and send its events."""
        before = self._sequencer.seq
        malformed = self._sequencer.malformed
        batch = self._sequencer.apply(payloads, self._timekeeper.now_ns())
        if batch is not None:
            reached("matcher.synced")
            self._events.send(batch)
            reached("matcher.published")
            self._batches.messages.add(len(payloads))
            self._batches.commands.add(self._sequencer.seq - before)
            self._batches.times.add(self._clock.monotonic_ns() - began_ns)
        if self._sequencer.malformed != malformed:
            logger().warning("malformed_commands", total=self._sequencer.malformed)

    def _answer_queries(self) -> None:
        """Answer a few requests; more wait for the next round, behind waiting commands."""
        for _ in range(4):
            try:
                frames = self._queries.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            try:
                request: Any = decoded(decode_matcher_query, frames[-1])
            except CodecError as error:
                logger().warning("malformed_query", reason=str(error))
                continue
            try:
                reply = encode(self._answer(request))
                self._queries.send_multipart([*frames[:-1], reply], zmq.NOBLOCK)
            except zmq.ZMQError as error:
                logger().warning("query_reply_lost", reason=str(error))
            else:
                if len(reply) > LARGE_REPLY:
                    return

    def _answer(self, request: Any) -> Any:
        if isinstance(request, MetricsRequest):
            return Metrics(request.request_id, self._sequencer.seq, self._metrics())
        return self._sequencer.answer(request)
