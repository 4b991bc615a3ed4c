"""Local books as clients keep them, written from the published procedure and from python-binance's
DepthCacheManager. They share no code with the exchange.

Prices and quantities stay text; a level goes when its quantity is the text `0.00000000`.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

Snapshot = Callable[[], dict[str, Any]]
Rows = list[tuple[str, str]]


class _Levels:
    """Levels by their text."""

    def __init__(self) -> None:
        self.bids: dict[str, str] = {}
        self.asks: dict[str, str] = {}

    def load(self, snapshot: dict[str, Any]) -> None:
        """Replace the levels by those of a snapshot."""
        self.bids, self.asks = dict(snapshot["bids"]), dict(snapshot["asks"])

    def apply(self, event: dict[str, Any]) -> None:
        """Apply the levels of an event."""
        for side, levels in ((self.bids, event["b"]), (self.asks, event["a"])):
            for price, quantity in levels:
                if quantity == "0.00000000":
                    side.pop(price, None)
                else:
                    side[price] = quantity

    def rows(self) -> tuple[Rows, Rows]:
        """Bids and asks, best first."""
        return (
            sorted(self.bids.items(), key=lambda row: -Decimal(row[0])),
            sorted(self.asks.items(), key=lambda row: Decimal(row[0])),
        )


class PublishedProcedure(_Levels):
    """ "How to manage a local order book correctly" of the Binance Spot API documentation."""

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__()
        self.number: int | None = None
        self.snapshots = 0
        self._snapshot = snapshot
        self._buffer: list[dict[str, Any]] = []
        self._previous: int | None = None

    def begin(self) -> None:
        """Read the snapshot, until it is not older than the first event; then apply the events that
        were buffered."""
        while True:
            snapshot = self._snapshot()
            self.snapshots += 1
            assert self.snapshots < 5, "no snapshot reaches the first event"
            if not self._buffer or snapshot["lastUpdateId"] >= self._buffer[0]["U"] - 1:
                break
        self.load(snapshot)
        self.number = snapshot["lastUpdateId"]
        buffered, self._buffer = self._buffer, []
        for event in buffered:
            self._apply_next(event)

    def receive(self, event: dict[str, Any]) -> None:
        """Buffer an event, or apply it."""
        assert event["b"] or event["a"], "an event without a level"
        assert event["U"] <= event["u"]
        if self._previous is not None:
            assert event["U"] == self._previous + 1, f"{event['U']} after {self._previous}"
        self._previous = event["u"]
        if self.number is None:
            self._buffer.append(event)
        else:
            self._apply_next(event)

    def _apply_next(self, event: dict[str, Any]) -> None:
        assert self.number is not None
        if event["u"] <= self.number:
            return
        assert event["U"] <= self.number + 1, "missed events: start over"
        self.apply(event)
        self.number = event["u"]


class StrictClient(_Levels):
    """python-binance 1.0.37: it reads the snapshot again whenever `U` is not the number after its
    own, and applies the event on top."""

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__()
        self.number: int | None = None
        self.snapshots = 0
        self._snapshot = snapshot
        self._buffer: list[dict[str, Any]] = []

    def begin(self) -> None:
        """Read the snapshot, and apply what was buffered."""
        self.number = None
        self.snapshots += 1
        snapshot = self._snapshot()
        self.load(snapshot)
        self.number = snapshot["lastUpdateId"]
        buffered, self._buffer = self._buffer, []
        for event in buffered:
            self.receive(event)

    def receive(self, event: dict[str, Any]) -> None:
        """Buffer an event, or apply it."""
        if self.number is None:
            self._buffer.append(event)
            return
        if event["u"] <= self.number:
            return
        if event["U"] != self.number + 1:
            self.begin()
        self.apply(event)
        self.number = event["u"]
