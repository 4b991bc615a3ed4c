"""SIGTERM and SIGINT end every process within its bound, and work under way is finished."""

import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from websockets.sync.client import connect

from crossbook.common.messages import entry
from tests.system.exchange import RECORDED, Exchange
from tests.system.scrape import value
from tests.system.session import RawSession
from tests.system.web import WEB

ROLES = "orders,api,streams"
SECONDS = 3.0
"""Bound of the seconds of each end, which takes a few tenths on an idle machine."""

GATEWAY_SECONDS = 8.0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_every_process_ends_within_its_bound(number: int) -> None:
    with Exchange(order=RECORDED, GATEWAY_ROLES=ROLES) as exchange:
        exchange.wait_http()
        with RawSession(exchange.orders, 1) as session:
            order = entry.New(
                request_seq=session.next_seq(),
                symbol="BTC-USDT",
                side=1,
                quantity="1",
                price="50000",
            )
            assert isinstance(session.reply_to(order), entry.Ack)
        for name in RECORDED:
            began = time.monotonic()
            assert exchange.stop(name, number) == 0
            took = time.monotonic() - began
            assert took < (GATEWAY_SECONDS if name == "gateway" else SECONDS), name
            assert f'"event": "{name}_stopped"' in exchange.log(name)


@pytest.mark.parametrize("name", ["matcher", "publisher", "recorder"])
def test_an_idle_process_ends_as_soon_with_rare_heartbeats(name: str) -> None:
    with Exchange(ready=False, HEARTBEAT_MS="60000") as exchange:
        exchange.start(name)
        exchange.wait_bound(name)
        exchange.wait_until("it runs", lambda: f"{name}_ready" in exchange.log(name))
        began = time.monotonic()
        assert exchange.stop(name) == 0
        assert time.monotonic() - began < SECONDS


@pytest.mark.parametrize("name", RECORDED)
def test_a_process_that_has_only_begun_ends_as_it_should(name: str) -> None:
    with Exchange(ready=False) as exchange:
        exchange.start(name)
        exchange.wait_bound(name)
        assert exchange.stop(name) == 0


def test_a_running_request_is_answered_and_websockets_receive_going_away() -> None:
    with (
        Exchange(order=RECORDED, GATEWAY_ROLES=ROLES) as exchange,
        ThreadPoolExecutor() as pool,
    ):
        exchange.wait_http()
        url = f"ws://127.0.0.1:{exchange.api_port}/ws/market-data/BTC-USDT"
        with connect(url) as market:
            exchange.send_signal("matcher", signal.SIGSTOP)
            body = {
                "symbol": "BTC-USDT",
                "order_type": "limit",
                "side": "buy",
                "quantity": "1",
                "price": "50000",
            }
            entering = pool.submit(WEB.post, f"{exchange.api}/api/v1/orders", json=body, timeout=30)
            exchange.wait_until(
                "the order is in flight",
                lambda: value(exchange.api, "crossbook_gateway_commands_in_flight") == 1,
            )
            stopping = pool.submit(exchange.stop, "gateway")
            for _ in market:
                # Until the gateway closes it.
                continue
            assert market.close_code == 1001
            assert not stopping.done()
            exchange.send_signal("matcher", signal.SIGCONT)
            answer = entering.result(30)
            assert (answer.status_code, answer.json()["order_status"]) == (201, "NEW")
            assert stopping.result(30) == 0


def test_silent_clients_do_not_delay_the_end_of_the_gateway() -> None:
    with (
        Exchange(GATEWAY_ROLES=ROLES) as exchange,
        socket.socket() as deaf,
        socket.socket() as half,
    ):
        exchange.wait_http()
        for client in (deaf, half):
            client.connect(("127.0.0.1", exchange.api_port))
        # One WebSocket that answers no close frame, and one request that is never complete.
        deaf.sendall(
            b"GET /ws/market-data/BTC-USDT HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        half.sendall(
            b"POST /api/v1/orders HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n"
        )
        exchange.wait_until(
            "the WebSocket is open",
            lambda: value(exchange.api, "crossbook_gateway_websockets") == 1,
        )
        began = time.monotonic()
        assert exchange.stop("gateway") == 0
        assert time.monotonic() - began < GATEWAY_SECONDS
