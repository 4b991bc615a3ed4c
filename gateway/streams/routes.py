"""Routes WebSocket connections to their stream, and feed updates to the streams that show them."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from crossbook.common.following.candles import has_ended
from crossbook.common.following.feed_follower import Update
from crossbook.common.instruments import Instrument
from crossbook.common.messages.feed import (
    BestBidOffer,
    Candles,
    DepthUpdate,
    MarketState,
    Snapshot,
    Ticker,
    Trades,
)
from crossbook.common.messages.history_queries import INTERVALS_S, Candle
from crossbook.gateway.problem import Problem
from crossbook.gateway.query import values_of
from crossbook.gateway.streams.base import Stream
from crossbook.gateway.streams.book import BookStream
from crossbook.gateway.streams.frames import FrameMaker
from crossbook.gateway.streams.latest import LATEST_LEAST_NS, CandleStream, TickerStream
from crossbook.gateway.streams.trades import TradeStream
from crossbook.gateway.web.channel import Channel, Connection, HandshakeRefusal, refusal_of

TRADE_ID_DIGITS: Final = 18

_ROUTES: Final = {"market-data": (), "trades": ("from_trade_id",), "candles": ("interval",),
                  "ticker": ()}  # fmt: skip
"""Streams under /ws/, and their query parameters."""


class _TradesFrom:
    """The trade stream, for a client that begins at a trade."""

    def __init__(self, stream: TradeStream, trade_id: int) -> None:
        self._stream = stream
        self._trade_id = trade_id
        self.received = stream.received
        self.drained = stream.drained
        self.closed = stream.closed

    def opened(self, connection: Connection) -> None:
        """Add the client, at its trade."""
        self._stream.start_from(connection, self._trade_id)


class _MarketStreams:
    """The streams of one instrument."""

    def __init__(self, instrument: Instrument, least_ns: int) -> None:
        frames = FrameMaker(instrument)
        self.book = BookStream(frames)
        self.trades = TradeStream(frames)
        self.ticker = TickerStream(frames, least_ns)
        self.candles = {
            seconds: CandleStream(frames, interval, least_ns)
            for interval, seconds in INTERVALS_S.items()
        }
        self.streams: tuple[Stream, ...] = (
            self.book,
            self.trades,
            self.ticker,
            *self.candles.values(),
        )


class Streams:
    """Every stream of every instrument. No socket and no clock.

    The owner passes the feed's updates to `apply`, calls `work` after that and when `due_ns` has
    come, `written` when the kernel has what `work` sent, and `beat` every second. `least_ns` is the
    least time between two sendings of a ticker or candle.
    """

    def __init__(self, least_ns: int = LATEST_LEAST_NS) -> None:
        self._least_ns = least_ns
        self._markets: dict[str, _MarketStreams] = {}
        self._waiting: dict[Stream, None] = {}
        self._sent: list[Stream] = []
        self._begun_ns = 0

    def __len__(self) -> int:
        """The number of clients of all streams."""
        return sum(len(stream) for market in self._markets.values() for stream in market.streams)

    def by_name(self) -> Iterator[tuple[str, Stream]]:
        """Every stream, with its name below /ws/."""
        for market in self._markets.values():
            yield "market-data", market.book
            yield "trades", market.trades
            yield "ticker", market.ticker
            for candles in market.candles.values():
                yield "candles", candles

    def describe(self, instruments: Mapping[str, Instrument]) -> None:
        """Add the streams of these instruments; before the first ones every client is refused."""
        for symbol, instrument in instruments.items():
            if symbol not in self._markets:
                self._markets[symbol] = _MarketStreams(instrument, self._least_ns)

    def route(self, path: str, query: str) -> Channel | HandshakeRefusal:
        """The stream of a handshake's path and query string, or the refusal."""
        kind, _, symbol = path.removeprefix("/ws/").partition("/")
        if not path.startswith("/ws/") or kind not in _ROUTES:
            names = ", ".join(f"/ws/{name}/SYMBOL" for name in _ROUTES)
            return HandshakeRefusal(404, f"no stream at {path[:100]}; there are {names}")
        if not self._markets:
            return HandshakeRefusal(503, "market data has not come up yet; try again in a moment")
        market = self._markets.get(symbol)
        if market is None:
            return HandshakeRefusal(404, f"symbol: there is no instrument {symbol[:40]!r}")
        try:
            values = values_of(query, _ROUTES[kind])
        except Problem as problem:
            return refusal_of(problem)
        if kind == "market-data":
            return market.book
        if kind == "ticker":
            return market.ticker
        if kind == "trades":
            return _trades(market.trades, values.get("from_trade_id"))
        interval = values.get("interval", "1m")
        if interval not in INTERVALS_S:
            return HandshakeRefusal(
                400, f"interval: {interval[:10]!r} is not one of {', '.join(INTERVALS_S)}"
            )
        return market.candles[INTERVALS_S[interval]]

    def apply(self, updates: Iterable[Update]) -> None:
        """Apply updates of the feed."""
        for update in updates:
            symbol = getattr(update, "symbol", None)
            market = self._markets.get(symbol) if symbol is not None else None
            if market is not None:
                self._apply(market, update)

    def set_live(self, symbol: str, live: bool, reason: str) -> None:
        """Set whether the gateway has an instrument's market as it is now; if not, the reason."""
        market = self._markets.get(symbol)
        if market is not None and market.book.live != live:
            for stream in market.streams:
                stream.set_live(live, reason)
                self._note_waiting(stream)

    def beat(self) -> None:
        """A second has passed: heartbeats are due."""
        for market in self._markets.values():
            for stream in market.streams:
                if len(stream):
                    stream.beat()
                    self._note_waiting(stream)

    def due_ns(self) -> int | None:
        """When `work` has something to send; None when nothing waits."""
        dues = (stream.due_ns() for stream in self._waiting)
        return min((due for due in dues if due is not None), default=None)

    def work(self, now_ns: int) -> bool:
        """Send what is due; return whether the sending has to be measured by `written`."""
        for stream in list(self._waiting):
            if stream.sending:
                continue
            if stream.work(now_ns):
                self._begun_ns = now_ns if not self._sent else self._begun_ns
                self._sent.append(stream)
            if stream.due_ns() is None:
                del self._waiting[stream]
        return bool(self._sent)

    @property
    def sending(self) -> bool:
        """Whether clients still wait for their slice."""
        return any(stream.sending for stream in self._sent)

    def send_slice(self) -> bool:
        """Send to the next few clients that wait; return whether more are left."""
        for stream in self._sent:
            stream.send_slice()
        return self.sending

    def written(self, cost_ns: int) -> None:
        """Count what all sendings since the last call cost together."""
        sent, self._sent = self._sent, []
        for stream in dict.fromkeys(sent):
            stream.written(self._begun_ns, cost_ns)

    def _note_waiting(self, stream: Stream) -> None:
        if len(stream):
            self._waiting[stream] = None

    def _apply(self, market: _MarketStreams, update: Update) -> None:
        if isinstance(update, DepthUpdate | BestBidOffer):
            market.book.apply(update)
            self._note_waiting(market.book)
        elif isinstance(update, Trades):
            market.trades.apply(update)
            self._note_waiting(market.trades)
        elif isinstance(update, Snapshot):
            market.book.apply(update)
            market.trades.apply(update)
            self._note_waiting(market.book)
            if update.state is not None:
                self._apply(market, update.state)
            if update.ticker is not None:
                self._apply(market, update.ticker)
            self._apply_candles(market, update.candles, update.time_ns)
        elif isinstance(update, MarketState):
            market.book.apply_state(update)
            market.ticker.apply_state(update)
            self._note_waiting(market.book)
            self._note_waiting(market.ticker)
        elif isinstance(update, Ticker):
            market.ticker.apply(update)
            self._note_waiting(market.ticker)
        elif isinstance(update, Candles):
            self._apply_candles(market, update.candles, update.time_ns)

    def _apply_candles(
        self, market: _MarketStreams, candles: Iterable[Candle], time_ns: int
    ) -> None:
        for candle in candles:
            stream = market.candles.get(candle.interval_s)
            if stream is not None:
                stream.apply(candle, has_ended(candle, time_ns))
                self._note_waiting(stream)


def _trades(stream: TradeStream, text: str | None) -> Channel | HandshakeRefusal:
    if text is None:
        return stream
    if not (text.isascii() and text.isdigit() and len(text) <= TRADE_ID_DIGITS) or not int(text):
        return HandshakeRefusal(
            400, f"from_trade_id: {text[:30]!r} is not a trade id, a number from 1"
        )
    trade_id = int(text)
    if stream.live and trade_id > stream.tape.next_trade_id:
        last = stream.tape.next_trade_id - 1
        return HandshakeRefusal(
            400, f"from_trade_id: {trade_id} is still to come; the last trade is {last}"
        )
    return _TradesFrom(stream, trade_id)
