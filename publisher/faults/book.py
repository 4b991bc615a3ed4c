"""The public book without one side, or empty, while a rule hides it. No I/O.

When a rule begins, one update of each topic removes what it hides; later updates leave the side
out; when it ends, one update brings everything back. All are numbered, and resends have them as
they were sent, so consumers follow without a gap and every checksum agrees.
"""

from typing import TYPE_CHECKING, Any, Final, TypeVar

from msgspec.structs import replace

from crossbook.common.faults.market_data import BookFault, FeedFacts
from crossbook.common.faults.table import Due, FaultTable
from crossbook.common.following.depth import CHECKSUM_LEVELS, BookChecksum
from crossbook.common.messages.codec import decode_feed, encode
from crossbook.common.messages.feed import (
    BestBidOffer,
    DepthUpdate,
    OrderChange,
    OrdersUpdate,
    Snapshot,
    Ticker,
    topic,
)
from crossbook.common.types import Side
from crossbook.publisher.resend_buffer import Frames

if TYPE_CHECKING:
    from crossbook.publisher.feed import Feed
    from crossbook.publisher.market import PublishedMarket

_BUY: Final = int(Side.BUY)
_SELL: Final = int(Side.SELL)
_HIDES: Final = {"bids": {_BUY}, "asks": {_SELL}, "both": {_BUY, _SELL}}

Levels = list[tuple[int, int]]
M = TypeVar("M", BestBidOffer, Ticker)


class BookCut:
    """Hides sides of the books of `feed` by the rules of `table`."""

    def __init__(self, feed: "Feed", table: FaultTable) -> None:
        self._feed = feed
        self._table = table
        self._hidden: dict[str, set[int]] = {}

    def changed(self) -> list[Frames]:
        """The messages by which sides vanish whose rule has begun, and return whose rule is
        gone."""
        rules = self._table.in_force(BookFault)
        if not (rules or self._hidden) or not self._feed.loads:
            return []
        sent: list[Frames] = []
        for market in self._feed.by_symbol.values():
            before = self._hidden.get(market.symbol, set())
            after = self._sides(rules, market.symbol)
            if before != after:
                self._hidden[market.symbol] = after
                if after - before:
                    list(self._table.due(BookFault, FeedFacts("l2", market.symbol)))
                sent += self._turn(market, after - before, before - after)
                if not after:
                    del self._hidden[market.symbol]
        return sent

    def shown(self, messages: list[Frames]) -> list[Frames]:
        """The messages of a round as they are to be sent."""
        if not self._hidden:
            return messages
        return [self._shown(frames) for frames in messages]

    def snapshot(self, snapshot: Snapshot) -> Snapshot:
        """A snapshot as it is to be sent."""
        hidden = self._hidden.get(snapshot.symbol)
        if not hidden:
            return snapshot
        market = self._feed.by_symbol[snapshot.symbol]
        bids, asks = _BUY not in hidden, _SELL not in hidden
        return replace(
            snapshot,
            bids=snapshot.bids if bids else [],
            asks=snapshot.asks if asks else [],
            bid_orders=snapshot.bid_orders if bids else [],
            ask_orders=snapshot.ask_orders if asks else [],
            checksum=_checksum(market, hidden),
            ticker=None if snapshot.ticker is None else _without(snapshot.ticker, hidden),
        )

    def _sides(self, rules: list[Due[Any]], symbol: str) -> set[int]:
        facts = FeedFacts("l2", symbol)
        found: set[int] = set()
        for each in rules:
            if each.rule.concerns(facts):
                found |= _HIDES[each.rule.side]
        return found

    def _shown(self, frames: Frames) -> Frames:
        name = frames[0].decode()
        channel, _, symbol = name.removesuffix("|").partition(".")
        hidden = self._hidden.get(symbol)
        if not hidden or channel not in ("l2", "l3", "bbo", "ticker"):
            return frames
        market = self._feed.by_symbol[symbol]
        message: Any = decode_feed(frames[2])
        if isinstance(message, DepthUpdate):
            bids = [] if _BUY in hidden else message.bids
            asks = [] if _SELL in hidden else message.asks
            message = replace(message, bids=bids, asks=asks, checksum=_checksum(market, hidden))
        elif isinstance(message, OrdersUpdate):
            changes = [each for each in message.changes if each.side not in hidden]
            message = replace(message, changes=changes)
        else:
            message = _without(message, hidden)
        payload = encode(message)
        self._feed.topics[name].amend_last(payload)
        return (*frames[:2], payload)

    def _turn(self, market: "PublishedMarket", gone: set[int], back: set[int]) -> list[Frames]:
        """One update of each book topic that removes the sides `gone` and shows those `back`."""
        feed, symbol, time_ns = self._feed, market.symbol, self._feed.time_ns
        hidden = self._hidden[symbol]
        levels = {_BUY: market.bids.levels(), _SELL: market.asks.levels()}
        l2_seq, l3_seq = market.book_seqs
        changed: dict[int, Levels] = {_BUY: [], _SELL: []}
        changes: list[OrderChange] = []
        for side, orders in zip((_BUY, _SELL), market.orders(), strict=True):
            if side not in gone | back:
                continue
            is_back = side in back
            changed[side] = [(price, lots * is_back) for price, lots in levels[side]]
            changes += [
                OrderChange(l3_seq, order_id, side, price, lots * is_back)
                for order_id, price, lots in orders
            ]
        if not changes:
            return []
        update = DepthUpdate(
            symbol, l2_seq, l2_seq, l2_seq, changed[_BUY], changed[_SELL],
            _checksum(market, hidden), time_ns,
        )  # fmt: skip
        best = BestBidOffer(symbol, l2_seq, *market.bids.best(), *market.asks.best(), time_ns)
        messages = {
            "l3": OrdersUpdate(symbol, l3_seq, l3_seq, l3_seq, changes, time_ns),
            "l2": update,
            "bbo": _without(best, hidden),
        }
        return [
            feed.topics[topic(channel, symbol)].append(encode(message))
            for channel, message in messages.items()
        ]


def _checksum(market: "PublishedMarket", hidden: set[int]) -> int:
    return BookChecksum(market.instrument).of_levels(
        [] if _BUY in hidden else market.bids.top(CHECKSUM_LEVELS),
        [] if _SELL in hidden else market.asks.top(CHECKSUM_LEVELS),
    )


def _without(message: M, hidden: set[int]) -> M:
    """The message without the best prices of the hidden sides."""
    fields: dict[str, int] = {}
    if _BUY in hidden:
        fields |= {"bid_ticks": 0, "bid_lots": 0}
    if _SELL in hidden:
        fields |= {"ask_ticks": 0, "ask_lots": 0}
    return replace(message, **fields)
