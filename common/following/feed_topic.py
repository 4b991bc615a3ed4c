"""What a consumer of the feed remembers of each topic, each book and each open request."""

from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Raw, Struct

from crossbook.common.following.local_book import LocalBook
from crossbook.common.messages.feed import (
    Candles,
    FeedRequest,
    MarketState,
    Snapshot,
    Ticker,
    topic,
)
from crossbook.common.messages.history_queries import Candle

CHANNELS: Final = ("trade", "bbo", "l2", "l3", "candle", "ticker", "state")

RETRY_NS: Final = 500_000_000
"""First wait for a reply before asking again; doubled each time."""

RETRY_MAX_NS: Final = 8_000_000_000


class FeedCounters(Struct):
    """What the follower has been through."""

    messages: int = 0
    duplicates: int = 0
    gaps: int = 0
    resends: int = 0
    snapshots: int = 0
    mismatches: int = 0
    restarts: int = 0
    lost: int = 0
    """Messages of other topics than books that could not be had any more."""


class Asking:
    """One request without a reply, asked again when `due_ns` has passed.

    `again` makes the request with the number given, or None when it is no longer needed.
    """

    __slots__ = ("again", "due_ns", "request_id", "wait_ns")

    def __init__(self, again: Callable[[int], FeedRequest | None]) -> None:
        self.again = again
        self.request_id = 0
        self.due_ns = 0
        self.wait_ns = RETRY_NS

    def wait_longer(self) -> None:
        """Double the time until it is asked again, up to a limit."""
        self.wait_ns = min(2 * self.wait_ns, RETRY_MAX_NS)


class Line:
    """One topic: `next_seq` is the message it waits for, zero before that is known.

    A line that is not `live` holds everything: its book waits for a snapshot. `tail` is the last
    sequence number known to have been sent. `shown` is the message that candles, ticker or state
    stand at: after a snapshot it may be ahead of `next_seq`.
    """

    __slots__ = (
        "asking",
        "book",
        "channel",
        "held",
        "is_book",
        "live",
        "next_seq",
        "shown",
        "tail",
        "topic",
    )

    def __init__(self, channel: str, symbol: str, book: "FollowedBook") -> None:
        self.channel = channel
        self.topic = topic(channel, symbol)
        self.book = book
        self.is_book = channel in ("l2", "l3")
        self.live = False
        self.next_seq = 0
        self.tail = 0
        self.shown = 0
        self.held: dict[int, bytes | Raw] = {}
        self.asking: Asking | None = None

    def hole_end(self) -> int:
        """The last message of the hole this topic stands before."""
        return min(self.held) - 1 if self.held else self.tail


class FollowedBook:
    """One instrument: its book, its topics and the snapshot being asked for; the state, the ticker
    and the latest candle by length, as far as the publisher told them."""

    __slots__ = ("asking", "candles", "lines", "local", "state", "ticker")

    def __init__(self, symbol: str, channels: Sequence[str]) -> None:
        self.local = LocalBook(symbol, by_level="l2" in channels, by_order="l3" in channels)
        self.lines = [Line(channel, symbol, self) for channel in channels]
        self.asking: Asking | None = None
        self.ticker: Ticker | None = None
        self.candles: dict[int, Candle] = {}
        self.state: MarketState | None = None

    def show_from(self, line: Line, snapshot: Snapshot, position: int) -> None:
        """Take candles, ticker or state from a snapshot that stands at message `position` of
        `line`, unless later ones are here."""
        if position < line.shown:
            return
        line.shown = position
        if line.channel == "candle":
            self.candles = {candle.interval_s: candle for candle in snapshot.candles}
        elif line.channel == "ticker":
            self.ticker = snapshot.ticker
        elif line.channel == "state":
            self.state = snapshot.state

    def show(self, line: Line, seq: int, message: Candles | Ticker | MarketState) -> None:
        """Take candles, ticker or state from message `seq` of `line`, unless later ones are
        here."""
        if seq <= line.shown:
            return
        line.shown = seq
        if isinstance(message, Ticker):
            self.ticker = message
            return
        if isinstance(message, MarketState):
            self.state = message
            return
        for candle in message.candles:
            # Oldest first: the latest of each length stays.
            self.candles[candle.interval_s] = candle
