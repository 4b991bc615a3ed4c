"""Metrics of the publisher; docs/reference/metrics.md describes each."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Protocol

from prometheus_client.metrics_core import Metric

from crossbook.common.process.connections import Connections, taken_by
from crossbook.common.process.counters import Buckets
from crossbook.common.process.exposition import SECOND_NS, Exposition
from crossbook.publisher.replica import PublisherReplica
from crossbook.publisher.snapshot_server import SnapshotServer

FRESH_NS: Final = 100_000_000
"""Age up to which a text is sent again: any peer may request it, and it costs a millisecond."""


class RoundCounts(Protocol):
    """Counts of the loop, `crossbook.publisher.service.Rounds`."""

    batches: int
    events: int
    malformed: int
    sizes: Buckets
    delays: Buckets
    stale_ns: int


class PublisherMetrics(Exposition):
    """The families of a publisher. All are public: any peer of the snapshot socket may request
    them. `sockets` returns the connections of the feed and those of the snapshot socket."""

    def __init__(
        self, replica: PublisherReplica, server: SnapshotServer, rounds: RoundCounts
    ) -> None:
        super().__init__("publisher")
        self._replica = replica
        self._server = server
        self._rounds = rounds
        self.sockets: Callable[[], Sequence[Connections]] = tuple
        self._text = ""
        self._fresh_until_ns = 0

    def text(self) -> str:
        """The exposition, at most `FRESH_NS` old."""
        now_ns = time.monotonic_ns()
        if now_ns >= self._fresh_until_ns:
            self._text = super().text()
            self._fresh_until_ns = now_ns + FRESH_NS
        return self._text

    def families(self) -> Iterator[Metric]:
        """All families with their present values."""
        replica, rounds, feed = self._replica, self._rounds, self._replica.feed
        yield self.gauge("sequence", "Number of the last command received", feed.seq)
        yield self.counter("batches", "Event batches received", rounds.batches)
        yield self.counter("events", "Events received", rounds.events)
        yield self.counter("malformed", "Messages that were no batch", rounds.malformed)
        yield self.sizes("round_batches", "Event batches in a round", rounds.sizes)
        yield self.seconds(
            "delay_seconds", "From the number of a command to its publication", rounds.delays
        )
        stale_s = rounds.stale_ns / SECOND_NS
        yield self.gauge("silence_seconds", "Since the last message of the matcher", stale_s)
        yield self.counter("gaps", "Requests for missing events", replica.gaps)
        yield self.gauge("held_batches", "Batches waiting behind a gap", replica.held)
        yield self.counter(
            "books_lost", "Reloads of the books, by reason", replica.losses, "reason"
        )
        sent: Counter[str] = Counter()
        for name, topic in feed.topics.items():
            sent[name.partition(".")[0]] += topic.sent
        yield self.counter("messages", "Feed messages sent, by channel", sent, "channel")
        sockets = self.sockets()
        subscribers = len(sockets[0]) if sockets else 0
        yield self.gauge("subscribers", "Connections to the feed", subscribers)
        cut_off, held, unread = taken_by(sockets)
        yield self.counter(
            "peers_cut_off", "ZeroMQ connections ended, by reason", cut_off, "reason"
        )
        yield self.gauge("peer_bytes_held", "Bytes received and not delivered", held)
        yield self.gauge("peer_bytes_unread", "Bytes sent and not acknowledged", unread)
        yield self.counter("answers", "Answers, by kind", self._server.answers, "kind")
        orders = {market.symbol: market.open_orders for market in feed.markets.values()}
        yield self.gauge("open_orders", "Orders that rest, by symbol", orders, "symbol")
