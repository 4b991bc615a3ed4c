"""The effect of an order on the market: each class of defect that real engines had, as a claim."""

from time import perf_counter_ns

import pytest

from crossbook.common.instruments import MAX_NOTIONAL
from crossbook.common.messages.events import (
    OrderAccepted,
    OrderCompleted,
    OrderExpired,
    OrdersMassCanceled,
    TradeExecuted,
)
from crossbook.common.types import RejectReason, Side
from crossbook.matcher.recovery.snapshot import state_hash
from tests.worlds.invariants import check
from tests.worlds.venue import (
    ALICE,
    BOB,
    BTC,
    BUY,
    CAROL,
    ETH,
    FOK,
    IOC,
    SELL,
    cancel,
    fills,
    limit,
    market,
    mass_cancel,
    queue,
    reason,
    venue,
)

# Trades


def test_a_crossing_order_is_answered_then_trades_and_reports_all_totals() -> None:
    engine = venue()
    engine.apply(limit(ALICE, SELL, 100, 5, name="ask"))
    assert engine.apply(limit(BOB, BUY, 101, 3, name="bid")) == [
        OrderAccepted(
            seq=2,
            gateway=0,
            request_seq=0,
            account=BOB,
            instrument=1,
            side=1,
            order_type=1,
            time_in_force=1,
            price_ticks=101,
            quantity_lots=3,
            client_order_id="bid",
        ),
        TradeExecuted(
            seq=2,
            trade_id=1,
            instrument=1,
            price_ticks=100,
            quantity_lots=3,
            aggressor_side=1,
            maker_order_id=1,
            taker_order_id=2,
            maker_account=ALICE,
            taker_account=BOB,
            maker_fee=3,  # 100 * 3 * 10 quote units at 0.10 %
            taker_fee=6,  # 3 * 1000 base units at 0.20 %
            maker_filled_lots=3,
            maker_remaining_lots=2,
            taker_filled_lots=3,
            taker_remaining_lots=0,
            maker_client_order_id="ask",
            taker_client_order_id="bid",
        ),
    ]
    assert queue(engine, SELL) == [(1, 100, 2)]
    assert queue(engine, BUY) == []


@pytest.mark.parametrize(("taker_side", "limit_ticks"), [(BUY, 105), (SELL, 95)])
def test_taker_pays_the_makers_price(taker_side: Side, limit_ticks: int) -> None:
    engine = venue()
    engine.apply(limit(ALICE, Side(3 - taker_side), 100, 5))
    assert fills(engine.apply(limit(BOB, taker_side, limit_ticks, 5))) == [(1, 100, 5)]


@pytest.mark.parametrize("taker_side", [BUY, SELL])
def test_equal_prices_cross(taker_side: Side) -> None:
    engine = venue()
    engine.apply(limit(ALICE, Side(3 - taker_side), 100, 5))
    assert fills(engine.apply(limit(BOB, taker_side, 100, 5))) == [(1, 100, 5)]


@pytest.mark.parametrize("taker_side", [BUY, SELL])
def test_prices_one_tick_apart_do_not_cross(taker_side: Side) -> None:
    engine = venue()
    engine.apply(limit(ALICE, BUY, 100, 5))
    engine.apply(limit(ALICE, SELL, 102, 5))
    assert fills(engine.apply(limit(BOB, taker_side, 101, 5))) == []
    check(engine)


@pytest.mark.parametrize(
    ("taker_side", "prices", "expected"),
    [
        (BUY, (103, 101, 102), [(2, 101, 1), (3, 102, 1), (1, 103, 1)]),
        (SELL, (101, 103, 102), [(2, 103, 1), (3, 102, 1), (1, 101, 1)]),
    ],
)
def test_the_best_price_trades_first_in_any_order_of_arrival(
    taker_side: Side, prices: tuple[int, ...], expected: list[tuple[int, int, int]]
) -> None:
    engine = venue()
    for price in prices:
        engine.apply(limit(ALICE, Side(3 - taker_side), price, 1))
    assert fills(engine.apply(market(BOB, taker_side, 3))) == expected


def test_at_one_price_the_earlier_order_trades_first() -> None:
    engine = venue()
    for lots in (2, 3, 4):
        engine.apply(limit(ALICE, SELL, 100, lots))
    assert fills(engine.apply(limit(BOB, BUY, 100, 6))) == [(1, 100, 2), (2, 100, 3), (3, 100, 1)]


def test_a_level_that_emptied_and_came_back_starts_a_new_queue() -> None:
    engine = venue()
    engine.apply(limit(ALICE, SELL, 100, 1))
    engine.apply(limit(BOB, BUY, 100, 1))
    engine.apply(limit(CAROL, SELL, 100, 1))
    engine.apply(limit(ALICE, SELL, 100, 1))
    assert queue(engine, SELL) == [(3, 100, 1), (4, 100, 1)]
    assert fills(engine.apply(limit(BOB, BUY, 100, 2))) == [(3, 100, 1), (4, 100, 1)]


def test_partly_filled_maker_keeps_its_place() -> None:
    engine = venue()
    engine.apply(limit(ALICE, SELL, 100, 5))
    engine.apply(limit(CAROL, SELL, 100, 5))
    engine.apply(limit(BOB, BUY, 100, 2))
    assert queue(engine, SELL) == [(1, 100, 3), (2, 100, 5)]
    assert fills(engine.apply(limit(BOB, BUY, 100, 4))) == [(1, 100, 3), (2, 100, 1)]


def test_the_rest_of_a_taker_rests_at_its_own_price_and_does_not_cross() -> None:
    engine = venue()
    engine.apply(limit(ALICE, SELL, 100, 2))
    engine.apply(limit(ALICE, SELL, 103, 2))
    engine.apply(limit(BOB, BUY, 102, 5))
    assert queue(engine, BUY) == [(3, 102, 3)]
    assert queue(engine, SELL) == [(2, 103, 2)]
    check(engine)


def test_own_orders_trade_while_there_is_no_self_trade_prevention() -> None:
    engine = venue()
    engine.apply(limit(ALICE, SELL, 100, 2))
    (_, trade) = engine.apply(limit(ALICE, BUY, 100, 2))
    assert isinstance(trade, TradeExecuted)
    assert trade.maker_account == trade.taker_account == ALICE


def test_instruments_do_not_touch_each_other() -> None:
    engine = venue()
    engine.apply(limit(ALICE, SELL, 100, 5))
    engine.apply(limit(ALICE, SELL, 100, 5, instrument=ETH))
    events = engine.apply(limit(BOB, BUY, 100, 9, instrument=ETH))
    assert fills(events) == [(2, 100, 5)]
    assert queue(engine, SELL) == [(1, 100, 5)]
    assert queue(engine, BUY, ETH) == [(3, 100, 4)]


def test_trade_ids_are_dense_in_each_instrument() -> None:
    engine = venue()
    ids: dict[int, list[int]] = {BTC.id: [], ETH.id: []}
    for instrument in (BTC, ETH, BTC, BTC, ETH):
        engine.apply(limit(ALICE, SELL, 100, 5, instrument=instrument))
        trade = engine.apply(limit(BOB, BUY, 100, 5, instrument=instrument))[1]
        assert isinstance(trade, TradeExecuted)
        ids[instrument.id].append(trade.trade_id)
    assert ids == {BTC.id: [1, 2, 3], ETH.id: [1, 2]}


def test_prices_may_swing_over_the_whole_range() -> None:
    engine = venue()
    engine.apply(limit(ALICE, SELL, BTC.max_price_ticks, 1))
    engine.apply(limit(ALICE, BUY, 1, 1))
    check(engine)
    assert fills(engine.apply(limit(BOB, SELL, 1, 1))) == [(2, 1, 1)]
    assert fills(engine.apply(limit(BOB, BUY, BTC.max_price_ticks, 1))) == [
        (1, BTC.max_price_ticks, 1)
    ]
    for price in (1, 10**9, 500, 10**6, 2, 999_999_999):
        engine.apply(limit(ALICE, BUY if price < 10**5 else SELL, price, 1))
        check(engine)
    assert [order[1] for order in queue(engine, BUY)] == [500, 2, 1]
    assert [order[1] for order in queue(engine, SELL)] == [10**6, 999_999_999, 10**9]


def test_the_largest_notional_trades_and_one_more_is_refused() -> None:
    engine = venue()
    lots = MAX_NOTIONAL // (BTC.notional_per_tick_lot * 10**9)
    engine.apply(limit(ALICE, SELL, 10**9, lots))
    (_, trade) = engine.apply(limit(BOB, BUY, 10**9, lots))
    assert isinstance(trade, TradeExecuted)
    assert trade.maker_fee == -(-(10**9 * lots * 10) // 1000)
    (reject,) = engine.apply(limit(BOB, BUY, 10**9, lots + 1))
    assert reason(reject) == (RejectReason.EXCEEDS_LIMIT, "quantity")


def test_sweep_of_50000_makers_is_one_event_list_in_queue_order() -> None:
    engine = venue()
    for n in range(50_000):
        engine.apply(limit(ALICE, SELL, 1_000 + n // 100, 1, name=f"m{n}"))
    before = perf_counter_ns()
    events = engine.apply(limit(BOB, BUY, 10_000, 50_001))
    took_ms = (perf_counter_ns() - before) / 1e6
    assert len(events) == 50_001
    assert fills(events) == [(n + 1, 1_000 + n // 100, 1) for n in range(50_000)]
    assert queue(engine, SELL) == []
    assert queue(engine, BUY) == [(50_001, 10_000, 1)]
    assert engine.open_orders(ALICE) == ([], False)
    check(engine)
    assert took_ms < 5_000, f"the sweep took {took_ms:.0f} ms"


# Empty and one-sided books


@pytest.mark.parametrize("side", [BUY, SELL])
def test_every_kind_of_order_on_an_empty_book_has_its_ending(side: Side) -> None:
    engine = venue()
    assert len(engine.apply(limit(ALICE, side, 100, 5, IOC))) == 2
    assert engine.apply(limit(ALICE, side, 100, 5, IOC))[1] == OrderExpired(
        seq=2,
        account=ALICE,
        instrument=1,
        order_id=2,
        side=side,
        price_ticks=100,
        expired_lots=5,
        filled_lots=0,
        reason=RejectReason.IMMEDIATE_OR_CANCEL,
    )
    assert engine.apply(limit(ALICE, side, 100, 5, FOK))[1] == OrderExpired(
        seq=3,
        account=ALICE,
        instrument=1,
        order_id=3,
        side=side,
        price_ticks=100,
        expired_lots=5,
        filled_lots=0,
        reason=RejectReason.FILL_OR_KILL,
    )
    assert engine.apply(market(ALICE, side, 5))[1] == OrderExpired(
        seq=4,
        account=ALICE,
        instrument=1,
        order_id=4,
        side=side,
        price_ticks=0,
        expired_lots=5,
        filled_lots=0,
        reason=RejectReason.INSUFFICIENT_LIQUIDITY,
    )
    assert engine.apply(market(ALICE, side, quote_amount=70))[1] == OrderExpired(
        seq=5,
        account=ALICE,
        instrument=1,
        order_id=5,
        side=side,
        price_ticks=0,
        expired_lots=0,
        filled_lots=0,
        reason=RejectReason.INSUFFICIENT_LIQUIDITY,
        client_order_id="",
        quote_left=70,
    )
    assert engine.apply(cancel(ALICE, 1))[0].seq == 6
    assert engine.apply(mass_cancel(ALICE)) == [
        OrdersMassCanceled(
            seq=7, gateway=0, request_seq=0, account=ALICE, instrument=0, side=0, count=0
        )
    ]
    assert (queue(engine, BUY), queue(engine, SELL)) == ([], [])


@pytest.mark.parametrize("side", [BUY, SELL])
def test_a_one_sided_book_takes_more_orders_and_gives_none_to_its_own_side(side: Side) -> None:
    engine = venue()
    for price in (100, 99, 101, 100):
        assert len(engine.apply(limit(ALICE, side, price, 2))) == 1
    assert fills(engine.apply(market(BOB, side, 5))) == []
    assert len(queue(engine, side)) == 4
    assert len(fills(engine.apply(market(BOB, Side(3 - side), 9)))) == 4
    assert queue(engine, side) == []
    check(engine)


# Order types


def test_ioc_fills_crossing_levels_and_the_rest_expires() -> None:
    engine = venue()
    engine.apply(limit(ALICE, SELL, 100, 2))
    engine.apply(limit(ALICE, SELL, 102, 2))
    events = engine.apply(limit(BOB, BUY, 101, 5, IOC, "i"))
    assert fills(events) == [(1, 100, 2)]
    assert events[-1] == OrderExpired(
        seq=3,
        account=BOB,
        instrument=1,
        order_id=3,
        side=1,
        price_ticks=101,
        expired_lots=3,
        filled_lots=2,
        reason=RejectReason.IMMEDIATE_OR_CANCEL,
        client_order_id="i",
    )
    assert queue(engine, BUY) == []


def test_ioc_that_fills_whole_has_no_terminal_event() -> None:
    engine = venue()
    engine.apply(limit(ALICE, SELL, 100, 2))
    assert len(engine.apply(limit(BOB, BUY, 100, 2, IOC))) == 2


@pytest.mark.parametrize("side", [BUY, SELL])
def test_fok_counts_every_maker_of_every_level_within_its_limit(side: Side) -> None:
    engine = venue()
    step = 1 if side == BUY else -1
    for price in (100, 100, 100 + step, 100 + 2 * step, 100 + 3 * step):
        engine.apply(limit(ALICE, Side(3 - side), price, 2))
    killed = engine.apply(limit(BOB, side, 100 + 2 * step, 9, FOK))
    assert [type(event) for event in killed] == [OrderAccepted, OrderExpired]
    filled = engine.apply(limit(BOB, side, 100 + 2 * step, 8, FOK))
    assert fills(filled) == [
        (1, 100, 2),
        (2, 100, 2),
        (3, 100 + step, 2),
        (4, 100 + 2 * step, 2),
    ]
    assert len(filled) == 5
    assert queue(engine, Side(3 - side)) == [(5, 100 + 3 * step, 2)]


def test_killed_fok_changes_nothing_at_all() -> None:
    engine = venue()
    engine.apply(limit(ALICE, SELL, 100, 2, name="a"))
    before = state_hash(engine)
    assert engine.apply(limit(BOB, BUY, 100, 3, FOK, "f"))[1] == OrderExpired(
        seq=2,
        account=BOB,
        instrument=1,
        order_id=2,
        side=1,
        price_ticks=100,
        expired_lots=3,
        filled_lots=0,
        reason=RejectReason.FILL_OR_KILL,
        client_order_id="f",
    )
    assert state_hash(engine) == before
    assert len(engine.apply(limit(BOB, BUY, 90, 1, name="f"))) == 1


def test_market_order_sweeps_any_price_and_never_rests() -> None:
    engine = venue()
    engine.apply(limit(ALICE, SELL, 100, 2))
    engine.apply(limit(ALICE, SELL, BTC.max_price_ticks, 2))
    events = engine.apply(market(BOB, BUY, 5))
    assert fills(events) == [(1, 100, 2), (2, BTC.max_price_ticks, 2)]
    assert events[-1] == OrderExpired(
        seq=3,
        account=BOB,
        instrument=1,
        order_id=3,
        side=1,
        price_ticks=0,
        expired_lots=1,
        filled_lots=4,
        reason=RejectReason.INSUFFICIENT_LIQUIDITY,
    )
    assert queue(engine, BUY) == []


def test_market_sell_reaches_a_bid_of_one_tick() -> None:
    engine = venue()
    engine.apply(limit(ALICE, BUY, 1, 2))
    assert fills(engine.apply(market(BOB, SELL, 2))) == [(1, 1, 2)]


def test_quote_market_spends_whole_lots_and_reports_the_unspent_amount() -> None:
    engine = venue()
    engine.apply(limit(ALICE, SELL, 100, 2))
    engine.apply(limit(ALICE, SELL, 150, 9))
    # 2 lots at 1,000 units, then 3 at 1,500; the last 700 buy no lot at 1,500.
    events = engine.apply(market(BOB, BUY, quote_amount=2_000 + 4_500 + 700))
    assert fills(events) == [(1, 100, 2), (2, 150, 3)]
    assert events[-1] == OrderCompleted(
        seq=3, account=BOB, instrument=1, order_id=3, side=1, filled_lots=5, quote_left=700
    )
    assert [event.taker_remaining_lots for event in events if isinstance(event, TradeExecuted)] == [
        0,
        0,
    ]


def test_quote_market_that_spends_all_on_the_last_maker_completes() -> None:
    engine = venue()
    engine.apply(limit(ALICE, BUY, 100, 2))
    events = engine.apply(market(BOB, SELL, quote_amount=2_000))
    assert events[-1] == OrderCompleted(
        seq=2, account=BOB, instrument=1, order_id=2, side=2, filled_lots=2, quote_left=0
    )
    assert queue(engine, BUY) == []


def test_quote_market_that_outlasts_the_book_expires_with_the_unspent_amount() -> None:
    engine = venue()
    engine.apply(limit(ALICE, SELL, 100, 2))
    events = engine.apply(market(BOB, BUY, quote_amount=2_001))
    assert events[-1] == OrderExpired(
        seq=2,
        account=BOB,
        instrument=1,
        order_id=2,
        side=1,
        price_ticks=0,
        expired_lots=0,
        filled_lots=2,
        reason=RejectReason.INSUFFICIENT_LIQUIDITY,
        client_order_id="",
        quote_left=1,
    )


def test_quote_market_too_small_for_one_lot_completes_without_a_trade() -> None:
    engine = venue()
    engine.apply(limit(ALICE, SELL, 100, 2))
    assert engine.apply(market(BOB, BUY, quote_amount=999))[1:] == [
        OrderCompleted(
            seq=2, account=BOB, instrument=1, order_id=2, side=1, filled_lots=0, quote_left=999
        )
    ]
