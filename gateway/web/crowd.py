"""The clients of one HTTP server together: places by address, bytes they hold, and turns."""

from collections import Counter
from typing import Final, Protocol

from crossbook.common.shedding import to_shed
from crossbook.common.token_buckets import TokenBuckets
from crossbook.gateway.web.web_turns import WebTurns

MIB: Final = 1024 * 1024

BODIES_MAX: Final = 64 * MIB
"""Most bytes of incomplete requests, of all clients."""

REASONS: Final = ("bodies_of_all", "connections", "connections_of_address", "rate_of_address",
                  "unread", "unread_of_all")  # fmt: skip
"""Reasons for which an HTTP connection is ended."""


class Holder(Protocol):
    """A connection, hashable by identity. `owner` is the address that it is counted for."""

    owner: str

    def cut_off(self) -> None:
        """Drop the connection, soon."""


class Places:
    """The places of one kind of connection, and those that an address may have.

    >>> places = Places(2)
    >>> [places.take("a"), places.take("a"), places.take("a"), places.take("b")]
    [True, True, False, True]
    >>> places.leave("a"); places.leave("a"); places.take("a")
    True
    """

    def __init__(self, of_address: int) -> None:
        self._of_address = of_address
        self._taken: Counter[str] = Counter()

    def take(self, owner: str) -> bool:
        """Count one connection more; whether its address may have it. It counts in either case."""
        self._taken[owner] += 1
        return self._taken[owner] <= self._of_address

    def leave(self, owner: str) -> None:
        """Count one connection less."""
        self._taken[owner] -= 1
        if not self._taken[owner]:
            del self._taken[owner]


class Holdings:
    """Bytes that connections hold. Past `limit` in total the address with most loses its
    connections, the greatest first, until the others fit; `cut_off` counts them."""

    def __init__(self, limit: int) -> None:
        self.total = 0
        self.cut_off = 0
        self._limit = limit
        self._held: dict[Holder, int] = {}

    def hold(self, holder: Holder, size: int) -> None:
        """Note the present bytes of a connection. O(1), and O(connections) past the limit."""
        self.total += size - self._held.get(holder, 0)
        self._held[holder] = size
        if self.total > self._limit:
            for each in to_shed(self.total - self._limit, self._held.items()):
                self.release(each)
                self.cut_off += 1
                each.cut_off()

    def release(self, holder: Holder) -> None:
        """Forget a connection."""
        self.total -= self._held.pop(holder, 0)


class Crowd:
    """All clients of one server, HTTP and WebSocket. `refused` counts HTTP connections that found
    no place, or did not read, by reason. The clients share the time of one event loop by `turns`.
    """

    def __init__(
        self,
        http_of_address: int,
        websockets_of_address: int,
        unread_max: int = 128 * MIB,
        of_address_per_s: int = 0,
    ) -> None:
        self.http = Places(http_of_address)
        self.websockets = Places(websockets_of_address)
        self.unread = Holdings(unread_max)
        self.bodies = Holdings(BODIES_MAX)
        self.refused: Counter[str] = Counter()
        self.turns = WebTurns()
        self._rates = TokenBuckets.of_connections(of_address_per_s)

    def may_connect(self, owner: str, now_ns: int) -> bool:
        """Count a new connection of an address; whether it does not make them too fast."""
        return self._rates is None or self._rates.take(owner, 1, now_ns) > 0

    def cut_off(self) -> dict[str, int]:
        """The connections ended, by reason."""
        ended = {reason: self.refused[reason] for reason in REASONS}
        ended["unread_of_all"] = self.unread.cut_off
        ended["bodies_of_all"] = self.bodies.cut_off
        return ended
