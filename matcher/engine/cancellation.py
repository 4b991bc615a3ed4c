"""Cancels: of one order, of all that a command names, and of an account after its deadline."""

from typing import Final

from crossbook.common.messages.commands import CancelOrder, MassCancelOrders, SetCancelAfter
from crossbook.common.messages.events import (
    CancelAfterSet,
    Event,
    OrderCanceled,
    OrdersMassCanceled,
)
from crossbook.common.rules import CANCEL_AFTER_MAX_NS
from crossbook.common.types import OrderStatus, RejectReason, Side
from crossbook.matcher.engine.answers import canceled, rejected, unknown_order
from crossbook.matcher.engine.order import Order
from crossbook.matcher.engine.unfinished import AT_ONCE, Act, Unfinished
from crossbook.matcher.engine.venue import Venue

_BUY: Final = int(Side.BUY)
_SELL: Final = int(Side.SELL)
_CANCELED: Final = int(OrderStatus.CANCELED)


def cancel_order(venue: Venue, command: CancelOrder, seq: int) -> list[Event]:
    """End one open order."""
    # `Venue.find`, written out: cancels are as many as orders.
    account_id = command.account
    account = venue.accounts.get(account_id)
    order = None
    if account is not None:
        order_id = command.order_id
        if order_id:
            order = account.orders.get(order_id)
        else:
            order = account.by_client_order_id.get(command.client_order_id)
    if account is None or order is None or order.instrument != command.instrument:
        return [rejected(command, seq, unknown_order(command))]
    queue = order.queue
    if queue is None or order.conditions is not None:
        resting = venue.books[order.instrument].end(order, _CANCELED)
        return [canceled(order, seq, command.gateway, command.request_seq, resting)]
    queue.remove(order)
    del account.orders[order.order_id]
    client_order_id = order.client_order_id
    if client_order_id:
        del account.by_client_order_id[client_order_id]
        order.ended_as = _CANCELED
    remaining_lots = order.remaining_lots
    if order.hold_unit and venue.ledger is not None:
        venue.ledger.hold(order, venue.books[order.instrument].instrument, -remaining_lots)
    return [
        OrderCanceled(
            seq, command.gateway, command.request_seq, account_id, order.instrument,
            order.order_id, order.side, order.price_ticks, remaining_lots,
            order.quantity_lots - remaining_lots, client_order_id,
        )
    ]  # fmt: skip


def mass_cancel(venue: Venue, command: MassCancelOrders, seq: int) -> list[Event]:
    """End the open orders of an account, or of all, that the command names."""
    instrument, side = command.instrument, command.side
    if instrument and instrument not in venue.books:
        return [rejected(command, seq, (RejectReason.UNKNOWN_SYMBOL, "instrument"))]
    if side not in (0, _BUY, _SELL):
        return [rejected(command, seq, (RejectReason.UNSUPPORTED_COMBINATION, "side"))]
    doomed = _named(venue, command.account, instrument, side)
    events: list[Event] = [
        OrdersMassCanceled(
            seq,
            command.gateway,
            command.request_seq,
            command.account,
            instrument,
            command.side,
            len(doomed),
        )
    ]
    if cancel_all(venue, doomed, seq, command.reason, events):
        rest = Unfinished(
            seq, Act.CANCEL, instrument, command.account, command.side, command.reason
        )
        venue.timers.add(AT_ONCE, seq, rest)
        venue.doomed = doomed
    return events


def go_on_canceling(venue: Venue, rest: Unfinished, seq: int, events: list[Event]) -> None:
    """Cancel more of the orders that a mass cancel named. O(orders canceled), and once after a
    restart O(open orders)."""
    doomed = venue.doomed or _named(venue, rest.account, rest.instrument, rest.side)
    venue.doomed = []
    if cancel_all(venue, doomed, seq, rest.reason, events):
        venue.timers.add(AT_ONCE, seq, rest)
        venue.doomed = doomed


def _named(venue: Venue, account: int, instrument: int, side: int) -> list[Order]:
    """The open orders of an account, or of all, in this instrument and on this side, the oldest
    last; zero does not restrict."""
    return [
        order
        for order in reversed(venue.orders_of(account))
        if instrument in (0, order.instrument) and side in (0, order.side)
    ]


def cancel_all(
    venue: Venue, doomed: list[Order], seq: int, reason: int, events: list[Event]
) -> bool:
    """Take open orders from the end of the list and cancel them, until there are more than
    `max_fills` events; whether some are left. `reason` is that of a standing request, or zero."""
    while doomed:
        if len(events) > venue.max_fills:
            return True
        order = doomed.pop()
        resting = venue.books[order.instrument].end(order, _CANCELED)
        events.append(canceled(order, seq, 0, 0, resting, reason))
    return False


def cancel_after(venue: Venue, command: SetCancelAfter, seq: int, time_ns: int) -> list[Event]:
    """Start, renew or call off an account's dead-man timer."""
    if not 0 <= command.timeout_ns <= CANCEL_AFTER_MAX_NS:
        return [rejected(command, seq, (RejectReason.EXCEEDS_LIMIT, "timeout"))]
    account = venue.accounts.get(command.account)
    if account is not None and account.deadline is not None:
        venue.timers.discard(*account.deadline)
        account.deadline = None
    deadline_ns = 0
    if command.timeout_ns:
        account = venue.account(command.account)
        deadline_ns = time_ns + command.timeout_ns
        account.deadline = (deadline_ns, seq)
        venue.timers.add(deadline_ns, seq, account)
    return [CancelAfterSet(seq, command.gateway, command.request_seq, command.account, deadline_ns)]
