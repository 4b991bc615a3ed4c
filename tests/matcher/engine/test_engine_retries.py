"""An order entered again under its client order id is answered with the state of the first one."""

import pytest
from msgspec.structs import replace

from crossbook.common.messages.commands import Command, NewOrder
from crossbook.common.messages.events import CommandRejected, OrderAccepted, OrderRepeated
from crossbook.common.types import OrderStatus, RejectReason
from crossbook.matcher.engine.dedupe import RetryWindow
from crossbook.matcher.engine.engine import Engine
from crossbook.matcher.recovery.snapshot import capture, restore, state_hash
from tests.worlds.invariants import check
from tests.worlds.venue import (
    ALICE,
    BOB,
    BTC,
    BUY,
    CAROL,
    ETH,
    FOK,
    GTC,
    IOC,
    SELL,
    amend,
    cancel,
    limit,
    market,
    mass_cancel,
    queue,
    venue,
)

BID = limit(ALICE, BUY, 100, 5, name="a")
BUY_FIVE = replace(market(ALICE, BUY, 5), client_order_id="a")
SPEND = replace(market(ALICE, BUY, quote_amount=5_500), client_order_id="a")
SPEND_TOO_LITTLE = replace(market(ALICE, BUY, quote_amount=999), client_order_id="a")


def _repeated(
    seq: int, status: OrderStatus, filled_lots: int, remaining_lots: int, order_id: int = 1
) -> list[object]:
    return [
        OrderRepeated(
            seq=seq,
            gateway=0,
            request_seq=0,
            account=ALICE,
            instrument=BTC.id,
            order_id=order_id,
            status=status,
            filled_lots=filled_lots,
            remaining_lots=remaining_lots,
            client_order_id="a",
        )
    ]


@pytest.mark.parametrize(
    ("order", "then", "status", "filled_lots", "remaining_lots"),
    [
        pytest.param(BID, [], OrderStatus.NEW, 0, 5, id="open"),
        pytest.param(
            BID, [limit(BOB, SELL, 100, 2)], OrderStatus.PARTIALLY_FILLED, 2, 3, id="partly filled"
        ),
        pytest.param(BID, [market(BOB, SELL, 5)], OrderStatus.FILLED, 5, 0, id="filled"),
        pytest.param(BID, [cancel(ALICE, 2)], OrderStatus.CANCELED, 0, 0, id="canceled"),
        pytest.param(
            BID,
            [market(BOB, SELL, 2), cancel(ALICE, name="a")],
            OrderStatus.CANCELED, 2, 0, id="partly filled, then canceled",
        ),
        pytest.param(BID, [mass_cancel(ALICE)], OrderStatus.CANCELED, 0, 0, id="swept away"),
        pytest.param(BID, [amend(ALICE, 2, lots=9)], OrderStatus.NEW, 0, 9, id="amended up"),
        pytest.param(
            BID,
            [market(BOB, SELL, 2), amend(ALICE, 2, price_ticks=99, lots=3)],
            OrderStatus.PARTIALLY_FILLED, 2, 1, id="partly filled, then amended",
        ),
        pytest.param(
            BID,
            [market(BOB, SELL, 2), amend(ALICE, 2, lots=2)],
            OrderStatus.CANCELED, 2, 0, id="amended to what is filled",
        ),
        pytest.param(
            BID,
            [amend(ALICE, 2, price_ticks=110), market(CAROL, SELL, 5)],
            OrderStatus.FILLED, 5, 0, id="amended across, then filled",
        ),
        pytest.param(
            replace(BID, price_ticks=110, time_in_force=IOC), [],
            OrderStatus.EXPIRED, 3, 0, id="expired IOC",
        ),
        pytest.param(
            replace(BID, price_ticks=110, quantity_lots=3, time_in_force=IOC), [],
            OrderStatus.FILLED, 3, 0, id="filled IOC",
        ),
        pytest.param(
            replace(BID, price_ticks=110, time_in_force=FOK), [],
            OrderStatus.EXPIRED, 0, 0, id="killed FOK",
        ),
        pytest.param(BUY_FIVE, [], OrderStatus.EXPIRED, 3, 0, id="expired market"),
        pytest.param(
            replace(BUY_FIVE, quantity_lots=2), [], OrderStatus.FILLED, 2, 0, id="filled market"
        ),
        pytest.param(SPEND, [], OrderStatus.EXPIRED, 3, 0, id="spent while the book lasted"),
        pytest.param(
            replace(SPEND, quote_amount=2_500), [], OrderStatus.FILLED, 2, 0, id="all spent"
        ),
        pytest.param(SPEND_TOO_LITTLE, [], OrderStatus.FILLED, 0, 0, id="less than one lot"),
    ],
)  # fmt: skip
def test_a_retry_is_answered_with_the_outcome_of_the_order_and_changes_nothing(
    order: NewOrder, then: list[Command], status: OrderStatus, filled_lots: int, remaining_lots: int
) -> None:
    engine = venue()
    engine.apply(limit(BOB, SELL, 110, 3))
    (accepted, *_) = engine.apply(order)
    assert isinstance(accepted, OrderAccepted)
    for command in then:
        assert not isinstance(engine.apply(command)[0], CommandRejected)
    for again in (engine, restore(capture(engine))):
        before, seq = state_hash(again), again.seq
        for retry in (1, 2):
            found = again.apply(order)
            assert found == _repeated(seq + retry, status, filled_lots, remaining_lots, 2)
        assert state_hash(again) == before
        check(again)


def test_a_retry_through_another_gateway_is_answered_there() -> None:
    engine = venue()
    engine.apply(replace(BID, gateway=3, request_seq=1))
    assert engine.apply(replace(BID, gateway=4, request_seq=1)) == [
        OrderRepeated(
            seq=2,
            gateway=4,
            request_seq=1,
            account=ALICE,
            instrument=BTC.id,
            order_id=1,
            status=OrderStatus.NEW,
            filled_lots=0,
            remaining_lots=5,
            client_order_id="a",
        )
    ]
    assert engine.apply(replace(BID, gateway=4, request_seq=1)) == []


def test_other_words_under_the_name_of_an_open_order_are_a_duplicate() -> None:
    engine = venue()
    engine.apply(BID)
    assert engine.apply(replace(BID, price_ticks=99)) == [
        CommandRejected(
            seq=2,
            gateway=0,
            request_seq=0,
            account=ALICE,
            instrument=BTC.id,
            reason=RejectReason.DUPLICATE_CLIENT_ORDER_ID,
            field="client_order_id",
            client_order_id="a",
        )
    ]
    assert engine.apply(BID) == _repeated(3, OrderStatus.NEW, 0, 5)


def test_other_words_under_the_name_of_an_ended_order_are_a_new_order() -> None:
    engine = venue()
    engine.apply(BID)
    engine.apply(cancel(ALICE, 1))
    second = replace(BID, price_ticks=99)
    assert isinstance(engine.apply(second)[0], OrderAccepted)
    assert engine.apply(second) == _repeated(4, OrderStatus.NEW, 0, 5, 3)
    (refused,) = engine.apply(BID)
    assert isinstance(refused, CommandRejected)
    assert refused.reason == RejectReason.DUPLICATE_CLIENT_ORDER_ID
    engine.apply(cancel(ALICE, 3))
    assert engine.apply(second) == _repeated(7, OrderStatus.CANCELED, 0, 0, 3)
    assert isinstance(engine.apply(BID)[0], OrderAccepted)
    assert queue(engine, BUY) == [(8, 100, 5)]


def test_another_account_or_no_name_is_never_a_retry() -> None:
    engine = venue()
    for order in (BID, replace(BID, account=BOB), *[replace(BID, client_order_id="")] * 2):
        assert isinstance(engine.apply(order)[0], OrderAccepted)
    assert len(queue(engine, BUY)) == 4


def test_a_refused_order_is_not_kept_for_retries() -> None:
    engine = venue()
    refused = replace(BID, price_ticks=0)
    for _ in range(2):
        (event,) = engine.apply(refused)
        assert isinstance(event, CommandRejected)
    assert isinstance(engine.apply(BID)[0], OrderAccepted)


def test_a_retry_is_found_before_the_limits_are_checked() -> None:
    engine = venue()
    engine.apply(BID)
    engine.apply(cancel(ALICE, 1))
    engine.configure([replace(BTC, min_quantity_lots=6), ETH])
    assert engine.apply(BID) == _repeated(3, OrderStatus.CANCELED, 0, 0)


def test_an_unknown_instrument_is_named_before_a_retry_is_looked_for() -> None:
    engine = venue()
    engine.apply(BID)
    (refused,) = engine.apply(replace(BID, instrument=9))
    assert isinstance(refused, CommandRejected)
    assert refused.reason == RejectReason.UNKNOWN_SYMBOL


def _forgotten(ended: bool) -> Engine:
    engine = venue()
    engine.retries = RetryWindow(own=0, shared=2)
    engine.apply(BID)
    for number in (2, 3):
        engine.apply(limit(BOB, BUY, 90, 1, GTC, f"b{number}"))
    if ended:
        engine.apply(cancel(ALICE, 1))
    return engine


def test_an_open_order_dropped_from_the_window_still_holds_its_name() -> None:
    (refused,) = _forgotten(ended=False).apply(BID)
    assert isinstance(refused, CommandRejected)
    assert refused.reason == RejectReason.DUPLICATE_CLIENT_ORDER_ID


def test_an_ended_order_dropped_from_the_window_can_be_entered_again() -> None:
    assert isinstance(_forgotten(ended=True).apply(BID)[0], OrderAccepted)
