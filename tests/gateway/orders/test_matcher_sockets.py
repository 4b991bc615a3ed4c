"""The sockets to one matcher: messages that are sent, received, timed and logged."""

from collections.abc import Callable
from typing import Any

import pytest
import zmq

from crossbook.common.errors import BAD_BYTES
from crossbook.common.process.clock import FakeClock
from crossbook.common.process.counters import Buckets
from crossbook.gateway.orders import matcher_sockets
from crossbook.gateway.orders.matcher_sockets import MatcherSockets
from tests.system.loop import MS, FakeSocket
from tests.worlds.exposition import parts


class FullSocket(FakeSocket):
    """A socket that accepts no message while `full`."""

    full = False

    def send(self, frame: bytes, flags: int = 0) -> None:
        if self.full:
            raise zmq.Again
        super().send(frame, flags)


class FakeLink:
    """A link that sends one command a round, numbered from 1; `notices` are its next notices."""

    def __init__(self) -> None:
        self.number = 0
        self.answered: set[int] = set()
        self.received: list[tuple[Any, ...]] = []
        self.accepted: list[bool] = []
        self.notices: list[tuple[str, dict[str, int]]] = []
        self.is_idle = False

    def send(
        self, send_commands: Callable[[bytes], bool], send_query: Callable[[bytes], bool], now: int
    ) -> int:
        self.received.append(("sent at", now // MS))
        if self.is_idle:
            return 0
        self.accepted = [send_commands(b"command"), send_query(b"query")]
        self.number += 1
        return self.number

    def collect_notices(self) -> list[tuple[str, dict[str, int]]]:
        notices, self.notices = self.notices, []
        return notices

    def receive_events(self, frame: bytes) -> None:
        if frame == b"bad":
            raise BAD_BYTES[0]("no batch")
        self.received.append(("events", frame))

    def receive_answer(self, frame: bytes, now: int) -> None:
        if frame == b"bad":
            raise BAD_BYTES[0]("no answer")
        self.received.append(("answer", frame, now // MS))

    def is_answered(self, number: int) -> bool:
        return number in self.answered

    def tick(self, now: int) -> None:
        self.received.append(("tick", now // MS))


class World:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = FakeClock(0)
        self.link = FakeLink()
        self.commands, self.events, self.queries = (FullSocket(self.clock) for _ in range(3))
        self.times = Buckets((1,))
        self.log: list[tuple[str, str, dict[str, Any]]] = []
        made_with: Any = MatcherSockets
        self.sockets: MatcherSockets = made_with(
            self.link, self.commands, self.events, self.queries, self.clock, self.times
        )
        monkeypatch.setattr("crossbook.common.process.sockets.has_more", lambda socket: True)

        def noted(level: str) -> Callable[..., None]:
            return lambda event, **facts: self.log.append((level, event, facts))

        made = parts(**{level: noted(level) for level in ("info", "warning", "error")})
        monkeypatch.setattr(matcher_sockets, "logger", lambda: made)

    def receive(self, socket: FakeSocket, *frames: bytes) -> None:
        """Deliver frames to a socket, and drain it."""
        socket.waiting.extend([frame] for frame in frames)
        receivers: dict[Any, Callable[[], None]] = dict(self.sockets.receivers)
        receivers[socket]()
        assert not socket.waiting


def test_one_command_at_a_time_is_timed_from_its_sending_to_its_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(monkeypatch)
    world.clock.advance_ns(7 * MS)
    world.sockets.send()
    world.clock.advance_ns(5 * MS)
    world.sockets.send()
    world.receive(world.events, b"first")
    assert sum(world.times.counts) == 0
    world.link.answered = {1, 2}
    world.clock.advance_ns(4 * MS)
    world.receive(world.events, b"second", b"third")
    assert (sum(world.times.counts), world.times.total) == (1, 9 * MS)
    world.receive(world.events, b"fourth")
    assert sum(world.times.counts) == 1, "a command is timed once"
    world.sockets.send()
    world.link.answered.add(3)
    world.clock.advance_ns(MS)
    world.receive(world.events, b"fifth")
    assert (sum(world.times.counts), world.times.total) == (2, 10 * MS)


def test_a_round_without_a_command_times_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch)
    world.link.is_idle = True
    world.link.answered = {0}
    world.clock.advance_ns(MS)
    world.sockets.send()
    world.receive(world.events, b"batch")
    assert sum(world.times.counts) == 0


def test_a_message_a_socket_does_not_accept_is_reported_to_the_link(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(monkeypatch)
    for commands_full, queries_full in ((False, False), (True, False), (False, True)):
        world.commands.full, world.queries.full = commands_full, queries_full
        world.sockets.send()
        assert world.link.accepted == [not commands_full, not queries_full]
    assert world.commands.sent == [(0, [b"command"])] * 2
    assert world.queries.sent == [(0, [b"query"])] * 2


def test_bad_bytes_are_logged_and_the_frames_after_them_received(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(monkeypatch)
    world.clock.advance_ns(3 * MS)
    world.receive(world.events, b"bad", b"batch")
    world.receive(world.queries, b"bad", b"reply")
    assert world.link.received == [("events", b"batch"), ("answer", b"reply", 3)]
    assert world.log == [
        ("error", "malformed_event_batch", {"reason": "no batch"}),
        ("error", "malformed_matcher_reply", {"reason": "no answer"}),
    ]


def test_notices_are_logged_and_a_matcher_reached_is_no_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(monkeypatch)
    world.link.notices = [("matcher_reached", {"seq": 4}), ("events_lost", {"count": 5})]
    world.sockets.send()
    world.sockets.send()
    assert world.log == [
        ("info", "matcher_reached", {"seq": 4}),
        ("warning", "events_lost", {"count": 5}),
    ]
    world.clock.advance_ns(2 * MS)
    world.sockets.tick()
    assert world.link.received[-1] == ("tick", 2)
