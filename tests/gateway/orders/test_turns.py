"""Queues of accounts, and the order in which they take turns."""

from crossbook.common.messages.commands import CancelOrder
from crossbook.common.messages.entry import Cancel, Request
from crossbook.gateway.orders.commands_in_flight import CommandsInFlight
from crossbook.gateway.orders.session import OrderSession
from crossbook.gateway.orders.turns import (
    ACTIVE_NS,
    IN_FLIGHT_MOST,
    QUANTUM,
    REQUESTS_A_ROUND,
    SHARE_LEAST,
    SHARE_MOST,
    Turns,
)


class World:
    """Turns in front of a matcher that answers when the test requests it."""

    def __init__(self, limit: int = 65_536) -> None:
        self.in_flight = CommandsInFlight(limit)
        self.in_flight.begin(0)
        self.turns = Turns(self.in_flight)
        self.sessions = {number: OrderSession(b"", number, b"") for number in range(1, 101)}

    def add(self, account: int, count: int) -> None:
        """Add requests of an account."""
        self.turns.add(self.sessions[account], requests(count))

    def take(self) -> list[tuple[int, int]]:
        """Take one round; return the accounts and numbers of its requests in order."""
        taken = []
        for session, found in self.turns.take():
            for request in found:
                number = self.in_flight.number + 1
                command = CancelOrder(
                    gateway=1,
                    request_seq=number,
                    account=session.account,
                    instrument=1,
                    order_id=0,
                    client_order_id="",
                )
                self.in_flight.add(session, request.request_seq, command)
            taken.append((session.account, len(found)))
        return taken

    def answer(self, count: int) -> None:
        """Answer the oldest commands."""
        for _ in range(count):
            self.in_flight.answered(self.in_flight.oldest())


def requests(count: int) -> list[Request]:
    return [Cancel(number + 1, "BTC-USDT", 1) for number in range(count)]


def test_accounts_take_turns_whatever_each_has_waiting() -> None:
    world = World()
    world.add(1, 1_000)
    world.add(2, 1)
    world.add(3, 70)
    taken = world.take()
    assert taken[:5] == [(1, QUANTUM), (2, 1), (3, QUANTUM), (1, QUANTUM), (3, 6)]
    assert sum(count for _, count in taken) <= REQUESTS_A_ROUND


def test_requests_of_one_account_keep_their_order() -> None:
    world = World()
    world.turns.add(world.sessions[1], requests(100))
    world.turns.add(world.sessions[1], [Cancel(1_000, "BTC-USDT", 1)])
    world.take()
    origins = [world.in_flight.origin(number) for number in range(1, 102)]
    assert [origin[1] for origin in origins if origin is not None] == [*range(1, 101), 1_000]


def test_one_account_among_small_ones_shrinks_to_the_least_share() -> None:
    world = World()
    for account in range(2, 10):
        world.add(account, 1)
    world.add(1, 20_000)
    for _ in range(30):
        world.take()
        world.answer(len(world.in_flight) - 60)
    world.answer(10_000)
    while world.take():
        pass
    assert len(world.in_flight) == SHARE_LEAST


def test_a_lone_account_may_have_more_in_flight_but_never_all() -> None:
    world = World()
    world.add(1, 20_000)
    for _ in range(50):
        world.take()
    assert len(world.in_flight) == SHARE_MOST


def test_accounts_that_load_alike_are_bounded_together_only() -> None:
    world = World()
    for account in range(1, 11):
        world.add(account, 2_000)
    for _ in range(50):
        world.take()
    assert len(world.in_flight) == IN_FLIGHT_MOST
    counts = [
        sum(each.account == account for each in world.in_flight.all()) for account in range(1, 11)
    ]
    assert max(counts) - min(counts) <= QUANTUM


def test_a_new_account_comes_first_when_there_is_room_again() -> None:
    world = World()
    for account in range(1, 11):
        world.add(account, 2_000)
    for _ in range(50):
        world.take()
    world.add(11, 1)
    assert not world.take()
    world.answer(700)
    assert world.take()[0] == (11, 1)


def test_one_account_leaves_as_much_room_as_it_fills() -> None:
    world = World(limit=1_000)
    world.add(1, 500)
    assert world.turns.room(1) == 0
    assert world.turns.room(2) == 250
    world.add(2, 250)
    assert world.turns.room(3) == 125


def test_without_a_crowd_an_account_may_use_all_room() -> None:
    world = World(limit=4)
    assert world.turns.room(1) == 4
    world.add(1, 4)
    assert world.turns.room(1) == world.turns.room(2) == 0


def test_withdrawn_requests_are_returned_and_gone() -> None:
    world = World()
    world.add(1, 3)
    world.add(2, 2)
    assert [request.request_seq for _, request in world.turns.withdraw(1)] == [1, 2, 3]
    assert world.turns.withdraw(1) == []
    assert world.turns.waiting == 2
    assert [session.account for session, _ in world.turns.withdraw_all()] == [2, 2]
    assert world.take() == []
    assert len(world.turns) == 0


def test_idle_accounts_do_not_count() -> None:
    world = World()
    for account in range(2, 100):
        world.add(account, 1)
    world.add(1, 4_000)
    for _ in range(5):
        world.take()
    assert world.turns._share_most() == SHARE_LEAST
    world.answer(1_000)
    world.turns.tick(ACTIVE_NS)
    world.add(1, 1)
    world.take()
    world.take()
    world.take()
    assert world.turns._share_most() > SHARE_LEAST


def test_a_closed_table_lets_nothing_through_and_loses_nothing() -> None:
    world = World()
    world.add(1, 10)
    world.in_flight.suspend("away")
    assert world.take() == []
    assert not world.turns.has_work
    world.in_flight.resume()
    assert world.take() == [(1, 10)]


def test_commands_that_were_not_sent_leave_the_share_of_their_account() -> None:
    world = World()
    world.add(1, 2_000)
    for _ in range(3):
        world.take()
    sent = world.in_flight.all()
    world.in_flight.withdraw(sent[100:])
    world.turns.settle()
    most = max(SHARE_LEAST, 100 + 50)
    assert sum(count for _, count in world.take()) == most - 100
    world.in_flight.withdraw(world.in_flight.all())
    assert sum(count for _, count in world.take()) == SHARE_LEAST


def test_numbers_given_again_count_for_the_account_that_has_them_now() -> None:
    world = World()
    world.add(1, SHARE_LEAST)
    world.take()
    world.in_flight.withdraw(world.in_flight.all())
    world.turns.settle()
    world.add(2, SHARE_LEAST)
    world.take()
    assert world.turns.lets_pass(1, SHARE_LEAST)
    assert not world.turns.lets_pass(2, 1)
