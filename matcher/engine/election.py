"""Cascades: a trade elects waiting orders, and their trades elect others.

After a command is fully applied the met triggers are collected and run one after the other, each
as a new taker under the command's number; then again, until none is met. Each order is elected
once, so a cascade ends. A long one goes on under the next numbers.
"""

from typing import Final

from crossbook.common.messages.events import Event, OrderTriggered
from crossbook.common.types import InstrumentState, RejectReason
from crossbook.matcher.engine.book import OrderBook
from crossbook.matcher.engine.funds import can_pay
from crossbook.matcher.engine.matching import enter_limit, enter_market, expire
from crossbook.matcher.engine.order import Order
from crossbook.matcher.engine.unfinished import AT_ONCE, Act, Unfinished

_OPEN: Final = int(InstrumentState.OPEN)


def elect(book: OrderBook, seq: int, events: list[Event]) -> None:
    """Run what the last price elects, in rounds, until it elects nothing more, or until there are
    more than `max_fills` events: the rest is due at once.

    Where nothing trades it waits: opening the instrument elects what was met meanwhile.
    """
    triggers = book.triggers
    assert triggers is not None, "nothing ever waited here"
    while book.state == _OPEN:
        if not triggers.met:
            if triggers.trade_id == book.last_trade_id:
                return
            triggers.elect(book.last_price_ticks, book.last_trade_id)
            continue
        if len(events) > book.max_fills:
            rest = Unfinished(seq, Act.ELECT, book.instrument_id)
            book.timers.add(AT_ONCE, seq, rest)
            return
        _run(book, triggers.met.pop(), seq, events)


def _run(book: OrderBook, order: Order, seq: int, events: list[Event]) -> None:
    conditions = order.conditions
    assert conditions is not None, "a plain order waits for nothing"
    conditions.waits = 0
    order.arrival = seq
    events.append(
        OrderTriggered(
            seq,
            order.account.account_id,
            order.instrument,
            order.order_id,
            order.side,
            conditions.order_type,
            conditions.time_in_force,
            order.price_ticks,
            order.remaining_lots,
            conditions.trigger_ticks,
            book.last_price_ticks,
            conditions.display_lots,
            order.client_order_id,
        )
    )
    if order.price_ticks:
        enter_limit(book, order, conditions.time_in_force, seq, events)
    elif book.ledger is not None and not can_pay(book.ledger, book, order):
        expire(book, order, seq, RejectReason.INSUFFICIENT_BALANCE, events)
    else:
        enter_market(book, order, seq, events)
