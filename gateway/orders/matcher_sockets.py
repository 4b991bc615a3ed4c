"""One matcher's sockets around its link: commands and questions out, events and answers in."""

from typing import Final

import zmq

from crossbook.common.errors import BAD_BYTES
from crossbook.common.process.clock import Clock
from crossbook.common.process.counters import Buckets
from crossbook.common.process.crash_points import reached
from crossbook.common.process.log import logger
from crossbook.common.process.sockets import drained
from crossbook.gateway.orders.desk import OrderDesk
from crossbook.gateway.orders.matcher_link import MatcherLink

DRAIN_MAX: Final = 256
"""Most messages taken from one socket before the others get their turn."""

_NOBLOCK: Final = int(zmq.NOBLOCK)


class MatcherLine:
    """Moves frames between a desk's link and its matcher.

    `takers` says what takes from which socket that is ready. `answer_times` gets the nanoseconds
    that some commands took to the matcher and back: one at a time is timed, so that it costs
    nothing an order.
    """

    def __init__(
        self,
        desk: OrderDesk,
        link: MatcherLink,
        commands: "zmq.Socket[bytes]",
        events: "zmq.Socket[bytes]",
        queries: "zmq.Socket[bytes]",
        clock: Clock,
        answer_times: Buckets,
    ) -> None:
        self.desk = desk
        self.link = link
        self.takers = {events: self._take_events, queries: self._receive_replies}
        self._commands = commands
        self._events = events
        self._queries = queries
        self._clock = clock
        self._answer_times = answer_times
        self._timed = self._timed_ns = 0

    def send(self) -> None:
        """Send what is due."""
        desk, link = self.desk, self.link
        if desk.commands:
            reached("gateway.received")
            now_ns = self._clock.monotonic_ns()
            link.send(self._send_commands, self._send_query, now_ns)
            reached("gateway.forwarded")
            if not self._timed and desk.number in desk.in_flight:
                self._timed, self._timed_ns = desk.number, now_ns
        else:
            link.send(self._send_commands, self._send_query, self._clock.monotonic_ns())
        if link.notices:
            self._log_notices()

    def _log_notices(self) -> None:
        notices, self.link.notices = self.link.notices, []
        for what, facts in notices:
            log = logger().info if what == "matcher_reached" else logger().warning
            log(what, **facts)

    def _send_commands(self, frame: bytes) -> bool:
        try:
            self._commands.send(frame, _NOBLOCK)
        except zmq.Again:
            return False
        return True

    def _send_query(self, frame: bytes) -> bool:
        try:
            self._queries.send(frame, _NOBLOCK)
        except zmq.Again:
            return False
        return True

    def _take_events(self) -> None:
        take = self.link.take_events
        for payload in drained(self._events, DRAIN_MAX):
            try:
                take(payload)
            except BAD_BYTES as error:
                logger().error("malformed_event_batch", reason=str(error))
        if self._timed and self._timed not in self.desk.in_flight:
            self._timed = 0
            self._answer_times.add(self._clock.monotonic_ns() - self._timed_ns)
        if self.desk.outbox:
            reached("gateway.reported")

    def _receive_replies(self) -> None:
        for payload in drained(self._queries, DRAIN_MAX):
            try:
                self.link.take_reply(payload, self._clock.monotonic_ns())
            except BAD_BYTES as error:
                logger().error("malformed_sync_reply", reason=str(error))
