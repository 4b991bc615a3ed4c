"""A client of `/ws/market-data/`, written from docs/reference/streams.md alone. It shares no code
with the project.

Prices and quantities stay text. The checksum is computed from that text as Kraken describes it.
"""

from binascii import crc32
from decimal import Decimal
from typing import Any

Rows = list[tuple[str, str]]


class JsonBook:
    """The book rebuilt from JSON messages. Every message is checked against the earlier ones."""

    def __init__(self) -> None:
        self.bids: dict[str, str] = {}
        self.asks: dict[str, str] = {}
        self.seq: int | None = None
        self.live = True
        self.best: dict[str, Any] | None = None
        self.counts: dict[str, int] = {}
        self._resync = False

    def apply(self, message: dict[str, Any]) -> bool:
        """Apply one message; return whether the book may have changed. Fails on a message that does
        not continue the book."""
        kind = message["type"]
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if kind == "status":
            self.live = message["status"] == "live"
            return False
        assert self.live, f"{kind} while the market is stale"
        if kind == "resync":
            self._resync = True
        elif kind == "snapshot":
            assert self.seq is None or self._resync, "a second snapshot without resync"
            self._resync = False
            self.bids = dict(message["bids"])
            self.asks = dict(message["asks"])
            assert list(self.bids) == [price for price, _ in self.rows()[0]], "bids out of order"
            assert list(self.asks) == [price for price, _ in self.rows()[1]], "asks out of order"
        elif kind == "l2_update":
            assert not self._resync, "an update where a snapshot was announced"
            assert message["prev_seq"] == self.seq, f"{message['prev_seq']} after {self.seq}"
            assert message["prev_seq"] < message["first_seq"] <= message["seq"]
            for book, side in ((self.bids, "bids"), (self.asks, "asks")):
                for price, quantity in message[side]:
                    if quantity == "0":
                        book.pop(price, None)
                    else:
                        book[price] = quantity
        elif kind == "bbo":
            assert self.best is None or self._resync or message["seq"] >= self.best["seq"]
            self.best = message
        elif kind == "heartbeat":
            assert message["seq"] == self.seq
        if kind in ("snapshot", "l2_update"):
            self.seq = message["seq"]
            assert message["checksum"] == self.checksum(), f"checksum of {kind} {self.seq}"
            return True
        return False

    def rows(self) -> tuple[Rows, Rows]:
        """Bids and asks, best first."""
        return (
            sorted(self.bids.items(), key=lambda row: -Decimal(row[0])),
            sorted(self.asks.items(), key=lambda row: Decimal(row[0])),
        )

    def checksum(self) -> int:
        """The checksum of the top ten asks, low to high, then the top ten bids, high to low: digits
        of price, then of quantity."""
        bids, asks = self.rows()
        text = ""
        for price, quantity in asks[:10] + bids[:10]:
            text += price.replace(".", "").lstrip("0") + quantity.replace(".", "").lstrip("0")
        return crc32(text.encode())
