"""A market order by quote amount ends before an own order when its rest pays for no lot."""

import pytest
from msgspec.structs import replace

from crossbook.common.messages.commands import AdjustBalance, Instructions, NewOrder, SetFees
from crossbook.common.messages.events import (
    CommandRejected,
    Event,
    OrderCompleted,
    OrderExpired,
    TradeExecuted,
)
from crossbook.common.rules import EDITION, Rules
from crossbook.common.types import OrderType, Prevention, RejectReason, Side
from crossbook.matcher.engine.dry_run import lots_for
from crossbook.matcher.engine.engine import Engine
from tests.worlds.invariants import check
from tests.worlds.venue import ALICE, BOB, BTC, BUY, CAROL, SELL, limit

PREVENTING = [mode for mode in Prevention if mode not in (Prevention.NONE, Prevention.DECREMENT)]
UNIT = BTC.notional_per_tick_lot
PLAIN = replace(BTC, min_notional=0, maker_fee_rate=0, taker_fee_rate=0)
PRICES = {BUY: (100, 101, 102), SELL: (102, 101, 100)}
"""Of the makers a taker of this side meets, best first."""

sides = pytest.mark.parametrize("side", [BUY, SELL], ids=["buys", "sells"])
modes = pytest.mark.parametrize("mode", PREVENTING, ids=lambda mode: mode.name)


def _spend(engine: Engine, side: Side, mode: Prevention, amount: int) -> list[Event]:
    order = NewOrder(
        gateway=0,
        request_seq=0,
        account=ALICE,
        instrument=BTC.id,
        side=side,
        order_type=OrderType.MARKET,
        time_in_force=1,
        price_ticks=0,
        quantity_lots=0,
        client_order_id="",
        quote_amount=amount,
        prevention=mode,
    )
    events = engine.apply(order)
    check(engine)
    return events[1:]


def _book(side: Side, edition: int = EDITION, display_lots: int = 0) -> Engine:
    """Bob's lot, then two of Alice's own orders, of three and of five lots, on the other side."""
    engine = Engine([PLAIN], edition=edition)
    other = Side(3 - side)
    first, second, third = PRICES[side]
    engine.apply(limit(BOB, other, first, 1))
    own = limit(ALICE, other, second, 3)
    engine.apply(replace(own, instructions=Instructions(0, display_lots)) if display_lots else own)
    engine.apply(limit(ALICE, other, third, 5))
    return engine


def _outline(events: list[Event]) -> list[tuple[str, int]]:
    return [
        (type(event).__name__, getattr(event, "order_id", 0) or getattr(event, "maker_order_id", 0))
        for event in events
    ]


@sides
@modes
@pytest.mark.parametrize("display_lots", [0, 1], ids=["plain", "iceberg"])
@pytest.mark.parametrize("over", ["nothing", "one unit", "one unit less than a lot"])
def test_an_amount_below_one_lot_at_the_next_price_leaves_own_orders(
    side: Side, mode: Prevention, display_lots: int, over: str
) -> None:
    first, second, _ = PRICES[side]
    left = {"nothing": 0, "one unit": 1, "one unit less than a lot": second * UNIT - 1}[over]
    engine = _book(side, display_lots=display_lots)
    events = _spend(engine, side, mode, first * UNIT + left)
    assert _outline(events) == [("TradeExecuted", 1), ("OrderCompleted", 4)]
    completed = events[-1]
    assert isinstance(completed, OrderCompleted)
    assert (completed.filled_lots, completed.quote_left) == (1, left)
    assert list(engine.accounts[ALICE].orders) == [2, 3]


@sides
@modes
def test_an_amount_of_one_lot_at_the_next_price_meets_own_orders(
    side: Side, mode: Prevention
) -> None:
    first, second, third = PRICES[side]
    engine = _book(side)
    left = max(second, third) * UNIT
    events = _spend(engine, side, mode, first * UNIT + left)
    gone = {
        Prevention.EXPIRE_TAKER: [4],
        Prevention.EXPIRE_MAKER: [2, 3, 4],
        Prevention.EXPIRE_BOTH: [2, 4],
    }[mode]
    assert _outline(events) == [
        ("TradeExecuted", 1),
        *(("OrderExpired", number) for number in gone),
    ]
    last = events[-1]
    assert isinstance(last, OrderExpired)
    assert last.quote_left == left
    in_match = mode is not Prevention.EXPIRE_MAKER
    assert (last.reason == RejectReason.SELF_TRADE) is in_match


def test_own_orders_go_only_as_far_as_the_rest_pays_for_a_lot() -> None:
    engine = _book(BUY)
    engine.apply(limit(BOB, SELL, 103, 1))
    left = 101 * UNIT
    events = _spend(engine, BUY, Prevention.EXPIRE_MAKER, 100 * UNIT + left)
    assert _outline(events) == [("TradeExecuted", 1), ("OrderExpired", 2), ("OrderCompleted", 5)]
    assert list(engine.accounts[ALICE].orders) == [3]


@sides
@modes
def test_behind_the_price_band_nothing_is_met(side: Side, mode: Prevention) -> None:
    engine = _book(side)
    book = engine.books[BTC.id]
    first, second, _ = PRICES[side]
    book.configure(replace(PLAIN, band_low_ticks=first, band_high_ticks=first))
    events = _spend(engine, side, mode, first * UNIT + second * UNIT)
    assert _outline(events) == [("TradeExecuted", 1), ("OrderExpired", 4)]
    assert isinstance(events[-1], OrderExpired)
    assert events[-1].reason == RejectReason.PRICE_BAND
    assert list(engine.accounts[ALICE].orders) == [2, 3]


def test_decrement_does_not_go_with_a_quote_amount() -> None:
    engine = _book(BUY)
    order = NewOrder(
        gateway=0,
        request_seq=0,
        account=ALICE,
        instrument=1,
        side=BUY,
        order_type=OrderType.MARKET,
        time_in_force=1,
        price_ticks=0,
        quantity_lots=0,
        client_order_id="",
        quote_amount=9,
        prevention=Prevention.DECREMENT,
    )
    [refused] = engine.apply(order)
    assert isinstance(refused, CommandRejected)
    assert refused.field == "self_trade_prevention"


@sides
def test_without_prevention_own_orders_trade(side: Side) -> None:
    first, second, _ = PRICES[side]
    engine = _book(side)
    events = _spend(engine, side, Prevention.NONE, (first + second) * UNIT)
    assert [type(event) for event in events] == [TradeExecuted, TradeExecuted, OrderCompleted]


@sides
@modes
@pytest.mark.parametrize("left", [0, 1, 99 * UNIT, 100 * UNIT, 101 * UNIT, 102 * UNIT, 500 * UNIT])
def test_the_lots_counted_beforehand_are_those_that_trade(
    side: Side, mode: Prevention, left: int
) -> None:
    engine = _book(side)
    engine.apply(limit(CAROL, Side(3 - side), PRICES[side][2], 2))
    amount = PRICES[side][0] * UNIT + left
    book = engine.books[BTC.id]
    counted = lots_for(book, engine.accounts[ALICE], side, mode, amount, -(2**62))
    events = _spend(engine, side, mode, amount)
    traded = sum(event.quantity_lots for event in events if isinstance(event, TradeExecuted))
    assert counted == traded


@pytest.mark.parametrize("over", [0, 100 * UNIT - 1], ids=["nothing left", "less than a lot left"])
def test_a_seller_by_quote_amount_needs_only_the_traded_lots(over: int) -> None:
    engine = Engine([PLAIN], Rules(accounts=True))
    for account, asset, amount in (
        (ALICE, "USDT", 10**6),
        (ALICE, "BTC", 1_000),
        (BOB, "USDT", 10**6),
    ):
        engine.apply(
            AdjustBalance(
                gateway=0,
                request_seq=0,
                account=account,
                instrument=0,
                asset=asset,
                amount=amount,
                transfer_id=f"{account}{asset}",
            )
        )
    engine.apply(
        SetFees(
            gateway=0,
            request_seq=0,
            account=0,
            instrument=BTC.id,
            maker_fee_rate=0,
            taker_fee_rate=0,
        )
    )
    engine.apply(limit(BOB, BUY, 101, 1))
    engine.apply(limit(ALICE, BUY, 100, 1))
    engine.apply(limit(BOB, BUY, 99, 9))
    events = _spend(engine, SELL, Prevention.EXPIRE_MAKER, 101 * UNIT + over)
    assert [type(event) for event in events] == [TradeExecuted, OrderCompleted]


@sides
@modes
def test_the_first_edition_met_own_orders_with_nothing_left(side: Side, mode: Prevention) -> None:
    engine = _book(side, edition=1)
    events = _spend(engine, side, mode, PRICES[side][0] * UNIT)
    assert isinstance(events[1], OrderExpired)
    assert events[1].reason == RejectReason.SELF_TRADE
    counted = _book(side, edition=1)
    counted.apply(limit(BOB, Side(3 - side), PRICES[side][2], 1))
    amount = PRICES[side][0] * UNIT
    book = counted.books[BTC.id]
    assert lots_for(book, counted.accounts[ALICE], side, mode, amount, -(2**62)) == 1
