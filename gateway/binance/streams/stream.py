"""The base of the face's streams: sends to each client at the speed at which it reads. No I/O.

Clients, slices and positions are those of `crossbook.gateway.streams.paced`. One connection has
many streams here, in one of four forms; a frame is made once for each form.

The protocol has no word for a hole. So a client that is so far behind that the stream no longer
holds what it misses is closed, and reads a new snapshot when it connects again.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Final, Protocol

from crossbook.gateway.binance.streams.message import Message
from crossbook.gateway.streams.pace import StreamPace
from crossbook.gateway.streams.paced import NEW, PacedStream

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


class FaceStream(PacedStream[Subscriber]):
    """One name and its clients. Subclasses decide what is sent.

    While `live` is false nothing is sent; afterwards the stream continues where it stopped. The
    owner calls `work` after an update and when `due_ns` has come. `losses` counts the clients that
    were closed because they were too far behind.
    """

    takes: ClassVar[tuple[type, ...]] = ()
    """The messages of the feed that `apply` takes."""

    def __init__(self, name: str, pace: StreamPace) -> None:
        super().__init__(pace)
        self.name = name
        self.losses = 0
        self._messages: Sequence[Message] = ()
        self._frames: dict[int, bytes] = {}

    def apply(self, update: Any) -> None:
        """Apply a message of the feed that the stream takes."""
        raise NotImplementedError

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

    def send_current(self, messages: Sequence[Message], before: int) -> None:
        """Send messages that follow position `before` to all current clients, by slices."""
        self.send_rest()
        self._messages = messages
        self._frames = {}
        self._begin(before)

    def lost(self, subscriber: Subscriber) -> int:
        """Close a client of which messages are no longer held; it counts as current."""
        self.losses += 1
        subscriber.lose(TOO_SLOW)
        return self.position

    def _send_to(self, client: Subscriber) -> None:
        frame = self._frames.get(client.form)
        if frame is None:
            frame = self._frames[client.form] = joined(self._messages, client.form)
        client.send(frame)


def joined(messages: Sequence[Message], form: int) -> bytes:
    """The frames of these messages in one form."""
    return b"".join([message.frame(form) for message in messages])
