"""Cancel and amend: the changes of an order after it rests."""

import gc
from statistics import median
from time import perf_counter_ns

import pytest
from msgspec.structs import replace

from crossbook.common.messages.commands import CancelOrder, Command
from crossbook.common.messages.events import (
    CommandRejected,
    OrderAmended,
    OrderCanceled,
    TradeExecuted,
)
from crossbook.common.types import MAX_INT, RejectReason
from crossbook.matcher.engine.engine import Engine
from crossbook.matcher.recovery.snapshot import state_hash
from tests.worlds.invariants import check
from tests.worlds.venue import (
    ALICE,
    BOB,
    BTC,
    BUY,
    CAROL,
    ETH,
    IOC,
    SELL,
    amend,
    cancel,
    fills,
    limit,
    market,
    mass_cancel,
    queue,
    reason,
    venue,
)

# Cancel


@pytest.mark.parametrize(("gone", "left"), [(1, [2, 3, 4]), (2, [1, 3, 4]), (4, [1, 2, 3])])
def test_cancel_of_head_middle_or_tail_leaves_its_neighbours_in_order(
    gone: int, left: list[int]
) -> None:
    engine = venue()
    for _ in range(4):
        engine.apply(limit(ALICE, SELL, 100, 2))
    assert engine.apply(cancel(ALICE, gone)) == [
        OrderCanceled(
            seq=5,
            gateway=0,
            request_seq=0,
            account=ALICE,
            instrument=1,
            order_id=gone,
            side=2,
            price_ticks=100,
            canceled_lots=2,
            filled_lots=0,
        )
    ]
    check(engine)
    assert [order[0] for order in queue(engine, SELL)] == left
    assert [fill[0] for fill in fills(engine.apply(market(BOB, BUY, 6)))] == left


def test_cancel_of_the_only_order_removes_the_level_and_the_next_price_is_best() -> None:
    engine = venue()
    engine.apply(limit(ALICE, SELL, 100, 2))
    engine.apply(limit(ALICE, SELL, 101, 2))
    engine.apply(cancel(ALICE, 1))
    check(engine)
    assert fills(engine.apply(market(BOB, BUY, 1))) == [(2, 101, 1)]


def test_cancel_of_a_partly_filled_order_cancels_the_rest() -> None:
    engine = venue()
    engine.apply(limit(ALICE, SELL, 100, 5, name="a"))
    engine.apply(limit(CAROL, SELL, 100, 4))
    engine.apply(limit(BOB, BUY, 100, 2))
    assert engine.apply(cancel(ALICE, name="a")) == [
        OrderCanceled(
            seq=4,
            gateway=0,
            request_seq=0,
            account=ALICE,
            instrument=1,
            order_id=1,
            side=2,
            price_ticks=100,
            canceled_lots=3,
            filled_lots=2,
            client_order_id="a",
        )
    ]
    assert queue(engine, SELL) == [(2, 100, 4)]
    check(engine)


def test_an_order_cannot_be_cancelled_twice() -> None:
    engine = venue()
    engine.apply(limit(ALICE, SELL, 100, 5))
    engine.apply(cancel(ALICE, 1))
    assert engine.apply(cancel(ALICE, 1)) == [
        CommandRejected(
            seq=3,
            gateway=0,
            request_seq=0,
            account=ALICE,
            instrument=1,
            reason=RejectReason.UNKNOWN_ORDER,
            field="order_id",
        )
    ]


def _filled(engine: Engine) -> None:
    engine.apply(limit(BOB, BUY, 100, 5))


def _canceled(engine: Engine) -> None:
    engine.apply(cancel(ALICE, 1))


def _mass_canceled(engine: Engine) -> None:
    engine.apply(mass_cancel(ALICE))


def _amended_below_its_fills(engine: Engine) -> None:
    engine.apply(limit(BOB, BUY, 100, 3))
    engine.apply(amend(ALICE, 1, lots=2))


def _amended_across(engine: Engine) -> None:
    engine.apply(limit(BOB, BUY, 90, 5))
    engine.apply(amend(ALICE, 1, price_ticks=90))


@pytest.mark.parametrize(
    "end", [_filled, _canceled, _mass_canceled, _amended_below_its_fills, _amended_across]
)
def test_an_ended_order_is_unknown_and_its_client_order_id_is_free(end: object) -> None:
    engine = venue()
    engine.apply(limit(ALICE, SELL, 100, 5, name="mine"))
    assert callable(end)
    end(engine)
    check(engine)
    unknown = RejectReason.UNKNOWN_ORDER
    assert reason(engine.apply(cancel(ALICE, 1))[0]) == (unknown, "order_id")
    assert reason(engine.apply(cancel(ALICE, name="mine"))[0]) == (unknown, "client_order_id")
    assert reason(engine.apply(amend(ALICE, 1, lots=9))[0]) == (unknown, "order_id")
    (accepted,) = engine.apply(limit(ALICE, SELL, 200, 5, name="mine"))
    (canceled,) = engine.apply(cancel(ALICE, name="mine"))
    assert isinstance(canceled, OrderCanceled)
    assert canceled.order_id == accepted.seq


@pytest.mark.parametrize(
    "command",
    [
        CancelOrder(gateway=0, request_seq=0, account=BOB, instrument=BTC.id, order_id=1),
        CancelOrder(gateway=0, request_seq=0, account=ALICE, instrument=ETH.id, order_id=1),
        CancelOrder(gateway=0, request_seq=0, account=ALICE, instrument=99, order_id=1),
        CancelOrder(gateway=0, request_seq=0, account=ALICE, instrument=BTC.id, order_id=2),
        CancelOrder(gateway=0, request_seq=0, account=77, instrument=BTC.id, order_id=1),
        amend(BOB, 1, 90, 1),
        replace(amend(ALICE, 1, 90, 1), instrument=ETH.id),
    ],
    ids=["foreign", "other instrument", "no instrument", "no order", "no account", "foreign amend",
         "amend on another instrument"],
)  # fmt: skip
def test_a_reject_does_not_disclose_the_reason_an_order_is_unknown(command: Command) -> None:
    engine = venue()
    engine.apply(limit(ALICE, SELL, 100, 5))
    before = state_hash(engine)
    (reject,) = engine.apply(command)
    assert reason(reject) == (RejectReason.UNKNOWN_ORDER, "order_id")
    assert state_hash(engine) == before


def test_the_same_client_order_id_of_two_accounts_names_two_orders() -> None:
    engine = venue()
    engine.apply(limit(ALICE, SELL, 100, 5, name="x"))
    engine.apply(limit(BOB, SELL, 100, 5, name="x"))
    engine.apply(cancel(BOB, name="x"))
    assert queue(engine, SELL) == [(1, 100, 5)]


def test_a_client_order_id_is_taken_over_all_instruments_while_its_order_is_open() -> None:
    engine = venue()
    engine.apply(limit(ALICE, SELL, 100, 5, name="x"))
    for again in (
        limit(ALICE, BUY, 50, 6, name="x", instrument=ETH),
        limit(ALICE, BUY, 50, 5, IOC, name="x"),
    ):
        (reject,) = engine.apply(again)
        assert reason(reject) == (RejectReason.DUPLICATE_CLIENT_ORDER_ID, "client_order_id")


def test_cancel_cost_does_not_grow_with_the_depth_of_the_level() -> None:
    shallow = _cancel_ns(makers=1_000, levels=1)
    deep = _cancel_ns(makers=100_000, levels=1)
    print(f"cancel at one level: {shallow:.0f} ns 1,000 deep, {deep:.0f} ns 100,000 deep")
    assert deep < 5 * shallow + 2_000


def test_cancel_cost_does_not_grow_with_the_number_of_levels() -> None:
    shallow = _cancel_ns(makers=1_000, levels=500)
    deep = _cancel_ns(makers=100_000, levels=50_000)
    print(f"cancel among levels: {shallow:.0f} ns of 500, {deep:.0f} ns of 50,000")
    # Two orders a level: every second cancel also removes a price from a list of 50,000.
    assert deep < 10 * shallow + 5_000


def _cancel_ns(makers: int, levels: int) -> float:
    """Median time of 1,000 cancels spread over the book; collections would only add noise."""
    engine = venue()
    for n in range(makers):
        engine.apply(limit(ALICE, SELL, 1_000 + n % levels, 1))
    step = makers // 1_000
    took = []
    gc.disable()
    try:
        for n in range(1_000):
            command = cancel(ALICE, 1 + n * step)
            before = perf_counter_ns()
            engine.apply(command)
            took.append(perf_counter_ns() - before)
    finally:
        gc.enable()
    assert len(engine.open_orders(ALICE, limit=10**6)[0]) == makers - 1_000
    return median(took)


# Amend


def test_amend_down_keeps_the_place() -> None:
    engine = venue()
    engine.apply(limit(ALICE, SELL, 100, 5, name="a"))
    engine.apply(limit(CAROL, SELL, 100, 5))
    assert engine.apply(amend(ALICE, 1, lots=3)) == [
        OrderAmended(
            seq=3,
            gateway=0,
            request_seq=0,
            account=ALICE,
            instrument=1,
            order_id=1,
            side=2,
            price_ticks=100,
            quantity_lots=3,
            filled_lots=0,
            remaining_lots=3,
            kept_priority=True,
            client_order_id="a",
        )
    ]
    check(engine)
    assert queue(engine, SELL) == [(1, 100, 3), (2, 100, 5)]


def test_amend_to_the_same_terms_keeps_the_place() -> None:
    engine = venue()
    engine.apply(limit(ALICE, SELL, 100, 5))
    engine.apply(limit(CAROL, SELL, 100, 5))
    (amended,) = engine.apply(amend(ALICE, 1, price_ticks=100, lots=5))
    assert isinstance(amended, OrderAmended)
    assert amended.kept_priority
    assert queue(engine, SELL) == [(1, 100, 5), (2, 100, 5)]


def test_amend_up_goes_to_the_back_with_the_same_id() -> None:
    engine = venue()
    engine.apply(limit(ALICE, SELL, 100, 5))
    engine.apply(limit(CAROL, SELL, 100, 5))
    assert engine.apply(amend(ALICE, 1, lots=6)) == [
        OrderAmended(
            seq=3,
            gateway=0,
            request_seq=0,
            account=ALICE,
            instrument=1,
            order_id=1,
            side=2,
            price_ticks=100,
            quantity_lots=6,
            filled_lots=0,
            remaining_lots=6,
            kept_priority=False,
        )
    ]
    check(engine)
    assert queue(engine, SELL) == [(2, 100, 5), (1, 100, 6)]


def test_amend_of_the_price_moves_the_order_to_the_back_of_the_other_level() -> None:
    engine = venue()
    engine.apply(limit(ALICE, SELL, 100, 5))
    engine.apply(limit(CAROL, SELL, 101, 5))
    engine.apply(amend(ALICE, 1, price_ticks=101))
    check(engine)
    assert queue(engine, SELL) == [(2, 101, 5), (1, 101, 5)]


@pytest.mark.parametrize(
    ("price_ticks", "lots", "arrived"), [(0, 4, 1), (100, 5, 1), (0, 6, 3), (102, 0, 3)]
)
def test_an_order_that_loses_its_place_arrived_with_its_amendment(
    price_ticks: int, lots: int, arrived: int
) -> None:
    engine = venue()
    engine.apply(limit(ALICE, SELL, 100, 5))
    engine.apply(limit(CAROL, SELL, 101, 5))
    engine.apply(amend(ALICE, 1, price_ticks=price_ticks, lots=lots))
    orders = {order.order_id: order.arrived for order in engine.books[BTC.id].asks.orders()}
    assert orders == {1: arrived, 2: 2}


def test_amend_there_and_back_loses_the_place() -> None:
    engine = venue()
    engine.apply(limit(ALICE, SELL, 100, 5))
    engine.apply(limit(CAROL, SELL, 100, 5))
    engine.apply(amend(ALICE, 1, price_ticks=101))
    engine.apply(amend(ALICE, 1, price_ticks=100))
    check(engine)
    assert queue(engine, SELL) == [(2, 100, 5), (1, 100, 5)]


def test_amend_across_trades_as_taker_and_the_rest_rests_behind() -> None:
    engine = venue()
    engine.apply(limit(BOB, BUY, 99, 2))
    engine.apply(limit(BOB, BUY, 98, 2))
    engine.apply(limit(ALICE, SELL, 105, 7, name="a"))
    events = engine.apply(amend(ALICE, 3, price_ticks=98))
    assert events[0] == OrderAmended(
        seq=4,
        gateway=0,
        request_seq=0,
        account=ALICE,
        instrument=1,
        order_id=3,
        side=2,
        price_ticks=98,
        quantity_lots=7,
        filled_lots=0,
        remaining_lots=7,
        kept_priority=False,
        client_order_id="a",
    )
    assert fills(events) == [(1, 99, 2), (2, 98, 2)]
    trade = events[1]
    assert isinstance(trade, TradeExecuted)
    assert (trade.taker_order_id, trade.aggressor_side, trade.seq) == (3, 2, 4)
    assert (trade.taker_filled_lots, trade.taker_remaining_lots) == (2, 5)
    assert queue(engine, SELL) == [(3, 98, 3)]
    assert queue(engine, BUY) == []
    check(engine)


def test_amend_across_that_fills_whole_ends_the_order() -> None:
    engine = venue()
    engine.apply(limit(BOB, BUY, 99, 9))
    engine.apply(limit(ALICE, SELL, 105, 7, name="a"))
    events = engine.apply(amend(ALICE, name="a", price_ticks=99))
    assert [type(event) for event in events] == [OrderAmended, TradeExecuted]
    assert engine.open_orders(ALICE) == ([], False)
    assert queue(engine, BUY) == [(1, 99, 2)]


def test_amend_counts_the_lots_filled_before() -> None:
    engine = venue()
    engine.apply(limit(ALICE, SELL, 100, 5))
    engine.apply(limit(BOB, BUY, 100, 3))
    assert engine.apply(amend(ALICE, 1, lots=8)) == [
        OrderAmended(
            seq=3,
            gateway=0,
            request_seq=0,
            account=ALICE,
            instrument=1,
            order_id=1,
            side=2,
            price_ticks=100,
            quantity_lots=8,
            filled_lots=3,
            remaining_lots=5,
            kept_priority=False,
        )
    ]
    assert queue(engine, SELL) == [(1, 100, 5)]


@pytest.mark.parametrize("total", [3, 2, 1])
def test_amend_to_no_more_than_was_filled_cancels_the_rest(total: int) -> None:
    engine = venue()
    engine.apply(limit(ALICE, SELL, 100, 5))
    engine.apply(limit(BOB, BUY, 100, 3))
    assert engine.apply(amend(ALICE, 1, lots=total)) == [
        OrderCanceled(
            seq=3,
            gateway=0,
            request_seq=0,
            account=ALICE,
            instrument=1,
            order_id=1,
            side=2,
            price_ticks=100,
            canceled_lots=2,
            filled_lots=3,
        )
    ]
    assert queue(engine, SELL) == []
    check(engine)


@pytest.mark.parametrize(
    ("price_ticks", "lots", "reason", "field"),
    [
        (0, 0, RejectReason.MALFORMED, "quantity"),
        (-1, 0, RejectReason.BAD_TICK, "price"),
        (BTC.max_price_ticks + 1, 0, RejectReason.EXCEEDS_LIMIT, "price"),
        (0, -1, RejectReason.BAD_LOT, "quantity"),
        (0, BTC.max_quantity_lots + 1, RejectReason.EXCEEDS_LIMIT, "quantity"),
        (BTC.max_price_ticks, BTC.max_quantity_lots, RejectReason.EXCEEDS_LIMIT, "quantity"),
        (MAX_INT, MAX_INT, RejectReason.EXCEEDS_LIMIT, "quantity"),
    ],
)
def test_amend_rejected_leaves_the_original_in_place(
    price_ticks: int, lots: int, reason: RejectReason, field: str
) -> None:
    engine = venue()
    engine.apply(limit(ALICE, SELL, 100, 5, name="a"))
    engine.apply(limit(CAROL, SELL, 100, 5))
    before = state_hash(engine)
    assert engine.apply(amend(ALICE, 1, price_ticks, lots)) == [
        CommandRejected(
            seq=3, gateway=0, request_seq=0, account=ALICE, instrument=1, reason=reason, field=field
        )
    ]
    assert state_hash(engine) == before
    assert queue(engine, SELL) == [(1, 100, 5), (2, 100, 5)]
    check(engine)
