"""Every market stream of the Binance-spot face: names to streams, updates to streams. No I/O."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Protocol

from crossbook.common.following.feed_follower import Update
from crossbook.common.following.local_book import LocalBook
from crossbook.common.instruments import Instrument
from crossbook.common.messages.feed import (
    BestBidOffer,
    Candles,
    DepthUpdate,
    Heartbeat,
    Snapshot,
    Ticker,
    Trades,
)
from crossbook.common.times import SECOND_NS
from crossbook.gateway.binance.streams.client import StreamClient
from crossbook.gateway.binance.streams.latest import TICKER_NS, TickersStream
from crossbook.gateway.binance.streams.market import FaceMarketStreams, PastOf, StreamedMarket
from crossbook.gateway.binance.streams.names import StreamName, parse
from crossbook.gateway.binance.streams.stream import FaceStream
from crossbook.gateway.binance.symbols import face_symbol
from crossbook.gateway.web.channel import GOING_AWAY

LIFETIME_S: Final = 86_400
"""Seconds after which a connection is closed."""

_EVERY: Final = {"ticker": False, "miniTicker": True}
_TAKEN: Final = (DepthUpdate, BestBidOffer, Trades, Snapshot, Ticker, Candles)


class PrivateStreams(Protocol):
    """Streams whose names are secrets: `crossbook.gateway.binance.user.listen.ListenStreams`."""

    def subscribe(self, client: StreamClient, name: str) -> None:
        """Add a client to the stream of a name, where there is one."""

    def unsubscribe(self, client: StreamClient, name: str) -> None:
        """Remove a client from the stream of a name, where it is in one."""


class FaceStreams:
    """The streams that have clients. No socket and no clock.

    The owner is that of `gateway.streams.routes.Streams`, and uses the same methods. `view` is the
    market as of the last update; `ask_past` requests candles from the record. `least_ns` is the
    least time between two events of a ticker, `kline_least_ns` of a kline. Names that no stream of
    the market has go to `private`, where there is one.
    """

    def __init__(
        self,
        view: StreamedMarket,
        ask_past: PastOf,
        lifetime_s: int = LIFETIME_S,
        least_ns: int = TICKER_NS,
        kline_least_ns: int = TICKER_NS // 4,
    ) -> None:
        self.now_ns = 0
        self.private: PrivateStreams | None = None
        self._view = view
        self._ask_past = ask_past
        self._lifetime_ns = lifetime_s * SECOND_NS
        self._least_ns = (least_ns, kline_least_ns)
        self._markets: dict[str, FaceMarketStreams] = {}
        self._by_name: dict[str, FaceMarketStreams] = {}
        self._every: dict[str, TickersStream] = {}
        # Name of a symbol that is not known -> its clients with the names of their streams.
        self._unknown: dict[str, dict[tuple[StreamClient, str], None]] = {}
        self._waiting: dict[FaceStream, None] = {}
        self._sent: list[FaceStream] = []
        self._begun_ns = 0
        self._clients: dict[StreamClient, None] = {}
        # Clients that streams without clients have closed.
        self._losses = 0

    def __len__(self) -> int:
        return len(self._clients)

    @property
    def behind(self) -> int:
        """Subscriptions with events that are not sent yet."""
        return sum(len(stream.behind) for stream in self.streams())

    @property
    def losses(self) -> int:
        """Clients that were closed because they were too far behind."""
        return self._losses + sum(stream.losses for stream in self.streams())

    def streams(self) -> Iterator[FaceStream]:
        """The streams that have clients."""
        yield from self._every.values()
        for market in self._markets.values():
            yield from market.streams.values()

    def describe(self, instruments: Mapping[str, Instrument]) -> None:
        """Add the streams of these instruments, for the clients that have subscribed already
        too."""
        for symbol, instrument in instruments.items():
            if symbol in self._markets:
                continue
            market = FaceMarketStreams(instrument, self._view, self._ask_past, *self._least_ns)
            self._markets[symbol] = market
            name = face_symbol(symbol)
            self._by_name.setdefault(name, market)
            for client, stream in self._unknown.pop(name, {}):
                client.names[stream] = self.subscribe(client, stream)

    def subscribe(self, client: StreamClient, name: str) -> FaceStream | None:
        """Add a client to a stream; None where no stream has the name. One of a symbol that is
        added later gets the client then."""
        meaning = parse(name)
        if meaning is None:
            if self.private is not None:
                self.private.subscribe(client, name)
            return None
        market = self._by_name.get(meaning.symbol)
        if market is None and meaning.symbol:
            self._unknown.setdefault(meaning.symbol, {})[client, name] = None
            return None
        stream: FaceStream
        if market is None:
            stream = self._every_stream(name, meaning)
        else:
            stream = market.stream(name, meaning)
        stream.add(client)
        self._note_waiting(stream)
        return stream

    def unsubscribe(self, client: StreamClient, name: str) -> None:
        """Remove a client from a stream; one without clients is dropped."""
        meaning = parse(name)
        if meaning is None:
            if self.private is not None:
                self.private.unsubscribe(client, name)
            return
        if (unknown := self._unknown.get(meaning.symbol)) is not None:
            unknown.pop((client, name), None)
            if not unknown:
                del self._unknown[meaning.symbol]
        market = self._by_name.get(meaning.symbol)
        held: Mapping[str, FaceStream] = market.streams if market is not None else self._every
        stream = held.get(name)
        if stream is None:
            return
        stream.remove(client)
        if not len(stream):
            self._losses += stream.losses
            self._waiting.pop(stream, None)
            self._every.pop(name, None)
            if market is not None:
                market.discard(stream)

    def opened(self, client: StreamClient) -> None:
        """A client is connected."""
        self._clients[client] = None

    def closed(self, client: StreamClient) -> None:
        """A client is gone."""
        self._clients.pop(client, None)

    def number_of(self, symbol: str, book: LocalBook) -> int:
        """The number under which a snapshot of the present book is read: that of an event of every
        stream of changes of the book, so that the next event begins with the number after it."""
        market = self._markets.get(symbol)
        numbers = []
        for stream in market.depth_streams() if market is not None else ():
            if not stream.live or not stream.log.is_started:
                continue
            if not stream.log.cut():
                return book.seq
            numbers.append(stream.log.number)
        return max(numbers, default=book.seq)

    def apply(self, updates: Iterable[Update]) -> None:
        """Apply updates of the feed."""
        touched: dict[FaceMarketStreams, None] = {}
        for update in updates:
            if isinstance(update, _TAKEN):
                market = self._markets.get(update.symbol)
                if market is None:
                    continue
                ticker = update.ticker if isinstance(update, Snapshot) else update
                if self._every and isinstance(ticker, Ticker):
                    self._apply_everywhere(market, ticker)
                if market.streams:
                    self._note_all(market.apply(update))
                    touched[market] = None
                else:
                    market.note(update)
            elif isinstance(update, Heartbeat):
                self._advance(update)
        for market in touched:
            market.start()

    def set_live(self, symbol: str, live: bool, reason: str) -> None:
        """Set whether the gateway has an instrument's market as it is now."""
        market = self._markets.get(symbol)
        if market is not None and market.live != live:
            market.set_live(live)
            self._note_all(market.streams.values())

    def beat(self) -> None:
        """A second has passed: connections that are too old are closed."""
        for client in list(self._clients):
            if self.now_ns - client.opened_ns <= self._lifetime_ns:
                break
            # Closed is called later; the client must not be met again until then.
            del self._clients[client]
            client.close(GOING_AWAY, "a connection ends after its time: connect again")

    def shut_down(self, now_ns: int) -> None:
        """Send every client that this gateway stops."""
        for client in self._clients:
            client.shut_down(now_ns)

    def due_ns(self) -> int | None:
        """When `work` has something to send; None when nothing waits."""
        dues = (stream.due_ns() for stream in self._waiting)
        return min((due for due in dues if due is not None), default=None)

    def work(self, now_ns: int) -> bool:
        """Send what is due; return whether the sending has to be measured by `written`."""
        self.now_ns = now_ns
        for stream in list(self._waiting):
            if stream.sending:
                continue
            if stream.work(now_ns):
                self._begun_ns = now_ns if not self._sent else self._begun_ns
                self._sent.append(stream)
            if stream.due_ns() is None:
                self._waiting.pop(stream, None)
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

    def _advance(self, heartbeat: Heartbeat) -> None:
        """A publisher has sent everything up to a time of its matcher."""
        for market in self._markets.values():
            if f"trade.{market.instrument.symbol}|" in heartbeat.topics:
                self._note_all(market.advance(heartbeat.time_ns))

    def _apply_everywhere(self, market: FaceMarketStreams, ticker: Ticker) -> None:
        for stream in self._every.values():
            stream.put(market.events, ticker)
            self._note_waiting(stream)

    def _every_stream(self, name: str, meaning: StreamName) -> TickersStream:
        stream = self._every.get(name)
        if stream is None:
            is_mini = _EVERY[meaning.kind]
            stream = TickersStream(name, is_mini=is_mini, least_ns=self._least_ns[0])
            self._every[name] = stream
            for symbol, market in self._markets.items():
                ticker = self._view.ticker(symbol)
                if ticker is not None:
                    stream.put(market.events, ticker)
        return stream

    def _note_all(self, streams: Iterable[FaceStream]) -> None:
        for stream in streams:
            self._note_waiting(stream)

    def _note_waiting(self, stream: FaceStream) -> None:
        if len(stream):
            self._waiting[stream] = None
