"""Random commands through engine and publisher to clients of the face: the books they keep with the
depth streams and snapshots equal the engine's at the same number, the trades are the engine's.

The publisher loses events and is restarted; the gateway loses messages of the feed; clients are
slow now and then, and read snapshots from either of two gateways.
"""

from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from crossbook.common.following.candles import SECOND_NS
from crossbook.common.following.feed_follower import FeedFollower
from crossbook.common.following.local_book import LocalBook
from crossbook.common.instruments import Instrument
from crossbook.common.messages.codec import (
    decode_events,
    decode_feed_reply,
    decode_matcher_reply,
    encode,
)
from crossbook.common.messages.events import TradeExecuted
from crossbook.common.messages.feed import Ticker
from crossbook.common.messages.history_queries import Candle
from crossbook.common.types import Side
from crossbook.gateway.binance.decimals import grid_of
from crossbook.gateway.binance.market import documents
from crossbook.gateway.binance.streams.route import StreamPaths
from crossbook.gateway.binance.streams.streams import FaceStreams
from crossbook.gateway.binance.symbols import face_symbol
from crossbook.publisher.feed import Feed
from crossbook.publisher.replica import PublisherReplica
from crossbook.publisher.snapshot_server import SnapshotServer
from tests.properties.market import INSTRUMENTS
from tests.publisher.test_replica import RandomMatcher
from tests.worlds.depth_clients import PublishedProcedure, Rows
from tests.worlds.stream_world import MS, FakeConnection

CHANNELS = ("l2", "bbo", "trade", "candle", "ticker", "state")


class Gateway:
    """A follower of the feed that loses messages, and the face's streams behind it."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.now_ns = SECOND_NS
        self.follower = FeedFollower((), CHANNELS)
        self.streams = FaceStreams(self, lambda *_: None)
        self.paths = StreamPaths(self.streams, lambda: ())

    def book(self, symbol: str) -> LocalBook | None:
        """The book, while it is complete."""
        known = self.follower.follows(symbol) and self.follower.is_live(symbol)
        return self.follower.book(symbol) if known else None

    def ticker(self, symbol: str) -> Ticker | None:
        """None."""

    def candles(self, symbol: str) -> dict[int, Candle]:
        """None."""
        return {}

    def receive(self, frames: Sequence[Any], server: SnapshotServer, lossy: float) -> None:
        """Apply messages of the feed, and let some time pass."""
        follower, random = self.follower, self.random
        self.now_ns += random.choice((1, 20, 150, 700)) * MS
        follower.on_time(self.now_ns)
        for topic, number, payload in frames:
            if random.random() >= lossy:
                follower.on_feed(topic, int.from_bytes(number, "big"), payload)
        for request in follower.drain_requests():
            follower.on_reply(decode_feed_reply(encode(server.answer(encode(request)))))
        self.streams.describe(follower.instruments)
        self.streams.apply(follower.drain_updates())
        for symbol in follower.instruments:
            self.streams.set_live(symbol, follower.is_live(symbol), "")
        self.work()

    def work(self) -> None:
        """Send what is due."""
        if self.streams.work(self.now_ns):
            while self.streams.send_slice():
                pass
            self.streams.written(0)

    def connect(self, name: str) -> FakeConnection:
        """A client of a stream."""
        client: Any = self.paths.find(f"/ws/{name}", "")
        return FakeConnection(client)


class Reader:
    """A client of one instrument's book and trades at a gateway; snapshots come from any."""

    def __init__(self, world: "FlowWorld", instrument: Instrument, pace: str) -> None:
        self.world = world
        self.instrument = instrument
        self.name = face_symbol(instrument.symbol).lower()
        self.gateway = world.random.choice(world.gateways)
        self.depth = self.gateway.connect(f"{self.name}@depth{pace}")
        self.tape = self.gateway.connect(f"{self.name}@trade")
        self.book = PublishedProcedure(self.snapshot)
        self.trades: list[dict[str, Any]] = []
        self.checked = 0

    def snapshot(self) -> dict[str, Any]:
        """The document of `GET depth` at a gateway that has the book."""
        gateways = [g for g in self.world.gateways if g.book(self.instrument.symbol) is not None]
        gateway = self.world.random.choice(gateways)
        book = gateway.book(self.instrument.symbol)
        assert book is not None
        number = gateway.streams.number_of(self.instrument.symbol, book)
        made = documents.depth(self.instrument, book, number, 5_000)
        return {"lastUpdateId": made.last_update_id, "bids": made.bids, "asks": made.asks}

    def turn(self) -> None:
        """Read, and be slow now and then."""
        random = self.world.random
        for connection in (self.depth, self.tape):
            assert connection.ended is None, connection.ended
            if connection.full:
                if random.random() < 0.3:
                    connection.drain()
            elif random.random() < 0.05:
                connection.full = True
        self.trades += self.tape.pop_messages()
        for event in self.depth.pop_messages():
            self.book.receive(event)
        can_begin = any(g.book(self.instrument.symbol) for g in self.world.gateways)
        if self.book.number is None and can_begin and random.random() < 0.2:
            self.book.begin()
        if self.book.number is not None:
            known = self.world.books.get((self.instrument.id, self.book.number))
            if known is not None:
                assert self.book.rows() == known, f"{self.name} at {self.book.number}"
                self.checked += 1


class FlowWorld:
    """Engine, publisher, two gateways and readers on one thread, from a seed."""

    def __init__(self, seed: int, lossy: float) -> None:
        self.random = Random(seed)
        self.lossy = lossy
        self.now_ns = 1_761_482_096 * SECOND_NS
        self.matcher = RandomMatcher(1, seed, 10**7)
        self.lives = 0
        self.restart()
        self.gateways = [Gateway(self.random), Gateway(self.random)]
        self.books: dict[tuple[int, int], tuple[Rows, Rows]] = {}
        self.trades: dict[int, list[TradeExecuted]] = {each.id: [] for each in INSTRUMENTS}

    def restart(self) -> None:
        """The publisher dies and begins anew."""
        self.lives += 1
        self.feed = Feed(INSTRUMENTS, self.lives << 30, resend_count=1_000)
        self.replica = PublisherReplica(self.feed)
        self.server = SnapshotServer(self.replica)

    def step(self) -> None:
        """Some commands, and a round of all processes."""
        random = self.random
        self.now_ns += random.choice((1, 30, 900)) * MS
        encoded = self.matcher.apply(random.choice((1, 2, 10)), self.now_ns)
        if encoded is not None:
            batch = decode_events(encoded)
            for event in batch.events:
                if isinstance(event, TradeExecuted):
                    self.trades[event.instrument].append(event)
            self._note_books(batch.last_seq)
            if random.random() >= self.lossy / 3:
                self.replica.receive(batch)
        wanted = self.replica.next_request(self.now_ns)
        if wanted is not None:
            reply = encode(self.matcher.sequencer.answer(wanted))
            self.replica.receive_reply(decode_matcher_reply(reply))
        frames = self.feed.publish()
        if random.random() < 0.2:
            frames.append(self.feed.heartbeat(0))
        for gateway in self.gateways:
            gateway.receive(frames, self.server, self.lossy)

    def _note_books(self, seq: int) -> None:
        """The engine's books, as text, at a number."""
        for instrument in INSTRUMENTS:
            state = self.matcher.engine.book_state(instrument.id)
            rows: list[Rows] = []
            for side, orders in ((Side.BUY, state.bids), (Side.SELL, state.asks)):
                levels: dict[int, int] = {}
                for order in orders:
                    lots = levels.get(order.price_ticks, 0) + order.shown_lots
                    levels[order.price_ticks] = lots
                ordered = sorted(levels.items(), reverse=side == Side.BUY)
                grid = grid_of(instrument)
                rows.append([(grid.price.text(p), grid.quantity.text(q)) for p, q in ordered])
            self.books[instrument.id, seq] = (rows[0], rows[1])


@pytest.mark.parametrize("lossy", [0.0, 0.2])
@pytest.mark.parametrize("seed", range(6))
def test_books_and_trades_of_clients_are_the_engines(seed: int, lossy: float) -> None:
    world = FlowWorld(seed, lossy)
    for _ in range(20):
        world.step()
    readers = [Reader(world, each, pace) for each in INSTRUMENTS for pace in ("@100ms", "")]
    for turn in range(250):
        world.step()
        if lossy and turn == 120:
            world.restart()
        for reader in readers:
            reader.turn()
    world.lossy = 0.0
    for reader in readers:
        for connection in (reader.depth, reader.tape):
            if connection.full:
                connection.drain()
    for _ in range(60):
        world.now_ns += SECOND_NS
        world.step()
        for reader in readers:
            reader.turn()
    for reader in readers:
        reader.tape.full = False
        reader.tape.channel.drained(reader.tape)
        reader.turn()
        assert reader.checked > 30
        engine = {each.trade_id: each for each in world.trades[reader.instrument.id]}
        ids = [each["t"] for each in reader.trades]
        assert ids == sorted(set(ids))
        if not lossy:
            assert ids == list(range(ids[0], ids[-1] + 1)) if ids else True
        grid = grid_of(reader.instrument)
        for each in reader.trades:
            trade = engine[each["t"]]
            assert each["p"] == grid.price.text(trade.price_ticks)
            assert each["q"] == grid.quantity.text(trade.quantity_lots)
            assert each["m"] == (trade.aggressor_side == Side.SELL)
    assert sum(len(reader.trades) for reader in readers) > 100
