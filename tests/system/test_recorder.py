"""History of real processes that are killed, restarted and configured wrongly."""

import json
import os
import shutil
import signal
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from crossbook.common.messages import codec, entry
from crossbook.common.messages.history_queries import (
    FillRecords,
    FillsQuestion,
    HistoryReject,
    MarketQuestion,
    MarketRecord,
    NotYet,
    OrderRecords,
    OrdersQuestion,
    TradeRecords,
    TradesQuestion,
)
from crossbook.common.types import OrderStatus
from tests.recorder import postgres
from tests.system.exchange import RECORDED, Exchange
from tests.system.history_line import HistoryLine, run_recorder, until
from tests.system.session import RawSession

EXIT_SECONDS = 20.0


@pytest.fixture
def line() -> Iterator[HistoryLine]:
    """Lines to a matcher and a recorder."""
    with Exchange(ready=False) as exchange, HistoryLine(exchange) as opened:
        exchange.start("matcher")
        exchange.start("recorder")
        yield opened


def test_orders_and_fills_stay_queryable_through_every_death() -> None:
    with Exchange(order=reversed(RECORDED)) as exchange, HistoryLine(exchange) as line:
        with RawSession(exchange.orders, 7) as maker, RawSession(exchange.orders, 8) as taker:
            rested = maker.reply_to(
                entry.New(
                    request_seq=maker.next_seq(),
                    symbol="BTC-USDT",
                    side=2,
                    quantity="2",
                    price="50000",
                    client_order_id="m",
                )
            )
            filled = taker.reply_to(
                entry.New(
                    request_seq=taker.next_seq(),
                    symbol="BTC-USDT",
                    side=1,
                    quantity="0.5",
                    price="50000",
                )
            )
        assert isinstance(rested, entry.Ack)
        assert isinstance(filled, entry.Ack)
        before = (
            line.answer_to(OrdersQuestion(1, filled.seq, 7, order_id=rested.order_id)),
            line.answer_to(FillsQuestion(1, filled.seq, 8)),
            line.answer_to(TradesQuestion(1, filled.seq, 1)),
        )
        orders, fills, trades = before
        assert isinstance(orders, OrderRecords)
        assert isinstance(fills, FillRecords)
        assert isinstance(trades, TradeRecords)
        (order,) = orders.orders
        assert (order.status, order.client_order_id) == (OrderStatus.PARTIALLY_FILLED, "m")
        assert [fill.trade_id for fill in order.fills] == [1]
        assert [fill.order_id for fill in fills.fills] == [filled.order_id]
        assert len(trades.trades) == 1

        for victims in (*[(name,) for name in RECORDED], RECORDED):
            for name in victims:
                exchange.kill(name)
            for name in victims:
                exchange.start(name)
            seq = exchange.wait_ready()
            after = (
                line.answer_to(OrdersQuestion(1, seq, 7, order_id=rested.order_id)),
                line.answer_to(FillsQuestion(1, seq, 8)),
                line.answer_to(TradesQuestion(1, seq, 1)),
            )
            assert [a.seq >= seq for a in after] == [True] * 3, exchange.logs()
            assert (after[0].orders, after[1].fills, after[2].trades) == (
                orders.orders, fills.fills, trades.trades,
            )  # fmt: skip


@pytest.mark.parametrize("order", [("matcher", "recorder"), ("recorder", "matcher")])
def test_the_record_is_whole_in_any_order_of_starting(order: tuple[str, str]) -> None:
    with Exchange(ready=False) as exchange, HistoryLine(exchange) as line:
        for name in order:
            exchange.start(name)
            exchange.wait_bound(name)
        line.trade(500)
        line.await_rows()
        assert [exchange.stop(name) for name in order] == [0, 0]


def test_a_late_recorder_reads_the_whole_journal(line: HistoryLine) -> None:
    exchange = line.exchange
    exchange.kill("recorder")
    line.trade(8_000, frame=100)
    exchange.stop("matcher")
    exchange.start("matcher", EVENT_HISTORY_MB="1")
    line.trade(500)
    exchange.start("recorder")
    line.trade(500)
    line.await_rows()


@pytest.mark.parametrize("point", ["recorder.writing", "recorder.written"])
def test_a_recorder_killed_while_it_writes_loses_and_doubles_no_row(
    line: HistoryLine, point: str
) -> None:
    exchange = line.exchange
    exchange.stop("recorder")
    for count in (1, 2, 3):
        exchange.start("recorder", CROSSBOOK_CRASH_AT=f"{point}:{count}")
        until(f"{point}:{count}", lambda: _dies_trading(line))
    exchange.start("recorder")
    line.trade(200)
    line.await_rows()


def test_the_record_goes_on_while_the_matcher_dies_and_comes_back(line: HistoryLine) -> None:
    for _ in range(3):
        line.trade(300)
        line.exchange.kill("matcher")
        line.exchange.start("matcher")
    line.trade(300)
    line.await_rows()
    assert '"level": "error"' not in line.exchange.log("recorder")


def test_a_waiting_question_holds_up_no_other(line: HistoryLine) -> None:
    line.trade(50)
    line.await_rows()
    with line.question_dealer() as patient:
        begin = time.monotonic()
        for number in range(50):
            patient.send(codec.encode(MarketQuestion(number, 10**9, 1)))
        assert isinstance(line.answer_to(MarketQuestion(99, 1, 1)), MarketRecord)
        assert time.monotonic() - begin < 1.5
        answers = []
        for _ in range(50):
            assert patient.poll(5_000)
            answers.append(codec.decode_history_answer(patient.recv()))
        assert time.monotonic() - begin > 1.5
    assert [(type(a), a.request_id) for a in answers] == [(NotYet, n) for n in range(50)]


def test_a_question_is_answered_once_its_number_is_recorded(line: HistoryLine) -> None:
    line.trade(10)
    line.await_rows()
    with line.question_dealer() as dealer:
        dealer.send(codec.encode(OrdersQuestion(1, 15, 1)))
        assert not dealer.poll(300)
        line.trade(10)
        assert dealer.poll(5_000)
        answer = codec.decode_history_answer(dealer.recv())
    assert isinstance(answer, OrderRecords)
    assert answer.seq >= 15


def test_hostile_questions_are_refused_and_delay_no_other(line: HistoryLine) -> None:
    for payload in (b"", b"\xff" * 500, bytes(100_000), codec.encode([1, 2, "x", 1]), b"\xc1"):
        assert isinstance(line.answer_to_bytes(payload), HistoryReject)
    line.trade(10)
    assert isinstance(line.answer_to(MarketQuestion(1, 10, 1)), MarketRecord)


def test_another_journal_is_refused_until_the_record_is_rebuilt(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/history.db"
    with Exchange(ready=False, DATABASE_URL=url) as exchange, HistoryLine(exchange) as line:
        exchange.start("recorder")
        exchange.start("matcher")
        line.trade(100)
        line.await_rows(url)
        exchange.kill("matcher")
        shutil.rmtree(exchange.data)
        exchange.start("matcher")
        line.trade(50)
        assert exchange.processes.pop("recorder").wait(EXIT_SECONDS) == 2
        assert "another DATA_DIR" in exchange.log("recorder")
        assert "--rebuild" in exchange.log("recorder")
        again = run_recorder(exchange)
        assert again.wait(EXIT_SECONDS) == 2
        assert again.stdout is not None
        assert b"another DATA_DIR" in again.stdout.read()
        rebuilding = run_recorder(exchange, "--rebuild")
        try:
            line.await_rows(url)
        finally:
            rebuilding.send_signal(signal.SIGTERM)
            assert rebuilding.wait(EXIT_SECONDS) == 0
        exchange.start("recorder")
        line.trade(50)
        line.await_rows(url)


def test_a_database_that_cannot_be_used_is_a_readable_error(tmp_path: Path) -> None:
    for url, text in (
        ("nonsense", b"DATABASE_URL: not a URL"),
        ("mysql://me:secret@host/x", b"mysql is not supported"),
        (f"sqlite:///{tmp_path}", b"unable to open database file"),
    ):
        with Exchange(ready=False, DATABASE_URL=url) as exchange:
            process = run_recorder(exchange)
            assert process.wait(EXIT_SECONDS) == 2
            assert process.stdout is not None
            output = process.stdout.read()
            assert json.loads(output)["reason"].startswith("DATABASE_URL"), output
            assert text in output
            assert b"secret" not in output


def test_old_rows_are_deleted_while_the_recorder_follows(line: HistoryLine) -> None:
    line.trade(500)
    line.await_rows()
    assert line.exchange.stop("recorder") == 0
    path = line.exchange.data / "history.db"
    engine_rows = _age(path)
    assert engine_rows > 0
    line.exchange.start("recorder", HISTORY_DAYS="1")
    line.trade(10)
    until("old rows go", lambda: not _old(path))
    assert isinstance(line.answer_to(MarketQuestion(1, 510, 1)), MarketRecord)


def _dies_trading(line: HistoryLine) -> bool:
    """Whether the recorder has killed itself, after some more commands."""
    line.trade(20)
    return line.exchange.ended("recorder") == -signal.SIGKILL


def _age(path: Path) -> int:
    """Make all recorded rows ten days old."""
    days_ns = 10 * 86_400 * 10**9
    with sqlite3.connect(path) as connection:
        connection.execute(f"UPDATE orders SET created_ns = created_ns - {days_ns}, "
                           f"updated_ns = updated_ns - {days_ns}")  # fmt: skip
        connection.execute(f"UPDATE fills SET time_ns = time_ns - {days_ns}")
    return _old(path)


def _old(path: Path) -> int:
    """The rows that ought to be deleted."""
    before_ns = time.time_ns() - 2 * 86_400 * 10**9
    with sqlite3.connect(path) as connection:
        (ended,) = connection.execute(
            f"SELECT count(*) FROM orders WHERE status > 2 AND updated_ns < {before_ns}"
        ).fetchone()
        (fills,) = connection.execute(
            f"SELECT count(*) FROM fills WHERE time_ns < {before_ns}"
        ).fetchone()
    return int(ended) + int(fills)


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    bin_folder = postgres.programs()
    if bin_folder is None:
        pytest.skip(postgres.MISSING)
    with postgres.running(bin_folder) as running:
        yield running


def test_postgresql_may_be_late_and_may_die(server: postgres.Server) -> None:
    server.stop()
    with (
        Exchange(ready=False, DATABASE_URL=server.url) as exchange,
        HistoryLine(exchange) as line,
    ):
        exchange.start("matcher")
        exchange.start("recorder")
        line.trade(200)
        exchange.wait_until(
            "it logs why it waits", lambda: "database_failed" in exchange.log("recorder")
        )
        assert isinstance(line.answer_to(MarketQuestion(1, 0, 1)), NotYet)
        server.start()
        line.await_rows(server.url)
        server.stop(signal.SIGQUIT)
        line.trade(200)
        server.start()
        line.trade(200)
        line.await_rows(server.url)
        exchange.kill("recorder")
        line.trade(200)
        exchange.start("recorder")
        line.await_rows(server.url)
        assert isinstance(line.answer_to(MarketQuestion(1, 800, 1)), MarketRecord)
        assert "not-asked-for" not in exchange.log("recorder")
        assert os.path.getsize(exchange.directory / "recorder.log") < 100_000
