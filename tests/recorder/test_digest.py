"""What one transaction has to write for some events."""

import pytest

from crossbook.common.errors import StreamError
from crossbook.common.instruments import example
from crossbook.common.messages.events import (
    Event,
    EventBatch,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderExpired,
    TradeExecuted,
)
from crossbook.common.types import MAX_INT, OrderStatus, RejectReason
from crossbook.recorder.digest import Changes, Digest, OrderChange, Position

START = Position(7, 10, 100, 1, 4)


def accepted(seq: int, lots: int = 5) -> OrderAccepted:
    return OrderAccepted(seq, 0, 0, 3, 1, 1, 1, 1, 500, lots, "a")


def trade(seq: int, maker: int, taker: int, lots: int, left: int) -> TradeExecuted:
    """A trade that leaves `left` lots of both."""
    return TradeExecuted(
        seq, seq, 1, 500, lots, 2, maker, taker, 3, 4, 1, 2, lots, left, lots, left
    )


def changes(*batches: list[Event]) -> Changes:
    """What these batches come to, one command each."""
    digest = Digest([example()], START, {})
    for seq, events in enumerate(batches, 11):
        digest.add(EventBatch(7, seq, seq, seq * 10, events))
    found = digest.drain()
    assert found is not None
    assert digest.drain() is None
    return found


def test_an_order_that_ends_at_once_is_one_insert_of_its_end() -> None:
    found = changes([accepted(11)], [OrderCanceled(12, 0, 0, 3, 1, 11, 1, 500, 5, 0)])
    assert not found.changed
    (row,) = found.orders
    assert (row.status, row.remaining_lots, row.created_ns, row.updated_ns) == (
        OrderStatus.CANCELED, 0, 110, 120,
    )  # fmt: skip


def test_a_stored_order_is_one_update_that_adds_up() -> None:
    amended = OrderAmended(12, 0, 0, 3, 1, 4, 1, 510, 9, 2, 7, True)
    found = changes([trade(11, 4, 5, 2, 3)], [amended], [trade(13, 4, 6, 1, 6)])
    notional = 500 * example().notional_per_tick_lot
    by_id = {change.order_id: change for change in found.changed}
    assert by_id[4] == OrderChange(
        4, 510, 9, OrderStatus.PARTIALLY_FILLED, 1, 6, 3 * notional, 0, 130, 13, 0, 0, 1
    )
    assert by_id[5].price_ticks is None
    assert by_id[5].filled_notional == 2 * notional
    assert [row[0] for row in found.fills] == [5, 6, 7, 8]


def test_an_expiry_keeps_its_reason() -> None:
    expired = OrderExpired(11, 3, 1, 11, 1, 500, 5, 0, RejectReason.FILL_OR_KILL)
    (row,) = changes([accepted(11), expired]).orders
    assert (row.status, row.reason) == (OrderStatus.EXPIRED, RejectReason.FILL_OR_KILL)


def test_the_position_moves_with_every_command_and_not_with_heartbeats() -> None:
    digest = Digest([example()], START, {})
    digest.add(EventBatch(7, 11, 10, 999, []))
    assert digest.drain() is None
    digest.add(EventBatch(7, 11, 15, 150, []))
    found = digest.drain()
    assert found is not None
    assert (found.before, found.after) == (START, Position(7, 15, 150, 1, 4))


def test_the_first_command_recorded_is_remembered() -> None:
    digest = Digest([example()], Position(), {})
    digest.add(EventBatch(7, 31, 35, 150, []))
    found = digest.drain()
    assert found is not None
    assert found.after.first_seq == 31


def test_a_notional_is_exact_beyond_the_largest_number_of_a_column() -> None:
    huge = TradeExecuted(11, 11, 1, MAX_INT, MAX_INT, 2, 4, 5, 3, 4, 1, 2, 1, 0, 1, 0)
    notional = MAX_INT * MAX_INT * example().notional_per_tick_lot
    assert {change.filled_notional for change in changes([huge]).changed} == {notional}


def test_a_trade_of_an_unknown_instrument_is_refused() -> None:
    digest = Digest([], START, {})
    with pytest.raises(StreamError, match="instrument 1"):
        digest.add(EventBatch(7, 11, 11, 110, [trade(11, 4, 5, 1, 0)]))
