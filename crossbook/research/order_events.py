"""Order-by-order events of books, from the matcher's events.

The book of every instrument is rebuilt from events alone, as a consumer of the public feed sees it:
an iceberg shows its slice only, and an order that waits for a trigger or an uncross, or never
rests, shows nothing. Prices and lots are integers here; `crossbook.research.tables.L3` describes
the rows made of them.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final, Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from crossbook.common.messages.events import (
    AccountOpened,
    Event,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderCompleted,
    OrderExpired,
    OrderReduced,
    OrderReplenished,
    OrderTriggered,
    TradeExecuted,
)
from crossbook.common.types import TimeInForce

Act: TypeAlias = Literal["add", "execute", "modify", "delete"]

_IMMEDIATE: Final = (int(TimeInForce.IOC), int(TimeInForce.FOK))


class OrderEvent(Struct, gc=False, frozen=True):
    """One change of a resting order, which shows `remaining_lots` afterwards.

    `quantity_lots` were added, traded or taken away; of `modify` they are the new ones. A trade
    with hidden lots counts them in. `trade_id` and `other_order_id` are those of `execute`.
    """

    instrument: int
    seq: int
    act: Act
    order_id: int
    side: int
    price_ticks: int
    quantity_lots: int
    remaining_lots: int
    trade_id: int = 0
    other_order_id: int = 0


class _Resting(Struct, gc=False):
    instrument: int
    side: int
    price_ticks: int
    shown_lots: int
    hidden_lots: int = 0


class _Incoming(Struct, gc=False):
    """The order that rests with what its trades leave, once the next one comes or its command has
    ended."""

    seq: int
    order_id: int
    instrument: int
    side: int
    price_ticks: int
    remaining_lots: int
    display_lots: int


class OrderBooks:
    """The resting orders of all instruments, and what happens to them.

    Events come in order, from the first command of the exchange on. An order that is not known,
    because the events begin later, is passed over.
    """

    def __init__(self) -> None:
        self._orders: dict[int, _Resting] = {}
        self._incoming: _Incoming | None = None
        self._found: list[OrderEvent] = []
        self._within: dict[type, Callable[[Any], None]] = {
            TradeExecuted: self._traded,
            OrderExpired: self._expired,
            OrderReplenished: self._replenished,
            OrderReduced: self._reduced,
            OrderCompleted: _nothing,
            AccountOpened: _nothing,
        }
        self._own: dict[type, Callable[[Any], None]] = {
            OrderAccepted: self._accepted,
            OrderTriggered: self._triggered,
            OrderAmended: self._amended,
            OrderCanceled: self._canceled,
        }

    def __len__(self) -> int:
        return len(self._orders)

    def apply(self, events: Iterable[Event]) -> list[OrderEvent]:
        """What happens to resting orders in whole commands. O(events)."""
        for event in events:
            within = self._within.get(type(event))
            if within is not None:
                within(event)
                continue
            self._rest()
            own = self._own.get(type(event))
            if own is not None:
                own(event)
        self._rest()
        found, self._found = self._found, []
        return found

    def _rest(self) -> None:
        """The incoming order rests with what is left of it."""
        incoming, self._incoming = self._incoming, None
        if incoming is None or not incoming.remaining_lots:
            return
        shown = incoming.remaining_lots
        if incoming.display_lots:
            shown = min(shown, incoming.display_lots)
        resting = _Resting(
            incoming.instrument,
            incoming.side,
            incoming.price_ticks,
            shown,
            incoming.remaining_lots - shown,
        )
        self._orders[incoming.order_id] = resting
        self._add(incoming.seq, "add", incoming.order_id, resting, shown)

    def _add(
        self,
        seq: int,
        act: Act,
        order_id: int,
        order: _Resting,
        lots: int,
        trade_id: int = 0,
        other_order_id: int = 0,
    ) -> None:
        remaining = 0 if act == "delete" else order.shown_lots
        self._found.append(
            OrderEvent(
                order.instrument, seq, act, order_id, order.side, order.price_ticks, lots,
                remaining, trade_id, other_order_id,
            )
        )  # fmt: skip

    def _delete(self, seq: int, order_id: int) -> None:
        order = self._orders.pop(order_id, None)
        if order is not None:
            self._add(seq, "delete", order_id, order, order.shown_lots)

    def _accepted(self, event: OrderAccepted) -> None:
        terms = event.instructions
        waits = terms is not None and terms.trigger_ticks
        if event.price_ticks and event.time_in_force not in _IMMEDIATE and not waits:
            self._incoming = _Incoming(
                event.seq, event.seq, event.instrument, event.side, event.price_ticks,
                event.quantity_lots, terms.display_lots if terms is not None else 0,
            )  # fmt: skip

    def _triggered(self, event: OrderTriggered) -> None:
        if event.price_ticks and event.time_in_force not in _IMMEDIATE:
            self._incoming = _Incoming(
                event.seq, event.order_id, event.instrument, event.side, event.price_ticks,
                event.remaining_lots, event.display_lots,
            )  # fmt: skip

    def _amended(self, event: OrderAmended) -> None:
        if event.trigger_ticks or not event.price_ticks:
            return
        if event.kept_priority:
            self._show(event)
            return
        self._delete(event.seq, event.order_id)
        self._incoming = _Incoming(
            event.seq, event.order_id, event.instrument, event.side, event.price_ticks,
            event.remaining_lots, event.display_lots,
        )  # fmt: skip

    def _canceled(self, event: OrderCanceled) -> None:
        self._delete(event.seq, event.order_id)

    def _expired(self, event: OrderExpired) -> None:
        if event.resting:
            self._delete(event.seq, event.order_id)
        elif self._incoming is not None and self._incoming.order_id == event.order_id:
            self._incoming.remaining_lots = 0

    def _reduced(self, event: OrderReduced) -> None:
        incoming = self._incoming
        if incoming is not None and incoming.order_id == event.order_id:
            incoming.remaining_lots = event.remaining_lots
        else:
            self._show(event)

    def _show(self, event: OrderAmended | OrderReduced) -> None:
        """A resting order has fewer lots, and keeps its place. One whose hidden lots alone
        changed shows nothing new."""
        order = self._orders.get(event.order_id)
        if order is None:
            return
        before = order.shown_lots
        order.shown_lots = event.shown_lots or event.remaining_lots
        order.hidden_lots = event.remaining_lots - order.shown_lots
        if order.shown_lots != before:
            self._add(event.seq, "modify", event.order_id, order, order.shown_lots)

    def _traded(self, event: TradeExecuted) -> None:
        self._execute(event, event.maker_order_id, event.taker_order_id)
        incoming = self._incoming
        if incoming is not None and incoming.order_id == event.taker_order_id:
            incoming.remaining_lots = event.taker_remaining_lots
        else:
            # In an uncross both may be resting orders.
            self._execute(event, event.taker_order_id, event.maker_order_id)

    def _execute(self, event: TradeExecuted, order_id: int, other_order_id: int) -> None:
        order = self._orders.get(order_id)
        if order is None:
            return
        lots = event.quantity_lots
        # An uncross trades beyond the slice from the hidden lots.
        beyond = max(lots - order.shown_lots, 0)
        order.shown_lots -= lots - beyond
        order.hidden_lots -= beyond
        self._add(event.seq, "execute", order_id, order, lots, event.trade_id, other_order_id)
        if not order.shown_lots + order.hidden_lots:
            del self._orders[order_id]

    def _replenished(self, event: OrderReplenished) -> None:
        order = self._orders.get(event.order_id)
        if order is None:
            return
        order.shown_lots = event.shown_lots
        order.hidden_lots = event.remaining_lots - event.shown_lots
        if event.requeued:
            self._add(event.seq, "add", event.order_id, order, event.shown_lots)
            return
        # In an uncross the order keeps its place: its trade, among the last events, leaves the
        # next slice.
        place = len(self._found) - 1
        while self._found[place].order_id != event.order_id:
            place -= 1
        self._found[place] = replace(self._found[place], remaining_lots=event.shown_lots)


def _nothing(event: Any) -> None:
    """An event beside the incoming order that changes no book."""
