"""The matcher's loop on a fake clock: its unsolicited messages and their times, the time it stamps,
and the limits of a snapshot beside it."""

from collections.abc import Callable
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from crossbook.common.instruments import example
from crossbook.common.messages.admin import (
    AdminAcceptTime,
    AdminAdvance,
    AdminInspect,
    AdminRefused,
    AdminTimeAccepted,
    AdminTimeAdvanced,
    AdminView,
)
from crossbook.common.messages.codec import (
    decode_admin_reply,
    decode_events,
    decode_metrics,
    encode,
)
from crossbook.common.messages.commands import Command, Instructions, NewOrder, SetCancelAfter
from crossbook.common.messages.events import (
    EventBatch,
    OrderAccepted,
    OrderExpired,
    TimeAdvanced,
)
from crossbook.common.messages.process_metrics import MetricsRequest
from crossbook.common.process.clock import Clock, FakeClock, ManualClock
from crossbook.common.types import TimeInForce
from crossbook.matcher import batch as batch_module
from crossbook.matcher.engine.engine import Engine
from crossbook.matcher.journal.journal import Journal, SyncPolicy
from crossbook.matcher.recovery.snapshot_store import SnapshotStore
from crossbook.matcher.recovery.snapshotter import Snapshotter
from crossbook.matcher.resend_buffer import EventResendBuffer
from crossbook.matcher.sequencer import Sequencer
from crossbook.matcher.service import SLEEP_MS, Batches, MatcherService
from crossbook.matcher.timekeeper import Timekeeper
from tests.simulation.fake_disk import FakeDisk
from tests.system.loop import MS, FakeSocket, LoopScript

SECOND = 1_000_000_000
NOW = 1_780_000_000 * SECOND
YEAR = 365 * 86_400 * SECOND
HEARTBEAT_MS = 500
LATE = 2
"""Most milliseconds by which the loop is late, because it sleeps whole ones."""


class SlowWriter:
    """A writer whose snapshot is complete when the test sets it. A loop that waited for the
    snapshot would not end."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.abandoned = 0
        self.status: str | None = None

    def begin(self, seq: int) -> None:
        """Record the snapshot's number."""
        self.begun.append(seq)
        self.status = None

    def outcome(self, *, wait: bool = False) -> str | None:
        """The state set by the test."""
        assert not wait, "the matcher waits for a snapshot"
        return self.status

    def abandon(self) -> None:
        """Drop the snapshot."""
        self.abandoned += 1


class StandingClock(ManualClock):
    """A manual clock whose intervals are those of another clock."""

    def __init__(self, intervals: FakeClock) -> None:
        super().__init__(intervals.now_ns())
        self._intervals = intervals

    def monotonic_ns(self) -> int:
        """The other clock's."""
        return self._intervals.monotonic_ns()


class Loop:
    """A matcher whose clock moves only while the loop sleeps. With `is_manual` only the intervals
    of the clock move."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        snapshot_every: int = 1_000_000,
        heartbeat_ms: int = HEARTBEAT_MS,
        sync_interval_ms: int = 0,
        *,
        is_manual: bool = False,
    ) -> None:
        self.clock = FakeClock(NOW)
        clock: Clock = StandingClock(self.clock) if is_manual else self.clock
        self.script = LoopScript(self.clock)
        self.script.patch(monkeypatch)
        self.commands, self.events, self.queries, self.admin = (
            FakeSocket(self.clock) for _ in range(4)
        )
        self.disk = FakeDisk()
        self.writer = SlowWriter()
        policy: SyncPolicy = "interval" if sync_interval_ms else "batch"
        self.journal = Journal.open(self.disk, 77, encode([example()]), 64 * 1024, policy)
        self.sequencer = Sequencer(Engine([example()]), self.journal, EventResendBuffer(10**6))
        self.snapshotter = Snapshotter(
            SnapshotStore(self.disk, 2), self.journal, self.writer, snapshot_every, 0, 0
        )
        commands: Any = self.commands
        events: Any = self.events
        queries: Any = self.queries
        admin: Any = self.admin
        self.service = MatcherService(
            self.sequencer, self.journal, self.snapshotter, commands, events, queries, admin,
            clock, Timekeeper(clock, 0, 60 * SECOND, 366 * 86_400 * SECOND),
            heartbeat_ms, Batches(), lambda: "", sync_interval_ms,
        )  # fmt: skip

    def at(self, ms: int, act: Callable[[], None]) -> None:
        """Do something so many milliseconds from the start."""
        self.script.at(ms, act)

    def command(self, ms: int, *commands: Command) -> None:
        """Let a gateway send this command then."""
        self.at(ms, lambda: self.commands.waiting.append([encode(list(commands))]))

    def send(self, ms: int, request: Any) -> None:
        """An administrator's request at that time."""
        self.at(ms, lambda: self.admin.waiting.append([b"admin", encode(request)]))

    def run(self, ms: int) -> None:
        """Run the loop for so many milliseconds."""
        self.at(ms, self.service.stop)
        self.service.run()

    @property
    def sent(self) -> list[tuple[int, EventBatch]]:
        """All batches sent, each with its milliseconds from the start."""
        began = NOW // MS
        return [(ms - began, decode_events(frames[-1])) for ms, frames in self.events.sent]

    @property
    def batches(self) -> list[EventBatch]:
        """All batches sent but heartbeats."""
        return [batch for _, batch in self.sent if batch.last_seq >= batch.first_seq]

    @property
    def heartbeats_ms(self) -> list[int]:
        """The times of heartbeats."""
        return [ms for ms, batch in self.sent if batch.last_seq < batch.first_seq]


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Loop:
    return Loop(monkeypatch)


def order(request: int) -> NewOrder:
    return NewOrder(
        gateway=1,
        request_seq=request,
        account=7,
        instrument=1,
        side=1,
        order_type=1,
        time_in_force=1,
        price_ticks=100,
        quantity_lots=5,
    )


def gtd(request: int, expire_ns: int) -> NewOrder:
    terms = Instructions(expire_ns=expire_ns)
    return NewOrder(
        gateway=1,
        request_seq=request,
        account=7,
        instrument=1,
        side=1,
        order_type=1,
        time_in_force=TimeInForce.GTD,
        price_ticks=100,
        quantity_lots=5,
        instructions=terms,
    )


def is_periodic(times_ms: list[int], period_ms: int, until_ms: int) -> bool:
    """Whether there is a time at the start and one in each period, at most two milliseconds
    late."""
    gaps = [later - earlier for earlier, later in pairwise(times_ms)]
    return (
        times_ms[:1] == [0]
        and all(period_ms <= gap <= period_ms + 2 for gap in gaps)
        and until_ms - times_ms[-1] <= period_ms + 2
    )


@pytest.mark.parametrize("heartbeat_ms", [10, 100, 199, 201, 500, 4_000])
def test_an_idle_matcher_sends_a_heartbeat_once_a_period(
    monkeypatch: pytest.MonkeyPatch, heartbeat_ms: int
) -> None:
    loop = Loop(monkeypatch, heartbeat_ms=heartbeat_ms)
    loop.run(10_000)
    assert is_periodic(loop.heartbeats_ms, heartbeat_ms, 10_000)


def test_a_busy_matcher_keeps_the_period_of_its_heartbeats(loop: Loop) -> None:
    for number in range(1, 1_000):
        loop.command(10 * number, order(number))
    loop.run(10_000)
    assert len(loop.batches) == 999
    assert is_periodic(loop.heartbeats_ms, HEARTBEAT_MS, 10_000)


def test_a_heartbeat_contains_the_last_number_and_the_time(loop: Loop) -> None:
    loop.command(100, order(1))
    loop.run(600)
    (_, first), (_, applied), (_, second) = loop.sent
    assert (first.last_seq, applied.last_seq, second.last_seq) == (0, 1, 1)
    assert first.time_ns == NOW
    assert 500 * MS <= second.time_ns - NOW <= 502 * MS


def test_between_two_batches_heartbeats_and_queries_have_their_turn(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_module, "EVENTS_MAX", 4)
    loop.command(1, *(order(number) for number in range(1, 41)))
    loop.command(1, *(order(number) for number in range(41, 43)))
    query = [b"gateway", encode(MetricsRequest(5))]
    publish = loop.events.send

    def slowly(frame: bytes) -> Any:
        """Each batch takes a heartbeat's time, and a query comes meanwhile."""
        if decode_events(frame).events:
            loop.clock.advance_ns(HEARTBEAT_MS * MS)
            loop.queries.waiting.append(query)
        return publish(frame)

    monkeypatch.setattr(loop.events, "send", slowly)
    loop.run(12 * HEARTBEAT_MS)
    kinds = ["batch" if batch.events else "beat" for _, batch in loop.sent]
    assert kinds[:19] == ["beat", *["batch", "beat"] * 9]
    assert [batch.last_seq for batch in loop.batches] == [*range(5, 41, 5), 42]
    answers = [decode_metrics(frames[-1]).seq for _, frames in loop.queries.sent]
    assert answers[:4] == [10, 10, 15, 20]
    assert not loop.sequencer.has_more


def test_an_order_expires_when_it_is_due(loop: Loop) -> None:
    loop.command(10, gtd(1, NOW + 1_234 * MS))
    loop.run(3_000)
    times = [ms for ms, batch in loop.sent if any(type(e) is OrderExpired for e in batch.events)]
    assert len(times) == 1
    assert 1_234 <= times[0] <= 1_236


def test_with_a_manual_clock_an_order_expires_when_the_time_is_moved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop = Loop(monkeypatch, is_manual=True)
    due_ns = NOW + SECOND // 1_000
    loop.command(10, gtd(1, due_ns))
    loop.send(5_000, AdminInspect(1))
    loop.send(5_001, AdminAdvance(2, NOW + SECOND))
    loop.send(5_002, AdminInspect(3))
    looks = count_calls(monkeypatch, loop.sequencer, "is_due")
    loop.run(10_000)
    assert [(batch.time_ns, type(batch.events[-1])) for batch in loop.batches] == [
        (NOW, OrderAccepted), (due_ns, OrderExpired), (NOW + SECOND, TimeAdvanced),
    ]  # fmt: skip
    before, moved, after = [decode_admin_reply(frames[-1]) for _, frames in loop.admin.sent]
    assert isinstance(before, AdminView)
    assert (before.time_ns, before.is_manual) == (NOW, True)
    assert moved == AdminTimeAdvanced(
        request_id=2, before_ns=NOW, time_ns=NOW + SECOND, seq=3, batches=2
    )
    assert isinstance(after, AdminView)
    assert (after.time_ns, after.clock_refused) == (NOW + SECOND, False)
    # Once a sleep at most: a timer that is due soon is not waited for.
    assert len(looks) < 60
    assert {batch.time_ns for ms, batch in loop.sent if ms > 5_001} == {NOW + SECOND}


def test_the_clock_of_a_machine_is_not_moved(loop: Loop) -> None:
    loop.send(10, AdminAdvance(2, NOW + SECOND))
    loop.run(20)
    [(_, frames)] = loop.admin.sent
    reply = decode_admin_reply(frames[-1])
    assert isinstance(reply, AdminRefused)
    assert (reply.request_id, reply.field) == (2, "clock")
    assert loop.batches == []


def count_calls(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> list[Any]:
    """The arguments of every call of a method from now on."""
    calls: list[Any] = []
    method = getattr(owner, name)

    def called(*given: Any) -> Any:
        calls.append(given)
        return method(*given)

    monkeypatch.setattr(owner, name, called)
    return calls


@pytest.mark.parametrize("jump_ns", [61 * SECOND, 3_600 * SECOND, 10 * YEAR])
def test_a_clock_that_jumps_for_a_second_expires_nothing_and_stamps_nothing(
    loop: Loop, jump_ns: int, capsys: pytest.CaptureFixture[str]
) -> None:
    loop.command(
        10,
        gtd(1, NOW + 61 * SECOND),
        SetCancelAfter(gateway=1, request_seq=2, account=7, instrument=0, timeout_ns=30 * SECOND),
    )
    loop.at(100, lambda: loop.clock.step_ns(jump_ns))
    loop.command(600, order(3))
    loop.at(1_100, lambda: loop.clock.step_ns(-jump_ns))
    loop.command(1_600, order(4))
    loop.run(2_100)
    kinds = [type(event).__name__ for batch in loop.batches for event in batch.events]
    assert kinds == ["OrderAccepted", "CancelAfterSet", "OrderAccepted", "OrderAccepted"]
    assert [batch.time_ns - NOW for batch in loop.batches] == [10 * MS, 600 * MS, 1_600 * MS]
    assert all(batch.time_ns - NOW <= 2_100 * MS for _, batch in loop.sent)
    logged = capsys.readouterr().out
    assert logged.count("clock_refused") == 1
    assert logged.index("clock_refused") < logged.index("clock_believed")


def test_a_jump_of_the_clock_between_two_rounds_is_reported_too(
    loop: Loop, capsys: pytest.CaptureFixture[str]
) -> None:
    loop.at(600, lambda: loop.clock.step_ns(YEAR))
    loop.command(610, order(1))
    loop.at(620, lambda: loop.clock.step_ns(-YEAR))
    loop.command(630, order(2))
    loop.run(1_500)
    logged = capsys.readouterr().out
    assert (logged.count("clock_refused"), logged.count("clock_believed")) == (1, 1)


def test_an_administrator_reads_a_refused_clock_and_accepts_it(loop: Loop) -> None:
    loop.command(10, gtd(1, NOW + YEAR))
    loop.at(100, lambda: loop.clock.step_ns(2 * YEAR))
    loop.send(200, AdminInspect(5))
    loop.send(300, AdminAcceptTime(6))
    loop.send(400, AdminInspect(7))
    loop.send(500, AdminAcceptTime(8))
    loop.run(1_000)
    before, accepted, after, again = (decode_admin_reply(f[-1]) for _, f in loop.admin.sent)
    assert isinstance(before, AdminView)
    assert (before.time_ns, before.clock_ns) == (NOW + 200 * MS, NOW + 2 * YEAR + 200 * MS)
    assert before.clock_refused
    expected = AdminTimeAccepted(
        request_id=6, before_ns=NOW + 300 * MS, clock_ns=NOW + 2 * YEAR + 300 * MS, was_refused=True
    )
    assert accepted == expected
    assert isinstance(after, AdminView)
    assert (after.time_ns, after.clock_refused) == (NOW + 2 * YEAR + 400 * MS, False)
    assert isinstance(again, AdminTimeAccepted)
    assert not again.was_refused
    expired = [e for batch in loop.batches for e in batch.events if isinstance(e, OrderExpired)]
    assert len(expired) == 1


def test_matching_goes_on_while_a_snapshot_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = Loop(monkeypatch, snapshot_every=3)
    for number in range(1, 21):
        loop.command(100 * number, order(number))
    loop.run(5_000)
    assert loop.writer.begun == [3]
    assert [ms for ms, batch in loop.sent if batch.last_seq >= batch.first_seq] == [
        100 * number for number in range(1, 21)
    ]
    assert is_periodic(loop.heartbeats_ms, HEARTBEAT_MS, 5_000)
    assert (loop.snapshotter.written, loop.snapshotter.failed) == (0, 0)
    assert loop.writer.abandoned == 1


@pytest.mark.parametrize(("status", "written", "failed"), [("", 1, 0), ("no room", 0, 1)])
def test_a_snapshot_counts_once_it_is_there_and_not_when_it_failed(
    monkeypatch: pytest.MonkeyPatch, status: str, written: int, failed: int
) -> None:
    loop = Loop(monkeypatch, snapshot_every=3)
    counts: list[tuple[int, int]] = []

    def look() -> None:
        counts.append((loop.snapshotter.written, loop.snapshotter.failed))

    loop.command(100, order(1), order(2), order(3))
    loop.at(1_000, look)
    loop.at(1_001, lambda: setattr(loop.writer, "status", status))
    loop.at(2_000, look)
    loop.run(2_500)
    assert counts == [(0, 0), (written, failed)]
    assert loop.snapshotter.last_seq == 3
    assert loop.writer.begun == [3]


def test_the_next_snapshot_begins_only_once_the_one_before_has_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop = Loop(monkeypatch, snapshot_every=2)
    for number in range(1, 9):
        loop.command(100 * number, order(number))
    loop.at(450, lambda: setattr(loop.writer, "status", "it failed"))
    loop.run(2_000)
    # Five commands later the failure is found, and a new snapshot begins with the sixth.
    assert loop.writer.begun == [2, 6]
    assert (loop.snapshotter.written, loop.snapshotter.failed) == (0, 1)


@pytest.mark.parametrize("interval_ms", [7, 50, 300])
def test_a_power_cut_takes_no_more_than_an_interval(
    monkeypatch: pytest.MonkeyPatch, interval_ms: int
) -> None:
    loop = Loop(monkeypatch, sync_interval_ms=interval_ms)
    left: list[tuple[int, int]] = []

    def cut() -> None:
        disk = loop.disk.fork()
        disk.crash(Random(len(left)))
        found = Journal.open(disk, 77, b"", 64 * 1024).last_seq
        left.append((loop.clock.now_ns(), found))

    for number in range(1, 400):
        loop.command(5 * number, order(number))
        loop.at(5 * number + 3, cut)
    loop.run(2_000)
    batches = loop.batches
    for now_ns, seq in left:
        old_ns = now_ns - (interval_ms + LATE) * MS
        assert seq >= max((each.last_seq for each in batches if each.time_ns <= old_ns), default=0)
    assert len(left) > 390
    assert Journal.open(loop.disk.fork(), 77, b"", 64 * 1024).last_seq == 399


def test_everything_is_synced_when_the_loop_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = Loop(monkeypatch, sync_interval_ms=5_000)
    loop.command(100, order(1))
    loop.run(200)
    loop.disk.crash(Random(1))
    assert Journal.open(loop.disk, 77, b"", 64 * 1024).last_seq == 1


def test_a_stop_ends_the_loop_within_the_longest_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    """The matcher has nothing to do before its next heartbeat."""
    loop = Loop(monkeypatch, heartbeat_ms=4_000, sync_interval_ms=4_000)
    loop.run(1_500)
    assert loop.clock.now_ns() - NOW <= (1_500 + SLEEP_MS + 1) * MS


def test_a_matcher_sleeps_until_the_next_due_time(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleeps: list[int] = []
    let_pass = loop.script.sleep

    def noted(ms: int, sockets: list[FakeSocket]) -> list[tuple[Any, int]]:
        sleeps.append(ms)
        return let_pass(ms, sockets)

    monkeypatch.setattr(loop.script, "sleep", noted)
    loop.command(10, gtd(1, NOW + 1_900 * MS))
    loop.run(1_800)
    # At least every fifth of a second, and for each heartbeat once more.
    assert len(sleeps) < 20


def test_after_four_queries_it_is_the_turn_of_the_commands(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries = [[b"gateway", encode(MetricsRequest(number))] for number in range(1, 11)]
    send = loop.queries.send_multipart

    def command_arrives(frames: list[bytes], flags: int = 0) -> None:
        if not loop.queries.sent:
            loop.commands.waiting.append([encode([order(1)])])
        send(frames, flags)

    monkeypatch.setattr(loop.queries, "send_multipart", command_arrives)
    loop.at(5, lambda: loop.queries.waiting.extend(queries))
    loop.run(50)
    answers = [decode_metrics(frames[-1]) for _, frames in loop.queries.sent]
    assert [answer.request_id for answer in answers] == list(range(1, 11))
    assert [answer.seq for answer in answers] == [0] * 4 + [1] * 6
