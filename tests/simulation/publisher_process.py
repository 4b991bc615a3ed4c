"""The publisher's shell without sockets, and consumers of its feed, over a fake network."""

from typing import Final

from crossbook.common.following.feed_follower import HELD_MAX, FeedFollower
from crossbook.common.messages.codec import (
    decode_events,
    decode_feed_reply,
    decode_matcher_reply,
    encode,
)
from crossbook.common.sequence import base_at
from crossbook.publisher.backfill import Backfill
from crossbook.publisher.feed import Feed
from crossbook.publisher.replica import PublisherReplica
from crossbook.publisher.snapshot_server import SnapshotServer
from tests.simulation.conditions import INSTRUMENTS, RunConditions
from tests.simulation.matcher_process import MatcherProcess
from tests.simulation.network import Network, Plug, Port
from tests.simulation.process import ROUND_MAX_NS, SimulatedProcess
from tests.simulation.world import MICROSECOND, MILLISECOND, SimulatedWorld, require

DRAIN_BATCHES: Final = 256
REQUESTS_MAX: Final = 4
HEARTBEAT_NS: Final = 250 * MILLISECOND
FEED_DRAIN_MAX: Final = 2_000


class PublisherProcess(SimulatedProcess):
    """One publisher, which runs the rounds of its service."""

    replica: PublisherReplica
    past: Backfill
    server: SnapshotServer

    def __init__(
        self,
        world: SimulatedWorld,
        network: Network,
        conditions: RunConditions,
        matcher: MatcherProcess,
    ) -> None:
        super().__init__(world, network, "publisher")
        capacity = conditions.pipe_capacity
        self.public = Port(network, self, "feed", capacity, harsh_down=conditions.harshness)
        self.requests = Port(network, self, "snapshots", capacity)
        self._events = Plug(network, self, matcher.events)
        self._queries = Plug(network, self, matcher.queries)
        self._conditions = conditions
        self._heartbeat_at = self._received_ns = 0

    def boot(self) -> bool:
        """Begin with an empty memory."""
        feed = Feed(INSTRUMENTS, base_at(self.clock.now_ns()), self._conditions.feed_history)
        self.replica = PublisherReplica(feed)
        self.past = Backfill(feed)
        self.server = SnapshotServer(self.replica)
        self._heartbeat_at = self._received_ns = self.world.now_ns
        return True

    def round(self) -> int:
        """Run the body of the service's loop."""
        replica = self.replica
        payloads = self._events.receive(DRAIN_BATCHES)
        for payload in payloads:
            replica.receive(decode_events(payload))
        replies = self._queries.receive(1)
        for reply in replies:
            replica.receive_reply(decode_matcher_reply(reply))
        if payloads or replies:
            self._received_ns = self.world.now_ns
            self.point()
            for frames in replica.feed.publish():
                self.public.publish(frames)
                self.point()
        now_ns = self.world.now_ns
        query = replica.next_request(now_ns)
        if query is not None:
            self.world.trace(self.name, f"requests {query}")
            if not self._queries.send(encode(query)):
                replica.not_sent()
        # Without a recorder, unknown statistics begin empty after a while.
        self.past.not_sent(self.past.next_questions(now_ns), now_ns)
        for frames in replica.feed.publish_statistics(now_ns):
            self.public.publish(frames)
            self.point()
        requests = self.requests.receive(REQUESTS_MAX)
        for identity, request in requests:
            self.requests.send(identity, encode(self.server.answer(request)))
        if now_ns >= self._heartbeat_at:
            self.public.publish(replica.feed.heartbeat(now_ns - self._received_ns))
            self._heartbeat_at = now_ns + HEARTBEAT_NS
        require(not replica.fault, f"the publisher refuses an event: {replica.fault}")
        if payloads or replies or requests:
            return now_ns + MICROSECOND
        return min(now_ns + ROUND_MAX_NS, self._heartbeat_at)


class ConsumerProcess(SimulatedProcess):
    """One consumer of the public feed, as `crossbook.client.market_data` runs it."""

    follower: FeedFollower

    def __init__(
        self,
        world: SimulatedWorld,
        network: Network,
        number: int,
        publisher: PublisherProcess,
        channels: tuple[str, ...],
    ) -> None:
        super().__init__(world, network, f"consumer-{number}")
        self._channels = channels
        self._feed = Plug(network, self, publisher.public)
        self._requests = Plug(network, self, publisher.requests, queues=True)
        self.epochs: list[int] = []

    def boot(self) -> bool:
        """Begin with an empty memory."""
        self.follower = FeedFollower([each.symbol for each in INSTRUMENTS], self._channels)
        return True

    def round(self) -> int:
        """The work of `MarketData` between two waits."""
        follower = self.follower
        follower.on_time(self.world.now_ns)
        busy = False
        for payload in self._requests.receive(FEED_DRAIN_MAX):
            busy = True
            follower.on_reply(decode_feed_reply(payload))
        for topic, seq, payload in self._feed.receive(FEED_DRAIN_MAX):
            busy = True
            follower.on_feed(topic, int.from_bytes(seq, "big"), payload)
        for request in follower.drain_requests():
            self.world.trace(self.name, f"requests {request}")
            if not self._requests.send(encode(request)):
                break
        follower.drain_updates()
        for book in follower._books.values():
            for followed in book.topics:
                require(len(followed.held) <= HELD_MAX, f"{self.name}: held messages pile up")
        return self.world.now_ns + (MICROSECOND if busy else ROUND_MAX_NS)
