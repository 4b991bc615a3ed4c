"""The loop of a publisher behind fault rules: late messages, heartbeats and disconnections."""

import time
from typing import Any, ClassVar, Final

from crossbook.common.errors import ConfigError
from crossbook.common.faults.market_data import FeedConnectionFault, FeedDisconnect
from crossbook.publisher.faults.assembly import PublisherFaults
from crossbook.publisher.service import PublisherService

SETTLE_S: Final = 0.5
"""Longest wait until the loop has applied a change of the rules."""


class FaultyPublisherService(PublisherService):
    """A publisher's loop with the feed of `faults`.

    It sleeps 5 ms at most, so late messages are up to 5 ms later than their rules order.
    """

    sleep_ms: ClassVar[int] = 5

    def __init__(self, *arguments: Any, faults: PublisherFaults) -> None:
        super().__init__(*arguments)
        self._faults = faults
        self._faulty = faults.made
        self._table = faults.table
        # Id of a rule -> when it ends the connections next.
        self._ends_ns: dict[int, int] = {}
        faults.settled_by(self.settle)

    def settle(self) -> None:
        """Wait until what the rules order is true; for another thread than the loop's."""
        turns, until_s = self._faulty.turns + 2, time.monotonic() + SETTLE_S
        while self._faulty.turns < turns and time.monotonic() < until_s:
            time.sleep(0.001)

    def _publish_statistics(self, now_ns: int, at_once: bool) -> None:
        super()._publish_statistics(now_ns, at_once)
        rules = self._table.in_force(FeedConnectionFault)
        if not rules:
            return
        for each in rules:
            if not isinstance(each.rule, FeedDisconnect):
                continue
            wait_ns = int(each.rule.seconds * 1e9)
            due_ns = self._ends_ns.setdefault(each.id, now_ns + wait_ns)
            if now_ns >= due_ns:
                self._ends_ns[each.id] = now_ns + wait_ns
                if self._table.applies(each):
                    self._disconnect()

    def _send_heartbeat(self, now_ns: int) -> None:
        if self._faulty.heartbeat_is_due():
            super()._send_heartbeat(now_ns)

    def _disconnect(self) -> None:
        """End all connections to the feed, and bind it again."""
        self._public.close(linger=0)
        until_s = time.monotonic() + SETTLE_S
        while True:
            try:
                reopened = self._faults.reopen()
            except ConfigError:
                # ZeroMQ closes the socket in a thread of its own.
                if time.monotonic() >= until_s:
                    raise
                time.sleep(0.001)
            else:
                break
        reopened.cut_off.update(self.subscribers.cut_off)
        self.subscribers, self._public = reopened, reopened.watched
