"""Catching up: the executions of an account, sent again in order and within limits."""

import msgspec
import pytest

from crossbook.common.messages.entry import CatchUp, CaughtUp, Execution, MassCancel
from crossbook.common.types import MAX_INT, ExecutionKind, RejectReason, Side
from crossbook.gateway.orders import catch_up
from crossbook.gateway.orders.catch_up import CATCH_UPS_MAX, EXECUTIONS_MAX
from tests.worlds.link_world import (
    ANN,
    BOB,
    EVE,
    SECOND_STEPS,
    LinkWorld,
    answers,
    caught_up,
    order,
    ready,
    reasons,
)


def fill_history(world: LinkWorld, token: int, orders: int) -> None:
    for i in range(orders):
        world.send(ANN, token, order(2 + i, f"n{i}", price=5_000_000 + i))
        world.step()
    world.step(3)


def test_catch_up_sends_all_executions_of_the_account_page_by_page() -> None:
    world, token = ready()
    fill_history(world, token, 200)
    bob = world.log_on(BOB, 8)
    world.send(BOB, bob, order(2, "b", Side.BUY))
    world.step(3)
    world.received.clear()
    world.send(ANN, token, CatchUp(900, 150))
    world.send(BOB, bob, CatchUp(901, 0))
    world.step(SECOND_STEPS)
    executions, end = caught_up(world)
    assert end == CaughtUp(request_seq=900, from_seq=150, to_seq=201, complete=True)
    assert [execution.seq for execution in executions] == list(range(150, 202))
    assert all(execution.request_seq == 0 for execution in executions)
    executions, end = caught_up(world, BOB)
    assert end == CaughtUp(request_seq=901, from_seq=1, to_seq=201, complete=True)
    assert [(execution.seq, execution.kind) for execution in executions] == [(201, 1), (201, 2)]


@pytest.mark.parametrize(
    ("from_seq", "complete"), [(3, True), (4, False), (1_000, False), (MAX_INT, False)]
)
def test_catch_up_from_beyond_the_end_is_empty_and_names_the_last_number(
    from_seq: int, complete: bool
) -> None:
    world, token = ready()
    fill_history(world, token, 2)
    world.send(ANN, token, CatchUp(900, from_seq))
    world.deliver()
    assert caught_up(world) == (
        [],
        CaughtUp(request_seq=900, from_seq=from_seq, to_seq=2, complete=complete),
    )


@pytest.mark.parametrize("from_seq", [0, 1, 2])
def test_catch_up_from_a_number_given_is_complete(from_seq: int) -> None:
    world, token = ready()
    fill_history(world, token, 2)
    world.send(ANN, token, CatchUp(900, from_seq))
    world.step(SECOND_STEPS)
    executions, end = caught_up(world)
    first = max(from_seq, 1)
    assert end == CaughtUp(request_seq=900, from_seq=first, to_seq=2, complete=True)
    assert [execution.seq for execution in executions] == list(range(first, 3))


def test_catch_up_begins_with_the_first_number_held() -> None:
    world, token = ready()
    fill_history(world, token, 20)
    assert world.matcher is not None
    world.matcher.first_held = 11
    world.send(ANN, token, CatchUp(900, 5))
    world.step(10)
    executions, end = caught_up(world)
    assert end == CaughtUp(request_seq=900, from_seq=11, to_seq=20, complete=False)
    assert [execution.seq for execution in executions] == list(range(11, 21))


def test_catch_ups_are_limited_by_session_and_in_number() -> None:
    world, token = ready()
    fill_history(world, token, 2)
    world.send(ANN, token, CatchUp(900, 1), CatchUp(901, 1))
    assert reasons(world.desk.collect_replies()[ANN]) == [RejectReason.BUSY]
    refused = 0
    for i in range(CATCH_UPS_MAX // 2 + 2):
        identity = b"client%d" % i
        world.send(identity, world.log_on(identity, 8), CatchUp(2, 1))
        refused += reasons(world.desk.collect_replies().get(identity, [])) == [RejectReason.BUSY]
    assert refused == 1, "one is in progress, and half of the room is taken"
    late = world.log_on(EVE, 9)
    world.send(EVE, late, CatchUp(2, 1))
    assert EVE not in world.desk.collect_replies()
    world.step(5)
    assert caught_up(world, EVE)[1].complete
    assert len(world.desk.catch_ups) > CATCH_UPS_MAX // 3, "no other catch-up comes before"
    while len(world.desk.catch_ups):
        world.step(SECOND_STEPS)


def test_catch_up_without_a_matcher_ends_busy_and_with_its_session_in_silence() -> None:
    world, token = ready()
    fill_history(world, token, 2)
    world.kill_matcher()
    world.log_on(BOB, 8)
    world.send(BOB, world.log_on(BOB, 8), CatchUp(900, 1))
    world.desk.sessions.close_address(BOB)
    world.received.clear()
    world.send(ANN, token, CatchUp(901, 1))
    world.step(6 * SECOND_STEPS)
    assert reasons(answers(world)) == [RejectReason.BUSY]
    assert len(world.desk.catch_ups) == 0


def test_long_catch_up_stops_short_at_a_whole_command_and_can_be_continued() -> None:
    world, token = ready()
    assert world.matcher is not None
    world.matcher.resend_bytes = 4_000_000
    count = EXECUTIONS_MAX // 2 + 100
    for first in range(0, count, 500):
        world.send(ANN, token, *(order(2 + first + i, "") for i in range(min(500, count - first))))
        world.step()
    world.send(ANN, token, MassCancel(2 + count))
    while world.desk.commands_waiting:
        world.step()
    world.send(ANN, token, order(3 + count))
    world.step(3)
    world.received.clear()
    world.frames.clear()
    world.send(ANN, token, CatchUp(900_000, 1))
    world.step(3 * SECOND_STEPS)
    executions, end = caught_up(world)
    assert end == CaughtUp(request_seq=900_000, from_seq=1, to_seq=count + 1, complete=True)
    assert len(executions) == 2 * count
    world.send(ANN, token, CatchUp(900_001, end.to_seq + 1))
    world.step(5)
    executions, end = caught_up(world)
    assert [execution.seq for execution in executions] == [count + 2]
    assert end.to_seq == count + 2


def test_catch_up_may_begin_inside_a_batch() -> None:
    world, token = ready()
    world.send(ANN, token, *(order(2 + i) for i in range(10)))
    world.step(3)
    world.received.clear()
    world.send(ANN, token, CatchUp(900, 6))
    world.step(10)
    executions, end = caught_up(world)
    assert [execution.seq for execution in executions] == list(range(6, 11))
    assert end == CaughtUp(request_seq=900, from_seq=6, to_seq=10, complete=True)


@pytest.mark.parametrize("events_a_turn", range(1, 7))
@pytest.mark.parametrize("executions_max", [1, 2, 3])
def test_catch_ups_that_are_continued_send_each_execution_once_however_short_they_stop(
    events_a_turn: int, executions_max: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catch_up, "EVENTS_A_TURN", events_a_turn)
    monkeypatch.setattr(catch_up, "EXECUTIONS_MAX", executions_max)
    world, token = ready()
    bob = world.log_on(BOB, 8)
    for i in range(3):
        makers = [order(2 + 4 * i + n, f"m{i}{n}", price=5_000_000 + n) for n in range(3)]
        world.send(ANN, token, *makers)
        sweep = msgspec.structs.replace(
            order(2 + i, f"sweep{i}", Side.BUY, 5_000_002), quantity=3_000
        )
        world.send(BOB, bob, sweep)
        world.send(ANN, token, order(5 + 4 * i, f"last{i}", price=5_100_000))
    world.step(3)
    assert world.matcher is not None
    last_seq = world.matcher.engine.seq
    for identity, session, orders in ((ANN, token, 12), (BOB, bob, 3)):
        live = [reply for reply in world.received[identity] if isinstance(reply, Execution)]
        found: list[tuple[int, int, int, str]] = []
        request_seq, next_seq = 900, 1
        while next_seq <= last_seq:
            world.send(identity, session, CatchUp(request_seq, next_seq))
            world.received.pop(identity, None)
            world.step(SECOND_STEPS)
            executions, end = caught_up(world, identity)
            assert end.request_seq == request_seq
            assert end.to_seq >= next_seq
            found += [(e.seq, e.index, e.kind, e.client_order_id) for e in executions]
            request_seq, next_seq = request_seq + 1, end.to_seq + 1
        fills = [each for each in found if each[2] == ExecutionKind.FILL]
        assert fills == [(e.seq, e.index, e.kind, e.client_order_id) for e in live]
        assert len(fills) == 9
        assert len(found) == len(set(found)) == orders + 9, "each order's entry, and each fill"
        assert found == sorted(found)
