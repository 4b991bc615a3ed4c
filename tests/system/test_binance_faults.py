"""Faults of the Binance-spot face in a running exchange: its streams, user streams and clock."""

import json
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from crossbook import Client
from crossbook.client.faults import Faults
from tests.system.exchange import RECORDED, Exchange, select_nothing
from tests.system.scrape import value
from tests.system.test_binance_user import User

SYMBOL = "BTC-USDT"
WAIT_S = 10.0
ACCOUNT = 7


@pytest.fixture(name="running", scope="module")
def fixture_running() -> Iterator[Exchange]:
    with Exchange(order=RECORDED, GATEWAY_ROLES="orders,api,binance", FAULTS="on") as exchange:
        exchange.wait_http()
        yield exchange


@pytest.fixture(name="faults")
def fixture_faults(running: Exchange) -> Iterator[Faults]:
    faults = Faults(running.api)
    yield faults
    faults.clear()


@pytest.fixture(name="client")
def fixture_client(running: Exchange) -> Iterator[Client]:
    with Client(running.orders, account=ACCOUNT) as client:
        yield client
        client.mass_cancel()


@pytest.fixture(name="stack")
def fixture_stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def opened(exchange: Exchange, stack: ExitStack, path: str) -> ClientConnection:
    """A connection to a path of the face."""
    address = f"{exchange.api.replace('http', 'ws')}{path}"
    return stack.enter_context(connect(address, open_timeout=WAIT_S))


def received(stream: ClientConnection) -> dict[str, Any]:
    """The next event."""
    return dict(json.loads(stream.recv(WAIT_S)))


def move(client: Client) -> None:
    """Change the book."""
    client.submit(SYMBOL, "buy", "0.1", "40000.00")


def test_a_lost_change_of_a_book_is_a_hole_that_a_snapshot_heals(
    running: Exchange, client: Client, faults: Faults, stack: ExitStack
) -> None:
    stream = opened(running, stack, "/ws/btcusdt@depth@100ms")
    move(client)
    last = received(stream)["u"]
    rule = faults.stream_gap(stream="binance", next=1)
    move(client)
    while not rule.applied:
        select_nothing(0.02)
    move(client)
    event = received(stream)
    assert event["U"] > last + 1
    assert value(running.api, "crossbook_gateway_faults_total", kind="stream_gap")
    with urllib.request.urlopen(f"{running.api}/api/v3/depth?symbol=BTCUSDT", timeout=5) as answer:
        number = json.load(answer)["lastUpdateId"]
    assert number >= event["u"]
    move(client)
    while (event := received(stream))["u"] <= number:
        pass
    assert event["U"] <= number + 1


def test_a_silent_user_stream_lives_until_clear(
    running: Exchange, client: Client, faults: Faults, stack: ExitStack
) -> None:
    user = User(running, stack, ACCOUNT)
    user.subscribe()
    rule = faults.executions_silent(account=ACCOUNT)
    move(client)
    assert user.call("ping") == {}
    while not rule.applied:
        select_nothing(0.02)
    faults.clear()
    client.submit(SYMBOL, "buy", "0.1", "41000.00")
    assert user.until("executionReport")["p"] == "41000.00000000"


def test_a_listen_key_ends_on_request(running: Exchange, faults: Faults, stack: ExitStack) -> None:
    request = urllib.request.Request(
        f"{running.api}/api/v3/userDataStream",
        method="POST",
        headers={"X-MBX-APIKEY": f"demo-{ACCOUNT}"},
    )
    with urllib.request.urlopen(request, timeout=5) as answer:
        key = json.load(answer)["listenKey"]
    stream = opened(running, stack, f"/ws/{key}")
    rule = faults.listen_key_expired(0.1, account=ACCOUNT)
    event = received(stream)
    assert (event["e"], event["listenKey"], rule.applied) == ("listenKeyExpired", key, 1)


def test_clients_are_warned_before_a_requested_end(
    running: Exchange, faults: Faults, stack: ExitStack
) -> None:
    market, user = opened(running, stack, "/ws/0"), opened(running, stack, "/ws-api/v3")
    faults.server_shutdown(0.3)
    assert received(market)["e"] == "serverShutdown"
    assert received(user)["event"]["e"] == "serverShutdown"
    for connection in (market, user):
        with pytest.raises(ConnectionClosed) as closed:
            connection.recv(WAIT_S)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001


def test_connections_end_every_so_many_seconds(
    running: Exchange, faults: Faults, stack: ExitStack
) -> None:
    rule = faults.stream_disconnect(0.3, stream="binance", next=2)
    api = opened(running, stack, "/ws-api/v3")
    for _ in range(2):
        with pytest.raises(ConnectionClosed):
            opened(running, stack, "/ws/0").recv(WAIT_S)
    assert rule.applied == 2
    api.send('{"id":1,"method":"ping"}')
    assert received(api)["status"] == 200


@pytest.mark.parametrize(
    ("shift_ms", "text"),
    [
        (20_000, "Timestamp for this request is outside of the recvWindow."),
        (-20_000, "Timestamp for this request was 1000ms ahead of the server"),
    ],
)
def test_a_clock_that_is_right_is_refused_where_that_of_the_exchange_is_shifted(
    running: Exchange, faults: Faults, stack: ExitStack, shift_ms: int, text: str
) -> None:
    user = User(running, stack, ACCOUNT)
    user.call("account.status")
    faults.clock_shifted(shift_ms)
    with pytest.raises(AssertionError, match="-1021") as refused:
        user.call("account.status")
    assert text in str(refused.value)
    with urllib.request.urlopen(f"{running.api}/api/v3/time", timeout=5) as answer:
        shown_ms = json.load(answer)["serverTime"]
    assert abs(shown_ms - time.time() * 1_000 - shift_ms) < 5_000
    faults.clear()
    user.call("account.status")
