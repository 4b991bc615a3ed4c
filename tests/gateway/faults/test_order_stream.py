"""Faults of `/ws/orders`: requests, answers and execution reports of a client."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
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
from crossbook.gateway.api.order_stream import PATH, OrderStreams
from crossbook.gateway.faults.order_stream import FaultyOrderStream, payload_of
from crossbook.gateway.web.channel import Handshake, HandshakeRefusal, text_frame
from tests.gateway.faults.fault_world import FaultWorld
from tests.worlds.rest_world import limit

SECONDS = 10.0
BUY = limit("buy", "1", "50000", client_order_id="mine-1")


class Client:
    """A connection that keeps the messages sent over it."""

    def __init__(self) -> None:
        self.full = False
        self.buffered = 0
        self.peer = "test"
        self.messages: list[dict[str, Any]] = []
        self.arrived = asyncio.Event()
        self.is_dropped = False

    def header(self, name: str) -> str | None:
        """No header."""
        return None

    def send(self, frame: bytes) -> None:
        """Keep one message."""
        self.messages.append(msgspec.json.decode(payload_of(frame)))
        self.arrived.set()

    def close(self, code: int, reason: str) -> None:
        """Do nothing: no test closes the connection."""
        raise AssertionError(reason)

    def abort(self) -> None:
        """Record the call."""
        self.is_dropped = True
        self.arrived.set()

    @property
    def types(self) -> list[str]:
        """The types of the messages after the welcome."""
        return [message["type"] for message in self.messages[1:]]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return once the condition holds. Only a message changes it."""
        while not condition():
            self.arrived.clear()
            await asyncio.wait_for(self.arrived.wait(), SECONDS)


class StreamFaultWorld(FaultWorld):
    """The API, and a client of account 7 on `/ws/orders`, behind rules."""

    def __init__(self, *rules: AnyFault) -> None:
        super().__init__(*rules)
        streams = OrderStreams(self.sessions, self.trading, self.lookup.render, 1)
        channel = streams.route(Handshake(PATH, "account=7"), None)
        assert not isinstance(channel, HandshakeRefusal)
        self.stream = FaultyOrderStream(channel, self.table, "desk-1")
        self.connection = Client()
        self.stream.opened(self.connection)

    def request(self, params: object = BUY, request_id: str = "a", method: str = "submit") -> None:
        """Send a request."""
        message = {"id": request_id, "method": method, "params": params}
        self.stream.received(self.connection, msgspec.json.encode(message).decode())


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run one test's coroutine."""
    asyncio.run(main)


async def answered(world: StreamFaultWorld, count: int = 1) -> list[str]:
    """The types of the messages, once there are so many answers and errors."""
    client = world.connection
    await client.until(lambda: sum(kind in ("answer", "error") for kind in client.types) >= count)
    return client.types


async def both_arrived(world: StreamFaultWorld) -> None:
    """Return once an answer and an execution have come."""
    await world.connection.until(lambda: len(world.connection.types) == 2)


def test_the_welcome_comes_and_a_request_is_answered() -> None:
    async def main() -> None:
        async with StreamFaultWorld() as world:
            assert isinstance(world.stream, FaultyOrderStream)
            assert world.connection.messages[0]["type"] == "welcome"
            world.request()
            assert "answer" in await answered(world)

    run(main())


@pytest.mark.parametrize(
    ("selectors", "is_refused"),
    [
        ({"account": 7}, True),
        ({"account": 8}, False),
        ({"path": "/ws/orders"}, True),
        ({"interface": "websocket"}, True),
        ({"interface": "rest"}, False),
        ({"method": "submit"}, True),
        ({"method": "cancel"}, False),
        ({"symbol": "BTC-USDT"}, True),
        ({"client_order_id": "mine-1"}, True),
        ({"client_order_id": "mine-2"}, False),
        ({"key": "desk-1"}, True),
        ({"key": "desk-2"}, False),
    ],
)
def test_a_rule_refuses_the_requests_it_selects(
    selectors: dict[str, Any], is_refused: bool
) -> None:
    async def main() -> None:
        async with StreamFaultWorld(Refuse(status=429, **selectors)) as world:
            world.request()
            assert ("error" in await answered(world)) == is_refused
            assert world.engine.seq == (0 if is_refused else 1)
            if is_refused:
                assert world.connection.messages[-1] == {
                    "type": "error",
                    "id": "a",
                    "status": 429,
                    "error": {
                        "code": "TOO_MANY_REQUESTS",
                        "message": "refused by fault rule 1",
                    },
                }

    run(main())


def test_a_delayed_request_is_overtaken_by_the_next() -> None:
    async def main() -> None:
        async with StreamFaultWorld(Delay(milliseconds=30, next=1)) as world:
            world.request(request_id="a")
            world.request(limit("buy", "1", "49000"), request_id="b")
            await answered(world, 2)
            answers = [each for each in world.connection.messages if each["type"] == "answer"]
            assert [each["id"] for each in answers] == ["b", "a"]

    run(main())


def test_a_dropped_connection_leaves_the_request_undone() -> None:
    async def main() -> None:
        async with StreamFaultWorld(CloseConnection()) as world:
            world.request()
            assert world.connection.is_dropped
            assert world.engine.seq == 0

    run(main())


def test_a_command_with_an_unknown_outcome_was_done() -> None:
    async def main() -> None:
        async with StreamFaultWorld(AnswerUnknown(next=1)) as world:
            world.request()
            await answered(world)
            failure = world.connection.messages[-1]
            assert (failure["status"], failure["error"]["code"]) == (504, "OUTCOME_UNKNOWN")
            assert "client_order_id=mine-1" in failure["error"]["message"]
            assert world.engine.seq == 1
            world.request(request_id="b")
            await answered(world, 2)
            assert world.connection.messages[-1]["status"] == 200

    run(main())


def test_a_refused_request_keeps_its_answer() -> None:
    async def main() -> None:
        async with StreamFaultWorld(AnswerUnknown()) as world:
            world.request(limit("buy", "1", "50000.001"))
            await answered(world)
            assert world.connection.messages[-1]["status"] == 422
            assert world.applied("answer_unknown") == 0

    run(main())


def test_an_answer_comes_twice() -> None:
    async def main() -> None:
        async with StreamFaultWorld(AnswerTwice()) as world:
            world.request()
            await answered(world, 2)
            first, second = (each for each in world.connection.messages if each["type"] == "answer")
            assert first == second

    run(main())


def test_a_late_answer_comes_after_the_executions() -> None:
    async def main() -> None:
        async with StreamFaultWorld(AnswerLate(milliseconds=30)) as world:
            world.request()
            await world.connection.until(lambda: world.connection.types == ["execution"])
            assert world.engine.seq == 1
            assert await answered(world) == ["execution", "answer"]

    run(main())


def test_a_request_without_an_answer_is_done() -> None:
    async def main() -> None:
        async with StreamFaultWorld(NoAnswer(next=1)) as world:
            world.request()
            world.request(limit("buy", "1", "49000"), request_id="b")
            await answered(world)
            answers = [each for each in world.connection.messages if each["type"] == "answer"]
            assert [each["id"] for each in answers] == ["b"]
            assert world.engine.seq == 2

    run(main())


def test_a_silent_stream_has_answers_and_no_executions() -> None:
    async def main() -> None:
        async with StreamFaultWorld(ExecutionsSilent(account=7)) as world:
            world.request()
            assert await answered(world) == ["answer"]

    run(main())


def test_a_late_execution_comes_after_its_delay() -> None:
    async def main() -> None:
        async with StreamFaultWorld(ExecutionsLate(milliseconds=30)) as world:
            world.request()
            await both_arrived(world)
            assert world.connection.types == ["answer", "execution"]

    run(main())


def test_an_execution_out_of_order_comes_after_the_answer() -> None:
    async def main() -> None:
        async with StreamFaultWorld() as plain, StreamFaultWorld(ExecutionsOutOfOrder()) as world:
            for each in (plain, world):
                each.request()
                await both_arrived(each)
            assert plain.connection.types == ["execution", "answer"]
            assert world.connection.types == ["answer", "execution"]

    run(main())


def test_an_execution_without_a_request_has_no_place_to_change() -> None:
    async def main() -> None:
        async with StreamFaultWorld(ExecutionsOutOfOrder()) as world:
            await world.enter(BUY, account=7)
            await world.connection.until(lambda: world.connection.types == ["execution"])
            assert world.applied("executions_out_of_order") == 0

    run(main())


def test_the_connection_drops_in_place_of_an_execution() -> None:
    async def main() -> None:
        async with StreamFaultWorld(ExecutionsDisconnect(symbol="BTC-USDT")) as world:
            await world.enter(BUY, account=7)
            assert world.connection.is_dropped
            assert not world.connection.types

    run(main())


def test_executions_of_another_symbol_are_left_alone() -> None:
    async def main() -> None:
        async with StreamFaultWorld(ExecutionsDisconnect(symbol="ETH-USDT")) as world:
            await world.enter(BUY, account=7)
            assert world.connection.types == ["execution"]

    run(main())


def test_executions_from_before_the_welcome_are_left_alone() -> None:
    async def main() -> None:
        async with StreamFaultWorld(ExecutionsSilent()) as world:
            await world.enter(BUY, account=7)
            assert world.connection.types == []
            assert world.applied("executions_silent") == 1
            late = StreamFaultWorld(ExecutionsSilent())
            stream, client = late.stream, late.connection
            assert isinstance(stream, FaultyOrderStream)
            for seq in (0, 1):
                frame = text_frame(b'{"type":"execution","symbol":"BTC-USDT","seq":%d}' % seq)
                stream._send(frame)
            assert [each["seq"] for each in client.messages[1:]] == [0]

    run(main())


def test_text_that_is_no_request_is_refused_as_malformed() -> None:
    async def main() -> None:
        async with StreamFaultWorld(Refuse(status=429)) as world:
            world.stream.received(world.connection, "{")
            world.stream.received(world.connection, '{"id":"a","method":"submit","params":[]}')
            await answered(world, 2)
            statuses = [each["status"] for each in world.connection.messages[1:]]
            assert statuses == [400, 400]

    run(main())


def test_nothing_is_sent_once_the_connection_is_gone() -> None:
    async def main() -> None:
        async with StreamFaultWorld(Delay(milliseconds=10)) as world:
            world.request()
            world.stream.closed(world.connection)
            sleep = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_later(0.05, sleep.set_result, None)
            await sleep
            assert not world.connection.types
            assert world.engine.seq == 0

    run(main())


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_the_text_of_a_frame_of_any_size_is_found(size: int) -> None:
    assert payload_of(text_frame(b"x" * size)) == b"x" * size
