"""The face's streams of one instrument, made when a client needs them. No I/O."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, Protocol

from crossbook.common.following.local_book import LocalBook
from crossbook.common.instruments import Instrument
from crossbook.common.messages.feed import (
    BestBidOffer,
    Candles,
    DepthUpdate,
    Snapshot,
    Ticker,
    Trades,
)
from crossbook.common.messages.history_queries import Candle
from crossbook.gateway.binance.market.face_market import FaceMarket
from crossbook.gateway.binance.market.intervals import INTERVALS, Interval
from crossbook.gateway.binance.streams.depth import DepthStream, PartialDepthStream
from crossbook.gateway.binance.streams.events import EventMaker
from crossbook.gateway.binance.streams.klines import KlineStream
from crossbook.gateway.binance.streams.latest import BookTickerStream, DayTickerStream
from crossbook.gateway.binance.streams.names import StreamName
from crossbook.gateway.binance.streams.stream import FaceStream
from crossbook.gateway.binance.streams.trades import TradeEventStream

Answered = Callable[[Sequence[Candle] | None], None]

PastOf = Callable[[Instrument, Interval, int, int, Answered], None]
"""Requests from the record the candles of an interval that begins at the first time, up to the
second; the function gets them later, or None."""


_NO_LEVEL: Final = [(0, 0)]

MarketUpdate = DepthUpdate | BestBidOffer | Trades | Snapshot | Ticker | Candles


class StreamedMarket(FaceMarket, Protocol):
    """The public market data of this process, as of the last update applied."""

    def candles(self, symbol: str) -> dict[int, Candle]:
        """The latest candle of an instrument by length in seconds; empty without any."""


class FaceMarketStreams:
    """The streams of one instrument that have clients, by name."""

    def __init__(
        self,
        instrument: Instrument,
        view: StreamedMarket,
        ask_past: PastOf,
        ticker_ns: int,
        kline_ns: int,
    ) -> None:
        self.instrument = instrument
        self.streams: dict[str, FaceStream] = {}
        self.live = False
        self.time_ns = 0
        self.events = EventMaker(instrument)
        self._view = view
        self._ask_past = ask_past
        self._ticker_ns = ticker_ns
        self._kline_ns = kline_ns
        self._last_trade_id = 0

    def stream(self, name: str, meaning: StreamName) -> FaceStream:
        """The stream of a name, which has this meaning."""
        stream = self.streams.get(name)
        if stream is None:
            stream = self.streams[name] = self._made(name, meaning)
            stream.set_live(self.live)
        return stream

    def discard(self, stream: FaceStream) -> None:
        """Hold nothing of a stream that has no client."""
        self.streams.pop(stream.name, None)

    def set_live(self, live: bool) -> None:
        """Set whether the gateway has the market as it is now."""
        self.live = live
        for stream in list(self.streams.values()):
            stream.set_live(live)
        self.start()

    def start(self) -> None:
        """Let streams of the book begin that found none so far; all updates that the book contains
        were applied."""
        for stream in self.depth_streams():
            stream.start()

    def depth_streams(self) -> Iterator[DepthStream]:
        """The streams of changes of the book."""
        for stream in self.streams.values():
            if isinstance(stream, DepthStream):
                yield stream

    def note(self, update: MarketUpdate) -> None:
        """Note the time of a message of the feed, and its last trade."""
        if isinstance(update, Trades):
            self._last_trade_id = update.trades[-1].trade_id if update.trades else 0
        elif isinstance(update, Candles | Snapshot):
            self.time_ns = max(self.time_ns, update.time_ns)
            if isinstance(update, Snapshot):
                self._last_trade_id = update.last_trade_id

    def apply(self, update: MarketUpdate) -> list[FaceStream]:
        """Apply a message of the feed; return the streams that may have something to send."""
        self.note(update)
        touched = self._pass_on(update)
        if isinstance(update, Snapshot):
            best = (update.bids or _NO_LEVEL)[0] + (update.asks or _NO_LEVEL)[0]
            touched += self._pass_on(BestBidOffer(update.symbol, update.seq, *best, update.time_ns))
            if update.ticker is not None:
                touched += self._pass_on(update.ticker)
        return touched

    def advance(self, time_ns: int) -> list[FaceStream]:
        """Everything up to this time of the exchange was received."""
        if not self.streams:
            self.time_ns = max(self.time_ns, time_ns)
            return []
        latest = self._view.candles(self.instrument.symbol)
        counted = max((candle.last_trade_id for candle in latest.values()), default=0)
        if counted < self._last_trade_id:
            # A message with the candles of the last trades follows.
            return []
        self.time_ns = max(self.time_ns, time_ns)
        found: list[FaceStream] = []
        for stream in self.streams.values():
            if isinstance(stream, KlineStream):
                stream.advance(self.time_ns)
                found.append(stream)
        return found

    def _pass_on(self, update: MarketUpdate) -> list[FaceStream]:
        found = [each for each in self.streams.values() if isinstance(update, each.takes)]
        for stream in found:
            stream.apply(update)
        return found

    def _made(self, name: str, meaning: StreamName) -> FaceStream:
        events, symbol = self.events, self.instrument.symbol

        def book() -> LocalBook | None:
            return self._view.book(symbol)

        if meaning.kind == "depth" and meaning.levels:
            return PartialDepthStream(name, events, meaning.levels, meaning.pace_ms, book)
        if meaning.kind == "depth":
            return DepthStream(name, events, meaning.pace_ms, book)
        if meaning.kind == "trade":
            return TradeEventStream(name, events.trade)
        if meaning.kind == "aggTrade":
            return TradeEventStream(name, events.agg_trade)
        if meaning.kind == "kline":
            return self._kline(name, INTERVALS[meaning.interval])
        if meaning.kind == "bookTicker":
            best = BookTickerStream(name, events)
            if (present := book()) is not None:
                best.apply(BestBidOffer(symbol, present.seq, *present.best, self.time_ns))
            return best
        is_mini = meaning.kind == "miniTicker"
        stream = DayTickerStream(name, events, is_mini=is_mini, least_ns=self._ticker_ns)
        ticker = self._view.ticker(symbol)
        if ticker is not None:
            stream.apply(ticker)
        return stream

    def _kline(self, name: str, interval: Interval) -> KlineStream:
        def ask(begin_ns: int, end_ns: int, answered: Answered) -> None:
            self._ask_past(self.instrument, interval, begin_ns, end_ns, answered)

        stream = KlineStream(name, self.events, interval, self._kline_ns, ask)
        latest = self._view.candles(self.instrument.symbol).get(interval.candle_s)
        if latest is not None:
            stream.begin(latest, self.time_ns)
        return stream
