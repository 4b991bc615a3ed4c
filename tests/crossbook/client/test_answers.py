"""Answers and execution reports in decimals and words."""

from decimal import Decimal

import pytest

from crossbook.client.answers import Ack, Balance, Execution, OrderState, Reject
from crossbook.client.request import amend_order, cancel_order, mass_cancel, new_order
from crossbook.common.instruments import example
from crossbook.common.messages import entry
from crossbook.common.types import (
    OrderStatus,
    OrderType,
    Prevention,
    RejectReason,
    Side,
    TimeInForce,
)

BTC = "BTC-USDT"


def ack(remaining_lots: int = 50_000, status: int = 1, repeated: bool = False) -> entry.Ack:
    return entry.Ack(
        request_seq=3, seq=9, order_id=9, status=status, client_order_id="a",
        remaining_lots=remaining_lots, time_ns=1, repeated=repeated, filled_lots=10_000,
    )  # fmt: skip


@pytest.mark.parametrize(
    "request_",
    [
        new_order(BTC, "buy", "0.6", "50000.01"),
        new_order(BTC, "buy", quantity_lots=60_000, price_ticks=5_000_001),
        amend_order(BTC, 9, quantity="0.60", price=Decimal("50000.010")),
    ],
)
def test_an_ack_has_the_amounts_of_its_request_and_of_its_order(request_: entry.Request) -> None:
    view = Ack.of(ack(), request_, example())
    assert (view.symbol, view.instrument, view.request) == (BTC, example(), request_)
    assert (view.price, view.price_ticks) == (Decimal("50000.01"), 5_000_001)
    assert (view.quantity, view.quantity_lots) == (Decimal("0.6"), 60_000)
    assert (view.filled, view.remaining) == (Decimal("0.1"), Decimal("0.5"))
    assert view.status is OrderStatus.NEW


def test_a_term_absent_from_a_request_is_zero_in_its_ack() -> None:
    view = Ack.of(ack(0, status=4), cancel_order(BTC, 9), example())
    assert not any((view.price, view.quantity, view.remaining))
    assert view.status is OrderStatus.CANCELED
    everything = Ack.of(
        entry.Ack(
            request_seq=3,
            seq=9,
            order_id=0,
            status=4,
            client_order_id="",
            remaining_lots=0,
            time_ns=1,
            count=5,
        ),
        mass_cancel(),
        None,
    )
    assert (everything.symbol, everything.count) == ("", 5)
    assert not any((everything.price, everything.filled, everything.remaining))


def test_a_price_off_the_grid_can_only_be_that_of_a_repeated_order() -> None:
    view = Ack.of(ack(repeated=True), new_order(BTC, "buy", "0.6", "50000.001"), example())
    assert (view.price, view.price_ticks, view.quantity) == (Decimal(0), 0, Decimal("0.6"))


def test_a_reject_has_its_reason_as_a_word() -> None:
    view = Reject.of(entry.Reject(1, 10, "price", "off the grid"))
    assert view.reason is RejectReason.BAD_TICK
    assert repr(view) == (
        "Reject(reason=BAD_TICK, field='price', text='off the grid', client_order_id='', seq=0)"
    )


@pytest.mark.parametrize(
    ("side", "units", "fee", "asset"),
    [
        (1, 40_000, Decimal("0.0004"), "BTC"),
        (2, 25_000_000_000, Decimal(250), "USDT"),
        (2, -5, Decimal("-0.00000005"), "USDT"),
    ],
)
def test_a_fee_is_in_the_asset_received(side: int, units: int, fee: Decimal, asset: str) -> None:
    wire = entry.Execution(
        request_seq=0, seq=5, symbol=BTC, order_id=1, client_order_id="", kind=2, status=2,
        side=side, price_ticks=5_000_001, quantity_lots=1, filled_lots=2, remaining_lots=3,
        time_ns=9, fee_units=units, trigger_ticks=100, quote_left_units=7,
    )  # fmt: skip
    view = Execution.of(wire, example())
    assert (view.fee, view.fee_asset, view.fee_units) == (fee, asset, units)
    assert (view.price, view.trigger_price) == (Decimal("50000.01"), Decimal(1))
    lots = (view.quantity, view.filled, view.remaining)
    assert lots == (Decimal("0.00001"), Decimal("0.00002"), Decimal("0.00003"))
    assert view.quote_left == Decimal("0.00000007")
    assert view.order_type is OrderType.LIMIT


def test_an_open_order_has_decimals_and_words() -> None:
    wire = entry.OrderState(
        symbol=BTC, order_id=4, client_order_id="x", side=2, price_ticks=100, quantity_lots=5,
        filled_lots=2, remaining_lots=3, status=2, time_ns=1, order_type=4, time_in_force=5,
        trigger_ticks=200, display_lots=1, prevention=4, working=False,
    )  # fmt: skip
    view = OrderState.of(wire, example())
    assert (view.side, view.status) == (Side.SELL, OrderStatus.PARTIALLY_FILLED)
    assert (view.order_type, view.time_in_force) == (OrderType.STOP_LIMIT, TimeInForce.DAY)
    assert view.prevention is Prevention.DECREMENT
    assert (view.price, view.trigger_price) == (Decimal(1), Decimal(2))
    assert [view.quantity, view.filled, view.remaining, view.display] == [
        Decimal("0.00005"), Decimal("0.00002"), Decimal("0.00003"), Decimal("0.00001"),
    ]  # fmt: skip


def test_a_balance_is_held_and_available() -> None:
    view = Balance.of(entry.Balance("USDT", 1_000_000_005, 5), 8)
    assert (view.total, view.held, view.available) == (
        Decimal("10.00000005"), Decimal("0.00000005"), Decimal(10),
    )  # fmt: skip
    assert repr(view) == (
        "Balance(asset='USDT', total=10.00000005, held=0.00000005, available=10.00000000)"
    )
