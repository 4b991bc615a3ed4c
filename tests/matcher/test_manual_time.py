"""A manual clock: what is due on the way happens at its own time, in order, and lasts."""

import pytest

from crossbook.common.instruments import example
from crossbook.common.messages.admin import AdminAdvance, AdminRefused, AdminTimeAdvanced
from crossbook.common.messages.codec import decode_events, encode
from crossbook.common.messages.commands import (
    Command,
    Instructions,
    NewOrder,
    SetCancelAfter,
    SetInstrumentState,
)
from crossbook.common.messages.events import (
    EventBatch,
    InstrumentStateChanged,
    OrderCanceled,
    OrderExpired,
    TimeAdvanced,
)
from crossbook.common.process.clock import ManualClock
from crossbook.common.times import DAY_NS, LAST_NS, SECOND_NS, parse_time
from crossbook.common.types import InstrumentState, TimeInForce
from crossbook.matcher.engine.engine import Engine
from crossbook.matcher.journal.journal import Journal, JournalFailed
from crossbook.matcher.manual_time import STEPS_MAX, ManualTime
from crossbook.matcher.resend_buffer import EventResendBuffer
from crossbook.matcher.sequencer import GROUP_STEPS, Sequencer
from tests.simulation.fake_disk import FakeDisk

START_NS = parse_time("2030-01-01T00:00Z")
HOUR_NS = 3_600 * SECOND_NS


class CountingDisk(FakeDisk):
    """Counts its syncs."""

    syncs = 0

    def sync(self, name: str) -> None:
        """One more."""
        self.syncs += 1
        super().sync(name)


class Matcher:
    """A sequencer under a manual clock over a disk; `sent` are its batches."""

    def __init__(self, disk: CountingDisk | None = None) -> None:
        self.disk = disk or CountingDisk()
        self.journal = Journal.open(self.disk, 77, encode([example()]), 256 * 1024)
        self.sequencer = Sequencer(Engine([example()]), self.journal, EventResendBuffer(10**6))
        self.clock = ManualClock(self.journal.last_time_ns or START_NS)
        self.sent: list[EventBatch] = []
        self.syncs_when_sent: list[int] = []
        self.time = ManualTime(self.sequencer, self.clock, self._send)
        self._request = 0

    def apply(self, command: Command) -> None:
        """Apply a command now."""
        assert self.sequencer.apply([encode([command])], self.clock.now_ns()) is not None

    def advance(self, to_ns: int) -> AdminTimeAdvanced | AdminRefused:
        """Move the clock."""
        self._request += 1
        return self.time.advance(AdminAdvance(self._request, to_ns))

    def good_till(self, expire_ns: int, price: int = 100) -> None:
        """An order that expires."""
        terms = Instructions(expire_ns=expire_ns)
        gtd = int(TimeInForce.GTD)
        self.apply(
            NewOrder(
                gateway=0, request_seq=0, account=7, instrument=1, side=1, order_type=1,
                time_in_force=gtd, price_ticks=price, quantity_lots=5, instructions=terms,
            )
        )  # fmt: skip

    def happened(self, *kinds: type) -> list[tuple[int, str]]:
        """(time, kind) of the sent events that are of these kinds."""
        return [
            (batch.time_ns - START_NS, type(event).__name__)
            for batch in self.sent
            for event in batch.events
            if isinstance(event, kinds)
        ]

    def _send(self, batch: bytes) -> None:
        self.sent.append(decode_events(batch))
        self.syncs_when_sent.append(self.disk.syncs)


def test_everything_due_on_the_way_happens_at_its_own_time_in_order() -> None:
    matcher = Matcher()
    matcher.good_till(START_NS + 3 * HOUR_NS)
    matcher.good_till(START_NS + HOUR_NS)
    matcher.apply(
        SetInstrumentState(
            gateway=0, request_seq=0, account=0, instrument=1, state=InstrumentState.HALTED,
            until_ns=START_NS + 2 * HOUR_NS,
        )
    )  # fmt: skip
    matcher.apply(
        SetCancelAfter(
            gateway=0, request_seq=0, account=7, instrument=0, timeout_ns=150 * 60 * SECOND_NS,
        )
    )  # fmt: skip

    reply = matcher.advance(START_NS + DAY_NS)

    kinds = (OrderExpired, OrderCanceled, InstrumentStateChanged)
    assert matcher.happened(*kinds) == [
        (HOUR_NS, "OrderExpired"),
        (2 * HOUR_NS, "InstrumentStateChanged"),
        (150 * 60 * SECOND_NS, "OrderCanceled"),
    ]
    assert reply == AdminTimeAdvanced(
        request_id=1, before_ns=START_NS, time_ns=START_NS + DAY_NS, seq=matcher.sequencer.seq,
        batches=4,
    )  # fmt: skip
    assert matcher.sent[-1].time_ns == START_NS + DAY_NS
    assert [type(event) for event in matcher.sent[-1].events] == [TimeAdvanced]
    assert matcher.clock.now_ns() == START_NS + DAY_NS


def test_a_clock_without_anything_due_moves_in_one_batch() -> None:
    matcher = Matcher()
    assert matcher.advance(START_NS + 1) == AdminTimeAdvanced(
        request_id=1, before_ns=START_NS, time_ns=START_NS + 1, seq=1, batches=1,
    )  # fmt: skip
    assert [batch.time_ns for batch in matcher.sent] == [START_NS + 1]


def test_a_timer_due_at_the_very_end_has_happened() -> None:
    matcher = Matcher()
    matcher.good_till(START_NS + HOUR_NS)
    reply = matcher.advance(START_NS + HOUR_NS)
    assert isinstance(reply, AdminTimeAdvanced)
    assert reply.batches == 1
    assert matcher.happened(OrderExpired) == [(HOUR_NS, "OrderExpired")]


def test_a_move_to_the_present_changes_nothing() -> None:
    matcher = Matcher()
    assert matcher.advance(START_NS) == AdminTimeAdvanced(
        request_id=1, before_ns=START_NS, time_ns=START_NS, seq=0, batches=0,
    )  # fmt: skip
    assert matcher.sent == []
    assert matcher.journal.last_seq == 0


def test_a_restart_goes_on_at_the_time_it_was_moved_to() -> None:
    matcher = Matcher()
    matcher.advance(START_NS + DAY_NS)
    assert Matcher(matcher.disk).clock.now_ns() == START_NS + DAY_NS


def test_batches_leave_once_a_sync_covers_them_and_share_it() -> None:
    matcher = Matcher()
    for second in range(1, GROUP_STEPS + 10):
        matcher.good_till(START_NS + second * SECOND_NS)
    syncs = matcher.disk.syncs
    matcher.advance(START_NS + DAY_NS)
    assert len(matcher.sent) == GROUP_STEPS + 10
    assert matcher.syncs_when_sent == [syncs + 1] * GROUP_STEPS + [syncs + 2] * 10


def test_nothing_leaves_when_the_sync_fails() -> None:
    class FailingDisk(CountingDisk):
        """A disk whose sync fails once the test sets `fails`."""

        fails = False

        def sync(self, name: str) -> None:
            """Fail, or not."""
            if self.fails:
                raise OSError(5, "Input/output error")
            super().sync(name)

    disk = FailingDisk()
    matcher = Matcher(disk)
    matcher.good_till(START_NS + HOUR_NS)
    disk.fails = True
    with pytest.raises(JournalFailed):
        matcher.advance(START_NS + DAY_NS)
    assert matcher.sent == []
    assert matcher.clock.now_ns() == START_NS


def test_more_than_one_request_handles_is_reached_by_repeating_it() -> None:
    matcher = Matcher()
    for step in range(1, STEPS_MAX + 3):
        matcher.good_till(START_NS + step * SECOND_NS)
    first = matcher.advance(START_NS + DAY_NS)
    assert isinstance(first, AdminTimeAdvanced)
    assert (first.batches, first.time_ns) == (STEPS_MAX, START_NS + STEPS_MAX * SECOND_NS)
    second = matcher.advance(START_NS + DAY_NS)
    assert isinstance(second, AdminTimeAdvanced)
    assert (second.batches, second.time_ns) == (3, START_NS + DAY_NS)
    assert len(matcher.happened(OrderExpired)) == STEPS_MAX + 2


@pytest.mark.parametrize(
    ("to_ns", "text"),
    [
        (START_NS - 1, "2029-12-31T23:59:59.999Z is before 2030-01-01T00:00:00.000Z"),
        (START_NS + 366 * DAY_NS + SECOND_NS, "is 366d1s ahead, and one advance goes 366d at most"),
        (LAST_NS, "is not within the years up to 2199"),
        (-1, "is not within the years up to 2199"),
    ],
)
def test_a_time_that_cannot_be_reached_is_refused_and_nothing_changes(
    to_ns: int, text: str
) -> None:
    matcher = Matcher()
    refused = matcher.advance(to_ns)
    assert isinstance(refused, AdminRefused)
    assert (refused.request_id, refused.field) == (1, "to")
    assert text in refused.text
    assert (matcher.clock.now_ns(), matcher.sent) == (START_NS, [])


def test_the_clock_of_the_machine_is_not_moved() -> None:
    sent: list[bytes] = []
    refused = ManualTime(Matcher().sequencer, None, sent.append).advance(AdminAdvance(3, START_NS))
    assert isinstance(refused, AdminRefused)
    assert (refused.request_id, refused.field) == (3, "clock")
    assert "CLOCK=manual" in refused.text
    assert sent == []
