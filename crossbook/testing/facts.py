"""What is true at an exchange now, from the processes that hold it: the matcher and the recorder.

No question passes the gateway, so a fault that a test puts there hides nothing. Every answer is as
of the last command that the matcher had applied when the question was put.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from operator import itemgetter
from typing import Any, Final

import zmq

from crossbook.common.grid import format_decimal
from crossbook.common.instruments import Instrument
from crossbook.common.messages.codec import (
    decode_history_answer,
    decode_matcher_reply,
    decoded,
    encode,
)
from crossbook.common.messages.history_queries import (
    ROWS_MAX,
    FillsQuestion,
    HistoryReject,
    NotYet,
    OrdersQuestion,
    TradesQuestion,
)
from crossbook.common.messages.matcher_queries import (
    BalancesRequest,
    BooksRequest,
    GatewayRequest,
    GatewayState,
)
from crossbook.common.process import sockets
from crossbook.testing.processes import ExchangeError, Processes
from crossbook.testing.values import (
    Balance,
    Book,
    Fill,
    Order,
    Trade,
    book_of,
    fill_of,
    order_of,
    trade_of,
)

ANSWER_S: Final = 10.0
"""Longest wait for an answer: a process may have been started this moment."""


class Line:
    """Questions to one process, answered one by one."""

    def __init__(
        self,
        name: str,
        connection: "zmq.Socket[bytes]",
        decode: Callable[[bytes], Any],
        processes: Processes,
    ) -> None:
        self._name = name
        self._connection = connection
        self._decode = decode
        self._processes = processes
        self._request_id = 0

    def answer_to(self, question: Callable[[int], Any]) -> Any:
        """The answer to the question made of a number; raises `ExchangeError` without one."""
        self._request_id += 1
        deadline = time.monotonic() + ANSWER_S
        self._wait(zmq.POLLOUT, deadline)
        self._connection.send(encode(question(self._request_id)))
        while True:
            self._wait(zmq.POLLIN, deadline)
            answer = decoded(self._decode, self._connection.recv())
            if answer.request_id == self._request_id:
                return answer

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _wait(self, events: int, deadline: float) -> None:
        while not self._connection.poll(20, events):
            if not self._processes.is_running(self._name):
                raise ExchangeError(f"{self._name} does not run: what it holds cannot be had")
            if time.monotonic() > deadline:
                logs = self._processes.logs()
                raise ExchangeError(f"{self._name}: no answer in {ANSWER_S:g} s\n{logs}")


class Facts:
    """Questions to the matcher and the recorder of every shard, for one thread at a time."""

    def __init__(self, processes: Processes) -> None:
        self._processes = processes
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._matchers: list[Line] = []
        self._recorders: list[Line] = []
        self._instruments: dict[str, tuple[Instrument, int]] = {}
        for shard in range(processes.plan.shards):
            end = f"-{shard}" if processes.plan.shards > 1 else ""
            folder = processes.data_dir(shard)
            queries = sockets.matcher_queries_dealer(self._context, f"ipc://{folder}/sync.sock")
            history = sockets.history_dealer(self._context, f"ipc://{folder}/history.sock")
            self._matchers.append(Line(f"matcher{end}", queries, decode_matcher_reply, processes))
            self._recorders.append(
                Line(f"recorder{end}", history, decode_history_answer, processes)
            )

    def close(self) -> None:
        """Close all connections."""
        for line in (*self._matchers, *self._recorders):
            line.close()
        self._context.term()

    def seq(self, shard: int = 0) -> int:
        """The number of the last command that a matcher has applied."""
        return self._state(shard).seq

    def instruments(self) -> dict[str, Instrument]:
        """All that is traded, by symbol."""
        for shard in range(len(self._matchers)):
            for each in self._state(shard).instruments:
                self._instruments[each.symbol] = each, shard
        return {symbol: each for symbol, (each, _) in self._instruments.items()}

    def instrument(self, symbol: str) -> tuple[Instrument, int]:
        """An instrument and its shard; raises `ValueError` for one that is not traded."""
        if symbol not in self._instruments and symbol not in self.instruments():
            known = ", ".join(self._instruments)
            raise ValueError(f"symbol={symbol!r}: is not traded here, but {known}")
        return self._instruments[symbol]

    def fills(self, account: int, symbol: str | None = None) -> list[Fill]:
        """The fills of an account, oldest first."""
        found: list[tuple[int, int, Fill]] = []
        for shard in self._shards(symbol):
            question = partial(
                FillsQuestion, account=account, instrument=self._id_of(symbol), limit=ROWS_MAX
            )
            records = self._all(shard, question, "fills", lambda record: {"before": record.fill_id})
            by_id = self._by_id(shard)
            found += [
                (record.time_ns, record.fill_id, fill_of(by_id[record.instrument], record))
                for record in records
            ]
        return [fill for _, _, fill in sorted(found, key=itemgetter(0, 1))]

    def orders(
        self, account: int, symbol: str | None = None, *, open_only: bool = False
    ) -> list[Order]:
        """The orders of an account, open and ended, oldest first."""
        found: list[tuple[int, int, Order]] = []
        for shard in self._shards(symbol):
            question = partial(
                OrdersQuestion, account=account, instrument=self._id_of(symbol),
                open_only=open_only, limit=ROWS_MAX,
            )  # fmt: skip
            records = self._all(
                shard, question, "orders", lambda record: {"before_order_id": record.order_id}
            )
            by_id = self._by_id(shard)
            found += [
                (record.created_ns, record.order_id, order_of(by_id[record.instrument], record))
                for record in records
            ]
        return [order for _, _, order in sorted(found, key=itemgetter(0, 1))]

    def trades(self, symbol: str) -> list[Trade]:
        """The trades of an instrument, oldest first."""
        instrument, shard = self.instrument(symbol)
        question = partial(
            TradesQuestion, instrument=instrument.id, from_trade_id=1, limit=ROWS_MAX
        )
        records = self._all(
            shard, question, "trades", lambda record: {"from_trade_id": record.trade_id + 1}
        )
        return [trade_of(instrument, record) for record in records]

    def balances(self, account: int) -> dict[str, Balance]:
        """The balances of an account by asset; empty before it was opened. Those of several shards
        are added."""
        sums: dict[str, tuple[int, int]] = {}
        for matcher in self._matchers:
            answer = matcher.answer_to(lambda number: BalancesRequest(number, account))
            for each in answer.balances:
                total, held = sums.get(each.asset, (0, 0))
                sums[each.asset] = total + each.total_units, held + each.held_units
        decimals = self.decimals()
        return {
            asset: Balance(
                format_decimal(total, decimals[asset]),
                held=format_decimal(held, decimals[asset]),
            )
            for asset, (total, held) in sums.items()
        }

    def decimals(self) -> dict[str, int]:
        """Every asset with its number of decimals."""
        found: dict[str, int] = {}
        for each in self.instruments().values():
            found |= {each.base: each.base_decimals, each.quote: each.quote_decimals}
        return found

    def shards_of(self, asset: str) -> list[int]:
        """The shards that trade an asset; each has a ledger of its own."""
        self.instruments()
        known = self._instruments.values()
        return sorted({shard for each, shard in known if asset in (each.base, each.quote)})

    def book(self, symbol: str) -> Book:
        """The book of an instrument at its matcher."""
        instrument, shard = self.instrument(symbol)
        answer = self._matchers[shard].answer_to(BooksRequest)
        return next(
            book_of(instrument, each) for each in answer.books if each.instrument == instrument.id
        )

    def _state(self, shard: int) -> GatewayState:
        matcher = self._matchers[shard]
        state: GatewayState = matcher.answer_to(lambda number: GatewayRequest(number, 0))
        return state

    def _shards(self, symbol: str | None) -> Sequence[int]:
        return range(len(self._matchers)) if symbol is None else [self.instrument(symbol)[1]]

    def _by_id(self, shard: int) -> dict[int, Instrument]:
        return {each.id: each for each in self._state(shard).instruments}

    def _id_of(self, symbol: str | None) -> int:
        return 0 if symbol is None else self.instrument(symbol)[0].id

    def _all(
        self,
        shard: int,
        question: "partial[Any]",
        rows: str,
        continued: Callable[[Any], dict[str, int]],
    ) -> list[Any]:
        """All rows of a listing, from as many questions as it needs: `continued` gives the
        arguments of the next one, after the last row."""
        found: list[Any] = []
        question = partial(question, min_seq=self.seq(shard))
        while True:
            answer = self._history(shard, question)
            found += getattr(answer, rows)
            if not answer.more:
                return found
            question = partial(question, **continued(found[-1]))

    def _history(self, shard: int, question: Callable[[int], Any]) -> Any:
        """The recorder's answer, once it has recorded the number that the question names."""
        if not self._processes.plan.recorder:
            raise ExchangeError("this exchange has no recorder: start it with recorder=True")
        for _ in _until(ANSWER_S):
            answer = self._recorders[shard].answer_to(question)
            if isinstance(answer, HistoryReject):
                raise ValueError(f"{answer.field}: {answer.text}")
            if not isinstance(answer, NotYet):
                return answer
        raise ExchangeError(f"the recorder stays behind ({answer.text})\n{self._processes.logs()}")


def _until(seconds: float) -> Iterator[None]:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        yield
