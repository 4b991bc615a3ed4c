"""Waiting for something to happen at an exchange, without a sleep."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, TypeVar

import zmq

from crossbook.common.errors import BAD_BYTES
from crossbook.common.messages.codec import decode_events
from crossbook.common.process import sockets
from crossbook.testing.processes import ExchangeError, Processes

TIMEOUT_S: Final = 5.0

LOOK_S: Final = 0.01
"""Longest wait between two checks: what a condition reads may lie in the test itself."""

_T = TypeVar("_T")


class Events:
    """The matchers' events, as a bell: each batch of commands ends a wait."""

    def __init__(self, processes: Processes) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._poller = zmq.Poller()
        self._sockets = []
        for shard in range(processes.plan.shards):
            address = f"ipc://{processes.data_dir(shard)}/events.sock"
            self._sockets.append(sockets.events_sub(self._context, address))
            self._poller.register(self._sockets[-1], zmq.POLLIN)

    def wait(self, timeout_s: float) -> bool:
        """Whether commands were applied since the last call, waiting at most so long for one."""
        deadline = time.monotonic() + timeout_s
        while True:
            left_ms = max(0, round((deadline - time.monotonic()) * 1_000))
            ready = self._poller.poll(left_ms)
            batches = [_has_commands(found) for found, _ in ready]
            if any(batches):
                return True
            if not ready or not left_ms:
                return False

    def close(self) -> None:
        """Close the connections."""
        for each in self._sockets:
            each.close()
        self._context.term()


def _has_commands(found: "zmq.Socket[bytes]") -> bool:
    """Read what waits; whether a batch was among it, and not heartbeats alone."""
    has_any = False
    for payload in sockets.drained(found, 1_000):
        with suppress(*BAD_BYTES):
            batch = decode_events(payload)
            has_any = has_any or batch.last_seq >= batch.first_seq
    return has_any


def wait_for(
    processes: Processes,
    events: Events,
    condition: Callable[[], _T],
    timeout_s: float,
    what: str,
) -> _T:
    """The first true value of `condition`, called after every event and at least every `LOOK_S`.

    A condition may assert: as long as time is left, an `AssertionError` means that it does not hold
    yet, and the last one is raised at the end. Otherwise raises `ExchangeError` with the last
    value.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        failed: AssertionError | None = None
        found: _T | None = None
        try:
            found = condition()
        except AssertionError as error:
            failed = error
        if found:
            return found
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            if failed is not None:
                raise failed
            text = f"{what or _described(condition)}: not within {timeout_s:g} s; it is {found!r}"
            raise ExchangeError(f"{text}\n{processes.logs()}")
        events.wait(min(left_s, LOOK_S))


def _described(condition: Callable[[], object]) -> str:
    return f"the condition {getattr(condition, '__qualname__', repr(condition))}"


def has_at_least(found: Sequence[_T], count: int) -> Sequence[_T]:
    """The sequence itself once it has so many; nothing before."""
    return found if len(found) >= count else ()
