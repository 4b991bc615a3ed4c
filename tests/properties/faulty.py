"""Engines that are wrong on purpose, which show that the checks around the real one can fail."""

from msgspec.structs import replace

from crossbook.common.messages.commands import (
    CancelOrder,
    Command,
    NewOrder,
    SetCancelAfter,
    Uncross,
)
from crossbook.common.messages.events import (
    CommandRejected,
    Event,
    OrderAmended,
    OrderRepeated,
    TradeExecuted,
)
from crossbook.common.sequence import epoch_of
from crossbook.common.types import OrderStatus
from crossbook.matcher.engine.dedupe import RetryWindow
from crossbook.matcher.engine.engine import Engine
from tests.properties.market import MEMORY, retry_window


class RequeuesPartlyFilledMakers(Engine):
    """Wrong: a partly filled maker goes to the back of its level."""

    def apply(self, command: Command, time_ns: int = 0) -> list[Event]:
        events = super().apply(command, time_ns)
        last = events[-1] if events else None
        if isinstance(last, TradeExecuted) and last.maker_remaining_lots:
            maker = self.accounts[last.maker_account].orders[last.maker_order_id]
            queue = maker.queue
            assert queue is not None
            queue.remove(maker)
            queue.add(maker)
        return events


class ForgetsToFreeNames(Engine):
    """Wrong: the client order id of a cancelled order stays in use."""

    def apply(self, command: Command, time_ns: int = 0) -> list[Event]:
        events = super().apply(command, time_ns)
        if isinstance(command, CancelOrder) and len(events) == 1:
            name = getattr(events[0], "client_order_id", "")
            if name and hasattr(events[0], "canceled_lots"):
                account = self.accounts[command.account]
                account.by_client_order_id[name] = None  # type: ignore[assignment]
        return events


class CrashesOnAmendAcross(Engine):
    """Wrong: raises when an amended order trades."""

    def apply(self, command: Command, time_ns: int = 0) -> list[Event]:
        events = super().apply(command, time_ns)
        if len(events) > 1 and isinstance(events[0], OrderAmended):
            raise RuntimeError("amended across")
        return events


class AcceptsGaps(Engine):
    """Wrong: accepts a request though earlier ones of its epoch are missing."""

    def apply(self, command: Command, time_ns: int = 0) -> list[Event]:
        last = self.last_request.get(command.gateway, 0)
        if command.gateway and epoch_of(command.request_seq) == epoch_of(last):
            self.last_request[command.gateway] = max(last, command.request_seq - 1)
        return super().apply(command, time_ns)


class AcceptsLateStarts(Engine):
    """Wrong: accepts any request of a later epoch as its first."""

    def apply(self, command: Command, time_ns: int = 0) -> list[Event]:
        last = self.last_request.get(command.gateway, 0)
        if command.gateway and epoch_of(command.request_seq) > epoch_of(last):
            self.last_request[command.gateway] = command.request_seq - 1
        return super().apply(command, time_ns)


class IgnoresLaterEpochs(Engine):
    """Wrong: requests of a restarted gateway are ignored."""

    def apply(self, command: Command, time_ns: int = 0) -> list[Event]:
        last = self.last_request.get(command.gateway, 0)
        if command.gateway and epoch_of(command.request_seq) > epoch_of(last):
            return []
        return super().apply(command, time_ns)


class ReportsTheFirstStatus(Engine):
    """Wrong: a retry is answered with the state at entry."""

    def apply(self, command: Command, time_ns: int = 0) -> list[Event]:
        return [
            replace(event, status=int(OrderStatus.NEW))
            if isinstance(event, OrderRepeated)
            else event
            for event in super().apply(command, time_ns)
        ]


class RemembersRetriesLonger(Engine):
    """Wrong: compares a retry with one order more."""

    def apply(self, command: Command, time_ns: int = 0) -> list[Event]:
        if not self.seq:
            self.retries = retry_window(1)
        return super().apply(command, time_ns)


class ForgetsRetriesEarly(Engine):
    """Wrong: compares a retry with one order less."""

    def apply(self, command: Command, time_ns: int = 0) -> list[Event]:
        if not self.seq:
            self.retries = retry_window(-1)
        return super().apply(command, time_ns)


class SharesOneWindow(Engine):
    """Wrong: named orders of one account take the places of those of another."""

    def apply(self, command: Command, time_ns: int = 0) -> list[Event]:
        if not self.seq:
            self.retries = retry_window(-MEMORY.own)
        return super().apply(command, time_ns)


class PushesOutTheYoung(Engine):
    """Wrong: a full memory drops orders that it has to keep, in place of a refusal."""

    def apply(self, command: Command, time_ns: int = 0) -> list[Event]:
        if not self.seq:
            self.retries = RetryWindow(MEMORY.own, MEMORY.shared, MEMORY.most, 0)
        return super().apply(command, time_ns)


class MeetsOwnOrdersWhenSpent(Engine):
    """Wrong: a market order by quote amount checks the owner of the next order before the rest of
    the amount."""

    def apply(self, command: Command, time_ns: int = 0) -> list[Event]:
        first = isinstance(command, NewOrder) and bool(command.quote_amount)
        return _by_edition(self, 1 if first else self.edition, command, time_ns)


class RoundsTheMiddleDown(Engine):
    """Wrong: a first auction chooses the lower of two prices that are equally near the middle."""

    def apply(self, command: Command, time_ns: int = 0) -> list[Event]:
        first = isinstance(command, Uncross)
        return _by_edition(self, 1 if first else self.edition, command, time_ns)


class CallsTimersOffOnRefusal(Engine):
    """Wrong: a refused `cancel-after` ends the running timer."""

    def apply(self, command: Command, time_ns: int = 0) -> list[Event]:
        events = super().apply(command, time_ns)
        account = self.accounts.get(command.account)
        if (
            isinstance(command, SetCancelAfter)
            and isinstance(events[-1], CommandRejected)
            and account is not None
            and account.deadline is not None
        ):
            self.timers.discard(*account.deadline)
            account.deadline = None
        return events


def _by_edition(engine: Engine, edition: int, command: Command, time_ns: int) -> list[Event]:
    for book in engine.books.values():
        book.edition = edition
    events = Engine.apply(engine, command, time_ns)
    for book in engine.books.values():
        book.edition = engine.edition
    return events
