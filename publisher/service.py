"""Sockets around the replica: a blocking loop that moves bytes and knows no market rule.

Drain the events that wait, publish once, answer a few requests, repeat; sleep only when nothing
waited. Under load one message tells many orders, and a lone order is told at once.
"""

from typing import Any

import zmq
from msgspec import MsgspecError

from common.clock import Clock
from common.codec import decode_events, decode_sync_reply, encode
from common.log import logger
from publisher.replica import Lost, Replica
from publisher.snapshots import SnapshotDesk

DRAIN_BATCHES = 256
DRAIN_EVENTS = 8_192
"""Most event batches, and about most events, published as one message a topic."""

REQUESTS_MAX = 4
"""Requests answered before events are looked at again."""

SLEEP_MS = 100
"""Longest sleep: bounds how late a stop, a repeated question or a lost send is noticed."""

_BAD_BYTES = (MsgspecError, UnicodeDecodeError, RecursionError)


class PublisherService:
    """The publisher's loop over its four sockets. `stop()` may be called from a signal handler."""

    def __init__(
        self,
        replica: Replica,
        desk: SnapshotDesk,
        events: "zmq.Socket[bytes]",
        sync: "zmq.Socket[bytes]",
        public: "zmq.Socket[bytes]",
        requests: "zmq.Socket[bytes]",
        clock: Clock,
        heartbeat_ms: int,
    ) -> None:
        self._replica = replica
        self._feed = replica.feed
        self._desk = desk
        self._events = events
        self._sync = sync
        self._public = public
        self._requests = requests
        self._clock = clock
        self._heartbeat_ns = heartbeat_ms * 1_000_000
        self._heard_ns = clock.monotonic_ns()
        self._told: Lost | None = None
        self._stopping = False

    def stop(self) -> None:
        """Leave the loop after the round in hand, within `SLEEP_MS`."""
        self._stopping = True

    def run(self) -> None:
        """Serve until `stop`. Everything applied has been published when it returns."""
        clock, replica = self._clock, self._replica
        poller = zmq.Poller()
        for socket in (self._events, self._sync, self._requests):
            poller.register(socket, zmq.POLLIN)
        heartbeat_at = clock.monotonic_ns()
        while not self._stopping:
            worked = self._take_events()
            worked |= self._take_replies()
            if worked:
                self._publish()
            now_ns = clock.monotonic_ns()
            self._ask(now_ns)
            worked |= self._answer_requests()
            if now_ns >= heartbeat_at:
                self._public.send_multipart(self._feed.heartbeat(now_ns - self._heard_ns))
                heartbeat_at = now_ns + self._heartbeat_ns
            if replica.lost is not self._told:
                self._tell()
            if not worked:
                wait_ms = (heartbeat_at - now_ns) // 1_000_000 + 1
                poller.poll(max(0, min(wait_ms, SLEEP_MS)))

    def _take_events(self) -> bool:
        """Apply what waits, within limits; whether there was anything."""
        receive, take = self._events.recv, self._replica.take
        batches = events = 0
        try:
            while batches < DRAIN_BATCHES and events < DRAIN_EVENTS:
                payload = receive(zmq.NOBLOCK)
                batches += 1
                try:
                    batch = decode_events(payload)
                except _BAD_BYTES as error:
                    logger().error("malformed_event_batch", reason=str(error))
                    continue
                events += len(batch.events)
                take(batch)
        except zmq.Again:
            pass
        if batches:
            self._heard_ns = self._clock.monotonic_ns()
        return batches > 0

    def _take_replies(self) -> bool:
        """Apply one of the matcher's answers, if one waits; more may follow next round."""
        try:
            payload = self._sync.recv(zmq.NOBLOCK)
        except zmq.Again:
            return False
        self._heard_ns = self._clock.monotonic_ns()
        try:
            self._replica.take_reply(decode_sync_reply(payload))
        except _BAD_BYTES as error:
            logger().error("malformed_sync_reply", reason=str(error))
        return True

    def _publish(self) -> None:
        send = self._public.send_multipart
        for frames in self._feed.publish():
            send(frames)

    def _ask(self, now_ns: int) -> None:
        wanted = self._replica.wanted(now_ns)
        if wanted is not None:
            try:
                self._sync.send(encode(wanted), zmq.NOBLOCK)
            except zmq.Again:
                self._replica.not_asked()

    def _answer_requests(self) -> bool:
        for answered in range(REQUESTS_MAX):
            try:
                frames: list[Any] = self._requests.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return answered > 0
            reply = encode(self._desk.answer(frames[-1]))
            try:
                self._requests.send_multipart([*frames[:-1], reply], zmq.NOBLOCK)
            except zmq.ZMQError as error:
                # The asker is gone, or does not read: it will have to ask again.
                logger().debug("reply_lost", reason=str(error))
        return True

    def _tell(self) -> None:
        """Log that the books were lost or are whole again."""
        replica = self._replica
        self._told = replica.lost
        if replica.lost is None:
            logger().info("books_loaded", stream=replica.stream, seq=self._feed.seq)
        elif replica.lost is Lost.STREAM_BROKEN:
            logger().error("books_lost", why=replica.lost.value, fault=replica.fault)
        else:
            logger().info("books_wanted", why=replica.lost.value, seq=self._feed.seq)
