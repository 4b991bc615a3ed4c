"""Terms of instructions at and beside each limit, and the states that accept them."""

from typing import Any

import pytest

from crossbook.common.messages.commands import Instructions, NewOrder
from crossbook.common.rules import ICEBERG_SLICES_MAX
from crossbook.common.types import InstrumentState, OrderType, RejectReason, Side, TimeInForce
from crossbook.matcher.engine.book import OrderBook
from crossbook.matcher.engine.conditions import OrderConditions, Waits
from crossbook.matcher.engine.order import Account, Order
from crossbook.matcher.engine.terms import (
    as_accepted,
    conditions_of,
    display_fault,
    trigger_fault,
)
from crossbook.matcher.engine.timers import DAY_NS
from tests.worlds.venue import BTC, BUY, ETH, SELL

NOW_NS = 5 * DAY_NS + 17
LIMIT, MARKET, STOP, STOP_LIMIT, TAKE, TAKE_LIMIT = (
    OrderType.LIMIT, OrderType.MARKET, OrderType.STOP, OrderType.STOP_LIMIT,
    OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT,
)  # fmt: skip
GTC, IOC, FOK, GTD, DAY = (
    TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK, TimeInForce.GTD, TimeInForce.DAY,
)  # fmt: skip
UNSUPPORTED = RejectReason.UNSUPPORTED_COMBINATION


def order(
    kind: int = LIMIT, time_in_force: int = GTC, price: int = 100, lots: int = 10, **fields: Any
) -> NewOrder:
    """A buy order with instructions."""
    return NewOrder(
        gateway=0,
        request_seq=0,
        account=7,
        instrument=1,
        side=BUY,
        order_type=kind,
        time_in_force=time_in_force,
        price_ticks=price,
        quantity_lots=lots,
        client_order_id="",
        quote_amount=0,
        prevention=0,
        instructions=Instructions(**fields),
    )


def book(state: int = InstrumentState.OPEN, last: int = 100) -> OrderBook:
    made = OrderBook(BTC)
    made.state, made.last_price_ticks = int(state), last
    return made


def fault(command: NewOrder, where: OrderBook | None = None) -> tuple[RejectReason, str] | None:
    return conditions_of(command, where or book(), NOW_NS)[0]


@pytest.mark.parametrize(
    ("time_in_force", "expire_ns", "expected"),
    [
        (GTD, NOW_NS + 1, None),
        (GTD, NOW_NS, (RejectReason.TOO_LATE, "expire_time")),
        (GTD, NOW_NS - 1, (RejectReason.TOO_LATE, "expire_time")),
        (GTD, 0, (UNSUPPORTED, "expire_time")),
        (GTC, NOW_NS + 1, (UNSUPPORTED, "expire_time")),
        (DAY, NOW_NS + 1, (UNSUPPORTED, "expire_time")),
        (DAY, 0, None),
        (GTC, 0, None),
    ],
)
def test_an_order_until_a_time_ends_later_than_now(
    time_in_force: int, expire_ns: int, expected: object
) -> None:
    assert fault(order(LIMIT, time_in_force, expire_ns=expire_ns)) == expected


def test_a_day_order_expires_at_the_end_of_the_day_and_has_that_time() -> None:
    command = order(LIMIT, DAY)
    _, conditions = conditions_of(command, book(), NOW_NS)
    assert conditions == OrderConditions(
        order_type=LIMIT,
        time_in_force=DAY,
        trigger_ticks=0,
        display_lots=0,
        shown_lots=0,
        expire_ns=6 * DAY_NS,
    )
    assert as_accepted(command, conditions) == Instructions(0, 0, 6 * DAY_NS)
    gtd = order(LIMIT, GTD, expire_ns=NOW_NS + 9)
    _, until = conditions_of(gtd, book(), NOW_NS)
    assert until == OrderConditions(
        order_type=LIMIT,
        time_in_force=GTD,
        trigger_ticks=0,
        display_lots=0,
        shown_lots=0,
        expire_ns=NOW_NS + 9,
    )
    assert as_accepted(gtd, until) is gtd.instructions


@pytest.mark.parametrize(
    ("display", "total", "expected"),
    [
        (1, 1, (RejectReason.BAD_LOT, "display_quantity")),
        (2, 2, None),
        (3, 2, (RejectReason.EXCEEDS_LIMIT, "display_quantity")),
        (2, 2 * ICEBERG_SLICES_MAX, None),
        (2, 2 * ICEBERG_SLICES_MAX + 1, (RejectReason.EXCEEDS_LIMIT, "display_quantity")),
    ],
)
def test_a_slice_is_no_larger_than_the_order_and_not_too_small(
    display: int, total: int, expected: object
) -> None:
    assert ETH.min_quantity_lots == 2
    assert display_fault(OrderBook(ETH), display, total) == expected


@pytest.mark.parametrize("time_in_force", [GTC, IOC, FOK, GTD, DAY])
@pytest.mark.parametrize("kind", [LIMIT, MARKET, STOP, STOP_LIMIT, TAKE, TAKE_LIMIT])
def test_only_limit_orders_that_may_rest_show_slices(kind: int, time_in_force: int) -> None:
    waits = kind not in (LIMIT, MARKET)
    trigger = 0 if not waits else 101 if kind in (STOP, STOP_LIMIT) else 99
    priced = kind in (LIMIT, STOP_LIMIT, TAKE_LIMIT)
    expire_ns = NOW_NS + 1 if time_in_force == GTD else 0
    plain = order(
        kind, time_in_force, 100 if priced else 0, trigger_ticks=trigger, expire_ns=expire_ns
    )
    iceberg = order(
        kind, time_in_force, 100 if priced else 0, trigger_ticks=trigger, expire_ns=expire_ns,
        display_lots=5,
    )  # fmt: skip
    immediate = time_in_force in (IOC, FOK)
    if fault(plain) is not None:
        assert (kind == MARKET and time_in_force in (FOK, GTD, DAY)) or (
            kind in (STOP, TAKE) and immediate
        )
        assert fault(plain) == (UNSUPPORTED, "time_in_force")
    elif priced and not immediate:
        assert fault(iceberg) is None
        _, conditions = conditions_of(iceberg, book(), NOW_NS)
        assert conditions is not None
        assert (conditions.display_lots, conditions.trigger_ticks) == (5, trigger)
        assert conditions.waits == (Waits.TRIGGER if waits else Waits.NOTHING)
    else:
        assert fault(iceberg) == (UNSUPPORTED, "display_quantity")


@pytest.mark.parametrize(
    ("trigger", "expected"),
    [
        (BTC.min_price_ticks - 1, (RejectReason.BAD_TICK, "stop_price")),
        (BTC.min_price_ticks, None),
        (BTC.max_price_ticks, None),
        (BTC.max_price_ticks + 1, (RejectReason.EXCEEDS_LIMIT, "stop_price")),
    ],
)
def test_a_trigger_is_a_price_of_the_instrument(trigger: int, expected: object) -> None:
    kind = TAKE if trigger < 100 else STOP
    assert trigger_fault(book(), BUY, kind, trigger) == expected


@pytest.mark.parametrize(
    ("side", "kind", "trigger", "elected"),
    [
        (BUY, STOP, 101, False), (BUY, STOP, 100, True), (BUY, STOP, 99, True),
        (SELL, STOP, 99, False), (SELL, STOP, 100, True), (SELL, STOP, 101, True),
        (BUY, TAKE, 99, False), (BUY, TAKE, 100, True), (SELL, TAKE, 101, False),
        (SELL, TAKE, 100, True),
    ],
)  # fmt: skip
def test_a_trigger_that_is_met_already_is_refused(
    side: Side, kind: int, trigger: int, elected: bool
) -> None:
    expected = (RejectReason.STOP_WOULD_TRIGGER, "stop_price") if elected else None
    assert trigger_fault(book(), side, kind, trigger) == expected
    assert trigger_fault(book(last=0), side, kind, trigger) is None


@pytest.mark.parametrize(
    ("command", "field"),
    [
        (order(MARKET, GTC, 0, trigger_ticks=101), "stop_price"),
        (order(LIMIT, GTC, trigger_ticks=101), "stop_price"),
        (order(STOP, GTC, 100, trigger_ticks=101), "price"),
        (order(0), "order_type"),
        (order(TAKE_LIMIT + 1), "order_type"),
        (order(LIMIT, 0), "time_in_force"),
        (order(LIMIT, DAY + 1), "time_in_force"),
        (order(LIMIT, IOC, post_only=True), "post_only"),
        (order(LIMIT, FOK, post_only=True), "post_only"),
        (order(STOP, GTC, 0, trigger_ticks=101, post_only=True), "post_only"),
        (order(STOP_LIMIT, GTC, trigger_ticks=101, post_only=True), "post_only"),
        (order(MARKET, GTC, 0, post_only=True), "post_only"),
    ],
)
def test_fields_that_do_not_go_together_are_named(command: NewOrder, field: str) -> None:
    assert fault(command) == (UNSUPPORTED, field)


@pytest.mark.parametrize("state", list(InstrumentState))
@pytest.mark.parametrize("post_only", [False, True])
@pytest.mark.parametrize(("kind", "time_in_force"), [(LIMIT, GTC), (LIMIT, IOC), (MARKET, GTC),
                                                     (STOP, GTC)])  # fmt: skip
def test_each_state_takes_its_orders(
    state: InstrumentState, post_only: bool, kind: int, time_in_force: int
) -> None:
    trigger = 101 if kind == STOP else 0
    price = 100 if kind == LIMIT else 0
    command = order(kind, time_in_force, price, trigger_ticks=trigger, post_only=post_only)
    expected: object = None
    immediate = kind == MARKET or time_in_force == IOC
    if state in (InstrumentState.HALTED, InstrumentState.CANCEL_ONLY):
        expected = (RejectReason.MARKET_HALTED, "instrument")
    elif (post_only and (kind, time_in_force) != (LIMIT, GTC)) or (
        state == InstrumentState.AUCTION and post_only
    ):
        expected = (UNSUPPORTED, "post_only")
    elif state == InstrumentState.AUCTION and time_in_force == IOC:
        expected = (UNSUPPORTED, "time_in_force")
    elif state == InstrumentState.POST_ONLY and immediate:
        expected = (RejectReason.MARKET_HALTED, "instrument")
    fault_found, conditions = conditions_of(command, book(state), NOW_NS)
    assert fault_found == expected
    if expected is None:
        assert conditions is not None
        waits = {STOP: Waits.TRIGGER, MARKET: Waits.UNCROSS}.get(OrderType(kind), Waits.NOTHING)
        if kind == MARKET and state != InstrumentState.AUCTION:
            waits = Waits.NOTHING
        assert (conditions.waits, conditions.post_only) == (waits, post_only)


@pytest.mark.parametrize(
    ("state", "post_only", "refused"),
    [
        (InstrumentState.OPEN, False, False),
        (InstrumentState.OPEN, True, True),
        (InstrumentState.POST_ONLY, False, True),
        (InstrumentState.POST_ONLY, True, True),
    ],
)
def test_an_order_that_only_rests_may_not_cross(
    state: InstrumentState, post_only: bool, refused: bool
) -> None:
    where = book(state)
    where.asks.add(
        Order(
            order_id=1,
            account=Account(8),
            instrument=1,
            side=SELL,
            price_ticks=100,
            quantity_lots=5,
            remaining_lots=5,
            client_order_id="",
            time_ns=0,
        )
    )
    expected = (RejectReason.POST_ONLY_WOULD_TAKE, "price") if refused else None
    assert fault(order(LIMIT, GTC, 100, post_only=post_only), where) == expected
    assert fault(order(LIMIT, GTC, 99, post_only=post_only), where) is None


def test_a_plain_order_has_no_conditions() -> None:
    plain = NewOrder(
        gateway=0,
        request_seq=0,
        account=7,
        instrument=1,
        side=BUY,
        order_type=LIMIT,
        time_in_force=GTC,
        price_ticks=100,
        quantity_lots=10,
    )
    assert conditions_of(plain, book(), NOW_NS) == (None, None)
    for field, changed in (("order_type", STOP), ("time_in_force", GTD)):
        bare = NewOrder(
            gateway=0,
            request_seq=0,
            account=7,
            instrument=1,
            side=BUY,
            order_type=changed if field == "order_type" else LIMIT,
            time_in_force=changed if field == "time_in_force" else GTC,
            price_ticks=100,
            quantity_lots=10,
        )
        assert fault(bare) == (UNSUPPORTED, field), "without instructions"
