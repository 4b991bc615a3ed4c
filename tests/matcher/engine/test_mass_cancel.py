"""Mass cancel: all orders of an account, of an instrument, or of a side."""

import pytest

from crossbook.common.messages.events import (
    OrderCanceled,
    OrdersMassCanceled,
)
from crossbook.common.types import RejectReason
from tests.worlds.invariants import check
from tests.worlds.venue import (
    ALICE,
    BOB,
    BTC,
    BUY,
    ETH,
    SELL,
    amend,
    limit,
    mass_cancel,
    queue,
    reason,
    venue,
)


def test_mass_cancel_ends_the_accounts_orders_oldest_first_and_no_others() -> None:
    engine = venue()
    engine.apply(limit(ALICE, SELL, 105, 5, name="a"))
    engine.apply(limit(BOB, SELL, 104, 5))
    engine.apply(limit(ALICE, SELL, 103, 5))
    engine.apply(limit(ALICE, BUY, 90, 5, instrument=ETH))
    engine.apply(amend(ALICE, 1, price_ticks=106))
    assert engine.apply(mass_cancel(ALICE)) == [
        OrdersMassCanceled(
            seq=6, gateway=0, request_seq=0, account=ALICE, instrument=0, side=0, count=3
        ),
        OrderCanceled(
            seq=6,
            gateway=0,
            request_seq=0,
            account=ALICE,
            instrument=1,
            order_id=1,
            side=2,
            price_ticks=106,
            canceled_lots=5,
            filled_lots=0,
            client_order_id="a",
        ),
        OrderCanceled(
            seq=6,
            gateway=0,
            request_seq=0,
            account=ALICE,
            instrument=1,
            order_id=3,
            side=2,
            price_ticks=103,
            canceled_lots=5,
            filled_lots=0,
        ),
        OrderCanceled(
            seq=6,
            gateway=0,
            request_seq=0,
            account=ALICE,
            instrument=2,
            order_id=4,
            side=1,
            price_ticks=90,
            canceled_lots=5,
            filled_lots=0,
        ),
    ]
    assert queue(engine, SELL) == [(2, 104, 5)]
    check(engine)


@pytest.mark.parametrize(
    ("instrument", "side", "gone"),
    [(0, 0, [1, 2, 3, 4]), (1, 0, [1, 2]), (2, 0, [3, 4]), (0, 1, [1, 3]), (2, 2, [4])],
)
def test_mass_cancel_by_instrument_and_side(instrument: int, side: int, gone: list[int]) -> None:
    engine = venue()
    for traded in (BTC, ETH):
        engine.apply(limit(ALICE, BUY, 100, 5, instrument=traded))
        engine.apply(limit(ALICE, SELL, 110, 5, instrument=traded))
    events = engine.apply(mass_cancel(ALICE, instrument, side))
    assert [event.order_id for event in events if isinstance(event, OrderCanceled)] == gone
    check(engine)


def test_mass_cancel_of_an_unknown_instrument_or_side_is_refused() -> None:
    engine = venue()
    unknown, unsupported = RejectReason.UNKNOWN_SYMBOL, RejectReason.UNSUPPORTED_COMBINATION
    assert reason(engine.apply(mass_cancel(ALICE, 9))[0]) == (unknown, "instrument")
    assert reason(engine.apply(mass_cancel(ALICE, 0, 3))[0]) == (unsupported, "side")
