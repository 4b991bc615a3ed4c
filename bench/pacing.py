"""Waking at exact moments: a Linux timerfd that sits in an epoll set beside the sockets.

Python's own poll timeouts are whole milliseconds, which is longer than an order takes.
"""

import contextlib
import ctypes
import os
import sys

_CLOCK_MONOTONIC = 1
_NONBLOCK = 0o4000
_ABSOLUTE = 1
_PR_SET_TIMERSLACK = 29


class _TimerSpec(ctypes.Structure):
    """`struct itimerspec` on 64-bit Linux."""

    _fields_ = (
        ("interval_s", ctypes.c_long),
        ("interval_ns", ctypes.c_long),
        ("value_s", ctypes.c_long),
        ("value_ns", ctypes.c_long),
    )


class Timer:
    """A file descriptor that becomes readable at a moment of `time.monotonic_ns`."""

    def __init__(self) -> None:
        if sys.platform != "linux":
            raise OSError("the latency bench paces itself by timerfd and needs Linux")
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.fd: int = self._libc.timerfd_create(_CLOCK_MONOTONIC, _NONBLOCK)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        # The kernel may otherwise wake a process up to 50 microseconds late, to save power.
        self._libc.prctl(_PR_SET_TIMERSLACK, 1_000, 0, 0, 0)

    def __enter__(self) -> "Timer":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)

    def wake_at(self, moment_ns: int) -> None:
        """Become readable at `moment_ns`, at once when it has passed."""
        spec = _TimerSpec(0, 0, moment_ns // 1_000_000_000, moment_ns % 1_000_000_000)
        self._libc.timerfd_settime(self.fd, _ABSOLUTE, ctypes.byref(spec), None)

    def clear(self) -> None:
        """Not readable any more until the next `wake_at`."""
        with contextlib.suppress(BlockingIOError):
            os.read(self.fd, 8)
