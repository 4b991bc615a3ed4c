"""Drives a recording through a running exchange over ZeroMQ, at a given pace.

Commands leave in batches, at most `window` of them without an answer. Answers and execution
reports come from the gateway, trades and L3 changes from the feed; all of them go to the
`ReplayCheck`, which compares them.
"""

import time
from array import array
from collections.abc import Callable
from typing import Final

from hdrh.histogram import HdrHistogram
from msgspec import Struct

from crossbook.cli.console import CommandError, ExitStatus
from crossbook.client.client import Client
from crossbook.client.market_data import MarketData
from crossbook.common.following.feed_follower import Update
from crossbook.common.messages.entry import Ack, Amend, Cancel, Execution, New, Reject, Reply
from crossbook.common.messages.feed import OrdersUpdate, Snapshot, Trades
from crossbook.common.types import RejectReason
from crossbook.errors import SendQueueFull
from crossbook.replay.check import ReplayCheck
from crossbook.replay.recording import Recording
from crossbook.replay.report import PERCENTILES, ReplayReport
from crossbook.replay.requests import ReplayRequests

CHANNELS: Final = ("trade", "l3")
"""The channels that the comparison needs."""

Command = New | Cancel | Amend

_WAIT_MS: Final = 5
_LATENCY_MAX_US: Final = 600_000_000


class ReplayPace(Struct, frozen=True):
    """The pace of sending: `speed` times the recorded one, or as fast as answers come (None).

    `batch` commands at most make one message; `window` at most are without an answer.
    """

    speed: float | None = None
    batch: int = 32
    window: int = 1024

    @property
    def name(self) -> str:
        """The pace as the option of the command line has it."""
        return "max" if self.speed is None else "realtime" if self.speed == 1 else f"{self.speed:g}"


class Replay:
    """One replay of one recording, from the first command to the last word of the feed.

    `check` is None, and `market` not read, when nothing is to be compared. `prefix` begins every
    client order id, and is new on this exchange; without one it is made of the time. `run` raises
    `CommandError` when the exchange stops answering or the feed stays behind.
    """

    def __init__(
        self,
        recording: Recording,
        client: Client,
        market: MarketData | None,
        check: ReplayCheck | None,
        symbol: str,
        pace: ReplayPace,
        timeout_s: float = 5.0,
        prefix: str = "",
    ) -> None:
        self.sent = 0
        self.answered = 0
        self._recording = recording
        self._commands = recording.commands
        self._client = client
        self._market = market
        self._check = check
        self._symbol = symbol
        self._pace = pace
        self._timeout_ns = int(timeout_s * 1e9)
        # Client order ids must be new on every run: orders of an earlier one may still rest.
        self._requests = ReplayRequests(symbol, prefix or f"r{time.time_ns() // 1_000_000:x}-")
        self._first_request = client.reserve(len(recording.commands))
        self._sent_ns = array("q", bytes(8 * len(recording.commands)))
        self._latency = HdrHistogram(1, _LATENCY_MAX_US, 3)
        self._started_ns = 0
        self._ended_ns = 0

    def run(self, on_progress: Callable[["Replay"], None]) -> ReplayReport:
        """Send everything, wait for every answer, then for the feed."""
        total = len(self._commands)
        self._started_ns = answered_ns = time.monotonic_ns()
        while self.answered < total:
            before = self.answered
            self._send_due()
            for reply in self._client.receive(self._wait_ms()):
                self._receive(reply)
            self._read_feed(0.0)
            now_ns = time.monotonic_ns()
            if self.answered > before or self.sent == self.answered:
                answered_ns = now_ns
            elif now_ns - answered_ns > self._timeout_ns:
                raise unreachable(
                    f"no answer from the gateway at {self._client.address} for "
                    f"{self._timeout_ns / 1e9:g} s: {self.answered:,} of "
                    f"{self.sent:,} commands sent were answered"
                )
            on_progress(self)
        self._ended_ns = time.monotonic_ns()
        self._finish_feed()
        on_progress(self)
        return self._report()

    def _send_due(self) -> None:
        """Send every batch that is due and fits the window."""
        total, pace = len(self._commands), self._pace
        while self.sent < total:
            last = min(self.sent + pace.batch, total, self.answered + pace.window)
            now_ns = time.monotonic_ns()
            if pace.speed is not None:
                last = self._due_before(last, now_ns)
            if last <= self.sent:
                return
            make, first = self._requests.request, self._first_request
            batch: list[Command] = [
                make(self._commands[i], first + i) for i in range(self.sent, last)
            ]
            for index in range(self.sent, last):
                # Late sending counts: a stalled exchange must not hide behind a waiting client.
                self._sent_ns[index] = now_ns if pace.speed is None else self._due_ns(index)
            self._send(batch)

    def _send(self, batch: list[Command]) -> None:
        """Send all of it. Answers to its first commands may come before the last are sent."""
        deadline_ns = time.monotonic_ns() + self._timeout_ns
        while batch:
            try:
                self._client.send(batch)
                self.sent += len(batch)
                return
            except SendQueueFull as full:
                self.sent += full.sent
                batch = batch[full.sent :]
            if time.monotonic_ns() > deadline_ns:
                raise unreachable(f"the gateway at {self._client.address} accepts no more commands")
            for reply in self._client.receive(_WAIT_MS):
                self._receive(reply)

    def _due_ns(self, index: int) -> int:
        assert self._pace.speed is not None
        elapsed_ns = self._commands[index].time_ns - self._commands[0].time_ns
        return self._started_ns + int(elapsed_ns / self._pace.speed)

    def _due_before(self, last: int, now_ns: int) -> int:
        """The end of the commands from `sent` on that are due by now, at most `last`."""
        end = self.sent
        while end < last and self._due_ns(end) <= now_ns:
            end += 1
        return end

    def _wait_ms(self) -> int:
        """How long the next receive may wait without delaying a command that falls due."""
        if self._pace.speed is None or self.sent >= len(self._commands):
            return _WAIT_MS
        left_ms = (self._due_ns(self.sent) - time.monotonic_ns()) // 1_000_000
        return max(0, min(_WAIT_MS, left_ms))

    def _receive(self, reply: Reply) -> None:
        check = self._check
        if type(reply) is Execution:
            if check is not None:
                check.executed(reply)
            return
        index = reply.request_seq - self._first_request
        if not 0 <= index < self.sent:
            return
        if type(reply) is Ack:
            if check is not None:
                check.accepted(index, reply)
        elif type(reply) is Reject:
            if reply.reason == RejectReason.NOT_LOGGED_ON:
                raise unreachable(
                    f"the gateway at {self._client.address} was restarted: the session is gone"
                )
            if check is not None:
                check.refused(index, reply)
        else:
            return
        self.answered += 1
        latency_ns = time.monotonic_ns() - self._sent_ns[index]
        self._latency.record_value(min(max(1, latency_ns // 1_000), _LATENCY_MAX_US))

    def _read_feed(self, timeout_s: float) -> None:
        if self._market is not None:
            for update in self._market.receive(timeout_s):
                self._receive_update(update)

    def _receive_update(self, update: Update) -> None:
        check = self._check
        assert check is not None, "the feed is read for the comparison only"
        if type(update) is OrdersUpdate:
            check.changed(update.changes)
            check.complete(update.seq)
        elif type(update) is Trades:
            check.traded(update.trades)
        elif type(update) is Snapshot:
            check.load(update.seq, update.bid_orders, update.ask_orders)

    def _finish_feed(self) -> None:
        """Read on until a heartbeat shows that nothing of the replay is missing."""
        market, check = self._market, self._check
        if market is None or check is None:
            return
        deadline_ns = time.monotonic_ns() + self._timeout_ns
        while True:
            heartbeat = market.heartbeat_of(self._symbol)
            # Ready: nothing up to the number of this heartbeat is missing.
            if heartbeat is not None and heartbeat.seq >= check.last_seq and market.ready:
                check.complete(heartbeat.seq)
                return
            if time.monotonic_ns() > deadline_ns:
                raise unreachable(
                    f"the feed is at {heartbeat.seq if heartbeat else 0}, the replay ended at "
                    f"{check.last_seq}: is the publisher running?"
                )
            self._read_feed(0.05)

    def _report(self) -> ReplayReport:
        counters = self._market.counters if self._market is not None else None
        result = self._check.result() if self._check is not None else None
        notes = list(self._recording.notes)
        if result is not None and RejectReason.BUSY.name in result.refused:
            notes.append("the exchange was busy: a smaller window keeps within its limit")
        return ReplayReport(
            self._recording.name,
            self._symbol,
            self._pace.name,
            len(self._commands),
            (self._ended_ns - self._started_ns) / 1e9,
            self._latencies(),
            counters.gaps if counters is not None else 0,
            result,
            notes,
        )

    def _latencies(self) -> dict[str, int]:
        histogram = self._latency
        at = {f"p{p:g}": int(histogram.get_value_at_percentile(p)) for p in PERCENTILES}
        return {**at, "max": int(histogram.get_max_value())}


def unreachable(text: str) -> CommandError:
    """The exchange does not answer, or not in time."""
    return CommandError(text, ExitStatus.UNREACHABLE, "UNREACHABLE")
