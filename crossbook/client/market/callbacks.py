"""Callbacks of market data: which are called with what, and in which order. No I/O."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from crossbook.client.market.gap_watch import FeedLive, FeedStale, Gap, MarketEvent
from crossbook.client.market.updates import (
    BestBidOffer,
    Candle,
    Candles,
    DepthUpdate,
    MarketState,
    OrdersUpdate,
    Snapshot,
    Ticker,
    Trade,
    Trades,
)
from crossbook.common.following.local_book import LocalBook

_OnTrade = TypeVar("_OnTrade", bound=Callable[[Trade], object])
_OnBook = TypeVar("_OnBook", bound=Callable[[LocalBook], object])
_OnBest = TypeVar("_OnBest", bound=Callable[[BestBidOffer], object])
_OnTicker = TypeVar("_OnTicker", bound=Callable[[Ticker], object])
_OnCandle = TypeVar("_OnCandle", bound=Callable[[Candle], object])
_OnState = TypeVar("_OnState", bound=Callable[[MarketState], object])
_OnGap = TypeVar("_OnGap", bound=Callable[[Gap], object])
_OnStale = TypeVar("_OnStale", bound=Callable[[bool], object])

_C = TypeVar("_C", bound=Callable[[Any], object])

_Call = tuple[Callable[[Any], object], object]


class Callbacks(ABC):
    """Registers callbacks; those of one kind are called in the order they were registered.

    Each method returns the callback, so that it decorates: `@market.on_trade`. With `symbol` a
    callback is called for that instrument only. `run` calls them, one after another. An exception
    of a callback ends `run`, which raises it. Nothing is lost then: the next `run` goes on with
    the calls behind the one that raised.
    """

    def __init__(self) -> None:
        self._callbacks: list[tuple[object, str, Callable[[Any], object]]] = []
        self._calls: deque[_Call] = deque()
        self._stopping = False

    @abstractmethod
    def book(self, symbol: str) -> LocalBook:
        """The local book of an instrument."""

    def on_trade(self, callback: _OnTrade, symbol: str = "") -> _OnTrade:
        """Call with every trade; needs channel "trade"."""
        return self._register(Trade, callback, symbol)

    def on_book(self, callback: _OnBook, symbol: str = "") -> _OnBook:
        """Call with a book when it has changed, once for all changes that arrived together; needs
        channel "l2" or "l3"."""
        return self._register(LocalBook, callback, symbol)

    def on_best(self, callback: _OnBest, symbol: str = "") -> _OnBest:
        """Call with every best bid and offer; needs channel "bbo"."""
        return self._register(BestBidOffer, callback, symbol)

    def on_ticker(self, callback: _OnTicker, symbol: str = "") -> _OnTicker:
        """Call with every ticker; needs channel "ticker"."""
        return self._register(Ticker, callback, symbol)

    def on_candle(self, callback: _OnCandle, symbol: str = "") -> _OnCandle:
        """Call with every candle that changed; needs channel "candle"."""
        return self._register(Candle, callback, symbol)

    def on_state(self, callback: _OnState, symbol: str = "") -> _OnState:
        """Call with every state of an instrument; needs channel "state"."""
        return self._register(MarketState, callback, symbol)

    def on_gap(self, callback: _OnGap, symbol: str = "") -> _OnGap:
        """Call with every gap, before what follows it."""
        return self._register(Gap, callback, symbol)

    def on_stale(self, callback: _OnStale) -> _OnStale:
        """Call with True when the feed falls silent, and with False when it is back."""
        return self._register(FeedStale, callback, "")

    def stop(self) -> None:
        """End `run` after the present call; the calls behind it are made by the next one."""
        self._stopping = True

    def _register(self, kind: object, callback: _C, symbol: str) -> _C:
        if not callable(callback):
            raise TypeError(f"callback: {callback!r} cannot be called")
        self._callbacks.append((kind, symbol, callback))
        return callback

    def _plan(self, events: Iterable[MarketEvent]) -> None:
        """Add the calls for these events. Books come last: they have all of them already."""
        changed: dict[str, None] = {}
        for event in events:
            if isinstance(event, FeedStale | FeedLive):
                self._add(FeedStale, "", isinstance(event, FeedStale))
                continue
            if isinstance(event, Trades):
                for trade in event.trades:
                    self._add(Trade, event.symbol, trade)
            elif isinstance(event, Candles):
                for candle in event.candles:
                    self._add(Candle, event.symbol, candle)
            elif isinstance(event, DepthUpdate | OrdersUpdate | Snapshot):
                changed[event.symbol] = None
                if isinstance(event, Snapshot):
                    self._add_parts(event)
            else:
                self._add(type(event), event.symbol, event)
        for symbol in changed:
            self._add(LocalBook, symbol, self.book(symbol))

    def _add_parts(self, snapshot: Snapshot) -> None:
        """A snapshot has the present ticker, candles and state."""
        if snapshot.ticker is not None:
            self._add(Ticker, snapshot.symbol, snapshot.ticker)
        for candle in snapshot.candles:
            self._add(Candle, snapshot.symbol, candle)
        if snapshot.state is not None:
            self._add(MarketState, snapshot.symbol, snapshot.state)

    def _add(self, kind: object, symbol: str, argument: object) -> None:
        for wanted, only, callback in self._callbacks:
            if wanted is kind and only in ("", symbol):
                self._calls.append((callback, argument))
