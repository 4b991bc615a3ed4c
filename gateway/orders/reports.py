"""Events to the replies of the sessions they concern.

The session that sent the command gets the `Ack` or `Reject`; every other session of the account
gets an `Execution` of the same fact. Fills, expiries and the orders of a mass cancel go to all
sessions of their account.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias, TypeVar, get_args

from msgspec.structs import replace

from crossbook.common.instruments import Instrument
from crossbook.common.messages.entry import Ack, Execution, Reject
from crossbook.common.messages.events import (
    CancelAfterSet,
    CommandRejected,
    Event,
    EventBatch,
    FeesChanged,
    InstrumentAdded,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderCompleted,
    OrderExpired,
    OrderReduced,
    OrderRepeated,
    OrdersMassCanceled,
    OrderTriggered,
    TradeExecuted,
)
from crossbook.common.messages.refusal import refusal_text
from crossbook.common.rules import NO_RULES, Rules
from crossbook.common.types import ExecutionKind, Liquidity, OrderStatus, RejectReason, Side
from crossbook.gateway.orders.commands_in_flight import CommandsInFlight, Origin
from crossbook.gateway.orders.outbox import Outbox
from crossbook.gateway.orders.session import OrderSession

_NEW: Final = int(OrderStatus.NEW)
_PARTIALLY_FILLED: Final = int(OrderStatus.PARTIALLY_FILLED)
_FILLED: Final = int(OrderStatus.FILLED)
_CANCELED: Final = int(OrderStatus.CANCELED)
_EXPIRED: Final = int(OrderStatus.EXPIRED)
_EXPIRED_IN_MATCH: Final = int(OrderStatus.EXPIRED_IN_MATCH)
_FILL: Final = int(ExecutionKind.FILL)
_MAKER: Final = int(Liquidity.MAKER)
_TAKER: Final = int(Liquidity.TAKER)
_BUY: Final = int(Side.BUY)
_SELL: Final = int(Side.SELL)
_NO_SESSIONS: Final[tuple[OrderSession, ...]] = ()

OrderEvent: TypeAlias = (
    OrderAccepted
    | OrderCanceled
    | OrderExpired
    | OrderCompleted
    | OrderAmended
    | OrderTriggered
    | OrderReduced
)

ListenedEvent = TypeVar("ListenedEvent", bound=Event)


def _no_reply(event: Event) -> None:
    """Ignore an event that concerns no session."""


class Reporter:
    """Turns one event after another into replies, which go to `outbox`.

    `sessions` are those that get replies, by account. The command that an event answers is removed
    from `in_flight`, which names the session that sent it. `changes` are changes of instruments,
    which the owner collects and applies.
    `rules` are the venue's, whose limits the text of a reject names.
    """

    def __init__(
        self,
        instruments: Iterable[Instrument],
        gateway: int,
        sessions: Mapping[int, Sequence[OrderSession]],
        in_flight: CommandsInFlight,
        outbox: Outbox,
        rules: Rules = NO_RULES,
    ) -> None:
        self.changes: list[InstrumentAdded | FeesChanged] = []
        self._instruments = {instrument.id: instrument for instrument in instruments}
        self._symbols = {each.id: each.symbol for each in self._instruments.values()}
        self._rules = rules
        self._gateway = gateway
        self._by_account = sessions
        self._in_flight = in_flight
        self._outbox = outbox
        self._time_ns = 0
        # Of the command whose events are being reported: where it comes from, and whether it is a
        # market order by quote amount, whose fills do not show when it is filled.
        self._origin: Origin | None = None
        self._origin_seq = 0
        self._request_seq = 0
        self._by_quote = False
        self._seq = 0
        self._index = 0
        self._reporters: dict[type, Callable[[Any], None]] = {
            **dict.fromkeys(get_args(Event), _no_reply),
            OrderAccepted: self._accepted,
            TradeExecuted: self._trade,
            OrderCanceled: self._canceled,
            OrderExpired: self._expired,
            OrderCompleted: self._completed,
            OrderAmended: self._amended,
            OrdersMassCanceled: self._mass_canceled,
            OrderRepeated: self._repeated,
            CommandRejected: self._rejected,
            OrderTriggered: self._triggered,
            OrderReduced: self._reduced,
            CancelAfterSet: self._cancel_after_set,
            InstrumentAdded: self._added,
            FeesChanged: self._fees_changed,
        }

    def listen(self, kind: type[ListenedEvent], listener: Callable[[ListenedEvent], None]) -> None:
        """Have events of a kind that concerns no session passed to `listener`, in order."""
        assert self._reporters[kind] is _no_reply, kind
        self._reporters[kind] = listener

    def set_instrument(self, instrument: Instrument) -> None:
        """Add or replace an instrument."""
        self._instruments[instrument.id] = instrument
        self._symbols[instrument.id] = instrument.symbol

    def collect_changes(self) -> list[InstrumentAdded | FeesChanged]:
        """Remove and return the changes of instruments."""
        changes, self.changes = self.changes, []
        return changes

    def report(self, batch: EventBatch) -> None:
        """Report every event of a batch."""
        self._time_ns = batch.time_ns
        reporters, last_seq = self._reporters, self._seq
        for event in batch.events:
            seq = event.seq
            if seq == last_seq:
                self._index += 1
            else:
                last_seq = seq
                self._index = 0
            reporters[type(event)](event)
        self._seq = last_seq

    def _remove_answered(
        self,
        event: OrderAccepted
        | OrderRepeated
        | OrderCanceled
        | OrderAmended
        | OrdersMassCanceled
        | CancelAfterSet
        | CommandRejected,
    ) -> Origin | None:
        """The origin of the command that `event` answers; None for a command of another gateway."""
        origin = (
            self._in_flight.answered(event.request_seq) if event.gateway == self._gateway else None
        )
        self._origin = origin
        self._origin_seq = event.seq
        self._request_seq = origin[1] if origin is not None else 0
        self._by_quote = False
        return origin

    def _accepted(self, event: OrderAccepted) -> None:
        origin = self._remove_answered(event)
        self._by_quote = event.quote_amount > 0
        lots = event.quantity_lots
        coid = event.client_order_id
        if origin is not None:
            ack = Ack(origin[1], event.seq, event.seq, _NEW, coid, lots, self._time_ns)
            self._outbox.add(origin[0].identity, ack)
            sessions = self._by_account.get(event.account, _NO_SESSIONS)
            if len(sessions) == 1 and sessions[0] is origin[0]:
                # Nearly always so: it saves a call an order.
                return
        others = self._others(event.account, origin)
        if others:
            instructions = event.instructions
            execution = self._execution(
                event, event.seq, ExecutionKind.NEW, _NEW, event.side, event.price_ticks, lots,
                0, lots, order_type=event.order_type,
                trigger_ticks=instructions.trigger_ticks if instructions is not None else 0,
            )  # fmt: skip
            self._outbox.share(others, execution)

    def _others(self, account: int, origin: Origin | None) -> Sequence[OrderSession]:
        """Sessions of the account other than the one that sent the command."""
        sessions = self._by_account.get(account, _NO_SESSIONS)
        if origin is None:
            return sessions
        sender = origin[0]
        if len(sessions) == 1 and sessions[0] is sender:
            return _NO_SESSIONS
        return [session for session in sessions if session is not sender]

    def _execution(
        self,
        event: OrderEvent,
        order_id: int,
        kind: int,
        status: int,
        side: int,
        price_ticks: int,
        lots: int,
        filled_lots: int,
        remaining_lots: int,
        reason: int = 0,
        request_seq: int = 0,
        order_type: int = 1,
        trigger_ticks: int = 0,
        working: bool = True,
        quote_left: int = 0,
    ) -> Execution:
        """An execution report that is not a fill."""
        return Execution(
            request_seq, event.seq, self._symbols[event.instrument], order_id,
            event.client_order_id, kind, status, side, price_ticks, lots, filled_lots,
            remaining_lots, self._time_ns, 0, 0, 0, reason, self._index, order_type, trigger_ticks,
            working and not trigger_ticks, quote_left,
        )  # fmt: skip

    def _trade(self, event: TradeExecuted) -> None:
        maker_sessions = self._by_account.get(event.maker_account)
        if maker_sessions is not None:
            remaining_lots = event.maker_remaining_lots
            report = Execution(
                0,
                event.seq,
                self._symbols[event.instrument],
                event.maker_order_id,
                event.maker_client_order_id,
                _FILL,
                _PARTIALLY_FILLED if remaining_lots else _FILLED,
                _SELL if event.aggressor_side == _BUY else _BUY,
                event.price_ticks,
                event.quantity_lots,
                event.maker_filled_lots,
                remaining_lots,
                self._time_ns,
                event.trade_id,
                _MAKER,
                event.maker_fee,
                0,
                self._index,
            )
            for session in maker_sessions:
                self._outbox.add(session.identity, report)
        taker_sessions = self._by_account.get(event.taker_account)
        if taker_sessions is not None:
            remaining_lots = event.taker_remaining_lots
            report = Execution(
                # In place of `_caused_by`: a call of each fill.
                self._request_seq if event.seq == self._origin_seq else 0,
                event.seq,
                self._symbols[event.instrument],
                event.taker_order_id,
                event.taker_client_order_id,
                _FILL,
                _PARTIALLY_FILLED if remaining_lots or self._by_quote else _FILLED,
                event.aggressor_side,
                event.price_ticks,
                event.quantity_lots,
                event.taker_filled_lots,
                remaining_lots,
                self._time_ns,
                event.trade_id,
                _TAKER,
                event.taker_fee,
                0,
                self._index,
            )
            self._deliver(taker_sessions, report)

    def _caused_by(self, seq: int) -> int:
        """The request_seq of the command of number `seq`; zero where no session of this gateway
        sent it."""
        return self._request_seq if seq == self._origin_seq else 0

    def _deliver(self, sessions: Sequence[OrderSession], execution: Execution) -> None:
        """Send an execution to all of these sessions. Its `request_seq` is for the session that
        sent the command, and zero for the others."""
        origin = self._origin
        if not execution.request_seq or origin is None:
            self._outbox.share(sessions, execution)
            return
        sender = origin[0]
        if len(sessions) == 1 and sessions[0] is sender:
            self._outbox.add(sender.identity, execution)
            return
        others = [session for session in sessions if session is not sender]
        if len(others) < len(sessions):
            self._outbox.add(sender.identity, execution)
        self._outbox.share(others, replace(execution, request_seq=0))

    def _canceled(self, event: OrderCanceled) -> None:
        if not event.request_seq and event.seq == self._origin_seq:
            # One order of a mass cancel: all sessions receive it, the one that sent it too.
            origin = None
            sessions: Sequence[OrderSession] = self._by_account.get(event.account, _NO_SESSIONS)
        else:
            origin = self._remove_answered(event)
            sessions = self._others(event.account, origin)
        if origin is not None:
            coid = event.client_order_id
            ack = Ack(
                origin[1], event.seq, event.order_id, _CANCELED, coid, 0, self._time_ns, 0, False,
                event.filled_lots,
            )  # fmt: skip
            self._outbox.add(origin[0].identity, ack)
        if sessions:
            execution = self._execution(
                event, event.order_id, ExecutionKind.CANCELED, _CANCELED, event.side,
                event.price_ticks, event.canceled_lots, event.filled_lots, 0,
                event.reason, self._caused_by(event.seq),
            )  # fmt: skip
            self._deliver(sessions, execution)

    def _expired(self, event: OrderExpired) -> None:
        in_match = event.reason == RejectReason.SELF_TRADE
        status = _EXPIRED_IN_MATCH if in_match else _EXPIRED
        sessions = self._by_account.get(event.account)
        if sessions is not None:
            execution = self._execution(
                event, event.order_id, ExecutionKind.EXPIRED, status, event.side,
                event.price_ticks, event.expired_lots, event.filled_lots, 0, event.reason,
                self._caused_by(event.seq), quote_left=event.quote_left,
            )  # fmt: skip
            self._deliver(sessions, execution)

    def _completed(self, event: OrderCompleted) -> None:
        sessions = self._by_account.get(event.account)
        if sessions is not None:
            execution = self._execution(
                event, event.order_id, ExecutionKind.COMPLETED, _FILLED, event.side, 0, 0,
                event.filled_lots, 0, 0, self._caused_by(event.seq),
                quote_left=event.quote_left,
            )  # fmt: skip
            self._deliver(sessions, execution)

    def _amended(self, event: OrderAmended) -> None:
        origin = self._remove_answered(event)
        status = _PARTIALLY_FILLED if event.filled_lots else _NEW
        if origin is not None:
            ack = Ack(
                origin[1], event.seq, event.order_id, status, event.client_order_id,
                event.remaining_lots, self._time_ns, 0, False, event.filled_lots,
            )  # fmt: skip
            self._outbox.add(origin[0].identity, ack)
        others = self._others(event.account, origin)
        if others:
            execution = self._execution(
                event, event.order_id, ExecutionKind.AMENDED, status, event.side,
                event.price_ticks, event.quantity_lots, event.filled_lots, event.remaining_lots,
                trigger_ticks=event.trigger_ticks,
            )  # fmt: skip
            self._outbox.share(others, execution)

    def _triggered(self, event: OrderTriggered) -> None:
        # The events that follow are of an order with a quantity, whatever the one before was.
        self._by_quote = False
        sessions = self._by_account.get(event.account)
        if sessions is not None:
            execution = self._execution(
                event, event.order_id, ExecutionKind.TRIGGERED, _NEW, event.side,
                event.price_ticks, event.remaining_lots, 0, event.remaining_lots, 0,
                self._caused_by(event.seq), event.order_type,
            )  # fmt: skip
            self._deliver(sessions, execution)

    def _reduced(self, event: OrderReduced) -> None:
        status = _PARTIALLY_FILLED if event.filled_lots else _NEW
        sessions = self._by_account.get(event.account)
        if sessions is not None:
            execution = self._execution(
                event, event.order_id, ExecutionKind.PREVENTED, status, event.side,
                event.price_ticks, event.prevented_lots, event.filled_lots, event.remaining_lots,
                RejectReason.SELF_TRADE, self._caused_by(event.seq),
            )  # fmt: skip
            self._deliver(sessions, execution)

    def _cancel_after_set(self, event: CancelAfterSet) -> None:
        origin = self._remove_answered(event)
        if origin is not None:
            self._outbox.add(
                origin[0].identity, Ack(origin[1], event.seq, 0, 0, "", 0, self._time_ns)
            )

    def _added(self, event: InstrumentAdded) -> None:
        self.set_instrument(event.definition)
        self.changes.append(event)

    def _fees_changed(self, event: FeesChanged) -> None:
        if not event.account:
            self.changes.append(event)

    def _mass_canceled(self, event: OrdersMassCanceled) -> None:
        origin = self._remove_answered(event)
        if origin is not None:
            ack = Ack(origin[1], event.seq, 0, _CANCELED, "", 0, self._time_ns, event.count)
            self._outbox.add(origin[0].identity, ack)

    def _repeated(self, event: OrderRepeated) -> None:
        origin = self._remove_answered(event)
        if origin is not None:
            ack = Ack(
                origin[1], event.seq, event.order_id, event.status, event.client_order_id,
                event.remaining_lots, self._time_ns, 0, True, event.filled_lots,
            )  # fmt: skip
            self._outbox.add(origin[0].identity, ack)

    def _rejected(self, event: CommandRejected) -> None:
        origin = self._remove_answered(event)
        if origin is not None:
            command = origin[2]
            instrument = self._instruments.get(command.instrument)
            text = refusal_text(event, command, instrument, self._rules)
            reject = Reject(
                origin[1], event.reason, event.field, text, event.client_order_id, event.seq
            )
            self._outbox.refuse(origin[0].identity, reject)
