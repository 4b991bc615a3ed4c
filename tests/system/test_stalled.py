"""Peers that stop reading are disconnected, or left with gaps and notified; no other peer waits for
them.

`python -m bench stalled` measures the effect on the p99 of other peers. The assertion here only
distinguishes a peer that others wait for (seconds) from the noise of a busy machine (a factor of
two).
"""

import itertools
import time
from typing import Final

import psutil
import pytest
import zmq

from bench import stalled
from crossbook.common.messages import codec, entry
from crossbook.common.process import sockets
from crossbook.common.types import RejectReason, Side
from tests.system.exchange import Exchange, free_ports
from tests.system.session import RawSession

P99_RATIO_MAX: Final = 1.5
"""Most that the p99 of other clients grows, as a ratio, while a subscriber and a client are
stalled; the best of four alternations. On a busy machine a single one is between 0.1 and 4, but a
wait for a stalled peer would show in all of them."""

LONG_P50_MS_MAX: Final = 100.0
"""Half of the orders of other clients are reported in less, with any content of the queues to the
stalled ones."""

GROWN_MB_MAX: Final = 24.0
"""Most that a process grows while a subscriber and a client of small messages are stalled."""

QUERIES_MB_MAX: Final = 96.0
"""Most that the gateway grows for a client that requests its 1,000 orders again and again, and
reads nothing: 16 MiB may be unread, and the encoding needs memory as well."""

ORDERS: Final = 1_000
"""Open orders of that client. A frame with an answer to a query is longer than as many bytes."""

PLAN: Final = stalled.StalledPlan(
    rate=600, turns=4, window_s=0.9, settle_s=0.3, warm_s=1.0, long_s=11.5, after_s=1.5
)
"""The long stall outlasts a connection's heartbeats, 12 s: the stalled ones are disconnected."""


@pytest.mark.slow
def test_a_stalled_subscriber_and_a_stalled_client_delay_no_other() -> None:
    report = stalled.run(PLAN)
    stalled.show(report)
    assert report.unanswered == 0
    assert report.acked + sum(report.rejects.values()) == report.sent
    assert report.lost_by_others == 0, "the other subscribers miss nothing"
    for others in (report.ack, report.bbo):
        assert others.stalled.count > 500, "hardly anything was measured"
        ratios = (others.p99_ratio, others.p99_ratio_quiet, *others.p99_ratio_of_turns)
        assert min(ratios) < P99_RATIO_MAX, ratios
        assert others.long.p50_us / 1_000 < LONG_P50_MS_MAX, others
    for name in ("matcher", "publisher", "gateway"):
        assert max(report.grown_mb[name].values()) < GROWN_MB_MAX, report.grown_mb

    assert report.gap_after_s >= 0, "the subscriber was not notified of its gap"
    assert report.whole_after_s >= 0, "the subscriber did not get it"
    assert report.books_equal, "the books of the subscriber that had stalled are wrong"
    assert report.cut_off_after_s >= 0, "the client was not notified that its session is closed"


def test_a_client_that_sends_and_does_not_read_is_cut_off_with_a_reason() -> None:
    with (
        Exchange(LOG_LEVEL="DEBUG") as exchange,
        RawSession(exchange.orders, 1) as session,
        RawSession(exchange.orders, 2) as other,
    ):
        for _ in range(ORDERS // 100):
            session.replies_to_all(*(order(session) for _ in range(100)))
        narrow(session.socket, exchange.orders)
        assert isinstance(session.reply_to(entry.Ping(session.next_seq())), entry.Pong)
        gateway = psutil.Process(exchange.pid("gateway")).memory_info
        before = gateway().rss
        query = session.token.to_bytes(entry.TOKEN_BYTES, "big") + codec.encode(entry.Query(0))

        def cut_off() -> bool:
            for _ in range(20):
                if session.socket.poll(0, zmq.POLLOUT):
                    session.socket.send(query, zmq.NOBLOCK)
            assert isinstance(other.reply_to(order(other), seconds=5.0), entry.Ack)
            return "peer_cut_off" in exchange.log("gateway")

        exchange.wait_until("the gateway closes the session", cut_off, 20.0)
        assert (gateway().rss - before) / 2**20 < QUERIES_MB_MAX

        refused = None
        frames = unread_mb = 0.0
        deadline = time.monotonic() + 60
        while refused is None and time.monotonic() < deadline:
            session.send(entry.Ping(session.next_seq()))
            assert session.socket.poll(10_000), "the client was not notified"
            while refused is None and session.socket.poll(0):
                frame = session.socket.recv()
                frames += 1
                unread_mb += len(frame) / 2**20
                if len(frame) < ORDERS:
                    refused = next(filter(not_logged_on, codec.decode_replies(frame)), None)
        print(f"{frames:.0f} frames with {unread_mb:.0f} MB had been left unread")
        assert refused is not None, "the client was not notified"
        assert (gateway().rss - before) / 2**20 < QUERIES_MB_MAX


def test_a_subscriber_that_does_not_read_loses_messages_and_detects_the_loss() -> None:
    address = f"tcp://127.0.0.1:{free_ports(1)[0]}"
    with (
        zmq.Context() as context,
        sockets.feed_pub(context, address) as publisher,
        sockets.feed_sub(context, address) as reading,
        sockets.feed_sub(context, address) as stuck,
    ):
        narrow(stuck, address)
        for subscriber in (reading, stuck):
            subscriber.setsockopt(zmq.SUBSCRIBE, b"l2.")
        number = 0
        numbers_read: dict[zmq.Socket[bytes], list[int]] = {reading: [], stuck: []}

        def publish(count: int, *readers: "zmq.Socket[bytes]") -> None:
            nonlocal number
            for _ in range(count):
                number += 1
                publisher.send_multipart([b"l2.X|", number.to_bytes(8, "big"), bytes(300)])
            for reader in readers:
                deadline = time.monotonic() + 5
                while numbers_read[reader][-1:] != [number] and time.monotonic() < deadline:
                    if reader.poll(20):
                        numbers_read[reader].append(
                            int.from_bytes(reader.recv_multipart()[1], "big")
                        )
                    elif reader is stuck:
                        return

        deadline = time.monotonic() + 10
        while not (numbers_read[reading] and numbers_read[stuck]) and time.monotonic() < deadline:
            publish(1, stuck)
            while reading.poll(1):
                numbers_read[reading].append(int.from_bytes(reading.recv_multipart()[1], "big"))
        memory = psutil.Process().memory_info
        before = memory().rss
        for _ in range(400):
            publish(100, reading)
        assert (memory().rss - before) / 2**20 < GROWN_MB_MAX
        assert missing(numbers_read[reading]) == 0, "a subscriber that reads misses nothing"
        while numbers_read[stuck][-1] != number and time.monotonic() < deadline + 20:
            publish(1, reading, stuck)
        assert missing(numbers_read[reading]) == 0
        assert missing(numbers_read[stuck]) > 10_000, (
            "the queue of one that does not read is endless"
        )


def missing(numbers: list[int]) -> int:
    """The number of missing messages of a topic; the others arrive in order."""
    assert all(later > earlier for earlier, later in itertools.pairwise(numbers))
    return numbers[-1] - numbers[0] + 1 - len(numbers)


def not_logged_on(reply: entry.Reply) -> bool:
    """Whether a reply reports that no session is open."""
    return isinstance(reply, entry.Reject) and reply.reason == RejectReason.NOT_LOGGED_ON


def narrow(socket: "zmq.Socket[bytes]", address: str) -> None:
    """Connect anew with hardly any room to receive: unread messages stay with the sender."""
    socket.disconnect(address)
    socket.setsockopt(zmq.RCVHWM, 1)
    # With heartbeats the end of a connection behind a full queue aborts the process (libzmq 4.3.5).
    socket.setsockopt(zmq.HEARTBEAT_IVL, 0)
    socket.setsockopt(zmq.RCVBUF, 65_536)
    socket.connect(address)


def order(session: RawSession) -> entry.New:
    """A small buy order far below any seller."""
    return entry.New(
        request_seq=session.next_seq(),
        symbol="BTC-USDT",
        side=Side.BUY,
        quantity="0.001",
        price="10000",
    )
