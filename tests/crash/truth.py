"""The true history, from the journal's events, and the reports that each account should receive.

It is written from the page of the protocol, and not from the gateway, so that the two are compared.
"""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from crossbook.common.instruments import Instrument
from crossbook.common.messages.codec import decode_events
from crossbook.common.messages.entry import Execution
from crossbook.common.messages.events import (
    CommandRejected,
    Event,
    EventBatch,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderCompleted,
    OrderExpired,
    OrderRepeated,
    TradeExecuted,
)
from crossbook.common.messages.matcher_queries import BookState
from crossbook.common.types import ExecutionKind, Liquidity, OrderStatus, RejectReason, Side
from crossbook.matcher.engine.matching import fee
from crossbook.matcher.journal.disk import FileDisk
from crossbook.matcher.journal.journal import Journal
from tests.properties.stream_checker import StreamChecker

Key = tuple[int, int, int, int]
"""Names one report: sequence, order id, trade id, kind."""


class ReportedExecution(NamedTuple):
    """All facts of an execution report but its request."""

    seq: int
    order_id: int
    trade_id: int
    kind: int
    symbol: str
    client_order_id: str
    status: int
    side: int
    price_ticks: int
    quantity_lots: int
    filled_lots: int
    remaining_lots: int
    time_ns: int
    liquidity: int = 0
    fee: int = 0
    reason: int = 0

    @property
    def key(self) -> Key:
        """The identity of the execution."""
        return self[:4]


def report_of(execution: Execution) -> ReportedExecution:
    """A report as a client received it."""
    return ReportedExecution(
        seq=execution.seq,
        order_id=execution.order_id,
        trade_id=execution.trade_id,
        kind=execution.kind,
        symbol=execution.symbol,
        client_order_id=execution.client_order_id,
        status=execution.status,
        side=execution.side,
        price_ticks=execution.price_ticks,
        quantity_lots=execution.quantity_lots,
        filled_lots=execution.filled_lots,
        remaining_lots=execution.remaining_lots,
        time_ns=execution.time_ns,
        liquidity=execution.liquidity,
        fee=execution.fee_units,
        reason=execution.reason,
    )


class Truth:
    """The events so far: their faults, and the messages due to clients and to the public feed.

    `answers` has the first event of every command by sequence, `reports` those due to each account,
    `remaining_lots` the open orders, `named` how many commands bore a client order id.
    """

    def __init__(self, instruments: Iterable[Instrument]) -> None:
        self._instruments = {instrument.id: instrument for instrument in instruments}
        self._checker = StreamChecker(self._instruments.values())
        self.incarnation = 0
        self.seq = 0
        self.faults: list[str] = []
        self.answers: dict[int, Any] = {}
        self.accepted: dict[tuple[int, str], list[int]] = {}
        self.named: Counter[tuple[int, str]] = Counter()
        self.commands: Counter[int] = Counter()
        self.reports: dict[int, dict[Key, ReportedExecution]] = {}
        self.remaining_lots: dict[int, int] = {}
        self.trades: dict[str, list[TradeExecuted]] = {}
        self._orders: dict[int, OrderAccepted] = {}
        self._time_ns = 0

    def read_journal(self, directory: Path) -> None:
        """Read on in a data directory; the matcher may be running."""
        disk = FileDisk(directory, read_only=True)
        try:
            journal = Journal.open(disk, 0, b"", 1, read_only=True)
            for _, record in journal.read(self.seq + 1):
                if record.last_seq > self.seq:
                    self.read(decode_events(record.events))
        finally:
            disk.close()

    def read(self, batch: EventBatch) -> None:
        """Add the next batch."""
        self.incarnation = self.incarnation or batch.incarnation
        if batch.incarnation != self.incarnation or batch.first_seq != self.seq + 1:
            self.faults.append(f"batch {batch.first_seq} of {batch.incarnation} after {self.seq}")
        self._time_ns = batch.time_ns
        command: list[Event] = []
        for event in batch.events:
            if command and command[0].seq != event.seq:
                self._read_command(command)
                command = []
            command.append(event)
        if command:
            self._read_command(command)
        if self.seq != batch.last_seq:
            self.faults.append(f"batch ends with {batch.last_seq}, its events with {self.seq}")

    def book_state(self, instrument: int) -> BookState:
        """One book rebuilt from the events."""
        return self._checker.book_state(instrument)

    def _read_command(self, events: list[Event]) -> None:
        answer: Any = events[0]
        self.seq = answer.seq
        self.answers[self.seq] = answer
        self.commands[answer.account] += 1
        try:
            self._checker.read(events)
        except (AssertionError, KeyError) as error:
            self.faults.append(f"event stream at {self.seq}: {error!r}")
        name = (answer.account, getattr(answer, "client_order_id", ""))
        if name[1] and (
            isinstance(answer, OrderAccepted | OrderRepeated)
            # A cancel or amend that names no open order is no order.
            or (isinstance(answer, CommandRejected) and answer.reason != RejectReason.UNKNOWN_ORDER)
        ):
            self.named[name] += 1
        for event in events:
            self._read_event(event, answer)

    def _read_event(self, event: Event, answer: Any) -> None:
        if isinstance(event, OrderAccepted):
            self._orders[event.seq] = event
            self.accepted.setdefault((event.account, event.client_order_id), []).append(event.seq)
            self.remaining_lots[event.seq] = event.quantity_lots
            self._report(event, event.seq, ExecutionKind.NEW, OrderStatus.NEW,
                       event.quantity_lots, 0, event.quantity_lots)  # fmt: skip
        elif isinstance(event, TradeExecuted):
            self._read_trade(event, answer)
        elif isinstance(event, OrderCanceled):
            self.remaining_lots.pop(event.order_id, None)
            self._report(event, event.order_id, ExecutionKind.CANCELED, OrderStatus.CANCELED,
                       event.canceled_lots, event.filled_lots, 0)  # fmt: skip
        elif isinstance(event, OrderExpired):
            self.remaining_lots.pop(event.order_id, None)
            in_match = event.reason == RejectReason.SELF_TRADE
            ended = OrderStatus.EXPIRED_IN_MATCH if in_match else OrderStatus.EXPIRED
            self._report(event, event.order_id, ExecutionKind.EXPIRED, ended,
                       event.expired_lots, event.filled_lots, 0)  # fmt: skip
        elif isinstance(event, OrderCompleted):
            self.remaining_lots.pop(event.order_id, None)
            self._report(event, event.order_id, ExecutionKind.COMPLETED, OrderStatus.FILLED,
                       0, event.filled_lots, 0)  # fmt: skip
        elif isinstance(event, OrderAmended):
            self.remaining_lots[event.order_id] = event.remaining_lots
            status = OrderStatus.PARTIALLY_FILLED if event.filled_lots else OrderStatus.NEW
            self._report(event, event.order_id, ExecutionKind.AMENDED, status,
                       event.quantity_lots, event.filled_lots, event.remaining_lots)  # fmt: skip

    def _report(
        self, event: Any, order_id: int, kind: int, status: int, lots: int, filled: int, left: int
    ) -> None:
        report = ReportedExecution(
            seq=event.seq, order_id=order_id, trade_id=0, kind=kind,
            symbol=self._instruments[event.instrument].symbol,
            client_order_id=event.client_order_id, status=status, side=event.side,
            price_ticks=getattr(event, "price_ticks", 0), quantity_lots=lots, filled_lots=filled,
            remaining_lots=left, time_ns=self._time_ns, liquidity=0, fee=0,
            reason=getattr(event, "reason", 0),
        )  # fmt: skip
        self.reports.setdefault(event.account, {})[report.key] = report

    def _read_trade(self, trade: TradeExecuted, answer: Any) -> None:
        instrument = self._instruments[trade.instrument]
        self._check_money(trade, instrument)
        self.trades.setdefault(instrument.symbol, []).append(trade)
        by_quote = isinstance(answer, OrderAccepted) and answer.quote_amount > 0
        maker_side = Side.SELL if trade.aggressor_side == Side.BUY else Side.BUY
        for account, order_id, name, side, filled, left, liquidity, charged in (
            (trade.maker_account, trade.maker_order_id, trade.maker_client_order_id, maker_side,
             trade.maker_filled_lots, trade.maker_remaining_lots, Liquidity.MAKER, trade.maker_fee),
            (trade.taker_account, trade.taker_order_id, trade.taker_client_order_id,
             trade.aggressor_side, trade.taker_filled_lots, trade.taker_remaining_lots,
             Liquidity.TAKER, trade.taker_fee),
        ):  # fmt: skip
            goes_on = left or (by_quote and liquidity == Liquidity.TAKER)
            status = OrderStatus.PARTIALLY_FILLED if goes_on else OrderStatus.FILLED
            report = ReportedExecution(
                seq=trade.seq, order_id=order_id, trade_id=trade.trade_id, kind=ExecutionKind.FILL,
                symbol=instrument.symbol, client_order_id=name, status=status, side=side,
                price_ticks=trade.price_ticks, quantity_lots=trade.quantity_lots,
                filled_lots=filled, remaining_lots=left, time_ns=self._time_ns, liquidity=liquidity,
                fee=charged,
            )  # fmt: skip
            self.reports.setdefault(account, {})[report.key] = report
            self.remaining_lots[order_id] = left
            if not left:
                self.remaining_lots.pop(order_id)

    def _check_money(self, trade: TradeExecuted, instrument: Instrument) -> None:
        """Compare the amounts of both sides: each receives what the other pays, less the configured
        fee."""
        base = trade.quantity_lots * instrument.base_units_per_lot
        quote = trade.quantity_lots * trade.price_ticks * instrument.notional_per_tick_lot
        taker_gets, maker_gets = (
            (base, quote) if trade.aggressor_side == Side.BUY else (quote, base)
        )
        expected = (
            fee(maker_gets, instrument.maker_fee_rate),
            fee(taker_gets, instrument.taker_fee_rate),
        )
        if (trade.maker_fee, trade.taker_fee) != expected:
            self.faults.append(f"fees are {expected} for {trade}")
