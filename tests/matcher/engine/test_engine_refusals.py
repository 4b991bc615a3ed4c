"""Refused commands and their reasons, numbers of commands, and the list of open orders."""

import pytest
from msgspec.structs import replace

from crossbook.common.instruments import MAX_NOTIONAL
from crossbook.common.messages.commands import NewOrder
from crossbook.common.messages.events import CommandRejected, OrderAccepted
from crossbook.common.sequence import first_of
from crossbook.common.types import RejectReason
from crossbook.matcher.recovery.snapshot import capture, state_hash
from tests.worlds.venue import ALICE, BOB, BUY, ETH, SELL, amend, cancel, limit, mass_cancel, venue

# Rejects of new orders


def _new(**changed: int) -> NewOrder:
    """A sound order for ETH-EUR with the given changes."""
    return replace(
        NewOrder(
            gateway=0,
            request_seq=0,
            account=ALICE,
            instrument=ETH.id,
            side=1,
            order_type=1,
            time_in_force=1,
            price_ticks=100,
            quantity_lots=5,
        ),
        **changed,
    )


_UNSUPPORTED = RejectReason.UNSUPPORTED_COMBINATION


@pytest.mark.parametrize(
    ("command", "reason", "field"),
    [
        (_new(instrument=9, side=9), RejectReason.UNKNOWN_SYMBOL, "instrument"),
        (_new(side=0, order_type=9), _UNSUPPORTED, "side"),
        (_new(side=3), _UNSUPPORTED, "side"),
        (_new(order_type=0, time_in_force=9), _UNSUPPORTED, "order_type"),
        (_new(order_type=7), _UNSUPPORTED, "order_type"),
        (_new(time_in_force=0, quote_amount=1), _UNSUPPORTED, "time_in_force"),
        (_new(time_in_force=6), _UNSUPPORTED, "time_in_force"),
        (_new(quote_amount=1, quantity_lots=0), _UNSUPPORTED, "quote_amount"),
        (_new(order_type=2), _UNSUPPORTED, "price"),
        (_new(order_type=2, time_in_force=3, price_ticks=0), _UNSUPPORTED, "time_in_force"),
        (_new(order_type=2, price_ticks=0, quantity_lots=0), _UNSUPPORTED, "quantity"),
        (_new(order_type=2, price_ticks=0, quote_amount=500), _UNSUPPORTED, "quantity"),
        (_new(quantity_lots=1, price_ticks=0), RejectReason.BAD_LOT, "quantity"),
        (_new(quantity_lots=0), RejectReason.BAD_LOT, "quantity"),
        (_new(quantity_lots=-5), RejectReason.BAD_LOT, "quantity"),
        (_new(quantity_lots=51), RejectReason.EXCEEDS_LIMIT, "quantity"),
        (_new(quantity_lots=2**80), RejectReason.EXCEEDS_LIMIT, "quantity"),
        (_new(order_type=2, price_ticks=0, quantity_lots=1), RejectReason.BAD_LOT, "quantity"),
        (_new(order_type=2, price_ticks=0, quantity_lots=51), RejectReason.EXCEEDS_LIMIT,
         "quantity"),
        (_new(price_ticks=0), RejectReason.BAD_TICK, "price"),
        (_new(price_ticks=-1), RejectReason.BAD_TICK, "price"),
        (_new(price_ticks=1_001), RejectReason.EXCEEDS_LIMIT, "price"),
        (_new(price_ticks=59), RejectReason.MIN_NOTIONAL, "quantity"),
        (_new(order_type=2, price_ticks=0, quantity_lots=0, quote_amount=-1),
         RejectReason.EXCEEDS_LIMIT, "quote_amount"),
        (_new(order_type=2, price_ticks=0, quantity_lots=0, quote_amount=MAX_NOTIONAL + 1),
         RejectReason.EXCEEDS_LIMIT, "quote_amount"),
        (_new(order_type=2, price_ticks=0, quantity_lots=0, quote_amount=299),
         RejectReason.MIN_NOTIONAL, "quote_amount"),
    ],
)  # fmt: skip
def test_a_bad_order_is_refused_by_name_and_changes_nothing(
    command: NewOrder, reason: RejectReason, field: str
) -> None:
    engine = venue()
    engine.apply(limit(BOB, SELL, 100, 50, instrument=ETH))
    before = state_hash(engine)
    assert engine.apply(command) == [
        CommandRejected(
            seq=2,
            gateway=0,
            request_seq=0,
            account=ALICE,
            instrument=command.instrument,
            reason=reason,
            field=field,
        )
    ]
    assert state_hash(engine) == before
    assert engine.seq == 2


def test_the_smallest_and_largest_valid_order_is_taken() -> None:
    engine = venue()
    for command in (_new(quantity_lots=2, price_ticks=150), _new(quantity_lots=50, price_ticks=6)):
        (accepted,) = engine.apply(command)
        assert isinstance(accepted, OrderAccepted)
    (accepted, *_) = engine.apply(_new(side=2, quantity_lots=50, price_ticks=1_000))
    assert isinstance(accepted, OrderAccepted)


def test_a_reject_echoes_its_origin_and_the_client_order_id() -> None:
    engine = venue()
    refused = NewOrder(
        gateway=7,
        request_seq=1,
        account=ALICE,
        instrument=9,
        side=1,
        order_type=1,
        time_in_force=1,
        price_ticks=100,
        quantity_lots=5,
        client_order_id="n",
    )
    assert engine.apply(refused) == [
        CommandRejected(
            seq=1,
            gateway=7,
            request_seq=1,
            account=ALICE,
            instrument=9,
            reason=RejectReason.UNKNOWN_SYMBOL,
            field="instrument",
            client_order_id="n",
        )
    ]
    unknown = RejectReason.UNKNOWN_ORDER
    assert engine.apply(replace(cancel(ALICE, name="c"), gateway=7, request_seq=2)) == [
        CommandRejected(
            seq=2,
            gateway=7,
            request_seq=2,
            account=ALICE,
            instrument=1,
            reason=unknown,
            field="client_order_id",
            client_order_id="c",
        )
    ]
    assert engine.apply(replace(amend(ALICE, 5, 100, name="c"), gateway=7, request_seq=3)) == [
        CommandRejected(
            seq=3,
            gateway=7,
            request_seq=3,
            account=ALICE,
            instrument=1,
            reason=unknown,
            field="order_id",
            client_order_id="c",
        )
    ]


# Sequence numbers and repeats


def test_every_command_takes_the_next_number_refused_ones_too() -> None:
    engine = venue()
    seqs = [
        engine.apply(command)[0].seq
        for command in (
            limit(ALICE, BUY, 100, 1),
            limit(ALICE, BUY, -1, 1),
            cancel(ALICE, 9),
            mass_cancel(BOB),
            limit(ALICE, BUY, 100, 1),
        )
    ]
    assert seqs == [1, 2, 3, 4, 5]
    assert engine.seq == 5


def _bid(gateway: int, request: int) -> NewOrder:
    return NewOrder(
        gateway=gateway,
        request_seq=request,
        account=ALICE,
        instrument=1,
        side=1,
        order_type=1,
        time_in_force=1,
        price_ticks=100,
        quantity_lots=5,
    )


def test_a_repeated_request_gives_nothing_and_takes_no_number() -> None:
    engine = venue()
    for request in (1, 2):
        assert len(engine.apply(_bid(4, request))) == 1
    before = capture(engine)
    for request in (2, 1, 0, -1):
        assert engine.apply(_bid(4, request)) == []
    assert (engine.seq, capture(engine)) == (2, before)
    assert len(engine.apply(_bid(4, 3))) == 1
    assert engine.seq == 3


def test_a_request_after_a_gap_waits_for_the_missing_one() -> None:
    engine = venue()
    assert engine.apply(_bid(4, 2)) == []
    assert engine.seq == 0
    assert len(engine.apply(_bid(4, 1))) == 1
    assert engine.apply(_bid(4, 3)) == []
    assert [len(engine.apply(_bid(4, request))) for request in (2, 3)] == [1, 1]
    assert engine.seq == 3


def test_each_gateway_counts_its_own_requests() -> None:
    engine = venue()
    for gateway in (4, 5):
        assert len(engine.apply(_bid(gateway, 1))) == 1
    assert engine.apply(_bid(6, 2)) == []


def test_a_gateway_that_starts_again_begins_a_later_epoch() -> None:
    engine = venue()
    assert len(engine.apply(_bid(4, 1))) == 1
    assert engine.apply(_bid(4, first_of(3) + 1)) == []
    assert len(engine.apply(_bid(4, first_of(3)))) == 1
    assert engine.apply(_bid(4, 2)) == []
    assert engine.apply(_bid(4, first_of(2))) == []
    assert len(engine.apply(_bid(4, first_of(3) + 1))) == 1
    assert engine.seq == 3


def test_a_refused_request_is_not_applied_again_either() -> None:
    engine = venue()
    refused = NewOrder(
        gateway=4,
        request_seq=1,
        account=ALICE,
        instrument=1,
        side=1,
        order_type=1,
        time_in_force=1,
        price_ticks=-1,
        quantity_lots=5,
    )
    assert len(engine.apply(refused)) == 1
    assert engine.apply(refused) == []


def test_gateway_zero_is_never_a_repeat() -> None:
    engine = venue()
    for _ in range(3):
        assert len(engine.apply(limit(ALICE, BUY, 100, 1))) == 1


# Open orders


def test_open_orders_are_listed_oldest_first_in_pages() -> None:
    engine = venue()
    for price in (105, 103, 104):
        engine.apply(limit(ALICE, SELL, price, 5), time_ns=price)
    engine.apply(limit(BOB, BUY, 103, 2))
    first, more = engine.open_orders(ALICE, limit=2)
    assert ([order.order_id for order in first], more) == ([1, 2], True)
    rest, more = engine.open_orders(ALICE, after_order_id=2, limit=2)
    assert ([order.order_id for order in rest], more) == ([3], False)
    partly = first[1]
    assert (partly.symbol, partly.quantity_lots, partly.filled_lots, partly.remaining_lots) == (
        "BTC-USDT", 5, 2, 3,
    )  # fmt: skip
    assert partly.time_ns == 103
