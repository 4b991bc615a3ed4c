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

NEW = NewOrder(2, 3, 4, 5, 1, 1, 1, 100, 50, "mine")
CANCEL = CancelOrder(2, 3, 4, 5, 6, "mine")
AMEND = AmendOrder(2, 3, 4, 5, 6, 0, 0)


def order(conditions: OrderConditions | None = None, remaining_lots: int = 40) -> Order:
    return Order(6, Account(4), 5, 1, 100, 50, remaining_lots, "its", 9, conditions=conditions)


def test_a_refusal_says_whose_command_it_was_and_why() -> None:
    fault = (RejectReason.BAD_TICK, "price")
    assert rejected(NEW, 9, fault) == CommandRejected(
        9, 2, 3, 4, 5, RejectReason.BAD_TICK, "price", "mine"
    )
    assert rejected(CANCEL, 9, fault).client_order_id == "mine"


@pytest.mark.parametrize(
    ("order_id", "field"), [(6, "order_id"), (1, "order_id"), (0, "client_order_id")]
)
def test_an_unknown_order_is_named_as_it_was_asked_for(order_id: int, field: str) -> None:
    for command in (
        CancelOrder(2, 3, 4, 5, order_id, "mine"),
        AmendOrder(2, 3, 4, 5, order_id, 0, 0),
    ):
        assert unknown_order(command) == (RejectReason.UNKNOWN_ORDER, field)


def test_a_repeat_says_how_the_earlier_order_stands() -> None:
    earlier = order()
    assert repeated(NEW, earlier, 9) == OrderRepeated(
        9, 2, 3, 4, 5, 6, OrderStatus.PARTIALLY_FILLED, 10, 40, "its"
    )
    earlier.ended_as = OrderStatus.CANCELED
    assert repeated(NEW, earlier, 9) == OrderRepeated(
        9, 2, 3, 4, 5, 6, OrderStatus.CANCELED, 10, 0, "its"
    )


def test_an_end_says_what_was_left_and_what_was_filled() -> None:
    assert canceled(order(), 9, 2, 3, False, 7) == OrderCanceled(
        9, 2, 3, 4, 5, 6, 1, 100, 40, 10, "its", False, 7
    )
    plain = canceled(order(), 9, 2, 3)
    assert (plain.resting, plain.reason) == (True, 0)
    assert expired(order(), 9, RejectReason.FILL_OR_KILL, 8, True) == OrderExpired(
        9, 4, 5, 6, 1, 100, 40, 10, RejectReason.FILL_OR_KILL, "its", 8, True
    )
    plain_end = expired(order(), 9, RejectReason.FILL_OR_KILL)
    assert (plain_end.quote_left, plain_end.resting) == (0, False)


@pytest.mark.parametrize(
    ("conditions", "shown"),
    [
        (None, (0, 0, 0)),
        (OrderConditions(3, 1, 90, 0, 0, waits=Waits.TRIGGER), (90, 0, 0)),
        (OrderConditions(3, 1, 90, 0, 0), (0, 0, 0)),
        (OrderConditions(1, 1, 0, 20, 15), (0, 20, 15)),
        (OrderConditions(4, 1, 90, 20, 15, waits=Waits.TRIGGER), (90, 20, 15)),
        (OrderConditions(1, 1, 0, 0, 15), (0, 0, 0)),
    ],
    ids=["plain", "waiting", "elected", "iceberg", "a waiting iceberg", "no iceberg"],
)
@pytest.mark.parametrize("kept", [True, False])
def test_an_amended_order_says_its_terms(
    conditions: OrderConditions | None, shown: tuple[int, int, int], kept: bool
) -> None:
    assert amended(order(conditions), 9, AMEND, kept) == OrderAmended(
        9, 2, 3, 4, 5, 6, 1, 100, 50, 10, 40, kept, "its", *shown
    )
