"""Time, chance and the trace of a simulation, the base of all its other parts."""

from collections.abc import Callable
from hashlib import sha256
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Final

MICROSECOND: Final = 1_000
MILLISECOND: Final = 1_000_000
SECOND: Final = 1_000_000_000
DAY: Final = 86_400 * SECOND

EPOCH_NS: Final = 1_780_000_000 * SECOND
"""The wall clock's time at the beginning of a simulation."""


class Violation(AssertionError):  # noqa: N818 - names a finding
    """A broken promise."""


def require(held: bool, text: str) -> None:
    """Raise `Violation` with `text` unless the promise held."""
    if not held:
        raise Violation(text)


class SimulatedWorld:
    """One thread, one generator, one clock; due actions run in order.

    Equal seeds give equal worlds: `trace_hash` covers every line ever traced.
    """

    def __init__(self, seed: int, show: Callable[[str], None] | None = None) -> None:
        self.rng = Random(seed)
        self.now_ns = SECOND
        self.steps = 0
        self._due: list[tuple[int, int, Callable[[], None]]] = []
        self._ties = count()
        self._hash = sha256()
        self._show = show

    def at(self, time_ns: int, action: Callable[[], None]) -> None:
        """Run `action` at that time, behind those already due at the same time."""
        heappush(self._due, (max(time_ns, self.now_ns), next(self._ties), action))

    def after(self, wait_ns: int, action: Callable[[], None]) -> None:
        """Run `action` so many nanoseconds from now."""
        self.at(self.now_ns + wait_ns, action)

    def run_until(self, time_ns: int) -> None:
        """Run all actions due by then."""
        due = self._due
        while due and due[0][0] <= time_ns:
            self.now_ns, _, action = heappop(due)
            self.steps += 1
            action()
        self.now_ns = max(self.now_ns, time_ns)

    def trace(self, source: str, text: str) -> None:
        """Add a line to the trace."""
        line = f"{self.now_ns / SECOND - 1:10.6f} {source:12} {text}"
        self._hash.update(line.encode())
        if self._show is not None:
            self._show(line)

    @property
    def trace_hash(self) -> str:
        """A digest of the trace so far."""
        return self._hash.hexdigest()

    def between(self, low_ns: int, high_ns: int) -> int:
        """A random length of time, short ones as likely as long ones."""
        ratio = high_ns / low_ns
        return int(low_ns * ratio ** self.rng.random())


class WallClock:
    """The clock of one machine: the time of the world, and its error."""

    is_manual = False

    def __init__(self, world: SimulatedWorld) -> None:
        self._world = world
        self.offset_ns = 0

    def now_ns(self) -> int:
        """Nanoseconds since the Unix epoch, by this machine's clock."""
        return EPOCH_NS + self._world.now_ns + self.offset_ns

    def monotonic_ns(self) -> int:
        """Nanoseconds that never step."""
        return self._world.now_ns

    def elapsed_ns(self) -> int:
        """Nanoseconds that never step: this machine never sleeps."""
        return self._world.now_ns
