"""User streams and the WebSocket API of the Binance-spot face with real processes: two shards, a
restart of a matcher, and the end of the gateway."""

import hmac
import json
import signal
import time
import urllib.request
from contextlib import ExitStack
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from crossbook.common.shards import shard_of
from tests.system.exchange import RECORDED, Exchange
from tests.system.sharded import OF_A_SHARD, of_every_shard, sharded

SECONDS = 20.0
ROLES = "orders,binance"
LIMIT = {"type": "LIMIT", "timeInForce": "GTC", "quantity": "0.5", "price": "3000"}


class User:
    """A client of the WebSocket API with the demo key of an account."""

    def __init__(self, exchange: Exchange, stack: ExitStack, account: int) -> None:
        address = f"{exchange.api.replace('http', 'ws')}/ws-api/v3"
        self.socket: ClientConnection = stack.enter_context(connect(address))
        self._account = account
        self._number = 0
        self._events: list[dict[str, Any]] = []

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """The answer to a signed request; events that come before it are kept."""
        self._number += 1
        whole = {**params, "apiKey": f"demo-{self._account}", "timestamp": int(time.time() * 1000)}
        text = "&".join(f"{name}={whole[name]}" for name in sorted(whole))
        secret = f"demo-secret-{self._account}".encode()
        whole["signature"] = hmac.digest(secret, text.encode(), "sha256").hex()
        self.socket.send(json.dumps({"id": self._number, "method": method, "params": whole}))
        while True:
            message = json.loads(self.socket.recv(timeout=SECONDS))
            if message.get("id") == self._number:
                assert message["status"] == 200, message
                return dict(message["result"])
            self._events.append(message["event"])

    def subscribe(self) -> None:
        """Receive the events of the account."""
        assert self.call("userDataStream.subscribe.signature") == {"subscriptionId": 0}

    def until(self, kind: str, **values: Any) -> dict[str, Any]:
        """The next event of a kind with these values; those before it are dropped."""
        while True:
            if not self._events:
                self._events.append(json.loads(self.socket.recv(timeout=SECONDS))["event"])
            event = self._events.pop(0)
            if event["e"] == kind and values.items() <= event.items():
                return event


def test_an_account_is_followed_over_all_shards() -> None:
    processes = [*of_every_shard(2, OF_A_SHARD), "gateway"]
    with (
        sharded(2, processes, GATEWAY_ROLES=ROLES, ACCOUNTS="on") as exchange,
        ExitStack() as stack,
    ):
        exchange.wait_http()
        buyer, seller = (User(exchange, stack, account) for account in (7, 8))
        old = buyer.call("order.place", symbol="ETHUSDT", side="BUY", **LIMIT)
        for user in (buyer, seller):
            user.subscribe()
        sold = seller.call("order.place", symbol="ETHUSDT", side="SELL", **LIMIT)
        trade = buyer.until("executionReport", x="TRADE")
        assert (trade["i"], trade["X"], trade["z"]) == (old["orderId"], "FILLED", "0.50000000")
        assert seller.until("executionReport", x="NEW")["i"] == sold["orderId"]
        assert seller.until("executionReport", x="TRADE")["t"] == trade["t"]
        other = buyer.call("order.place", symbol="BTCUSDT", side="BUY", **LIMIT)
        assert shard_of(other["orderId"]) != shard_of(old["orderId"])
        assert buyer.until("executionReport", i=other["orderId"])["x"] == "NEW"
        position = buyer.until("outboundAccountPosition")
        account = buyer.call("account.status")
        held = {each["asset"]: each for each in account["balances"]}
        for each in position["B"]:
            assert (each["f"], each["l"]) == (held[each["a"]]["free"], held[each["a"]]["locked"])


def test_a_stream_goes_on_after_its_matcher_and_ends_with_its_gateway() -> None:
    with (
        Exchange(order=RECORDED, GATEWAY_ROLES=ROLES) as exchange,
        ExitStack() as stack,
    ):
        exchange.wait_http()
        user = User(exchange, stack, 7)
        user.subscribe()
        order = user.call("order.place", symbol="BTCUSDT", side="BUY", **LIMIT)
        user.until("executionReport", x="NEW")
        request = urllib.request.Request(
            f"{exchange.api}/api/v3/userDataStream",
            method="POST",
            headers={"X-MBX-APIKEY": "demo-7"},
        )
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            key = json.load(answer)["listenKey"]
        address = exchange.api.replace("http", "ws")
        listening = stack.enter_context(connect(f"{address}/stream?streams={key}"))
        exchange.kill("matcher")
        exchange.start("matcher")
        exchange.wait_ready()
        user.call("order.cancel", symbol="BTCUSDT", orderId=order["orderId"])
        assert user.until("executionReport", x="CANCELED")["i"] == order["orderId"]
        message = json.loads(listening.recv(timeout=SECONDS))
        assert (message["stream"], message["data"]["x"]) == (key, "CANCELED")
        market = stack.enter_context(connect(f"{address}/ws/0"))
        exchange.send_signal("gateway", signal.SIGTERM)
        assert json.loads(market.recv(timeout=SECONDS))["e"] == "serverShutdown"
        assert user.until("serverShutdown")
        assert json.loads(listening.recv(timeout=SECONDS))["data"]["e"] == "serverShutdown"
        for socket in (user.socket, listening):
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv(timeout=SECONDS)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1001
