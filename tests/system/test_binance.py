"""The Binance-spot face of real processes: demo keys, keys of the exchange, the role alone."""

import hmac
import json
import time
import urllib.request
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode

from tests.system.exchange import RECORDED, Exchange
from tests.system.keyed import KeyedExchange

LIMIT = {
    "symbol": "BTCUSDT", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.5", "price": "50000",
}  # fmt: skip


class Caller:
    """Sends signed requests to the face of an exchange."""

    def __init__(self, exchange: Exchange, key: str, secret: str) -> None:
        self._at = f"http://127.0.0.1:{exchange.api_port}"
        self._key = key
        self._secret = secret

    def send(self, method: str, path: str, **parameters: Any) -> tuple[int, Any]:
        """Status and document of an answer."""
        text = urlencode({**parameters, "timestamp": int(time.time() * 1000)})
        proof = hmac.digest(self._secret.encode(), text.encode(), "sha256").hex()
        request = urllib.request.Request(
            f"{self._at}{path}?{text}&signature={proof}", method=method,
            headers={"X-MBX-APIKEY": self._key},
        )  # fmt: skip
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                assert answer.headers["x-mbx-used-weight"].isdigit()
                return answer.status, json.load(answer)
        except HTTPError as error:
            return error.code, json.load(error)


def test_bots_trade_with_demo_keys_and_find_their_orders() -> None:
    with Exchange(order=RECORDED, GATEWAY_ROLES="orders,binance", ACCOUNTS="on") as exchange:
        exchange.wait_http()
        seller, buyer = (
            Caller(exchange, f"demo-{number}", f"demo-secret-{number}") for number in (7, 8)
        )
        assert seller.send("POST", "/api/v3/order", side="SELL", **LIMIT)[1]["status"] == "NEW"
        status, bought = buyer.send("POST", "/api/v3/order", side="BUY", **LIMIT)
        assert (status, bought["status"], len(bought["fills"])) == (200, "FILLED", 1)
        known = seller.send("GET", "/api/v3/myTrades", symbol="BTCUSDT")[1]
        assert [each["qty"] for each in known] == ["0.50000000"]
        balances = buyer.send("GET", "/api/v3/account", omitZeroBalances="true")[1]["balances"]
        assert {each["asset"] for each in balances} >= {"BTC", "USDT"}
        missing = buyer.send("GET", "/api/v3/order", symbol="BTCUSDT", orderId=10**9)
        assert missing == (400, {"code": -2013, "msg": "Order does not exist."})
        # This gateway has no role api.
        assert buyer.send("GET", "/api/v3/depth", symbol="BTCUSDT", limit=5)[0] == 200


def test_with_auth_on_the_keys_are_those_of_the_exchange() -> None:
    with KeyedExchange(GATEWAY_ROLES="orders,api,binance") as exchange:
        exchange.add_key("desk-1", 7)
        desk = Caller(exchange, "desk-1", ("desk-1" * 64)[:64])
        assert desk.send("POST", "/api/v3/order", side="BUY", **LIMIT)[1]["status"] == "NEW"
        assert desk.send("GET", "/api/v3/account")[1]["uid"] == 7
        demo = Caller(exchange, "demo-7", "demo-secret-7")
        assert demo.send("GET", "/api/v3/account")[1]["code"] == -2015
        assert Caller(exchange, "desk-1", "x").send("GET", "/api/v3/account")[1]["code"] == -1022
        limits = desk.send("GET", "/api/v3/exchangeInfo")[1]["rateLimits"]
        assert {each["rateLimitType"]: each["limit"] for each in limits[:2]} == {
            "REQUEST_WEIGHT": 120_000, "RAW_REQUESTS": 4_000,
        }  # fmt: skip
