"""Sessions: those that are connections, and the cancel after the last connection of an account has
ended."""

from itertools import permutations

import pytest

from crossbook.common.messages.commands import MassCancelOrders
from crossbook.common.messages.entry import Ack, Logon, New, Welcome
from crossbook.common.types import RejectReason
from crossbook.gateway.orders.queries_in_flight import QUERY_NS
from crossbook.gateway.orders.session import SessionTable
from tests.worlds.desk_world import DeskWorld

ANN, BOB, EVE = b"ann", b"bob", b"eve"
SYMBOL = "BTC-USDT"


def table(limit: int = 10, of_account: int = 10) -> tuple[SessionTable, dict[int, None]]:
    """A table, and its queue of deserted accounts."""
    tokens = iter(range(1, 1_000))
    sessions = SessionTable(limit, lambda: next(tokens), of_account)
    return sessions, sessions.add_deserted_queue()


def connect(world: DeskWorld, identity: bytes, cancels: bool = False) -> int:
    """Log account 7 on; return the token."""
    (welcome,) = world.replies_to(identity, 0, Logon(1, 7, cancels))
    assert isinstance(welcome, Welcome)
    return welcome.token


def rest(world: DeskWorld, identity: bytes, token: int, price_ticks: int = 4_000_000) -> None:
    """Enter an order that rests."""
    replies = world.replies_to(
        identity, token, New(request_seq=2, symbol=SYMBOL, side=1, quantity=100, price=price_ticks),
    )  # fmt: skip
    assert any(isinstance(reply, Ack) for reply in replies)


@pytest.mark.parametrize("requesting", [ANN, BOB, EVE])
@pytest.mark.parametrize("leaving", list(permutations((ANN, BOB, EVE))))
def test_cancel_on_disconnect_of_any_connection_lasts_until_the_last_is_gone(
    requesting: bytes, leaving: tuple[bytes, ...]
) -> None:
    sessions, deserted = table()
    sessions.open_standing(7, b"requests")
    for identity in (ANN, BOB, EVE):
        sessions.open(7, identity, identity == requesting)
    for identity in leaving[:-1]:
        sessions.close_address(identity)
        assert not deserted
    sessions.close_address(leaving[-1])
    assert list(deserted) == [7]


def test_without_cancel_on_disconnect_and_after_an_old_one_nothing_is_canceled() -> None:
    sessions, deserted = table()
    sessions.open(7, ANN, cancel_on_disconnect=True)
    sessions.close_address(ANN)
    deserted.clear()
    sessions.open(7, ANN)
    sessions.close_address(ANN)
    assert not deserted


def test_cancel_on_disconnect_is_of_one_account() -> None:
    sessions, deserted = table()
    sessions.open(7, ANN, cancel_on_disconnect=True)
    sessions.open(8, BOB)
    sessions.close_address(BOB)
    assert not deserted
    sessions.close_address(ANN)
    assert list(deserted) == [7]


def test_logging_on_again_over_one_connection_ends_none() -> None:
    sessions, deserted = table(limit=1)
    sessions.open(7, ANN, cancel_on_disconnect=True)
    assert sessions.open(7, ANN) is not None
    assert (len(sessions), dict(deserted)) == (1, {})
    assert sessions.open(8, ANN) is not None
    assert list(deserted) == [7]


def test_a_session_that_moves_ends_the_one_at_its_new_address_only() -> None:
    sessions, deserted = table()
    ann = sessions.open(7, ANN, cancel_on_disconnect=True)
    assert ann is not None
    sessions.open(8, BOB, cancel_on_disconnect=True)
    sessions.move(ann, BOB)
    assert list(deserted) == [8]
    sessions.close_address(ANN)
    assert list(deserted) == [8]
    sessions.close_address(BOB)
    assert list(deserted) == [8, 7]


def test_only_connections_are_counted_and_limited() -> None:
    sessions, _ = table(limit=1)
    for account in range(1, 5):
        sessions.open_standing(account, b"%d" % account)
    assert (len(sessions), sessions.is_connected(1)) == (0, False)
    assert sessions.open(7, ANN) is not None
    assert sessions.open(8, BOB) is None
    assert (len(sessions), sessions.is_connected(7)) == (1, True)
    sessions.close_all()
    assert (len(sessions), sessions.by_token, sessions.by_account) == (0, {}, {})


def test_an_account_has_a_bounded_number_of_connections() -> None:
    sessions, _ = table(of_account=2)
    sessions.open_standing(7, b"requests")
    assert sessions.open(7, ANN) is not None
    assert sessions.open(7, BOB) is not None
    assert sessions.open(7, EVE) is None
    assert "account 7 has 2 sessions" in sessions.why_full(7)
    assert "MAX_ACCOUNT_SESSIONS" in sessions.why_full(7)
    # Another logon of a connection replaces its session.
    assert sessions.open(7, BOB) is not None
    assert sessions.open(8, EVE) is not None
    assert sessions.open(7, EVE) is None
    assert [each.account for each in sessions.by_account[8]] == [8]
    sessions.close_address(BOB)
    assert sessions.open(7, EVE) is not None
    assert len(sessions) == 2


def test_a_full_table_names_its_own_limit_first() -> None:
    sessions, _ = table(limit=1, of_account=1)
    sessions.open(7, ANN)
    assert sessions.open(7, BOB) is None
    assert "this gateway has 1 sessions" in sessions.why_full(7)
    assert "MAX_ORDER_SESSIONS" in sessions.why_full(7)


def test_the_last_connection_gone_cancels() -> None:
    world = DeskWorld()
    rest(world, ANN, connect(world, ANN, cancels=True))
    connect(world, BOB)
    world.desk.sessions.close_address(ANN)
    world.desk.tick(0)
    assert world.desk.in_flight.unsent == [], "another connection of the account is there"
    world.desk.sessions.close_address(BOB)
    world.desk.tick(0)
    (command,) = world.desk.in_flight.unsent
    assert isinstance(command, MassCancelOrders)
    assert (command.account, command.reason) == (7, RejectReason.DISCONNECTED)
    world.settle()
    assert world.engine.open_orders(7) == ([], False)
    assert len(world.desk.in_flight) == 0
    assert b"" not in world.desk.outbox.drain()


def test_orders_entered_right_after_the_cancel_stay() -> None:
    world = DeskWorld()
    rest(world, ANN, connect(world, ANN, cancels=True))
    world.desk.sessions.close_address(ANN)
    rest(world, BOB, connect(world, BOB), 3_000_000)
    world.desk.tick(0)
    world.settle()
    assert [order.price_ticks for order in world.engine.open_orders(7)[0]] == [3_000_000]


@pytest.mark.parametrize("comes_back", [False, True])
def test_a_cancel_of_unknown_outcome_is_sent_again_unless_the_account_is_back(
    comes_back: bool,
) -> None:
    world = DeskWorld()
    rest(world, ANN, connect(world, ANN, cancels=True))
    world.desk.sessions.close_address(ANN)
    world.desk.tick(0)
    world.desk.in_flight.collect()
    if comes_back:
        world.desk.sessions.open(7, BOB)
    lost = world.desk.in_flight.give_up(world.desk.in_flight.number)
    world.desk.refuse(lost, RejectReason.OUTCOME_UNKNOWN, "lost")
    world.desk.tick(0)
    assert len(world.desk.in_flight.unsent) == (0 if comes_back else 1)


def test_a_cancel_without_room_waits_for_its_turn() -> None:
    world = DeskWorld(queue_size=1)
    token = connect(world, ANN, cancels=True)
    rest(world, ANN, token)
    world.send(ANN, token, New(request_seq=3, symbol=SYMBOL, side=1, quantity=100, price=4_000_000))
    world.desk.sessions.close_address(ANN)
    world.desk.tick(0)
    assert len(world.desk.in_flight.unsent) == 1
    world.settle()
    world.desk.tick(QUERY_NS)
    world.settle()
    assert world.engine.open_orders(7) == ([], False)
