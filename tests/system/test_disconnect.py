"""Cancel on disconnect through real processes, over every interface that has connections."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from crossbook import Client
from tests.system.exchange import RECORDED, Exchange
from tests.system.web import WEB
from tests.worlds.rest_world import limit

SYMBOL = "BTC-USDT"
PROBE_S = 15.0
"""A gone ZeroMQ client is found within about five seconds."""


@pytest.fixture(scope="module")
def exchange() -> Iterator[Exchange]:
    with Exchange(order=RECORDED, GATEWAY_ROLES="orders,api,streams") as running:
        running.wait_http()
        yield running


@contextlib.contextmanager
def stream(exchange: Exchange, account: int, wish: str) -> Iterator[ClientConnection]:
    """A connection on `/ws/orders` with an order that rests."""
    url = exchange.api.replace("http", "ws", 1)
    query = f"account={account}&cancel_on_disconnect={wish}"
    with connect(f"{url}/ws/orders?{query}", close_timeout=5) as connection:
        order = limit("buy", "0.1", "9000.00")
        connection.send(json.dumps({"id": "a", "method": "submit", "params": order}))
        while json.loads(connection.recv(10))["type"] != "answer":
            pass
        yield connection


def open_orders(exchange: Exchange, account: int) -> list[Any]:
    """The open orders by REST; the request makes a session of single requests."""
    answer = WEB.get(
        f"{exchange.api}/api/v1/orders?status=open", headers={"X-Account": str(account)}
    )
    assert answer.status_code == 200, answer.text
    orders: list[Any] = answer.json()["orders"]
    return orders


def test_a_closed_websocket_cancels_its_own_orders(exchange: Exchange) -> None:
    with stream(exchange, 301, "true"):
        assert len(open_orders(exchange, 301)) == 1
    exchange.wait_until("the order is gone", lambda: not open_orders(exchange, 301))


@pytest.mark.parametrize("wisher_leaves_first", [True, False])
def test_cancel_on_disconnect_waits_for_the_zeromq_session_of_the_account(
    exchange: Exchange, wisher_leaves_first: bool
) -> None:
    account = 302 + wisher_leaves_first
    with stream(exchange, account, "true") as connection:
        with Client(exchange.orders, account=account) as client:
            if wisher_leaves_first:
                connection.close()
            assert len(client.open_orders()) == 1
        if not wisher_leaves_first:
            assert len(open_orders(exchange, account)) == 1
    exchange.wait_until("the order is gone", lambda: not open_orders(exchange, account), PROBE_S)


def test_without_cancel_on_disconnect_orders_stay(exchange: Exchange) -> None:
    with stream(exchange, 304, "false"):
        pass
    with stream(exchange, 305, "true"):
        pass
    exchange.wait_until("the order is gone", lambda: not open_orders(exchange, 305))
    assert len(open_orders(exchange, 304)) == 1


def test_a_gateway_that_is_stopped_cancels_for_all_its_connections() -> None:
    with Exchange(order=RECORDED, GATEWAY_ROLES="orders,api,streams") as exchange:
        exchange.wait_http()
        with Client(exchange.orders, account=307, cancel_on_disconnect=True) as client:
            client.submit(SYMBOL, "buy", "0.1", "9000.00")
            with stream(exchange, 306, "true"):
                assert exchange.stop("gateway") == 0
            exchange.start("gateway")
            exchange.wait_http()
            assert not open_orders(exchange, 306)
            assert not open_orders(exchange, 307)
