"""Candles and ticker on the feed equal those of the trades on the feed, under any loss or restart.

Random commands go through the real engine. The publisher loses batches, is restarted, and loses its
books; the recorder is late or away, and comes back. A follower that loses messages of the feed ends
with the latest candles, and has received every ended candle right.
"""

from itertools import pairwise
from random import Random

import pytest

from crossbook.common.following.feed_follower import FeedFollower
from crossbook.common.following.feed_topic import RETRY_NS
from crossbook.common.messages.codec import (
    decode_events,
    decode_feed_reply,
    decode_matcher_reply,
    encode,
)
from crossbook.common.messages.events import EventBatch, TradeExecuted
from crossbook.common.messages.feed import Candles, Ticker, Trade, Trades
from crossbook.common.messages.history_queries import CANDLE_INTERVALS_S, Candle
from crossbook.common.messages.matcher_queries import Books
from crossbook.publisher.backfill import Backfill, Finding
from crossbook.publisher.feed import Feed
from crossbook.publisher.replica import PublisherReplica
from crossbook.publisher.snapshot_server import SnapshotServer
from tests.properties.market import INSTRUMENTS
from tests.publisher.test_replica import RandomMatcher
from tests.worlds.plain_recorder import PlainRecorder, plain_candles, plain_latest

MS = 1_000_000
SECOND_NS = 1_000 * MS
START_NS = 1_761_436_800_000_000_000 - 30 * SECOND_NS
CHANNELS = ("trade", "candle", "ticker")


class Publisher:
    """One life of a publisher, with its unanswered questions to the recorder."""

    def __init__(self, base: int) -> None:
        self.feed = Feed(INSTRUMENTS, base, resend_count=1_000)
        self.replica = PublisherReplica(self.feed)
        self.past = Backfill(self.feed)
        self.loaded_ns = 0
        self.server = SnapshotServer(self.replica)


class CandleWorld:
    """Matcher, recorder, publisher and follower on one thread, from a seed."""

    def __init__(self, seed: int, lossy: float) -> None:
        self.random = Random(seed)
        self.lossy = lossy
        self.now_ns = START_NS
        self.matcher = RandomMatcher(1, seed, 10**7)
        self.incarnation = self.matcher.sequencer.incarnation
        self.recorders = {
            each.id: PlainRecorder(each.notional_per_tick_lot, self.incarnation)
            for each in INSTRUMENTS
        }
        self.recorder_is_there = True
        self.trades: dict[int, list[Trade]] = {each.id: [] for each in INSTRUMENTS}
        self.lives = self.compared = 0
        # Symbol -> times of books with which a publisher began without a record.
        self.alone_ns: dict[str, list[int]] = {each.symbol: [] for each in INSTRUMENTS}
        self.publisher = self.restart()
        self.follower = FeedFollower([each.symbol for each in INSTRUMENTS], CHANNELS)
        self.candles_received: dict[str, dict[tuple[int, int], Candle]] = {}
        self.trades_received: dict[str, list[Trade]] = {each.symbol: [] for each in INSTRUMENTS}
        self._unrecorded: list[EventBatch] = []

    def restart(self) -> Publisher:
        """End the publisher, and start another one."""
        self.lives += 1
        self.publisher = Publisher(self.lives << 30)
        return self.publisher

    def step(self) -> None:
        """Apply some commands, and run a round of all processes."""
        random = self.random
        self.now_ns += random.choice((1, 30, 200, 900, 3_000, 70_000)) * MS
        encoded = self.matcher.apply(random.choice((1, 2, 10)), self.now_ns)
        batches = [encoded] if encoded is not None else []
        if random.random() < 0.3:
            batches.append(self.matcher.sequencer.heartbeat(self.now_ns))
        for payload in batches:
            self._note(decode_events(payload))
            if random.random() >= self.lossy / 3:
                self.publisher.replica.receive(decode_events(payload))
        self.round()
        if random.random() < 0.6:
            self.record()

    def record(self) -> None:
        """Let the recorder apply new events."""
        for batch in self._unrecorded:
            for instrument, trades in _trades_of(batch).items():
                self.recorders[instrument].record(batch.last_seq, instrument, trades)
            for recorder in self.recorders.values():
                recorder.seq = max(recorder.seq, batch.last_seq)
        self._unrecorded.clear()

    def round(self) -> None:
        """Run the body of the publisher's loop, and deliver its messages to the follower."""
        publisher = self.publisher
        request = publisher.replica.next_request(self.now_ns)
        if request is not None:
            reply = encode(self.matcher.sequencer.answer(request))
            loads = publisher.feed.loads
            publisher.replica.receive_reply(decode_matcher_reply(reply))
            if publisher.feed.loads != loads:
                publisher.loaded_ns = self.now_ns
        frames = publisher.feed.publish()
        questions = publisher.past.next_questions(self.now_ns)
        if questions and not self.recorder_is_there:
            publisher.past.not_sent(questions, self.now_ns)
            questions = []
        for question in questions:
            answer = self.recorders[question.instrument].answer(question)
            publisher.past.receive(answer, self.now_ns)
        for note in publisher.past.drain_notes():
            if note.finding is Finding.ALONE:
                for symbol in note.symbols:
                    self.alone_ns[symbol].append(publisher.loaded_ns)
        frames += publisher.feed.publish_statistics(self.now_ns)
        if self.random.random() < 0.1:
            frames.append(publisher.feed.heartbeat(0))
        for topic, number, payload in frames:
            if topic.startswith(b"state."):
                # No follower here subscribes to it.
                continue
            if self.random.random() >= self.lossy:
                self.follower.on_feed(topic, int.from_bytes(number, "big"), payload)
        self.follow()

    def follow(self) -> None:
        """Answer the requests of the follower."""
        self.follower.on_time(self.now_ns)
        for request in self.follower.drain_requests():
            if self.random.random() >= self.lossy:
                reply = encode(self.publisher.server.answer(encode(request)))
                self.follower.on_reply(decode_feed_reply(reply))
        for update in self.follower.drain_updates():
            if isinstance(update, Trades):
                self.trades_received[update.symbol] += update.trades
            elif isinstance(update, Candles):
                candles_received = self.candles_received.setdefault(update.symbol, {})
                candles_received |= {
                    (each.interval_s, each.open_ns): each for each in update.candles
                }

    def settle(self) -> None:
        """End all losses, and run all processes until nothing is on its way."""
        self.lossy, self.recorder_is_there = 0.0, True
        for _ in range(60):
            self.now_ns += 4 * RETRY_NS
            heartbeat = decode_events(self.matcher.sequencer.heartbeat(self.now_ns))
            self.publisher.replica.receive(heartbeat)
            self.record()
            self.round()
            self.follower.on_feed(b"heartbeat|", 1, self.publisher.feed.heartbeat(0)[2])
            self.follow()
        assert self.follower.ready
        assert self.publisher.feed.seq == self.matcher.engine.seq

    def check(self) -> None:
        """Assert that every follower ends with the candles of all trades, and received every ended
        candle right."""
        for instrument in INSTRUMENTS:
            trades, notional = self.trades[instrument.id], instrument.notional_per_tick_lot
            latest = self.follower.candles(instrument.symbol)
            assert list(latest.values()) == plain_latest(trades, notional)
            ticker = self.follower.ticker(instrument.symbol)
            assert isinstance(ticker, Ticker)
            inside = [each for each in trades if each.time_ns >= ticker.open_ns]
            assert ticker.trades == len(inside)
            assert ticker.volume_lots == sum(each.quantity_lots for each in inside)
            assert ticker.high_ticks == max((each.price_ticks for each in inside), default=0)
            assert (ticker.last_ticks, ticker.last_lots) == _last(trades)
            candles_received = self.candles_received.get(instrument.symbol, {})
            for interval_s in CANDLE_INTERVALS_S:
                truth = {each.open_ns: each for each in plain_candles(trades, interval_s, notional)}
                listed = [
                    candles_received[place]
                    for place in sorted(candles_received)
                    if place[0] == interval_s
                ]
                for candle, later in pairwise(listed):
                    end_ns = candle.open_ns + interval_s * SECOND_NS
                    # The candle of a time at which a publisher began alone lacks trades.
                    is_part = any(
                        candle.open_ns <= alone_ns < end_ns
                        for alone_ns in self.alone_ns[instrument.symbol]
                    )
                    # Whether an ended candle was received to its end shows in the one after it.
                    if later.first_trade_id == candle.last_trade_id + 1 and not is_part:
                        assert truth[candle.open_ns] == candle
                        self.compared += 1

    def _note(self, batch: EventBatch) -> None:
        for instrument, trades in _trades_of(batch).items():
            self.trades[instrument] += trades
        self._unrecorded.append(batch)


def _trades_of(batch: EventBatch) -> dict[int, list[Trade]]:
    found: dict[int, list[Trade]] = {}
    for event in batch.events:
        if isinstance(event, TradeExecuted):
            found.setdefault(event.instrument, []).append(
                Trade(
                    seq=event.seq,
                    trade_id=event.trade_id,
                    price_ticks=event.price_ticks,
                    quantity_lots=event.quantity_lots,
                    aggressor_side=event.aggressor_side,
                    maker_order_id=event.maker_order_id,
                    taker_order_id=event.taker_order_id,
                    time_ns=batch.time_ns,
                )
            )
    return found


def _last(trades: list[Trade]) -> tuple[int, int]:
    return (trades[-1].price_ticks, trades[-1].quantity_lots) if trades else (0, 0)


@pytest.mark.parametrize("seed", range(4))
def test_candles_of_the_feed_are_those_of_its_trades(seed: int) -> None:
    world = CandleWorld(seed, lossy=0.0)
    while not world.follower.ready:
        world.round()
    for _ in range(250):
        world.step()
    world.settle()
    world.check()
    assert sum(map(len, world.trades.values())) > 90
    for instrument in INSTRUMENTS:
        trades_received, candles_received = (
            world.trades_received[instrument.symbol],
            world.candles_received.get(instrument.symbol, {}),
        )
        assert trades_received == world.trades[instrument.id]
        for interval_s in CANDLE_INTERVALS_S:
            sent = [
                candles_received[place]
                for place in sorted(candles_received)
                if place[0] == interval_s
            ]
            notional = instrument.notional_per_tick_lot
            assert sent == plain_candles(trades_received, interval_s, notional), (
                "an ended one is missing"
            )


@pytest.mark.parametrize("seed", range(8))
def test_losses_and_restarts_leave_no_wrong_candle(seed: int) -> None:
    world = CandleWorld(100 + seed, lossy=0.25)
    for n in range(300):
        if n % 90 == 60:
            world.restart()
        world.step()
    world.settle()
    world.check()
    assert world.lives == 4
    assert world.compared > 50
    assert world.follower.counters.restarts


@pytest.mark.parametrize("seed", range(4))
def test_a_recorder_that_appears_late_mends_candles_begun_without_it(seed: int) -> None:
    world = CandleWorld(200 + seed, lossy=0.1)
    for n in range(200):
        if n == 100:
            world.restart()
            world.recorder_is_there = False
            world.candles_received.clear()
        world.step()
    known = [market.statistics.known for market in world.publisher.feed.markets.values()]
    whole = [market.statistics.whole for market in world.publisher.feed.markets.values()]
    assert all(known)
    assert not any(whole)
    world.candles_received.clear()
    world.settle()
    for instrument in INSTRUMENTS:
        latest = world.follower.candles(instrument.symbol)
        notional = instrument.notional_per_tick_lot
        assert list(latest.values()) == plain_latest(world.trades[instrument.id], notional)


def test_books_lost_with_trades_in_between_are_filled_from_the_record() -> None:
    world = CandleWorld(7, lossy=0.0)
    for _ in range(60):
        world.step()
    feed = world.publisher.feed
    before = [market.statistics.last_trade_id for market in feed.markets.values()]
    # Batches the publisher never receives, and books that contain them.
    for _ in range(80):
        world.now_ns += SECOND_NS
        encoded = world.matcher.apply(5, world.now_ns)
        assert encoded is not None
        world._note(decode_events(encoded))
    books = Books(
        request_id=1,
        incarnation=world.incarnation,
        seq=world.matcher.engine.seq,
        time_ns=world.now_ns,
        books=list(world.matcher.books().values()),
    )
    world.publisher.replica._follower.reset(world.incarnation, books.seq)
    feed.load(books)
    missed = [market.last_trade_id for market in feed.markets.values()]
    assert missed != before
    assert not all(market.statistics.known for market in feed.markets.values())
    world.settle()
    world.check()
