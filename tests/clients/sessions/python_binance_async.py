"""A session with python-binance, asynchronous: requests, its user socket and its depth cache."""

import asyncio
from argparse import Namespace
from typing import Any

from tests.clients.sessions import stepwise
from tests.clients.sessions.binance_steps import BinanceSteps
from tests.clients.sessions.stepwise import id_of


class AsyncSteps(BinanceSteps):
    """Steps with the sockets of python-binance."""

    def __init__(self, names: dict[str, Any], client: Any) -> None:
        super().__init__(client)
        self._sockets = names["BinanceSocketManager"](client)
        self._seen: list[dict[str, Any]] = []
        self._faults: list[str] = []
        self._cache: Any = None
        self._events = 0
        self._tasks: list[asyncio.Task[None]] = []

    async def follow_user(self, symbol: str) -> None:
        """Follow one's own orders from here on."""
        socket = await self._sockets.user_socket().__aenter__()
        self._tasks.append(asyncio.create_task(self._user(socket)))

    async def _user(self, socket: Any) -> None:
        while True:
            self._seen.append(stepwise.event_of(await socket.recv()))

    def user_events(self) -> list[dict[str, Any]]:
        """What was seen of one's own orders and balances since it was followed."""
        return self._seen

    async def follow_book(self, symbol: str) -> None:
        """Follow a book; returns once it is there."""
        from binance.ws.depthcache import DepthCacheManager

        manager = DepthCacheManager(
            self.client, id_of(symbol), bm=self._sockets, limit=1000, ws_interval=100
        )
        await manager.__aenter__()
        self._cache = manager.get_depth_cache
        self._tasks.append(asyncio.create_task(self._book(manager)))

    async def _book(self, manager: Any) -> None:
        while True:
            found = await manager.recv()
            if isinstance(found, dict):
                # The client reports the loss of its connection, and connects again by itself.
                self._faults.append(str(found))
            self._events += 1

    def followed_book(self, symbol: str) -> dict[str, Any]:
        """The client's own book."""
        cache = self._cache()
        return {
            "bids": cache.get_bids(),
            "asks": cache.get_asks(),
            "events": self._events,
            "faults": self._faults,
        }

    async def close(self) -> None:
        """End what follows streams."""
        for each in self._tasks:
            each.cancel()
        await self.client.close_connection()


async def main(given: Namespace) -> None:
    """Do steps until the harness ends."""
    names = stepwise.run_lines("python-binance", "Asynchronous", given)
    if given.private:
        names |= stepwise.run_lines("python-binance", "With a key pair", given)
    steps = AsyncSteps(names, await names["connect"]())
    try:
        await stepwise.serve_async(steps)
    finally:
        await steps.close()


if __name__ == "__main__":
    asyncio.run(main(stepwise.arguments()))
