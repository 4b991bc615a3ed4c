"""The publisher as a process, beside a real matcher that ends and starts again."""

import shutil
import signal
import time
from collections.abc import Callable, Iterator

import pytest
import zmq

from crossbook.common.messages.codec import decode_feed, decode_feed_reply, encode
from crossbook.common.messages.commands import Command, MassCancelOrders, NewOrder
from crossbook.common.messages.feed import (
    HEARTBEAT_TOPIC,
    FeedReject,
    FeedReply,
    FeedRequest,
    Heartbeat,
    InstrumentList,
    InstrumentsRequest,
    Snapshot,
    SnapshotRequest,
)
from crossbook.common.process import sockets
from crossbook.common.types import RejectReason, Side
from tests.system.exchange import Exchange
from tests.worlds.consumer import FeedConsumer

SECONDS = 15.0
BUY, SELL = 1, 2


class Line:
    """Sockets to one exchange: commands straight to the matcher, feed and requests to the
    publisher. Every wait ends after `SECONDS`."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.commands = sockets.commands_push(self.context, exchange.addresses["MATCHER_COMMANDS"])
        self.feed = sockets.feed_sub(self.context, exchange.feed)
        self.feed.setsockopt(zmq.SUBSCRIBE, b"")
        self.heartbeat: Heartbeat | None = None
        self.consumer: FeedConsumer | None = None

    def close(self) -> None:
        """Close the sockets and the exchange."""
        self.context.destroy(linger=0)

    def send(self, *commands: Command) -> None:
        """Send commands to the matcher, once it accepts them."""
        assert self.commands.poll(round(SECONDS * 1000), zmq.POLLOUT), "no matcher"
        self.commands.send(encode(list(commands)), zmq.NOBLOCK)

    def reply_to(self, request: FeedRequest) -> FeedReply:
        """One request and its answer, over a connection of its own."""
        return self._reply_to_bytes(encode(request))

    def consume(self) -> FeedConsumer:
        """Start a consumer of BTC-USDT with a snapshot."""
        listed = self.reply_to(InstrumentsRequest(1))
        assert isinstance(listed, InstrumentList)
        self.consumer = FeedConsumer(listed.instruments[0], 0, self._reply_to_bytes)
        self.consumer.apply_snapshot()
        return self.consumer

    def receive_until(self, goal: str, condition: Callable[[], bool]) -> None:
        """Take feed messages until `condition` holds."""
        deadline = time.monotonic() + SECONDS
        while not condition():
            assert time.monotonic() < deadline, f"{goal}\n{self.exchange.logs()}"
            if self.feed.poll(50):
                topic, number, payload = self.feed.recv_multipart()
                if topic == HEARTBEAT_TOPIC.encode():
                    heartbeat = decode_feed(payload)
                    assert isinstance(heartbeat, Heartbeat)
                    self.heartbeat = heartbeat
                    if self.consumer is not None:
                        self.consumer.receive_heartbeat(heartbeat)
                elif self.consumer is not None:
                    self.consumer.apply((topic, number, payload))

    def _reply_to_bytes(self, payload: bytes) -> FeedReply:
        with sockets.snapshots_dealer(self.context, self.exchange.snapshots) as dealer:
            dealer.send(payload)
            assert dealer.poll(round(SECONDS * 1000)), "no answer"
            reply: FeedReply = decode_feed_reply(dealer.recv())
            return reply


@pytest.fixture
def line() -> Iterator[Line]:
    """Connections to an exchange without any started process."""
    with Exchange(ready=False, LOG_LEVEL="DEBUG") as exchange:
        opened = Line(exchange)
        try:
            yield opened
        finally:
            opened.close()


def order(side: int, price: int, lots: int) -> NewOrder:
    return NewOrder(
        gateway=0,
        request_seq=0,
        account=5,
        instrument=1,
        side=side,
        order_type=1,
        time_in_force=1,
        price_ticks=price,
        quantity_lots=lots,
    )


def test_the_feed_survives_every_start_and_end_of_its_processes(line: Line) -> None:
    exchange = line.exchange
    exchange.start("publisher")
    line.receive_until("a heartbeat", lambda: line.heartbeat is not None)
    refused = line.reply_to(SnapshotRequest(3, "BTC-USDT"))
    assert isinstance(refused, FeedReject)
    assert (refused.request_id, refused.reason) == (3, RejectReason.BUSY)

    exchange.start("matcher")
    line.send(order(BUY, 5_000_000, 3_000), order(SELL, 5_000_200, 4_000))
    line.receive_until(
        "the commands", lambda: line.heartbeat is not None and line.heartbeat.seq == 2
    )
    consumer = line.consume()
    assert consumer.quote == (5_000_000, 3_000, 5_000_200, 4_000)
    line.send(order(SELL, 5_000_000, 1_000))
    line.receive_until("a trade", lambda: consumer.quote[1] == 2_000)
    assert [trade.quantity_lots for trade in consumer.trades] == [1_000]

    exchange.kill("matcher")
    line.receive_until(
        "silence", lambda: line.heartbeat is not None and line.heartbeat.stale_ms > 600
    )
    kept = line.reply_to(SnapshotRequest(4, "BTC-USDT"))
    assert isinstance(kept, Snapshot)
    assert (kept.seq, kept.bids) == (3, [(5_000_000, 2_000)])
    exchange.start("matcher")
    line.send(order(SELL, 5_000_000, 500))
    line.receive_until("the recovered matcher", lambda: consumer.quote[1] == 1_500)

    exchange.kill("matcher")
    shutil.rmtree(exchange.directory / "data")
    exchange.start("matcher")
    line.receive_until("an empty book", lambda: consumer.quote == (0, 0, 0, 0))
    assert not consumer.book.depth.levels(Side.BUY)
    line.send(order(BUY, 4_000_000, 7_000))
    line.receive_until("the new matcher", lambda: consumer.quote == (4_000_000, 7_000, 0, 0))

    exchange.kill("publisher")
    exchange.start("publisher")
    line.send(order(SELL, 4_100_000, 5_000), MassCancelOrders(gateway=0, request_seq=0, account=99))
    line.receive_until("the new publisher", lambda: consumer.quote[2] == 4_100_000)
    consumer.check_settled()
    assert exchange.stop("publisher") == 0
    assert exchange.stop("matcher") == 0


def test_hostile_requests_are_refused_and_harm_no_other_client(line: Line) -> None:
    line.exchange.start("publisher")
    with sockets.snapshots_dealer(line.context, line.exchange.snapshots) as dealer:
        for payload in (b"", b"\xff" * 500, bytes(10_000), encode([2, 1, "l2.X|", 1, 2])):
            dealer.send(payload)
            assert dealer.poll(round(SECONDS * 1000)), "no answer"
            assert isinstance(decode_feed_reply(dealer.recv()), FeedReject)
    assert isinstance(line.reply_to(InstrumentsRequest(2)), InstrumentList)
    assert line.exchange.stop("publisher") == 0


def test_a_reply_to_a_client_that_is_gone_harms_no_other_client(line: Line) -> None:
    exchange = line.exchange
    exchange.start("publisher")
    client = sockets.snapshots_dealer(line.context, exchange.snapshots)
    client.send(encode(InstrumentsRequest(1)))
    assert client.poll(round(SECONDS * 1000)), "no answer"
    # The publisher finds far more requests than it answers before it notices the hang-up.
    exchange.send_signal("publisher", signal.SIGSTOP)
    for request_id in range(900):
        client.send(encode(InstrumentsRequest(request_id)))
    client.close(linger=1_000)
    exchange.send_signal("publisher", signal.SIGCONT)
    exchange.wait_until("a lost reply", lambda: "reply_lost" in exchange.log("publisher"))
    assert isinstance(line.reply_to(InstrumentsRequest(3)), InstrumentList)
    assert exchange.stop("publisher") == 0
