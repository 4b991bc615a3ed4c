"""Requests that wait until public market data has reached a number of the matcher."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

WAIT_S: Final = 2.0
"""Longest wait, in seconds; the recorder waits as long."""

WAITING_MAX: Final = 1_000
"""Most requests that wait; one more is answered at once."""


class BookWaits:
    """Ends each wait once `has_reached(symbol, seq)` holds; the owner calls `check` on changes."""

    def __init__(self, has_reached: Callable[[str, int], bool]) -> None:
        self._has_reached = has_reached
        self._waiting: dict[str, list[tuple[int, asyncio.Future[bool]]]] = {}
        self._count = 0

    async def wait(self, symbol: str, seq: int) -> bool:
        """Wait for `WAIT_S` at most; return whether the data of `symbol` has reached `seq`."""
        if self._has_reached(symbol, seq):
            return True
        if self._count >= WAITING_MAX:
            return False
        loop = asyncio.get_running_loop()
        future: asyncio.Future[bool] = loop.create_future()
        entry = (seq, future)
        self._waiting.setdefault(symbol, []).append(entry)
        self._count += 1
        timer = loop.call_later(WAIT_S, _end, future)
        try:
            return await future
        finally:
            timer.cancel()
            self._count -= 1
            waiting = self._waiting[symbol]
            waiting.remove(entry)
            if not waiting:
                del self._waiting[symbol]

    @property
    def waiting(self) -> int:
        """The number of requests that wait."""
        return self._count

    def check(self, symbols: Iterable[str]) -> None:
        """End the waits of these symbols that are over. O(waits of these symbols)."""
        for symbol in symbols:
            for seq, future in self._waiting.get(symbol, ()):
                if not future.done() and self._has_reached(symbol, seq):
                    future.set_result(True)

    def check_all(self) -> None:
        """End all waits that are over. O(waits)."""
        self.check(self._waiting)


def _end(future: asyncio.Future[bool]) -> None:
    if not future.done():
        future.set_result(False)
