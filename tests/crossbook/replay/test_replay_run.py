"""A replay with a scripted client: batches, window, pace, and the ends of its waits."""

from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from crossbook.cli.console import CommandError
from crossbook.common.messages.entry import Ack, Reject
from crossbook.common.messages.feed import Heartbeat, OrdersUpdate, Snapshot, Trades
from crossbook.common.types import RejectReason
from crossbook.errors import SendQueueFull
from crossbook.replay.check import ReplayCheck, Tally
from crossbook.replay.recording_files import read_recording
from crossbook.replay.replay import Replay, ReplayPace
from crossbook.replay.report import ReplayReport
from crossbook.replay.sample_flow import sample_path
from tests.worlds.plain_exchange import FIRST_SEQ, PlainExchange

FIRST = 1_000
RECORDING = read_recording(sample_path())


def _ack(request_seq: int) -> Ack:
    return Ack(
        request_seq=request_seq,
        seq=1,
        order_id=1,
        status=1,
        client_order_id="",
        remaining_lots=0,
        time_ns=0,
    )


class AnsweringClient:
    """Answers at most `at_once` commands a call; accepts `room` of the first batch, or all."""

    address = "tcp://there"

    def __init__(self, at_once: int = 10**6) -> None:
        self.at_once = at_once
        self.room: int | None = None
        self.batches: list[int] = []
        self.waiting: list[int] = []
        self.most = 0
        self.reason = 0

    def reserve(self, count: int) -> int:
        """The first of `count` new numbers."""
        return FIRST

    def send(self, batch: list[Any]) -> None:
        """Accept the whole batch, or a part of it."""
        taken = batch if self.room is None else batch[: self.room]
        self.batches.append(len(taken))
        self.waiting += [command.request_seq for command in taken]
        self.most = max(self.most, len(self.waiting))
        if len(taken) < len(batch):
            self.room = None
            raise SendQueueFull(len(taken), self.address)

    def receive(self, wait_ms: int) -> list[Any]:
        """Some answers, and an answer to a request of another client."""
        now, self.waiting = self.waiting[: self.at_once], self.waiting[self.at_once :]
        others = [_ack(FIRST - 1), _ack(FIRST + 10**6)]
        if self.reason:
            return [Reject(request_seq=seq, reason=self.reason, field="x", text="x") for seq in now]
        return [*others, *(_ack(seq) for seq in now)]


class HeartbeatFeed:
    """A feed whose heartbeats reach `last_seq` after `looks` waits."""

    counters = None

    def __init__(self, looks: int, last_seq: int) -> None:
        self.looks = looks
        self.last_seq = last_seq
        self.ready = False

    def receive(self, timeout_s: float) -> list[Any]:
        """Let time pass without an update."""
        self.looks -= timeout_s > 0
        self.ready = self.looks <= 0
        return []

    def heartbeat_of(self, symbol: str) -> Heartbeat | None:
        """A heartbeat with the number reached so far."""
        return Heartbeat(seq=self.last_seq if self.ready else 0, time_ns=0, stale_ms=0, topics={})


def replay(client: AnsweringClient, count: int, pace: ReplayPace, timeout_s: float = 5.0) -> Replay:
    recording = replace(RECORDING, commands=RECORDING.commands[:count])
    answering: Any = client
    return Replay(recording, answering, None, None, "X", pace, timeout_s)


def nothing(_: Replay) -> None:
    """Show no progress."""


@pytest.mark.parametrize(
    ("count", "batch", "sizes"), [(7, 3, [3, 3, 1]), (6, 3, [3, 3]), (2, 3, [2]), (3, 1, [1, 1, 1])]
)
def test_commands_go_in_batches_and_the_rest_in_the_last(
    count: int, batch: int, sizes: list[int]
) -> None:
    client = AnsweringClient()
    made = replay(client, count, ReplayPace(batch=batch))
    made.run(nothing)
    assert client.batches == sizes
    assert (made.sent, made.answered) == (count, count)


@pytest.mark.parametrize("window", [1, 5, 8])
def test_at_most_a_window_of_commands_is_without_an_answer(window: int) -> None:
    client = AnsweringClient(at_once=2)
    replay(client, 40, ReplayPace(batch=3, window=window)).run(nothing)
    assert client.most == window
    assert sum(client.batches) == 40


def test_requests_beyond_the_queue_are_sent_again_after_some_answers() -> None:
    client = AnsweringClient()
    client.room = 2
    made = replay(client, 5, ReplayPace(batch=5))
    made.run(nothing)
    assert client.batches == [2, 3]
    assert made.answered == 5


def test_an_exchange_that_does_not_answer_ends_the_replay() -> None:
    client = AnsweringClient(at_once=0)
    with pytest.raises(CommandError, match=r"for 0\.05 s: 0 of 4 commands sent were answered"):
        replay(client, 4, ReplayPace(), timeout_s=0.05).run(nothing)


def test_a_gateway_without_the_session_ends_the_replay() -> None:
    client = AnsweringClient()
    client.reason = RejectReason.NOT_LOGGED_ON
    with pytest.raises(CommandError, match="was restarted"):
        replay(client, 4, ReplayPace()).run(nothing)
    client.reason = RejectReason.BUSY
    made = replay(client, 4, ReplayPace())
    made.run(nothing)
    assert made.answered == 4


def test_commands_are_not_sent_before_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [10**9]
    monkeypatch.setattr("crossbook.replay.replay.time.monotonic_ns", lambda: clock[0])
    commands = [replace(c, time_ns=n * 4_000_000) for n, c in enumerate(RECORDING.commands[:4])]
    client: Any = AnsweringClient()
    waits: list[int] = []
    receive = client.receive

    def waited(wait_ms: int) -> list[Any]:
        waits.append(wait_ms)
        clock[0] += max(1, wait_ms) * 1_000_000
        found: list[Any] = receive(wait_ms)
        return found

    client.receive = waited
    recording = replace(RECORDING, commands=commands)
    sent: list[int] = []
    made = Replay(recording, client, None, None, "X", ReplayPace(speed=2.0))
    made.run(lambda each: sent.append(each.sent))
    # Twice as fast as recorded: one every two milliseconds.
    assert sent[:4] == [1, 2, 3, 4]
    assert waits == [2, 2, 2, 5]


def test_the_feed_is_waited_for_until_nothing_is_missing() -> None:
    recording = replace(RECORDING, commands=RECORDING.commands[:3], books={}, digests={})
    check = ReplayCheck(recording)
    client: Any = AnsweringClient()
    feed: Any = HeartbeatFeed(3, last_seq=10**9)
    Replay(recording, client, feed, check, "X", ReplayPace()).run(nothing)
    assert feed.looks == 0
    behind: Any = HeartbeatFeed(10**9, last_seq=10**9)
    with pytest.raises(CommandError, match="the feed is at 0, the replay ended at"):
        Replay(recording, client, behind, check, "X", ReplayPace(), 0.05).run(nothing)


@pytest.mark.parametrize(
    ("speed", "most_us"),
    [
        # Both count from their sending, each with one wait of twenty milliseconds.
        (None, 20_000),
        # The second was due after one millisecond and could not leave before the first answer.
        (1.0, 39_000),
        (2.0, 39_500),
    ],
)
def test_an_answer_is_late_from_the_recorded_moment_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch, speed: float | None, most_us: int
) -> None:
    clock = [10**9]
    monkeypatch.setattr("crossbook.replay.replay.time.monotonic_ns", lambda: clock[0])
    commands = [replace(c, time_ns=n * 1_000_000) for n, c in enumerate(RECORDING.commands[:2])]
    client: Any = AnsweringClient()
    receive = client.receive

    def slow(wait_ms: int) -> list[Any]:
        clock[0] += 20_000_000
        found: list[Any] = receive(wait_ms)
        return found

    client.receive = slow
    recording = replace(RECORDING, commands=commands)
    pace = ReplayPace(speed=speed, batch=1, window=1)
    report = Replay(recording, client, None, None, "X", pace).run(nothing)
    # The histogram keeps three digits.
    assert report.latency_us["p50"] == pytest.approx(20_000, rel=0.002)
    assert report.latency_us["max"] == pytest.approx(most_us, rel=0.002)


class PlainClient(AnsweringClient):
    """Answers as the plainest exchange does; `updates` are the messages of its feed."""

    def __init__(self, at_once: int, swapped: int = -1) -> None:
        super().__init__(at_once)
        self.exchange = PlainExchange()
        self.updates: list[Any] = []
        self.swapped = swapped

    def receive(self, wait_ms: int) -> list[Any]:
        """Reports and answers of some commands."""
        now, self.waiting = self.waiting[: self.at_once], self.waiting[self.at_once :]
        replies: list[Any] = []
        for seq in now:
            outcome = self.exchange.apply(RECORDING.commands[seq - FIRST])
            answer = outcome.answer
            replies += [*outcome.executions, replace(answer, request_seq=seq)]
            trades = outcome.trades
            if len(trades) > 1 and seq - FIRST >= self.swapped >= 0:
                # One report of the account is not what the feed prints.
                self.swapped = -1
                trades = [
                    replace(trades[0], quantity_lots=trades[0].quantity_lots + 1),
                    *trades[1:],
                ]
            if trades:
                self.updates.append(Trades("X", trades))
            self.updates.append(
                OrdersUpdate(
                    symbol="X",
                    first_seq=answer.seq,
                    seq=answer.seq,
                    prev_seq=0,
                    changes=outcome.changes,
                    time_ns=0,
                )
            )
        return replies


class PlainFeed:
    """The messages of a plain exchange; at the start a snapshot of a book that is empty, or not."""

    def __init__(self, client: PlainClient, bids: list[tuple[int, int, int]]) -> None:
        self.counters = SimpleNamespace(gaps=3)
        self.ready = True
        self._client = client
        client.updates.append(
            Snapshot(
                request_id=1,
                symbol="X",
                seq=FIRST_SEQ - 1,
                topics={},
                bids=[],
                asks=[],
                checksum=0,
                time_ns=0,
                last_trade_id=0,
                bid_orders=bids,
            )
        )

    def receive(self, timeout_s: float) -> list[Any]:
        """All that is there."""
        found, self._client.updates = self._client.updates, []
        return found

    def heartbeat_of(self, symbol: str) -> Heartbeat:
        """A heartbeat behind everything."""
        return Heartbeat(seq=10**6, time_ns=0, stale_ms=0, topics={})


def compared(count: int, client: PlainClient, bids: list[tuple[int, int, int]]) -> ReplayReport:
    """The report of the first commands of the recording, with what was recorded of them."""
    commands = RECORDING.commands[:count]
    last = commands[-1].seq
    recording = replace(
        RECORDING,
        commands=commands,
        fills={seq: fills for seq, fills in (RECORDING.fills or {}).items() if seq <= last},
        books={seq: row for seq, row in RECORDING.books.items() if seq <= last},
        digests={seq: digest for seq, digest in RECORDING.digests.items() if seq <= last},
        notes=["as recorded"],
    )
    parts: list[Any] = [client, PlainFeed(client, bids)]
    check = ReplayCheck(recording)
    return Replay(recording, parts[0], parts[1], check, "X", ReplayPace(window=50)).run(nothing)


@pytest.mark.parametrize("at_once", [1, 7, 1_000])
def test_a_replay_is_equal_to_its_recording_in_everything(at_once: int) -> None:
    report = compared(1_000, PlainClient(at_once), [])
    result = report.result
    assert result is not None
    assert result.equal
    assert (result.fills, result.own_fills) == (241, Tally(241, 241))
    assert (result.books, result.digests) == (Tally(243, 243), Tally(2, 2))
    assert (report.feed_gaps, report.notes, report.commands) == (3, ["as recorded"], 1_000)


def test_orders_in_the_book_at_the_start_and_a_wrong_report_are_differences() -> None:
    # Below every price of the recording: in sight of few of the rows.
    result = compared(1_000, PlainClient(7), [(5, 1, 1)]).result
    assert result is not None
    assert (result.books, result.digests) == (Tally(243, 241), Tally(2, 0))
    wrong = compared(1_000, PlainClient(7, swapped=300), []).result
    assert wrong is not None
    assert wrong.own_fills == Tally(241, 240)
    assert wrong.by_exchange == 2


def test_an_exchange_that_was_busy_is_noted() -> None:
    client = AnsweringClient()
    client.reason = int(RejectReason.BUSY)
    recording = replace(RECORDING, commands=RECORDING.commands[:3], books={}, digests={}, notes=[])
    parts: list[Any] = [client, HeartbeatFeed(0, 10**9)]
    check = ReplayCheck(recording)
    report = Replay(recording, parts[0], parts[1], check, "X", ReplayPace()).run(nothing)
    assert report.notes == ["the exchange was busy: a smaller window keeps within its limit"]
