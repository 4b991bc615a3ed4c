"""Turns of HTTP requests, in front of an application."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from crossbook.common.process.tcp_facts import owner_of
from crossbook.gateway.web.entrance import AsgiApp
from crossbook.gateway.web.web_turns import WebTurns

COST_LEAST_NS: Final = 50_000
"""What a request counts for at the least."""

SMOOTHING: Final = 16
"""A request changes the estimate of the next one's time by this part of the difference."""


class HttpTurns:
    """`app`, each of whose requests waits for its turn. A request counts for the time that the
    ones before it took."""

    def __init__(self, app: AsgiApp, turns: WebTurns, now_ns: Callable[[], int]) -> None:
        self._app = app
        self._turns = turns
        self._now_ns = now_ns
        self._cost_ns = COST_LEAST_NS

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        turns = self._turns
        if turns.has_time:
            turns.spend(self._cost_ns)
        else:
            await self._turn(owner_of((scope.get("client") or ("",))[0]))
        number, began_ns = turns.number, self._now_ns()
        await self._app(scope, receive, send)
        if number == turns.number:
            # It has waited for nothing: all of the time was its own.
            more_ns = self._now_ns() - began_ns - self._cost_ns
            self._cost_ns = max(COST_LEAST_NS, self._cost_ns + more_ns // SMOOTHING)

    async def _turn(self, address: str) -> None:
        turn = asyncio.get_running_loop().create_future()

        def begin() -> None:
            if not turn.done():
                self._turns.spend(self._cost_ns)
                turn.set_result(None)

        self._turns.wait(address, begin)
        await turn
