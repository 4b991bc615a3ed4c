"""Following the feeds of several publishers as one: each instrument is published by one of them.

No socket and no clock: the owner has a feed and a request socket for each of `followers` and passes
their messages in. With one publisher the group adds nothing to its `FeedFollower`.
"""

from collections.abc import Iterable
from typing import Final

from crossbook.common.following.feed_follower import FeedFollower, Update
from crossbook.common.following.feed_topic import FeedCounters
from crossbook.common.following.local_book import LocalBook
from crossbook.common.instruments import Instrument
from crossbook.common.messages.feed import FeedReply, Heartbeat, InstrumentList, MarketState, Ticker
from crossbook.common.messages.history_queries import Candle

_COUNTERS: Final = FeedCounters.__struct_fields__


class FeedGroup:
    """The books of all publishers, by symbol.

    Without `symbols` it follows every instrument of any publisher. `unknown_symbols` are those
    that no publisher has.
    """

    def __init__(self, publishers: int, symbols: Iterable[str], channels: Iterable[str]) -> None:
        self._symbols = tuple(symbols)
        self.followers = [FeedFollower(self._symbols, channels) for _ in range(publishers)]
        self.instruments: dict[str, Instrument] = {}
        self.unknown_symbols: list[str] = []

    @property
    def ready(self) -> bool:
        """Whether every book is loaded and has no known hole."""
        if len(self.followers) == 1 or not self._symbols:
            return all(each.ready for each in self.followers)
        return all(self.is_live(symbol) for symbol in self._symbols)

    @property
    def stale(self) -> bool:
        """Whether a followed publisher, or the matcher behind it, has been silent too long."""
        if not self._symbols:
            return any(each.stale for each in self.followers)
        return any(self.of(symbol).stale for symbol in self._symbols)

    @property
    def counters(self) -> FeedCounters:
        """The sum of the followers' counters."""
        all_counters = [each.counters for each in self.followers]
        if len(all_counters) == 1:
            return all_counters[0]
        total = FeedCounters()
        for counters in all_counters:
            for name in _COUNTERS:
                setattr(total, name, getattr(total, name) + getattr(counters, name))
        return total

    @property
    def heartbeats(self) -> list[Heartbeat | None]:
        """The last heartbeat of each publisher."""
        return [each.heartbeat for each in self.followers]

    def of(self, symbol: str) -> FeedFollower:
        """The follower whose publisher has an instrument or may have it; the first one where no
        publisher does."""
        followers = self.followers
        if len(followers) > 1:
            for each in followers:
                if symbol in each.instruments and each.follows(symbol):
                    return each
            for each in followers:
                if each.follows(symbol):
                    return each
        return followers[0]

    def is_live(self, symbol: str) -> bool:
        """Whether an instrument is followed, and no message of it is known to be missing."""
        follower = self.of(symbol)
        return follower.follows(symbol) and follower.is_live(symbol)

    def book(self, symbol: str) -> LocalBook:
        """The local book; raises `KeyError` for an instrument that is not followed."""
        return self.of(symbol).book(symbol)

    def ticker(self, symbol: str) -> Ticker | None:
        """See `FeedFollower.ticker`."""
        return self.of(symbol).ticker(symbol)

    def candles(self, symbol: str) -> dict[int, Candle]:
        """See `FeedFollower.candles`."""
        return self.of(symbol).candles(symbol)

    def state(self, symbol: str) -> MarketState | None:
        """See `FeedFollower.state`."""
        return self.of(symbol).state(symbol)

    def on_time(self, now_ns: int) -> None:
        """Set the time of all followers."""
        for each in self.followers:
            each.on_time(now_ns)

    def on_reply(self, follower: FeedFollower, reply: FeedReply) -> None:
        """Apply a reply of the request socket of a follower."""
        follower.on_reply(reply)
        if isinstance(reply, InstrumentList):
            for each in self.followers:
                self.instruments.update(each.instruments)
        if follower.unknown_symbols:
            self._see_unknown(follower)

    def drain_updates(self) -> list[Update]:
        """The updates applied since the last call, in order for each publisher."""
        updates = self.followers[0].drain_updates()
        for each in self.followers[1:]:
            updates += each.drain_updates()
        return updates

    def _see_unknown(self, follower: FeedFollower) -> None:
        """Collect the symbols that no publisher has: another one may have those unknown to one."""
        unknown, follower.unknown_symbols = follower.unknown_symbols, []
        if len(self.followers) == 1:
            self.unknown_symbols += unknown
            return
        for symbol in unknown:
            follower.unfollow(symbol)
            if not any(symbol in each.symbols() for each in self.followers):
                self.unknown_symbols.append(symbol)
