"""The metrics of the gateway; docs/reference/metrics.md describes each."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, Protocol

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from crossbook.common.process.connections import Connections, taken_by
from crossbook.common.process.counters import Buckets
from crossbook.common.process.exposition import Exposition
from crossbook.common.types import RejectReason
from crossbook.gateway.binance.streams.streams import FaceStreams
from crossbook.gateway.binance.user.streams import UserStreams
from crossbook.gateway.binance.weights import AddressWeights
from crossbook.gateway.history.link import HistoryLink
from crossbook.gateway.limits.account_limits import SETTINGS, UNLIMITED, AccountLimits
from crossbook.gateway.limits.http import AddressLimits
from crossbook.gateway.market_feed import MarketFeed
from crossbook.gateway.operations.probes import ProcessAnswers, kind_and_shard
from crossbook.gateway.orders.front_desk import FrontDesk
from crossbook.gateway.orders.matcher_link import MatcherLink
from crossbook.gateway.streams.routes import Streams
from crossbook.gateway.web.channel import POLICY_VIOLATION, TRY_AGAIN_LATER
from crossbook.gateway.web.http_counter import HttpCounter
from crossbook.gateway.web.http_server import HttpServer
from crossbook.gateway.web.websocket import ABNORMAL, Hub

CLOSE_CODES: Final = (ABNORMAL, POLICY_VIOLATION, TRY_AGAIN_LATER)
"""Codes that have a sample even while their count is zero."""

_FACE: Final = "binance"
_USER: Final = "binance-user"
"""The label of all streams of the Binance-spot face."""


class OrderTraffic(Protocol):
    """The counters of the order service."""

    replies: int
    clients_dropped: int
    answer_times: Buckets
    connections: Connections | None


class Handshakes(Protocol):
    """Handshakes of ZeroMQ clients with keys."""

    admitted: int
    refused: int


class GatewayMetrics(Exposition):
    """The families of the parts that a gateway has; the owner sets those of its roles."""

    def __init__(self, queue_size: int, sessions_max: int) -> None:
        super().__init__("gateway")
        self.answers: ProcessAnswers = {}
        self.desk: FrontDesk | None = None
        self.links: Sequence[MatcherLink] = ()
        self.traffic: OrderTraffic | None = None
        self.handshakes: Handshakes | None = None
        self.feed: MarketFeed | None = None
        self.streams: Streams | None = None
        self.face_streams: FaceStreams | None = None
        self.user_streams: UserStreams | None = None
        self.histories: Sequence[HistoryLink] = ()
        self.hub: Hub | None = None
        self.server: HttpServer | None = None
        self.http: HttpCounter | None = None
        self.limits: AccountLimits = UNLIMITED
        self.address_limits: AddressLimits | None = None
        self.address_weights: AddressWeights | None = None
        self._queue_size = queue_size
        self._sessions_max = sessions_max

    def families(self) -> Iterator[Metric]:
        """All families, with the values of now."""
        yield from self._processes()
        if self.desk is not None and self.traffic is not None:
            yield from self._orders(self.desk, self.traffic)
        if self.feed is not None:
            yield from self._market(self.feed)
        if self.streams is not None or self.face_streams is not None:
            yield from self._streams()
        if self.histories:
            waiting = sum(history.waiting for history in self.histories)
            yield self.gauge("history_questions", "History questions without an answer", waiting)
            given_up = sum(history.given_up for history in self.histories)
            yield self.counter("history_unanswered", "History questions given up", given_up)
        if self.traffic is not None or self.http is not None:
            yield self._throttled()
        if self.hub is not None and self.server is not None and self.http is not None:
            yield from self._web(self.hub, self.server, self.http)

    def _processes(self) -> Iterator[Metric]:
        """The processes that answer, and how far each is behind the matcher."""
        up = GaugeMetricFamily("crossbook_up", "1 for a process that answers", labels=["process"])
        up.add_metric(["gateway"], 1)
        lag = GaugeMetricFamily(
            "crossbook_sequence_lag", "Commands behind the matcher", labels=["consumer"]
        )
        for name, answer in self.answers.items():
            up.add_metric([name], answer is not None)
        for shard in sorted({kind_and_shard(name)[1] for name in self.answers}):
            end = f"-{shard}" if shard else ""
            matcher = self.answers.get(f"matcher{end}")
            if matcher is None:
                continue
            behind = {
                name: answer.seq
                for name, answer in self.answers.items()
                if answer is not None and kind_and_shard(name)[1] == shard
            }
            if self.desk is not None:
                behind[f"gateway{end}"] = self.desk.seq_of(shard)
            if self.feed is not None:
                behind[f"feed{end}"] = self.feed.seq_of(shard)
            for name, seq in behind.items():
                if name != f"matcher{end}":
                    lag.add_metric([name], max(0, matcher.seq - seq))
        yield up
        yield lag

    def _orders(self, desk: FrontDesk, traffic: OrderTraffic) -> Iterator[Metric]:
        links = self.links
        yield self.gauge("sequence", "Number of the last command received", desk.seq_of(0))
        sent = sum(link.commands_sent for link in links)
        yield self.counter("commands", "Commands sent to the matcher", sent)
        again = sum(link.commands_again for link in links)
        yield self.counter("commands_again", "Commands sent again", again)
        refusals = desk.outbox.rejects
        rejects = {reason.name: refusals[reason] for reason in RejectReason}
        yield self.counter("rejects", "Rejects, by reason", rejects, "reason")
        yield self.counter("replies", "Replies to clients", traffic.replies)
        yield self.seconds(
            "answer_seconds", "From sending a command until its answer", traffic.answer_times
        )
        yield self.gauge("commands_in_flight", "Commands without answer", desk.commands_waiting)
        yield self.gauge("commands_in_flight_limit", "ORDER_QUEUE_SIZE", self._queue_size)
        yield self.gauge("turns_waiting", "Commands that wait for their turn", desk.turns_waiting)
        yield self.gauge("queries_waiting", "Queries without answer", desk.queries_waiting)
        yield self.gauge("sessions", "Order-entry connections", len(desk.sessions))
        yield self.gauge("sessions_limit", "MAX_ORDER_SESSIONS", self._sessions_max)
        yield self.counter(
            "clients_dropped",
            "Sessions closed because the client was gone",
            traffic.clients_dropped,
        )
        if traffic.connections is not None:
            yield self.gauge("peers", "ZeroMQ connections of clients", len(traffic.connections))
            cut_off, held, unread = taken_by((traffic.connections,))
            yield self.counter(
                "peers_cut_off", "ZeroMQ connections ended, by reason", cut_off, "reason"
            )
            shaken = self.handshakes
            results = {
                "admitted": 0 if shaken is None else shaken.admitted,
                "refused": 0 if shaken is None else shaken.refused,
            }
            yield self.counter("handshakes", "Handshakes with keys, by result", results, "result")
            yield self.gauge("peer_bytes_held", "Bytes received and not delivered", held)
            yield self.gauge("peer_bytes_unread", "Bytes sent and not acknowledged", unread)
        yield self.gauge("taking_orders", "1 while commands are accepted", desk.is_accepting)
        gaps = sum(link.gaps for link in links)
        yield self.counter("event_gaps", "Requests for missing events", gaps)
        lost = sum(link.events_lost for link in links)
        yield self.counter("events_lost", "Commands whose events are lost", lost)
        held = sum(link.held for link in links)
        yield self.gauge("held_batches", "Batches waiting behind a gap", held)

    def _market(self, feed: MarketFeed) -> Iterator[Metric]:
        counts = feed.group.counters
        yield self.gauge("feed_sequence", "Last number received in the feed", feed.seq_of(0))
        yield self.gauge("feed_stale", "1 while publisher or matcher are silent", feed.stale)
        yield self.counter("feed_messages", "Feed messages applied", counts.messages)
        yield self.counter("feed_gaps", "Gaps in a topic", counts.gaps)
        yield self.counter("feed_resends", "Requests for missing messages", counts.resends)
        yield self.counter("feed_snapshots", "Books loaded anew", counts.snapshots)
        yield self.counter(
            "feed_mismatches",
            "Books with a wrong checksum, and frames that were no message",
            counts.mismatches,
        )
        yield self.counter("feed_lost", "Messages that were no longer held", counts.lost)

    def _streams(self) -> Iterator[Metric]:
        clients: Counter[str] = Counter()
        behind: Counter[str] = Counter()
        resyncs: Counter[str] = Counter()
        for name, stream in self.streams.by_name() if self.streams is not None else ():
            clients[name] += len(stream)
            behind[name] += len(stream.behind)
            resyncs[name] += stream.resyncs
        if (face := self.face_streams) is not None:
            clients[_FACE] = len(face)
            behind[_FACE] = face.behind
            resyncs[_FACE] = face.losses
        if self.user_streams is not None:
            clients[_USER] = self.user_streams.subscribers
        yield self.gauge("stream_clients", "Clients, by stream", clients, "stream")
        yield self.gauge(
            "stream_clients_behind", "Clients with unsent messages, by stream", behind, "stream"
        )
        yield self.counter(
            "stream_resyncs", "Times that messages were left out, by stream", resyncs, "stream"
        )

    def _throttled(self) -> Metric:
        """Requests that a limit refused, by the limit."""
        by_limit: dict[str, float] = {kind: self.limits.throttled[kind] for kind in SETTINGS}
        limits, weights = self.address_limits, self.address_weights
        by_limit["address"] = limits.throttled if limits is not None else 0
        by_limit["address"] += weights.refused if weights is not None else 0
        return self.counter("throttled", "Requests beyond a limit of rates", by_limit, "limit")

    def _web(self, hub: Hub, server: HttpServer, http: HttpCounter) -> Iterator[Metric]:
        yield self.counter(
            "http_requests", "HTTP answers, by status", dict(http.statuses), "status"
        )
        yield self.seconds("http_seconds", "Time of an HTTP request", http.times)
        waiting = hub.crowd.turns.waiting
        yield self.gauge("web_waiting", "HTTP and WebSocket clients that wait for a turn", waiting)
        connections = len(server.http_connections)
        yield self.gauge("http_connections", "Connections that are no WebSocket", connections)
        cut_off = hub.crowd.cut_off()
        yield self.counter("http_cut_off", "HTTP connections ended, by reason", cut_off, "reason")
        unread = hub.crowd.unread.total
        yield self.gauge("web_bytes_unread", "Bytes that HTTP and WebSocket clients leave", unread)
        yield self.gauge("websockets", "WebSocket connections", len(hub))
        limit = hub.limits.connections_max
        yield self.gauge("websockets_limit", "MAX_WEBSOCKET_CONNECTIONS", limit)
        closed = {str(code): hub.closed[code] for code in (*CLOSE_CODES, *hub.closed)}
        yield self.counter(
            "websockets_closed", "WebSockets closed by the gateway, by code", closed, "code"
        )
