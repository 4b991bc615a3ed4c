"""While orders flow, the feed and the snapshots of the publisher equal the books of the matcher.

The L3 feed is replayed to each moment at which the matcher or the publisher sent a book. At equal
sequence the books must be equal, order by order, in priority order.
"""

import random
from collections import defaultdict
from typing import NamedTuple

import zmq

from crossbook.common.following.depth import BookChecksum, OrderDepth
from crossbook.common.instruments_file import load_instruments
from crossbook.common.messages import codec, entry, feed, matcher_queries
from crossbook.common.process import sockets
from crossbook.common.types import Side
from tests.system.exchange import REPOSITORY, Exchange
from tests.system.feed_tap import FeedTap
from tests.system.session import RawSession

SEED = 20_251_026
ROUNDS = 150
BURST = 40
ACCOUNTS = 4
INSTRUMENTS = load_instruments(REPOSITORY / "instruments.toml")
SYMBOLS = [instrument.symbol for instrument in INSTRUMENTS[:3]]
BY_ID = {instrument.id: instrument.symbol for instrument in INSTRUMENTS}

Rows = list[tuple[int, int, int]]
Known = list[tuple[int, str]]
"""Orders of one session that were accepted: id and symbol."""


class Seen(NamedTuple):
    """One book of a process: (order id, price ticks, lots) in priority order."""

    seq: int
    process: str
    bids: Rows
    asks: Rows


def random_request(chance: random.Random, session: RawSession, known: Known) -> entry.Request:
    """A request that is often sound: it may cross, rest, cancel, amend or miss.

    Prices are few, so that levels hold queues and a lost place in one shows.
    """
    seq, kind = session.next_seq(), chance.random()
    if kind < 0.55 or not known:
        side = chance.choice((Side.BUY, Side.SELL))
        away = chance.randrange(-2, 8)
        return entry.New(
            request_seq=seq,
            symbol=chance.choice(SYMBOLS),
            side=side,
            quantity=chance.randrange(1_000, 20_000),
            price=100_000 - away if side is Side.BUY else 100_000 + away,
            time_in_force=chance.choice((1, 1, 1, 1, 2, 3)),
        )
    if kind < 0.60:
        return entry.New(
            request_seq=seq,
            symbol=chance.choice(SYMBOLS),
            side=chance.choice((1, 2)),
            quantity=5_000,
            price=0,
            order_type=2,
        )
    order_id, symbol = chance.choice(known[-60:])
    if kind < 0.75:
        return entry.Cancel(seq, symbol, order_id)
    if kind < 0.995:
        price = chance.choice((0, 0, 0, chance.randrange(99_992, 100_008)))
        return entry.Amend(
            request_seq=seq,
            symbol=symbol,
            order_id=order_id,
            client_order_id="",
            quantity=chance.randrange(1_000, 40_000),
            price=price,
        )
    return entry.MassCancel(seq, symbol, chance.choice((0, 1, 2)))


class Watch:
    """Requests books of matcher and publisher without waiting, and keeps every answer."""

    def __init__(self, exchange: Exchange, context: "zmq.Context[zmq.Socket[bytes]]") -> None:
        self._matcher = sockets.matcher_queries_dealer(context, exchange.queries)
        self._publisher = sockets.snapshots_dealer(context, exchange.snapshots)
        assert self._matcher.poll(5_000, zmq.POLLOUT)
        self.seen: dict[str, list[Seen]] = defaultdict(list)
        self._books_due = 0
        self._snapshots_due = 0

    def request_books(self) -> None:
        """Request every book of both."""
        self._matcher.send(codec.encode(matcher_queries.BooksRequest(1)))
        for symbol in SYMBOLS:
            self._publisher.send(codec.encode(feed.SnapshotRequest(1, symbol, True)))
        self._books_due += 1
        self._snapshots_due += len(SYMBOLS)

    def collect(self, timeout_ms: int = 0) -> None:
        """Receive the answers that have arrived; with a timeout, all that are due."""
        while self._matcher.poll(timeout_ms if self._books_due else 0):
            books = codec.decode_matcher_reply(self._matcher.recv())
            assert isinstance(books, matcher_queries.Books)
            self._books_due -= 1
            for book in books.books:
                bids = [(o.order_id, o.price_ticks, o.shown_lots) for o in book.bids]
                asks = [(o.order_id, o.price_ticks, o.shown_lots) for o in book.asks]
                symbol = BY_ID[book.instrument]
                self.seen[symbol].append(Seen(books.seq, "matcher", bids, asks))
        while self._publisher.poll(timeout_ms if self._snapshots_due else 0):
            reply = codec.decode_feed_reply(self._publisher.recv())
            assert isinstance(reply, feed.Snapshot), reply
            self._snapshots_due -= 1
            check_levels(reply)
            found = Seen(reply.seq, "publisher", reply.bid_orders, reply.ask_orders)
            self.seen[reply.symbol].append(found)


def check_levels(snapshot: feed.Snapshot) -> None:
    """The levels and checksum of a snapshot follow from its orders."""
    book = OrderDepth()
    for side, orders in ((Side.BUY, snapshot.bid_orders), (Side.SELL, snapshot.ask_orders)):
        for order_id, price, lots in orders:
            book.set_order(order_id, side, price, lots)
    assert book.depth.levels(Side.BUY) == snapshot.bids
    assert book.depth.levels(Side.SELL) == snapshot.asks
    instrument = next(i for i in INSTRUMENTS if i.symbol == snapshot.symbol)
    assert BookChecksum(instrument).of(book.depth) == snapshot.checksum


def flow(sessions: list[RawSession], watch: Watch, tap: FeedTap) -> int:
    """Random orders in bursts, all books requested after each; returns the last sequence."""
    chance = random.Random(SEED)
    known: dict[RawSession, Known] = {session: [] for session in sessions}
    last_seq = 0
    for _ in range(ROUNDS):
        session = chance.choice(sessions)
        requests = [random_request(chance, session, known[session]) for _ in range(BURST)]
        session.send(*requests)
        watch.request_books()
        for request in requests:
            reply = session.answer(request.request_seq)
            assert isinstance(reply, entry.Ack | entry.Reject)
            last_seq = max(last_seq, reply.seq)
            if isinstance(reply, entry.Ack) and isinstance(request, entry.New):
                known[session].append((reply.order_id, request.symbol))
        session.executions.clear()
        watch.collect()
    tap.wait_heartbeat(last_seq)
    watch.request_books()
    watch.collect(5_000)
    return last_seq


def test_the_publishers_books_equal_the_matchers(fresh_exchange: Exchange) -> None:
    exchange = fresh_exchange
    topics = [feed.topic("l3", symbol) for symbol in SYMBOLS]
    sessions = [RawSession(exchange.orders, account) for account in range(1, ACCOUNTS + 1)]
    with zmq.Context() as context, FeedTap(exchange.feed, exchange.snapshots, topics) as tap:
        watch = Watch(exchange, context)
        last_seq = flow(sessions, watch, tap)
        context.destroy(linger=0)
    for session in sessions:
        session.close()
    for symbol in SYMBOLS:
        changes = [
            change
            for tapped in tap.messages
            if isinstance(tapped.message, feed.OrdersUpdate) and tapped.message.symbol == symbol
            for change in tapped.message.changes
        ]
        moments = compare(changes, watch.seen[symbol])
        assert moments["matcher"] > ROUNDS // 2, f"seed {SEED}: too few moments compared {moments}"
        assert moments["publisher"] > ROUNDS // 2, f"seed {SEED}: {moments}"
        final = [seen for seen in watch.seen[symbol] if seen.seq == last_seq]
        assert {seen.process for seen in final} == {"matcher", "publisher"}
        assert len(final[0].bids) + len(final[0].asks) > 20, "the flow left hardly a book"


def compare(changes: list[feed.OrderChange], seen: list[Seen]) -> dict[str, int]:
    """Replay the feed to each moment and compare; return how many moments differ in sequence."""
    book, applied = OrderDepth(), 0
    moments: dict[str, set[int]] = defaultdict(set)
    assert [c.seq for c in changes] == sorted(c.seq for c in changes)
    for answered in sorted(seen):
        while applied < len(changes) and changes[applied].seq <= answered.seq:
            book.apply(changes[applied])
            applied += 1
        assert list(book.orders(Side.BUY)) == answered.bids, f"seed {SEED}: bids at {answered.seq}"
        assert list(book.orders(Side.SELL)) == answered.asks, f"seed {SEED}: asks at {answered.seq}"
        moments[answered.process].add(answered.seq)
    assert applied == len(changes)
    return {process: len(seqs) for process, seqs in moments.items()}
