"""Sockets around the replica: a blocking loop that moves bytes and has no market rule.

A round waits for a socket, drains the events, publishes once and answers a few requests. Under load
one message covers many orders; a lone order is published at once.
"""

from typing import ClassVar

import zmq
from msgspec import Struct, field

from crossbook.common.errors import BAD_BYTES
from crossbook.common.messages.codec import (
    decode_events,
    decode_history_answer,
    decode_matcher_reply,
    encode,
)
from crossbook.common.process.clock import Clock
from crossbook.common.process.connections import FRAME_BYTES, Connections
from crossbook.common.process.counters import SIZES, TIMES_NS, Buckets
from crossbook.common.process.crash_points import reached
from crossbook.common.process.log import logger
from crossbook.common.process.sockets import drained, send_frames
from crossbook.publisher.backfill import Backfill, Finding
from crossbook.publisher.replica import Lost, PublisherReplica
from crossbook.publisher.snapshot_server import SnapshotServer

DRAIN_BATCHES = 256
DRAIN_EVENTS = 8_192
"""Most event batches drained at once, and about most events published as one message a topic."""

REQUESTS_MAX = 4
"""Requests answered before the next round of events."""

FRAMES_MAX = 8
"""Most frames of a request: the identity, what may stand before the request, the request."""

CHECK_NS = 100_000_000
"""Time between two looks at the connections of consumers."""

SLEEP_MS = 100
"""Longest sleep: bounds the delay of a stop, of a repeated question and of a failed send."""


class Rounds(Struct):
    """Counts of the loop: batches and events received, batches a round, and the nanoseconds from
    the matcher's stamp of a command to its publication, by the clocks of both."""

    batches: int = 0
    events: int = 0
    malformed: int = 0
    sizes: Buckets = field(default_factory=lambda: Buckets(SIZES))
    delays: Buckets = field(default_factory=lambda: Buckets(TIMES_NS))
    stale_ns: int = 0


class PublisherService:
    """The publisher's loop over its five sockets. `stop()` may be called from a signal handler.

    `rounds` has its counts. Under a manual clock statistics and a heartbeat follow every move of
    the matcher's time at once. `sleep_ms` is the longest sleep.
    """

    sleep_ms: ClassVar[int] = SLEEP_MS

    def __init__(
        self,
        replica: PublisherReplica,
        server: SnapshotServer,
        events: "zmq.Socket[bytes]",
        queries: "zmq.Socket[bytes]",
        history: "zmq.Socket[bytes]",
        subscribers: Connections,
        consumers: Connections,
        clock: Clock,
        heartbeat_ms: int,
        rounds: Rounds,
    ) -> None:
        self._replica = replica
        self._feed = replica.feed
        self._server = server
        self._events = events
        self._backfill = Backfill(replica.feed)
        self._queries = queries
        self._history = history
        self.subscribers = subscribers
        self.consumers = consumers
        self._public = subscribers.watched
        self._requests = consumers.watched
        self._rounds = rounds
        self._clock = clock
        self._heartbeat_ns = heartbeat_ms * 1_000_000
        self._is_manual = clock.is_manual
        # The matcher's time in the last heartbeat.
        self._beat_time_ns = 0
        self._received_ns = clock.monotonic_ns()
        self._logged_loss: Lost | None = None
        self._stopping = False

    def stop(self) -> None:
        """End the loop after the present round, within `SLEEP_MS`; at once where `run` has the
        descriptor of the signal that stops it."""
        self._stopping = True

    def run(self, stop_descriptor: int | None = None) -> None:
        """Serve until `stop`. Everything applied is published when it returns.

        A `stop_descriptor` that becomes readable ends the wait for messages.
        """
        clock, replica, sleep_ms = self._clock, self._replica, self.sleep_ms
        poller = zmq.Poller()
        for socket in (self._events, self._queries, self._history, self._requests):
            poller.register(socket, zmq.POLLIN)
        if stop_descriptor is not None:
            poller.register(stop_descriptor, zmq.POLLIN)
        heartbeat_at = check_at = clock.monotonic_ns()
        while not self._stopping:
            wait_ms = (heartbeat_at - clock.monotonic_ns()) // 1_000_000 + 1
            ready = {waiting for waiting, _ in poller.poll(max(0, min(wait_ms, sleep_ms)))}
            if self._events in ready:
                self._take_events()
            if self._queries in ready:
                self._take_replies()
            if ready:
                self._publish()
            now_ns = clock.monotonic_ns()
            self._send_request(now_ns)
            if self._history in ready:
                self._take_history(now_ns)
            self._send_questions(now_ns)
            has_moved = self._is_manual and self._feed.time_ns != self._beat_time_ns
            self._publish_statistics(now_ns, has_moved)
            self._rounds.stale_ns = now_ns - self._received_ns
            if self._requests in ready:
                self._answer_requests()
            if now_ns >= heartbeat_at or has_moved:
                self._beat_time_ns = self._feed.time_ns
                self._send_heartbeat(now_ns)
                heartbeat_at = now_ns + self._heartbeat_ns
            if now_ns >= check_at:
                self.consumers.check()
                check_at = now_ns + CHECK_NS
            if replica.lost is not self._logged_loss:
                self._log_books()

    def _send_heartbeat(self, now_ns: int) -> None:
        send_frames(self._public, self._feed.heartbeat(now_ns - self._received_ns))

    def _take_events(self) -> None:
        """Apply the waiting batches, within a limit, and publish whenever many events have
        gathered."""
        events = 0
        rounds = self._rounds
        payloads = drained(self._events, DRAIN_BATCHES)
        for payload in payloads:
            try:
                batch = decode_events(payload)
            except BAD_BYTES as error:
                logger().error("malformed_event_batch", reason=str(error))
                rounds.malformed += 1
                continue
            self._replica.receive(batch)
            events += len(batch.events)
            rounds.events += len(batch.events)
            if events >= DRAIN_EVENTS:
                self._publish()
                events = 0
        rounds.batches += len(payloads)
        rounds.sizes.add(len(payloads))
        self._received_ns = self._clock.monotonic_ns()
        reached("publisher.taken")

    def _take_replies(self) -> None:
        """Apply one of the matcher's replies; others wait for the next round."""
        for payload in drained(self._queries, 1):
            self._received_ns = self._clock.monotonic_ns()
            try:
                self._replica.receive_reply(decode_matcher_reply(payload))
            except BAD_BYTES as error:
                logger().error("malformed_matcher_reply", reason=str(error))

    def _take_history(self, now_ns: int) -> None:
        """Apply one of the recorder's answers; others wait for the next round."""
        for payload in drained(self._history, 1):
            try:
                self._backfill.receive(decode_history_answer(payload), now_ns)
            except BAD_BYTES as error:
                logger().error("malformed_history_answer", reason=str(error))

    def _publish(self) -> None:
        public = self._public
        messages = self._feed.publish()
        for frames in messages:
            send_frames(public, frames)
            reached("publisher.published")
        if messages and not self._is_manual:
            self._rounds.delays.add(max(0, self._clock.now_ns() - self._feed.time_ns))

    def _publish_statistics(self, now_ns: int, at_once: bool) -> None:
        """Publish statistics after the books of the round, which do not wait for them."""
        for frames in self._feed.publish_statistics(now_ns, at_once=at_once):
            send_frames(self._public, frames)

    def _send_request(self, now_ns: int) -> None:
        request = self._replica.next_request(now_ns)
        if request is not None:
            try:
                self._queries.send(encode(request), zmq.NOBLOCK)
            except zmq.Again:
                self._replica.not_sent()

    def _send_questions(self, now_ns: int) -> None:
        """Send questions to the recorder, where one is configured, and log the outcomes."""
        questions = self._backfill.next_questions(now_ns)
        for sent, question in enumerate(questions):
            try:
                self._history.send(encode(question), zmq.NOBLOCK)
            except zmq.Again:
                self._backfill.not_sent(questions[sent:], now_ns)
                break
        for note in self._backfill.drain_notes():
            symbols = ", ".join(note.symbols)
            if note.finding is Finding.LOADED:
                logger().info("history_loaded", symbols=symbols, seq=self._feed.seq)
            elif note.finding is Finding.ALONE:
                logger().warning("history_missing", symbols=symbols, seq=self._feed.seq)
            else:
                why = note.finding.value
                logger().error("history_unusable", symbols=symbols, why=why, reason=note.text)

    def _answer_requests(self) -> None:
        """Answer a few requests; the others wait for the next round."""
        consumers = self.consumers
        for _ in range(REQUESTS_MAX):
            try:
                frames = self._requests.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            identity, request = frames[0].bytes, frames[-1]
            peer = consumers.by_identity.get(identity) or consumers.meet(identity, request)
            peer.delivered += sum(len(frame) + FRAME_BYTES for frame in frames[1:])
            if len(frames) > FRAMES_MAX:
                consumers.end(peer, "frames")
            if peer.is_cut_off:
                continue
            reply = encode(self._server.answer(request.bytes))
            try:
                self._requests.send_multipart([*frames[:-1], reply], zmq.NOBLOCK)
            except zmq.ZMQError as error:
                # The consumer is gone or does not read: it has to repeat the request.
                logger().debug("reply_lost", reason=str(error))
                continue
            peer.sent += len(reply)
            if peer.sent > peer.sent_max:
                consumers.look(peer)

    def _log_books(self) -> None:
        """Log that the books were lost, or are loaded again."""
        replica = self._replica
        self._logged_loss = replica.lost
        if replica.lost is None:
            logger().info("books_loaded", incarnation=replica.incarnation, seq=self._feed.seq)
        elif replica.lost is Lost.STREAM_BROKEN:
            logger().error("books_lost", why=replica.lost.value, fault=replica.fault)
        else:
            logger().info("books_wanted", why=replica.lost.value, seq=self._feed.seq)
