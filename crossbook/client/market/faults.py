"""The methods of `Faults` for market data (the feed over ZeroMQ, WebSocket streams, the book that
both show), for the Binance-spot face, and for the venue (instruments, disk, clock, processes)."""

from abc import abstractmethod
from typing import Any, Generic, Literal, TypedDict, TypeVar, Unpack

F = TypeVar("F", covariant=True)
"""A rule in force."""

DistributionWord = Literal["constant", "uniform", "exponential"]


class Schedule(TypedDict, total=False):
    """When a rule applies: at most one of `next`, `every` and `probability`; else always."""

    next: int
    every: int
    probability: float
    seed: int


class OnFeed(Schedule, total=False):
    """The messages of the feed that a rule concerns; without a selector, all but heartbeats."""

    channel: Literal["trade", "bbo", "l2", "l3", "candle", "ticker", "state"]
    symbol: str


class OnStreams(Schedule, total=False):
    """The messages of streams that a rule concerns; without a selector, all market data."""

    stream: Literal["market-data", "trades", "candles", "ticker", "binance"]
    symbol: str
    type: Literal[
        "snapshot", "l2_update", "bbo", "trade", "candle", "ticker", "state",
        "depthUpdate", "partialDepth", "aggTrade", "bookTicker", "kline", "24hrTicker",
        "24hrMiniTicker",
    ]  # fmt: skip


class OnStreamConnections(Schedule, total=False):
    """The connections to streams that a rule concerns; without a selector, all."""

    stream: Literal["market-data", "trades", "candles", "ticker", "binance", "binance-api"]
    symbol: str


class OnFaceConnections(Schedule, total=False):
    """The connections of the Binance-spot face that a rule concerns; without a selector, all."""

    stream: Literal["binance", "binance-api"]
    symbol: str


class OnListenKeys(Schedule, total=False):
    """The listen keys of the Binance-spot face that a rule concerns; without a selector, all."""

    account: int


class MarketAndVenueFaults(Generic[F]):
    """Each method puts a rule in force and returns it."""

    @abstractmethod
    def add(self, kind: str, **fields: Any) -> F:
        """Put a rule of any kind in force."""

    @abstractmethod
    def _add_delay(
        self,
        kind: str,
        milliseconds: float,
        distribution: str,
        milliseconds_max: float | None,
        on: Any,
    ) -> F: ...

    def feed_delay(
        self,
        milliseconds: float,
        distribution: DistributionWord = "constant",
        milliseconds_max: float | None = None,
        **on: Unpack[OnFeed],
    ) -> F:
        """Send messages of the feed late."""
        return self._add_delay("feed_delay", milliseconds, distribution, milliseconds_max, on)

    def feed_drop(self, **on: Unpack[OnFeed]) -> F:
        """Do not send messages of the feed; a resend has them."""
        return self.add("feed_drop", **on)

    def feed_gap(self, **on: Unpack[OnFeed]) -> F:
        """Do not send messages of the feed, and have no resend of them."""
        return self.add("feed_gap", **on)

    def feed_duplicate(self, **on: Unpack[OnFeed]) -> F:
        """Send messages of the feed twice."""
        return self.add("feed_duplicate", **on)

    def feed_reorder(self, **on: Unpack[OnFeed]) -> F:
        """Send messages of the feed after the next of their topic."""
        return self.add("feed_reorder", **on)

    def feed_stale(self, **on: Unpack[OnFeed]) -> F:
        """Let topics stand still while the connection and the heartbeat live."""
        return self.add("feed_stale", **on)

    def feed_wrong_checksum(self, **on: Unpack[OnFeed]) -> F:
        """Send updates of `l2` with a wrong checksum."""
        return self.add("feed_wrong_checksum", **on)

    def feed_disconnect(self, seconds: float, **on: Unpack[Schedule]) -> F:
        """End all connections to the feed every so many seconds."""
        return self.add("feed_disconnect", seconds=seconds, **on)

    def feed_heartbeat_stopped(self, **on: Unpack[Schedule]) -> F:
        """Send no heartbeats on the feed."""
        return self.add("feed_heartbeat_stopped", **on)

    def book_empty(
        self, side: Literal["bids", "asks", "both"] = "both", symbol: str | None = None
    ) -> F:
        """Show books without a side, or empty, on the feed and all that follows it."""
        return self.add("book_empty", side=side, **given(symbol=symbol))

    def stream_delay(
        self,
        milliseconds: float,
        distribution: DistributionWord = "constant",
        milliseconds_max: float | None = None,
        **on: Unpack[OnStreams],
    ) -> F:
        """Send messages of streams late."""
        return self._add_delay("stream_delay", milliseconds, distribution, milliseconds_max, on)

    def stream_drop(self, **on: Unpack[OnStreams]) -> F:
        """Do not send messages of streams."""
        return self.add("stream_drop", **on)

    def stream_gap(self, **on: Unpack[OnStreams]) -> F:
        """Send a `resync` in place of messages of streams."""
        return self.add("stream_gap", **on)

    def stream_duplicate(self, **on: Unpack[OnStreams]) -> F:
        """Send messages of streams twice."""
        return self.add("stream_duplicate", **on)

    def stream_reorder(self, **on: Unpack[OnStreams]) -> F:
        """Send messages of streams after the next of their connection."""
        return self.add("stream_reorder", **on)

    def stream_stale(self, **on: Unpack[OnStreams]) -> F:
        """Let streams stand still while the connection and the heartbeat live."""
        return self.add("stream_stale", **on)

    def stream_wrong_checksum(self, **on: Unpack[OnStreams]) -> F:
        """Send snapshots and updates of books with a wrong checksum."""
        return self.add("stream_wrong_checksum", **on)

    def stream_disconnect(self, seconds: float, **on: Unpack[OnStreamConnections]) -> F:
        """End each connection to a stream after so many seconds."""
        return self.add("stream_disconnect", seconds=seconds, **on)

    def stream_heartbeat_stopped(self, **on: Unpack[OnStreamConnections]) -> F:
        """Send no heartbeats on streams."""
        return self.add("stream_heartbeat_stopped", **on)

    def server_shutdown(self, seconds: float, **on: Unpack[OnFaceConnections]) -> F:
        """Send `serverShutdown` to each connection of the face, and end it so much later."""
        return self.add("server_shutdown", seconds=seconds, **on)

    def listen_key_expired(self, seconds: float, **on: Unpack[OnListenKeys]) -> F:
        """End each listen key of the face after so many seconds."""
        return self.add("listen_key_expired", seconds=seconds, **on)

    def halt(self, symbol: str | None = None) -> F:
        """Halt an instrument, or all, until the rule is removed."""
        return self.add("halt", **given(symbol=symbol))

    def auction(self, symbol: str | None = None) -> F:
        """Put an instrument, or all, into a call phase, until the rule is removed."""
        return self.add("auction", **given(symbol=symbol))

    def instrument_removed(self, symbol: str) -> F:
        """Halt an instrument, and refuse every request that names it as an unknown one."""
        return self.add("instrument_removed", symbol=symbol)

    def disk_slow(
        self,
        milliseconds: float,
        distribution: DistributionWord = "constant",
        milliseconds_max: float | None = None,
        **on: Unpack[Schedule],
    ) -> F:
        """Let syncs of the journal take longer."""
        return self._add_delay("disk_slow", milliseconds, distribution, milliseconds_max, on)

    def clock_shifted(self, shift_ms: float) -> F:
        """Send times that are ahead, or behind where `shift_ms` is negative."""
        return self.add("clock_shifted", shift_ms=shift_ms)

    def process_killed(
        self,
        process: Literal["gateway", "matcher", "publisher", "recorder"],
        *,
        shard: int = 0,
        after_ms: float = 0,
    ) -> F:
        """End a process by SIGKILL. Whatever supervises it starts it again."""
        return self.add("process_killed", process=process, shard=shard, after_ms=after_ms)


def given(**fields: Any) -> dict[str, Any]:
    """The fields that have a value."""
    return {name: value for name, value in fields.items() if value is not None}
