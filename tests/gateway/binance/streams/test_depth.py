"""The face's depth streams: their numbers, and books kept with them; all without sockets."""

import random

import pytest

from crossbook.common.messages.feed import DepthUpdate
from crossbook.gateway.binance.streams import depth_log
from crossbook.gateway.binance.streams.depth_log import CUTS_MAX, ENTRIES_KEPT
from tests.worlds.depth_clients import PublishedProcedure, StrictClient
from tests.worlds.face_stream_world import FaceStreamWorld
from tests.worlds.feed_source import SYMBOL, FeedSource
from tests.worlds.stream_world import FakeConnection

FAST = "/ws/btcusdt@depth@100ms"
SLOW = "/ws/btcusdt@depth"


def feed(connection: FakeConnection, *books: PublishedProcedure | StrictClient) -> int:
    """Pass the events on to clients; returns their number."""
    events = connection.pop_messages()
    for event in events:
        for book in books:
            book.receive(event)
    return len(events)


def check(world: FaceStreamWorld, book: PublishedProcedure) -> None:
    """The client's book is the native one at the same number."""
    assert book.number is not None
    assert book.rows() == world.books[book.number], f"book at {book.number}"


def test_an_event_has_the_documented_fields_and_eight_decimals() -> None:
    world = FaceStreamWorld()
    client = world.connect()
    assert client.writes == []
    before = world.follower.book(SYMBOL).seq
    world.step(3)
    (event,) = client.pop_messages()[:1]
    assert list(event) == ["e", "E", "s", "U", "u", "b", "a"]
    assert (event["e"], event["s"], event["U"]) == ("depthUpdate", "BTCUSDT", before + 1)
    for price, quantity in event["b"] + event["a"]:
        assert len(price.partition(".")[2]) == len(quantity.partition(".")[2]) == 8


@pytest.mark.parametrize("path", [FAST, SLOW])
@pytest.mark.parametrize("seed", range(8))
def test_a_client_of_the_published_procedure_has_the_native_book_at_its_number(
    path: str, seed: int
) -> None:
    world, draw = FaceStreamWorld(seed), random.Random(seed)
    others = [world.connect(FAST), world.connect(SLOW)]
    world.step(draw.randrange(5))
    world.advance(draw.randrange(200))
    client, book = world.connect(path), PublishedProcedure(world.snapshot)
    begin_at, checked = draw.randrange(20), 0
    for turn in range(150):
        if turn == begin_at:
            feed(client, book)
            book.begin()
        world.step(draw.choice((0, 1, 1, 4)))
        world.advance(draw.choice((0, 7, 60, 150)))
        feed(client, book)
        if book.number is not None:
            check(world, book)
            checked += 1
    world.advance(2_000)
    feed(client, book)
    check(world, book)
    assert book.snapshots == 1
    assert checked > 50
    assert all(other.ended is None for other in others)


@pytest.mark.parametrize("path", [FAST, SLOW])
@pytest.mark.parametrize("seed", range(8))
def test_a_strict_client_reads_one_snapshot_and_has_the_native_book(path: str, seed: int) -> None:
    world, draw = FaceStreamWorld(seed), random.Random(seed)
    client, book = world.connect(path), StrictClient(world.snapshot)
    world.connect(FAST)
    begin_at = draw.randrange(20)
    for turn in range(100):
        if turn == begin_at:
            book.begin()
        world.step(draw.choice((0, 1, 3)))
        world.advance(draw.choice((0, 30, 130)))
        feed(client, book)
        if book.number is not None:
            assert book.rows() == world.books[book.number]
    world.advance(2_000)
    feed(client, book)
    assert book.rows() == world.rows_now()
    assert book.snapshots == 1


def test_a_snapshot_of_another_gateway_heals_within_one_event() -> None:
    # The strict client at one gateway, its snapshots from one whose streams have other cuts.
    world = FaceStreamWorld(3)
    other = FaceStreamWorld(source=world.source)
    other_client = other.connect(FAST)
    client = world.connect(FAST)
    strict, published = StrictClient(other.snapshot), PublishedProcedure(other.snapshot)
    draw = random.Random(3)

    def both(steps: int) -> None:
        for _ in range(steps):
            for frame in world.source.step():
                world.follower.on_feed(*frame)
                other.follower.on_feed(*frame)
            world.pump()
            other.pump()

    both(3)
    feed(client, strict, published)
    strict.begin()
    published.begin()
    for _ in range(60):
        both(draw.choice((0, 1, 3)))
        world.advance(draw.choice((10, 130)))
        other.advance(draw.choice((10, 130)))
        feed(client, strict, published)
        check(world, published)
    both(3)
    world.advance(300)
    feed(client, strict, published)
    assert strict.rows() == world.rows_now() == published.rows()
    assert other_client.ended is None


def test_a_first_snapshot_is_not_older_than_the_first_event_nor_newer_than_the_next() -> None:
    world = FaceStreamWorld()
    client = world.connect()
    world.step()
    first = client.pop_messages()[0]
    assert world.snapshot()["lastUpdateId"] >= first["U"] - 1
    world.step(4)
    number = world.snapshot()["lastUpdateId"]
    world.step(2)
    world.advance(100)
    events = client.pop_messages()
    assert [event["u"] for event in events][:1] == [number]
    assert events[1]["U"] == number + 1


def test_a_change_that_is_undone_within_the_pace_is_sent_for_snapshots_of_between() -> None:
    world = FaceStreamWorld()
    client = world.connect()
    world.step()
    begun = client.pop_messages()[-1]["u"]
    ((price, lots), *_) = world.follower.book(SYMBOL).bids()
    name = f"{price / 100:.8f}"
    for seq, each in ((begun + 1, 0), (begun + 3, lots)):
        world.streams.apply([DepthUpdate(SYMBOL, 0, seq, 0, [(price, each)], [], 0, 0)])
    world.streams.apply([DepthUpdate(SYMBOL, 0, begun + 7, 0, [(1, 5)], [], 0, 0)])
    world.streams.apply([DepthUpdate(SYMBOL, 0, begun + 9, 0, [(1, 0)], [], 0, 0)])
    world.advance(300)
    (event,) = client.pop_messages()
    assert (event["U"], event["u"]) == (begun + 1, begun + 9)
    assert event["b"] == [[name, f"{lots / 100_000:.8f}"], ["0.01000000", "0.00000000"]]
    assert event["a"] == []


def test_the_pace_is_that_of_the_name() -> None:
    for path, most in ((FAST, 11), (SLOW, 2), ("/ws/btcusdt@depth@1000ms", 2)):
        world = FaceStreamWorld()
        client = world.connect(path)
        for _ in range(1_000):
            world.step()
            world.advance(1)
        count = len(client.pop_messages())
        assert most - 2 < count <= most, path


def test_a_full_client_gets_one_event_from_its_own_position() -> None:
    world = FaceStreamWorld()
    client, book = world.connect(), PublishedProcedure(world.snapshot)
    book.begin()
    world.step()
    world.advance(100)
    feed(client, book)
    client.full = True
    for _ in range(20):
        world.step()
        world.advance(100)
    assert client.writes == []
    client.drain()
    assert feed(client, book) == 1
    check(world, book)
    assert book.rows() == world.rows_now()


def test_a_client_that_misses_more_than_is_held_is_closed() -> None:
    world = FaceStreamWorld()
    client, other = world.connect(), world.connect()
    world.step()
    world.advance(100)
    client.full = True
    for _ in range(ENTRIES_KEPT + 20):
        world.step()
        world.advance(100)
    client.drain()
    assert client.ended is not None
    assert client.ended[0] == 1008
    assert other.ended is None


def test_one_event_of_more_prices_than_are_held_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(depth_log, "PRICES_KEPT", 3)
    world = FaceStreamWorld()
    client, book = world.connect(), PublishedProcedure(world.snapshot)
    book.begin()
    for _ in range(30):
        world.step(20)
        world.advance(100)
        feed(client, book)
        check(world, book)


def test_snapshots_end_few_events_early() -> None:
    world = FaceStreamWorld()
    client = world.connect()
    world.step()
    world.advance(100)
    client.pop_messages()
    world.step()
    client.pop_messages()
    for _ in range(4 * CUTS_MAX):
        world.step()
        number = world.snapshot()["lastUpdateId"]
    assert number == world.follower.book(SYMBOL).seq
    world.advance(100)
    assert len(client.pop_messages()) <= CUTS_MAX + 1


def test_a_new_life_of_the_publisher_leaves_no_hole() -> None:
    world = FaceStreamWorld()
    client, book = world.connect(), PublishedProcedure(world.snapshot)
    book.begin()
    world.step(5)
    world.advance(200)
    feed(client, book)
    before = world.source
    after = FeedSource(2, epoch=before_epoch(before) + 8)
    after.orders, after.seq, after.trade_id = list(before.orders), before.seq, before.trade_id
    world.source = after
    world.step(10)
    world.advance(300)
    assert feed(client, book)
    check(world, book)
    assert book.rows() == world.rows_now()


def before_epoch(source: FeedSource) -> int:
    return next(iter(source.last.values())) >> 30


def test_a_lower_number_after_lost_data_closes_the_clients_of_the_book() -> None:
    world = FaceStreamWorld()
    client, trades = world.connect(), world.connect("/ws/btcusdt@trade")
    world.step(20)
    world.source = FeedSource(9, epoch=900)
    world.step(3)
    assert client.ended is not None
    assert trades.ended is None


def test_an_update_with_a_lower_number_closes_the_clients_of_the_book() -> None:
    world = FaceStreamWorld()
    client = world.connect()
    number = world.follower.book(SYMBOL).seq
    world.streams.apply([DepthUpdate(SYMBOL, 0, number, 0, [(1, 5)], [], 0, 0)])
    assert client.ended is not None


def test_a_client_that_comes_while_the_book_is_incomplete_gets_it_later() -> None:
    world = FaceStreamWorld()
    world.stale = True
    client, best = world.connect(), world.connect("/ws/btcusdt@bookTicker")
    world.step(3)
    assert client.writes == []
    world.stale = False
    best.pop_messages()
    book = PublishedProcedure(world.snapshot)
    world.step()
    book.begin()
    world.step(5)
    world.advance(300)
    assert feed(client, book)
    assert book.rows() == world.rows_now()


def test_a_book_that_is_loaded_anew_gives_its_best_prices() -> None:
    world = FaceStreamWorld()
    best = world.connect("/ws/btcusdt@bookTicker")
    best.pop_messages()
    before = world.source
    after = FeedSource(2, epoch=before_epoch(before) + 8)
    after.orders, after.seq, after.trade_id = list(before.orders), before.seq, before.trade_id
    after.orders.append((after.seq, 1, 30, 7))
    world.source, world.stale = after, True
    world.follower.on_feed(*after.heartbeat())
    for frame in after.step():
        world.follower.on_feed(*frame)
    world.pump()
    event = best.pop_messages()[-1]
    assert (event["b"], event["u"]) == (world.rows_now()[0][0][0], after.seq)


def test_a_stale_market_sends_nothing_and_goes_on_without_a_hole() -> None:
    world = FaceStreamWorld()
    client, book = world.connect(), PublishedProcedure(world.snapshot)
    book.begin()
    world.streams.set_live(SYMBOL, False, "silent")
    world.step(20)
    world.advance(500)
    assert client.writes == []
    late = world.connect(SLOW)
    world.streams.set_live(SYMBOL, True, "")
    world.work()
    world.advance(1_000)
    feed(client, book)
    check(world, book)
    world.step(5)
    world.advance(1_000)
    feed(client, book)
    assert book.rows() == world.rows_now()
    assert late.pop_messages()


@pytest.mark.parametrize("levels", [5, 10, 20])
def test_partial_books_are_the_best_levels_of_the_native_book(levels: int) -> None:
    world = FaceStreamWorld()
    client = world.connect(f"/ws/btcusdt@depth{levels}@100ms")
    for _ in range(40):
        for message in client.pop_messages():
            assert list(message) == ["lastUpdateId", "bids", "asks"]
            bids, asks = world.books[message["lastUpdateId"]]
            assert [tuple(row) for row in message["bids"]] == bids[:levels]
            assert [tuple(row) for row in message["asks"]] == asks[:levels]
        world.step()
        world.advance(100)
    slow = world.connect(f"/ws/btcusdt@depth{levels}")
    assert len(slow.pop_messages()) == 1
    world.step(3)
    assert len(slow.pop_messages()) <= 1
