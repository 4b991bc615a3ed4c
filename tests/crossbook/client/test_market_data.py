"""Market data over real sockets, from a publisher of one thread. The rules are tested in
`test_local_book`."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest
import zmq

from crossbook import ClientClosed, MarketData, MarketDataError
from crossbook.common.messages.codec import decode_feed_request, encode
from crossbook.common.messages.feed import DepthUpdate, Snapshot
from crossbook.common.process import sockets
from tests.system.exchange import free_ports
from tests.worlds.feed_source import SYMBOL, FeedSource, Frames


class FakePublisher:
    """Publishes a source's frames on real sockets; loses every `lose`-th of them."""

    def __init__(self, lose: int = 0) -> None:
        self.feed = f"tcp://127.0.0.1:{free_ports(1)[0]}"
        self.snapshots = f"tcp://127.0.0.1:{free_ports(1)[0]}"
        self.source = FeedSource(seed=4)
        self.lock = threading.Lock()
        self._lose = lose
        self._count = 0
        self._stop = threading.Event()
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._pub = sockets.feed_pub(self._context, self.feed)
        self._router = sockets.snapshots_router(self._context, self.snapshots)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def step(self) -> None:
        """Publish one change of the source."""
        with self.lock:
            for frame in self.source.step():
                self._count += 1
                if not self._lose or self._count % self._lose:
                    self._publish(frame)

    def close(self) -> None:
        self._stop.set()
        self._thread.join(5)
        self._pub.close()
        self._router.close()
        self._context.term()

    def _publish(self, frame: Frames) -> None:
        name, seq, payload = frame
        self._pub.send_multipart([name, seq.to_bytes(8, "big"), payload])

    def _serve(self) -> None:
        while not self._stop.is_set():
            ready = self._router.poll(20)
            with self.lock:
                if ready:
                    identity, payload = self._router.recv_multipart()
                    reply = self.source.answer(decode_feed_request(payload))
                    self._router.send_multipart([identity, encode(reply)])
                else:
                    self._publish(self.source.heartbeat())


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
        pytest.raises(MarketDataError, match="is the publisher running"),
    ):
        market.wait_ready(0.1)
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
