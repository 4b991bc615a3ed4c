"""Counts HTTP requests in front of an application."""

from collections import Counter
from typing import Any

from crossbook.common.process.clock import Clock
from crossbook.common.process.counters import TIMES_NS, Buckets
from crossbook.gateway.web.entrance import AsgiApp


class HttpCounter:
    """`app`, with its answers counted by status, and its requests by their nanoseconds."""

    def __init__(self, app: AsgiApp, clock: Clock) -> None:
        self.statuses: Counter[str] = Counter()
        self.times = Buckets(TIMES_NS)
        self._app = app
        self._clock = clock

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        began_ns = self._clock.monotonic_ns()

        async def counted(message: Any) -> None:
            if message["type"] == "http.response.start":
                self.statuses[str(message["status"])] += 1
            await send(message)

        try:
            await self._app(scope, receive, counted)
        finally:
            self.times.add(self._clock.monotonic_ns() - began_ns)
