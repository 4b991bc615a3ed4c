"""`/metrics` and its documentation agree. Every alert of docs/operations/alerts.md is provoked, and
its metric shows it."""

import os
import re
import resource
import signal
import socket
import sqlite3
import time
from collections.abc import Iterator

import pytest
from websockets.sync.client import connect

from crossbook.common.messages import entry
from tests.system import scrape
from tests.system.exchange import PROCESSES, RECORDED, REPOSITORY, Exchange
from tests.system.relay import Relay
from tests.system.scrape import value, wait_for, wait_gone
from tests.system.session import RawSession

PAGE = (REPOSITORY / "docs" / "reference" / "metrics.md").read_text()
ALERTS = (REPOSITORY / "docs" / "operations" / "alerts.md").read_text()
ROLES = "orders,api,streams"
SYMBOL = "BTC-USDT"


@pytest.fixture(scope="module")
def running() -> Iterator[Exchange]:
    """An exchange without load, with every family of metrics."""
    with Exchange(order=RECORDED, GATEWAY_ROLES=ROLES, FAULTS="on") as exchange:
        exchange.wait_http()
        yield exchange


def documented() -> dict[str, tuple[str, str]]:
    """Type and label of each metric that the page lists."""
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (?:`(\w+)`)? ?\| (.+) \|$", PAGE, re.MULTILINE)
    assert len(rows) == PAGE.count("\n| `")
    found = {}
    for name, kind, label, meaning in rows:
        assert len(meaning) > 5, name
        # The recorder applies no faults.
        processes = PROCESSES if "_fault" in name else RECORDED
        for process in processes if "PROCESS" in name else ("",):
            found[name.replace("PROCESS", process)] = (kind, label)
    return found


def enter(session: RawSession, count: int, side: int = 1) -> None:
    """So many orders, each acknowledged."""
    orders = [
        entry.New(
            request_seq=session.next_seq(), symbol=SYMBOL, side=side, quantity="0.1", price="50000"
        )
        for _ in range(count)
    ]
    for first in range(0, count, 500):
        answers = session.replies_to_all(*orders[first : first + 500])
        assert all(isinstance(answer, entry.Ack) for answer in answers)
    session.executions.clear()


def test_every_metric_is_documented_and_every_documented_one_is_exposed(running: Exchange) -> None:
    with RawSession(running.orders, 1) as session:
        enter(session, 4)
    wait_for(running, "crossbook_recorder_sequence", 4)
    exposed = scrape.families(running.api)
    page = documented()
    assert page.keys() == exposed.keys()
    for name, family in exposed.items():
        kind, label = page[name]
        assert family.type == kind, name
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        assert labels == ({label} if label else set()), name


def test_alerts_name_metrics_that_exist() -> None:
    table = ALERTS.partition("## What to watch")[2].partition("\n## ")[0]
    names = set(re.findall(r"crossbook_(?!PROCESS)\w+", table))
    samples = {
        sample
        for name, (kind, _) in documented().items()
        for sample in ([f"{name}_sum", f"{name}_count"] if kind == "histogram" else [name])
    }
    assert len(names) > 15
    assert names <= samples


def test_every_act_is_counted(running: Exchange) -> None:
    before = value(running.api, "crossbook_matcher_commands_total") or 0
    with RawSession(running.orders, 1) as session, RawSession(running.orders, 2) as other:
        enter(session, 50)
        enter(other, 50, side=2)
        assert isinstance(session.reply_to(entry.Cancel(session.next_seq(), SYMBOL, 10**9)),
                          entry.Reject)  # fmt: skip
    wait_for(running, "crossbook_matcher_commands_total", before + 101)
    wait_for(running, "crossbook_gateway_commands_total", before + 101)
    wait_for(running, "crossbook_recorder_rows_total", 50, table="trades")
    wait_for(running, "crossbook_publisher_messages_total", 1, channel="trade")
    wait_for(running, "crossbook_gateway_rejects_total", 1, reason="UNKNOWN_ORDER")
    for name in ("matcher_sync_seconds", "matcher_batch_seconds", "gateway_answer_seconds",
                 "publisher_delay_seconds", "recorder_transaction_seconds"):  # fmt: skip
        wait_for(running, f"crossbook_{name}_count", 1)
    wait_for(running, "crossbook_publisher_subscribers", 1)
    assert value(running.api, "crossbook_publisher_subscribers") == 1


def test_a_gateway_of_streams_alone_exposes_its_own_metrics(running: Exchange) -> None:
    with Exchange(
        order=("gateway",),
        ready=False,
        **{**running.addresses, "GATEWAY_ROLES": "streams"},
    ) as streams:
        streams.start("gateway")
        streams.wait_http()
        for name in ("matcher", "recorder"):
            wait_for(streams, "crossbook_up", 1, process=name)
        exposed = scrape.families(streams.api)
        assert "crossbook_gateway_stream_clients" in exposed
        assert "crossbook_matcher_commands_total" in exposed
        assert "crossbook_gateway_sessions" not in exposed
        assert value(streams.api, "crossbook_up", process="recorder") == 1
        assert value(streams.api, "crossbook_sequence_lag", consumer="feed") is not None


@pytest.mark.parametrize("name", ["matcher", "publisher", "recorder"])
def test_a_process_that_is_down_or_stands_still_is_exposed_within_the_bound(name: str) -> None:
    with Exchange(order=RECORDED, GATEWAY_ROLES=ROLES) as exchange:
        exchange.wait_http()
        exchange.send_signal(name, signal.SIGSTOP)
        exchange.wait_until("the earlier values are old", lambda: _is_down(exchange, name))
        exchange.send_signal(name, signal.SIGCONT)
        wait_for(exchange, "crossbook_up", 1, process=name)
        exchange.kill(name)
        wait_gone(exchange, name)
        others = [each for each in RECORDED if each != name]
        assert all(value(exchange.api, "crossbook_up", process=other) == 1 for other in others)
        exchange.start(name)
        wait_for(exchange, "crossbook_up", 1, process=name)


def _is_down(exchange: Exchange, name: str) -> bool:
    began = time.monotonic()
    up = value(exchange.api, "crossbook_up", process=name)
    assert time.monotonic() - began < 3.0
    return up == 0


def test_a_journal_that_cannot_be_written_ends_the_matcher_and_shows_in_metrics() -> None:
    with Exchange(order=RECORDED, GATEWAY_ROLES=ROLES) as exchange:
        exchange.wait_http()
        with RawSession(exchange.orders, 1) as session:
            enter(session, 3_000)
            wait_for(exchange, "crossbook_matcher_journal_bytes", 64 * 1024)
            # Every write behind 48 KB fails from now on, as on a full disk; the log is shorter.
            limit = (48 * 1024, 48 * 1024)
            resource.prlimit(exchange.pid("matcher"), resource.RLIMIT_FSIZE, limit)
            last = session.next_seq()
            session.send(
                entry.New(request_seq=last, symbol=SYMBOL, side=1, quantity="0.1", price="50000")
            )
            exchange.wait_until(
                "the matcher ends",
                lambda: exchange.processes["matcher"].poll() is not None,
                ending="matcher",
            )
            assert exchange.ended("matcher") == 1
            assert '"event": "journal_failed"' in exchange.log("matcher")
            wait_gone(exchange, "matcher")
            assert value(exchange.api, "crossbook_sequence_lag", consumer="recorder") is None
            exchange.start("matcher")
            # The gateway sends unacknowledged commands again, and then they are acknowledged.
            assert isinstance(session.answer(last, seconds=30.0), entry.Ack)
        wait_for(exchange, "crossbook_up", 1, process="matcher")
        wait_for(exchange, "crossbook_gateway_commands_again_total", 1)


@pytest.mark.parametrize(
    ("consumer", "setting", "gaps"),
    [
        ("publisher", "MATCHER_EVENTS", "crossbook_publisher_gaps_total"),
        ("recorder", "MATCHER_EVENTS", "crossbook_recorder_gaps_total"),
        ("gateway", "MATCHER_EVENTS", "crossbook_gateway_event_gaps_total"),
        ("feed", "PUBLISHER_FEED", "crossbook_gateway_feed_gaps_total"),
    ],
)
def test_lag_and_gaps_of_each_consumer_show_in_metrics(
    consumer: str, setting: str, gaps: str
) -> None:
    process = "gateway" if consumer == "feed" else consumer
    with (
        Exchange(ready=False, GATEWAY_ROLES=ROLES) as exchange,
        Relay(exchange.addresses[setting]) as relay,
    ):
        for name in RECORDED:
            exchange.start(name, **({setting: relay.address} if name == process else {}))
        exchange.wait_ready()
        exchange.wait_http()
        # A gateway without its first book would not count a lost message as missing.
        exchange.wait_shown(SYMBOL)
        # The gateway may reach the other processes' metrics later than their data.
        wait_for(exchange, gaps, 0)
        before = value(exchange.api, gaps)
        assert before is not None
        with RawSession(exchange.orders, 1) as session:
            relay.losing = True
            session.send(
                *(
                    entry.New(
                        request_seq=session.next_seq(),
                        symbol=SYMBOL,
                        side=1,
                        quantity="0.1",
                        price="50000",
                    )
                    for _ in range(300)
                )
            )
            wait_for(exchange, "crossbook_sequence_lag", 300, consumer=consumer)
            # Heartbeats follow the orders' messages: when two more are lost, those are too.
            lost = relay.lost
            exchange.wait_until("all is lost", lambda: relay.lost > lost + 2)
            relay.losing = False
            wait_for(exchange, gaps, before + 1)
            exchange.wait_until(
                f"the {consumer} catches up",
                lambda: value(exchange.api, "crossbook_sequence_lag", consumer=consumer) == 0,
            )


def test_rejects_by_overload_show_in_metrics() -> None:
    with Exchange(ORDER_QUEUE_SIZE="10", GATEWAY_ROLES=ROLES) as exchange:
        exchange.wait_http()
        # An exchange that has just started may have refused its first order.
        before = value(exchange.api, "crossbook_gateway_rejects_total", reason="BUSY")
        assert before is not None
        with RawSession(exchange.orders, 1) as session:
            session.replies_to_all(
                *(
                    entry.New(
                        request_seq=session.next_seq(),
                        symbol=SYMBOL,
                        side=1,
                        quantity="0.1",
                        price="50000",
                    )
                    for _ in range(100)
                )
            )
        wait_for(exchange, "crossbook_gateway_rejects_total", before + 90, reason="BUSY")
        assert value(exchange.api, "crossbook_gateway_commands_in_flight_limit") == 10
        exchange.kill("matcher")
        with RawSession(exchange.orders, 1) as session:
            exchange.wait_until(
                "the gateway turns orders away",
                lambda: isinstance(
                    session.reply_to(
                        entry.New(
                            request_seq=session.next_seq(),
                            symbol=SYMBOL,
                            side=1,
                            quantity="0.1",
                            price="50000",
                        )
                    ),
                    entry.Reject,
                ),
            )
        wait_for(exchange, "crossbook_gateway_feed_stale", 1)


def test_a_recorder_behind_a_locked_database_shows_in_metrics() -> None:
    with Exchange(order=RECORDED, GATEWAY_ROLES=ROLES) as exchange:
        exchange.wait_http()
        database = sqlite3.connect(exchange.data / "history.db", isolation_level=None)
        database.execute("BEGIN IMMEDIATE")
        with RawSession(exchange.orders, 1) as session:
            enter(session, 200)
        wait_for(exchange, "crossbook_sequence_lag", 200, consumer="recorder")
        wait_for(exchange, "crossbook_recorder_database_failing", 1, seconds=60)
        database.execute("ROLLBACK")
        database.close()
        exchange.wait_until(
            "the recorder catches up",
            lambda: (value(exchange.api, "crossbook_sequence_lag", consumer="recorder"),
                     value(exchange.api, "crossbook_recorder_database_failing")) == (0, 0),
            seconds=30,
        )  # fmt: skip
        wait_for(exchange, "crossbook_recorder_database_failures_total", 1)


def test_a_client_that_does_not_read_is_cut_off_and_shows_in_metrics(running: Exchange) -> None:
    before = value(running.api, "crossbook_gateway_websockets_closed_total", code="1008") or 0
    address = ("127.0.0.1", running.api_port)
    with socket.socket() as deaf, RawSession(running.orders, 3) as session:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        deaf.connect(address)
        deaf.sendall(
            b"GET /ws/orders?account=3 HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        wait_for(running, "crossbook_gateway_websockets", 1)

        def cut_off() -> bool:
            enter(session, 2_000)
            name = "crossbook_gateway_websockets_closed_total"
            return (value(running.api, name, code="1008") or 0) > before

        running.wait_until("the deaf client is cut off", cut_off, seconds=60)


def test_a_session_of_a_client_that_is_gone_shows_in_metrics(running: Exchange) -> None:
    before = value(running.api, "crossbook_gateway_clients_dropped_total") or 0
    RawSession(running.orders, 4).close()
    wait_for(running, "crossbook_gateway_clients_dropped_total", before + 1)


def test_the_limit_of_websockets_shows_in_metrics() -> None:
    with Exchange(GATEWAY_ROLES=ROLES, MAX_WEBSOCKET_CONNECTIONS="2") as exchange:
        exchange.wait_http()
        url = f"ws://127.0.0.1:{exchange.api_port}/ws/ticker/{SYMBOL}"
        with connect(url), connect(url):
            wait_for(exchange, "crossbook_gateway_websockets", 2)
            assert value(exchange.api, "crossbook_gateway_websockets_limit") == 2
            wait_for(exchange, "crossbook_gateway_stream_clients", 2, stream="ticker")
            with connect(url):
                wait_for(exchange, "crossbook_gateway_websockets_closed_total", 1, code="1013")


def test_snapshots_and_their_failures_show_in_metrics() -> None:
    with Exchange(ready=False, SNAPSHOT_EVERY="1000", GATEWAY_ROLES=ROLES) as exchange:
        # The child that writes is killed each time; the matcher is not.
        exchange.start("matcher", CROSSBOOK_CRASH_AT="matcher.snapshot_half:1")
        exchange.start("publisher")
        exchange.start("gateway")
        exchange.wait_ready()
        exchange.wait_http()
        with RawSession(exchange.orders, 1) as session:
            enter(session, 1_200)
            wait_for(exchange, "crossbook_matcher_snapshot_failures_total", 1)
            exchange.stop("matcher")
            exchange.start("matcher")
            exchange.wait_ready()
            enter(session, 2_400)
        wait_for(exchange, "crossbook_matcher_snapshots_total", 1)
        wait_for(exchange, "crossbook_matcher_snapshot_pause_seconds_count", 1)
        assert (value(exchange.api, "crossbook_matcher_snapshot_sequence") or 0) >= 1_000


def test_the_exposed_disk_room_is_that_of_the_file_system(running: Exchange) -> None:
    found = os.statvfs(running.data)
    exposed = value(running.api, "crossbook_matcher_disk_free_bytes")
    assert exposed is not None
    assert abs(exposed - found.f_bavail * found.f_frsize) < 4 * 2**30
