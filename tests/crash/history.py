"""Checks of the messages of clients and of the public feed against the true history.

Pure: records and events in, one line per broken promise out.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from crossbook.common.messages import entry, feed
from crossbook.common.messages.events import (
    CommandRejected,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderRepeated,
    OrdersMassCanceled,
)
from crossbook.common.types import ExecutionKind, RejectReason
from tests.crash.truth import Key, ReportedExecution, Truth, report_of

Command = entry.New | entry.Cancel | entry.Amend | entry.MassCancel
Message = entry.Request | entry.Reply

_ANSWER_OF: dict[type, tuple[type, ...]] = {
    entry.New: (OrderAccepted, OrderRepeated),
    entry.Cancel: (OrderCanceled,),
    entry.Amend: (OrderAmended, OrderCanceled),
    entry.MassCancel: (OrdersMassCanceled,),
}
_KIND_OF: dict[type, ExecutionKind] = {
    OrderAccepted: ExecutionKind.NEW,
    OrderCanceled: ExecutionKind.CANCELED,
    OrderAmended: ExecutionKind.AMENDED,
}
FAULTS_MAX = 20
"""Most faults reported, because one cause often gives thousands."""


class ClientRecord(Struct, frozen=True, gc=False):
    """One message a client sent or received, and its session, counted from 1."""

    time_ns: int
    session: int
    message: Message


class ClientHistory:
    """All messages one client sent and received, in order, and its last list of open orders.

    The other orders of its account come from other clients only. The client catches up after every
    lost session, from sequence 1 in its first.
    """

    def __init__(self, name: str, account: int) -> None:
        self.name = name
        self.account = account
        self.records: list[ClientRecord] = []
        self.open_orders: list[entry.OrderState] | None = None

    def add(self, time_ns: int, session: int, message: Message) -> None:
        """Append one message."""
        self.records.append(ClientRecord(time_ns, session, message))


class PublicHistory(Struct):
    """Trades by symbol as a subscriber received them, and the number of deaths of its publisher.
    Without a death no trade may be missing."""

    trades: dict[str, list[feed.Trade]]
    publisher_deaths: int = 0


class _Seen:
    """The summary of one client's records."""

    def __init__(self, history: ClientHistory) -> None:
        self.history = history
        self.requests: dict[int, tuple[int, entry.Request]] = {}
        self.answers: dict[int, entry.Reply] = {}
        self.reports: list[tuple[int, ReportedExecution]] = []
        self.catch_ups: list[tuple[int, int, int]] = []
        self.last_session = 0
        self.faults: list[str] = []
        for record in history.records:
            self.last_session = max(self.last_session, record.session)
            self._apply(record)

    def _apply(self, record: ClientRecord) -> None:
        message: Any = record.message
        if isinstance(message, entry.Request):
            self.requests[message.request_seq] = (record.session, message)
        elif isinstance(message, entry.Execution):
            self.reports.append((record.session, report_of(message)))
        elif message.request_seq:
            if message.request_seq in self.answers:
                self.faults.append(f"answered twice: {message}")
            if message.request_seq not in self.requests:
                self.faults.append(f"answer to nothing: {message}")
            self.answers[message.request_seq] = message
            if isinstance(message, entry.CaughtUp):
                if not message.complete:
                    self.faults.append(f"catch-up is not complete: {message}")
                self.catch_ups.append((record.session, message.from_seq, message.to_seq))
        elif isinstance(message, entry.Reject):
            self.faults.append(f"a reject of nothing: {message}")

    def commands(self) -> Iterable[tuple[int, Command, Any]]:
        """Every command sent: session, command, answer or None."""
        for number, (session, request) in self.requests.items():
            if isinstance(request, Command):
                yield session, request, self.answers.get(number)

    def cut_catch_ups(self) -> Iterable[tuple[int, int, int]]:
        """Every range that was, or may have been, sent again: session, first and last number."""
        yield from self.catch_ups
        for number, (session, request) in self.requests.items():
            answer = self.answers.get(number)
            if isinstance(request, entry.CatchUp) and not isinstance(answer, entry.CaughtUp):
                yield session, request.from_seq, 2**63


def faults(
    clients: Iterable[ClientHistory], truth: Truth, public: PublicHistory | None = None
) -> list[str]:
    """One line for each broken promise; empty when all were kept.

    Call it when nothing is on its way: every command has its answer or lost its session, and every
    client has caught up.
    """
    seen = [_Seen(client) for client in clients]
    found = list(truth.faults)
    for one in seen:
        found += (f"{one.history.name}: {text}" for text in _client_faults(one, truth))
    found += _stream_faults(seen, truth)
    if public is not None:
        found += _public_faults(public, truth)
    return found[:FAULTS_MAX]


def _client_faults(seen: _Seen, truth: Truth) -> list[str]:
    found = list(seen.faults)
    for session, request, answer in seen.commands():
        found += _answer_faults(seen, truth, session, request, answer)
    found += _report_faults(seen, truth)
    listed = seen.history.open_orders
    if listed is not None:
        reported = {order.order_id: order.remaining_lots for order in listed}
        really = {
            order_id: lots
            for order_id, lots in truth.remaining_lots.items()
            if truth.answers[order_id].account == seen.history.account
        }
        if reported != really or len(reported) != len(listed):
            found.append(f"open orders differ: {sorted(reported.items() ^ really.items())[:5]}")
    return found


def _answer_faults(
    seen: _Seen, truth: Truth, session: int, request: Command, answer: Any
) -> Iterable[str]:
    """Whether one command's answer is true."""
    if answer is None:
        if session == seen.last_session:
            yield f"never answered: {request}"
        return
    event: Any = truth.answers.get(getattr(answer, "seq", 0))
    if isinstance(answer, entry.Reject):
        if answer.reason == RejectReason.OUTCOME_UNKNOWN:
            yield f"outcome unknown though nothing was lost: {answer}"
        if answer.seq and not (
            isinstance(event, CommandRejected)
            and (event.account, event.reason) == (seen.history.account, answer.reason)
        ):
            yield f"no such reject in the events: {answer}"
        return
    if not isinstance(answer, entry.Ack):
        yield f"answered {request} with {answer}"
        return
    if (
        event is None
        or type(event) not in _ANSWER_OF[type(request)]
        or event.account != seen.history.account
    ):
        yield f"acknowledged, but not in the events: {answer} for {request}, there: {event}"
        return
    if isinstance(request, entry.New):
        order_id = event.order_id if isinstance(event, OrderRepeated) else event.seq
        if answer.repeated != isinstance(event, OrderRepeated) or answer.order_id != order_id:
            yield f"another order was acknowledged: {answer}, there: {event}"
        yield from _body_faults(truth.answers.get(order_id), request)
    elif isinstance(request, entry.MassCancel):
        if answer.count != event.count:
            yield f"count: {answer}, there: {event}"
    elif request.order_id not in (0, event.order_id) or answer.order_id != event.order_id:
        yield f"another order: {answer} for {request}, there: {event}"


def _body_faults(event: Any, request: entry.New) -> Iterable[str]:
    if not isinstance(event, OrderAccepted) or (
        event.client_order_id, event.side, event.price_ticks, event.quantity_lots,
        event.order_type, event.time_in_force, event.quote_amount,
    ) != (
        request.client_order_id, request.side, request.price, request.quantity,
        request.order_type, request.time_in_force, request.quote_amount,
    ):  # fmt: skip
        yield f"entered otherwise than requested: {event} for {request}"


def _report_faults(seen: _Seen, truth: Truth) -> list[str]:
    """Reports that are untrue, repeated or missing. An `Ack` is the report of what it
    acknowledges."""
    found: list[str] = []
    due = truth.reports.get(seen.history.account, {})
    times: Counter[Key] = Counter()
    for _, report in seen.reports:
        if due.get(report.key) != report:
            found.append(f"untrue: {report}, there: {due.get(report.key)}")
        times[report.key] += 1
    for _, _, answer in seen.commands():
        event = truth.answers.get(answer.seq) if isinstance(answer, entry.Ack) else None
        kind = _KIND_OF.get(type(event))
        if kind is not None:
            key = (answer.seq, answer.order_id, 0, int(kind))
            reported = due.get(key)
            if reported is None or (reported.status, reported.remaining_lots, reported.time_ns) != (
                answer.status,
                answer.remaining_lots,
                answer.time_ns,
            ):
                found.append(f"untrue: {answer}, there: {reported}")
            times[key] += 1
    found += (f"lost: {due[key]}" for key in due.keys() - times.keys())
    again = list(seen.cut_catch_ups())
    for key, count in times.items():
        if count > 1:
            allowed = 1 + sum(start <= key[0] <= end for _, start, end in again)
            if count > allowed:
                found.append(f"received {count} times, at most {allowed} are due: {key}")
    return found


def _stream_faults(seen: list[_Seen], truth: Truth) -> list[str]:
    """Commands that were applied twice, and commands without a request."""
    found: list[str] = []
    acknowledged: Counter[int] = Counter()
    attempts: Counter[tuple[int, str]] = Counter()
    sequenced: Counter[int] = Counter()
    unanswered: Counter[int] = Counter()
    for one in seen:
        account = one.history.account
        for _, request, answer in one.commands():
            if answer is not None and answer.seq:
                acknowledged[answer.seq] += 1
                sequenced[account] += 1
            elif answer is None:
                unanswered[account] += 1
            if isinstance(request, entry.New) and (answer is None or answer.seq):
                attempts[account, request.client_order_id] += 1
    found += (f"{n} requests were answered with {seq}" for seq, n in acknowledged.items() if n > 1)
    accounts = {one.history.account for one in seen}
    for name, entered in truth.accepted.items():
        if name[0] in accounts and len(entered) > 1:
            found.append(f"executed {len(entered)} times: {name} as {entered}")
    for name, count in truth.named.items():
        if name[0] in accounts and count > attempts[name]:
            found.append(f"{name} is {count} times in the events, requested {attempts[name]} times")
    for account in accounts:
        extra = truth.commands[account] - sequenced[account]
        if not 0 <= extra <= unanswered[account]:
            found.append(
                f"account {account}: {extra} commands in the events beyond those answered, "
                f"{unanswered[account]} have no answer"
            )
    found += _both_sides(seen)
    return found


def _both_sides(seen: list[_Seen]) -> Iterable[str]:
    """Both sides of every trade received the same price and quantity."""
    sides: dict[tuple[str, int], dict[int, tuple[int, int, int]]] = {}
    for one in seen:
        for _, report in one.reports:
            if report.trade_id:
                reported = (report.price_ticks, report.quantity_lots, report.seq)
                of_trade = sides.setdefault((report.symbol, report.trade_id), {})
                if of_trade.setdefault(report.side, reported) != reported:
                    yield f"trade {report.trade_id} reported in two ways: {report}"
    for name, reports_of in sides.items():
        if len(set(reports_of.values())) != 1:
            yield f"maker and taker do not agree about trade {name}: {reports_of}"


def _public_faults(public: PublicHistory, truth: Truth) -> list[str]:
    """The public trades are those of the stream, each once and in order."""
    found: list[str] = []
    for symbol in public.trades.keys() | truth.trades.keys():
        trades = public.trades.get(symbol, [])
        really = {trade.trade_id: trade for trade in truth.trades.get(symbol, [])}
        holes, last = 0, 0
        for trade in trades:
            there = really.get(trade.trade_id)
            if there is None or _public(there) != _public(trade):
                found.append(f"public trade {trade}, there: {there}")
            if trade.trade_id <= last:
                found.append(f"public trade {trade.trade_id} of {symbol} after {last}")
            holes += trade.trade_id != last + 1
            last = max(last, trade.trade_id)
        holes += last != len(really)
        if holes > public.publisher_deaths:
            found.append(f"{symbol}: {holes} holes in the public trades")
    return found


def _public(trade: Any) -> tuple[int, ...]:
    return (
        trade.seq, trade.trade_id, trade.price_ticks, trade.quantity_lots, trade.aggressor_side,
        trade.maker_order_id, trade.taker_order_id,
    )  # fmt: skip
