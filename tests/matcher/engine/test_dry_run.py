"""Dry runs give exactly what the match gives, and cost one step for each maker."""

from random import Random

import pytest

from crossbook.common.messages.commands import NewOrder
from crossbook.common.messages.events import OrderExpired, TradeExecuted
from crossbook.common.rules import Rules
from crossbook.common.types import MAX_INT, OrderType, Prevention, RejectReason
from crossbook.matcher.engine.dry_run import cost, is_fillable, lots_for
from crossbook.matcher.engine.engine import Engine
from crossbook.matcher.engine.order import Account, Order
from tests.worlds.venue import ALICE, BOB, BTC, BUY, FOK, IOC, SELL, iceberg, limit

MARKET = int(OrderType.MARKET)


def book_of_icebergs(random: Random, rules: Rules) -> Engine:
    """Up to three levels of asks, of two accounts, most of them icebergs, the first ones in
    part traded."""
    engine = Engine([BTC], rules)
    for _ in range(random.randint(1, 12)):
        owner, price = random.choice((ALICE, BOB, BOB)), random.choice((100, 100, 101, 102))
        lots = random.randint(1, 12)
        if random.random() < 0.7:
            engine.apply(iceberg(owner, SELL, price, lots, random.randint(1, lots)))
        else:
            engine.apply(limit(owner, SELL, price, lots))
    engine.apply(limit(BOB + 1, BUY, 100, random.randint(1, 5), time_in_force=IOC))
    return engine


@pytest.mark.parametrize("max_fills", [0, 1, 3, 7])
@pytest.mark.parametrize("prevention", list(Prevention))
def test_a_dry_run_gives_what_the_match_gives(prevention: Prevention, max_fills: int) -> None:
    random = Random(100 * prevention + max_fills)
    kinds = {True: 0, False: 0}
    for _ in range(150):
        engine = book_of_icebergs(random, Rules(max_fills=max_fills))
        lots = random.randint(1, 40)
        book = engine.books[BTC.id]
        taker = Order(
            order_id=99, account=engine.account(ALICE), instrument=BTC.id, side=BUY,
            price_ticks=102, quantity_lots=lots, remaining_lots=lots, client_order_id="",
            time_ns=0, prevention=int(prevention),
        )  # fmt: skip
        fills = is_fillable(book, taker, -102)
        costs = cost(book, taker.account, BUY, int(prevention), lots, -102, MAX_INT)
        amount = lots * 100 * book.notional_per_tick_lot
        order = NewOrder(
            gateway=0,
            request_seq=0,
            account=ALICE,
            instrument=BTC.id,
            side=BUY,
            order_type=int(OrderType.MARKET),
            time_in_force=int(IOC),
            price_ticks=0,
            quantity_lots=lots,
            client_order_id="",
            quote_amount=0,
            prevention=int(prevention),
        )
        events = engine.apply(order)
        traded = [event for event in events if isinstance(event, TradeExecuted)]
        unit = book.notional_per_tick_lot
        assert costs == sum(e.quantity_lots * e.price_ticks * unit for e in traded)
        assert fills == (sum(event.quantity_lots for event in traded) == lots)
        kinds[fills] += 1
        if prevention == Prevention.DECREMENT:
            continue
        spends = NewOrder(
            gateway=0,
            request_seq=0,
            account=ALICE,
            instrument=BTC.id,
            side=BUY,
            order_type=int(OrderType.MARKET),
            time_in_force=int(IOC),
            price_ticks=0,
            quantity_lots=0,
            client_order_id="",
            quote_amount=amount,
            prevention=int(prevention),
        )
        state = book_of_icebergs(Random(random.random()), Rules(max_fills=max_fills))
        book = state.books[BTC.id]
        buys = lots_for(book, state.account(ALICE), BUY, int(prevention), amount, -MAX_INT)
        bought = [e.quantity_lots for e in state.apply(spends) if isinstance(e, TradeExecuted)]
        assert buys == sum(bought)
    assert min(kinds.values()) > 3, kinds


def test_a_dry_run_looks_at_each_maker_once_whatever_its_slices() -> None:
    engine = Engine([BTC])
    for _ in range(50):
        engine.apply(iceberg(BOB, SELL, 100, 1_000, 10))
    book = engine.books[BTC.id]
    killed = engine.apply(limit(ALICE, BUY, 100, 50_001, time_in_force=FOK))
    assert isinstance(killed[-1], OrderExpired)
    assert killed[-1].reason == RejectReason.FILL_OR_KILL
    assert engine.effort.makers == 50
    assert cost(book, Account(9), BUY, 0, 50_001, -100, MAX_INT) == (
        50_000 * 100 * book.notional_per_tick_lot
    )


def test_a_cost_above_what_is_enough_ends_the_walk() -> None:
    engine = Engine([BTC])
    for price in (100, 101, 102):
        engine.apply(limit(BOB, SELL, price, 5))
    book = engine.books[BTC.id]
    unit = book.notional_per_tick_lot
    account = engine.account(ALICE)
    assert cost(book, account, BUY, 0, 15, -102, 0) == 500 * unit
    assert cost(book, account, BUY, 0, 15, -102, 500 * unit) == 1005 * unit
    assert cost(book, account, BUY, 0, 15, -102, MAX_INT) == 1515 * unit
    assert engine.effort.makers == 1 + 2 + 3
