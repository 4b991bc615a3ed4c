"""Engines that are wrong on purpose, to show that the checks around the real one can fail."""

from msgspec.structs import replace

from common.commands import CancelOrder, Command
from common.events import Event, OrderAmended, OrderRepeated, TradeExecuted
from common.sequence import epoch_of
from common.types import OrderStatus
from matcher.dedupe import RetryWindow
from matcher.engine import Engine
from tests.properties.market import RETRIES


class RequeuesPartlyFilledMakers(Engine):
    """Wrong: a partly filled maker goes to the back of its level."""

    def apply(self, command: Command, time_ns: int = 0) -> list[Event]:
        events = super().apply(command, time_ns)
        last = events[-1] if events else None
        if isinstance(last, TradeExecuted) and last.maker_open_lots:
            maker = self.accounts[last.maker_account].orders[last.maker_order_id]
            queue = maker.queue
            assert queue is not None
            queue.remove(maker)
            queue.add(maker)
        return events


class ForgetsToFreeNames(Engine):
    """Wrong: the client order id of a cancelled order stays taken."""

    def apply(self, command: Command, time_ns: int = 0) -> list[Event]:
        events = super().apply(command, time_ns)
        if isinstance(command, CancelOrder) and len(events) == 1:
            name = getattr(events[0], "client_order_id", "")
            if name and hasattr(events[0], "canceled_lots"):
                account = self.accounts[command.account]
                account.by_client_order_id[name] = None  # type: ignore[assignment]
        return events


class CrashesOnAmendAcross(Engine):
    """Wrong: dies when an amended order trades."""

    def apply(self, command: Command, time_ns: int = 0) -> list[Event]:
        events = super().apply(command, time_ns)
        if len(events) > 1 and isinstance(events[0], OrderAmended):
            raise RuntimeError("amended across")
        return events


class AcceptsGaps(Engine):
    """Wrong: takes a request though others of its epoch before it are missing."""

    def apply(self, command: Command, time_ns: int = 0) -> list[Event]:
        last = self.last_request.get(command.gateway, 0)
        if command.gateway and epoch_of(command.request) == epoch_of(last):
            self.last_request[command.gateway] = max(last, command.request - 1)
        return super().apply(command, time_ns)


class AcceptsLateStarts(Engine):
    """Wrong: takes any request of a later epoch for its first."""

    def apply(self, command: Command, time_ns: int = 0) -> list[Event]:
        last = self.last_request.get(command.gateway, 0)
        if command.gateway and epoch_of(command.request) > epoch_of(last):
            self.last_request[command.gateway] = command.request - 1
        return super().apply(command, time_ns)


class IgnoresLaterEpochs(Engine):
    """Wrong: a gateway that started again is never heard again."""

    def apply(self, command: Command, time_ns: int = 0) -> list[Event]:
        last = self.last_request.get(command.gateway, 0)
        if command.gateway and epoch_of(command.request) > epoch_of(last):
            return []
        return super().apply(command, time_ns)


class TellsTheFirstStatus(Engine):
    """Wrong: a retry is told that its order is as it was entered."""

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
            self.retries = RetryWindow(RETRIES + 1)
        return super().apply(command, time_ns)


class ForgetsRetriesEarly(Engine):
    """Wrong: compares a retry with one order less."""

    def apply(self, command: Command, time_ns: int = 0) -> list[Event]:
        if not self.seq:
            self.retries = RetryWindow(RETRIES - 1)
        return super().apply(command, time_ns)
