"""The rows that one transaction writes for some events."""

import pytest
from msgspec.structs import replace

from crossbook.common.errors import StreamError
from crossbook.common.instruments import example
from crossbook.common.keys import Key, KeyScheme, Scope
from crossbook.common.messages.events import (
    Event,
    EventBatch,
    InstrumentAdded,
    KeyChanged,
    KeyDeleted,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderExpired,
    TradeExecuted,
)
from crossbook.common.types import MAX_INT, OrderStatus, RejectReason
from crossbook.recorder.digest import Changes, EventDigest, OrderUpdate, RecordPosition

START = RecordPosition(incarnation=7, seq=10, time_ns=100, first_seq=1, last_fill_id=4)


def accepted(seq: int, lots: int = 5) -> OrderAccepted:
    return OrderAccepted(
        seq=seq,
        gateway=0,
        request_seq=0,
        account=3,
        instrument=1,
        side=1,
        order_type=1,
        time_in_force=1,
        price_ticks=500,
        quantity_lots=lots,
        client_order_id="a",
    )


def trade(seq: int, maker: int, taker: int, lots: int, left: int) -> TradeExecuted:
    """A trade that leaves `left` lots of both."""
    return TradeExecuted(
        seq=seq,
        trade_id=seq,
        instrument=1,
        price_ticks=500,
        quantity_lots=lots,
        aggressor_side=2,
        maker_order_id=maker,
        taker_order_id=taker,
        maker_account=3,
        taker_account=4,
        maker_fee=1,
        taker_fee=2,
        maker_filled_lots=lots,
        maker_remaining_lots=left,
        taker_filled_lots=lots,
        taker_remaining_lots=left,
    )


def changes(*batches: list[Event]) -> Changes:
    """The changes of these batches, one command each."""
    digest = EventDigest([example()], START, {})
    for seq, events in enumerate(batches, 11):
        digest.add(
            EventBatch(incarnation=7, first_seq=seq, last_seq=seq, time_ns=seq * 10, events=events)
        )
    found = digest.drain()
    assert found is not None
    assert digest.drain() is None
    return found


def test_an_order_that_ends_at_once_is_one_insert_of_its_end() -> None:
    found = changes(
        [accepted(11)],
        [
            OrderCanceled(
                seq=12,
                gateway=0,
                request_seq=0,
                account=3,
                instrument=1,
                order_id=11,
                side=1,
                price_ticks=500,
                canceled_lots=5,
                filled_lots=0,
            )
        ],
    )
    assert not found.changed
    (row,) = found.orders
    assert (row.status, row.remaining_lots, row.created_ns, row.updated_ns) == (
        OrderStatus.CANCELED, 0, 110, 120,
    )  # fmt: skip


def test_a_stored_order_is_one_update_that_adds_up() -> None:
    amended = OrderAmended(
        seq=12,
        gateway=0,
        request_seq=0,
        account=3,
        instrument=1,
        order_id=4,
        side=1,
        price_ticks=510,
        quantity_lots=9,
        filled_lots=2,
        remaining_lots=7,
        kept_priority=True,
    )
    found = changes([trade(11, 4, 5, 2, 3)], [amended], [trade(13, 4, 6, 1, 6)])
    notional = 500 * example().notional_per_tick_lot
    by_id = {change.order_id: change for change in found.changed}
    assert by_id[4] == OrderUpdate(
        order_id=4,
        price_ticks=510,
        quantity_lots=9,
        status=OrderStatus.PARTIALLY_FILLED,
        filled_lots=1,
        remaining_lots=6,
        filled_notional=3 * notional,
        reason=0,
        updated_ns=130,
        updated_seq=13,
        trigger_ticks=0,
        display_lots=0,
        working=1,
    )
    assert by_id[5].price_ticks is None
    assert by_id[5].filled_notional == 2 * notional
    assert [row[0] for row in found.fills] == [5, 6, 7, 8]


def test_an_expiry_keeps_its_reason() -> None:
    expired = OrderExpired(
        seq=11,
        account=3,
        instrument=1,
        order_id=11,
        side=1,
        price_ticks=500,
        expired_lots=5,
        filled_lots=0,
        reason=RejectReason.FILL_OR_KILL,
    )
    (row,) = changes([accepted(11), expired]).orders
    assert (row.status, row.reason) == (OrderStatus.EXPIRED, RejectReason.FILL_OR_KILL)


def test_the_position_moves_with_every_command_and_not_with_heartbeats() -> None:
    digest = EventDigest([example()], START, {})
    digest.add(EventBatch(incarnation=7, first_seq=11, last_seq=10, time_ns=999, events=[]))
    assert digest.drain() is None
    digest.add(EventBatch(incarnation=7, first_seq=11, last_seq=15, time_ns=150, events=[]))
    found = digest.drain()
    assert found is not None
    assert (found.before, found.after) == (
        START,
        RecordPosition(incarnation=7, seq=15, time_ns=150, first_seq=1, last_fill_id=4),
    )


def test_api_keys_are_not_recorded() -> None:
    key = Key(
        key_id="k", scheme=KeyScheme.HMAC_SHA256, material=b"s" * 64, scopes=Scope.READ, account=3
    )
    found = changes([KeyChanged(11, 0, 0, key)], [KeyDeleted(12, 0, 0, "k")])
    assert found.after.seq == 12
    assert [found.orders, found.changed, found.trades, found.fills, found.candles] == [[]] * 5


def test_the_first_recorded_command_is_kept() -> None:
    digest = EventDigest([example()], RecordPosition(), {})
    digest.add(EventBatch(incarnation=7, first_seq=31, last_seq=35, time_ns=150, events=[]))
    found = digest.drain()
    assert found is not None
    assert found.after.first_seq == 31


def test_every_instrument_is_recorded_once_with_the_first_command_after_it() -> None:
    added = replace(example(), id=2, symbol="ETH-USDT")
    digest = EventDigest([example()], START, {})
    found = []
    for seq in (11, 12, 13):
        digest.learn(example(), ())
        events: list[Event] = [
            InstrumentAdded(seq=12, gateway=0, request_seq=0, instrument=2, definition=added)
        ] if seq == 12 else []  # fmt: skip
        digest.add(
            EventBatch(incarnation=7, first_seq=seq, last_seq=seq, time_ns=seq * 10, events=events)
        )
        one = digest.drain()
        assert one is not None
        found.append(one.instruments)
    assert found == [[example()], [added], []]


def test_a_notional_is_exact_beyond_the_largest_number_of_a_column() -> None:
    huge = TradeExecuted(
        seq=11,
        trade_id=11,
        instrument=1,
        price_ticks=MAX_INT,
        quantity_lots=MAX_INT,
        aggressor_side=2,
        maker_order_id=4,
        taker_order_id=5,
        maker_account=3,
        taker_account=4,
        maker_fee=1,
        taker_fee=2,
        maker_filled_lots=1,
        maker_remaining_lots=0,
        taker_filled_lots=1,
        taker_remaining_lots=0,
    )
    notional = MAX_INT * MAX_INT * example().notional_per_tick_lot
    assert {change.filled_notional for change in changes([huge]).changed} == {notional}


def test_a_trade_of_an_unknown_instrument_is_refused() -> None:
    digest = EventDigest([], START, {})
    with pytest.raises(StreamError, match="instrument 1"):
        digest.add(
            EventBatch(
                incarnation=7,
                first_seq=11,
                last_seq=11,
                time_ns=110,
                events=[trade(11, 4, 5, 1, 0)],
            )
        )
