"""One client sends orders as fast as it can: an order of another account waits for a few of them.
Without turns of accounts it waited 0.7 s."""

from crossbook.common.messages.entry import Ack, New, Reject
from crossbook.common.types import RejectReason
from tests.worlds.desk_world import INSTRUMENTS, DeskWorld

FLOODER, OTHER = b"flooder", b"other"
FRAME = 1_000
AHEAD_MOST = 1_300
"""Most commands that an order of another account waits for. They take the matcher some 13 ms; a
full queue takes it 650 ms."""
SHRUNK_MOST = 400
"""The same bound once the share of the flooding account has shrunk."""


def orders(first: int, count: int) -> list[New]:
    return [
        New(first + number, INSTRUMENTS[0].symbol, 1, quantity=100, price=1_000_000)
        for number in range(count)
    ]


def flooded() -> tuple[DeskWorld, int, int]:
    """A world in which a flooder has sent 40 frames of orders; the tokens of both accounts."""
    world = DeskWorld(queue_size=65_536)
    flooder, other = world.log_on(FLOODER, 1), world.log_on(OTHER, 2)
    for frame in range(40):
        world.send(FLOODER, flooder, *orders(10 + frame * FRAME, FRAME))
        world.desk.work()
    return world, flooder, other


def ahead(world: DeskWorld, account: int) -> int:
    """Commands in flight before the first one of an account; all where it has none."""
    waiting = world.desk.in_flight.all()
    accounts = [each.account for each in waiting]
    return accounts.index(account) if account in accounts else len(accounts)


def test_an_order_waits_for_a_few_commands_of_a_flood() -> None:
    world, flooder, other = flooded()
    world.send(OTHER, other, *orders(1, 1))
    world.desk.work()
    assert ahead(world, 2) <= AHEAD_MOST
    for turn in range(2, 40):
        world.answer(256)
        world.desk.work()
        world.send(FLOODER, flooder, *orders(100_000 + turn * FRAME, FRAME))
        world.send(OTHER, other, *orders(turn, 1))
        world.desk.work()
    world.answer(65_536)
    world.send(OTHER, other, *orders(1_000, 1))
    world.desk.work()
    world.desk.work()
    assert ahead(world, 2) <= SHRUNK_MOST


def test_a_flood_leaves_room_for_the_others() -> None:
    world, flooder, other = flooded()
    for turn in range(40):
        world.send(FLOODER, flooder, *orders(100_000 + turn * FRAME, FRAME))
    refused = [each for each in world.replies(FLOODER) if isinstance(each, Reject)]
    assert {each.reason for each in refused} == {RejectReason.BUSY}
    assert len(refused) + world.desk.commands_waiting == 80 * FRAME
    world.send(OTHER, other, *orders(1, FRAME))
    assert world.replies(OTHER) == []


def test_every_order_of_a_flood_is_answered_once_and_in_order() -> None:
    world, _, other = flooded()
    world.send(OTHER, other, *orders(1, 5))
    acks: list[int] = [
        each.request_seq for each in world.replies(FLOODER) if isinstance(each, Reject)
    ]
    others = []
    while world.desk.commands_waiting:
        world.desk.work()
        world.settle()
        acks += [each.request_seq for each in world.replies(FLOODER) if isinstance(each, Ack)]
        others += [each.request_seq for each in world.replies(OTHER) if isinstance(each, Ack)]
    assert others == [1, 2, 3, 4, 5]
    assert sorted(acks) == list(range(10, 10 + 40 * FRAME))
