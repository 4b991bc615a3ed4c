"""Following the public feed: messages in, updates and requests out. No socket and no clock.

Feed messages get lost, arrive twice or late, and the publisher may restart. `FeedFollower` returns
every message of a topic exactly once and in order, and keeps the local books equal to the
publisher's. It makes the requests for that: a snapshot to begin with, a range for a hole, and
another snapshot where the range is gone or a book does not agree with its checksum.
"""

from collections.abc import Callable, Collection, Iterable
from typing import Final

from msgspec import Raw

from crossbook.common.errors import BAD_BYTES
from crossbook.common.following.feed_topic import (
    CHANNELS,
    FeedCounters,
    FollowedBook,
    FollowedTopic,
    OpenRequest,
)
from crossbook.common.following.local_book import LocalBook
from crossbook.common.instruments import Instrument
from crossbook.common.messages.codec import decode_feed
from crossbook.common.messages.feed import (
    HEARTBEAT_TOPIC,
    BestBidOffer,
    Candles,
    DepthUpdate,
    FeedMessage,
    FeedReject,
    FeedReply,
    FeedRequest,
    Heartbeat,
    InstrumentList,
    InstrumentsRequest,
    MarketState,
    OrdersUpdate,
    Range,
    RangeRequest,
    Snapshot,
    SnapshotRequest,
    Ticker,
    TooOld,
    Trades,
)
from crossbook.common.messages.history_queries import Candle
from crossbook.common.sequence import epoch_of, first_of
from crossbook.common.types import RejectReason

HELD_MAX: Final = 20_000
"""Most messages of one topic held behind a hole; beyond it the oldest are dropped."""

STALE_NS: Final = 2_000_000_000
"""Silence after which the feed counts as stale."""

Update = FeedMessage | Snapshot
"""An update for the owner: a message in order, or a snapshot that replaced a book."""

_KIND: Final = {
    "trade": Trades,
    "bbo": BestBidOffer,
    "l2": DepthUpdate,
    "l3": OrdersUpdate,
    "candle": Candles,
    "ticker": Ticker,
    "state": MarketState,
}


class FeedFollower:
    """The books and the position in the feed of one consumer.

    Without `symbols` it follows every instrument of the publisher. The owner calls `on_time` first
    and then regularly, `on_feed` for feed messages and `on_reply` for replies. It sends the
    requests of `drain_requests` and uses the updates of `drain_updates`.
    """

    def __init__(self, symbols: Iterable[str], channels: Iterable[str]) -> None:
        self.channels = tuple(channels)
        unknown = set(self.channels) - set(CHANNELS)
        if unknown or not self.channels:
            raise ValueError(f"channels: {sorted(unknown)} not among {', '.join(CHANNELS)}")
        self.instruments: dict[str, Instrument] = {}
        self.unknown_symbols: list[str] = []
        self.counters = FeedCounters()
        self.heartbeat: Heartbeat | None = None
        self._every_symbol = True
        self._topics_known = 0
        self._books: dict[str, FollowedBook] = {}
        self._by_name: dict[bytes, FollowedTopic] = {}
        self._open: dict[int, OpenRequest] = {}
        self._requests: list[FeedRequest] = []
        self._updates: list[Update] = []
        self._request_id = 0
        self._epoch = 0
        self._now_ns = 0
        self._received_ns = 0
        for symbol in symbols:
            self._every_symbol = False
            self._follow(symbol)
        self._instruments_request: OpenRequest | None = None

    def topics(self) -> list[str]:
        """Topics to subscribe to: whole ones, or prefixes where every symbol is followed."""
        if self._every_symbol:
            return [HEARTBEAT_TOPIC, *(f"{channel}." for channel in self.channels)]
        return [HEARTBEAT_TOPIC, *(topic.name for topic in self._by_name.values())]

    @property
    def ready(self) -> bool:
        """Whether every book is loaded and has no known hole."""
        return bool(self._books) and all(self.is_live(symbol) for symbol in self._books)

    @property
    def stale(self) -> bool:
        """Whether the publisher, or the matcher behind it, has been silent too long."""
        if self._now_ns - self._received_ns > STALE_NS:
            return True
        return self.heartbeat is not None and self.heartbeat.stale_ms * 1_000_000 > STALE_NS

    def is_live(self, symbol: str) -> bool:
        """Whether no message of this instrument is known to be missing."""
        book = self._books[symbol]
        return book.request is None and all(
            topic.live and not topic.held and topic.request is None for topic in book.topics
        )

    def symbols(self) -> list[str]:
        """The instruments followed."""
        return list(self._books)

    def book(self, symbol: str) -> LocalBook:
        """The local book; raises `KeyError` for an instrument that is not followed."""
        return self._books[symbol].local

    def ticker(self, symbol: str) -> Ticker | None:
        """The latest ticker; None while the publisher has none.

        Needs channel "ticker" (`ValueError` otherwise).
        """
        if "ticker" not in self.channels:
            raise ValueError('channels: the ticker needs "ticker"')
        return self._books[symbol].ticker

    def candles(self, symbol: str) -> dict[int, Candle]:
        """The latest candle by length in seconds; empty before the first trade and while the
        publisher has none.

        Needs channel "candle" (`ValueError` otherwise).
        """
        if "candle" not in self.channels:
            raise ValueError('channels: candles need "candle"')
        return dict(self._books[symbol].candles)

    def state(self, symbol: str) -> MarketState | None:
        """The latest state of an instrument; None before the first one.

        Needs channel "state" (`ValueError` otherwise).
        """
        if "state" not in self.channels:
            raise ValueError('channels: the state needs "state"')
        return self._books[symbol].state

    def follows(self, symbol: str) -> bool:
        """Whether this instrument is followed."""
        return symbol in self._books

    def unfollow(self, symbol: str) -> None:
        """Stop following an instrument; its messages are dropped from now on."""
        book = self._books.pop(symbol)
        self._close(book.request)
        for topic in book.topics:
            self._close(topic.request)
            del self._by_name[topic.name.encode()]

    def drain_requests(self) -> list[FeedRequest]:
        """Requests to send, each once."""
        requests, self._requests = self._requests, []
        return requests

    def drain_updates(self) -> list[Update]:
        """The updates applied since the last call, in order."""
        updates, self._updates = self._updates, []
        return updates

    def on_time(self, now_ns: int) -> None:
        """Set the time (of any clock that never steps back), and repeat requests that are due."""
        if not self._now_ns:
            self._received_ns = now_ns
        self._now_ns = now_ns
        if not self._request_id:
            self._instruments_request = self._open_request(InstrumentsRequest)
        for request in [each for each in self._open.values() if each.due_ns <= now_ns]:
            request.wait_longer()
            self._send(request)

    def on_feed(self, name: bytes, seq: int, payload: bytes) -> None:
        """One message of the feed: topic, its sequence number, payload."""
        self._received_ns = self._now_ns
        topic = self._by_name.get(name)
        if topic is None:
            if name == HEARTBEAT_TOPIC.encode():
                self._on_heartbeat(payload)
        elif topic.live and seq == topic.next_seq:
            self._apply(topic, payload)
            if topic.held:
                self._drain(topic)
        else:
            self._out_of_order(topic, seq, payload)

    def on_reply(self, reply: FeedReply) -> None:
        """Apply a reply of the request socket. A reply to no open request is dropped."""
        request = self._open.get(reply.request_id)
        if request is None:
            return
        self._received_ns = self._now_ns
        if isinstance(reply, FeedReject) and reply.reason != RejectReason.UNKNOWN_SYMBOL:
            # The publisher is busy or not ready: the request is repeated when it is due, or when a
            # message of the book shows that there is one now.
            request.is_refused = True
            return
        if isinstance(reply, InstrumentList):
            self._on_instruments(reply)
        elif isinstance(reply, Snapshot):
            self._on_snapshot(reply)
        elif isinstance(reply, Range | TooOld):
            self._on_range(reply)
        else:
            self._close(request)
            self._refused(request)

    def _follow(self, symbol: str) -> None:
        book = self._books[symbol] = FollowedBook(symbol, self.channels)
        for topic in book.topics:
            self._by_name[topic.name.encode()] = topic

    def _open_request(self, make: Callable[[int], FeedRequest | None]) -> OpenRequest:
        request = OpenRequest(make)
        self._send(request)
        return request

    def _send(self, request: OpenRequest) -> None:
        # A new number each time, so that a late answer to an earlier request is not taken for
        # the answer to this one.
        self._open.pop(request.request_id, None)
        self._request_id += 1
        request.request_id = self._request_id
        request.due_ns = self._now_ns + request.wait_ns
        request.is_refused = False
        message = request.make(request.request_id)
        if message is not None:
            self._open[request.request_id] = request
            self._requests.append(message)

    def _close(self, request: OpenRequest | None) -> None:
        if request is not None:
            self._open.pop(request.request_id, None)

    def _on_instruments(self, reply: InstrumentList) -> None:
        self._close(self._instruments_request)
        self.instruments = {each.symbol: each for each in reply.instruments}
        if self._every_symbol:
            for symbol in self.instruments:
                if symbol not in self._books:
                    self._follow(symbol)
        for symbol, book in self._books.items():
            instrument = self.instruments.get(symbol)
            if instrument is None:
                self.unknown_symbols.append(symbol)
            elif book.local.instrument is None:
                book.local.describe(instrument)
                self._resync(book)

    def _resync(self, book: FollowedBook) -> None:
        """Request a snapshot; meanwhile the book's messages are held."""
        for topic in book.topics:
            if topic.is_book:
                topic.live = False
                self._close(topic.request)
                topic.request = None
        if book.request is None and book.local.instrument is not None:
            symbol, by_order = book.local.symbol, book.local.order_depth is not None
            book.request = self._open_request(
                lambda request_id: SnapshotRequest(request_id, symbol, by_order)
            )

    def _on_snapshot(self, snapshot: Snapshot) -> None:
        book = self._books[snapshot.symbol]
        if book.request is None or book.request.request_id != snapshot.request_id:
            return
        self.counters.snapshots += 1
        if not book.local.load(snapshot):
            # The request stays open and is repeated when it is due.
            self.counters.mismatches += 1
            return
        self._close(book.request)
        book.request = None
        self._see_epoch(max(map(epoch_of, snapshot.topics.values()), default=0), book)
        self._updates.append(snapshot)
        for topic in book.topics:
            position = snapshot.topics.get(topic.name, 0)
            if topic.is_book or not topic.next_seq:
                topic.next_seq = position + 1 if position else 0
            topic.live = True
            topic.tail = max(topic.tail, position)
            book.show_from(topic, snapshot, position)
            for seq in [seq for seq in topic.held if seq < topic.next_seq]:
                del topic.held[seq]
                self.counters.duplicates += 1
        for topic in book.topics:
            self._drain(topic)

    def _see_epoch(self, epoch: int, fresh: FollowedBook | None = None) -> None:
        """Load every book but `fresh` anew where `epoch` is of a later life of the publisher."""
        if epoch <= self._epoch:
            return
        restarted, self._epoch = self._epoch != 0, epoch
        if not restarted:
            return
        self.counters.restarts += 1
        self._topics_known = 0
        for book in self._books.values():
            for topic in book.topics:
                self._close(topic.request)
                topic.request = None
                topic.held = {
                    seq: held for seq, held in topic.held.items() if epoch_of(seq) >= epoch
                }
                topic.tail = 0
                if not topic.is_book and topic.next_seq:
                    topic.next_seq = first_of(epoch)
            if book is not fresh:
                # A snapshot on its way may still be of the earlier life.
                self._close(book.request)
                book.request = None
                self._resync(book)

    def _on_heartbeat(self, payload: bytes) -> None:
        try:
            message = decode_feed(payload)
        except BAD_BYTES:
            return
        if not isinstance(message, Heartbeat):
            return
        self.heartbeat = message
        self._see_epoch(max(map(epoch_of, message.topics.values()), default=0))
        if self._every_symbol and len(message.topics) != self._topics_known:
            self._check_instruments(message.topics)
        for name, last_seq in message.topics.items():
            topic = self._by_name.get(name.encode())
            if topic is not None and topic.live and last_seq >= topic.next_seq:
                if not topic.next_seq:
                    topic.next_seq = first_of(epoch_of(last_seq))
                topic.tail = max(topic.tail, last_seq)
                self._request_hole(topic)
        self._updates.append(message)

    def _check_instruments(self, topics: Collection[str]) -> None:
        """Request the instruments again where a topic belongs to none of them: the instrument was
        added since, or the publisher did not have it yet."""
        request = self._instruments_request
        if request is None or request.request_id in self._open:
            return
        symbols = {name.partition(".")[2].removesuffix("|") for name in topics}
        if symbols <= self.instruments.keys():
            self._topics_known = len(topics)
        else:
            self._instruments_request = self._open_request(InstrumentsRequest)

    def _out_of_order(self, topic: FollowedTopic, seq: int, payload: bytes | Raw) -> None:
        self._see_epoch(epoch_of(seq))
        request = topic.book.request
        if request is not None and request.is_refused:
            self._send(request)
        if topic.live and not topic.next_seq:
            topic.next_seq = first_of(epoch_of(seq))
        if (topic.live and seq < topic.next_seq) or seq in topic.held:
            self.counters.duplicates += 1
            return
        topic.held[seq] = payload
        if len(topic.held) > HELD_MAX:
            for oldest in sorted(topic.held)[: HELD_MAX // 2]:
                del topic.held[oldest]
        self._drain(topic)

    def _drain(self, topic: FollowedTopic) -> None:
        """Apply the held messages that come next; request those missing before the rest."""
        if topic.live and topic.held and not topic.next_seq:
            topic.next_seq = first_of(epoch_of(min(topic.held)))
        while topic.live and topic.next_seq in topic.held:
            self._apply(topic, topic.held.pop(topic.next_seq))
        self._request_hole(topic)

    def _request_hole(self, topic: FollowedTopic) -> None:
        if not topic.live or topic.request is not None:
            return
        if not topic.next_seq or not (topic.held or topic.tail >= topic.next_seq):
            return
        self.counters.gaps += 1
        self._request_range(topic)

    def _request_range(self, topic: FollowedTopic) -> None:
        def make(request_id: int) -> FeedRequest | None:
            end = topic.hole_end()
            if end < topic.next_seq:
                # The missing messages arrived late.
                topic.request = None
                return None
            self.counters.resends += 1
            return RangeRequest(request_id, topic.name, topic.next_seq, end)

        topic.request = OpenRequest(make)
        self._send(topic.request)

    def _on_range(self, reply: Range | TooOld) -> None:
        topic = self._by_name.get(reply.topic.encode())
        if topic is None or topic.request is None or topic.request.request_id != reply.request_id:
            return
        self._close(topic.request)
        topic.request = None
        before = topic.next_seq
        if isinstance(reply, Range):
            for seq, payload in enumerate(reply.payloads, reply.from_seq):
                if topic.live and seq == topic.next_seq:
                    topic.held.pop(seq, None)
                    self._apply(topic, payload)
        if topic.live and topic.next_seq == before and topic.next_seq <= topic.hole_end():
            self._give_up_range(topic, reply)
        self._continue(topic)

    def _continue(self, topic: FollowedTopic) -> None:
        """After a range: apply what follows it, and request the rest where it stopped short."""
        while topic.live and topic.next_seq in topic.held:
            self._apply(topic, topic.held.pop(topic.next_seq))
        if topic.live and (topic.held or topic.tail >= topic.next_seq):
            self._request_range(topic)

    def _give_up_range(self, topic: FollowedTopic, reply: Range | TooOld) -> None:
        """The missing messages are lost: load the book anew, or go on behind them."""
        if topic.is_book:
            self._resync(topic.book)
            return
        end = topic.hole_end() + 1
        if isinstance(reply, TooOld) and topic.next_seq < reply.first_seq < end:
            end = reply.first_seq
        self.counters.lost += end - topic.next_seq
        topic.next_seq = end

    def _refused(self, request: OpenRequest) -> None:
        """The publisher does not have the requested symbol."""
        for symbol, book in self._books.items():
            if book.request is request:
                book.request = None
                self.unknown_symbols.append(symbol)
            for topic in book.topics:
                if topic.request is request:
                    topic.request = None
                    topic.tail = 0

    def _apply(self, topic: FollowedTopic, payload: bytes | Raw) -> None:
        """Apply the next message of the topic."""
        self.counters.messages += 1
        seq = topic.next_seq
        topic.next_seq += 1
        try:
            message = decode_feed(payload)
        except BAD_BYTES:
            message = None
        if not isinstance(message, _KIND[topic.channel]):
            self._mismatch(topic)
            return
        local = topic.book.local
        if isinstance(message, DepthUpdate):
            sound = local.apply_levels(message)
        elif isinstance(message, OrdersUpdate):
            sound = local.apply_orders(message)
        else:
            sound = True
            if isinstance(message, Candles | Ticker | MarketState):
                topic.book.show(topic, seq, message)
            elif isinstance(message, Trades) and message.trades:
                local.last_trade_id = message.trades[-1].trade_id
        if sound:
            self._updates.append(message)
        else:
            self._mismatch(topic)

    def _mismatch(self, topic: FollowedTopic) -> None:
        self.counters.mismatches += 1
        if topic.is_book:
            self._resync(topic.book)
