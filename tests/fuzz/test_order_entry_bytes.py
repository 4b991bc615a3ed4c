"""100,000 hostile frames and raw garbage at every port, while an honest client trades.

Every frame that has an address is answered, no process dies, no other client is disturbed.
"""

import random
import threading
import time
from collections.abc import Iterator
from typing import Self

import msgspec
import psutil
import pytest
import zmq

from crossbook.common.messages import codec, entry, feed
from crossbook.common.messages.process_metrics import Metrics, MetricsRequest
from crossbook.common.process import sockets
from crossbook.common.types import RejectReason, Side
from tests.fuzz import hostile, zmtp
from tests.system.exchange import RECORDED, Exchange, port_of
from tests.system.feed_tap import FeedTap
from tests.system.session import RawSession

FRAMES = 100_000
CHUNK = 500
SEED = 20_260_101
HONEST_SYMBOL = "BTC-USDT"
ATTACKER, SELLER, BUYER = 666, 1, 2
MEMORY_GROWTH_MAX = 64 * 1024 * 1024
HONEST_SECONDS_MAX = 5.0


TRADES_MIN = 5
"""Fewest trades of the honest clients during an attack."""


class HonestTraders:
    """Two accounts that trade with each other in a thread until closed.

    `trades` counts whole exchanges: a resting order, a taker, both fills. `failure` is the first
    exception of the thread.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._trade, name="honest-traders")
        self.trades = 0
        self.slowest_s = 0.0
        self.failure: BaseException | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        # On a slow machine too an attack must leave time for some trades.
        deadline = time.monotonic() + 30
        while self.trades < TRADES_MIN and self._thread.is_alive() and time.monotonic() < deadline:
            self._stop.wait(0.02)
        self._stop.set()
        self._thread.join(30)

    def check(self) -> None:
        """Assert that the two accounts traded fast enough and without a failure."""
        if self.failure is not None:
            raise AssertionError("honest traders were harmed") from self.failure
        assert self.trades >= TRADES_MIN, f"only {self.trades} trades"
        assert self.slowest_s < HONEST_SECONDS_MAX, f"one trade lasted {self.slowest_s:.2f} s"

    def _trade(self) -> None:
        try:
            with (
                RawSession(self._address, SELLER) as seller,
                RawSession(self._address, BUYER) as buyer,
            ):
                while not self._stop.is_set():
                    began = time.monotonic()
                    self._trade_once(seller, buyer)
                    self.slowest_s = max(self.slowest_s, time.monotonic() - began)
                    self.trades += 1
        except BaseException as error:
            self.failure = error

    def _trade_once(self, seller: RawSession, buyer: RawSession) -> None:
        sell = entry.New(
            request_seq=seller.next_seq(),
            symbol=HONEST_SYMBOL,
            side=Side.SELL,
            quantity="0.01",
            price="50000",
        )
        buy = entry.New(
            request_seq=buyer.next_seq(),
            symbol=HONEST_SYMBOL,
            side=Side.BUY,
            quantity="0.01",
            price="50000",
        )
        resting = seller.reply_to(sell)
        assert isinstance(resting, entry.Ack), resting
        taking = buyer.reply_to(buy)
        assert isinstance(taking, entry.Ack), taking
        fills = seller.execution(), buyer.execution()
        assert [fill.order_id for fill in fills] == [resting.order_id, taking.order_id]
        assert {fill.trade_id for fill in fills} == {fills[0].trade_id}
        assert not seller.executions
        assert not buyer.executions


@pytest.fixture(scope="module")
def attacked() -> Iterator[Exchange]:
    """An exchange of this module, all of whose processes survive every attack."""
    with Exchange(order=RECORDED, LOG_LEVEL="WARNING") as exchange:
        yield exchange


def check_unharmed(exchange: Exchange) -> None:
    """Assert that all processes run without a traceback, and that an order makes the round trip."""
    exchange.check_alive()
    exchange.wait_ready()
    for name in RECORDED:
        assert "Traceback" not in exchange.log(name), exchange.log(name)[-4_000:]


def replies_of(attacker: RawSession) -> list[entry.Reply]:
    """The replies that arrive before the reply to a ping sent now."""
    ping = entry.Ping(attacker.next_seq() + 2**40)
    attacker.send(ping)
    found: list[entry.Reply] = []
    while True:
        replies = attacker.receive()
        pongs = [reply for reply in replies if reply.request_seq == ping.request_seq]
        found += (r for r in replies if not isinstance(r, entry.Execution) and r not in pongs)
        if pongs:
            return found


def expected_answers(body: bytes) -> int:
    """The number of answers due to a frame: one for each request, sound or not."""
    requests, rejects = codec.decode_requests(body)
    return len(requests) + len(rejects)


def check_answers(replies: list[entry.Reply], where: str) -> int:
    """Rejects are clear; returns how many there are."""
    rejects = [reply for reply in replies if isinstance(reply, entry.Reject)]
    for reject in rejects:
        assert reject.reason in tuple(RejectReason), f"{where}: {reject}"
        assert reject.text, f"{where}: {reject}"
        assert reject.field or reject.reason == RejectReason.BUSY, f"{where}: {reject}"
    return len(rejects)


def attack(attacker: RawSession, chance: random.Random, frames: int = FRAMES) -> None:
    """Send hostile frames; each request in them gets one clear answer."""
    due = had = rejects = 0
    for start in range(0, frames, CHUNK):
        for _ in range(CHUNK):
            body = hostile.body(chance)
            token = attacker.token if chance.random() < 0.9 else chance.getrandbits(64)
            attacker.send_bytes(body, token=token)
            due += expected_answers(body)
        replies = replies_of(attacker)
        had += len(replies)
        rejects += check_answers(replies, f"seed {SEED}, frames {start} to {start + CHUNK}")
    # Commands passed on to the matcher are answered from there, later.
    deadline = time.monotonic() + 10
    while had < due and time.monotonic() < deadline:
        had += len(replies_of(attacker))
    assert had == due, f"seed {SEED}: {due} answers due, {had} had"
    assert rejects > frames // 2
    assert replies_of(attacker) == []


def test_hostile_frames_are_answered_and_harm_no_other(attacked: Exchange) -> None:
    chance = random.Random(SEED)
    gateway = psutil.Process(attacked.pid("gateway"))
    with RawSession(attacked.orders, ATTACKER) as attacker:
        attack(attacker, chance, frames=2_000)
        before = gateway.memory_info().rss
        with HonestTraders(attacked.orders) as honest:
            attack(attacker, chance)
            growth = gateway.memory_info().rss - before
    honest.check()
    assert growth < MEMORY_GROWTH_MAX, f"gateway grew by {growth >> 20} MiB"
    check_unharmed(attacked)


def test_frames_without_a_token_or_of_many_parts_are_answered(attacked: Exchange) -> None:
    with RawSession(attacked.orders, ATTACKER) as session:
        good = session.token.to_bytes(8, "big") + codec.encode(entry.Ping(5))
        for frames in ([b""], [b"\x00"], [b"\x00" * 8], [good, b""], [good, good], [b"", good],
                       [b"x"] * 300):  # fmt: skip
            session.socket.send_multipart(frames)
            (reply,) = session.receive()
            assert isinstance(reply, entry.Reject)
            assert (reply.reason, reply.field) == (RejectReason.MALFORMED, "frame")
        assert session.quiet()
    check_unharmed(attacked)


def test_oversized_frames_are_refused_and_giant_ones_cut_off(attacked: Exchange) -> None:
    with HonestTraders(attacked.orders) as honest:
        with RawSession(attacked.orders, ATTACKER) as session:
            for size in (codec.MAX_CLIENT_FRAME + 1, sockets.CLIENT_MESSAGE_MAX - 8):
                session.send_bytes(b"\x00" * size)
                (reply,) = session.receive()
                assert isinstance(reply, entry.Reject)
                assert reply.reason == RejectReason.TOO_LARGE
        for _ in range(20):
            with RawSession(attacked.orders, ATTACKER) as session:
                monitor = session.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
                session.send_bytes(b"\x00" * sockets.CLIENT_MESSAGE_MAX)
                assert monitor.poll(5_000), "still connected after a giant frame"
                session.socket.disable_monitor()
                monitor.close()
    honest.check()
    check_unharmed(attacked)


def test_zmtp_shaped_garbage_harms_no_port(attacked: Exchange) -> None:
    chance = random.Random(SEED)
    gateway = psutil.Process(attacked.pid("gateway"))
    memory = gateway.memory_info().rss
    held = []
    with HonestTraders(attacked.orders) as honest:
        for address in attacked.addresses.values():
            for _ in range(3):
                for before, after in zmtp.garbage(chance):
                    connection = zmtp.throw(port_of(address), before, after)
                    if connection is not None:
                        held.append(connection)
                    if len(held) > 100:
                        held.pop(chance.randrange(len(held))).close()
            attacked.check_alive()
        for connection in held:
            connection.close()
    honest.check()
    assert gateway.memory_info().rss - memory < MEMORY_GROWTH_MAX
    check_unharmed(attacked)


def test_a_forged_identity_receives_its_own_answers_only(attacked: Exchange) -> None:
    # ZeroMQ names peers itself with a leading zero byte, and lets a hostile peer do the same.
    port = port_of(attacked.orders)
    greeting = zmtp.GREETING + zmtp.ready(b"DEALER", b"\x00abcd")
    logon = zmtp.frame(0, (0).to_bytes(8, "big") + codec.encode(entry.Logon(77, ATTACKER)))
    first = zmtp.throw(port, greeting, logon)
    assert first is not None
    sent = b""
    while b"\x95\x65\x4d" not in sent:
        received = zmtp.receive_bytes(first, 5)
        assert received, "a sound logon was not answered"
        sent += received
    # The same name again while the first peer lives: the second receives no answer to the first.
    twin = zmtp.throw(port, greeting, logon)
    assert twin is not None
    with RawSession(attacked.orders, SELLER) as honest:
        assert isinstance(honest.reply_to(entry.MassCancel(honest.next_seq())), entry.Ack)
    assert b"\x95\x65\x4d" not in zmtp.receive_bytes(twin, 0.2)
    twin.close()
    first.close()
    check_unharmed(attacked)


decode_answer = msgspec.msgpack.Decoder(feed.FeedReply | Metrics).decode
"""The possible answers of the publisher's request socket."""


def test_the_snapshot_socket_answers_or_ignores_garbage(attacked: Exchange) -> None:
    chance = random.Random(SEED)
    sound = [
        codec.encode(feed.SnapshotRequest(1, hostile.SYMBOL, True)),
        codec.encode(
            feed.RangeRequest(
                request_id=2, topic=feed.topic("l2", hostile.SYMBOL), from_seq=1, to_seq=5
            )
        ),
        codec.encode(feed.InstrumentsRequest(3)),
        codec.encode(MetricsRequest(4)),
    ]
    values = [*hostile.VALUES, "l2.ETH-USDT|", "heartbeat|", "trade.|", "l9.ETH-USDT|"]
    with FeedTap(attacked.feed, attacked.snapshots, []) as tap:
        answered = 0
        for number in range(5_000):
            if number % 3:
                body = hostile.mutated(chance, chance.choice(sound))
            else:
                body = codec.encode([chance.choice((1, 2, 3, 91)), *chance.choices(values, k=4)])
            tap.requests.send(body)
            if number % 100 == 0:
                tap.requests.send_multipart([body, body])
            while tap.requests.poll(0):
                answered += 1
                reply = decode_answer(tap.requests.recv_multipart()[-1])
                if isinstance(reply, feed.FeedReject):
                    assert reply.text, reply
        marker = codec.encode(feed.InstrumentsRequest(2**40))
        tap.requests.send(marker)
        while True:
            assert tap.requests.poll(10_000), "the snapshot socket answers no more"
            reply = decode_answer(tap.requests.recv_multipart()[-1])
            answered += 1
            if isinstance(reply, feed.InstrumentList) and reply.request_id == 2**40:
                break
        assert answered > 4_000
        assert tap.snapshot(hostile.SYMBOL).symbol == hostile.SYMBOL
    check_unharmed(attacked)


def test_the_matchers_internal_sockets_survive_garbage(attacked: Exchange) -> None:
    chance = random.Random(SEED)
    with zmq.Context() as context, HonestTraders(attacked.orders) as honest:
        push = sockets.commands_push(context, attacked.addresses["MATCHER_COMMANDS"])
        dealer = sockets.matcher_queries_dealer(context, attacked.queries)
        assert push.poll(5_000, zmq.POLLOUT)
        assert dealer.poll(5_000, zmq.POLLOUT)
        for number in range(3_000):
            values: list[object] = [v for v in hostile.VALUES if isinstance(v, int | str)]
            tag = chance.choice((1, 2, 3, 4))
            # Well-formed commands of another gateway with numbers no gateway of ours would send.
            command = [tag, 9, number + 1, *chance.choices(values, k=9)]
            body = codec.encode([command]) if number % 2 else hostile.body(chance)
            push.send(body)
            question = [chance.choice((1, 2, 3, 91)), number, *chance.choices(values, k=6)]
            dealer.send(codec.encode(question) if number % 2 else hostile.body(chance))
            if number % 50 == 0:
                push.send_multipart([body, body])
                dealer.send_multipart([b"", body])
            while dealer.poll(0):
                dealer.recv_multipart()
        context.destroy(linger=0)
    honest.check()
    assert "malformed_commands" in attacked.log("matcher")
    assert "malformed_query" in attacked.log("matcher")
    check_unharmed(attacked)
