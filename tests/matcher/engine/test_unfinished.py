"""Acts that are too long for one number go on under the next ones, before any other command."""

import pytest
from msgspec.structs import replace

from crossbook.common.messages.commands import (
    AdvanceTime,
    Instructions,
    MassCancelOrders,
    NewOrder,
    SetCancelAfter,
    SetInstrumentState,
    Uncross,
)
from crossbook.common.messages.events import (
    AuctionUncrossed,
    CommandRejected,
    Event,
    InstrumentStateChanged,
    OrderCanceled,
    OrderExpired,
    OrdersMassCanceled,
    OrderTriggered,
    TimeAdvanced,
    TradeExecuted,
)
from crossbook.common.rules import Rules
from crossbook.common.types import InstrumentState, OrderType, RejectReason
from crossbook.matcher.engine.engine import Engine
from crossbook.matcher.recovery.snapshot import capture, restore, state_hash
from tests.worlds.invariants import check
from tests.worlds.venue import (
    ALICE,
    BOB,
    BTC,
    BUY,
    CAROL,
    IOC,
    SELL,
    amend,
    cancel,
    limit,
    market,
)

FEW = Rules(max_fills=3)


def names(events: list[Event]) -> list[tuple[int, str]]:
    """The number and the kind of each event."""
    return [(event.seq, type(event).__name__) for event in events]


def with_bids(count: int, rules: Rules = FEW, expire_ns: int = 0) -> Engine:
    engine = Engine([BTC], rules)
    for number in range(count):
        bid = limit(ALICE, BUY, 100 - number, 1)
        if expire_ns:
            bid = replace(bid, time_in_force=4, instructions=Instructions(expire_ns=expire_ns))
        engine.apply(bid)
    return engine


def again(engine: Engine) -> Engine:
    """The engine after a restart from a snapshot."""
    restored = restore(capture(engine))
    assert state_hash(restored) == state_hash(engine)
    assert capture(restored) == capture(engine)
    return restored


@pytest.mark.parametrize("restarts", [False, True])
def test_a_mass_cancel_goes_on_before_the_next_command(restarts: bool) -> None:
    engine = with_bids(8)
    first = engine.apply(MassCancelOrders(0, 0, ALICE))
    answer = first[0]
    assert isinstance(answer, OrdersMassCanceled)
    assert answer.count == 8
    assert names(first) == [(9, "OrdersMassCanceled"), *[(9, "OrderCanceled")] * 3]
    check(engine)
    assert engine.unfinished is not None
    engine = again(engine) if restarts else engine
    second = engine.apply(AdvanceTime())
    assert names(second) == [(10, "TimeAdvanced"), *[(10, "OrderCanceled")] * 3]
    engine = again(engine) if restarts else engine
    last = engine.apply(limit(BOB, SELL, 90, 1))
    assert names(last) == [
        (11, "TimeAdvanced"), *[(11, "OrderCanceled")] * 2, (12, "OrderAccepted"),
    ]  # fmt: skip
    ids = [e.order_id for e in (*first, *second, *last) if isinstance(e, OrderCanceled)]
    assert ids == list(range(1, 9))
    assert engine.unfinished is None
    check(engine)


def test_orders_that_expire_at_one_time_expire_under_several_numbers() -> None:
    engine = with_bids(7, expire_ns=50)
    assert engine.apply(AdvanceTime(), 49) == []
    steps = []
    while events := engine.apply(AdvanceTime(), 50):
        assert isinstance(events[0], TimeAdvanced)
        steps.append(len(events) - 1)
        check(again(engine))
    assert steps == [3, 3, 1]


def test_a_deadline_stays_until_every_order_is_canceled() -> None:
    engine = with_bids(7)
    engine.apply(
        SetCancelAfter(gateway=0, request_seq=0, account=ALICE, instrument=0, timeout_ns=10), 5
    )
    assert len(engine.apply(AdvanceTime(), 15)) == 1 + 3
    assert engine.accounts[ALICE].deadline == (15, 8)
    engine = again(engine)
    done = engine.apply(limit(BOB, BUY, 1, 1), 15)
    assert [type(event) for event in done].count(OrderCanceled) == 4
    assert engine.accounts[ALICE].deadline is None


@pytest.mark.parametrize("restarts", [False, True])
def test_elected_orders_run_in_the_order_they_were_elected_in(restarts: bool) -> None:
    engine = Engine([BTC], FEW)
    for side in (SELL, BUY):
        engine.apply(limit(BOB, side, 100, 1))
    for number in range(9):
        trigger = Instructions(trigger_ticks=101 + number // 2)
        engine.apply(
            NewOrder(
                gateway=0,
                request_seq=0,
                account=ALICE,
                instrument=1,
                side=BUY,
                order_type=int(OrderType.STOP),
                time_in_force=1,
                price_ticks=0,
                quantity_lots=1,
                client_order_id="",
                quote_amount=0,
                prevention=0,
                instructions=trigger,
            )
        )
    engine.apply(limit(BOB, SELL, 110, 1))
    events = engine.apply(limit(CAROL, BUY, 110, 1))
    while engine.unfinished is not None:
        check(engine)
        engine = again(engine) if restarts else engine
        more = engine.apply(AdvanceTime())
        assert len(more) <= 1 + 3 + 1
        events += more
    elected = [event.order_id for event in events if isinstance(event, OrderTriggered)]
    assert elected == list(range(3, 12))
    check(engine)


@pytest.mark.parametrize("restarts", [False, True])
def test_an_uncross_has_one_price_under_all_its_numbers(restarts: bool) -> None:
    engine = Engine([BTC], FEW)
    engine.apply(
        SetInstrumentState(
            gateway=0,
            request_seq=0,
            account=0,
            instrument=BTC.id,
            state=int(InstrumentState.AUCTION),
        )
    )
    for _ in range(8):
        engine.apply(limit(ALICE, BUY, 101, 1))
        engine.apply(limit(BOB, SELL, 99, 1))
        engine.apply(market(CAROL, SELL, 1))
    events = engine.apply(Uncross(0, 0, 0, BTC.id))
    assert isinstance(events[0], AuctionUncrossed)
    assert events[0].quantity_lots == 8
    while engine.unfinished is not None:
        assert engine.books[BTC.id].state == InstrumentState.AUCTION
        check(engine)
        engine = again(engine) if restarts else engine
        events += engine.apply(AdvanceTime())
    trades = [event for event in events if isinstance(event, TradeExecuted)]
    assert {trade.price_ticks for trade in trades} == {events[0].price_ticks}
    assert len(trades) == 8
    assert isinstance(events[-1], InstrumentStateChanged)
    assert engine.books[BTC.id].state == InstrumentState.OPEN or engine.books[BTC.id].is_crossed
    check(engine)


def test_an_order_that_met_as_many_makers_as_it_may_expires() -> None:
    engine = Engine([BTC], FEW)
    for price in (100, 100, 101, 102):
        engine.apply(limit(BOB, SELL, price, 1))
    events = engine.apply(limit(ALICE, BUY, 105, 9))
    assert names(events)[1:] == [*[(5, "TradeExecuted")] * 3, (5, "OrderExpired")]
    assert isinstance(events[-1], OrderExpired)
    assert (events[-1].reason, events[-1].expired_lots) == (RejectReason.TOO_MANY_FILLS, 6)
    # With nothing more to meet it rests.
    rests = engine.apply(limit(ALICE, BUY, 105, 9))
    assert names(rests)[1:] == [(6, "TradeExecuted")]
    check(engine)


@pytest.mark.parametrize("amount", [100, 301, 401, 405, 500])
def test_an_amount_of_money_is_spent_on_as_many_makers_as_may_be_met(amount: int) -> None:
    engine = Engine([BTC], FEW)
    for price in (100, 100, 101, 102):
        engine.apply(limit(BOB, SELL, price, 1))
    events = engine.apply(market(ALICE, BUY, quote_amount=amount * 10))
    left = amount - sum((100, 100, 101)[: 1 if amount == 100 else 3])
    last = events[-1]
    if left >= 102:
        assert isinstance(last, OrderExpired)
        assert (last.reason, last.quote_left) == (RejectReason.TOO_MANY_FILLS, left * 10)
    else:
        assert type(last).__name__ == "OrderCompleted"


def test_a_full_price_takes_no_order_by_entry_by_amend_or_by_election() -> None:
    engine = Engine([BTC], Rules(max_level_orders=2))
    for _ in range(2):
        engine.apply(limit(BOB, BUY, 100, 1))
    for refused in (limit(ALICE, BUY, 100, 1), limit(BOB, BUY, 100, 1)):
        answer = engine.apply(refused)[0]
        assert isinstance(answer, CommandRejected)
        assert (answer.reason, answer.field) == (RejectReason.LEVEL_FULL, "price")
    engine.apply(limit(ALICE, BUY, 99, 1))
    moved = engine.apply(amend(ALICE, 5, price_ticks=100))[0]
    assert isinstance(moved, CommandRejected)
    assert (moved.reason, moved.field) == (RejectReason.LEVEL_FULL, "price")
    stop = Instructions(trigger_ticks=110)
    engine.apply(
        NewOrder(
            gateway=0,
            request_seq=0,
            account=ALICE,
            instrument=1,
            side=BUY,
            order_type=int(OrderType.STOP_LIMIT),
            time_in_force=1,
            price_ticks=100,
            quantity_lots=1,
            client_order_id="",
            quote_amount=0,
            prevention=0,
            instructions=stop,
        )
    )
    engine.apply(limit(BOB, SELL, 111, 1))
    elected = engine.apply(limit(CAROL, BUY, 111, 1))
    assert isinstance(elected[-1], OrderExpired)
    assert elected[-1].reason == RejectReason.LEVEL_FULL
    # An order that may not stay needs no room, and one that left makes room.
    assert (
        names(engine.apply(limit(ALICE, BUY, 100, 1, time_in_force=IOC)))[0][1] == "OrderAccepted"
    )
    engine.apply(cancel(BOB, 1))
    assert names(engine.apply(limit(ALICE, BUY, 100, 1))) == [(engine.seq, "OrderAccepted")]
    check(engine)


def test_the_market_orders_of_a_call_phase_are_a_price_too() -> None:
    engine = Engine([BTC], Rules(max_level_orders=2))
    engine.apply(
        SetInstrumentState(
            gateway=0,
            request_seq=0,
            account=0,
            instrument=BTC.id,
            state=int(InstrumentState.AUCTION),
        )
    )
    engine.apply(market(ALICE, BUY, 1))
    engine.apply(market(ALICE, SELL, 1))
    answer = engine.apply(market(ALICE, SELL, 1))[0]
    assert isinstance(answer, CommandRejected)
    assert (answer.reason, answer.field) == (RejectReason.LEVEL_FULL, "instrument")
