"""Following the public feed: messages in, updates and requests out. No socket and no clock.

Feed messages get lost, arrive twice or late; the publisher may restart. `FeedFollower` hands on
every message of a topic exactly once and in order, keeps the local books equal to the
publisher's, and says what has to be asked for: a snapshot to begin with, a range for a hole, a
snapshot again when the range is gone or a book does not agree with its checksum.
"""

from collections.abc import Callable, Collection, Iterable
from typing import Final

from msgspec import Raw

from crossbook.common.errors import BAD_BYTES
from crossbook.common.following.feed_topic import CHANNELS, Asking, FeedCounters, FollowedBook, Line
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
"""Most messages of one topic held behind a hole; past it the oldest are given up."""

STALE_NS: Final = 2_000_000_000
"""Silence after which the feed counts as stale."""

Update = FeedMessage | Snapshot
"""What the owner sees: every message in order, and the snapshots that replaced a book."""

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

    Without `symbols` it follows every instrument the publisher names. The owner calls `on_time`
    first and then now and again, `on_feed` for what the feed brings, `on_reply` for answers; it
    sends `drain_requests` and uses `drain_updates`.
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
        self._lines: dict[bytes, Line] = {}
        self._asking: dict[int, Asking] = {}
        self._requests: list[FeedRequest] = []
        self._updates: list[Update] = []
        self._request_id = 0
        self._epoch = 0
        self._now_ns = 0
        self._heard_ns = 0
        for symbol in symbols:
            self._every_symbol = False
            self._follow(symbol)
        self._instruments_asking: Asking | None = None

    def topics(self) -> list[str]:
        """What to subscribe to: whole topics, or beginnings when every symbol is followed."""
        if self._every_symbol:
            return [HEARTBEAT_TOPIC, *(f"{channel}." for channel in self.channels)]
        return [HEARTBEAT_TOPIC, *(line.topic for line in self._lines.values())]

    @property
    def ready(self) -> bool:
        """Whether every book has been loaded and stands without a known hole."""
        return bool(self._books) and all(self.is_live(symbol) for symbol in self._books)

    @property
    def stale(self) -> bool:
        """Whether the publisher, or the matcher behind it, has been silent too long."""
        if self._now_ns - self._heard_ns > STALE_NS:
            return True
        return self.heartbeat is not None and self.heartbeat.stale_ms * 1_000_000 > STALE_NS

    def is_live(self, symbol: str) -> bool:
        """Whether nothing is known to be missing of this instrument."""
        book = self._books[symbol]
        return book.asking is None and all(
            line.live and not line.held and line.asking is None for line in book.lines
        )

    def symbols(self) -> list[str]:
        """The instruments followed."""
        return list(self._books)

    def book(self, symbol: str) -> LocalBook:
        """The local book; raises `KeyError` for an instrument that is not followed."""
        return self._books[symbol].local

    def ticker(self, symbol: str) -> Ticker | None:
        """The last 24 hours as told last; None while the publisher does not know them.

        Needs channel "ticker" (`ValueError` otherwise).
        """
        if "ticker" not in self.channels:
            raise ValueError('channels: the ticker needs "ticker"')
        return self._books[symbol].ticker

    def candles(self, symbol: str) -> dict[int, Candle]:
        """The latest candle by length in seconds; empty before the first trade and while the
        publisher does not know them.

        Needs channel "candle" (`ValueError` otherwise).
        """
        if "candle" not in self.channels:
            raise ValueError('channels: candles need "candle"')
        return dict(self._books[symbol].candles)

    def state(self, symbol: str) -> MarketState | None:
        """The state of an instrument as told last; None before that.

        Needs channel "state" (`ValueError` otherwise).
        """
        if "state" not in self.channels:
            raise ValueError('channels: the state needs "state"')
        return self._books[symbol].state

    def follows(self, symbol: str) -> bool:
        """Whether this instrument is followed."""
        return symbol in self._books

    def unfollow(self, symbol: str) -> None:
        """Forget an instrument; what comes of it is dropped."""
        book = self._books.pop(symbol)
        self._done(book.asking)
        for line in book.lines:
            self._done(line.asking)
            del self._lines[line.topic.encode()]

    def drain_requests(self) -> list[FeedRequest]:
        """Requests to send, each once."""
        requests, self._requests = self._requests, []
        return requests

    def drain_updates(self) -> list[Update]:
        """What was applied since the last call, in order."""
        updates, self._updates = self._updates, []
        return updates

    def on_time(self, now_ns: int) -> None:
        """Time has come this far (any clock that never steps back)."""
        if not self._now_ns:
            self._heard_ns = now_ns
        self._now_ns = now_ns
        if not self._request_id:
            self._instruments_asking = self._ask(InstrumentsRequest)
        for asking in [each for each in self._asking.values() if each.due_ns <= now_ns]:
            asking.wait_longer()
            self._ask_again(asking)

    def on_feed(self, name: bytes, seq: int, payload: bytes) -> None:
        """One message of the feed: topic, its sequence number, payload."""
        self._heard_ns = self._now_ns
        line = self._lines.get(name)
        if line is None:
            if name == HEARTBEAT_TOPIC.encode():
                self._on_heartbeat(payload)
        elif line.live and seq == line.next_seq:
            self._apply(line, payload)
            if line.held:
                self._drain(line)
        else:
            self._out_of_order(line, seq, payload)

    def on_reply(self, reply: FeedReply) -> None:
        """One answer of the request socket. Answers nobody waits for are dropped."""
        asking = self._asking.get(reply.request_id)
        if asking is None:
            return
        self._heard_ns = self._now_ns
        if isinstance(reply, FeedReject) and reply.reason != RejectReason.UNKNOWN_SYMBOL:
            # Busy, or not ready itself: the request is repeated when it is due.
            return
        if isinstance(reply, InstrumentList):
            self._on_instruments(reply)
        elif isinstance(reply, Snapshot):
            self._on_snapshot(reply)
        elif isinstance(reply, Range | TooOld):
            self._on_range(reply)
        else:
            self._done(asking)
            self._refused(asking)

    def _follow(self, symbol: str) -> None:
        book = self._books[symbol] = FollowedBook(symbol, self.channels)
        for line in book.lines:
            self._lines[line.topic.encode()] = line

    def _ask(self, again: Callable[[int], FeedRequest | None]) -> Asking:
        asking = Asking(again)
        self._ask_again(asking)
        return asking

    def _ask_again(self, asking: Asking) -> None:
        # A new number each time, so that a late answer to an earlier request is not taken for
        # the answer to this one.
        self._asking.pop(asking.request_id, None)
        self._request_id += 1
        asking.request_id = self._request_id
        asking.due_ns = self._now_ns + asking.wait_ns
        request = asking.again(asking.request_id)
        if request is not None:
            self._asking[asking.request_id] = asking
            self._requests.append(request)

    def _done(self, asking: Asking | None) -> None:
        if asking is not None:
            self._asking.pop(asking.request_id, None)

    def _on_instruments(self, reply: InstrumentList) -> None:
        self._done(self._instruments_asking)
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
        """Ask for a snapshot; meanwhile the book's messages are held."""
        for line in book.lines:
            if line.is_book:
                line.live = False
                self._done(line.asking)
                line.asking = None
        if book.asking is None and book.local.instrument is not None:
            symbol, by_order = book.local.symbol, book.local.order_depth is not None
            book.asking = self._ask(
                lambda request_id: SnapshotRequest(request_id, symbol, by_order)
            )

    def _on_snapshot(self, snapshot: Snapshot) -> None:
        book = self._books[snapshot.symbol]
        if book.asking is None or book.asking.request_id != snapshot.request_id:
            return
        self.counters.snapshots += 1
        if not book.local.load(snapshot):
            # The request stays open and is repeated when it is due.
            self.counters.mismatches += 1
            return
        self._done(book.asking)
        book.asking = None
        self._see_epoch(max(map(epoch_of, snapshot.topics.values()), default=0), book)
        self._updates.append(snapshot)
        for line in book.lines:
            position = snapshot.topics.get(line.topic, 0)
            if line.is_book or not line.next_seq:
                line.next_seq = position + 1 if position else 0
            line.live = True
            line.tail = max(line.tail, position)
            book.show_from(line, snapshot, position)
            for seq in [seq for seq in line.held if seq < line.next_seq]:
                del line.held[seq]
                self.counters.duplicates += 1
        for line in book.lines:
            self._drain(line)

    def _see_epoch(self, epoch: int, fresh: FollowedBook | None = None) -> None:
        """Numbers of a later life of the publisher: take every book anew, except `fresh`."""
        if epoch <= self._epoch:
            return
        restarted, self._epoch = self._epoch != 0, epoch
        if not restarted:
            return
        self.counters.restarts += 1
        self._topics_known = 0
        for book in self._books.values():
            for line in book.lines:
                self._done(line.asking)
                line.asking = None
                line.held = {seq: held for seq, held in line.held.items() if epoch_of(seq) >= epoch}
                line.tail = 0
                if not line.is_book and line.next_seq:
                    line.next_seq = first_of(epoch)
            if book is not fresh:
                # A snapshot on its way may still be of the earlier life.
                self._done(book.asking)
                book.asking = None
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
            self._look_for_others(message.topics)
        for name, last_seq in message.topics.items():
            line = self._lines.get(name.encode())
            if line is not None and line.live and last_seq >= line.next_seq:
                if not line.next_seq:
                    line.next_seq = first_of(epoch_of(last_seq))
                line.tail = max(line.tail, last_seq)
                self._ask_for_hole(line)
        self._updates.append(message)

    def _look_for_others(self, topics: Collection[str]) -> None:
        """Ask again what is traded if a topic is of none of that: it was added since, or the
        publisher had not heard of it itself."""
        asking = self._instruments_asking
        if asking is None or asking.request_id in self._asking:
            return
        symbols = {name.partition(".")[2].removesuffix("|") for name in topics}
        if symbols <= self.instruments.keys():
            self._topics_known = len(topics)
        else:
            self._instruments_asking = self._ask(InstrumentsRequest)

    def _out_of_order(self, line: Line, seq: int, payload: bytes | Raw) -> None:
        if epoch_of(seq) > self._epoch:
            self._see_epoch(epoch_of(seq))
        if line.live and not line.next_seq:
            line.next_seq = first_of(epoch_of(seq))
        if (line.live and seq < line.next_seq) or seq in line.held:
            self.counters.duplicates += 1
            return
        line.held[seq] = payload
        line.tail = max(line.tail, seq)
        if len(line.held) > HELD_MAX:
            for oldest in sorted(line.held)[: HELD_MAX // 2]:
                del line.held[oldest]
        self._drain(line)

    def _drain(self, line: Line) -> None:
        """Apply what is held and next; ask for what is missing before the rest."""
        if line.live and line.held and not line.next_seq:
            line.next_seq = first_of(epoch_of(min(line.held)))
        while line.live and line.next_seq in line.held:
            self._apply(line, line.held.pop(line.next_seq))
        self._ask_for_hole(line)

    def _ask_for_hole(self, line: Line) -> None:
        if not line.live or line.asking is not None:
            return
        if not line.next_seq or not (line.held or line.tail >= line.next_seq):
            return
        self.counters.gaps += 1
        self._ask_for_range(line)

    def _ask_for_range(self, line: Line) -> None:
        def again(request_id: int) -> FeedRequest | None:
            end = line.hole_end()
            if end < line.next_seq:
                # What was missing came late, by itself.
                line.asking = None
                return None
            self.counters.resends += 1
            return RangeRequest(request_id, line.topic, line.next_seq, end)

        line.asking = Asking(again)
        self._ask_again(line.asking)

    def _on_range(self, reply: Range | TooOld) -> None:
        line = self._lines.get(reply.topic.encode())
        if line is None or line.asking is None or line.asking.request_id != reply.request_id:
            return
        self._done(line.asking)
        line.asking = None
        before = line.next_seq
        if isinstance(reply, Range):
            for seq, payload in enumerate(reply.payloads, reply.from_seq):
                if line.live and seq == line.next_seq:
                    line.held.pop(seq, None)
                    self._apply(line, payload)
        if line.live and line.next_seq == before and line.next_seq <= line.hole_end():
            self._give_up_range(line, reply)
        self._continue(line)

    def _continue(self, line: Line) -> None:
        """After a range: apply what follows it, and ask on if it stopped short."""
        while line.live and line.next_seq in line.held:
            self._apply(line, line.held.pop(line.next_seq))
        if line.live and (line.held or line.tail >= line.next_seq):
            self._ask_for_range(line)

    def _give_up_range(self, line: Line, reply: Range | TooOld) -> None:
        """The missing messages cannot be had any more."""
        if line.is_book:
            self._resync(line.book)
            return
        end = line.hole_end() + 1
        if isinstance(reply, TooOld) and line.next_seq < reply.first_seq < end:
            end = reply.first_seq
        self.counters.lost += end - line.next_seq
        line.next_seq = end

    def _refused(self, asking: Asking) -> None:
        """The publisher does not know the symbol asked for."""
        for symbol, book in self._books.items():
            if book.asking is asking:
                book.asking = None
                self.unknown_symbols.append(symbol)
            for line in book.lines:
                if line.asking is asking:
                    line.asking = None
                    line.tail = 0

    def _apply(self, line: Line, payload: bytes | Raw) -> None:
        """Apply the message the line waited for."""
        self.counters.messages += 1
        seq = line.next_seq
        line.next_seq += 1
        try:
            message = decode_feed(payload)
        except BAD_BYTES:
            message = None
        if not isinstance(message, _KIND[line.channel]):
            self._mismatch(line)
            return
        local = line.book.local
        if isinstance(message, DepthUpdate):
            sound = local.apply_levels(message)
        elif isinstance(message, OrdersUpdate):
            sound = local.apply_orders(message)
        else:
            sound = True
            if isinstance(message, Candles | Ticker | MarketState):
                line.book.show(line, seq, message)
            elif isinstance(message, Trades) and message.trades:
                local.last_trade_id = message.trades[-1].trade_id
        if sound:
            self._updates.append(message)
        else:
            self._mismatch(line)

    def _mismatch(self, line: Line) -> None:
        self.counters.mismatches += 1
        if line.is_book:
            self._resync(line.book)
