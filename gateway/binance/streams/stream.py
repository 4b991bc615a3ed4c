"""The base of the face's streams: sends to each client at the speed at which it reads. No I/O.

Theory of operation: as that of the native streams (gateway/streams/base.py). A stream has a
position, which counts what it has sent. A current client has been sent everything up to it, a
client behind has a position of its own and catches up when it has room. One connection has many
streams here, in one of four forms; a frame is made once for each form.

The protocol has no word for a hole. So a client that is so far behind that the stream no longer
holds what it misses is closed, and reads a new snapshot when it connects again.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Final, Protocol

from crossbook.gateway.binance.streams.message import Message
from crossbook.gateway.streams.base import NEW, SLICE, StreamPace

TOO_SLOW: Final = "too slow: the stream no longer holds what this client has not read"


class Subscriber(Protocol):
    """A client of streams. Hashable by identity."""

    form: int

    @property
    def full(self) -> bool:
        """Whether more than the limit of unsent bytes waits."""

    def send(self, frames: bytes) -> None:
        """Write whole frames."""

    def lose(self, reason: str) -> None:
        """Close the connection: something would be missing in it."""


class FaceStream:
    """One name and its clients. Subclasses decide what is sent.

    While `live` is false nothing is sent; afterwards the stream continues where it stopped. The
    owner calls `work` after an update and when `due_ns` has come. `losses` counts the clients that
    were closed because they were too far behind.
    """

    takes: ClassVar[tuple[type, ...]] = ()
    """The messages of the feed that `apply` takes."""

    def __init__(self, name: str, pace: StreamPace) -> None:
        self.name = name
        self.pace = pace
        self.live = False
        self.losses = 0
        self.current: dict[Subscriber, None] = {}
        self.behind: dict[Subscriber, int] = {}
        self._unsent: list[Subscriber] = []
        self._messages: Sequence[Message] = ()
        self._frames: dict[int, bytes] = {}

    def __len__(self) -> int:
        return len(self.current) + len(self.behind)

    @property
    def position(self) -> int:
        """The position of a current client."""
        raise NotImplementedError

    def apply(self, update: Any) -> None:
        """Apply a message of the feed that the stream takes."""
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

    def catch_up(self, subscriber: Subscriber, position: int) -> int:
        """Send what one client misses, or part of it; return its position afterwards."""
        raise NotImplementedError

    def written(self, begun_ns: int, cost_ns: int) -> None:
        """Count what the sending of `work` cost, the kernel's part included."""
        self.pace.sent(begun_ns, cost_ns)

    def add(self, subscriber: Subscriber) -> None:
        """Add a client, unless it is one."""
        if subscriber in self.current or subscriber in self.behind:
            return
        self.behind[subscriber] = NEW
        if self.live and not subscriber.full:
            self._advance(subscriber)

    def remove(self, subscriber: Subscriber) -> None:
        """Remove a client; it still gets what it waits for in this round."""
        self.current.pop(subscriber, None)
        self.behind.pop(subscriber, None)

    def drained(self, subscriber: Subscriber) -> None:
        """Let a client that was full and has room catch up."""
        if self.live and subscriber in self.behind:
            self._advance(subscriber)

    def set_live(self, live: bool) -> None:
        """Send from now on, or nothing from now on."""
        if live == self.live:
            return
        self.send_rest()
        self.live = live
        if live:
            self.advance_behind()

    def lose_all(self, reason: str) -> None:
        """Close every client: what follows does not continue what was sent."""
        self._unsent.clear()
        for subscriber in (*self.current, *self.behind):
            subscriber.lose(reason)

    @property
    def sending(self) -> bool:
        """Whether current clients still wait for their slice."""
        return bool(self._unsent)

    def send_current(self, messages: Sequence[Message], before: int) -> None:
        """Send to all current clients what follows position `before`: to the first of them at once,
        to the others by `send_slice`. A full client gets nothing and is behind, at `before`."""
        self.send_rest()
        current = self.current
        for subscriber in [each for each in current if each.full]:
            del current[subscriber]
            self.behind[subscriber] = before
        self._messages = messages
        self._frames = {}
        self._unsent = list(current)
        self._unsent.reverse()
        self.send_slice()

    def send_slice(self) -> None:
        """Send to the next few clients that wait."""
        unsent, frames = self._unsent, self._frames
        for subscriber in reversed(unsent[-SLICE:]):
            frame = frames.get(subscriber.form)
            if frame is None:
                frame = frames[subscriber.form] = joined(self._messages, subscriber.form)
            subscriber.send(frame)
        del unsent[-SLICE:]

    def send_rest(self) -> None:
        """Send to all clients that wait, because another frame follows."""
        while self._unsent:
            self.send_slice()

    def advance_behind(self) -> None:
        """Let the clients behind that have room catch up."""
        for subscriber in list(self.behind):
            if not subscriber.full:
                self._advance(subscriber)

    def lost(self, subscriber: Subscriber) -> int:
        """Close a client of which messages are no longer held; it counts as current."""
        self.losses += 1
        subscriber.lose(TOO_SLOW)
        return self.position

    def _advance(self, subscriber: Subscriber) -> None:
        position = self.behind[subscriber]
        while True:
            before, position = position, self.catch_up(subscriber, position)
            if position == self.position:
                del self.behind[subscriber]
                self.current[subscriber] = None
                return
            if subscriber.full or position == before:
                # The client has no room, or the stream has nothing for it yet.
                self.behind[subscriber] = position
                return


def joined(messages: Sequence[Message], form: int) -> bytes:
    """The frames of these messages in one form."""
    return b"".join([message.frame(form) for message in messages])
