"""Sockets around the sequencer: a blocking loop that moves bytes and knows no market rule.

Drain what is waiting, apply it, send one message. Taking everything that waits makes batches
large under load and leaves a lone order alone, so nobody ever waits for a batch to fill.
"""

from typing import Any

import zmq

from common.clock import Clock
from common.codec import decode_sync_request, decoded, encode
from common.errors import CodecError
from common.log import logger
from common.sockets import drained
from matcher.sequencer import Sequencer

DRAIN_MAX = 256
"""Most messages taken into one batch: bounds the latency of the first of them."""


class MatcherService:
    """The matcher's loop over its three sockets. `stop()` may be called from a signal handler."""

    def __init__(
        self,
        sequencer: Sequencer,
        commands: "zmq.Socket[bytes]",
        events: "zmq.Socket[bytes]",
        sync: "zmq.Socket[bytes]",
        clock: Clock,
        heartbeat_ms: int,
    ) -> None:
        self._sequencer = sequencer
        self._commands = commands
        self._events = events
        self._sync = sync
        self._clock = clock
        self._heartbeat_ns = heartbeat_ms * 1_000_000
        self._stopping = False

    def stop(self) -> None:
        """Leave the loop after the batch in hand, within one heartbeat interval."""
        self._stopping = True

    def run(self) -> None:
        """Serve until `stop`. Everything applied has been sent when it returns."""
        commands, sync, clock = self._commands, self._sync, self._clock
        poller = zmq.Poller()
        poller.register(commands, zmq.POLLIN)
        poller.register(sync, zmq.POLLIN)
        heartbeat_at = clock.monotonic_ns()
        while not self._stopping:
            wait_ms = (heartbeat_at - clock.monotonic_ns()) // 1_000_000 + 1
            ready = poller.poll(max(0, wait_ms))
            for waiting, _ in ready:
                if waiting is commands:
                    self._take_commands()
                else:
                    self._take_sync_requests()
            if clock.monotonic_ns() >= heartbeat_at:
                self._events.send(self._sequencer.heartbeat(clock.now_ns()))
                heartbeat_at = clock.monotonic_ns() + self._heartbeat_ns

    def _take_commands(self) -> None:
        payloads = drained(self._commands, DRAIN_MAX)
        malformed = self._sequencer.malformed
        batch = self._sequencer.apply(payloads, self._clock.now_ns())
        if batch is not None:
            self._events.send(batch)
        if self._sequencer.malformed != malformed:
            logger().warning("malformed_commands", total=self._sequencer.malformed)

    def _take_sync_requests(self) -> None:
        """Answer a few requests; more wait for the next round, behind waiting commands."""
        for _ in range(4):
            try:
                frames = self._sync.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            try:
                request: Any = decoded(decode_sync_request, frames[-1])
            except CodecError as error:
                logger().warning("malformed_sync_request", reason=str(error))
                continue
            try:
                reply = encode(self._sequencer.answer(request))
                self._sync.send_multipart([*frames[:-1], reply], zmq.NOBLOCK)
            except zmq.ZMQError as error:
                logger().warning("sync_reply_lost", reason=str(error))
