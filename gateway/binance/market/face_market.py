"""The market as endpoints and streams of the face see it. No I/O."""

from typing import Protocol

from crossbook.common.following.local_book import LocalBook
from crossbook.common.messages.feed import Ticker


class FaceMarket(Protocol):
    """The public market data of this process."""

    def book(self, symbol: str) -> LocalBook | None:
        """The book of an instrument; None while it is incomplete or old."""

    def ticker(self, symbol: str) -> Ticker | None:
        """The last 24 hours of an instrument; None before the first ticker."""
