"""The socket of one history link, on the gateway's event loop."""

import asyncio
from typing import Final

import zmq

from crossbook.common.errors import BAD_BYTES
from crossbook.common.process.clock import Clock
from crossbook.common.process.log import logger
from crossbook.common.process.sockets import drained
from crossbook.gateway.history.link import HistoryLink

DRAIN_MAX: Final = 256
"""Most answers received before the loop gets its turn."""

TICK_S: Final = 0.1

_NOBLOCK: Final = int(zmq.NOBLOCK)


class HistorySocket:
    """Moves the frames of a `HistoryLink` between `start` and `stop`.

    The descriptor is edge-triggered and fires for any change of any kind, so the socket is drained
    each time, also after sending.
    """

    def __init__(self, link: HistoryLink, socket: "zmq.Socket[bytes]", clock: Clock) -> None:
        self._link = link
        self._socket = socket
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._is_due = False

    def start(self) -> None:
        """Send and receive from now on."""
        self._loop.add_reader(self._socket.fileno(), self.wake)
        self._tick()

    def stop(self) -> None:
        """Send and receive no more; the caller closes the socket."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._loop.remove_reader(self._socket.fileno())

    def wake(self) -> None:
        """Send and receive soon; the questions of one turn of the loop are sent together."""
        if not self._is_due:
            self._is_due = True
            self._loop.call_soon(self._work)

    def _work(self) -> None:
        self._is_due = False
        if self._timer is None:
            return
        self._link.send(self._send)
        frames = drained(self._socket, DRAIN_MAX)
        for frame in frames:
            try:
                self._link.receive(frame)
            except BAD_BYTES as error:
                logger().error("malformed_history_answer", reason=str(error))
        if frames:
            self.wake()

    def _send(self, frame: bytes) -> bool:
        try:
            self._socket.send(frame, _NOBLOCK)
        except zmq.Again:
            return False
        return True

    def _tick(self) -> None:
        self._timer = self._loop.call_later(TICK_S, self._tick)
        self._link.tick(self._clock.monotonic_ns())
        self.wake()
