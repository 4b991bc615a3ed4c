"""The base of market-data streams: sends to each client at the speed at which it reads.

Theory of operation. A stream has a position, which counts what it has sent. A client is *current*
when it has been sent everything up to that position, or *behind*, with a position of its own. All
current clients get the same frame, which is made once. A client whose buffer is full is skipped and
falls behind; when it has room again, `catch_up` sends what it misses from its own position. So a
slow client costs the others nothing, and memory is bounded by what a stream keeps for catching up.

A frame goes to a crowd in slices (`SLICE`), so that other work on the processor waits for one slice
only. Nothing else is sent to a client that still waits for its slice.

A `StreamPace` decides how often a stream sends. It measures the processor time of a sending, and
waits a multiple of that cost before the next one: a stream takes a fixed share of the processor,
whatever the number of its clients. Changes in the meantime are conflated, so a larger crowd
gets fewer and larger updates.
"""

from typing import Final

from crossbook.gateway.streams.frames import FrameMaker
from crossbook.gateway.web.channel import POLICY_VIOLATION, Connection

MESSAGES_MAX: Final = 10
"""Messages a client may send to a stream, which accepts none, before it is closed."""

SLICE: Final = 25
"""Clients that are written to before other work may have the processor: thousands of writes at once
would delay everything else on the machine."""

NEW: Final = -1
"""Position of a client that has been sent nothing."""


class StreamPace:
    """When the next sending may begin: `factor` times the cost of the last one after that began,
    within `least_ns` and `most_ns`, but never before half as much time again as it cost has passed.

    `slack_ns` of waiting that was not used may be used later: a few sendings close together do not
    wait.

    >>> pace = StreamPace(least_ns=50, most_ns=100, factor=3)
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
        """Count a sending that cost so much, the kernel's part included."""
        wait_ns = max(self._least_ns, min(self._factor * cost_ns, self._most_ns))
        wait_ns = max(wait_ns, cost_ns + cost_ns // 2)
        # A sending before `free_ns` (together with something else) costs no further waiting.
        free_ns = min(max(self.free_ns, begun_ns - self._slack_ns), begun_ns)
        self.free_ns = free_ns + wait_ns


class Stream:
    """One route: a channel of one instrument and its clients. Subclasses decide what is sent.

    `live` is whether the gateway has the market as it is now. While it is false, the stream sends
    a status and nothing of the market, and later continues where it stopped. The owner calls `work`
    after an update and when `due_ns` has come, and `beat` every second. `resyncs` counts clients
    for which something was left out.
    """

    def __init__(self, frames: FrameMaker, pace: StreamPace) -> None:
        self.frames = frames
        self.pace = pace
        self.live = False
        self.reason = "no market data yet"
        self.beat_due = False
        self.resyncs = 0
        self.current: dict[Connection, None] = {}
        self.behind: dict[Connection, int] = {}
        self._unsent: list[Connection] = []
        self._frame = b""
        self._received: dict[Connection, int] = {}

    def __len__(self) -> int:
        return len(self.current) + len(self.behind)

    @property
    def position(self) -> int:
        """The position of a current client."""
        raise NotImplementedError

    @property
    def seq(self) -> int:
        """The matcher's sequence number of the last message."""
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

    def catch_up(self, connection: Connection, position: int) -> int:
        """Send what one client misses, or part of it; return its position afterwards."""
        raise NotImplementedError

    def written(self, begun_ns: int, cost_ns: int) -> None:
        """Count what the sending of `work` cost, the kernel's part included."""
        self.pace.sent(begun_ns, cost_ns)

    def opened(self, connection: Connection) -> None:
        """Add a client; it gets the present at once, or the status that there is none."""
        self._received[connection] = 0
        self.behind[connection] = NEW
        if self.live:
            self._advance(connection)
        else:
            connection.send(self.frames.status(False, self.reason))

    def received(self, connection: Connection, text: str) -> None:
        """Refuse a message, and close a client that sends more than `MESSAGES_MAX`."""
        self._received[connection] += 1
        if self._received[connection] > MESSAGES_MAX:
            connection.close(POLICY_VIOLATION, "this stream accepts no messages")
        else:
            connection.send(self.frames.error("UNSUPPORTED", "this stream accepts no messages"))

    def drained(self, connection: Connection) -> None:
        """Let a client that was full and has room catch up."""
        if self.live and connection in self.behind:
            self._advance(connection)

    def closed(self, connection: Connection) -> None:
        """Remove a client."""
        self.current.pop(connection, None)
        self.behind.pop(connection, None)
        self._received.pop(connection, None)

    def set_live(self, live: bool, reason: str) -> None:
        """Send the new status to every client, also to full ones: it is small and rare."""
        if live == self.live:
            return
        self.send_rest()
        self.live, self.reason = live, reason
        frame = self.frames.status(live, reason)
        for connection in (*self.current, *self.behind):
            connection.send(frame)
        if live:
            self.advance_behind()

    def beat(self) -> None:
        """A second has passed: a heartbeat is due for the current clients of a live stream."""
        self.beat_due = self.live and bool(self.current)

    def pop_beat(self) -> bytes:
        """The heartbeat that is due, which counts as sent; or nothing."""
        if not self.beat_due:
            return b""
        self.beat_due = False
        return self.frames.heartbeat(self.seq)

    @property
    def sending(self) -> bool:
        """Whether current clients still wait for their slice."""
        return bool(self._unsent)

    def send_current(self, frame: bytes, before: int) -> None:
        """Send to all current clients what follows position `before`: to the first of them at once,
        to the others by `send_slice`. A full client gets nothing and is behind, at `before`."""
        self.send_rest()
        current = self.current
        for connection in [connection for connection in current if connection.full]:
            del current[connection]
            self.behind[connection] = before
        self._frame = frame
        self._unsent = list(current)
        self._unsent.reverse()
        self.send_slice()

    def send_slice(self) -> None:
        """Send to the next few clients that wait."""
        unsent, frame = self._unsent, self._frame
        for connection in reversed(unsent[-SLICE:]):
            connection.send(frame)
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
        for connection in list(self.behind):
            if not connection.full:
                self._advance(connection)

    def _advance(self, connection: Connection) -> None:
        position = self.behind[connection]
        while True:
            position = self.catch_up(connection, position)
            if position == self.position:
                del self.behind[connection]
                self.current[connection] = None
                return
            if connection.full or position > self.position:
                # The client has no room, or waits for what has not been sent yet.
                self.behind[connection] = position
                return
