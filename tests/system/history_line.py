"""Connections to an exchange with a recorder: commands straight to the matcher, and history
queries.

The journal gives the true rows, with which the tables are compared.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from random import Random
from typing import Any, Self

import zmq
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from crossbook.common.instruments_file import load_instruments
from crossbook.common.messages import codec
from crossbook.common.messages.commands import AmendOrder, CancelOrder, Command, NewOrder
from crossbook.common.messages.history_queries import HistoryAnswer, HistoryQuestion
from crossbook.common.process import sockets
from crossbook.common.process.programs import MODULES
from crossbook.matcher.journal.disk import FileDisk
from crossbook.matcher.journal.journal import Journal
from crossbook.recorder.database import open_database
from tests.recorder.naive import NaiveRecord, Row, tables_expected, tables_of
from tests.system.exchange import REPOSITORY, Exchange, select_nothing

SECONDS = 20.0
INSTRUMENTS = load_instruments(REPOSITORY / "instruments.toml")


class HistoryLine:
    """Sockets to one exchange. Every wait ends after `SECONDS`."""

    def __init__(self, exchange: Exchange, seed: int = 1) -> None:
        self.exchange = exchange
        self.sent = 0
        self._chance = Random(seed)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        address = exchange.addresses["MATCHER_COMMANDS"]
        self._commands = sockets.commands_push(self._context, address)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._context.destroy(linger=0)

    def trade(self, count: int, frame: int = 10) -> None:
        """Send the matcher so many random commands, which trade with each other."""
        for first in range(0, count, frame):
            commands = [self._command() for _ in range(min(frame, count - first))]
            assert self._commands.poll(round(SECONDS * 1000), zmq.POLLOUT), "no matcher"
            self._commands.send(codec.encode(commands), zmq.NOBLOCK)

    def question_dealer(self) -> "zmq.Socket[bytes]":
        """A connection to the recorder."""
        made = sockets.history_dealer(self._context, self.exchange.history)
        assert made.poll(round(SECONDS * 1000), zmq.POLLOUT), self.exchange.logs()
        return made

    def answer_to_bytes(self, payload: bytes) -> HistoryAnswer:
        """One question and its answer, over a connection of its own."""
        with self.question_dealer() as dealer:
            dealer.send(payload)
            assert dealer.poll(round(SECONDS * 1000)), self.exchange.logs()
            answer: HistoryAnswer = codec.decode_history_answer(dealer.recv())
            return answer

    def answer_to(self, question: HistoryQuestion) -> Any:
        """The answer to a sound question."""
        return self.answer_to_bytes(codec.encode(question))

    def truth(self) -> NaiveRecord:
        """The history according to the journal."""
        record = NaiveRecord(INSTRUMENTS)
        disk = FileDisk(self.exchange.data, read_only=True)
        try:
            for _, kept in Journal.open(disk, 1, b"", 1, read_only=True).read(1):
                batch = codec.decode_events(kept.events)
                record.read(batch.events, batch.time_ns)
        finally:
            disk.close()
        return record

    def await_rows(self, url: str = "") -> None:
        """Return once the journal has stopped growing and the tables contain all of it."""
        expected = tables_expected(self.truth())
        engine = open_database(url or f"sqlite:///{self.exchange.data}/history.db")
        try:
            deadline = time.monotonic() + SECONDS
            while True:
                select_nothing(0.2)
                before, expected = expected, tables_expected(self.truth())
                found = _tables_so_far(engine)
                if found == expected == before and expected["trades"]:
                    return
                counts = {name: (len(found[name]), len(expected[name])) for name in expected}
                assert time.monotonic() < deadline, f"{counts}\n{self.exchange.logs()}"
        finally:
            engine.dispose()

    def _command(self) -> Command:
        chance = self._chance
        self.sent += 1
        account, price = chance.randint(1, 4), 5_000_000 + chance.randint(-20, 20)
        kind = chance.random()
        if kind < 0.2:
            return CancelOrder(
                gateway=0,
                request_seq=0,
                account=account,
                instrument=1,
                order_id=max(1, self.sent - chance.randint(1, 40)),
                client_order_id="",
            )
        if kind < 0.3:
            order_id = max(1, self.sent - chance.randint(1, 40))
            return AmendOrder(
                gateway=0,
                request_seq=0,
                account=account,
                instrument=1,
                order_id=order_id,
                price_ticks=price,
                quantity_lots=0,
            )
        side, lots = chance.randint(1, 2), chance.randint(1_000, 9_000)
        return NewOrder(
            gateway=0,
            request_seq=0,
            account=account,
            instrument=1,
            side=side,
            order_type=1,
            time_in_force=1,
            price_ticks=price,
            quantity_lots=lots,
            client_order_id=f"n{self.sent}",
        )


def _tables_so_far(engine: Engine) -> dict[str, list[Row]]:
    """The rows; none while the recorder has not made its tables or the server is away."""
    try:
        return tables_of(engine)
    except DBAPIError:
        return {name: [] for name in ("orders", "fills", "trades", "candles", "amendments")}


def run_recorder(exchange: Exchange, *arguments: str) -> "subprocess.Popen[bytes]":
    """A recorder as a user starts one by hand."""
    return subprocess.Popen(
        [sys.executable, "-m", MODULES["recorder"], *arguments],
        cwd=exchange.directory,
        env=exchange.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def until(goal: str, condition: Callable[[], bool]) -> None:
    """Poll until `condition` holds."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"{goal}: not in {SECONDS} s"
        select_nothing(0.02)
