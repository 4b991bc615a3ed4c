"""The mixed flow has every command and event, most commands are accepted, and a seed repeats it."""

from collections import Counter
from collections.abc import Iterator
from typing import get_args

import pytest

from bench import mixed
from crossbook.common.messages.commands import (
    Administer,
    AmendOrder,
    CancelOrder,
    Command,
    KeyAct,
    MassCancelOrders,
    NewOrder,
)
from crossbook.common.messages.events import (
    AccountOpened,
    AuctionUncrossed,
    CommandRejected,
    Event,
    KeyChanged,
    KeyDeleted,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderExpired,
    OrdersMassCanceled,
    TradeExecuted,
)
from crossbook.common.types import OrderType, Prevention, RejectReason, TimeInForce
from tests.worlds.invariants import check

ORDERS = 6_000


class MixedRun:
    """The flow, the events of each command, and the engine at the end."""

    def __init__(self) -> None:
        self.flow = mixed.generate(ORDERS)
        self.engine = mixed.engine()
        self.answers = [self.engine.apply(command, time_ns) for command, time_ns in self.flow]
        check(self.engine)

    def events(self) -> Iterator[Event]:
        for answer in self.answers:
            yield from answer

    def accepted(self) -> list[OrderAccepted]:
        return [event for event in self.events() if isinstance(event, OrderAccepted)]


@pytest.fixture(scope="module")
def outcome() -> MixedRun:
    return MixedRun()


def test_the_same_seed_gives_the_same_flow() -> None:
    first = mixed.generate(1_000, seed=5)
    assert mixed.generate(1_000, seed=5) == first
    assert mixed.generate(1_000, seed=6) != first


def test_every_command_and_every_event_occurs(outcome: MixedRun) -> None:
    about_keys = {Administer, *get_args(KeyAct), KeyChanged, KeyDeleted}
    assert {type(command) for command, _ in outcome.flow} == set(get_args(Command)) - about_keys
    assert {type(event) for event in outcome.events()} == set(get_args(Event)) - about_keys


def test_every_kind_of_order_is_accepted(outcome: MixedRun) -> None:
    accepted = outcome.accepted()
    assert {order.order_type for order in accepted} == set(OrderType)
    assert {order.time_in_force for order in accepted} == set(TimeInForce)
    assert {order.prevention for order in accepted} == set(Prevention)
    instructed = [order.instructions for order in accepted if order.instructions is not None]
    assert any(terms.post_only for terms in instructed)
    assert any(terms.display_lots for terms in instructed)
    markets = [order for order in accepted if order.order_type == OrderType.MARKET]
    assert {bool(order.quote_amount) for order in markets} == {False, True}


def test_most_is_accepted(outcome: MixedRun) -> None:
    counts: Counter[type[Command]] = Counter()
    refused: Counter[type[Command]] = Counter()
    for (command, _), events in zip(outcome.flow, outcome.answers, strict=True):
        counts[type(command)] += 1
        if isinstance(events[0], CommandRejected):
            refused[type(command)] += 1
    assert refused[NewOrder] < 0.1 * counts[NewOrder]
    # An order may have traded, expired or been cancelled with all others meanwhile.
    assert refused[CancelOrder] < 0.5 * counts[CancelOrder]
    assert refused[AmendOrder] < 0.5 * counts[AmendOrder]
    assert set(refused) == {NewOrder, CancelOrder, AmendOrder}


def test_orders_end_in_every_way(outcome: MixedRun) -> None:
    expired = {event.reason for event in outcome.events() if isinstance(event, OrderExpired)}
    assert expired >= {
        RejectReason.IMMEDIATE_OR_CANCEL, RejectReason.FILL_OR_KILL, RejectReason.EXPIRE_TIME,
        RejectReason.SELF_TRADE,
    }  # fmt: skip
    canceled = {event.reason for event in outcome.events() if isinstance(event, OrderCanceled)}
    assert canceled == {0, RejectReason.CANCEL_AFTER}
    amended = {e.kept_priority for e in outcome.events() if isinstance(e, OrderAmended)}
    assert amended == {False, True}


def test_good_till_date_and_day_orders_expire(outcome: MixedRun) -> None:
    terms = {order.seq: order.time_in_force for order in outcome.accepted()}
    by_time = {
        terms[event.order_id]
        for event in outcome.events()
        if isinstance(event, OrderExpired) and event.reason == RejectReason.EXPIRE_TIME
    }
    assert by_time == {TimeInForce.GTD, TimeInForce.DAY}


def test_mass_cancels_and_auctions_find_orders(outcome: MixedRun) -> None:
    assert any(e.count for e in outcome.events() if isinstance(e, OrdersMassCanceled))
    assert any(e.quantity_lots for e in outcome.events() if isinstance(e, AuctionUncrossed))
    commands = [command for command, _ in outcome.flow]
    assert {c.side for c in commands if isinstance(c, MassCancelOrders)} == {0, 1, 2}


def test_accounts_are_funded_and_pay_fees(outcome: MixedRun) -> None:
    opened = [event.account for event in outcome.events() if isinstance(event, AccountOpened)]
    assert sorted(opened) == list(range(1, mixed.ACCOUNTS + 1))
    trades = [event for event in outcome.events() if isinstance(event, TradeExecuted)]
    assert len(trades) > ORDERS / 10
    assert all(trade.taker_fee > 0 for trade in trades)
    assert any(trade.maker_fee < 0 for trade in trades), "no rebate for account 1"
    assert outcome.engine.ledger is not None


def test_time_passes_midnight_and_never_goes_back(outcome: MixedRun) -> None:
    times = [time_ns for _, time_ns in outcome.flow]
    assert times == sorted(times)
    assert times[0] < mixed.SOME_DAY_NS < times[-1]
