"""Market data over real sockets, from a publisher of one thread. The rules are tested in
`test_local_book`."""

import time
from collections.abc import Callable, Iterator

import pytest

import crossbook
from crossbook import (
    ClientClosed,
    FeedLive,
    FeedStale,
    Gap,
    InstrumentState,
    LocalBook,
    MarketData,
    MarketDataError,
)
from crossbook.common.following.feed_topic import CHANNELS
from crossbook.common.messages.feed import DepthUpdate, OrdersUpdate, Snapshot
from tests.system.exchange import free_ports
from tests.worlds.fake_publisher import FakePublisher
from tests.worlds.feed_source import SYMBOL


@pytest.fixture
def publish() -> Iterator[Callable[..., FakePublisher]]:
    running: list[FakePublisher] = []

    def start(lose: int = 0) -> FakePublisher:
        running.append(FakePublisher(lose))
        return running[-1]

    yield start
    for publisher in running:
        publisher.close()


def follow(market: MarketData, publisher: FakePublisher) -> None:
    """Poll until the book stands where the source stands."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        market.poll(0.05)
        book, source = market.book(SYMBOL), publisher.source
        levels_equal = (book.bids(), book.asks()) == (source.levels(1), source.levels(2))
        if market.ready and levels_equal and book.orders_seq >= source.previous["l3"]:
            return
    pytest.fail(f"the book never became equal: {market.counters}")


def test_book_becomes_and_stays_equal(publish: Callable[..., FakePublisher]) -> None:
    publisher = publish()
    publisher.step()
    with MarketData(
        publisher.feed, publisher.snapshots, [SYMBOL], ("l2", "l3", "bbo", "trade")
    ) as market:
        updates = market.wait_ready(10)
        assert sum(isinstance(update, Snapshot) for update in updates) == 1
        for _ in range(30):
            publisher.step()
        follow(market, publisher)
        assert list(market.orders(SYMBOL).orders(1)) == publisher.source.side_orders(1)
        assert market.instruments[SYMBOL].symbol == SYMBOL
        assert not market.stale


def test_book_recovers_from_losses(publish: Callable[..., FakePublisher]) -> None:
    publisher = publish(lose=4)
    with MarketData(publisher.feed, publisher.snapshots, channels=("l2", "l3")) as market:
        market.wait_ready(10)
        for _ in range(30):
            publisher.step()
        follow(market, publisher)
        assert market.counters.resends > 0


def test_updates_iterates_until_silence(publish: Callable[..., FakePublisher]) -> None:
    publisher = publish()
    with MarketData(publisher.feed, publisher.snapshots, [SYMBOL], ("l2",)) as market:
        market.wait_ready(10)
        # A subscription is in force some time after the call; a heartbeat proves it.
        while market.heartbeat is None:
            assert market.poll(5.0)
        publisher.step()
        publisher.step()
        for update in market.updates(5.0):
            if isinstance(update, DepthUpdate):
                break
        assert market.book(SYMBOL).seq >= update.seq  # type: ignore[union-attr]
        with pytest.raises(ValueError, match="l3"):
            market.orders(SYMBOL)
        with pytest.raises(KeyError):
            market.book("DOGE-USD")


def test_an_unknown_symbol_and_an_absent_publisher_are_reported(
    publish: Callable[..., FakePublisher],
) -> None:
    publisher = publish()
    with (
        MarketData(publisher.feed, publisher.snapshots, ["DOGE-USD"]) as market,
        pytest.raises(MarketDataError, match="DOGE-USD"),
    ):
        market.wait_ready(10)
    nowhere = f"tcp://127.0.0.1:{free_ports(1)[0]}"
    with (
        MarketData(nowhere, nowhere, [SYMBOL]) as market,
        pytest.raises(MarketDataError, match="is the publisher running") as absent,
    ):
        market.wait_ready(0.1)
    assert nowhere in absent.value.address
    assert not market.ready


@pytest.mark.parametrize(
    "call",
    [
        lambda market: market.wait_ready(),
        lambda market: market.poll(),
        lambda market: list(market.updates()),
        lambda market: market.__enter__(),
    ],
)
def test_closed_market_data_raises_closed(call: Callable[[MarketData], object]) -> None:
    feed, snapshots = (f"tcp://127.0.0.1:{port}" for port in free_ports(2))
    market = MarketData(feed, snapshots)
    market.close()
    market.close()
    with pytest.raises(ClientClosed, match=feed):
        call(market)


def until_heartbeat(market: MarketData) -> None:
    """A subscription is in force some time after the call; a heartbeat proves it."""
    market.wait_ready(10)
    while market.heartbeat is None:
        assert market.poll(5.0)


def test_messages_left_by_an_iterator_are_returned_next(
    publish: Callable[..., FakePublisher],
) -> None:
    publisher = publish()
    with MarketData(publisher.feed, publisher.snapshots, [SYMBOL], ("l3",)) as market:
        until_heartbeat(market)
        for _ in range(20):
            publisher.step()
        seen: list[int] = []
        while len(seen) < 20:
            for update in market.updates(10.0):
                if isinstance(update, OrdersUpdate):
                    seen.append(update.seq)
                    break
            seen += [each.seq for each in market.poll(0) if isinstance(each, OrdersUpdate)]
        assert seen == sorted(set(seen))
        assert seen[-1] == publisher.source.seq


def test_events_go_on_after_a_restart_of_the_publisher_and_have_its_gap(
    publish: Callable[..., FakePublisher],
) -> None:
    publisher = publish()
    with MarketData(publisher.feed, publisher.snapshots, [SYMBOL], ("l2", "l3", "trade")) as market:
        until_heartbeat(market)
        before = publisher.source.seq
        publisher.restart(missed=3)
        gaps: list[Gap] = []
        for event in market.events(10.0):
            if isinstance(event, Gap):
                gaps.append(event)
            if gaps and not publisher.source.sent["trade.BTC-USDT|"]:
                publisher.step()
            if len(gaps) == 2:
                break
        assert [(each.channel, each.first) for each in gaps] == [
            ("book", before + 1),
            ("trade", publisher.source.trade_id - 3),
        ]
        follow(market, publisher)


def test_events_end_after_a_silence_only_on_request(
    publish: Callable[..., FakePublisher],
) -> None:
    publisher = publish()
    with MarketData(publisher.feed, publisher.snapshots, [SYMBOL], ("l2",)) as market:
        until_heartbeat(market)
        list(market.events(0.05))
        assert list(market.events(0.05)) == []
        publisher.silent = True
        events = market.events()
        assert next(events) == FeedStale()
        publisher.silent = False
        assert next(events) == FeedLive()


def run_forever(market: MarketData) -> None:
    while True:
        market.run(10.0)


def test_run_calls_back_until_stopped_and_goes_on_behind_an_exception(
    publish: Callable[..., FakePublisher],
) -> None:
    publisher = publish()
    with MarketData(publisher.feed, publisher.snapshots, [SYMBOL], ("trade", "l2")) as market:
        books: list[int] = []

        @market.on_book
        def count(book: LocalBook) -> None:
            books.append(book.seq)
            if len(books) == 1:
                raise ZeroDivisionError
            market.stop()

        with pytest.raises(ZeroDivisionError):
            market.run(10.0)
        publisher.step()
        market.run(10.0)
        assert len(books) == 2
        market.run(0.05)

        async def asynchronous(book: LocalBook) -> None: ...

        market.on_book(asynchronous)
        publisher.step()
        with pytest.raises(TypeError, match="use AsyncMarketData"):
            run_forever(market)


def test_polled_updates_have_decimals_and_received_ones_do_not(
    publish: Callable[..., FakePublisher],
) -> None:
    publisher = publish()
    publisher.step()
    with MarketData(publisher.feed, publisher.snapshots, [SYMBOL], CHANNELS) as market:
        snapshot = next(each for each in market.wait_ready(10) if isinstance(each, Snapshot))
        assert isinstance(snapshot, crossbook.Snapshot)
        book = market.book(SYMBOL)
        assert snapshot.bid_levels == book.bid_levels()
        assert snapshot.ask_levels == book.ask_levels()
        assert book.best_bid == next(iter(snapshot.bid_levels), None)
        assert book.best_ask == next(iter(snapshot.ask_levels), None)
        while not market.ticker(SYMBOL):
            publisher.step()
            market.poll(0.05)
        ticker, state = market.ticker(SYMBOL), market.state(SYMBOL)
        assert ticker is not None
        assert ticker.last is not None
        assert state is not None
        assert state.state is InstrumentState.OPEN
        assert market.candles(SYMBOL)[60].symbol == SYMBOL
        publisher.step()
        while not (received := market.receive(5.0)):
            pass
        assert not any(isinstance(each, crossbook.DepthUpdate) for each in received)
