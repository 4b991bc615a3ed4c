"""The matcher killed, damaged, misconfigured or out of disk: the recovered state, and the refused
starts."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq
from msgspec.structs import replace

from crossbook.common.messages import codec, entry, feed, matcher_queries
from crossbook.common.process import sockets
from crossbook.common.types import RejectReason, Side
from tests.crash.truth import Truth
from tests.crash.world import INSTRUMENTS
from tests.system.exchange import REPOSITORY, Exchange, select_nothing
from tests.system.feed_tap import FeedTap
from tests.system.session import RawSession

SYMBOL = "BTC-USDT"
EXIT_SECONDS = 20.0
TINY_DISK_MB = 16
FILLER_MB = 13
WAIT_SECONDS = 30.0


def order(session: RawSession, side: Side, lots: int, price: int, name: str = "") -> entry.New:
    """A limit order."""
    return entry.New(
        request_seq=session.next_seq(),
        symbol=SYMBOL,
        side=side,
        quantity=lots,
        price=price,
        client_order_id=name,
    )


def answer_to(session: RawSession, request: entry.Request) -> Any:
    """The answer to a request, repeated while the exchange is `BUSY`."""
    answers: list[entry.Reply] = []

    def answered() -> bool:
        answers.append(session.reply_to(replace(request, request_seq=session.next_seq())))
        reply = answers[-1]
        return not (isinstance(reply, entry.Reject) and reply.reason == RejectReason.BUSY)

    wait_until("an answer but BUSY", answered)
    return answers[-1]


def enter_until_taken(session: RawSession, request: entry.New) -> entry.Ack:
    """The acknowledgement of an order, repeated while the exchange is `BUSY`."""
    reply = answer_to(session, request)
    assert isinstance(reply, entry.Ack), reply
    return reply


def wait_until(goal: str, condition: Callable[[], bool]) -> None:
    """Poll until `condition` holds."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"{goal}: not in {WAIT_SECONDS} s"
        select_nothing(0.01)


def matcher_books(exchange: Exchange) -> matcher_queries.Books:
    """The matcher's own books."""
    with (
        zmq.Context() as context,
        sockets.matcher_queries_dealer(context, exchange.queries) as dealer,
    ):
        assert dealer.poll(10_000, zmq.POLLOUT)
        dealer.send(codec.encode(matcher_queries.BooksRequest(1)))
        assert dealer.poll(10_000), exchange.logs()
        reply = codec.decode_matcher_reply(dealer.recv())
        assert isinstance(reply, matcher_queries.Books)
        return reply


def open_orders(session: RawSession) -> list[entry.OrderState]:
    """The open orders of an account by the exchange."""
    reply = answer_to(session, entry.Query(0))
    assert isinstance(reply, entry.OpenOrders), reply
    return reply.orders


def ends_with(exchange: Exchange, name: str = "matcher") -> int:
    """The exit status of a process that ends by itself."""
    return exchange.processes.pop(name).wait(EXIT_SECONDS)


def test_a_killed_matcher_comes_back_with_everything(fresh_exchange: Exchange) -> None:
    exchange = fresh_exchange
    topic = feed.topic("l3", SYMBOL)
    with (
        RawSession(exchange.orders, 1) as session,
        RawSession(exchange.orders, 2) as other,
        FeedTap(exchange.feed, exchange.snapshots, [topic]) as tap,
    ):
        for n in range(20):
            assert isinstance(session.reply_to(order(session, Side.BUY, 2_000 + n, 90_000 - n % 5,
                                                f"bid-{n}")), entry.Ack)  # fmt: skip
            assert isinstance(
                other.reply_to(order(other, Side.SELL, 3_000, 91_000 + n % 5)), entry.Ack
            )
        last = other.reply_to(order(other, Side.SELL, 3_000, 90_000))
        assert isinstance(last, entry.Ack)
        before, books = open_orders(session), matcher_books(exchange)
        shown = tap.snapshot_at(last.seq, SYMBOL)

        exchange.kill("matcher")
        exchange.start("matcher")
        exchange.wait_bound("matcher")

        after = matcher_books(exchange)
        assert (after.incarnation, after.seq, after.books) == (
            books.incarnation,
            books.seq,
            books.books,
        )
        assert open_orders(session) == before
        again = enter_until_taken(session, order(session, Side.BUY, 2_000, 80_000, "next"))
        assert again.seq == last.seq + 1, "the sequence continues"
        assert again.order_id == again.seq
        snapshot = tap.snapshot_at(again.seq, SYMBOL)
        assert snapshot.bid_orders == [*shown.bid_orders, (again.seq, 80_000, 2_000)]
        assert snapshot.ask_orders == shown.ask_orders
        repeated = session.reply_to(order(session, Side.BUY, 2_000, 90_000, "bid-0"))
        assert isinstance(repeated, entry.Ack)
        assert repeated.repeated, "an order entered before the kill is known after it"
        assert repeated.order_id != repeated.seq


def test_a_second_matcher_does_not_touch_the_files_of_the_first(exchange: Exchange) -> None:
    with Exchange(ready=False, DATA_DIR=str(exchange.data)) as second:
        second.start("matcher")
        assert ends_with(second) == 1
        log = second.log("matcher")
    assert "is in use by process" in log
    assert str(exchange.pid("matcher")) in log, "the log names the process to stop"
    assert exchange.wait_ready(), "the first one works on"


@pytest.fixture
def recorded() -> Iterator[Exchange]:
    """An exchange whose matcher wrote several segments and was killed."""
    with Exchange(JOURNAL_SEGMENT_MB="1", SNAPSHOT_EVERY="1000000") as exchange:
        with RawSession(exchange.orders, 1) as session:

            def more() -> bool:
                session.replies_to_all(
                    *(
                        order(session, Side.BUY, 2_000, 90_000, f"{'long' * 8}{i % 9}")
                        for i in range(500)
                    )
                )
                return len(segments(exchange)) > 2

            wait_until("three segments", more)
        exchange.kill("matcher")
        yield exchange


def segments(exchange: Exchange) -> list[Path]:
    """The journal's files, oldest first."""
    return sorted(exchange.data.glob("*.journal"))


def test_damage_in_the_middle_of_the_journal_refuses_to_start(recorded: Exchange) -> None:
    exchange = recorded
    damaged = segments(exchange)[1]
    content = damaged.read_bytes()
    place = 4_000
    with damaged.open("r+b") as file:
        file.seek(place)
        file.write(bytes([content[place] ^ 1]))
    exchange.start("matcher")
    assert ends_with(exchange) == 1
    log = exchange.log("matcher")
    assert damaged.name in log
    assert "at byte" in log
    assert "Remedy: restore this file from a copy" in log
    assert "Traceback" not in log

    damaged.write_bytes(content)
    exchange.start("matcher")
    exchange.wait_bound("matcher")
    assert exchange.wait_ready() > 1_000, "the remedy helps"


def instruments_with(text: str, instead: str) -> str:
    """The instruments file with one thing changed."""
    original = (REPOSITORY / "instruments.toml").read_text()
    assert text in original
    return original.replace(text, instead, 1)


def test_changed_fees_apply_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "instruments.toml"
    path.write_text(instruments_with("", ""))
    with (
        Exchange(INSTRUMENTS_FILE=str(path)) as exchange,
        RawSession(exchange.orders, 1) as maker,
        RawSession(exchange.orders, 2) as taker,
    ):
        charged = []
        for fees in ("0.20", "0.05", None):
            enter_until_taken(maker, order(maker, Side.SELL, 100_000, 100_000))
            enter_until_taken(taker, order(taker, Side.BUY, 100_000, 100_000))
            charged.append(taker.execution().fee_units)
            if fees is not None:
                path.write_text(
                    instruments_with(
                        'min_notional = "1"', f'min_notional = "1"\ntaker_fee_percent = "{fees}"'
                    )
                )
            exchange.kill("matcher")
            exchange.start("matcher")
            exchange.wait_bound("matcher")
        # Of one whole bitcoin, in units of 1e-10.
        assert charged == [20_000_000, 20_000_000, 5_000_000]


@pytest.mark.parametrize(
    ("text", "instead", "complaint"),
    [
        ('tick_size = "0.01"', 'tick_size = "0.1"', "tick_size was 0.01"),
        ('lot_size = "0.00001"', 'lot_size = "0.000001"', "lot_size was 0.00001"),
        ("id = 1\n", "id = 9\n", "BTC-USDT (id 1) is in the recorded state"),
    ],
)
def test_a_changed_grid_or_removed_instrument_is_refused(
    tmp_path: Path, text: str, instead: str, complaint: str
) -> None:
    with Exchange() as exchange, RawSession(exchange.orders, 1) as session:
        enter_until_taken(session, order(session, Side.BUY, 2_000, 90_000))
        exchange.kill("matcher")
        path = tmp_path / "instruments.toml"
        path.write_text(instruments_with(text, instead))
        exchange.start("matcher", INSTRUMENTS_FILE=str(path))
        assert ends_with(exchange) == 2
        assert complaint in exchange.log("matcher"), exchange.log("matcher")
        assert "Traceback" not in exchange.log("matcher")
        exchange.start("matcher")
        exchange.wait_bound("matcher")
        assert [o.quantity_lots for o in open_orders(session)] == [2_000], "nothing was changed"


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={TINY_DISK_MB}m", "none", str(folder)]
    if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a tmpfs: run as root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_ends_the_matcher_and_nothing_after_is_acknowledged(tiny_disk: Path) -> None:
    filler = tiny_disk / "filler"
    filler.write_bytes(bytes(FILLER_MB * 2**20))
    with (
        Exchange(DATA_DIR=str(tiny_disk / "data"), JOURNAL_SEGMENT_MB="1") as exchange,
        RawSession(exchange.orders, 1) as session,
    ):
        sent: list[entry.New] = []
        acks: dict[int, entry.Ack] = {}

        def gone() -> bool:
            burst = [
                order(session, Side.BUY, 2_000, 90_000, f"{len(sent) + i}-{'x' * 20}")
                for i in range(200)
            ]
            sent.extend(burst)
            session.send(*burst)
            collect(session, burst, acks, 1.0)
            return exchange.processes["matcher"].poll() is not None

        wait_until("the disk is full", gone)
        assert ends_with(exchange) == 1
        log = exchange.log("matcher")
        assert "No space left on device" in log
        truth = Truth(INSTRUMENTS)
        truth.read_journal(exchange.data)
        last = max(ack.seq for ack in acks.values())
        assert f"nothing after sequence {last} is acknowledged" in log
        assert truth.seq == last, "every acknowledged command is in the journal"

        filler.unlink()
        exchange.start("matcher")
        exchange.wait_bound("matcher")
        collect(session, sent[len(acks) :], acks, WAIT_SECONDS)
        assert len(acks) == len(sent), "waiting requests are applied once there is room again"
        truth.read_journal(exchange.data)
        assert truth.faults == []
        for request in sent:
            event = truth.answers[acks[request.request_seq].seq]
            assert event.client_order_id == request.client_order_id


def collect(
    session: RawSession, requests: list[entry.New], acks: dict[int, entry.Ack], seconds: float
) -> None:
    """Collect acknowledgements in order until all have arrived or none arrives for `seconds`."""
    for request in requests:
        try:
            reply = session.answer(request.request_seq, seconds=seconds)
        except TimeoutError:
            return
        assert isinstance(reply, entry.Ack), reply
        acks[request.request_seq] = reply
