"""Engines that are wrong on purpose, to show that the checks around the real one can fail."""

from common.commands import CancelOrder, Command
from common.events import Event, OrderAmended, TradeExecuted
from matcher.engine import Engine


class RequeuesPartlyFilledMakers(Engine):
    """Wrong: a partly filled maker goes to the back of its level."""

    def apply(self, command: Command, time_ns: int = 0) -> list[Event]:
        events = super().apply(command, time_ns)
        last = events[-1] if events else None
        if isinstance(last, TradeExecuted) and last.maker_open_lots:
            maker = self.accounts[last.maker_account].orders[last.maker_order_id]
            assert maker.level is not None
            side = maker.level.side
            side.remove(maker)
            side.add(maker)
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
