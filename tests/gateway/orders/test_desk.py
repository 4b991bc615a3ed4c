"""The order desk: sessions, answers, backpressure."""

from typing import Any

import pytest
from msgspec.structs import replace

from crossbook.common.messages.entry import (
    Ack,
    Amend,
    Cancel,
    Execution,
    Instruments,
    ListInstruments,
    Logon,
    MassCancel,
    New,
    OpenOrders,
    Ping,
    Pong,
    Query,
    Reject,
    Welcome,
)
from crossbook.common.messages.matcher_queries import Orders, OrdersRequest
from crossbook.common.types import (
    ExecutionKind,
    Liquidity,
    OrderStatus,
    OrderType,
    RejectReason,
    Side,
    TimeInForce,
)
from crossbook.gateway.orders.queries_in_flight import QUERY_NS
from tests.worlds.desk_world import INSTRUMENTS, DeskWorld

ANN, BOB, EVE = b"ann", b"bob", b"eve"
SYMBOL = "BTC-USDT"


def sell(seq: int, quantity: int | str = 1000, price: int | str = 5_000_000, coid: str = "") -> New:
    return New(
        request_seq=seq,
        symbol=SYMBOL,
        side=Side.SELL,
        quantity=quantity,
        price=price,
        client_order_id=coid,
    )


def buy(seq: int, quantity: int | str = 1000, price: int | str = 5_000_000) -> New:
    return New(request_seq=seq, symbol=SYMBOL, side=Side.BUY, quantity=quantity, price=price)


def buying(**terms: Any) -> New:
    """Request 2: an order to buy one lot at one tick, with these terms."""
    return replace(buy(2, quantity=1, price=1), **terms)


def test_order_is_acknowledged_with_the_request_sequence() -> None:
    world = DeskWorld()
    token = world.log_on(ANN, 7)
    assert world.replies_to(ANN, token, sell(9, coid="x")) == [
        Ack(
            request_seq=9,
            seq=1,
            order_id=1,
            status=OrderStatus.NEW,
            client_order_id="x",
            remaining_lots=1000,
            time_ns=5,
        )
    ]


def test_a_fill_is_reported_to_maker_and_taker_each_from_its_side() -> None:
    world = DeskWorld()
    ann, bob = world.log_on(ANN, 7), world.log_on(BOB, 8)
    world.replies_to(ANN, ann, sell(2, 1000, coid="m"))
    taker = world.replies_to(BOB, bob, buy(3, 400))
    assert taker == [
        Ack(
            request_seq=3,
            seq=2,
            order_id=2,
            status=OrderStatus.NEW,
            client_order_id="",
            remaining_lots=400,
            time_ns=5,
        ),
        Execution(
            request_seq=3,
            seq=2,
            symbol=SYMBOL,
            order_id=2,
            client_order_id="",
            kind=ExecutionKind.FILL,
            status=OrderStatus.FILLED,
            side=Side.BUY,
            price_ticks=5_000_000,
            quantity_lots=400,
            filled_lots=400,
            remaining_lots=0,
            time_ns=5,
            trade_id=1,
            liquidity=Liquidity.TAKER,
            fee_units=80_000,
            reason=0,
            index=1,
        ),
    ]
    assert world.replies(ANN) == [
        Execution(
            request_seq=0,
            seq=2,
            symbol=SYMBOL,
            order_id=1,
            client_order_id="m",
            kind=ExecutionKind.FILL,
            status=OrderStatus.PARTIALLY_FILLED,
            side=Side.SELL,
            price_ticks=5_000_000,
            quantity_lots=400,
            filled_lots=400,
            remaining_lots=600,
            time_ns=5,
            trade_id=1,
            liquidity=Liquidity.MAKER,
            fee_units=20_000_000,
            reason=0,
            index=1,
        )
    ]


def test_other_sessions_of_the_account_receive_accept_amend_and_cancel() -> None:
    world = DeskWorld()
    first, second = world.log_on(ANN, 7), world.log_on(BOB, 7)
    world.replies_to(ANN, first, sell(2))
    world.replies_to(ANN, first, Amend(3, SYMBOL, 1, quantity=600))
    world.replies_to(ANN, first, Cancel(4, SYMBOL, 1))
    received = world.replies(BOB)
    assert [(r.kind, r.status, r.request_seq) for r in received if isinstance(r, Execution)] == [
        (ExecutionKind.NEW, OrderStatus.NEW, 0),
        (ExecutionKind.AMENDED, OrderStatus.NEW, 0),
        (ExecutionKind.CANCELED, OrderStatus.CANCELED, 0),
    ]
    assert len(received) == 3
    assert second


def test_sessions_that_sent_nothing_share_one_report_of_each_change() -> None:
    world = DeskWorld()
    first = world.log_on(ANN, 7)
    world.log_on(BOB, 7)
    world.log_on(b"eve", 7)
    buyer = world.log_on(b"dan", 8)
    world.send(ANN, first, sell(2))
    world.send(b"dan", buyer, New(2, SYMBOL, Side.BUY, "1.000", "60000.00"))
    world.send(ANN, first, New(3, SYMBOL, Side.SELL, "1.000", "50000.00"))
    world.settle()
    collected = world.desk.collect_replies()
    bob, eve = collected[BOB], collected[b"eve"]
    assert len(bob) >= 4
    assert all(one is other for one, other in zip(bob, eve, strict=True))
    assert {each.request_seq for each in bob} == {0}
    fills = [each for each in collected[ANN] if isinstance(each, Execution) and each.trade_id]
    assert [each.request_seq for each in fills][-1] == 3


def test_mass_cancel_is_acknowledged_and_each_order_reported() -> None:
    world = DeskWorld()
    token = world.log_on(ANN, 7)
    world.replies_to(ANN, token, sell(2), sell(3))
    replies = world.replies_to(ANN, token, MassCancel(4))
    assert replies[0] == Ack(
        request_seq=4,
        seq=3,
        order_id=0,
        status=OrderStatus.CANCELED,
        client_order_id="",
        remaining_lots=0,
        time_ns=5,
        count=2,
    )
    assert [(r.order_id, r.kind, r.request_seq) for r in replies if isinstance(r, Execution)] == [
        (1, ExecutionKind.CANCELED, 4),
        (2, ExecutionKind.CANCELED, 4),
    ]


def test_ioc_rest_is_reported_expired_with_its_reason() -> None:
    world = DeskWorld()
    token = world.log_on(ANN, 7)
    replies = world.replies_to(
        ANN, token,
        New(
            request_seq=2, symbol=SYMBOL, side=Side.BUY, quantity=10_000, price=100_000,
            time_in_force=TimeInForce.IOC,
        ),
    )  # fmt: skip
    assert isinstance(replies[1], Execution)
    assert replies[1].kind == ExecutionKind.EXPIRED
    assert replies[1].reason == RejectReason.IMMEDIATE_OR_CANCEL
    assert replies[1].request_seq == 2


def test_quote_amount_order_is_filled_only_when_it_completes() -> None:
    world = DeskWorld()
    ann, bob = world.log_on(ANN, 7), world.log_on(BOB, 8)
    world.replies_to(ANN, ann, sell(2, 1000))
    replies = world.replies_to(
        BOB, bob,
        New(3, SYMBOL, Side.BUY, order_type=OrderType.MARKET, quote_amount="100.005"),
    )  # fmt: skip
    assert [(r.kind, r.status) for r in replies if isinstance(r, Execution)] == [
        (ExecutionKind.FILL, OrderStatus.PARTIALLY_FILLED),
        (ExecutionKind.COMPLETED, OrderStatus.FILLED),
    ]
    # 100 USDT bought 200 lots; the rest is worth less than a lot. No price or quantity changes.
    fill, completed = (each for each in replies if isinstance(each, Execution))
    assert completed == Execution(
        request_seq=3,
        seq=fill.seq,
        symbol=SYMBOL,
        order_id=2,
        client_order_id="",
        kind=ExecutionKind.COMPLETED,
        status=OrderStatus.FILLED,
        side=Side.BUY,
        price_ticks=0,
        quantity_lots=0,
        filled_lots=200,
        remaining_lots=0,
        time_ns=5,
        index=2,
        quote_left_units=500_000,
    )


def test_matcher_reject_names_field_reason_and_sequence() -> None:
    world = DeskWorld()
    token = world.log_on(ANN, 7)
    (reject,) = world.replies_to(ANN, token, sell(2, 1000, 0, coid="q"))
    assert isinstance(reject, Reject)
    assert (reject.reason, reject.field, reject.client_order_id, reject.seq) == (
        RejectReason.BAD_TICK, "price", "q", 1,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("request_", "reason", "field"),
    [
        (buying(symbol="NOPE"), RejectReason.UNKNOWN_SYMBOL, "symbol"),
        (buying(price="1.001"), RejectReason.BAD_TICK, "price"),
        (buying(quantity="0.000001"), RejectReason.BAD_LOT, "quantity"),
        (buying(quantity="1e5"), RejectReason.MALFORMED, "quantity"),
        (buying(quantity="-1"), RejectReason.MALFORMED, "quantity"),
        (
            buying(quantity=0, price=0, order_type=OrderType.MARKET, quote_amount="x"),
            RejectReason.MALFORMED, "quote_amount",
        ),
        (buying(client_order_id="a\nb"), RejectReason.MALFORMED, "client_order_id"),
        (Cancel(2, "NOPE", 1), RejectReason.UNKNOWN_SYMBOL, "symbol"),
        (Amend(2, SYMBOL, 1, quantity="9" * 30), RejectReason.EXCEEDS_LIMIT, "quantity"),
        (MassCancel(2, "NOPE"), RejectReason.UNKNOWN_SYMBOL, "symbol"),
        (Query(2, "NOPE"), RejectReason.UNKNOWN_SYMBOL, "symbol"),
    ],
)  # fmt: skip
def test_untranslatable_request_is_refused_before_the_matcher(
    request_: New | Cancel | Amend | MassCancel | Query, reason: RejectReason, field: str
) -> None:
    world = DeskWorld()
    token = world.log_on(ANN, 7)
    (reject,) = world.replies_to(ANN, token, request_)
    assert isinstance(reject, Reject)
    assert (reject.request_seq, reject.reason, reject.field, reject.seq) == (2, reason, field, 0)
    assert world.engine.seq == 0
    assert len(world.desk.in_flight) == 0


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        ("quantity", RejectReason.BAD_LOT),
        ("price", RejectReason.BAD_TICK),
        ("quote_amount", RejectReason.MIN_NOTIONAL),
        ("stop_price", RejectReason.BAD_TICK),
        ("display_quantity", RejectReason.BAD_LOT),
    ],
)
@pytest.mark.parametrize("text", ["0", "0.000"])
def test_an_amount_of_zero_in_text_is_not_one_that_is_left_out(
    field: str, reason: RejectReason, text: str
) -> None:
    """The number zero means a field that is not given; the text of zero is a wrong value."""
    world = DeskWorld()
    token = world.log_on(b"a", 1)
    order = replace(
        New(request_seq=2, symbol=SYMBOL, side=1, quantity="1", price="50000"), **{field: text},
    )  # fmt: skip

    (reject,) = world.replies_to(b"a", token, order)

    assert isinstance(reject, Reject)
    assert (reject.reason, reject.field, reject.seq) == (reason, field, 0)
    assert f"'{text}' is not above zero" in reject.text
    if field in ("quantity", "price", "stop_price"):
        (reject,) = world.replies_to(b"a", token, replace(Amend(3, SYMBOL, 1), **{field: text}))
        assert isinstance(reject, Reject)
        assert (reject.reason, reject.field, reject.seq) == (reason, field, 0)


def test_a_reject_of_the_matcher_names_value_and_limit() -> None:
    world = DeskWorld()
    token = world.log_on(b"a", 1)
    instrument = INSTRUMENTS[0]
    most = instrument.price_text(instrument.max_price_ticks)

    (reject,) = world.replies_to(
        b"a", token,
        New(
            request_seq=2, symbol=SYMBOL, side=1, quantity="1",
            price=instrument.price_text(instrument.max_price_ticks + 1),
        ),
    )  # fmt: skip

    assert isinstance(reject, Reject)
    assert (reject.reason, reject.field) == (RejectReason.EXCEEDS_LIMIT, "price")
    assert reject.text.endswith(f"is above the highest of {SYMBOL}, {most}")


def test_valid_requests_of_a_list_are_accepted_beside_an_invalid_one() -> None:
    world = DeskWorld()
    token = world.log_on(ANN, 7)
    replies = world.replies_to(
        ANN, token, sell(2), New(request_seq=3, symbol=SYMBOL, side=9, quantity=1, price=1),
        sell(4),
    )  # fmt: skip
    assert [(type(r).__name__, r.request_seq) for r in replies] == [
        ("Reject", 3),
        ("Ack", 2),
        ("Ack", 4),
    ]


def test_busy_past_the_queue_size_and_free_again_after_the_answers() -> None:
    world = DeskWorld(queue_size=2)
    token = world.log_on(ANN, 7)
    world.send(ANN, token, sell(2), sell(3), sell(4, coid="late"))
    (busy,) = world.replies(ANN)
    assert isinstance(busy, Reject)
    assert (busy.request_seq, busy.reason, busy.client_order_id) == (4, RejectReason.BUSY, "late")
    world.settle()
    assert [r.request_seq for r in world.replies(ANN)] == [2, 3]
    assert isinstance(world.replies_to(ANN, token, sell(5))[0], Ack)


def test_commands_that_cannot_be_sent_are_answered_busy() -> None:
    world = DeskWorld()
    token = world.log_on(ANN, 7)
    world.send(ANN, token, sell(2), sell(3))
    in_flight = world.desk.in_flight
    withdrawn = in_flight.withdraw(in_flight.collect())
    world.desk.refuse(withdrawn, RejectReason.BUSY, "gone")
    assert [(r.request_seq, r.reason) for r in world.replies(ANN) if isinstance(r, Reject)] == [
        (2, RejectReason.BUSY),
        (3, RejectReason.BUSY),
    ]
    assert len(world.desk.in_flight) == 0


def test_commands_given_up_are_answered_with_an_unknown_outcome() -> None:
    world = DeskWorld()
    token = world.log_on(ANN, 7)
    world.send(ANN, token, sell(2))
    given_up = world.desk.in_flight.give_up(world.desk.in_flight.number)
    world.desk.refuse(given_up, RejectReason.OUTCOME_UNKNOWN, "gone")
    (reject,) = world.replies(ANN)
    assert isinstance(reject, Reject)
    assert (reject.request_seq, reject.reason) == (2, RejectReason.OUTCOME_UNKNOWN)
    assert len(world.desk.in_flight) == 0


def test_commands_need_a_session_but_ping_and_instruments_do_not() -> None:
    world = DeskWorld()
    replies = world.replies_to(ANN, 0, sell(1), Ping(2), ListInstruments(3))
    assert isinstance(replies[0], Reject)
    assert replies[0].reason == RejectReason.NOT_LOGGED_ON
    assert isinstance(replies[1], Pong)
    assert replies[2] == Instruments(request_seq=3, instruments=list(INSTRUMENTS))


def test_a_ping_with_a_token_is_refused_without_its_session() -> None:
    world = DeskWorld()
    token = world.log_on(ANN, 7)
    assert isinstance(world.replies_to(ANN, token, Ping(2))[0], Pong)
    (reject,) = world.replies_to(ANN, token + 1, Ping(3))
    assert isinstance(reject, Reject)
    assert (reject.request_seq, reject.reason) == (3, RejectReason.NOT_LOGGED_ON)


def test_an_address_alone_does_not_act_for_its_session() -> None:
    world = DeskWorld()
    world.log_on(ANN, 7)
    for token in (0, 1, 2**63):
        (reject,) = world.replies_to(ANN, token, sell(2))
        assert isinstance(reject, Reject)
        assert reject.reason == RejectReason.NOT_LOGGED_ON
    assert world.engine.seq == 0


def test_a_session_follows_its_token_to_a_new_address() -> None:
    world = DeskWorld()
    token = world.log_on(ANN, 7)
    moved, ack = world.replies_to(EVE, token, sell(2))
    assert moved == Welcome(request_seq=0, token=token, account=7, gateway=1)
    assert isinstance(ack, Ack)
    bob = world.log_on(BOB, 8)
    world.replies_to(BOB, bob, buy(2, 1000))
    assert len(world.replies(EVE)) == 1
    assert world.replies(ANN) == []


def test_logging_on_again_replaces_the_session_of_that_address() -> None:
    world = DeskWorld()
    old = world.log_on(ANN, 7)
    new = world.log_on(ANN, 8)
    assert len(world.desk.sessions) == 1
    (reject,) = world.replies_to(ANN, old, sell(2))
    assert isinstance(reject, Reject)
    assert isinstance(world.replies_to(ANN, new, sell(3))[0], Ack)


def test_session_table_is_bounded() -> None:
    world = DeskWorld(sessions=1)
    world.log_on(ANN, 7)
    (reject,) = world.replies_to(BOB, 0, Logon(1, 8))
    assert isinstance(reject, Reject)
    assert reject.reason == RejectReason.BUSY
    world.desk.sessions.close_address(ANN)
    assert isinstance(world.replies_to(BOB, 0, Logon(2, 8))[0], Welcome)


def test_query_is_sent_to_the_matcher_and_answered() -> None:
    world = DeskWorld()
    token = world.log_on(ANN, 7)
    world.replies_to(ANN, token, sell(2))
    assert world.replies_to(ANN, token, Query(3, SYMBOL)) == []
    (query,) = world.desk.queries.collect()
    assert isinstance(query, OrdersRequest)
    orders, more = world.engine.open_orders(query.account, query.instrument)
    world.desk.queries.receive(Orders(request_id=query.request_id, seq=1, orders=orders, more=more))
    assert world.replies(ANN) == [OpenOrders(request_seq=3, seq=1, orders=orders, more=False)]


def test_query_that_the_matcher_never_answers_ends_busy() -> None:
    world = DeskWorld()
    token = world.log_on(ANN, 7)
    world.replies_to(ANN, token, Query(3))
    world.desk.tick(QUERY_NS - 1)
    assert world.replies(ANN) == []
    world.desk.tick(QUERY_NS)
    (reject,) = world.replies(ANN)
    assert isinstance(reject, Reject)
    assert reject.reason == RejectReason.BUSY


@pytest.mark.parametrize("frame", [b"", b"1234567", bytes(8), bytes(8) + b"\xc1", bytes(9)])
def test_bad_bytes_are_answered_and_change_nothing(frame: bytes) -> None:
    world = DeskWorld()
    world.desk.receive_frame(ANN, frame)
    (reject,) = world.replies(ANN)
    assert isinstance(reject, Reject)
    assert reject.reason == RejectReason.MALFORMED
    assert world.desk.in_flight.unsent == []


def test_every_session_is_probed() -> None:
    world = DeskWorld()
    world.log_on(ANN, 7)
    world.log_on(BOB, 7)
    world.desk.probe_sessions()
    assert world.desk.outbox.drain() == {ANN: [], BOB: []}
