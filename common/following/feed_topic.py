"""State of a feed consumer: each topic, each book and each open request."""

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
"""First wait for a reply before a request is repeated; doubled each time."""

RETRY_MAX_NS: Final = 8_000_000_000


class FeedCounters(Struct):
    """Counters of a follower."""

    messages: int = 0
    duplicates: int = 0
    gaps: int = 0
    resends: int = 0
    snapshots: int = 0
    mismatches: int = 0
    restarts: int = 0
    lost: int = 0
    """Messages lost for good, of topics other than books."""


class OpenRequest:
    """A request without a reply, repeated when `due_ns` has passed.

    `make` returns the request with a request id, or None where it is no longer needed. One that
    `is_refused` was answered by a publisher that has no book yet.
    """

    __slots__ = ("due_ns", "is_refused", "make", "request_id", "wait_ns")

    def __init__(self, make: Callable[[int], FeedRequest | None]) -> None:
        self.make = make
        self.request_id = 0
        self.due_ns = 0
        self.is_refused = False
        self.wait_ns = RETRY_NS

    def wait_longer(self) -> None:
        """Double the time until it is repeated, up to a limit."""
        self.wait_ns = min(2 * self.wait_ns, RETRY_MAX_NS)


class FollowedTopic:
    """One topic: `next_seq` is the number of its next message, zero before that is known.

    A topic that is not `live` holds all messages while its book waits for a snapshot. `tail` is the
    last sequence number that a heartbeat or a snapshot named. `shown` is the number of the message
    that candles, ticker or state are from: after a snapshot it may be ahead of `next_seq`.
    """

    __slots__ = (
        "book",
        "channel",
        "held",
        "is_book",
        "live",
        "name",
        "next_seq",
        "request",
        "shown",
        "tail",
    )

    def __init__(self, channel: str, symbol: str, book: "FollowedBook") -> None:
        self.channel = channel
        self.name = topic(channel, symbol)
        self.book = book
        self.is_book = channel in ("l2", "l3")
        self.live = False
        self.next_seq = 0
        self.tail = 0
        self.shown = 0
        self.held: dict[int, bytes | Raw] = {}
        self.request: OpenRequest | None = None

    def hole_end(self) -> int:
        """The number of the last message of the hole before the held ones."""
        return min(self.held) - 1 if self.held else self.tail


class FollowedBook:
    """One instrument: its book, its topics, the open request for a snapshot, and the latest state,
    ticker and candle of each length that the publisher sent."""

    __slots__ = ("candles", "local", "request", "state", "ticker", "topics")

    def __init__(self, symbol: str, channels: Sequence[str]) -> None:
        self.local = LocalBook(symbol, by_level="l2" in channels, by_order="l3" in channels)
        self.topics = [FollowedTopic(channel, symbol, self) for channel in channels]
        self.request: OpenRequest | None = None
        self.ticker: Ticker | None = None
        self.candles: dict[int, Candle] = {}
        self.state: MarketState | None = None

    def show_from(self, followed: FollowedTopic, snapshot: Snapshot, position: int) -> None:
        """Show candles, ticker or state of a snapshot taken at message `position` of `followed`,
        unless later ones are shown."""
        if position < followed.shown:
            return
        followed.shown = position
        if followed.channel == "candle":
            self.candles = {candle.interval_s: candle for candle in snapshot.candles}
        elif followed.channel == "ticker":
            self.ticker = snapshot.ticker
        elif followed.channel == "state":
            self.state = snapshot.state

    def show(
        self, followed: FollowedTopic, seq: int, message: Candles | Ticker | MarketState
    ) -> None:
        """Show candles, ticker or state of message `seq` of `followed`, unless later ones are
        shown."""
        if seq <= followed.shown:
            return
        followed.shown = seq
        if isinstance(message, Ticker):
            self.ticker = message
            return
        if isinstance(message, MarketState):
            self.state = message
            return
        for candle in message.candles:
            # The candles come oldest first: the latest of each length stays.
            self.candles[candle.interval_s] = candle
