"""A session with ccxt.pro: the same by REST, and books, trades and one's own events by stream."""

import asyncio
import select
from argparse import Namespace
from typing import Any

from tests.clients.sessions import stepwise
from tests.clients.sessions.ccxt_steps import CcxtSteps, order, pair


class ProSteps(CcxtSteps):
    """Steps with the streams of ccxt."""

    def __init__(self, exchange: Any) -> None:
        super().__init__(exchange)
        self.seen: list[dict[str, Any]] = []
        self.failures: list[str] = []
        self.book_events = 0
        self._tasks: list[asyncio.Task[None]] = []

    async def follow_user(self, symbol: str) -> None:
        """Follow one's own orders from here on."""
        await self.exchange.load_markets()
        await self.exchange.authenticate({"type": "spot"})
        self._tasks.append(asyncio.create_task(self._orders(symbol)))
        self._tasks.append(asyncio.create_task(self._balances()))

    async def _orders(self, symbol: str) -> None:
        while True:
            try:
                found = await self.exchange.watch_orders(pair(symbol))
            except asyncio.CancelledError:
                raise
            except Exception as error:
                self.failures.append(repr(error))
                await self._pause()
                continue
            self.seen += [{"event": "order", **order(each)} for each in found]

    async def _balances(self) -> None:
        while True:
            try:
                found = await self.exchange.watch_balance()
            except asyncio.CancelledError:
                raise
            except Exception as error:
                self.failures.append(repr(error))
                await self._pause()
                continue
            self.seen.append({"event": "balance", "free": dict(found["free"])})

    async def _pause(self) -> None:
        await asyncio.to_thread(select.select, [], [], [], 0.2)

    def user_events(self) -> list[dict[str, Any]]:
        """What was seen of one's own orders and balances since it was followed."""
        return self.seen

    async def follow_book(self, symbol: str) -> None:
        """Follow a book; returns once it is there."""
        await self.exchange.watch_order_book(pair(symbol))
        self._tasks.append(asyncio.create_task(self._book(symbol)))

    async def _book(self, symbol: str) -> None:
        while True:
            try:
                await self.exchange.watch_order_book(pair(symbol))
                self.book_events += 1
            except asyncio.CancelledError:
                raise
            except Exception as error:
                self.failures.append(repr(error))
                await self._pause()

    def followed_book(self, symbol: str) -> dict[str, Any]:
        """The client's own book."""
        found = self.exchange.orderbooks.get(pair(symbol))
        if found is None:
            return {"bids": [], "asks": [], "number": 0, "events": 0, "faults": self.failures}
        return {
            "bids": [list(level) for level in found["bids"]],
            "asks": [list(level) for level in found["asks"]],
            "number": found["nonce"],
            "events": self.book_events,
            "faults": self.failures,
        }

    async def close(self) -> None:
        """End what follows streams."""
        for each in self._tasks:
            each.cancel()
        await self.exchange.close()


async def main(given: Namespace) -> None:
    """Do steps until the harness ends."""
    steps = ProSteps(stepwise.run_lines("ccxt", "Streams", given)["exchange"])
    try:
        await stepwise.serve_async(steps)
    finally:
        await steps.close()


if __name__ == "__main__":
    asyncio.run(main(stepwise.arguments()))
