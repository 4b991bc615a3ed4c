"""The order desk while requests wait for the turn of their account."""

from crossbook.common.messages.entry import Ack, Logon, New, Ping, Pong, Reject, Welcome
from crossbook.common.types import RejectReason
from tests.gateway.orders.test_desk import ANN, sell
from tests.worlds.desk_world import DeskWorld
from tests.worlds.link_world import SECOND_STEPS, answers, order, ready, reasons


def crowded() -> tuple[DeskWorld, int]:
    """A world in which an account's requests wait for their turn, and its token."""
    world = DeskWorld(queue_size=10_000)
    token = world.log_on(ANN, 7)
    world.send(ANN, token, *(sell(number) for number in range(2, 1_000)))
    assert world.desk.turns_waiting
    return world, token


def test_waiting_requests_of_a_client_that_is_gone_are_not_applied_after_the_cancel() -> None:
    world = DeskWorld(queue_size=10_000)
    (welcome,) = world.replies_to(ANN, 0, Logon(1, 7, cancel_on_disconnect=True))
    assert isinstance(welcome, Welcome)
    world.send(ANN, welcome.token, *(sell(number) for number in range(2, 1_000)))
    world.desk.sessions.close_address(ANN)
    world.desk.tick(0)
    assert not world.desk.turns_waiting
    while world.desk.commands_waiting:
        world.settle()
        world.desk.work()
    assert world.engine.open_orders(7, 0, 0, "", 0, 1_000) == ([], False)


def test_waiting_requests_are_refused_when_the_outcome_of_those_before_is_lost() -> None:
    world, _ = crowded()
    waiting = world.desk.turns_waiting
    world.desk.refuse_waiting("gone")
    refused = [each for each in world.replies(ANN) if isinstance(each, Reject)]
    assert len(refused) == waiting
    assert {(each.reason, each.text) for each in refused} == {(RejectReason.BUSY, "gone")}
    assert not world.desk.turns_waiting


def test_requests_that_need_no_turn_are_answered_at_once_in_a_crowd() -> None:
    world, token = crowded()
    world.send(ANN, token, Ping(5_000), sell(5_001))
    assert [type(each) for each in world.replies(ANN)] == [Pong]


def test_a_crowd_ends_and_orders_are_entered_at_once_again() -> None:
    world, token = crowded()
    while world.desk.commands_waiting:
        world.settle()
        world.desk.work()
    world.replies(ANN)
    assert isinstance(world.replies_to(ANN, token, sell(6_000))[0], Ack)


def test_a_request_that_cannot_be_translated_is_refused_in_its_turn() -> None:
    world, token = crowded()
    world.send(ANN, token, New(7_000, "NO-SUCH", 1, quantity=1, price=1))
    while world.desk.commands_waiting:
        world.desk.work()
        world.settle()
    (refused,) = [each for each in world.replies(ANN) if isinstance(each, Reject)]
    assert (refused.request_seq, refused.reason) == (7_000, RejectReason.UNKNOWN_SYMBOL)


def test_waiting_requests_go_on_after_the_matcher_was_in_doubt() -> None:
    world, _ = crowded()
    world.desk.in_flight.suspend("in doubt")
    world.settle()
    world.desk.work()
    waiting = world.desk.turns_waiting
    assert waiting
    assert not world.desk.has_work
    world.desk.in_flight.resume()
    world.desk.tick(1)
    assert world.desk.has_work
    while world.desk.has_work:
        world.desk.work()
        world.settle()
    assert not world.desk.commands_waiting
    refused = [each for each in world.replies(ANN) if isinstance(each, Reject)]
    assert refused == []


def test_after_an_absence_of_the_matcher_every_request_of_a_crowd_is_answered() -> None:
    world, token = ready()
    # Before the matcher is gone there are enough in flight that accounts take turns.
    world.send(ANN, token, *(order(number) for number in range(2, 402)))
    world.deliver()
    matcher = world.kill_matcher()
    for first in range(1_000, 3_000, 500):
        world.send(ANN, token, *(order(number) for number in range(first, first + 500)))
        world.step()
    world.matcher = matcher
    world.send(ANN, token, *(order(number) for number in range(5_000, 5_500)))
    world.step(10 * SECOND_STEPS)
    assert world.desk.commands_waiting == 0
    replies = answers(world)
    assert len(replies) == 400 + 4 * 500 + 500
    assert set(reasons(replies)) == {0, RejectReason.BUSY}
