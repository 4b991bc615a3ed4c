"""The publisher's loop on a fake clock: heartbeats at their period, idle and busy."""

from collections.abc import Mapping
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
import zmq

from crossbook.common.instruments import example
from crossbook.common.messages.codec import decode_feed, encode
from crossbook.common.messages.events import EventBatch, InstrumentAdded
from crossbook.common.messages.feed import HEARTBEAT_TOPIC, Heartbeat
from crossbook.common.messages.matcher_queries import Books, ResendTooOld
from crossbook.common.process.clock import FakeClock
from crossbook.publisher.feed import Feed
from crossbook.publisher.replica import PublisherReplica
from crossbook.publisher.service import SLEEP_MS, PublisherService, Rounds
from crossbook.publisher.snapshot_server import SnapshotServer
from tests.system.loop import MS, FakeSocket, LoopScript

NOW_NS = 1_780_000_000_000_000_000
IDLE = encode(EventBatch(incarnation=7, first_seq=1, last_seq=0, time_ns=9, events=[]))


class NoConnections:
    """A socket without connections to check."""

    def __init__(self, watched: FakeSocket) -> None:
        self.watched = watched

    def check(self) -> None:
        """Nothing to end."""


class Refusing(FakeSocket):
    """A socket that does not accept its first `refusals` messages."""

    refusals = 0

    def send_multipart(self, frames: list[bytes], flags: int = 0) -> None:
        """Keep the message; those that are refused, too."""
        super().send_multipart(frames, flags)
        if len(self.sent) <= self.refusals:
            raise zmq.Again


class Loop:
    """A publisher whose clock moves only while it sleeps."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        heartbeat_ms: int = 500,
        rounds: Rounds | None = None,
        *,
        is_manual: bool = False,
    ) -> None:
        clock = FakeClock(NOW_NS, is_manual=is_manual)
        self.script = LoopScript(clock)
        self.script.patch(monkeypatch)
        self.events, self.history, self.public = (FakeSocket(clock) for _ in range(3))
        self.queries = Refusing(clock)
        requests = FakeSocket(clock)
        monkeypatch.setattr(
            "crossbook.publisher.service.send_frames",
            lambda socket, frames: socket.send_multipart(list(frames)),
        )
        self.replica = PublisherReplica(Feed([example()], base=100, resend_count=50))
        self.rounds = rounds or Rounds()
        connections = NoConnections(self.public), NoConnections(requests)
        parts: list[Any] = [self.events, self.queries, self.history, *connections]
        self.service = PublisherService(
            self.replica, SnapshotServer(self.replica), parts[0], parts[1], parts[2], parts[3],
            parts[4], clock, heartbeat_ms, self.rounds,
        )  # fmt: skip

    def run(self, ms: int) -> None:
        """Run the loop for so many milliseconds."""
        self.script.at(ms, self.service.stop)
        self.service.run()

    def times(self, sent: list[tuple[int, list[bytes]]]) -> list[int]:
        """The milliseconds from the start of these messages."""
        return [ms - NOW_NS // MS for ms, _ in sent]


def heartbeats(
    monkeypatch: pytest.MonkeyPatch,
    period_ms: int,
    until_ms: int,
    busy_every_ms: int = 0,
    rounds: Rounds | None = None,
    busy_with: bytes = IDLE,
    reply: bytes = b"",
    moves: Mapping[int, int] | None = None,
    at_once: int = 1,
) -> list[tuple[int, Heartbeat]]:
    """Milliseconds from the start and content of every heartbeat.

    With `moves` the clock is manual and shows these times from these milliseconds on."""
    loop = Loop(monkeypatch, period_ms, rounds, is_manual=moves is not None)
    busy, frame = (loop.queries, reply) if reply else (loop.events, busy_with)
    for ms in range(busy_every_ms, until_ms, busy_every_ms) if busy_every_ms else ():
        loop.script.at(ms, lambda: busy.waiting.extend([[frame]] * at_once))
    for ms, time_ns in (moves or {}).items():
        moved = encode(
            EventBatch(incarnation=7, first_seq=1, last_seq=0, time_ns=time_ns, events=[])
        )
        loop.script.at(ms, partial(loop.events.waiting.append, [moved]))
    if moves is not None:
        loop.replica.receive_reply(
            Books(request_id=1, incarnation=7, seq=0, time_ns=0, books=[], instruments=[example()])
        )
    loop.run(until_ms)
    found = []
    for ms, frames in loop.public.sent:
        if frames[0].decode() == HEARTBEAT_TOPIC:
            message = decode_feed(frames[-1])
            assert isinstance(message, Heartbeat)
            found.append((ms - NOW_NS // MS, message))
    return found


@pytest.mark.parametrize("busy_every_ms", [0, 3, 70])
@pytest.mark.parametrize("period_ms", [10, 99, 101, 500, 2_000])
def test_there_is_a_heartbeat_every_period(
    monkeypatch: pytest.MonkeyPatch, period_ms: int, busy_every_ms: int
) -> None:
    times = [ms for ms, _ in heartbeats(monkeypatch, period_ms, 10_000, busy_every_ms)]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert times[0] <= 1
    assert min(gaps) >= period_ms
    assert max(gaps) <= period_ms + 2
    assert 10_000 - times[-1] <= period_ms + 2


def test_a_heartbeat_follows_every_move_of_a_manual_clock_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    moves = {100: 1_000, 150: 1_001, 151: 90 * 86_400 * 10**9}
    beats = heartbeats(monkeypatch, 500, 400, moves=moves)
    assert [beat.time_ns for _, beat in beats] == [0, *moves.values()]
    assert all(abs(ms - at) <= 2 for (ms, _), at in zip(beats, (0, *moves), strict=True))


@pytest.mark.parametrize(("payload", "malformed"), [(IDLE, 0), (IDLE[:-1], 9), (b"", 9)])
def test_bytes_that_are_no_batch_are_counted_and_left_out(
    monkeypatch: pytest.MonkeyPatch, payload: bytes, malformed: int
) -> None:
    rounds = Rounds()
    heartbeats(monkeypatch, 500, 1_000, 100, rounds, payload)
    assert (rounds.malformed, rounds.batches, rounds.events) == (malformed, 9, 0)


def test_waiting_events_are_published_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """There are five batches of two events. Parts are published after every four events, and at the
    end."""
    added = InstrumentAdded(seq=1, gateway=0, request_seq=0, instrument=1, definition=example())
    two = EventBatch(incarnation=7, first_seq=1, last_seq=2, time_ns=9, events=[added] * 2)
    rounds = Rounds()
    published: list[int] = []
    publish = PublisherService._publish

    def noted(service: PublisherService) -> None:
        published.append(rounds.events)
        publish(service)

    monkeypatch.setattr("crossbook.publisher.service.DRAIN_EVENTS", 4)
    monkeypatch.setattr(PublisherService, "_publish", noted)
    heartbeats(monkeypatch, 500, 150, 100, rounds, encode(two), at_once=5)
    assert published == [4, 8, 10]


def test_a_heartbeat_contains_the_silence_of_the_matcher(monkeypatch: pytest.MonkeyPatch) -> None:
    rounds = Rounds()
    silent = heartbeats(monkeypatch, 500, 3_000, rounds=rounds)
    assert all(abs(beat.stale_ms - ms) <= 2 for ms, beat in silent)
    assert abs(rounds.stale_ns - 3_000 * MS) <= 500 * MS
    received = heartbeats(monkeypatch, 500, 3_000, busy_every_ms=100, rounds=rounds)
    assert all(beat.stale_ms <= 101 for _, beat in received)
    assert rounds.stale_ns <= 101 * MS


def test_a_reply_of_the_matcher_ends_its_silence_too(monkeypatch: pytest.MonkeyPatch) -> None:
    reply = encode(ResendTooOld(request_id=1, incarnation=7, first_seq=1, last_seq=2))
    for frame in (reply, reply[:-1]):
        rounds = Rounds()
        received = heartbeats(monkeypatch, 500, 3_000, 100, rounds, reply=frame)
        assert all(beat.stale_ms <= 101 for _, beat in received)
        assert rounds.stale_ns <= 101 * MS
        assert (rounds.batches, rounds.malformed) == (0, 0)


def test_a_request_that_the_matcher_does_not_accept_is_sent_again_in_the_next_round(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop = Loop(monkeypatch, heartbeat_ms=5_000)
    loop.queries.refusals = 2
    loop.script.at(10, lambda: loop.events.waiting.append([IDLE]))
    loop.run(900)
    first, second, third, *later = loop.times(loop.queries.sent)
    assert 0 < second - first <= SLEEP_MS
    assert 0 < third - second <= SLEEP_MS
    assert not later or later[0] - third > 2 * SLEEP_MS


def test_a_stop_ends_the_loop_within_the_longest_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = Loop(monkeypatch, heartbeat_ms=5_000)
    loop.run(1_510)
    assert loop.script.clock.monotonic_ns() - NOW_NS <= (1_510 + SLEEP_MS + 1) * MS


def test_books_are_logged_once_when_they_are_requested_and_when_they_are_loaded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    loop = Loop(monkeypatch)
    books = encode(
        Books(request_id=1, incarnation=7, seq=0, time_ns=0, books=[], instruments=[example()])
    )
    loop.script.at(100, lambda: loop.queries.waiting.append([books]))
    loop.run(1_000)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[4] for line in lines if "books_" in line] == [
        "books_wanted",
        "books_loaded",
    ]
