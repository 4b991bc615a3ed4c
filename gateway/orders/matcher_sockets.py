"""The sockets of one matcher link: its frames, its clock and its log."""

from typing import Final

import zmq

from crossbook.common.errors import BAD_BYTES
from crossbook.common.process.clock import Clock
from crossbook.common.process.counters import Buckets
from crossbook.common.process.crash_points import reached
from crossbook.common.process.log import logger
from crossbook.common.process.sockets import drained
from crossbook.gateway.orders.matcher_link import MatcherLink

DRAIN_MAX: Final = 256
"""Most messages received from one socket before the others get their turn."""

_EXPECTED: Final = ("matcher_reached", "keys_loaded")
"""Events for the log that are no warnings."""

_NOBLOCK: Final = int(zmq.NOBLOCK)


class MatcherSockets:
    """Moves the frames of a link; what they hold is the link's business alone.

    `receivers` has the function that drains each socket once it is readable. `answer_times` gets
    the nanoseconds from sending a command until its answer, of one command at a time, which costs
    the others nothing.
    """

    def __init__(
        self,
        link: MatcherLink,
        commands: "zmq.Socket[bytes]",
        events: "zmq.Socket[bytes]",
        queries: "zmq.Socket[bytes]",
        clock: Clock,
        answer_times: Buckets,
    ) -> None:
        self.link = link
        self.receivers = {events: self._receive_events, queries: self._receive_answers}
        self._commands = commands
        self._events = events
        self._queries = queries
        self._clock = clock
        self._answer_times = answer_times
        self._timed_number = self._timed_ns = 0

    def send(self) -> None:
        """Send what is due."""
        now_ns = self._clock.monotonic_ns()
        number = self.link.send(self._send_commands, self._send_query, now_ns)
        if number and not self._timed_number:
            self._timed_number, self._timed_ns = number, now_ns
        for event, facts in self.link.collect_notices():
            log = logger().info if event in _EXPECTED else logger().warning
            log(event, **facts)

    def tick(self) -> None:
        """Let time pass for the link."""
        self.link.tick(self._clock.monotonic_ns())

    def _send_commands(self, frame: bytes) -> bool:
        reached("gateway.received")
        try:
            self._commands.send(frame, _NOBLOCK)
        except zmq.Again:
            return False
        reached("gateway.forwarded")
        return True

    def _send_query(self, frame: bytes) -> bool:
        try:
            self._queries.send(frame, _NOBLOCK)
        except zmq.Again:
            return False
        return True

    def _receive_events(self) -> None:
        receive = self.link.receive_events
        for frame in drained(self._events, DRAIN_MAX):
            try:
                receive(frame)
            except BAD_BYTES as error:
                logger().error("malformed_event_batch", reason=str(error))
        if self._timed_number and self.link.is_answered(self._timed_number):
            self._timed_number = 0
            self._answer_times.add(self._clock.monotonic_ns() - self._timed_ns)

    def _receive_answers(self) -> None:
        for frame in drained(self._queries, DRAIN_MAX):
            try:
                self.link.receive_answer(frame, self._clock.monotonic_ns())
            except BAD_BYTES as error:
                logger().error("malformed_matcher_reply", reason=str(error))
