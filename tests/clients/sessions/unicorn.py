"""A session with the unicorn suite: its managers of REST, of streams, and of depth caches."""

import asyncio
from argparse import Namespace
from typing import Any

from tests.clients.sessions import stepwise
from tests.clients.sessions.binance_steps import BinanceSteps
from tests.clients.sessions.stepwise import id_of


class UnicornSteps(BinanceSteps):
    """Steps with all three managers; those of streams are made when they are first used."""

    def __init__(self, given: Namespace) -> None:
        self._given = given
        self._names = stepwise.run_lines("unicorn-binance-local-depth-cache", "REST", given)
        super().__init__(self._names["client"])
        self._seen: list[dict[str, Any]] = []
        self._cache: Any = None

    def follow_user(self, symbol: str) -> None:
        """Follow one's own orders from here on."""
        names = stepwise.run_lines("unicorn-binance-local-depth-cache", "Streams", self._given)
        names["streams"](self._take).create_stream(["arr"], ["!userData"], **names["keys"])

    def _take(self, message: Any) -> None:
        found = message.get("event", message)
        if "e" in found:
            self._seen.append(stepwise.event_of(found))

    def user_events(self) -> list[dict[str, Any]]:
        """What was seen of one's own orders and balances since it was followed."""
        return self._seen

    def follow_book(self, symbol: str) -> None:
        """Follow a book."""
        lines = stepwise.lines_of("unicorn-binance-local-depth-cache", "Depth cache", self._given)
        exec(lines, self._names)
        self._cache = self._names["cache"]
        self._cache.create_depthcache(markets=[id_of(symbol)])

    def followed_book(self, symbol: str) -> dict[str, Any]:
        """The client's own book; an empty one while it does not vouch for it."""
        from unicorn_binance_local_depth_cache.exceptions import DepthCacheOutOfSync

        try:
            bids = self._cache.get_bids(id_of(symbol))
            asks = self._cache.get_asks(id_of(symbol))
        except DepthCacheOutOfSync:
            bids = asks = []
        return {
            "bids": bids,
            "asks": asks,
            "events": self._cache.ubwa.get_total_receives(),
            "faults": [],
        }


if __name__ == "__main__":
    asyncio.run(stepwise.serve_async(UnicornSteps(stepwise.arguments())))
