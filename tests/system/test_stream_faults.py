"""Faults of the WebSocket streams in a running exchange: on the wire, and on the page."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from crossbook import Client
from crossbook.client.faults import Faults
from tests.system import browser as chromium
from tests.system.browser import Browser
from tests.system.exchange import RECORDED, Exchange, select_nothing
from tests.system.page import Page
from tests.system.scrape import value
from tests.worlds.json_book import JsonBook

SYMBOL = "BTC-USDT"
WAIT_S = 10.0


@pytest.fixture(name="running", scope="module")
def fixture_running() -> Iterator[Exchange]:
    with Exchange(order=RECORDED, GATEWAY_ROLES="orders,api,streams", FAULTS="on") as exchange:
        exchange.wait_http()
        yield exchange


@pytest.fixture(name="faults")
def fixture_faults(running: Exchange) -> Iterator[Faults]:
    faults = Faults(running.api)
    yield faults
    faults.clear()


@pytest.fixture(name="client")
def fixture_client(running: Exchange) -> Iterator[Client]:
    with Client(running.orders, account=5) as client:
        yield client
        client.mass_cancel()


@pytest.fixture(name="stream")
def fixture_stream(running: Exchange) -> Iterator[ClientConnection]:
    address = f"ws://127.0.0.1:{running.api_port}/ws/market-data/{SYMBOL}"
    select_nothing(0.2)  # The cancels of the test before are shown.
    with connect(address, open_timeout=WAIT_S) as connection:
        yield connection


def present(stream: ClientConnection) -> JsonBook:
    """The book of a new connection."""
    book = JsonBook()
    while not book.counts.get("state"):
        book.apply(json.loads(stream.recv(WAIT_S)))
    assert book.seq is not None
    return book


def received(stream: ClientConnection, kind: str) -> dict[str, Any]:
    """The next message of a type."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        message: dict[str, Any] = json.loads(stream.recv(WAIT_S))
        if message["type"] == kind:
            return message
    raise AssertionError(f"no {kind}")


def move(client: Client) -> None:
    """Change the book, and let the change be sent."""
    client.submit(SYMBOL, "buy", "0.1", "40000.00")
    select_nothing(0.15)


def test_a_lost_update_shows_in_the_next_and_a_new_connection_is_whole(
    running: Exchange, client: Client, faults: Faults, stream: ClientConnection
) -> None:
    before = present(stream).seq
    assert before is not None
    rule = faults.stream_drop(type="l2_update", next=1)
    move(client)
    move(client)
    update = received(stream, "l2_update")
    assert update["prev_seq"] != before
    assert rule.applied == 1
    assert value(running.api, "crossbook_gateway_faults_total", kind="stream_drop")
    with connect(f"ws://127.0.0.1:{running.api_port}/ws/market-data/{SYMBOL}") as again:
        assert present(again).seq == update["seq"]


def test_an_announced_gap_is_repaired_on_the_same_connection(
    client: Client, faults: Faults, stream: ClientConnection
) -> None:
    book = present(stream)
    before = book.counts.get("l2_update", 0)
    faults.stream_gap(type="l2_update", next=1)
    for _ in range(2):
        move(client)
    while book.counts.get("l2_update", 0) == before:
        book.apply(json.loads(stream.recv(WAIT_S)))
    assert (book.counts["resync"], book.counts["snapshot"]) == (1, 2)


def test_a_still_stream_lives_and_shows_its_gap_after_clear(
    client: Client, faults: Faults, stream: ClientConnection
) -> None:
    before = present(stream).seq
    assert before is not None
    faults.stream_stale()
    move(client)
    assert received(stream, "heartbeat")["seq"] == before
    faults.clear()
    assert received(stream, "heartbeat")["seq"] > before


def test_a_connection_ends_every_so_many_seconds(running: Exchange, faults: Faults) -> None:
    rule = faults.stream_disconnect(0.3, stream="ticker", next=2)
    address = f"ws://127.0.0.1:{running.api_port}/ws/ticker/{SYMBOL}"
    for _ in range(2):
        with connect(address, open_timeout=WAIT_S) as stream, pytest.raises(ConnectionClosed):
            received(stream, "none")
    assert rule.applied == 2


def test_an_empty_book_of_the_feed_is_that_of_the_stream_too(
    client: Client, faults: Faults, stream: ClientConnection
) -> None:
    client.submit(SYMBOL, "buy", "0.1", "41000.00")
    faults.book_empty("bids", SYMBOL)
    while received(stream, "bbo")["bid"] is not None:
        pass
    faults.clear()
    assert received(stream, "bbo")["bid"] == "41000.00"


# The page


@pytest.fixture(name="page")
def fixture_page(running: Exchange, window: Browser, client: Client) -> Page:
    if not chromium.AVAILABLE:
        pytest.skip(chromium.MISSING)
    client.submit(SYMBOL, "buy", "0.1", "41000.00")
    page = Page(window, running.api, account=5).open()
    page.wait_levels([["buy", "41000.00", "0.10000"]])
    return page


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        ("stream_drop", {}),
        ("stream_wrong_checksum", {}),
        ("stream_gap", {}),
        ("stream_duplicate", {}),
        ("stream_reorder", {}),
        ("stream_delay", {"milliseconds": 200}),
    ],
)
def test_the_page_shows_the_right_book_again(
    client: Client, faults: Faults, page: Page, kind: str, parameters: dict[str, int]
) -> None:
    rule = faults.add(kind, type="l2_update", next=1, **parameters)
    client.submit(SYMBOL, "buy", "0.1", "40000.00")
    select_nothing(0.2)
    client.submit(SYMBOL, "buy", "0.1", "39000.00")
    page.wait_levels([["buy", price, "0.10000"] for price in ("41000.00", "40000.00", "39000.00")])
    page.wait_state("live")
    assert rule.applied == 1


def test_the_page_marks_a_stream_without_heartbeats_as_lost_and_opens_it_again(
    faults: Faults, page: Page
) -> None:
    faults.stream_heartbeat_stopped()
    page.wait_state("lost")
    faults.clear()
    page.wait_state("live")


def test_the_page_returns_after_disconnections(faults: Faults, page: Page) -> None:
    rule = faults.stream_disconnect(0.5, stream="market-data", next=1)
    page.wait_banner("Live again")
    assert rule.applied == 1
