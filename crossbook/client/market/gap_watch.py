"""What a consumer of market data missed, made visible in the stream of its updates. No I/O."""

from collections.abc import Collection, Iterable, Iterator

from msgspec import Struct

from crossbook.client.market.updates import (
    BestBidOffer,
    Candles,
    DepthUpdate,
    MarketState,
    MarketUpdate,
    OrdersUpdate,
    Snapshot,
    Ticker,
    Trades,
)
from crossbook.common.messages.feed import Heartbeat


class Gap(Struct, frozen=True):
    """Something of an instrument was missed for good, and the stream goes on behind it.

    Of channel "trade" the trades `first` to `last` by their ids: the recorder has them. Of channel
    "book" the changes under the matcher's numbers `first` to `last`: the `Snapshot` that follows
    has their result.
    """

    symbol: str
    channel: str
    first: int
    last: int


class FeedStale(Struct, frozen=True):
    """The publisher, or the matcher behind it, has been silent too long: books may be old."""


class FeedLive(Struct, frozen=True):
    """The publisher is heard again after a silence. Gaps, if there are any, come as they show."""


MarketEvent = (
    Trades
    | BestBidOffer
    | DepthUpdate
    | OrdersUpdate
    | Candles
    | Ticker
    | MarketState
    | Snapshot
    | Gap
    | FeedStale
    | FeedLive
)
"""An update of market data, or what happened to the stream of them."""


class GapWatch:
    """Adds gaps and silences to updates, and leaves heartbeats out."""

    def __init__(self, channels: Collection[str]) -> None:
        self._has_book = "l2" in channels or "l3" in channels
        self._stale = False
        self._trade_ids: dict[str, int] = {}
        self._seqs: dict[str, int] = {}

    def watch(self, updates: Iterable[MarketUpdate]) -> Iterator[MarketUpdate | Gap]:
        """The updates, with a `Gap` before each that follows one."""
        for update in updates:
            gap = self._gap_before(update)
            if gap is not None:
                yield gap
            yield update

    def events(self, watched: Iterable[MarketUpdate | Gap], stale: bool) -> list[MarketEvent]:
        """The events of a watched stream; `stale` is the feed's state after them."""
        events: list[MarketEvent] = [each for each in watched if not isinstance(each, Heartbeat)]
        if self._stale and not stale:
            events.insert(0, FeedLive())
        elif stale and not self._stale:
            events.append(FeedStale())
        self._stale = stale
        return events

    def _gap_before(self, update: MarketUpdate) -> Gap | None:
        if isinstance(update, Trades):
            return self._missed_trades(update)
        if isinstance(update, Snapshot):
            return self._missed_changes(update)
        if isinstance(update, DepthUpdate | OrdersUpdate):
            self._seqs[update.symbol] = max(update.seq, self._seqs.get(update.symbol, 0))
        return None

    def _missed_trades(self, update: Trades) -> Gap | None:
        symbol, first = update.symbol, update.trades[0].trade_id
        expected = self._trade_ids.get(symbol, first - 1) + 1
        self._trade_ids[symbol] = update.trades[-1].trade_id
        return Gap(symbol, "trade", expected, first - 1) if first > expected else None

    def _missed_changes(self, snapshot: Snapshot) -> Gap | None:
        symbol, seq = snapshot.symbol, snapshot.seq
        before = self._seqs.get(symbol)
        self._seqs[symbol] = seq
        if before is None or seq < before:
            # The first one, or an exchange that began anew: its trades count from there.
            self._trade_ids[symbol] = snapshot.last_trade_id
        if before is None or seq == before or not self._has_book:
            return None
        return Gap(symbol, "book", before + 1 if seq > before else 1, seq)
