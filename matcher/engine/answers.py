"""Events about orders and commands, made from what they are about."""

from crossbook.common.messages.commands import AmendOrder, CancelOrder, Command, NewOrder
from crossbook.common.messages.events import (
    CommandRejected,
    OrderAmended,
    OrderCanceled,
    OrderExpired,
    OrderRepeated,
    OrderReplenished,
)
from crossbook.common.types import RejectReason
from crossbook.matcher.engine.conditions import Waits
from crossbook.matcher.engine.order import Order

Fault = tuple[RejectReason, str]
"""Why a command is refused, and which field."""


def rejected(command: Command, seq: int, fault: Fault) -> CommandRejected:
    """The command is refused."""
    return CommandRejected(
        seq,
        command.gateway,
        command.request_seq,
        command.account,
        command.instrument,
        fault[0],
        fault[1],
        getattr(command, "client_order_id", ""),
    )


def unknown_order(command: CancelOrder | AmendOrder) -> Fault:
    """The account has no such open order. The answer does not give the reason."""
    return (RejectReason.UNKNOWN_ORDER, "order_id" if command.order_id else "client_order_id")


def repeated(command: NewOrder, earlier: Order, seq: int) -> OrderRepeated:
    """The command repeats an earlier order."""
    return OrderRepeated(
        seq,
        command.gateway,
        command.request_seq,
        command.account,
        command.instrument,
        earlier.order_id,
        earlier.status,
        earlier.quantity_lots - earlier.remaining_lots,
        0 if earlier.ended_as else earlier.remaining_lots,
        earlier.client_order_id,
    )


def canceled(
    order: Order, seq: int, gateway: int, request: int, resting: bool = True, reason: int = 0
) -> OrderCanceled:
    """The order ended on request."""
    return OrderCanceled(
        seq,
        gateway,
        request,
        order.account.account_id,
        order.instrument,
        order.order_id,
        order.side,
        order.price_ticks,
        order.remaining_lots,
        order.quantity_lots - order.remaining_lots,
        order.client_order_id,
        resting,
        reason,
    )


def expired(
    order: Order, seq: int, reason: RejectReason, quote_left: int = 0, resting: bool = False
) -> OrderExpired:
    """The order ended without a request."""
    return OrderExpired(
        seq,
        order.account.account_id,
        order.instrument,
        order.order_id,
        order.side,
        order.price_ticks,
        order.remaining_lots,
        order.quantity_lots - order.remaining_lots,
        reason,
        order.client_order_id,
        quote_left,
        resting,
    )


def amended(order: Order, seq: int, command: AmendOrder, kept_priority: bool) -> OrderAmended:
    """The order has new terms. One that will rest shows a new slice if it lost its place."""
    trigger_ticks = display_lots = shown_lots = 0
    conditions = order.conditions
    if conditions is not None:
        if conditions.waits == Waits.TRIGGER:
            trigger_ticks = conditions.trigger_ticks
        display_lots = conditions.display_lots
        shown_lots = conditions.shown_lots if display_lots else 0
    return OrderAmended(
        seq,
        command.gateway,
        command.request_seq,
        command.account,
        order.instrument,
        order.order_id,
        order.side,
        order.price_ticks,
        order.quantity_lots,
        order.quantity_lots - order.remaining_lots,
        order.remaining_lots,
        kept_priority,
        order.client_order_id,
        trigger_ticks,
        display_lots,
        shown_lots,
    )


def replenished(order: Order, seq: int, requeued: bool) -> OrderReplenished:
    """An iceberg shows its next slice."""
    return OrderReplenished(
        seq,
        order.account.account_id,
        order.instrument,
        order.order_id,
        order.side,
        order.price_ticks,
        order.shown_lots,
        order.remaining_lots,
        requeued,
        order.client_order_id,
    )
