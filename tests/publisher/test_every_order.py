"""Under every kind of order the books rebuilt from events equal those of the matcher, and the books
rebuilt from the feed equal those of the publisher."""

import pytest

from crossbook.common.following.depth import OrderDepth
from crossbook.common.instruments import Instrument
from crossbook.common.messages.codec import decode_feed, encode
from crossbook.common.messages.events import Event, EventBatch
from crossbook.common.messages.feed import (
    FeedReject,
    InstrumentList,
    InstrumentsRequest,
    OrdersUpdate,
    SnapshotRequest,
)
from crossbook.common.messages.matcher_queries import Books
from crossbook.common.types import RejectReason, Side
from crossbook.matcher.engine.engine import Engine
from crossbook.publisher.feed import Feed
from crossbook.publisher.replica import PublisherReplica
from crossbook.publisher.snapshot_server import SnapshotServer
from tests.properties.generator import random_commands
from tests.properties.market import INSTRUMENTS, rules_of, venue

INCARNATION = 7


def _books(engine: Engine) -> Books:
    books = [engine.book_state(instrument) for instrument in engine.books]
    return Books(
        request_id=1,
        incarnation=INCARNATION,
        seq=engine.seq,
        time_ns=0,
        books=books,
        instruments=engine.instruments,
    )


def _orders(engine: Engine, instrument: Instrument) -> tuple[list[tuple[int, int, int]], ...]:
    state = engine.book_state(instrument.id)
    return tuple(
        [(order.order_id, order.price_ticks, order.shown_lots) for order in side]
        for side in (state.bids, state.asks)
    )


class Consumer:
    """Keeps the L3 books of the feed alone."""

    def __init__(self) -> None:
        self.books = {instrument.symbol: OrderDepth() for instrument in INSTRUMENTS}

    def take(self, feed: Feed) -> None:
        for _, _, payload in feed.publish():
            message = decode_feed(payload)
            if isinstance(message, OrdersUpdate):
                book = self.books.setdefault(message.symbol, OrderDepth())
                for change in message.changes:
                    book.apply(change)


@pytest.mark.parametrize("seed", range(900, 912))
def test_the_published_books_equal_the_matchers(seed: int) -> None:
    engine = venue(Engine, rules_of(seed))
    feed, consumer = Feed(INSTRUMENTS, base=0, resend_count=100), Consumer()
    events: list[Event] = []
    first_seq = 1
    for command, time_ns in random_commands(seed, 1_500):
        events += engine.apply(command, time_ns)
        if time_ns % 5:
            continue
        feed.apply(
            EventBatch(
                incarnation=INCARNATION,
                first_seq=first_seq,
                last_seq=engine.seq,
                time_ns=time_ns,
                events=events,
            )
        )
        first_seq, events = engine.seq + 1, []
        consumer.take(feed)
        for instrument in INSTRUMENTS:
            expected = _orders(engine, instrument)
            assert feed.markets[instrument.id].orders() == expected, f"seed {seed}, {time_ns}"
            book = consumer.books[instrument.symbol]
            assert list(book.orders(Side.BUY)) == expected[0], f"seed {seed}, {time_ns}"
            assert list(book.orders(Side.SELL)) == expected[1], f"seed {seed}, {time_ns}"
    assert set(feed.markets) == set(engine.books)


@pytest.mark.parametrize("seed", range(920, 924))
def test_books_taken_from_a_snapshot_go_on_like_the_matchers(seed: int) -> None:
    engine = venue(Engine, rules_of(seed))
    feed = Feed(INSTRUMENTS, base=0, resend_count=100)
    for command, time_ns in random_commands(seed, 1_500):
        before = engine.seq
        events = engine.apply(command, time_ns)
        if not time_ns % 97:
            feed.load(_books(engine))
        elif events:
            feed.apply(
                EventBatch(
                    incarnation=INCARNATION,
                    first_seq=before + 1,
                    last_seq=engine.seq,
                    time_ns=time_ns,
                    events=events,
                )
            )
        feed.publish()
        for instrument in INSTRUMENTS:
            market = feed.markets[instrument.id]
            assert market.orders() == _orders(engine, instrument), f"seed {seed}, {time_ns}"


def test_an_instrument_added_later_has_topics_and_a_snapshot() -> None:
    engine = venue(Engine)
    added = encode(INSTRUMENTS[0])
    feed = Feed(INSTRUMENTS[1:], base=0, resend_count=100)
    assert "l2.BTC-USDT|" not in feed.topics
    feed.load(_books(engine))
    assert "l2.BTC-USDT|" in feed.topics
    assert encode(feed.markets[INSTRUMENTS[0].id].instrument) == added
    server = SnapshotServer(PublisherReplica(feed))
    listed = server.answer(encode(InstrumentsRequest(1)))
    assert isinstance(listed, InstrumentList)
    assert {each.id for each in listed.instruments} == set(engine.books)
    busy = server.answer(encode(SnapshotRequest(2, "BTC-USDT")))
    assert isinstance(busy, FeedReject)
    assert busy.reason == RejectReason.BUSY, "it is known, and there are no books yet"
