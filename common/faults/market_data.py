"""The faults of market data: messages of a publisher's feed, of the WebSocket streams, and the book
that both show."""

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from crossbook.common.faults.rule import (
    DelayLeast,
    DelayMost,
    Distribution,
    FaultRule,
    Symbol,
    no_schedule,
)

SECONDS_MIN: Final = 0.05
SECONDS_MAX: Final = 86_400
"""Shortest and longest `seconds` between two disconnections."""

FeedChannel = Literal["trade", "bbo", "l2", "l3", "candle", "ticker", "state"]
StreamName = Literal["market-data", "trades", "candles", "ticker", "binance", "binance-api"]
MessageType = Literal[
    "snapshot", "l2_update", "bbo", "trade", "candle", "ticker", "state",
    "depthUpdate", "partialDepth", "aggTrade", "bookTicker", "kline", "24hrTicker",
    "24hrMiniTicker",
]  # fmt: skip
"""Types of the native streams, and of the Binance-spot face; both have `trade`."""

FACE: Final = "binance"
FACE_API: Final = "binance-api"
FACE_STREAMS: Final = (FACE, FACE_API)
"""Connections of the Binance-spot face: those to its streams, and to its WebSocket API."""

Seconds = Annotated[
    float,
    Meta(ge=SECONDS_MIN, le=SECONDS_MAX, description="time between two disconnections"),
]
_Channel = Annotated[FeedChannel, Meta(description="only this channel of the feed")]
_Stream = Annotated[StreamName, Meta(description="only this stream")]
_Type = Annotated[MessageType, Meta(description="only messages of this `type`")]


class FeedFacts(Struct, gc=False, frozen=True):
    """Facts of one message of the feed."""

    channel: str
    symbol: str


class StreamFacts(Struct, gc=False, frozen=True):
    """Facts of one message of a stream, or of a connection to it, which has no type."""

    stream: str
    symbol: str
    type: str = ""


class FeedFault(FaultRule):
    """Faults of the feed over ZeroMQ. Heartbeats have a kind of their own."""

    processes = ("publisher",)
    selectors = ("channel", "symbol")

    channel: _Channel | None = None
    symbol: Symbol | None = None


class FeedConnectionFault(FaultRule):
    """Faults of the feed as a whole, for all of its consumers."""

    processes = ("publisher",)


class BookFault(FaultRule):
    """Faults of the public book, on the feed and all that follows it."""

    processes = ("publisher",)
    selectors = ("symbol",)

    symbol: Symbol | None = None


class StreamFault(FaultRule):
    """Faults of messages on the WebSocket streams of market data."""

    selectors = ("stream", "symbol", "type")

    stream: _Stream | None = None
    symbol: Symbol | None = None
    type: _Type | None = None


class StreamConnectionFault(FaultRule):
    """Faults of connections to the WebSocket streams of market data."""

    selectors = ("stream", "symbol")

    stream: _Stream | None = None
    symbol: Symbol | None = None


class FeedDelay(FeedFault, kw_only=True, tag="feed_delay"):
    """The message is sent later; others may overtake it."""

    milliseconds: DelayLeast
    distribution: Distribution = "constant"
    milliseconds_max: DelayMost | None = None


class FeedDrop(FeedFault, tag="feed_drop"):
    """The message is not sent; a resend has it."""


class FeedGap(FeedFault, tag="feed_gap"):
    """The message is not sent, and no resend has it: only a snapshot helps."""


class FeedDuplicate(FeedFault, tag="feed_duplicate"):
    """The message is sent twice."""


class FeedReorder(FeedFault, tag="feed_reorder"):
    """The message is sent after the next one of its topic."""


class FeedStandstill(FeedFault, tag="feed_stale"):
    """The message is not sent, and heartbeats do not count it: the topic stands still."""


class FeedWrongChecksum(FeedFault, tag="feed_wrong_checksum"):
    """The message, an update of `l2`, has a wrong checksum."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.channel not in (None, "l2"):
            raise ValueError(f"channel={self.channel}: only l2 has checksums")

    def concerns(self, facts: Struct) -> bool:
        """As for every rule; only updates of `l2`."""
        return super().concerns(facts) and getattr(facts, "channel", "") == "l2"


class FeedDisconnect(FeedConnectionFault, kw_only=True, tag="feed_disconnect"):
    """Every so many seconds all connections to the feed end; consumers may connect again."""

    seconds: Seconds


class FeedHeartbeatStopped(FeedConnectionFault, tag="feed_heartbeat_stopped"):
    """The heartbeat is not sent; other messages are."""


class BookEmpty(BookFault, tag="book_empty"):
    """The public book is empty, or one-sided: it does not show a side that the matcher has."""

    side: Annotated[
        Literal["bids", "asks", "both"], Meta(description="the side that is not shown")
    ] = "both"

    def __post_init__(self) -> None:
        super().__post_init__()
        no_schedule(self)


class StreamDelay(StreamFault, kw_only=True, tag="stream_delay"):
    """The message is sent later; others may overtake it."""

    milliseconds: DelayLeast
    distribution: Distribution = "constant"
    milliseconds_max: DelayMost | None = None


class StreamDrop(StreamFault, tag="stream_drop"):
    """The message is not sent."""


class StreamGap(StreamFault, tag="stream_gap"):
    """In place of the message a `resync` is sent, as to a client that was too slow. The face,
    which has no word for it, leaves out a `depthUpdate`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.stream == "ticker":
            raise ValueError("stream=ticker: it sends the latest only, and has no resync")

    def concerns(self, facts: Struct) -> bool:
        """As for every rule; the ticker, which has no resync, never, and of the face changes of
        books alone."""
        stream = getattr(facts, "stream", "")
        if stream == FACE and getattr(facts, "type", "") != "depthUpdate":
            return False
        return super().concerns(facts) and stream != "ticker"


class StreamDuplicate(StreamFault, tag="stream_duplicate"):
    """The message is sent twice."""


class StreamReorder(StreamFault, tag="stream_reorder"):
    """The message is sent after the next one of its connection."""


class StreamStandstill(StreamFault, tag="stream_stale"):
    """The message is not sent, and heartbeats do not count it: the stream stands still."""


class StreamWrongChecksum(StreamFault, tag="stream_wrong_checksum"):
    """The message, a snapshot or an update of a book, has a wrong checksum."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.type not in (None, *_CHECKED):
            raise ValueError(f"type={self.type}: only {' and '.join(_CHECKED)} have checksums")

    def concerns(self, facts: Struct) -> bool:
        """As for every rule; only messages with a checksum."""
        return super().concerns(facts) and getattr(facts, "type", "") in _CHECKED


class StreamDisconnect(StreamConnectionFault, kw_only=True, tag="stream_disconnect"):
    """Each connection ends after so many seconds; the client may connect again."""

    seconds: Seconds


class StreamHeartbeatStopped(StreamConnectionFault, tag="stream_heartbeat_stopped"):
    """The heartbeat is not sent; other messages are."""


_CHECKED: Final = ("snapshot", "l2_update")

MarketDataFault = (
    FeedDelay
    | FeedDrop
    | FeedGap
    | FeedDuplicate
    | FeedReorder
    | FeedStandstill
    | FeedWrongChecksum
    | FeedDisconnect
    | FeedHeartbeatStopped
    | BookEmpty
    | StreamDelay
    | StreamDrop
    | StreamGap
    | StreamDuplicate
    | StreamReorder
    | StreamStandstill
    | StreamWrongChecksum
    | StreamDisconnect
    | StreamHeartbeatStopped
)
