"""The base of market-data streams: one route, its status and its heartbeat. No I/O.

Clients, slices and positions are those of `crossbook.gateway.streams.paced`.
"""

from typing import Final

from crossbook.gateway.streams.frames import FrameMaker
from crossbook.gateway.streams.pace import StreamPace
from crossbook.gateway.streams.paced import NEW, PacedStream
from crossbook.gateway.web.channel import POLICY_VIOLATION, Connection

MESSAGES_MAX: Final = 10
"""Messages a client may send to a stream, which accepts none, before it is closed."""


class Stream(PacedStream[Connection]):
    """One route: a channel of one instrument and its clients. Subclasses decide what is sent.

    `live` is whether the gateway has the market as it is now. While it is false, the stream sends
    a status and nothing of the market, and later continues where it stopped. The owner calls `work`
    after an update and when `due_ns` has come, and `beat` every second. `resyncs` counts clients
    for which something was left out.
    """

    def __init__(self, frames: FrameMaker, pace: StreamPace) -> None:
        super().__init__(pace)
        self.frames = frames
        self.reason = "no market data yet"
        self.beat_due = False
        self.resyncs = 0
        self._frame = b""
        self._received: dict[Connection, int] = {}

    @property
    def seq(self) -> int:
        """The matcher's sequence number of the last message."""
        raise NotImplementedError

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

    def send_current(self, frame: bytes, before: int) -> None:
        """Send a frame that follows position `before` to all current clients, by slices."""
        self.send_rest()
        self._frame = frame
        self._begin(before)

    def _send_to(self, client: Connection) -> None:
        client.send(self._frame)
