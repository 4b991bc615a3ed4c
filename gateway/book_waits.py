"""Requests that wait until public market data has come to a number of the matcher."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

WAIT_S: Final = 2.0
"""Longest wait, in seconds; a recorder waits as long for a number."""

WAITING_MAX: Final = 1_000
"""Most requests that wait; the next one is answered at once."""


class BookWaits:
    """Ends each wait when `has_come(symbol, seq)` holds; the owner calls `look` when it may."""

    def __init__(self, has_come: Callable[[str, int], bool]) -> None:
        self._has_come = has_come
        self._waiting: dict[str, list[tuple[int, asyncio.Future[bool]]]] = {}
        self._count = 0

    async def wait(self, symbol: str, seq: int) -> bool:
        """Whether the data of `symbol` has come to `seq`, within `WAIT_S`."""
        if self._has_come(symbol, seq):
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
        """How many wait."""
        return self._count

    def look(self, symbols: Iterable[str]) -> None:
        """End the waits that are over, of these symbols. O(waits of these symbols)."""
        for symbol in symbols:
            for seq, future in self._waiting.get(symbol, ()):
                if not future.done() and self._has_come(symbol, seq):
                    future.set_result(True)

    def look_at_all(self) -> None:
        """End the waits that are over. O(waits)."""
        self.look(self._waiting)


def _end(future: asyncio.Future[bool]) -> None:
    if not future.done():
        future.set_result(False)
