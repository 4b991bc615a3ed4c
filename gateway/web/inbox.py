"""What a client sent and the gateway has not read yet, read in parts and in turns with others."""

import time
from typing import Final, Protocol

from crossbook.gateway.web.web_turns import WebTurns

PART: Final = 4_096
"""Bytes read at a time: some forty orders."""


class InboxConnection(Protocol):
    """The connection that an inbox belongs to."""

    owner: str
    full: bool

    def read(self, data: bytes) -> None:
        """Take in bytes of the client, in the order in which they came."""

    def hold(self) -> None:
        """Receive no more from the client for now: bytes wait."""

    def go_on(self) -> None:
        """No byte waits any more."""


class Inbox:
    """The bytes of one connection that wait. The event loop bounds those of one receive, and while
    any wait the connection receives no more."""

    __slots__ = ("_at", "_data", "_is_due", "_reader", "_turns")

    def __init__(self, reader: InboxConnection, turns: WebTurns) -> None:
        self._reader = reader
        self._turns = turns
        self._data = b""
        self._at = 0
        self._is_due = False

    def __len__(self) -> int:
        """How many bytes wait."""
        return len(self._data) - self._at

    def add(self, data: bytes) -> None:
        """Read what came, at once as far as this round has time."""
        self._data = self._data[self._at :] + data if self else data
        self._at = 0
        self.work()

    def work(self) -> None:
        """Read on, where no turn is awaited."""
        if self._is_due:
            return
        while self and not self._reader.full and self._turns.has_time:
            self._read()
        self._rest()

    def clear(self) -> None:
        """Forget what waits."""
        self._data = b""
        self._at = 0

    def _turn(self) -> None:
        self._is_due = False
        if self and not self._reader.full:
            self._read()
        self._rest()

    def _read(self) -> None:
        part = self._data[self._at : self._at + PART]
        self._at += len(part)
        began_ns = time.monotonic_ns()
        self._reader.read(part)
        self._turns.spend(time.monotonic_ns() - began_ns)

    def _rest(self) -> None:
        """Arrange what follows."""
        if not self:
            self.clear()
            self._reader.go_on()
            return
        self._reader.hold()
        if not self._reader.full:
            self._is_due = True
            self._turns.wait(self._reader.owner, self._turn)
