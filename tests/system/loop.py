"""The loop of a service on a clock that moves only while the loop sleeps.

Sockets and poller do without ZeroMQ: they deliver the messages of a script, and keep those sent,
each with its time.
"""

from collections import deque
from collections.abc import Callable
from typing import Any

import pytest
import zmq

from crossbook.common.process.clock import FakeClock

MS = 1_000_000


class FakeSocket:
    """Keeps the messages sent, and delivers those of the script."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.waiting: deque[list[bytes]] = deque()
        self.sent: list[tuple[int, list[bytes]]] = []

    def recv(self, flags: int = 0) -> bytes:
        """The next message, which has one frame."""
        return bytes(self.recv_multipart(flags)[0])

    def recv_multipart(self, flags: int = 0, copy: bool = True) -> list[Any]:
        """The next message; its frames in objects of ZeroMQ without `copy`."""
        if not self.waiting:
            raise zmq.Again
        frames = self.waiting.popleft()
        return list(frames) if copy else [zmq.Frame(each) for each in frames]

    def send(self, frame: bytes, flags: int = 0) -> None:
        """Keep the message, with its time in milliseconds."""
        self.send_multipart([frame], flags)

    def send_multipart(self, frames: list[bytes], flags: int = 0) -> None:
        """Keep the message, with its time in milliseconds."""
        self.sent.append((self._clock.monotonic_ns() // MS, list(frames)))


class LoopScript:
    """The events of a loop, and their times."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self._acts: list[tuple[int, Callable[[], None]]] = []

    def at(self, ms: int, act: Callable[[], None]) -> None:
        """Call `action` once the clock shows so many milliseconds."""
        self._acts.append((self.clock.monotonic_ns() + ms * MS, act))
        self._acts.sort(key=lambda each: each[0])

    def sleep(self, ms: int, sockets: list[FakeSocket]) -> list[tuple[Any, int]]:
        """Let time pass until the next action, `ms` at most; returns the sockets to read."""
        until_ns = self.clock.monotonic_ns() + ms * MS
        while not any(socket.waiting for socket in sockets):
            act_ns, act = self._acts[0] if self._acts else (until_ns + 1, None)
            if act is None or act_ns > until_ns:
                self.clock.advance_ns(until_ns - self.clock.monotonic_ns())
                break
            del self._acts[0]
            self.clock.advance_ns(max(0, act_ns - self.clock.monotonic_ns()))
            act()
        return [(socket, zmq.POLLIN) for socket in sockets if socket.waiting]

    def patch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let every poller made from now on sleep by this script."""
        script = self

        class FakePoller:
            def __init__(self) -> None:
                self.sockets: list[FakeSocket] = []

            def register(self, socket: FakeSocket | int, _: int = 0) -> None:
                # A descriptor ends the wait of a real loop; the script ends this one.
                if not isinstance(socket, int):
                    self.sockets.append(socket)

            def poll(self, ms: int) -> list[tuple[Any, int]]:
                return script.sleep(ms, self.sockets)

        def poll_once(sockets: list[tuple[FakeSocket, int]], _: int) -> list[tuple[Any, int]]:
            return [(socket, flag) for socket, flag in sockets if socket.waiting]

        monkeypatch.setattr(zmq, "Poller", FakePoller)
        monkeypatch.setattr(zmq, "zmq_poll", poll_once)
