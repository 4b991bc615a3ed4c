"""What all market-data streams share: their clients, who of them is level, and their pace.

A client is level when it has been sent all that the stream has sent, or behind, with a position
of its own. Sending is the same for all: the level ones get one frame that is made once; one that
is full is skipped and falls behind; one that has room again catches up from its own position.
"""

from typing import Final

from crossbook.gateway.streams.frames import FrameMaker
from crossbook.gateway.web.channel import POLICY_VIOLATION, Connection

MESSAGES_MAX: Final = 10
"""Messages a client may send to a stream, which takes none, before it is closed."""

SLICE: Final = 25
"""Clients written to before others may have the processor: thousands of writes at once would
stand in the way of everything else on the machine."""

NEW: Final = -1
"""Position of a client that has been sent nothing."""


class Pace:
    """When the next sending may be: `factor` times what the last one cost after it began, within
    `least_ns` and `most_ns`, but with half as much time again left to everything else.

    `slack_ns` of waiting not used may be used later: a few sendings close together are free.

    >>> pace = Pace(least_ns=50, most_ns=100, factor=3)
    >>> pace.sent(begun_ns=1_000, cost_ns=20)
    >>> pace.free_ns
    1060
    """

    def __init__(self, least_ns: int, most_ns: int, factor: int, slack_ns: int = 0) -> None:
        self._least_ns = least_ns
        self._most_ns = most_ns
        self._factor = factor
        self._slack_ns = slack_ns
        self.free_ns = 0

    def sent(self, begun_ns: int, cost_ns: int) -> None:
        """A sending cost so much, the kernel's part included."""
        wait_ns = max(self._least_ns, min(self._factor * cost_ns, self._most_ns))
        wait_ns = max(wait_ns, cost_ns + cost_ns // 2)
        # What was sent before it was free (along with something else) is not held against it.
        free_ns = min(max(self.free_ns, begun_ns - self._slack_ns), begun_ns)
        self.free_ns = free_ns + wait_ns


class Stream:
    """One route: a channel of one instrument and its clients. Subclasses say what is sent.

    `live` is whether the market is seen as it is now. While it is not, a stream sends nothing of
    the market: clients are told, and it goes on where it stopped. The owner calls `work` when
    something was taken or `due_ns` has come, and `beat` every second. `resyncs` counts clients
    that were told that something was left out for them.
    """

    def __init__(self, frames: FrameMaker) -> None:
        self.frames = frames
        self.live = False
        self.why = "no market data yet"
        self.beat_due = False
        self.resyncs = 0
        self.level: dict[Connection, None] = {}
        self.behind: dict[Connection, int] = {}
        self._unsent: list[Connection] = []
        self._frame = b""
        self._received: dict[Connection, int] = {}

    def __len__(self) -> int:
        return len(self.level) + len(self.behind)

    @property
    def position(self) -> int:
        """Where a level client stands."""
        raise NotImplementedError

    @property
    def seq(self) -> int:
        """The matcher's sequence number of the last message."""
        raise NotImplementedError

    def due_ns(self) -> int | None:
        """When `work` has something to send; None when nothing waits."""
        raise NotImplementedError

    def work(self, now_ns: int) -> bool:
        """Send what is due; whether anything was sent."""
        raise NotImplementedError

    def written(self, begun_ns: int, cost_ns: int) -> None:
        """The sending of `work` cost so much, the kernel's part included."""
        raise NotImplementedError

    def catch_up(self, connection: Connection, position: int) -> int:
        """Send what one client misses, or part of it; its position afterwards."""
        raise NotImplementedError

    def opened(self, connection: Connection) -> None:
        """A client comes: it gets the present at once, or is told that there is none."""
        self._received[connection] = 0
        self.behind[connection] = self.first_position(connection)
        if self.live:
            self._advance(connection)
        else:
            connection.send(self.frames.status(False, self.why))

    def first_position(self, connection: Connection) -> int:
        """Where a new client stands."""
        return NEW

    def received(self, connection: Connection, text: str) -> None:
        """Streams take no messages: say so, and close whoever goes on."""
        self._received[connection] += 1
        if self._received[connection] > MESSAGES_MAX:
            connection.close(POLICY_VIOLATION, "this stream takes no messages")
        else:
            connection.send(self.frames.error("UNSUPPORTED", "this stream takes no messages"))

    def drained(self, connection: Connection) -> None:
        """A client that was full has room."""
        if self.live and connection in self.behind:
            self._advance(connection)

    def closed(self, connection: Connection) -> None:
        """A client is gone."""
        self.level.pop(connection, None)
        self.behind.pop(connection, None)
        self._received.pop(connection, None)

    def set_live(self, live: bool, why: str) -> None:
        """The market is seen as it is, or not any more. Everyone is told, also who is full: the
        message is small and rare."""
        if live == self.live:
            return
        self.send_rest()
        self.live, self.why = live, why
        frame = self.frames.status(live, why)
        for connection in (*self.level, *self.behind):
            connection.send(frame)
        if live:
            self.advance_behind()

    def beat(self) -> None:
        """A second has passed: a heartbeat is due, for the level clients of a live stream."""
        self.beat_due = self.live and bool(self.level)

    @property
    def sending(self) -> bool:
        """Whether level clients still wait for their turn to be written to; nothing else may be
        sent to them before."""
        return bool(self._unsent)

    def send_level(self, frame: bytes, before: int) -> None:
        """Send to all level clients what follows on position `before`, the first of them at once
        and the others by `send_slice`. One that is full gets nothing and is behind from then on,
        at `before`."""
        self.send_rest()
        level = self.level
        for connection in [connection for connection in level if connection.full]:
            del level[connection]
            self.behind[connection] = before
        self._frame = frame
        self._unsent = list(level)
        self._unsent.reverse()
        self.send_slice()

    def send_slice(self) -> None:
        """Send to the next few."""
        unsent, frame = self._unsent, self._frame
        for connection in reversed(unsent[-SLICE:]):
            connection.send(frame)
        del unsent[-SLICE:]

    def send_rest(self) -> None:
        """Send to all that wait for their turn: something else comes now."""
        while self._unsent:
            self.send_slice()

    def all_behind(self, position: int) -> None:
        """What comes next follows on nobody's position: the level ones are behind, at this."""
        self.send_rest()
        self.behind.update(dict.fromkeys(self.level, position))
        self.level.clear()

    def advance_behind(self) -> None:
        """Let those behind that have room catch up."""
        for connection in list(self.behind):
            if not connection.full:
                self._advance(connection)

    def take_beat(self) -> bytes:
        """The heartbeat that is due, or nothing."""
        if not self.beat_due:
            return b""
        self.beat_due = False
        return self.frames.heartbeat(self.seq)

    def _advance(self, connection: Connection) -> None:
        position = self.behind[connection]
        while True:
            position = self.catch_up(connection, position)
            if position == self.position:
                del self.behind[connection]
                self.level[connection] = None
                return
            if connection.full or position > self.position:
                # No room; or it waits for something that is not out yet.
                self.behind[connection] = position
                return
