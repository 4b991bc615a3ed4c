"""Descriptors that end a poll: one thread wakes another, and a signal wakes the loop of a process.

ZeroMQ's poll goes on after a signal until a message or its time-out comes. A loop whose poll has
such a descriptor too sees a stop at once.
"""

import os
import signal
from collections.abc import Callable
from contextlib import suppress


class Wake:
    """`descriptor` is readable from `set` on, until `close`."""

    def __init__(self) -> None:
        self.descriptor, self._target = os.pipe()
        os.set_blocking(self._target, False)

    def set(self) -> None:
        """Make `descriptor` readable; from any thread."""
        # A full pipe is readable already.
        with suppress(BlockingIOError):
            os.write(self._target, b".")

    def close(self) -> None:
        """Close the descriptor; no poll may have it any more."""
        os.close(self.descriptor)
        os.close(self._target)


class StopSignals(Wake):
    """SIGINT and SIGTERM call `stop` in the main thread, and make `descriptor` readable.

    Made by the main thread. From `close` on a signal calls `stop` and wakes nothing.
    """

    def __init__(self, stop: Callable[[], None]) -> None:
        super().__init__()
        signal.set_wakeup_fd(self._target, warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop())

    def close(self) -> None:
        """Close the descriptor; no poll may have it any more."""
        signal.set_wakeup_fd(-1)
        super().close()
