"""Turns between the addresses whose clients an event loop serves over HTTP and WebSocket.

The loop looks at every socket, those of order entry too, between two rounds. A round has as many
turns as fit into `ROUND_NS`, and at least one. Whoever finds none left waits, and the addresses
that wait take turns. While less is sent than a round has time for, nobody waits.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

ROUND_NS: Final = 2_000_000
"""Processor time of one round."""


class WebTurns:
    """The clients that wait, by address. `waiting` counts them, `number` the rounds."""

    def __init__(self) -> None:
        self._queues: OrderedDict[str, deque[Callable[[], None]]] = OrderedDict()
        self._left_ns = ROUND_NS
        self._next_is_due = False
        self.waiting = 0
        self.number = 0

    @property
    def has_time(self) -> bool:
        """Whether a client may begin at once: nobody waits, and the round has time left."""
        return self._left_ns > 0 and not self.waiting

    def wait(self, address: str, begin: Callable[[], None]) -> None:
        """Let a client wait; `begin` is called when it is the turn of its address."""
        self._queues.setdefault(address, deque()).append(begin)
        self.waiting += 1
        self._call_next()

    def spend(self, ns: int) -> None:
        """Count the processor time of a turn, spent or to be spent in this round."""
        self._left_ns -= ns
        self._call_next()

    def _call_next(self) -> None:
        if not self._next_is_due:
            self._next_is_due = True
            asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        self.number += 1
        self._left_ns = ROUND_NS
        # The round after this one comes behind what begins here.
        self._next_is_due = bool(self._queues)
        while self._queues and self._left_ns > 0:
            address, queue = self._queues.popitem(last=False)
            begin = queue.popleft()
            if queue:
                self._queues[address] = queue
            self.waiting -= 1
            begin()
        if self._next_is_due:
            asyncio.get_running_loop().call_soon(self._next)
