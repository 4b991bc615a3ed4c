"""Clients of a stream, each of which is sent to at the speed at which it reads. No I/O.

Theory of operation. A stream has a position, which counts what it has sent. A client is *current*
when it has been sent everything up to that position, or *behind*, with a position of its own. All
current clients get the same, which is made once. A client whose buffer is full is skipped and
falls behind; when it has room again, `catch_up` sends what it misses from its own position. So a
slow client costs the others nothing, and memory is bounded by what a stream keeps for catching up.

A frame goes to a crowd in slices (`SLICE`), so that other work on the processor waits for one slice
only. Nothing else is sent to a client that still waits for its slice.
"""

from typing import Final, Generic, Protocol, TypeVar

from crossbook.gateway.streams.pace import StreamPace

SLICE: Final = 25
"""Clients that are written to before other work may have the processor: thousands of writes at once
would delay everything else on the machine."""

NEW: Final = -1
"""Position of a client that has been sent nothing."""


class Reader(Protocol):
    """A client of a stream. Hashable by identity."""

    @property
    def full(self) -> bool:
        """Whether more than the limit of unsent bytes waits."""


C = TypeVar("C", bound=Reader)


class PacedStream(Generic[C]):
    """One stream and its clients. Subclasses decide what is sent.

    While `live` is false nothing of the market is sent; afterwards the stream continues where it
    stopped. The owner calls `work` after an update and when `due_ns` has come.
    """

    def __init__(self, pace: StreamPace) -> None:
        self.pace = pace
        self.live = False
        self.current: dict[C, None] = {}
        self.behind: dict[C, int] = {}
        self._unsent: list[C] = []

    def __len__(self) -> int:
        return len(self.current) + len(self.behind)

    @property
    def position(self) -> int:
        """The position of a current client."""
        raise NotImplementedError

    def due_ns(self) -> int | None:
        """When `work` has something to send; None when nothing waits, or for no client."""
        return self._due_ns() if self.live and len(self) else None

    def work(self, now_ns: int) -> bool:
        """Send what is due; return whether anything was sent."""
        return self._work(now_ns) if self.live and len(self) else False

    def _due_ns(self) -> int | None:
        """As `due_ns`, of a live stream that has clients."""
        raise NotImplementedError

    def _work(self, now_ns: int) -> bool:
        """As `work`, of a live stream that has clients."""
        raise NotImplementedError

    def catch_up(self, client: C, position: int) -> int:
        """Send what one client misses, or part of it; return its position afterwards."""
        raise NotImplementedError

    def written(self, begun_ns: int, cost_ns: int) -> None:
        """Count what the sending of `work` cost, the kernel's part included."""
        self.pace.sent(begun_ns, cost_ns)

    def drained(self, client: C) -> None:
        """Let a client that was full and has room catch up."""
        if self.live and client in self.behind:
            self._advance(client)

    @property
    def sending(self) -> bool:
        """Whether current clients still wait for their slice."""
        return bool(self._unsent)

    def send_slice(self) -> None:
        """Send to the next few clients that wait."""
        unsent = self._unsent
        for client in reversed(unsent[-SLICE:]):
            self._send_to(client)
        del unsent[-SLICE:]

    def send_rest(self) -> None:
        """Send to all clients that wait, because another frame follows."""
        while self._unsent:
            self.send_slice()

    def all_behind(self, position: int) -> None:
        """Let every current client be behind, at `position`: the next frame follows no position."""
        self.send_rest()
        self.behind.update(dict.fromkeys(self.current, position))
        self.current.clear()

    def advance_behind(self) -> None:
        """Let the clients behind that have room catch up."""
        for client in list(self.behind):
            if not client.full:
                self._advance(client)

    def _send_to(self, client: C) -> None:
        """Send a current client what `_begin` has begun."""
        raise NotImplementedError

    def _begin(self, before: int) -> None:
        """Send to all current clients what follows position `before`: to the first of them at once,
        to the others by `send_slice`. A full client gets nothing and is behind, at `before`."""
        current = self.current
        for client in [each for each in current if each.full]:
            del current[client]
            self.behind[client] = before
        self._unsent = list(current)
        self._unsent.reverse()
        self.send_slice()

    def _advance(self, client: C) -> None:
        position = self.behind[client]
        while True:
            before, position = position, self.catch_up(client, position)
            if position == self.position:
                del self.behind[client]
                self.current[client] = None
                return
            if client.full or position == before or position > self.position:
                # The client has no room, or waits for what has not been sent yet.
                self.behind[client] = position
                return
