"""The socket of a history link: every answer is received, however many arrive at once."""

from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Protocol

import pytest
import uvloop
import zmq

from crossbook.common.messages.codec import decode_history_question, encode
from crossbook.common.messages.history_queries import HistoryAnswer, NotYet, TradesQuestion
from crossbook.common.process.clock import FakeClock
from crossbook.gateway.history import link as history_link
from crossbook.gateway.history import socket as history_socket
from crossbook.gateway.history.link import ANSWER_NS, HistoryLink
from crossbook.gateway.history.socket import DRAIN_MAX, HistorySocket
from tests.worlds.exposition import parts
from tests.worlds.websocket_server import turn, until

ADDRESS = "inproc://history"
NEVER_S = 10_000.0


class World:
    """A link, its socket, and a recorder whose answers the test sends."""

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]", frames_max: int) -> None:
        self.recorder = context.socket(zmq.PAIR)
        self.recorder.set_hwm(frames_max)
        self.recorder.bind(ADDRESS)
        self.plain = context.socket(zmq.PAIR)
        self.plain.set_hwm(frames_max)
        self.plain.connect(ADDRESS)
        self.clock = FakeClock(5)
        self.link = HistoryLink()
        self.socket = HistorySocket(self.link, self.plain, self.clock)
        self.answers: list[HistoryAnswer | None] = []

    def ask(self, count: int = 1) -> None:
        for _ in range(count):
            self.link.add(lambda number: TradesQuestion(number, 0, 1), self.answers.append)
        self.socket.wake()

    def questions(self) -> list[int]:
        """The numbers of the questions that have arrived."""
        found = []
        while self.recorder.poll(0):
            found.append(decode_history_question(self.recorder.recv()).request_id)
        return found

    def answer(self, *numbers: int) -> None:
        for number in numbers:
            self.recorder.send(encode(NotYet(number, 0, "")))


Test = Callable[[World], Coroutine[Any, Any, None]]


class Run(Protocol):
    def __call__(self, test: Test, frames_max: int = 0) -> None: ...


@pytest.fixture
def context() -> Iterator["zmq.Context[zmq.Socket[bytes]]"]:
    made: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    yield made
    made.destroy(linger=0)


@pytest.fixture
def run(context: "zmq.Context[zmq.Socket[bytes]]", monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a test on a loop, in a world without timers."""
    monkeypatch.setattr(history_socket, "TICK_S", NEVER_S)

    def run_it(test: Test, frames_max: int = 0) -> None:
        async def main() -> None:
            world = World(context, frames_max)
            world.socket.start()
            try:
                await test(world)
            finally:
                world.socket.stop()

        uvloop.run(main())

    return run_it


def test_answers_that_arrive_at_once_are_all_received(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 3 * DRAIN_MAX + 5
    for places in ("SENT_MOST", "SENT_OF_ACCOUNT_MOST"):
        monkeypatch.setattr(history_link, places, count)

    async def test(world: World) -> None:
        world.ask(count)
        numbers: list[int] = []
        while len(numbers) < count:
            await until(lambda: bool(world.recorder.poll(0)))
            numbers += world.questions()
        assert numbers == list(range(1, count + 1))
        world.answer(*numbers)
        await until(lambda: len(world.answers) == count)
        assert world.answers == [NotYet(number, 0, "") for number in numbers]

    run(test)


def test_bytes_that_are_no_answer_are_logged_and_those_behind_received(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    log: list[str] = []
    made = parts(error=lambda event, reason: log.append(event))
    monkeypatch.setattr(history_socket, "logger", lambda: made)

    async def test(world: World) -> None:
        world.ask()
        world.recorder.send(b"\xff")
        world.answer(1)
        await until(lambda: bool(world.answers))
        assert world.answers == [NotYet(1, 0, "")]
        assert log == ["malformed_history_answer"]

    run(test)


def test_a_question_the_socket_does_not_accept_ends_without_an_answer(run: Run) -> None:
    async def test(world: World) -> None:
        world.ask(5)
        await until(lambda: len(world.answers) == 3)
        assert world.answers == [None, None, None]
        assert world.questions() == [1, 2]

    run(test, frames_max=1)


def test_time_passes_for_the_link_while_it_is_started(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_socket, "TICK_S", 0.001)

    async def test(world: World) -> None:
        world.ask()
        await until(lambda: world.questions() == [1])
        world.clock.advance_ns(ANSWER_NS)
        await until(lambda: world.answers == [None])
        world.socket.stop()
        world.ask()
        for _ in range(20):
            await turn()
        assert world.questions() == []
        assert world.link.waiting == 1

    run(test)
