"""The publisher's book equals the matcher's over any network between them.

Random commands go through the real engine and sequencer. Event batches and answers are lost,
doubled, delayed and reordered; the matcher restarts without its resend buffer. After every
publishing the books are compared with those of the engine at that sequence number, order by order.
Two consumers rebuild theirs from the messages; one of them loses some.
"""

from collections import deque
from random import Random

import pytest

from crossbook.common.messages.codec import (
    decode_events,
    decode_feed,
    decode_matcher_query,
    decode_matcher_reply,
    encode,
)
from crossbook.common.messages.commands import AddInstrument, Command, SetInstrumentState
from crossbook.common.messages.events import EventBatch, OrderCanceled
from crossbook.common.messages.feed import Heartbeat
from crossbook.common.messages.matcher_queries import Books, BooksRequest, BookState, ResendRequest
from crossbook.common.types import Side
from crossbook.matcher.engine.engine import Engine
from crossbook.matcher.resend_buffer import EventResendBuffer
from crossbook.matcher.sequencer import Sequencer
from crossbook.publisher.feed import Feed
from crossbook.publisher.replica import BOOKS_AGAIN_NS, RESEND_AGAIN_NS, Lost, PublisherReplica
from crossbook.publisher.snapshot_server import SnapshotServer
from tests.properties.generator import StepGenerator
from tests.properties.market import INSTRUMENTS
from tests.worlds.consumer import FeedConsumer
from tests.worlds.forgetful_log import ForgetfulLog

MS = 1_000_000
BASE = 1_000


class RandomMatcher:
    """The engine, its sequencer, and endless random commands for it."""

    def __init__(self, incarnation: int, seed: int, resend_bytes: int) -> None:
        self.engine = Engine(INSTRUMENTS)
        self.sequencer = Sequencer(
            self.engine, ForgetfulLog(incarnation), EventResendBuffer(resend_bytes)
        )
        # Without call phases, in which books are crossed, and with the instruments there are.
        self._commands = (
            command
            for _, command, _ in StepGenerator(seed).steps(10**9)
            if not isinstance(command, AddInstrument | SetInstrumentState)
        )

    def apply(self, count: int, now_ns: int) -> bytes | None:
        """The encoded batch of `count` more commands."""
        commands: list[Command] = [next(self._commands) for _ in range(count)]
        return self.sequencer.apply([encode(commands)], now_ns)

    def books(self) -> dict[int, BookState]:
        """Every book of the engine."""
        return {instrument: self.engine.book_state(instrument) for instrument in self.engine.books}


class Simulation:
    """Matcher, faulty network, publisher and consumers on one thread, from a seed."""

    def __init__(self, seed: int, faults: float, resend_bytes: int = 10**7) -> None:
        self.random = Random(seed)
        self.faults = faults
        self.resend_bytes = resend_bytes
        self.now_ns = 0
        self.matcher = RandomMatcher(1, seed, resend_bytes)
        self.feed = Feed(INSTRUMENTS, BASE, resend_count=20)
        self.replica = PublisherReplica(self.feed)
        server = SnapshotServer(self.replica)
        self.consumers = [FeedConsumer(i, BASE, server.answer) for i in INSTRUMENTS]
        self.lossy = [FeedConsumer(i, BASE, server.answer) for i in INSTRUMENTS]
        self.losses: set[Lost] = set()
        self.compared = 0
        self._outage = 0
        self._events: deque[bytes] = deque()
        self._replies: deque[bytes] = deque()
        self._truth = {(1, 0): self.matcher.books()}

    def step(self) -> None:
        """Apply a few commands, deliver some messages, and perhaps publish."""
        random = self.random
        self.now_ns += random.choice((1, 20, 90)) * MS
        batch = self.matcher.apply(random.choice((1, 1, 2, 5, 20)), self.now_ns)
        self._truth[(self.matcher.sequencer.incarnation, self.matcher.engine.seq)] = (
            self.matcher.books()
        )
        if batch is not None:
            self._send(self._events, batch)
        if random.random() < 0.1:
            self._send(self._events, self.matcher.sequencer.heartbeat(self.now_ns))
        self.deliver()
        if random.random() < 0.4:
            self.publish()

    def restart_matcher(self) -> None:
        """Start another matcher with empty books; messages of the old one may still arrive."""
        incarnation = self.matcher.sequencer.incarnation + 1
        self.matcher = RandomMatcher(incarnation, self.random.randrange(10**6), self.resend_bytes)
        self._truth[(incarnation, 0)] = self.matcher.books()

    def deliver(self) -> None:
        """Let the publisher receive some of the waiting messages, and send its request."""
        for queue in (self._events, self._replies):
            for _ in range(self.random.choice((0, 1, 3, len(queue)))):
                if not queue:
                    break
                late = self.random.random() < self.faults and len(queue) > 1
                index = self.random.randrange(len(queue)) if late else 0
                payload = queue[index]
                del queue[index]
                if queue is self._events:
                    self.replica.receive(decode_events(payload))
                else:
                    self.replica.receive_reply(decode_matcher_reply(payload))
        if self.replica.lost is not None:
            self.losses.add(self.replica.lost)
        query = self.replica.next_request(self.now_ns)
        if query is not None:
            if self.random.random() < self.faults:
                self.replica.not_sent()
                return
            request = decode_matcher_query(encode(query))
            self._send(self._replies, encode(self.matcher.sequencer.answer(request)))

    def publish(self) -> None:
        """Publish, and compare all books with those of the engine at that sequence number.

        The lossy consumers miss single messages, and now and then hundreds.
        """
        for frames in self.feed.publish():
            for consumer in self.consumers:
                consumer.apply(frames)
            if self._outage:
                self._outage -= 1
            elif self.random.random() >= self.faults:
                for consumer in self.lossy:
                    consumer.apply(frames)
        if self.random.random() < self.faults / 10:
            self._outage = 200
        if self.replica.incarnation:
            truth = self._truth[(self.replica.incarnation, self.feed.seq)]
            for consumer in self.consumers:
                consumer.check_settled()
            self._compare(truth, self.consumers)
            self.compared += 1

    def settle(self) -> None:
        """End all faults, and assert that every publisher reaches the books of the matcher."""
        self.faults = 0.0
        for _ in range(1_000):
            self.now_ns += 100 * MS
            self._send(self._events, self.matcher.sequencer.heartbeat(self.now_ns))
            self.deliver()
            self.publish()
            if self.arrived():
                break
        assert self.arrived(), (self.replica.lost, self.feed.seq, self.matcher.engine.seq)
        heartbeat = decode_feed(self.feed.heartbeat(0)[2])
        assert isinstance(heartbeat, Heartbeat)
        for consumer in self.lossy:
            consumer.receive_heartbeat(heartbeat)
            consumer.check_settled()
        self._compare(self.matcher.books(), self.lossy)

    def arrived(self) -> bool:
        """Whether the publisher has applied every command of the matcher."""
        sequencer = self.matcher.sequencer
        mine = (self.replica.lost, self.replica.incarnation, self.feed.seq)
        return mine == (None, sequencer.incarnation, sequencer.seq)

    def _send(self, queue: deque[bytes], payload: bytes) -> None:
        fault = self.random.random()
        if fault >= self.faults / 2:
            queue.append(payload)
        if fault >= 1 - self.faults / 2:
            queue.append(payload)

    def _compare(self, truth: dict[int, BookState], consumers: list[FeedConsumer]) -> None:
        for consumer, (instrument, book) in zip(consumers, truth.items(), strict=True):
            bids = [(o.order_id, o.price_ticks, o.shown_lots) for o in book.bids]
            asks = [(o.order_id, o.price_ticks, o.shown_lots) for o in book.asks]
            market = self.feed.markets[instrument]
            assert market.orders() == (bids, asks)
            assert list(consumer.book.orders(Side.BUY)) == bids
            assert list(consumer.book.orders(Side.SELL)) == asks
            assert market.last_trade_id == book.last_trade_id


@pytest.mark.parametrize("seed", range(4))
def test_without_faults_books_and_all_trades_arrive(seed: int) -> None:
    simulation = Simulation(seed, faults=0.0)
    for _ in range(250):
        simulation.step()
    simulation.settle()
    assert simulation.losses == {Lost.STARTED}
    assert simulation.compared > 50
    for consumer, book in zip(
        simulation.consumers, simulation.matcher.books().values(), strict=True
    ):
        ids = [trade.trade_id for trade in consumer.trades]
        assert ids == list(range(book.last_trade_id - len(ids) + 1, book.last_trade_id + 1))
        assert not consumer.snapshots
        assert not consumer.ranges


@pytest.mark.parametrize("seed", range(12))
def test_lost_doubled_and_reordered_batches_are_mended(seed: int) -> None:
    simulation = Simulation(seed, faults=0.3)
    for _ in range(250):
        simulation.step()
    simulation.settle()
    assert simulation.losses == {Lost.STARTED}, f"seed {seed}"
    assert simulation.compared > 20
    for consumer in simulation.consumers:
        ids = [trade.trade_id for trade in consumer.trades]
        assert ids == list(range(ids[0], ids[0] + len(ids)))


def restarting(seed: int) -> Simulation:
    """A settled simulation whose matcher keeps few batches and restarted a few times."""
    simulation = Simulation(seed, faults=0.3, resend_bytes=800)
    for n in range(400):
        if n % 130 == 129:
            simulation.restart_matcher()
        simulation.step()
    simulation.settle()
    return simulation


@pytest.mark.parametrize("seed", range(12))
def test_a_matcher_that_drops_batches_and_restarts_is_followed(seed: int) -> None:
    simulation = restarting(seed)
    assert simulation.compared > 20, f"seed {seed}"
    assert not sum(consumer.snapshots for consumer in simulation.consumers)


def test_the_simulation_reaches_every_kind_of_recovery() -> None:
    simulations = [restarting(seed) for seed in range(100, 106)]
    losses = set().union(*(simulation.losses for simulation in simulations))
    assert losses == {Lost.STARTED, Lost.MATCHER_RESTARTED, Lost.RESEND_TOO_OLD}
    lossy = [consumer for simulation in simulations for consumer in simulation.lossy]
    assert sum(consumer.snapshots for consumer in lossy)
    assert sum(consumer.ranges for consumer in lossy)


def started(seed: int = 1) -> tuple[PublisherReplica, RandomMatcher]:
    """A replica that stands at sequence zero of a new matcher."""
    replica, matcher = PublisherReplica(Feed(INSTRUMENTS, BASE, 100)), RandomMatcher(1, seed, 10**7)
    request = replica.next_request(0)
    assert request == BooksRequest(1)
    replica.receive_reply(matcher.sequencer.answer(request))
    return replica, matcher


def lost(replica: PublisherReplica) -> Lost | None:
    """`replica.lost`, read again: a type checker assumes that an attribute does not change by
    itself."""
    return replica.lost


def test_books_are_requested_until_they_come() -> None:
    replica = PublisherReplica(Feed(INSTRUMENTS, BASE, 100))
    assert replica.next_request(0) == BooksRequest(1)
    assert replica.next_request(BOOKS_AGAIN_NS - 1) is None
    assert replica.next_request(BOOKS_AGAIN_NS) == BooksRequest(2)
    replica.not_sent()
    assert replica.next_request(BOOKS_AGAIN_NS) == BooksRequest(3)
    replica.receive_reply(Books(request_id=1, incarnation=7, seq=40, time_ns=0, books=[]))
    assert replica.next_request(9 * BOOKS_AGAIN_NS) is None
    assert (lost(replica), replica.incarnation, replica.feed.seq) == (None, 7, 40)


def test_a_hole_is_requested_once_an_interval() -> None:
    replica, _ = started()
    replica.receive(EventBatch(incarnation=1, first_seq=5, last_seq=6, time_ns=0, events=[]))
    assert replica.next_request(0) == ResendRequest(
        request_id=2, incarnation=1, from_seq=1, to_seq=4
    )
    assert replica.next_request(RESEND_AGAIN_NS - 1) is None
    assert replica.next_request(RESEND_AGAIN_NS) == ResendRequest(
        request_id=3, incarnation=1, from_seq=1, to_seq=4
    )


def test_broken_events_are_mended_with_the_matchers_books() -> None:
    replica, matcher = started()
    batch = matcher.apply(30, 0)
    assert batch is not None
    replica.receive(decode_events(batch))
    seq = matcher.engine.seq
    lie = OrderCanceled(
        seq=seq + 1,
        gateway=0,
        request_seq=0,
        account=1,
        instrument=INSTRUMENTS[0].id,
        order_id=10**9,
        side=1,
        price_ticks=5,
        canceled_lots=5,
        filled_lots=0,
    )
    replica.receive(
        EventBatch(incarnation=1, first_seq=seq + 1, last_seq=seq + 1, time_ns=0, events=[lie])
    )
    assert lost(replica) is Lost.STREAM_BROKEN
    assert str(10**9) in replica.fault
    before = replica.feed.seq
    replica.receive(
        EventBatch(incarnation=1, first_seq=seq + 2, last_seq=seq + 2, time_ns=0, events=[])
    )
    assert replica.feed.seq == before
    matcher.apply(30, 0)
    request = replica.next_request(BOOKS_AGAIN_NS)
    assert isinstance(request, BooksRequest)
    replica.receive_reply(matcher.sequencer.answer(request))
    assert (lost(replica), replica.feed.seq) == (None, matcher.engine.seq)


def test_a_resend_of_an_earlier_incarnation_is_not_applied() -> None:
    replica, matcher = started()
    matcher.apply(3, 0)
    late = matcher.sequencer.answer(
        ResendRequest(request_id=1, incarnation=1, from_seq=1, to_seq=3)
    )
    replica.receive(EventBatch(incarnation=2, first_seq=1, last_seq=0, time_ns=0, events=[]))
    assert replica.next_request(BOOKS_AGAIN_NS) == BooksRequest(2)
    replica.receive_reply(Books(request_id=2, incarnation=2, seq=0, time_ns=0, books=[]))
    replica.receive_reply(late)
    assert (lost(replica), replica.incarnation, replica.feed.seq) == (None, 2, 0)


def test_books_requested_before_the_loss_are_not_applied() -> None:
    replica, _ = started()
    replica.receive(EventBatch(incarnation=2, first_seq=1, last_seq=1, time_ns=0, events=[]))
    assert lost(replica) is Lost.MATCHER_RESTARTED
    replica.receive_reply(Books(request_id=1, incarnation=1, seq=0, time_ns=0, books=[]))
    assert lost(replica) is Lost.MATCHER_RESTARTED
    assert replica.next_request(BOOKS_AGAIN_NS) == BooksRequest(2)
    replica.receive_reply(Books(request_id=2, incarnation=2, seq=0, time_ns=0, books=[]))
    assert (lost(replica), replica.incarnation, replica.feed.seq) == (None, 2, 1)
