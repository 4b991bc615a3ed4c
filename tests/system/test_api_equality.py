"""One book in four views: REST, WebSocket, ZeroMQ feed and matcher agree at equal sequence.

Orders flow at random meanwhile. The feed's book is kept at every number it had; each book of
another view is compared with the feed's of the same number. The matcher returns whole books between
two updates of the feed: its number is then behind one update and before the next.
"""

import json
import random
import threading
from bisect import bisect_right
from collections.abc import Iterable
from typing import NamedTuple

import zmq
from websockets.sync.client import connect

from crossbook.client.market_data import MarketData
from crossbook.common.instruments import Instrument
from crossbook.common.instruments_file import load_instruments
from crossbook.common.messages import codec, entry, matcher_queries
from crossbook.common.messages.feed import DepthUpdate, Snapshot
from crossbook.common.process import sockets
from tests.system.exchange import REPOSITORY, Exchange
from tests.system.session import RawSession
from tests.system.test_publisher_equality import Known, random_request
from tests.system.web import WEB
from tests.worlds.json_book import JsonBook

SEED = 20_261_126
ROUNDS = 120
BOOKS = 20
"""Fewest books of the stream, which sends several a second however short the rounds are."""
BURST = 30
SYMBOL = "BTC-USDT"
INSTRUMENT: Instrument = next(
    each for each in load_instruments(REPOSITORY / "instruments.toml") if each.symbol == SYMBOL
)

Rows = list[tuple[str, str]]


class Book(NamedTuple):
    """One book of a view, as text."""

    seq: int
    bids: Rows
    asks: Rows


def text(rows: list[tuple[int, int]]) -> Rows:
    """Ticks and lots as the API prints them."""
    return [(INSTRUMENT.price_text(price), INSTRUMENT.quantity_text(lots)) for price, lots in rows]


class StreamWatch(threading.Thread):
    """A WebSocket client that keeps every book it received."""

    def __init__(self, exchange: Exchange) -> None:
        super().__init__(daemon=True)
        address = exchange.api.replace("http", "ws")
        self._address = f"{address}/ws/market-data/{SYMBOL}"
        self._ended = threading.Event()
        self.books: list[Book] = []
        self.fault: AssertionError | None = None

    def run(self) -> None:
        """Receive until closed."""
        book = JsonBook()
        with connect(self._address, compression=None) as socket:
            while not self._ended.is_set():
                try:
                    message = json.loads(socket.recv(timeout=0.1))
                    if book.apply(message):
                        assert book.seq is not None, "a book without a number"
                        self.books.append(Book(book.seq, *book.rows()))
                except TimeoutError:
                    continue
                except AssertionError as fault:
                    self.fault = fault
                    return

    def close(self) -> None:
        """End the connection and the thread."""
        self._ended.set()
        self.join(10.0)


class FeedWatch:
    """The ZeroMQ feed's book at every number it had."""

    def __init__(self, exchange: Exchange) -> None:
        self._market = MarketData(exchange.feed, exchange.snapshots, [SYMBOL], ["l2"])
        self.books: list[Book] = []
        self.first_seqs: list[int] = []
        """The first command in the update that led to each book."""
        self._keep(self._market.wait_ready())

    def apply(self, timeout_s: float = 0.0) -> int:
        """Apply the feed's messages; returns the number of the book."""
        self._keep(self._market.poll(timeout_s))
        return self.books[-1].seq if self.books else 0

    def _keep(self, updates: Iterable[object]) -> None:
        local = self._market.book(SYMBOL)
        for update in updates:
            if isinstance(update, Snapshot):
                self.books.append(Book(update.seq, text(update.bids), text(update.asks)))
                self.first_seqs.append(update.seq)
            elif isinstance(update, DepthUpdate):
                bids, asks = (dict(rows) for rows in self.books[-1][1:])
                for book, levels in ((bids, update.bids), (asks, update.asks)):
                    for price, quantity in text(levels):
                        if quantity.strip("0.") == "":
                            book.pop(price, None)
                        else:
                            book[price] = quantity
                self.books.append(
                    Book(
                        update.seq,
                        sorted(bids.items(), key=lambda row: -float(row[0])),
                        sorted(asks.items(), key=lambda row: float(row[0])),
                    )
                )
                self.first_seqs.append(update.first_seq)
        last = self.books[-1] if self.books else None
        assert last is None or (last.bids, last.asks) == (text(local.bids()), text(local.asks()))

    def close(self) -> None:
        """End the connection."""
        self._market.close()


def matcher_book(dealer: "zmq.Socket[bytes]") -> Book:
    """The matcher's own book, by level."""
    dealer.send(codec.encode(matcher_queries.BooksRequest(1)))
    assert dealer.poll(10_000)
    books = codec.decode_matcher_reply(dealer.recv())
    assert isinstance(books, matcher_queries.Books)
    state = next(book for book in books.books if book.instrument == INSTRUMENT.id)
    sides: list[Rows] = []
    for orders in (state.bids, state.asks):
        levels: dict[int, int] = {}
        for order in orders:
            levels[order.price_ticks] = levels.get(order.price_ticks, 0) + order.shown_lots
        sides.append(text(list(levels.items())))
    return Book(books.seq, *sides)


def rest_book(exchange: Exchange) -> Book:
    """The book by REST."""
    answer = WEB.get(f"{exchange.api}/api/v1/orderbook/{SYMBOL}?levels=1000")
    assert answer.status_code == 200, answer.text
    document = answer.json()
    sides = [[(price, lots) for price, lots in document[side]] for side in ("bids", "asks")]
    return Book(document["seq"], *sides)


def trade(
    exchange: Exchange, feed: FeedWatch, stream: StreamWatch
) -> tuple[list[Book], list[Book]]:
    """Send random orders; returns the books of the matcher and REST meanwhile."""
    chance = random.Random(SEED)
    matcher: list[Book] = []
    rest: list[Book] = []
    known: Known = []
    with (
        zmq.Context() as context,
        sockets.matcher_queries_dealer(context, exchange.queries) as dealer,
        RawSession(exchange.orders, 11) as session,
    ):
        while len(rest) < ROUNDS or len(stream.books) < BOOKS:
            assert stream.fault is None, stream.fault
            requests = [random_request(chance, session, known) for _ in range(BURST)]
            for request, reply in zip(requests, session.replies_to_all(*requests), strict=True):
                if isinstance(reply, entry.Ack) and isinstance(request, entry.New):
                    known.append((reply.order_id, request.symbol))
            matcher.append(matcher_book(dealer))
            rest.append(rest_book(exchange))
            feed.apply()
    return matcher, rest


def same_seq(shown: list[Book], feed: FeedWatch) -> int:
    """Compare books with the feed's of the same number; how many there were."""
    by_seq = {book.seq: book for book in feed.books}
    found = 0
    for book in shown:
        if book.seq in by_seq:
            assert book == by_seq[book.seq]
            found += 1
    return found


def between(shown: list[Book], feed: FeedWatch) -> int:
    """Compare books of the matcher, which has numbers of its own, with the feed's that holds at
    that number; how many there were."""
    seqs = [book.seq for book in feed.books]
    found = 0
    for book in shown:
        place = bisect_right(seqs, book.seq) - 1
        inside_next = place + 1 < len(seqs) and feed.first_seqs[place + 1] <= book.seq
        if place >= 0 and not inside_next:
            assert (book.bids, book.asks) == feed.books[place][1:], book.seq
            found += 1
    return found


def test_rest_websocket_zeromq_and_matcher_show_one_book() -> None:
    with Exchange(GATEWAY_ROLES="orders,api,streams") as exchange:
        exchange.wait_http()
        feed = FeedWatch(exchange)
        stream = StreamWatch(exchange)
        stream.start()
        exchange.wait_until("the stream begins", lambda: bool(stream.books))
        try:
            matcher, rest = trade(exchange, feed, stream)
            last = matcher[-1]
            exchange.wait_until(
                "all are level",
                lambda: (
                    feed.apply() > 0
                    and bool(stream.books)
                    and stream.books[-1].seq == feed.books[-1].seq
                    and (feed.books[-1].bids, feed.books[-1].asks) == (last.bids, last.asks)
                ),
            )
            rest.append(rest_book(exchange))
        finally:
            stream.close()
            feed.close()
        assert stream.fault is None, stream.fault
        assert same_seq(rest, feed) > ROUNDS // 2
        # The first one, a snapshot, may be older than the feed's first.
        assert same_seq(stream.books, feed) >= len(stream.books) - 1 > BOOKS // 2
        assert between(matcher, feed) > ROUNDS // 4
        assert (rest[-1].bids, rest[-1].asks) == (last.bids, last.asks)
