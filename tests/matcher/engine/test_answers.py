"""Events made of orders and commands, in which no two numbers are equal."""

import pytest

from crossbook.common.messages.commands import AmendOrder, CancelOrder, NewOrder
from crossbook.common.messages.events import (
    CommandRejected,
    OrderAmended,
    OrderCanceled,
    OrderExpired,
    OrderRepeated,
)
from crossbook.common.types import OrderStatus, RejectReason
from crossbook.matcher.engine.answers import (
    amended,
    canceled,
    expired,
    rejected,
    repeated,
    unknown_order,
)
from crossbook.matcher.engine.conditions import OrderConditions, Waits
from crossbook.matcher.engine.order import Account, Order

NEW = NewOrder(
    gateway=2,
    request_seq=3,
    account=4,
    instrument=5,
    side=1,
    order_type=1,
    time_in_force=1,
    price_ticks=100,
    quantity_lots=50,
    client_order_id="mine",
)
CANCEL = CancelOrder(
    gateway=2, request_seq=3, account=4, instrument=5, order_id=6, client_order_id="mine"
)
AMEND = AmendOrder(
    gateway=2, request_seq=3, account=4, instrument=5, order_id=6, price_ticks=0, quantity_lots=0
)


def order(conditions: OrderConditions | None = None, remaining_lots: int = 40) -> Order:
    return Order(
        order_id=6,
        account=Account(4),
        instrument=5,
        side=1,
        price_ticks=100,
        quantity_lots=50,
        remaining_lots=remaining_lots,
        client_order_id="its",
        time_ns=9,
        conditions=conditions,
    )


def test_a_refusal_names_its_command_and_reason() -> None:
    fault = (RejectReason.BAD_TICK, "price")
    assert rejected(NEW, 9, fault) == CommandRejected(
        seq=9,
        gateway=2,
        request_seq=3,
        account=4,
        instrument=5,
        reason=RejectReason.BAD_TICK,
        field="price",
        client_order_id="mine",
    )
    assert rejected(CANCEL, 9, fault).client_order_id == "mine"


@pytest.mark.parametrize(
    ("order_id", "field"), [(6, "order_id"), (1, "order_id"), (0, "client_order_id")]
)
def test_an_unknown_order_is_named_as_in_the_command(order_id: int, field: str) -> None:
    for command in (
        CancelOrder(
            gateway=2,
            request_seq=3,
            account=4,
            instrument=5,
            order_id=order_id,
            client_order_id="mine",
        ),
        AmendOrder(
            gateway=2,
            request_seq=3,
            account=4,
            instrument=5,
            order_id=order_id,
            price_ticks=0,
            quantity_lots=0,
        ),
    ):
        assert unknown_order(command) == (RejectReason.UNKNOWN_ORDER, field)


def test_a_repeat_returns_the_state_of_the_earlier_order() -> None:
    earlier = order()
    assert repeated(NEW, earlier, 9) == OrderRepeated(
        seq=9,
        gateway=2,
        request_seq=3,
        account=4,
        instrument=5,
        order_id=6,
        status=OrderStatus.PARTIALLY_FILLED,
        filled_lots=10,
        remaining_lots=40,
        client_order_id="its",
    )
    earlier.ended_as = OrderStatus.CANCELED
    assert repeated(NEW, earlier, 9) == OrderRepeated(
        seq=9,
        gateway=2,
        request_seq=3,
        account=4,
        instrument=5,
        order_id=6,
        status=OrderStatus.CANCELED,
        filled_lots=10,
        remaining_lots=0,
        client_order_id="its",
    )


def test_an_end_has_the_lots_left_and_filled() -> None:
    assert canceled(order(), 9, 2, 3, False, 7) == OrderCanceled(
        seq=9,
        gateway=2,
        request_seq=3,
        account=4,
        instrument=5,
        order_id=6,
        side=1,
        price_ticks=100,
        canceled_lots=40,
        filled_lots=10,
        client_order_id="its",
        resting=False,
        reason=7,
    )
    plain = canceled(order(), 9, 2, 3)
    assert (plain.resting, plain.reason) == (True, 0)
    assert expired(order(), 9, RejectReason.FILL_OR_KILL, 8, True) == OrderExpired(
        seq=9,
        account=4,
        instrument=5,
        order_id=6,
        side=1,
        price_ticks=100,
        expired_lots=40,
        filled_lots=10,
        reason=RejectReason.FILL_OR_KILL,
        client_order_id="its",
        quote_left=8,
        resting=True,
    )
    plain_end = expired(order(), 9, RejectReason.FILL_OR_KILL)
    assert (plain_end.quote_left, plain_end.resting) == (0, False)


@pytest.mark.parametrize(
    ("conditions", "shown"),
    [
        (None, (0, 0, 0)),
        (
            OrderConditions(
                order_type=3,
                time_in_force=1,
                trigger_ticks=90,
                display_lots=0,
                shown_lots=0,
                waits=Waits.TRIGGER,
            ),
            (90, 0, 0),
        ),
        (
            OrderConditions(
                order_type=3, time_in_force=1, trigger_ticks=90, display_lots=0, shown_lots=0
            ),
            (0, 0, 0),
        ),
        (
            OrderConditions(
                order_type=1, time_in_force=1, trigger_ticks=0, display_lots=20, shown_lots=15
            ),
            (0, 20, 15),
        ),
        (
            OrderConditions(
                order_type=4,
                time_in_force=1,
                trigger_ticks=90,
                display_lots=20,
                shown_lots=15,
                waits=Waits.TRIGGER,
            ),
            (90, 20, 15),
        ),
        (
            OrderConditions(
                order_type=1, time_in_force=1, trigger_ticks=0, display_lots=0, shown_lots=15
            ),
            (0, 0, 0),
        ),
    ],
    ids=["plain", "waiting", "elected", "iceberg", "a waiting iceberg", "no iceberg"],
)
@pytest.mark.parametrize("kept", [True, False])
def test_an_amended_order_has_its_terms(
    conditions: OrderConditions | None, shown: tuple[int, int, int], kept: bool
) -> None:
    assert amended(order(conditions), 9, AMEND, kept) == OrderAmended(
        9, 2, 3, 4, 5, 6, 1, 100, 50, 10, 40, kept, "its", *shown
    )
