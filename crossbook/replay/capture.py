"""The flow of a running market, from its public feed.

Trades and changes of orders arrive on two topics. They are joined once a heartbeat shows that
nothing up to its number is missing from either.
"""

import time
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter
from typing import Final

from crossbook.client.market_data import MarketData
from crossbook.common.following.feed_follower import Update
from crossbook.common.messages.feed import (
    MarketState,
    OrderChange,
    OrdersUpdate,
    Snapshot,
    Trade,
    Trades,
)
from crossbook.common.types import InstrumentState, Side
from crossbook.errors import MarketDataError
from crossbook.replay.flow import Flow, RecordedStep
from crossbook.research.feed_events import FeedBook

CHANNELS: Final = ("trade", "l3", "state")
"""The channels that a capture needs."""

_POLL_S: Final = 0.2
_AUCTION: Final = int(InstrumentState.AUCTION)


class Capture:
    """The commands of one instrument from now on; `market` is loaded.

    Raises `MarketDataError` where the feed lost something for good: a recording has no holes. In a
    call phase nothing can be recorded: `ended_by` is then why the capture has ended.
    """

    def __init__(self, market: MarketData, symbol: str, flow: Flow) -> None:
        self.ended_by = ""
        self._market = market
        self._symbol = symbol
        self._flow = flow
        self._book = FeedBook(market.instruments[symbol].id)
        self._changes: list[OrderChange] = []
        self._times_ns: dict[int, int] = {}
        self._trades: list[Trade] = []
        self._seq = 0
        self._published_seq = 0
        self._lost = market.counters.lost

    def begin(self, updates: Iterable[Update]) -> Iterator[RecordedStep]:
        """The orders that rest now; `updates` are those with which the market was loaded."""
        orders = self._market.orders(self._symbol)
        book = self._market.book(self._symbol)
        self._seq = self._published_seq = book.orders_seq
        sides = [list(orders.orders(side)) for side in (int(Side.BUY), int(Side.SELL))]
        self._book.load(sides[0], sides[1])
        for side, listed in zip((int(Side.BUY), int(Side.SELL)), sides, strict=True):
            for order_id, price_ticks, lots in listed:
                self._flow.book.set_order(order_id, side, price_ticks, lots)
        state = self._market.state(self._symbol)
        if state is not None and state.state == _AUCTION:
            self._end(state)
            return iter(())
        for update in updates:
            # Trades may be ahead of the changes that the book has.
            if isinstance(update, Trades):
                self._receive(update)
        return self._flow.begin(time.time_ns())

    def step(self) -> Iterator[RecordedStep]:
        """Wait a moment, and return the commands that are known whole by now."""
        for update in self._market.poll(_POLL_S):
            if self.ended_by:
                break
            self._receive(update)
        if self._market.counters.lost > self._lost:
            raise MarketDataError(f"the feed of {self._symbol} lost trades: record it again")
        if self._market.ready:
            heartbeat = self._market.heartbeat_of(self._symbol)
            seq = heartbeat.seq if heartbeat is not None else 0
            yield from self._complete(min(seq, self._published_seq) if self.ended_by else seq)

    def finish(self, timeout_s: float) -> Iterator[RecordedStep]:
        """The commands up to the end, which is now; raises `MarketDataError` where they do not
        arrive in time."""
        deadline_s = time.monotonic() + timeout_s
        begun = self._market.heartbeat_of(self._symbol)
        while not self.ended_by:
            yield from self.step()
            if self._market.ready and self._market.heartbeat_of(self._symbol) is not begun:
                return
            if time.monotonic() > deadline_s:
                raise MarketDataError(
                    f"the publisher did not complete the feed in {timeout_s:g} s: the end of the "
                    "recording is not known"
                )

    def _receive(self, update: Update) -> None:
        if isinstance(update, OrdersUpdate):
            for change in update.changes:
                if change.seq > self._seq:
                    self._changes.append(change)
                    self._times_ns[change.seq] = update.time_ns
            self._published_seq = update.seq
        elif isinstance(update, Trades):
            self._trades += [trade for trade in update.trades if trade.seq > self._seq]
        elif isinstance(update, Snapshot):
            raise MarketDataError(
                f"the feed of {self._symbol} lost changes that it no longer has: record it again"
            )
        elif isinstance(update, MarketState) and update.state == _AUCTION:
            self._end(update)

    def _end(self, state: MarketState) -> None:
        self.ended_by = (
            f"{self._symbol} entered a call phase at {state.seq}; a recording cannot hold the "
            "crossed book of one"
        )

    def _complete(self, seq: int) -> Iterator[RecordedStep]:
        """The commands up to a number, of which everything has arrived."""
        changes = [change for change in self._changes if change.seq <= seq]
        trades = [trade for trade in self._trades if trade.seq <= seq]
        del self._changes[: len(changes)], self._trades[: len(trades)]
        self._seq = max(self._seq, seq)
        for number, events in groupby(self._book.apply(changes, trades), attrgetter("seq")):
            yield from self._flow.apply(events, self._times_ns[number])
        for done in [each for each in self._times_ns if each <= seq]:
            del self._times_ns[done]
