"""Faults of ZeroMQ order entry: the replies to a session, and whether its request was done."""

from collections.abc import Callable
from typing import Any

import pytest

from crossbook.common.faults.kinds import AnyFault
from crossbook.common.faults.order_entry import (
    AnswerLate,
    AnswerTwice,
    AnswerUnknown,
    CloseConnection,
    Delay,
    ExecutionsDisconnect,
    ExecutionsLate,
    ExecutionsOutOfOrder,
    ExecutionsSilent,
    NoAnswer,
    Refuse,
)
from crossbook.common.faults.table import FaultTable
from crossbook.common.messages.codec import encode
from crossbook.common.messages.entry import (
    Ack,
    Cancel,
    CatchUp,
    Execution,
    Logon,
    New,
    Ping,
    Pong,
    Reject,
    Reply,
    Request,
    Welcome,
)
from crossbook.common.types import RejectReason, Side
from crossbook.gateway.faults.desk import FaultyDesk
from crossbook.gateway.orders.local_sessions import LOCAL_PREFIX
from tests.worlds.desk_world import DeskWorld

ANN, BOB = b"ann", b"bob"


def order(request_seq: int, side: Side = Side.BUY, **more: Any) -> New:
    """A limit order of 0.1 at 50000."""
    return New(
        request_seq=request_seq, symbol="BTC-USDT", side=side, quantity="0.1", price="50000", **more
    )


class FaultyDeskWorld(DeskWorld):
    """A desk behind rules, with the sessions of account 7 (ann) and 8 (bob). `wait` lets time
    pass."""

    def __init__(self) -> None:
        super().__init__()
        self.table = FaultTable("gateway")
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self.woken = 0
        self.faulty = FaultyDesk(
            self.desk, self.table, lambda delay_s, call: self.timers.append((delay_s, call))
        )
        self.faulty.wake = self._count_wake
        self.tokens = {ANN: self.log_on(ANN, 7), BOB: self.log_on(BOB, 8)}

    def _count_wake(self) -> None:
        self.woken += 1

    def rule(self, rule: AnyFault) -> None:
        """Put a rule in force."""
        self.table.add(rule)

    def request(self, identity: bytes, *requests: Request) -> None:
        """Send one frame of a session, and let the matcher answer."""
        token = self.tokens[identity].to_bytes(8, "big")
        message = requests[0] if len(requests) == 1 else list(requests)
        self.faulty.receive_frame(identity, token + encode(message))
        self.settle()

    def sent(self) -> dict[bytes, list[Reply]]:
        """The replies that are sent now."""
        return self.faulty.collect_replies()

    def wait(self) -> list[float]:
        """Let all timers run; returns their delays."""
        timers, self.timers = self.timers, []
        for _, call in timers:
            call()
        self.settle()
        return [delay_s for delay_s, _ in timers]

    @property
    def open_orders(self) -> int:
        """Orders in the engine's book."""
        return len(self.engine.open_orders(7, limit=100)[0])


@pytest.fixture(name="world")
def fixture_world() -> FaultyDeskWorld:
    return FaultyDeskWorld()


def test_without_rules_frames_and_replies_pass(world: FaultyDeskWorld) -> None:
    world.request(ANN, order(1), Ping(2))
    kinds = [type(reply) for reply in world.sent()[ANN]]
    assert sorted(kinds, key=str) == [Ack, Pong]


def test_a_refused_request_is_rejected_and_others_of_its_frame_are_done(
    world: FaultyDeskWorld,
) -> None:
    world.rule(Refuse(code="BUSY", next=1))
    world.request(ANN, order(1, client_order_id="a"), order(2))
    replies = world.sent()[ANN]
    assert replies[0] == Reject(
        request_seq=1,
        reason=RejectReason.BUSY,
        field="",
        text="refused by fault rule 1",
        client_order_id="a",
    )
    assert isinstance(replies[1], Ack)
    assert world.open_orders == 1
    assert world.desk.outbox.rejects[RejectReason.BUSY] == 1


@pytest.mark.parametrize(
    ("selectors", "is_refused"),
    [
        ({"account": 7}, True),
        ({"account": 8}, False),
        ({"method": "submit"}, True),
        ({"method": "cancel"}, False),
        ({"interface": "zeromq"}, True),
        ({"interface": "rest"}, False),
        ({"session": 1001}, True),
        ({"session": 1002}, False),
        ({"key": "anns-key"}, True),
        ({"key": "bobs-key"}, False),
        ({"client_order_id": "a*"}, True),
        ({"path": "/ws/orders"}, False),
    ],
)
def test_a_rule_applies_to_the_requests_it_selects(
    world: FaultyDeskWorld, selectors: dict[str, Any], is_refused: bool
) -> None:
    for session in world.desk.sessions.by_token.values():
        session.user = "anns-key" if session.account == 7 else "bobs-key"
    world.rule(Refuse(code="BUSY", **selectors))
    world.request(ANN, order(1, client_order_id="abc"))
    assert isinstance(world.sent()[ANN][0], Reject if is_refused else Ack)


def test_a_delayed_request_is_done_later_and_may_be_overtaken(world: FaultyDeskWorld) -> None:
    world.rule(Delay(milliseconds=250, next=1))
    world.request(ANN, order(1), order(2))
    assert [reply.request_seq for reply in world.sent()[ANN]] == [2]
    assert world.wait() == [0.25]
    assert world.woken == 1
    assert [reply.request_seq for reply in world.sent()[ANN]] == [1]
    assert world.open_orders == 2


def test_a_closed_session_has_to_log_on_again(world: FaultyDeskWorld) -> None:
    world.rule(CloseConnection(account=7, next=1))
    world.request(ANN, order(1))
    assert ANN not in world.sent()
    assert world.open_orders == 0
    world.request(ANN, order(2))
    reply = world.sent()[ANN][0]
    assert isinstance(reply, Reject)
    assert reply.reason == RejectReason.NOT_LOGGED_ON


def test_a_logon_can_be_delayed_and_refused(world: FaultyDeskWorld) -> None:
    world.rule(Refuse(code="BUSY", method="log_on", account=9, next=1))
    for expected in (Reject, Welcome):
        world.faulty.receive_frame(b"carl", bytes(8) + encode(Logon(1, 9)))
        assert isinstance(world.sent()[b"carl"][0], expected)


def test_a_command_with_an_unknown_outcome_was_done(world: FaultyDeskWorld) -> None:
    world.rule(AnswerUnknown(next=1))
    world.request(ANN, order(1, client_order_id="a"))
    reply = world.sent()[ANN][0]
    assert isinstance(reply, Reject)
    assert (reply.reason, reply.client_order_id) == (RejectReason.OUTCOME_UNKNOWN, "a")
    assert world.open_orders == 1
    world.request(ANN, order(2, client_order_id="a"))
    again = world.sent()[ANN][0]
    assert isinstance(again, Ack)
    assert again.repeated


def test_a_rejected_request_keeps_its_answer(world: FaultyDeskWorld) -> None:
    world.rule(AnswerUnknown())
    world.request(ANN, Cancel(1, "BTC-USDT", 99))
    reply = world.sent()[ANN][0]
    assert isinstance(reply, Reject)
    assert reply.reason == RejectReason.UNKNOWN_ORDER
    assert world.table.applied["answer_unknown"] == 0


def test_an_answer_comes_twice(world: FaultyDeskWorld) -> None:
    world.rule(AnswerTwice(next=1))
    world.request(ANN, order(1), order(2))
    assert [reply.request_seq for reply in world.sent()[ANN]] == [1, 1, 2]


def test_a_reject_may_be_kept_back_too(world: FaultyDeskWorld) -> None:
    world.rule(NoAnswer(method="cancel"))
    world.request(ANN, Cancel(5, "BTC-USDT", 99))
    assert ANN not in world.sent()
    assert world.table.applied["no_answer"] == 1


def test_a_late_answer_comes_after_the_order_is_done(world: FaultyDeskWorld) -> None:
    world.rule(AnswerLate(milliseconds=100, next=1))
    world.request(ANN, order(1))
    assert ANN not in world.sent()
    assert world.open_orders == 1
    assert world.wait() == [0.1]
    assert [type(reply) for reply in world.sent()[ANN]] == [Ack]
    assert not world.sent()


def test_an_order_without_an_answer_is_done(world: FaultyDeskWorld) -> None:
    world.rule(NoAnswer(next=1))
    world.request(ANN, order(1))
    assert ANN not in world.sent()
    assert world.open_orders == 1


def test_a_request_before_its_rule_keeps_its_answer(world: FaultyDeskWorld) -> None:
    world.request(ANN, order(1))
    world.rule(NoAnswer())
    assert [type(reply) for reply in world.sent()[ANN]] == [Ack]


def fill(world: FaultyDeskWorld) -> list[Reply]:
    """The replies to ann for an order that an order of bob's fills at once."""
    world.request(BOB, order(1, Side.SELL))
    world.sent()
    world.request(ANN, order(2))
    return world.sent().get(ANN, [])


def test_a_fill_comes_after_its_answer(world: FaultyDeskWorld) -> None:
    assert [type(reply) for reply in fill(world)] == [Ack, Execution]


def test_a_silent_stream_has_answers_and_no_executions(world: FaultyDeskWorld) -> None:
    world.rule(ExecutionsSilent(account=7))
    assert [type(reply) for reply in fill(world)] == [Ack]
    assert world.table.applied["executions_silent"] == 1


def test_executions_of_another_account_are_left_alone(world: FaultyDeskWorld) -> None:
    world.rule(ExecutionsSilent(account=9))
    assert [type(reply) for reply in fill(world)] == [Ack, Execution]


def test_an_execution_out_of_order_comes_before_its_answer(world: FaultyDeskWorld) -> None:
    world.rule(ExecutionsOutOfOrder(account=7))
    assert [type(reply) for reply in fill(world)] == [Execution, Ack]


def test_an_execution_of_a_maker_has_no_answer_to_change_places_with(
    world: FaultyDeskWorld,
) -> None:
    world.rule(ExecutionsOutOfOrder(account=8))
    fill(world)
    assert world.table.states()[0].concerned == 0


def test_a_late_execution_follows_after_its_delay(world: FaultyDeskWorld) -> None:
    world.rule(ExecutionsLate(account=7, milliseconds=40))
    assert [type(reply) for reply in fill(world)] == [Ack]
    assert world.wait() == [0.04]
    assert [type(reply) for reply in world.sent()[ANN]] == [Execution]


def test_a_session_ends_in_place_of_its_execution(world: FaultyDeskWorld) -> None:
    world.rule(ExecutionsDisconnect(account=7, next=1))
    assert fill(world) == []
    assert len(world.desk.sessions) == 1
    world.request(ANN, Ping(3))
    assert isinstance(world.sent()[ANN][0], Reject)


def test_a_message_sent_again_on_request_is_whole(world: FaultyDeskWorld) -> None:
    world.rule(ExecutionsSilent())
    fill(world)
    seq = world.desk.seq
    world.request(ANN, CatchUp(3, 1))
    old, new = (
        Execution(
            request_seq=0,
            seq=each,
            symbol="BTC-USDT",
            order_id=1,
            client_order_id="",
            kind=2,
            status=1,
            side=1,
            price_ticks=5,
            quantity_lots=1,
            filled_lots=1,
            remaining_lots=0,
            time_ns=5,
        )
        for each in (seq, seq + 1)
    )
    world.desk.outbox.extend(ANN, [old, new])
    world.desk.outbox.extend(BOB, [old])
    assert world.sent() == {ANN: [old]}


def test_bytes_that_are_no_request_are_refused_as_malformed(world: FaultyDeskWorld) -> None:
    world.rule(Refuse(code="BUSY"))
    world.faulty.receive_frame(ANN, bytes(8) + b"\xc1")
    reply = world.sent()[ANN][0]
    assert isinstance(reply, Reject)
    assert reply.reason == RejectReason.MALFORMED
    world.faulty.receive_frame(ANN, b"short")
    assert world.table.applied["refuse"] == 0


def test_replies_of_sessions_inside_the_process_pass(world: FaultyDeskWorld) -> None:
    world.rule(NoAnswer())
    world.rule(ExecutionsSilent())
    local = LOCAL_PREFIX + bytes(8)
    world.desk.outbox.add(local, Pong(1, 2, 3))
    assert world.sent()[local] == [Pong(1, 2, 3)]


def test_the_probe_of_an_address_passes(world: FaultyDeskWorld) -> None:
    world.rule(ExecutionsSilent())
    world.desk.probe_sessions()
    assert world.sent() == {ANN: [], BOB: []}


def test_every_other_method_is_that_of_the_desk(world: FaultyDeskWorld) -> None:
    assert world.faulty.sessions is world.desk.sessions
    assert world.faulty.is_accepting
