"""The recorder's two loops on a fake clock: the times of requests, writes, waits and answers."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq
from msgspec import Raw
from msgspec.structs import replace
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from crossbook.common.instruments import example
from crossbook.common.messages.codec import (
    decode_history_answer,
    decode_matcher_query,
    decode_metrics,
    encode,
)
from crossbook.common.messages.events import Event, EventBatch, OrderAccepted
from crossbook.common.messages.history_queries import (
    Candle,
    HistoryReject,
    NotYet,
    TradeRecords,
    TradesQuestion,
)
from crossbook.common.messages.matcher_queries import (
    GatewayRequest,
    GatewayState,
    Resend,
    ResendRequest,
)
from crossbook.common.messages.process_metrics import Metrics, MetricsRequest
from crossbook.common.process.clock import FakeClock
from crossbook.recorder import service as module
from crossbook.recorder.digest import Changes
from crossbook.recorder.questions import HistoryReader
from crossbook.recorder.retention import Retention
from crossbook.recorder.service import (
    AGAIN_NS,
    AGAIN_S,
    GATHER_NS,
    QUESTIONS_MAX,
    REACH_MS,
    SLEEP_MS,
    WAIT_NS,
    WAIT_STEP_MS,
    AnswerService,
    RecorderService,
)
from crossbook.recorder.store import Store
from tests.recorder.conftest import emptied
from tests.recorder.naive import tables_of
from tests.recorder.test_question_edges import SEQ, reader
from tests.system.loop import MS, FakeSocket, LoopScript

INCARNATION = 7
NOW_NS = 1_780_000_000_000_000_000


def batch(seq: int, count: int = 1) -> EventBatch:
    """Orders of these numbers, a millisecond after their predecessors."""
    events: list[Event] = [
        OrderAccepted(
            seq=each,
            gateway=0,
            request_seq=each,
            account=8,
            instrument=1,
            side=each,
            order_type=1,
            time_in_force=2,
            price_ticks=500,
            quantity_lots=1,
        )
        for each in range(seq, seq + count)
    ]
    return EventBatch(
        incarnation=INCARNATION,
        first_seq=seq,
        last_seq=seq + count - 1,
        time_ns=NOW_NS + seq * MS,
        events=events,
    )


class LoopSocket(FakeSocket):
    """`answer` makes the other side's answer to a message, and the first `refusals` messages are
    not accepted."""

    def __init__(
        self, script: LoopScript, answer: Callable[[bytes], bytes | None] = lambda _: None
    ) -> None:
        super().__init__(script.clock)
        self._answer = answer
        self.refusals = 0

    def send_multipart(self, frames: list[bytes], flags: int = 0) -> None:
        """Keep the message, and schedule its answer."""
        super().send_multipart(frames, flags)
        if self.refusals:
            self.refusals -= 1
            raise zmq.Again
        answer = self._answer(frames[-1])
        if answer is not None:
            self.waiting.append([answer])


class RecorderWorld:
    """A recorder beside a matcher that answers at once."""

    def __init__(self, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = FakeClock(NOW_NS)
        self.began_ms = self.clock.monotonic_ns() // MS
        self.script = LoopScript(self.clock)
        self.script.patch(monkeypatch)
        self.engine = engine
        self.missed: list[EventBatch] = []
        self.instruments = [example()]
        self.events, self.queries = LoopSocket(self.script), LoopSocket(self.script, self._answer)
        self.writes: list[int] = []
        store, write = Store(engine), Store.write

        def noted(changes: Changes) -> None:
            self.writes.append(self.clock.monotonic_ns() // MS - self.began_ms)
            write(store, changes)

        monkeypatch.setattr(store, "write", noted)
        parts: list[Any] = [self.events, self.queries]
        self.retention = Retention(engine, [1], 0)
        self.service = RecorderService(
            store, self.retention, [example()], parts[0], parts[1], self.clock
        )

    def _answer(self, question: bytes) -> bytes | None:
        request = decode_matcher_query(question)
        if isinstance(request, GatewayRequest):
            return encode(
                GatewayState(
                    request_id=request.request_id,
                    gateway=0,
                    incarnation=INCARNATION,
                    seq=0,
                    last_request_seq=0,
                    instruments=self.instruments,
                )
            )
        assert isinstance(request, ResendRequest)
        found = [Raw(encode(each)) for each in self.missed if each.last_seq >= request.from_seq]
        return encode(Resend(request.request_id, INCARNATION, found))

    def deliver(self, ms: int, *batches: EventBatch | bytes) -> None:
        """Deliver events at that time."""
        sent = [[each if isinstance(each, bytes) else encode(each)] for each in batches]
        self.script.at(ms, lambda: self.events.waiting.extend(sent))

    def run(self, until_ms: int) -> None:
        """Run the loop until then."""
        self.script.at(until_ms, self.service.stop)
        self.service.run()

    def requests(self, kind: type) -> list[tuple[int, Any]]:
        """The requests of this kind, with their times."""
        sent = [
            (ms - self.began_ms, decode_matcher_query(frames[-1]))
            for ms, frames in self.queries.sent
        ]
        return [(ms, each) for ms, each in sent if isinstance(each, kind)]


@pytest.fixture
def sqlite_engine(tmp_path: Path) -> Iterator[Engine]:
    yield from emptied(f"sqlite:///{tmp_path}/history.db")


@pytest.fixture
def world(sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> RecorderWorld:
    return RecorderWorld(sqlite_engine, monkeypatch)


def test_the_instruments_are_requested_first_and_again_while_there_is_no_answer(
    world: RecorderWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world.queries, "_answer", lambda _: None)
    world.deliver(5, batch(1))
    world.run(3_500)
    again = AGAIN_NS // MS
    request = GatewayRequest(0, 0)
    assert world.requests(GatewayRequest) == [(place * again, request) for place in range(4)]
    assert world.service.seq == 0
    assert world.events.waiting, "events wait until the instruments are known"


def test_a_question_without_a_peer_is_sent_again_in_the_next_round(world: RecorderWorld) -> None:
    world.queries.refusals = 2
    world.run(500)
    assert [ms for ms, _ in world.requests(GatewayRequest)] == [0, REACH_MS, 2 * REACH_MS]


def test_a_stop_ends_the_gathering(world: RecorderWorld) -> None:
    """A reset of a test's exchange waits for the recorder."""
    descriptor: Any = LoopSocket(world.script)

    def stop() -> None:
        world.service.stop()
        descriptor.waiting.append([b"."])

    world.deliver(50, batch(1))
    world.script.at(52, stop)
    world.service.run(descriptor)
    assert world.writes == [50]
    assert world.clock.monotonic_ns() // MS - world.began_ms == 52


def test_candles_of_an_instrument_that_is_known_are_not_read_again(
    world: RecorderWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []

    def latest(instrument: int) -> list[Candle]:
        read.append(instrument)
        return []

    monkeypatch.setattr(world.service._store, "latest", latest)
    added = replace(example(), id=2, symbol="ADDED")
    monkeypatch.setattr(world, "instruments", [example(), added])
    world.run(100)
    assert read == [added.id]


def test_missed_batches_are_requested_and_recorded_in_order(world: RecorderWorld) -> None:
    world.missed = [batch(1, 3), batch(4)]
    # The first message is not accepted.
    world.script.at(49, lambda: setattr(world.queries, "refusals", 1))
    world.deliver(50, batch(5))
    world.run(400)
    requests = world.requests(ResendRequest)
    assert [(ms, each.from_seq, each.to_seq) for ms, each in requests] == [
        (50, 1, 4), (50 + SLEEP_MS, 1, 4),
    ]  # fmt: skip
    assert [row["order_id"] for row in tables_of(world.engine)["orders"]] == [1, 2, 3, 4, 5]
    assert (world.service.seq, world.service.written.gaps) == (5, 2)
    assert world.service.written.held == 0


def test_the_next_request_is_sent_before_the_reply_is_recorded(
    world: RecorderWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The matcher reads while the recorder writes."""
    monkeypatch.setattr(module, "EVENTS_MAX", 1)
    missed = [batch(1), batch(2), batch(3)]
    requested_by = []

    def answer(question: bytes) -> bytes | None:
        """Two batches in a reply, however many are missed."""
        request = decode_matcher_query(question)
        if isinstance(request, ResendRequest):
            world.missed = missed[request.from_seq - 1 : request.from_seq + 1]
        return world._answer(question)

    def write(changes: Changes) -> None:
        requested_by.append((changes.after.seq, len(world.requests(ResendRequest))))

    monkeypatch.setattr(world.queries, "_answer", answer)
    monkeypatch.setattr(world.service._store, "write", write)
    world.deliver(50, batch(4))
    world.run(300)
    assert [each.from_seq for _, each in world.requests(ResendRequest)] == [1, 2]
    assert requested_by == [(1, 2), (2, 2), (3, 2), (4, 2)]


def test_a_record_is_continued_behind_its_last_number(
    world: RecorderWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.deliver(50, batch(1), batch(2))
    world.run(100)
    assert world.retention.time_ns == batch(2).time_ns
    again = RecorderWorld(world.engine, monkeypatch)
    again.run(100)
    assert (again.service.seq, again.retention.time_ns) == (2, batch(2).time_ns)
    assert [each.from_seq for _, each in again.requests(ResendRequest)] == [2]


def test_times_of_transactions_and_delays_are_counted(
    world: RecorderWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write of 3 ms, 2 ms after the matcher's stamp; a stamp ahead of this clock is no delay."""
    write = world.service._store.write

    def slow(changes: Changes) -> None:
        write(changes)
        world.clock.advance_ns(3 * MS)

    monkeypatch.setattr(world.service._store, "write", slow)
    world.deliver(3, batch(1))
    world.deliver(100, batch(200))
    world.missed = [batch(2, 198)]
    world.run(300)
    written = world.service.written
    assert written.transactions.total == 3 * MS * len(world.writes)
    assert written.delays.total == 5 * MS


def test_batches_behind_a_gap_are_held_and_counted(world: RecorderWorld) -> None:
    world.deliver(50, batch(1))
    world.deliver(100, batch(3), batch(4))
    world.run(150)
    assert (world.service.seq, world.service.written.held) == (1, 2)
    assert world.service.written.rows == {"orders": 1, "trades": 0, "fills": 0, "candles": 0}


def test_a_lone_order_is_written_at_once_and_many_share_a_transaction(world: RecorderWorld) -> None:
    for place in range(50):
        world.deliver(500 + place, batch(1 + place))
    world.deliver(700, batch(51))
    world.run(1_000)
    gather = GATHER_NS // MS
    assert world.writes == [500, *range(500 + gather, 551, gather), 700]
    written = world.service.written
    assert written.rows["orders"] == 51
    assert sum(written.transactions.counts) == len(world.writes)
    assert sum(written.delays.counts) == len(world.writes)
    assert world.service.seq == 51


def test_each_reply_of_the_matcher_is_a_transaction_of_its_own(world: RecorderWorld) -> None:
    replies = [Resend(1, INCARNATION, [Raw(encode(batch(seq)))]) for seq in (2, 3)]
    world.deliver(50, batch(1))
    world.script.at(70, lambda: world.queries.waiting.extend([encode(each)] for each in replies))
    world.run(100)
    assert world.writes == [50, 70, 70]


def test_large_batches_are_transactions_of_their_own(
    world: RecorderWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EVENTS_MAX", 3)
    world.deliver(50, batch(1, 3), batch(4, 2), batch(6, 1), batch(7, 2))
    world.run(100)
    assert world.writes == [50, 50, 50]
    assert world.service.seq == 8


def test_bytes_that_are_no_message_are_counted_and_passed_over(world: RecorderWorld) -> None:
    world.deliver(50, b"\xc1", batch(1), b"\x93", batch(2))
    world.script.at(60, lambda: world.queries.waiting.append([b"\xc1"]))
    world.run(200)
    assert (world.service.written.malformed, world.service.seq) == (2, 2)


def test_a_failing_database_is_logged_once_until_it_is_back(
    world: RecorderWorld, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(world.service._stopping, "wait", waits.append)
    store = world.service._store
    load, write = store.load, store.write
    fails, states = [True, True, False, True, False], []

    def failing_load(instruments: Any) -> Any:
        states.append((world.service.written.failing, world.service.written.failures))
        if fails.pop(0):
            raise OperationalError("SELECT", {}, Exception("no room"))
        return load(instruments)

    def failing_write(changes: Changes) -> None:
        monkeypatch.setattr(store, "write", write)
        raise OperationalError("INSERT", {}, Exception("no room"))

    monkeypatch.setattr(store, "load", failing_load)
    monkeypatch.setattr(store, "write", failing_write)
    world.missed = [batch(1)]
    world.deliver(100, batch(1))
    world.deliver(300, batch(2))
    world.run(2_000)
    assert states == [(False, 0), (True, 1), (True, 2), (True, 3), (True, 4)]
    assert not world.service.written.failing
    assert world.service.seq == 2
    logged = [line for line in capsys.readouterr().out.splitlines() if "database_failed" in line]
    assert len(logged) == 2
    assert waits == [AGAIN_S] * 4
    # Those added at run time are requested again with each attempt.
    assert [ms for ms, _ in world.requests(GatewayRequest)] == [0, AGAIN_NS // MS]


class Recorded:
    """A state recorded up to `seq`."""

    seq = SEQ


class AnsweringWorld:
    """An answering loop, its questions and its answers."""

    def __init__(self, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = FakeClock(NOW_NS)
        self.began_ms = self.clock.monotonic_ns() // MS
        self.script = LoopScript(self.clock)
        self.script.patch(monkeypatch)
        self.line = LoopSocket(self.script)
        self.recorded = Recorded()
        parts: list[Any] = [self.recorded, self.line]
        history: HistoryReader = reader(engine, trades=[(1, 1, 1, 5, 5, 1, 1, 2, 9)])
        self.service = AnswerService(history, parts[0], parts[1], self.clock)

    def send(self, ms: int, *questions: Any) -> None:
        """Deliver questions of a gateway at that time."""
        sent = [[b"gateway", encode(each)] for each in questions]
        self.script.at(ms, lambda: self.line.waiting.extend(sent))

    def run(self, until_ms: int) -> list[tuple[int, Any]]:
        """The answers until then, with their times."""
        self.script.at(until_ms, self.service.stop)
        self.service.run()
        assert all(frames[0] == b"gateway" for _, frames in self.line.sent)
        sent = [(ms - self.began_ms, frames[-1]) for ms, frames in self.line.sent]
        return [(ms, decode_history_answer(payload)) for ms, payload in sent]


@pytest.fixture
def answering(sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> AnsweringWorld:
    return AnsweringWorld(sqlite_engine, monkeypatch)


def test_a_question_about_a_recorded_command_is_answered_at_once(answering: AnsweringWorld) -> None:
    answering.send(7, TradesQuestion(1, SEQ, 1), TradesQuestion(2, 0, 0))
    (ms, trades), (_, refused) = answering.run(20)
    assert ms == 7
    assert isinstance(trades, TradeRecords)
    assert isinstance(refused, HistoryReject)
    assert answering.service.answers == {"TradeRecords": 1, "HistoryReject": 1}


def test_a_question_about_an_unrecorded_command_waits_for_it(answering: AnsweringWorld) -> None:
    answering.send(10, TradesQuestion(1, SEQ + 1, 1), TradesQuestion(2, SEQ + 2, 1))
    waits: list[int] = []
    answering.script.at(100, lambda: waits.append(answering.service.waiting))
    # The record advances, and the database with it.
    answering.script.at(301, lambda: setattr(answering.recorded, "seq", SEQ + 1))
    (ms, first), (later_ms, later) = answering.run(3_000)
    assert waits == [2]
    assert 301 <= ms <= 301 + WAIT_STEP_MS
    assert (first.request_id, later.request_id) == (1, 2)
    assert isinstance(later, NotYet)
    assert later.seq == SEQ + 1
    assert 10 + WAIT_NS // MS <= later_ms <= 10 + WAIT_NS // MS + WAIT_STEP_MS
    assert answering.service.waiting == 0


def test_a_wrong_question_does_not_wait(answering: AnsweringWorld) -> None:
    answering.send(10, TradesQuestion(1, SEQ + 1, 0))
    ((ms, answer),) = answering.run(20)
    assert (ms, type(answer)) == (10, HistoryReject)


def test_the_number_of_waiting_questions_is_bounded(
    answering: AnsweringWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WAITING_MAX", 3)
    answering.send(10, *(TradesQuestion(n, SEQ + 1, 1) for n in range(1, 6)))
    answers = answering.run(50)
    assert [(ms, answer.request_id, answer.seq) for ms, answer in answers] == [
        (10, 4, SEQ), (10, 5, SEQ),
    ]  # fmt: skip
    assert answering.service.waiting == 3


def test_waiting_questions_are_read_between_many_others(answering: AnsweringWorld) -> None:
    answering.send(10, TradesQuestion(1, SEQ + 1, 1))
    answering.script.at(20, lambda: setattr(answering.recorded, "seq", SEQ + 1))
    answering.send(20, *(TradesQuestion(n, SEQ, 1) for n in range(2, 2 * QUESTIONS_MAX)))
    answers = [answer.request_id for _, answer in answering.run(50)]
    assert answers.index(1) <= QUESTIONS_MAX


def test_a_peer_that_is_gone_affects_no_other(answering: AnsweringWorld) -> None:
    answering.line.refusals = 1
    answering.send(10, TradesQuestion(1, SEQ, 1), TradesQuestion(2, SEQ, 1))
    assert [answer.request_id for _, answer in answering.run(20)] == [1, 2]


def test_a_broken_question_is_refused_and_metrics_are_returned(answering: AnsweringWorld) -> None:
    answering.service.metrics = lambda: "counted 1"
    answering.script.at(10, lambda: answering.line.waiting.append([b"gateway", b"\xc1"]))
    answering.send(20, MetricsRequest(9))
    answering.script.at(30, answering.service.stop)
    answering.service.run()
    (_, refused), (_, returned) = answering.line.sent
    assert isinstance(decode_history_answer(refused[-1]), HistoryReject)
    assert decode_metrics(returned[-1]) == Metrics(9, SEQ, "counted 1")
    assert answering.service.answers == {"HistoryReject": 1, "Metrics": 1}
