"""The link: command numbers, resends, restarts, other incarnations and other gateways."""

from itertools import pairwise

import pytest

from crossbook.common.messages.codec import decode_commands, decode_matcher_query, encode
from crossbook.common.messages.commands import MassCancelOrders
from crossbook.common.messages.entry import Ack, CatchUp, MassCancel, Pong, Query, Reject
from crossbook.common.messages.matcher_queries import GatewayRequest, GatewayState
from crossbook.common.sequence import epoch_of, first_of
from crossbook.common.types import OrderStatus, RejectReason
from crossbook.gateway.orders.commands_in_flight import RESEND_MAX_NS, RESEND_NS
from crossbook.gateway.orders.matcher_link import CHUNK_COMMANDS
from tests.worlds.desk_world import GATEWAY
from tests.worlds.link_world import (
    ANN,
    SECOND_STEPS,
    STEP_NS,
    EngineMatcher,
    LinkWorld,
    answers,
    order,
    ready,
    reasons,
)


def test_commands_are_busy_until_the_state_of_the_matcher_has_arrived() -> None:
    world = LinkWorld()
    token = world.log_on(ANN, 7)
    world.send(ANN, token, order(2))
    world.deliver()
    assert reasons(answers(world)) == [RejectReason.BUSY]
    world.step(5)
    world.send(ANN, token, order(3))
    world.step(3)
    assert reasons(answers(world)) == [0]


def test_commands_are_accepted_with_the_first_answer_of_the_matcher() -> None:
    world = LinkWorld()
    # The machine's clock does not begin at zero.
    world.now_ns = 10 * SECOND_STEPS * STEP_NS
    world.link.tick(world.now_ns)
    assert not world.desk.is_accepting
    assert world.matcher is not None
    requests: list[bytes] = []

    def send(frame: bytes) -> bool:
        requests.append(frame)
        return True

    world.link.send(send, send, world.now_ns)
    world.link.receive_answer(world.matcher.answer(requests[0]), world.now_ns)
    assert world.desk.is_accepting
    world.link.tick(world.now_ns)
    assert world.desk.is_accepting


def test_the_time_of_the_matcher_is_set_with_its_state() -> None:
    world = LinkWorld()
    requests: list[bytes] = []

    def send(frame: bytes) -> bool:
        requests.append(frame)
        return True

    world.link.send(send, send, world.now_ns)
    request = decode_matcher_query(requests[0])
    assert isinstance(request, GatewayRequest)
    state = GatewayState(
        request_id=request.request_id, gateway=GATEWAY, incarnation=7, seq=5,
        last_request_seq=0, time_ns=90,
    )  # fmt: skip
    world.link.receive_answer(encode(state), world.now_ns)
    assert world.desk.times_ns == [90]


def test_numbers_begin_above_all_that_the_matcher_has_applied() -> None:
    world = LinkWorld()
    assert world.matcher is not None
    ahead = first_of(77)
    world.matcher.apply([encode([MassCancelOrders(GATEWAY, ahead, 7)])], 0)
    world.step(5)
    token = world.log_on(ANN, 7)
    world.send(ANN, token, order(2))
    world.step(3)
    assert reasons(answers(world)) == [0]
    assert world.desk.in_flight.number == first_of(78)


def test_lost_commands_are_sent_again_oldest_first_in_bounded_messages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    count = 2 * CHUNK_COMMANDS + 5
    monkeypatch.setattr("crossbook.gateway.orders.desk.CALM", count)
    world, token = ready()
    world.faults.lose = 1
    for first in range(0, count, 500):
        world.send(ANN, token, *(order(2 + first + i) for i in range(min(500, count - first))))
        world.deliver()
    world.faults.lose = 0
    sent: list[bytes] = []

    def send(frame: bytes) -> bool:
        sent.append(frame)
        return True

    while not sent:
        world.now_ns += STEP_NS
        world.link.tick(world.now_ns)
        world.link.send(send, lambda _: True, world.now_ns)
    assert world.now_ns - RESEND_NS < RESEND_NS
    chunks = [decode_commands(frame) for frame in sent]
    assert [len(chunk) for chunk in chunks] == [CHUNK_COMMANDS, CHUNK_COMMANDS, 5]
    numbers = [command.request_seq for chunk in chunks for command in chunk]
    assert numbers == sorted(numbers)
    world.step(2 * SECOND_STEPS)
    assert reasons(answers(world)) == [0] * count
    assert len(world.desk.in_flight) == 0


def test_waits_double_while_nothing_changes_and_begin_anew_with_progress() -> None:
    world, token = ready()
    world.send(ANN, token, order(2))
    world.faults.lose = 1
    sent_at: list[int] = []
    while len(sent_at) < 8:
        before = len(world.notices)
        world.step()
        if "commands_sent_again" in world.notices[before:]:
            sent_at.append(world.now_ns)
    waits = [later - earlier for earlier, later in pairwise(sent_at)]
    assert waits[0] == 2 * RESEND_NS
    assert waits[-1] == waits[-2] == RESEND_MAX_NS
    world.settle()
    assert reasons(answers(world)) == [0]
    world.faults.lose = 1
    world.send(ANN, token, order(3))
    sent = world.notices.count("commands_sent_again")
    world.step(SECOND_STEPS // 2)
    assert world.notices.count("commands_sent_again") == sent + 1


def test_absent_matcher_means_busy_at_once_and_the_number_is_used_again() -> None:
    world, token = ready()
    matcher = world.kill_matcher()
    world.send(ANN, token, order(2), order(3))
    world.deliver()
    assert reasons(answers(world)) == [RejectReason.BUSY] * 2
    world.matcher = matcher
    world.send(ANN, token, order(4))
    world.step(3)
    assert reasons(answers(world)) == [0]
    assert world.desk.in_flight.number == first_of(epoch_of(world.desk.in_flight.number))


def test_commands_sent_are_never_busy_but_wait_for_the_matcher() -> None:
    world, token = ready()
    world.send(ANN, token, order(2, "a"))
    world.deliver()
    matcher = world.kill_matcher()
    world.send(ANN, token, order(3, "b"))
    world.step(30 * SECOND_STEPS)
    assert [(r.request_seq, r.reason) for r in answers(world) if isinstance(r, Reject)] == [
        (3, RejectReason.BUSY)
    ]
    world.matcher = matcher
    world.step(SECOND_STEPS)
    assert [r.request_seq for r in answers(world) if isinstance(r, Ack)] == [2]


def test_answer_lost_with_the_matcher_comes_by_resend_after_its_restart() -> None:
    world, token = ready()
    world.send(ANN, token, order(2))
    world.deliver()
    assert world.matcher is not None
    world.matcher.apply(world.commands.arrived(), world.now_ns)
    world.matcher = world.kill_matcher()
    world.step(SECOND_STEPS)
    assert reasons(answers(world)) == [0]
    assert len(world.matcher.events) == 1


def test_another_incarnation_makes_outcomes_unknown_and_the_link_begin_anew() -> None:
    world, token = ready()
    world.send(ANN, token, order(2))
    world.step(3)
    world.faults.lose = 1
    world.send(ANN, token, order(3), MassCancel(4))
    world.step(2)
    world.send(ANN, token, CatchUp(5, 1))
    world.deliver()
    world.kill_matcher()
    world.faults.lose = 0
    epoch = epoch_of(world.desk.in_flight.number)
    world.matcher = EngineMatcher(incarnation=2)
    world.step(SECOND_STEPS)
    assert reasons(answers(world)) == [
        0, RejectReason.OUTCOME_UNKNOWN, RejectReason.OUTCOME_UNKNOWN, RejectReason.BUSY,
    ]  # fmt: skip
    assert epoch_of(world.desk.in_flight.number) > epoch
    world.send(ANN, token, order(6))
    world.step(3)
    assert answers(world)[0] == Ack(
        request_seq=6,
        seq=1,
        order_id=1,
        status=OrderStatus.NEW,
        client_order_id="",
        remaining_lots=1_000,
        time_ns=world.now_ns - STEP_NS,
    )


def test_requests_that_meet_another_incarnation_are_busy_and_not_sent() -> None:
    world, token = ready()
    world.kill_matcher()
    world.matcher = EngineMatcher(incarnation=2)
    world.link.receive_events(world.matcher.heartbeat(0))
    world.send(ANN, token, order(2))
    world.deliver()
    assert reasons(answers(world)) == [RejectReason.BUSY]
    assert world.commands.messages == []


def test_a_late_batch_of_an_old_incarnation_changes_nothing() -> None:
    world, token = ready()
    world.send(ANN, token, order(2))
    world.link.receive_events(EngineMatcher(incarnation=99).heartbeat(0))
    world.step(SECOND_STEPS)
    assert reasons(answers(world)) == [RejectReason.BUSY]
    world.send(ANN, token, order(3))
    world.step(3)
    assert reasons(answers(world)) == [0]
    assert "matcher_restarted" not in world.notices


def test_answers_no_longer_held_are_unknown_and_sessions_have_to_catch_up() -> None:
    world, token = ready()
    world.send(ANN, token, order(2))
    world.deliver()
    world.faults.lose = 1
    world.step(2)
    assert world.matcher is not None
    world.faults.lose = 0
    world.matcher.first_held = 2
    world.send(ANN, token, order(3))
    world.step(2 * SECOND_STEPS)
    kinds = [type(reply).__name__ for reply in world.received[ANN]]
    assert kinds.count("Welcome") == 2
    assert sorted(reasons(answers(world))) == [0, RejectReason.OUTCOME_UNKNOWN]
    assert "events_lost" in world.notices
    assert world.link.events_lost == 1


@pytest.mark.parametrize("epochs_ahead", [0, 1])
def test_another_gateway_with_this_id_fences_this_one(epochs_ahead: int) -> None:
    world, token = ready()
    assert world.matcher is not None
    other = (
        world.desk.in_flight.number + 1
        if not epochs_ahead
        else first_of(epoch_of(world.desk.in_flight.number) + 2)
    )
    world.events.put(world.matcher.apply([encode([MassCancelOrders(GATEWAY, other, 9)])], 0))
    sent = epochs_ahead > 0
    if sent:
        world.send(ANN, token, order(2), order(3))
        world.deliver()
    world.step(3)
    assert world.link.fenced
    world.send(ANN, token, order(4))
    world.step(SECOND_STEPS)
    unknown = [RejectReason.OUTCOME_UNKNOWN] * 2 if sent else []
    assert reasons(answers(world)) == [*unknown, RejectReason.BUSY]


def test_an_earlier_start_of_this_gateway_does_not_fence_it() -> None:
    world, token = ready()
    world.send(ANN, token, order(2))
    world.deliver()
    world.start_gateway()
    world.step(5)
    token = world.log_on(ANN, 7)
    world.send(ANN, token, order(3))
    world.step(3)
    assert reasons(answers(world)) == [0]
    assert not world.link.fenced


def test_retried_order_is_acknowledged_as_repeated_with_its_first_id() -> None:
    world, token = ready()
    world.send(ANN, token, order(2, "a"))
    world.step(3)
    world.send(ANN, token, order(3, "a"))
    world.step(3)
    first, again = answers(world)
    assert isinstance(first, Ack)
    assert isinstance(again, Ack)
    assert (first.repeated, first.order_id) == (False, 1)
    assert (again.request_seq, again.seq, again.order_id, again.status, again.remaining_lots) == (
        3, 2, 1, 1, 1_000,
    )  # fmt: skip
    assert again.repeated


def test_a_gateway_begins_where_the_matcher_stands_and_not_before() -> None:
    world = LinkWorld()
    assert world.matcher is not None
    for number in range(3):
        world.matcher.apply([encode([MassCancelOrders(GATEWAY, first_of(7) + number, 7)])], 0)
    world.log_on(ANN, 7)
    world.faults.lose = 0.9
    world.step(SECOND_STEPS)
    world.settle(SECOND_STEPS)
    assert world.desk.seq == 3
    assert "event_gap" not in world.notices


def test_an_incarnation_cut_short_makes_outcomes_unknown() -> None:
    world, token = ready()
    for seq in range(2, 6):
        world.send(ANN, token, order(seq))
        world.step(3)
    assert reasons(answers(world)) == [0] * 4
    assert world.matcher is not None
    batches = world.matcher.batches
    world.faults.lose = 1
    world.send(ANN, token, order(6))
    world.step()
    world.kill_matcher()
    world.faults.lose = 0
    # The same incarnation comes back without its last two commands.
    world.matcher = EngineMatcher()
    world.matcher.batches = batches[:2]
    world.matcher.engine.seq = 2
    world.step(SECOND_STEPS)
    assert reasons(answers(world)) == [RejectReason.OUTCOME_UNKNOWN]
    world.send(ANN, token, order(7))
    world.step(3)
    assert [reply.seq for reply in answers(world) if isinstance(reply, Ack)] == [3]


def test_a_session_older_than_the_link_receives_the_number_its_executions_begin_after() -> None:
    world = LinkWorld()
    assert world.matcher is not None
    world.matcher.apply([encode([MassCancelOrders(GATEWAY, first_of(7), 7)])], 0)
    world.log_on(ANN, 7)
    world.step(5)
    assert world.received[ANN][1:] == [Pong(request_seq=0, seq=1, time_ns=0)]


def test_queries_that_cannot_be_sent_are_all_refused_at_once() -> None:
    world, token = ready()
    world.send(ANN, token, *(Query(number) for number in range(900, 920)))
    world.link.send(lambda _: True, lambda _: False, world.now_ns)
    refused = world.desk.collect_replies()[ANN]
    assert [each.request_seq for each in refused] == list(range(900, 920))
    assert reasons(refused) == [RejectReason.BUSY] * 20
    assert not world.desk.queries_waiting
