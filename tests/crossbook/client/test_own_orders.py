"""Own orders from answers and execution reports; many of them: `tests.simulation.own_orders`."""

from decimal import Decimal

import pytest

from crossbook.client import own_orders
from crossbook.client.own_orders import Orders, OwnOrder
from crossbook.client.request import amend_order, cancel_order, mass_cancel, new_order
from crossbook.common.instruments import example
from crossbook.common.messages import entry
from crossbook.common.types import ExecutionKind, OrderStatus, OrderType, RejectReason, Side

BTC = "BTC-USDT"
NEW, PARTLY, FILLED, CANCELED = (
    OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED, OrderStatus.FILLED, OrderStatus.CANCELED,
)  # fmt: skip


def ack(
    seq: int, order_id: int, status: int = NEW, remaining: int = 10, filled: int = 0
) -> entry.Ack:
    return entry.Ack(
        request_seq=1,
        seq=seq,
        order_id=order_id,
        status=status,
        client_order_id="mine",
        remaining_lots=remaining,
        time_ns=seq,
        filled_lots=filled,
    )


def execution(
    seq: int, kind: int, status: int, lots: int, filled: int, remaining: int, **more: int
) -> entry.Execution:
    terms: dict[str, int] = {"price_ticks": 100, "order_id": 7, **more}
    return entry.Execution(
        request_seq=0, seq=seq, symbol=BTC, client_order_id="mine", kind=kind, status=status,
        side=1, quantity_lots=lots, filled_lots=filled, remaining_lots=remaining, time_ns=seq,
        **terms,  # type: ignore[arg-type]
    )  # fmt: skip


def fill(
    seq: int, lots: int, filled: int, of: int = 10, price_ticks: int = 100, fee: int = 0
) -> entry.Execution:
    status = PARTLY if filled < of else FILLED
    return execution(
        seq, ExecutionKind.FILL, status, lots, filled, of - filled, price_ticks=price_ticks,
        fee_units=fee, trade_id=seq,
    )  # fmt: skip


@pytest.fixture
def orders() -> Orders:
    made = Orders({BTC: example()}.get)
    made.load([], 5, [BTC])
    made.in_doubt = False
    return made


ORDER = new_order(BTC, "buy", "0.0001", "1.00", client_order_id="mine")


def entered(orders: Orders) -> OwnOrder:
    """Order 7, of 10 lots at 100 ticks."""
    orders.answered(ack(7, 7), ORDER)
    found = orders.get(7)
    assert found is not None
    return found


def test_an_answered_order_is_open_with_the_terms_of_its_request(orders: Orders) -> None:
    order = entered(orders)
    assert orders.open() == [order]
    assert order.is_open
    assert (order.side, order.status, order.client_order_id) == (Side.BUY, NEW, "mine")
    assert (order.price_ticks, order.quantity_lots, order.remaining_lots) == (100, 10, 10)
    assert (order.price, order.quantity, order.filled) == (
        Decimal(1), Decimal("0.0001"), Decimal(0),
    )  # fmt: skip
    assert (order.average_price, order.fees, order.fee_asset) == (None, Decimal(0), "BTC")
    assert not orders.in_doubt


def test_fills_add_up_to_an_average_price_and_fees_and_end_the_order(orders: Orders) -> None:
    order = entered(orders)
    orders.executed(fill(8, 3, 3, price_ticks=100, fee=5))
    assert (order.status, order.filled_lots, order.remaining_lots) == (PARTLY, 3, 7)
    orders.executed(fill(9, 7, 10, price_ticks=101, fee=6))
    assert (order.status, order.is_open, order.fills_known) == (FILLED, False, True)
    assert (order.average_price, order.fees) == (Decimal("1.007"), Decimal("0.00000011"))
    assert (orders.open(), orders.ended()) == ([], [order])
    assert repr(order) == (
        "OwnOrder(symbol='BTC-USDT', order_id=7, client_order_id='mine', side=BUY, "
        "status=FILLED, price=1.00, quantity=0.00010, filled=0.00010, remaining=0.00000, "
        "average_price=1.0070000000, fees=0.00000011)"
    )


def test_a_report_that_comes_again_or_late_changes_no_state_and_adds_nothing(
    orders: Orders,
) -> None:
    order = entered(orders)
    first, second = fill(8, 3, 3), fill(9, 2, 5)
    orders.executed(second)
    assert not order.fills_known
    orders.executed(first)
    assert (order.filled_lots, order.fill_lots, order.fills_known) == (5, 5, True)
    for again in (first, second, first):
        orders.executed(again)
    orders.answered(ack(7, 7), ORDER)
    assert (order.filled_lots, order.fill_lots, order.status) == (5, 5, PARTLY)
    orders.executed(fill(10, 1, 6))
    assert (order.fill_lots, order.seen) == (6, [(0, 6)])


def test_a_cancel_and_an_amend_take_effect_with_their_answers(orders: Orders) -> None:
    order = entered(orders)
    orders.answered(ack(8, 7, remaining=5), amend_order(BTC, 7, quantity="0.00005", price="2.00"))
    assert (order.price_ticks, order.quantity_lots, order.remaining_lots) == (200, 5, 5)
    orders.answered(ack(9, 7, remaining=4), amend_order(BTC, 7, quantity_lots=4))
    assert (order.price_ticks, order.quantity_lots) == (200, 4)
    orders.answered(ack(10, 7, CANCELED, 0), cancel_order(BTC, 7))
    assert (order.status, orders.open()) == (CANCELED, [])
    # A fill that happened before, and was recovered after it.
    orders.executed(fill(9, 1, 1, of=4))
    assert (order.status, order.fill_lots) == (CANCELED, 1)


def test_orders_of_other_sessions_are_kept_from_their_reports(orders: Orders) -> None:
    new = execution(7, ExecutionKind.NEW, NEW, 10, 0, 10, order_type=4, trigger_ticks=90)
    orders.executed(new)
    order = orders.get(7)
    assert order is not None
    assert (order.order_type, order.working, order.trigger_ticks) == (
        OrderType.STOP_LIMIT, True, 90,
    )  # fmt: skip
    orders.executed(execution(8, ExecutionKind.TRIGGERED, NEW, 10, 0, 10, price_ticks=120))
    assert (order.price_ticks, order.working) == (120, True)
    orders.executed(execution(9, ExecutionKind.AMENDED, NEW, 6, 0, 6, price_ticks=130))
    assert (order.price_ticks, order.quantity_lots, order.order_type) == (130, 6, 4)
    assert (order.trigger_ticks, order.working) == (90, True)
    reason = RejectReason.CANCEL_AFTER
    orders.executed(execution(10, ExecutionKind.CANCELED, CANCELED, 6, 0, 0, reason=reason))
    assert (order.is_open, order.reason) == (False, reason)


def test_orders_are_found_by_symbol_side_and_name(orders: Orders) -> None:
    first = entered(orders)
    orders.answered(ack(9, 9), new_order("ETH-USDT", "sell", quantity_lots=1, price_ticks=5))
    second = orders.get(9)
    assert orders.open() == [first, second]
    assert orders.open(BTC) == orders.open(side=Side.BUY) == [first]
    assert orders.open("ETH-USDT", Side.BUY) == []
    assert orders.named("mine") is second
    assert orders.named("other") is None


def test_a_query_ends_what_it_does_not_list_and_gives_way_to_what_is_newer(
    orders: Orders,
) -> None:
    order = entered(orders)
    orders.answered(ack(20, 20), ORDER)
    listed = entry.OrderState(
        symbol=BTC,
        order_id=30,
        client_order_id="other",
        side=2,
        price_ticks=300,
        quantity_lots=9,
        filled_lots=4,
        remaining_lots=5,
        status=PARTLY,
        time_ns=1,
    )
    orders.load([listed], 15, [BTC])
    assert (order.status, order.is_open) == (0, False)
    assert [each.order_id for each in orders.open()] == [20, 30]
    third = orders.get(30)
    assert third is not None
    assert (third.filled_lots, third.fills_known) == (4, False)
    # The report of the end comes after all, and then counts.
    orders.executed(fill(9, 10, 10))
    assert (order.status, order.fills_known) == (FILLED, True)
    orders.load([], 40, ["ETH-USDT"])
    assert len(orders.open()) == 2


@pytest.mark.parametrize(
    ("reply", "request_"),
    [
        (entry.Reject(1, RejectReason.OUTCOME_UNKNOWN, "", ""), ORDER),
        (ack(8, 8), None),
        (ack(8, 8), cancel_order(BTC, 8)),
        (ack(8, 8), new_order("DOGE-USD", "buy", "1", "1")),
    ],
)
def test_an_event_that_cannot_be_followed_leaves_a_doubt(
    orders: Orders, reply: entry.Reply, request_: entry.Request | None
) -> None:
    orders.answered(reply, request_)
    assert orders.in_doubt


def test_a_refusal_and_an_answer_about_several_orders_change_nothing(orders: Orders) -> None:
    order = entered(orders)
    orders.answered(entry.Reject(1, RejectReason.BAD_TICK, "price", ""), ORDER)
    orders.answered(
        entry.Ack(
            request_seq=1,
            seq=9,
            order_id=0,
            status=CANCELED,
            client_order_id="",
            remaining_lots=0,
            time_ns=1,
            count=5,
        ),
        mass_cancel(),
    )
    assert not orders.in_doubt
    assert orders.open() == [order]


def test_a_hole_leaves_a_doubt_and_a_new_history_drops_all_orders(orders: Orders) -> None:
    order = entered(orders)
    orders.missed()
    assert orders.in_doubt
    orders.began_anew()
    assert (orders.open(), orders.ended(), order.is_open) == ([], [], False)
    assert entered(orders) is not order


def test_the_last_ended_orders_are_kept(orders: Orders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_orders, "ENDED_MAX", 2)
    for order_id in (7, 8, 9):
        orders.answered(ack(order_id, order_id, FILLED, 0, 10), ORDER)
    assert [each.order_id for each in orders.ended()] == [8, 9]
