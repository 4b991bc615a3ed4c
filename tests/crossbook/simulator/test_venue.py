"""The venue in one process answers as a gateway does, and has the money of the engine."""

from crossbook.common.messages.entry import Ack, Amend, Cancel, Execution, New, Reject
from crossbook.common.rules import Rules
from crossbook.common.types import OrderType, RejectReason, Side, TimeInForce
from crossbook.simulator.batch import Batch, TradeRequest
from crossbook.simulator.venue import FIRST_ACCOUNT, LocalVenue
from tests.crossbook.simulator.test_flow import BTC


def new(side: Side, lots: int, name: str, price: int = 6_500_000) -> New:
    return New(
        request_seq=0,
        symbol="BTC-USDT",
        side=side,
        quantity=lots,
        price=price,
        client_order_id=name,
    )


def apply(
    venue: LocalVenue, *batches: tuple[int, TradeRequest]
) -> tuple[list[Ack | Reject], list[tuple[int, Execution]]]:
    answers, executions = venue.apply([Batch(agent, [request]) for agent, request in batches], 9)
    assert [request for request, _ in answers] == [request for _, request in batches]
    return [answer for _, answer in answers], executions


def test_every_request_is_answered_and_every_fill_reported_to_both_sides() -> None:
    venue = LocalVenue([BTC], 2)
    answers, executions = apply(
        venue,
        (0, new(Side.SELL, 10, "a")),
        (1, new(Side.BUY, 4, "b")),
        (
            0,
            Amend(
                request_seq=0,
                symbol="BTC-USDT",
                order_id=0,
                client_order_id="a",
                quantity=0,
                price=6_500_010,
            ),
        ),
        (1, Cancel(0, "BTC-USDT", 0, "b")),
    )
    assert [type(answer) for answer in answers] == [Ack, Ack, Ack, Reject]
    assert isinstance(answers[3], Reject)
    assert answers[3].reason == RejectReason.UNKNOWN_ORDER
    assert {agent: (each.side, each.quantity_lots, each.time_ns) for agent, each in executions} == {
        0: (Side.SELL, 4, 9), 1: (Side.BUY, 4, 9),
    }  # fmt: skip
    [order], _ = venue.engine.open_orders(FIRST_ACCOUNT)
    assert (order.remaining_lots, order.price_ticks) == (6, 6_500_010)


def test_with_accounts_an_order_without_money_is_refused() -> None:
    rules = Rules(True, (("BTC", 100), ("USDT", 0)))
    venue = LocalVenue([BTC], 2, rules)
    market = New(
        request_seq=0,
        symbol="BTC-USDT",
        side=Side.SELL,
        quantity=10**6,
        price=0,
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.GTC,
        client_order_id="m",
    )
    answers, _ = apply(venue, (0, new(Side.BUY, 10, "a")), (1, market))
    for answer in answers:
        assert isinstance(answer, Reject)
        assert answer.reason == RejectReason.INSUFFICIENT_BALANCE


def test_commands_are_kept_on_request_only() -> None:
    kept, plain = LocalVenue([BTC], 1, keep=True), LocalVenue([BTC], 1)
    for venue in (kept, plain):
        apply(venue, (0, new(Side.BUY, 10, "a")))
    assert [command.account for command in kept.commands] == [FIRST_ACCOUNT]
    assert plain.commands == []
