"""Sixty-four sessions that catch up again and again do not prevent the catch-up of another one."""

from crossbook.common.messages.entry import CatchUp, CaughtUp
from tests.gateway.orders.test_catch_up import fill_history
from tests.worlds.link_world import ready

OTHER = b"other"
SESSIONS = 64
STEPS_MOST = 20


def test_another_catch_up_comes_after_one_of_a_flood() -> None:
    world, token = ready()
    fill_history(world, token, 50)
    for number in range(SESSIONS):
        identity = b"flooder%d" % number
        world.send(identity, world.log_on(identity, 8), CatchUp(900, 1))
    other = world.log_on(OTHER, 9)
    world.received.clear()
    world.send(OTHER, other, CatchUp(901, 1))
    for _ in range(STEPS_MOST):
        world.step()
    assert [type(each) for each in world.received.get(OTHER, [])] == [CaughtUp]
    assert len(world.desk.catch_ups) > SESSIONS // 3, "it waited for all of them"
