"""The desk with orders of more terms, timers, balances and new instruments."""

from msgspec.structs import replace

from crossbook.common.messages.commands import AddInstrument, Instructions, NewOrder, SetFees
from crossbook.common.messages.entry import (
    Ack,
    Amend,
    Balance,
    Balances,
    CancelAfter,
    Execution,
    Instruments,
    ListInstruments,
    New,
    QueryBalances,
    Reject,
)
from crossbook.common.messages.events import EventBatch
from crossbook.common.messages.matcher_queries import AccountBalances, BalancesRequest
from crossbook.common.types import ExecutionKind, OrderStatus, OrderType, Prevention, TimeInForce
from tests.worlds.desk_world import INSTRUMENTS, DeskWorld

SYMBOL = "BTC-USDT"
ANN, BOB = b"ann", b"bob"


def _command(world: DeskWorld, request: New) -> NewOrder:
    token = world.log_on(ANN, 7)
    world.send(ANN, token, request)
    command = world.desk.in_flight.unsent[-1]
    assert isinstance(command, NewOrder)
    return command


def test_a_plain_order_carries_no_instructions_and_gives_way_to_own_orders() -> None:
    command = _command(
        DeskWorld(), New(request_seq=2, symbol=SYMBOL, side=1, quantity="0.5", price="50000.00"),
    )  # fmt: skip
    assert command.instructions is None
    assert command.prevention == Prevention.EXPIRE_TAKER


def test_decimal_text_of_stop_and_display_becomes_ticks_and_lots() -> None:
    order = New(
        request_seq=2, symbol=SYMBOL, side=1, quantity="0.5", price="50000.00",
        order_type=OrderType.STOP_LIMIT, time_in_force=TimeInForce.GTD, stop_price="50001.00",
        display_quantity="0.1", expire_time=99, prevention=4,
    )  # fmt: skip
    command = _command(DeskWorld(), order)
    assert command.instructions == Instructions(5_000_100, 10_000, 99, False)
    assert command.prevention == Prevention.DECREMENT


def test_text_off_the_grid_is_refused_under_its_own_name() -> None:
    world = DeskWorld()
    token = world.log_on(ANN, 7)
    for request, field in (
        (
            New(
                request_seq=2,
                symbol=SYMBOL,
                side=1,
                quantity="0.5",
                price="50000.00",
                stop_price="1.001",
            ),
            "stop_price",
        ),
        (
            New(
                request_seq=3,
                symbol=SYMBOL,
                side=1,
                quantity="0.5",
                price="50000.00",
                display_quantity="0.000001",
            ),
            "display_quantity",
        ),
        (Amend(4, SYMBOL, 1, stop_price="1.001"), "stop_price"),
    ):
        (reject,) = world.replies_to(ANN, token, request)
        assert isinstance(reject, Reject)
        assert reject.field == field


def test_the_owner_receives_a_stop_that_waits_and_its_election() -> None:
    world = DeskWorld()
    ann, bob = world.log_on(ANN, 7), world.log_on(BOB, 7)
    world.replies_to(
        ANN, ann, New(request_seq=2, symbol=SYMBOL, side=2, quantity=100, price=5_000_000),
    )  # fmt: skip
    world.replies_to(
        ANN, ann,
        New(
            request_seq=3, symbol=SYMBOL, side=1, quantity=100, price=0, order_type=OrderType.STOP,
            stop_price=5_000_000,
        ),
    )  # fmt: skip
    waiting = world.replies(BOB)[-1]
    assert isinstance(waiting, Execution)
    assert (waiting.trigger_ticks, waiting.working) == (5_000_000, False)
    world.replies_to(
        BOB, bob,
        New(request_seq=2, symbol=SYMBOL, side=1, quantity=50, price=5_000_000, prevention=0),
    )  # fmt: skip
    received = [reply for reply in world.replies(ANN) if isinstance(reply, Execution)]
    kinds = [(each.order_id, each.kind) for each in received]
    assert (2, ExecutionKind.TRIGGERED) in kinds
    assert received[-1].status == OrderStatus.EXPIRED_IN_MATCH
    places = [each.index for each in received if each.seq == received[-1].seq]
    assert places == sorted(places)


def test_a_stop_that_an_order_by_quote_amount_elects_is_filled_and_ends() -> None:
    """The order by quote amount stays unfilled for as long as its amount lasts; the stop has a
    quantity."""
    world = DeskWorld()
    ann, bob, cat = world.log_on(ANN, 7), world.log_on(BOB, 8), world.log_on(b"cat", 9)
    world.replies_to(
        ANN, ann,
        New(
            request_seq=2, symbol=SYMBOL, side=1, quantity=100, price=0, order_type=OrderType.STOP,
            stop_price=5_000_000,
        ),
    )  # fmt: skip
    world.replies_to(
        BOB, bob, New(request_seq=2, symbol=SYMBOL, side=2, quantity=200, price=5_000_000),
    )  # fmt: skip
    by_quote = New(
        request_seq=2, symbol=SYMBOL, side=1, quantity=0, price=0, order_type=OrderType.MARKET,
        quote_amount="50.00",
    )  # fmt: skip
    statuses = [
        [each.status for each in replies if isinstance(each, Execution)]
        for replies in (world.replies_to(b"cat", cat, by_quote), world.replies(ANN))
    ]
    assert statuses == [
        [OrderStatus.PARTIALLY_FILLED, OrderStatus.FILLED],
        [OrderStatus.NEW, OrderStatus.FILLED],
    ]


def test_cancel_after_is_acknowledged() -> None:
    world = DeskWorld()
    token = world.log_on(ANN, 7)
    (ack,) = world.replies_to(ANN, token, CancelAfter(2, 1_500))
    assert isinstance(ack, Ack)
    assert (ack.request_seq, ack.order_id) == (2, 0)
    assert world.engine.next_due_ns == 5 + 1_500_000_000


def test_balances_are_queried_from_the_matcher() -> None:
    world = DeskWorld()
    token = world.log_on(ANN, 7)
    assert world.replies_to(ANN, token, QueryBalances(2)) == []
    (query,) = world.desk.queries.collect()
    assert query == BalancesRequest(request_id=query.request_id, account=7)
    found = [Balance(asset="BTC", total_units=5, held_units=2)]
    world.desk.queries.receive(AccountBalances(request_id=query.request_id, seq=3, balances=found))
    assert world.replies(ANN) == [Balances(request_seq=2, seq=3, balances=found)]


def test_an_instrument_added_and_fees_changed_are_applied_from_events() -> None:
    world = DeskWorld()
    token = world.log_on(ANN, 7)
    added = replace(INSTRUMENTS[0], id=77, symbol="BTC-NEW")
    events = world.engine.apply(
        AddInstrument(gateway=0, request_seq=0, account=0, instrument=77, definition=added)
    )  # fmt: skip
    events += world.engine.apply(
        SetFees(
            gateway=0, request_seq=0, account=0, instrument=77, maker_fee_rate=10,
            taker_fee_rate=20,
        )
    )  # fmt: skip
    world.desk.apply(EventBatch(incarnation=1, first_seq=1, last_seq=2, time_ns=5, events=events))
    (ack,) = world.replies_to(
        ANN, token, New(request_seq=2, symbol="BTC-NEW", side=1, quantity="0.5", price="50000.00"),
    )  # fmt: skip
    assert isinstance(ack, Ack)
    (listed,) = world.replies_to(ANN, token, ListInstruments(3))
    assert isinstance(listed, Instruments)
    assert listed.instruments[-1] == replace(added, maker_fee_rate=10, taker_fee_rate=20)
