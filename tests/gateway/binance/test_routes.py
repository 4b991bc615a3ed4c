"""Every route with every method and any parameters: a document or an error, never anything else."""

import random
from typing import Any

import pytest

from crossbook.common.messages.feed import Ticker
from crossbook.gateway.binance.parameters import Parameters
from crossbook.gateway.binance.routes import weight_of
from tests.gateway.binance.test_order_actions import market, run
from tests.worlds.desk_world import INSTRUMENTS
from tests.worlds.face_world import FaceWorld

METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS")

VALUES: dict[str, list[Any]] = {
    "symbol": ["BTCUSDT", "ETHUSDT", "XYZ", "btcusdt", "BTC-USDT", ""],
    "symbols": ['["BTCUSDT"]', '["BTCUSDT","ETHUSDT"]', "[]", "[1]", "{", '["BTCUSDT","BTCUSDT"]'],
    "side": ["BUY", "SELL", "buy", "", "LONG"],
    "type": [
        "LIMIT",
        "MARKET",
        "LIMIT_MAKER",
        "STOP_LOSS",
        "STOP_LOSS_LIMIT",
        "TAKE_PROFIT",
        "TAKE_PROFIT_LIMIT",
        "FULL",
        "MINI",
        "OCO",
        "",
    ],
    "timeInForce": ["GTC", "IOC", "FOK", "GTX", ""],
    "quantity": ["1", "0.5", "0", "-1", "1e9", "0.000000001", "9" * 20, "x", "1.5.", ""],
    "quoteOrderQty": ["100", "0", "0.000000001", "9" * 20, "x"],
    "price": ["50000", "49999.99", "0", "0.001", "9" * 20, "nan", "-5"],
    "stopPrice": ["51000", "49000", "0", "x"],
    "icebergQty": ["0.1", "0", "5", "x"],
    "newClientOrderId": ["mine", "n" * 36, "n" * 37, "a b", "\u00e9"],
    "origClientOrderId": ["mine", "ORD-0000000001", "ORD-" + "9" * 19, "x" * 40, "\u00e9"],
    "orderId": [1, 2, 0, -1, 2**63 - 1, 2**63, "x"],
    "cancelOrderId": [1, 2, 2**62, "x"],
    "cancelReplaceMode": ["STOP_ON_FAILURE", "ALLOW_FAILURE", "x"],
    "cancelRestrictions": ["ONLY_NEW", "ONLY_PARTIALLY_FILLED", "x"],
    "newQty": ["0.5", "2", "0", "x"],
    "fromId": [0, 1, 2**63 - 1, 2**70, "x"],
    "startTime": [0, 1, 1761482096789, 1761482096789000, 2**63 - 1, 2**70, "x"],
    "endTime": [0, 1, 1761482096789, 1761482096789000, 2**63 - 1, "x"],
    "limit": [1, 5, 1000, 5000, 0, -1, 2**70, "x"],
    "interval": ["1m", "1s", "1M", "3d", "2m", ""],
    "windowSize": ["1m", "59m", "1d", "8d", "x"],
    "timeZone": ["0", "-3", "x"],
    "newOrderRespType": ["ACK", "RESULT", "FULL", "x"],
    "selfTradePreventionMode": ["NONE", "EXPIRE_BOTH", "DECREMENT", "TRANSFER"],
    "omitZeroBalances": ["true", "false", "x"],
    "computeCommissionRates": ["true", "x"],
    "listenKey": ["k" * 64, "", "x"],
    "recvWindow": ["5000", "0", "60000.5", "x"],
    "permissions": ["SPOT", '["SPOT"]', "[", "x"],
    "trailingDelta": ["1"],
    "orderListId": ["1", "x"],
    "strategyType": ["1", "1000000", "x"],
}


@pytest.mark.parametrize("seed", range(6))
def test_no_request_breaks_the_face_or_has_an_answer_of_another_shape(seed: int) -> None:
    async def main() -> None:
        chance = random.Random(seed)
        async with FaceWorld() as world:
            bots = [world.bot(1), world.bot(2)]
            await bots[0].limit("SELL", "5", "50000", newClientOrderId="mine")
            await market(bots[1], "BUY", quantity="1")
            add_tickers(world)
            paths = [*world.face.routes, "/api/v3/orderLists", "/api/v3/order/", "/sapi/x"]
            for path in paths:
                for method in METHODS:
                    for _ in range(3):
                        names = chance.sample(sorted(VALUES), chance.randint(0, 9))
                        terms = {name: chance.choice(VALUES[name]) for name in names}
                        if chance.random() < 0.7:
                            terms["symbol"] = "BTCUSDT"
                        answer = await chance.choice(bots).send(method, path, **terms)
                        where = (seed, method, path, terms, answer.text)
                        _check(method, answer, where)
            assert (await bots[0].get("account"))["uid"] == 1

    run(main())


def add_tickers(world: FaceWorld) -> None:
    """Give every instrument a ticker: the face cannot answer before there is one."""
    for each in INSTRUMENTS:
        world.market.tickers[each.symbol] = Ticker(each.symbol, *[1] * 17)


def _check(method: str, answer: Any, where: Any) -> None:
    assert answer.headers["content-type"].startswith("application/json"), where
    assert "x-mbx-used-weight" in answer.headers, where
    assert answer.status_code < 500, where
    if method == "HEAD":
        assert answer.content == b"", where
    elif answer.status_code == 200:
        answer.json()
    else:
        document = answer.json()
        assert set(document) in ({"code", "msg"}, {"code", "msg", "data"}), where
        assert document["code"] < 0, where
        assert document["msg"], where


RAW = [
    b"", b"&", b"=", b"a", b"a=%", b"%=%", b"a=1&a=1", b"\xff=\xff", b"signature=", b"{}",
    b"symbol=BTCUSDT&timestamp=1&signature=%2B", b"a=" + b"b" * 5_000, b"&".join([b"a=1"] * 500),
]  # fmt: skip


def test_no_bytes_in_query_or_body_break_the_face() -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            add_tickers(world)
            headers = {"X-MBX-APIKEY": "demo-1"}
            for path, methods in world.face.routes.items():
                for method in methods:
                    for raw in RAW:
                        query = raw.decode("latin-1").encode("ascii", "ignore").decode()
                        for target, body in ((f"{path}?{query}", b""), (path, raw)):
                            answer = await world.http.request(
                                method, target, content=body, headers=headers
                            )
                            _check(method, answer, (method, target, body, answer.text))

    run(main())


@pytest.mark.parametrize(
    ("path", "values", "weight"),
    [
        ("depth", {}, 5),
        ("depth", {"limit": "100"}, 5),
        ("depth", {"limit": "101"}, 25),
        ("depth", {"limit": "1000"}, 50),
        ("depth", {"limit": "1001"}, 250),
        ("depth", {"limit": "9" * 30}, 5),
        ("ticker/24hr", {"symbol": "A"}, 2),
        ("ticker/24hr", {}, 80),
        ("ticker/24hr", {"symbols": ",".join("A" * 20)}, 2),
        ("ticker/24hr", {"symbols": ",".join("A" * 21)}, 40),
        ("ticker/24hr", {"symbols": ",".join("A" * 101)}, 80),
        ("ticker/price", {"symbol": "A"}, 2),
        ("ticker/price", {}, 4),
        ("ticker/bookTicker", {"symbols": "A"}, 4),
        ("ticker", {"symbols": "A,B"}, 8),
        ("ticker", {"symbols": ",".join("A" * 60)}, 200),
        ("ticker/tradingDay", {"symbol": "A"}, 4),
        ("ticker/tradingDay", {"symbols": "A,B"}, 8),
        ("executionRules", {"symbol": "A"}, 2),
        ("executionRules", {"symbols": "A,B"}, 4),
        ("executionRules", {"symbols": ",".join("A" * 60)}, 40),
        ("executionRules", {}, 40),
        ("klines", {}, 2),
        ("openOrders", {}, 80),
        ("openOrders", {"symbol": "A"}, 6),
        ("myTrades", {}, 20),
        ("myTrades", {"orderId": "1"}, 5),
        ("allOrders", {}, 20),
        ("account", {}, 20),
    ],
)
def test_weights_are_the_documented_ones(path: str, values: dict[str, str], weight: int) -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            route = world.face.routes[f"/api/v3/{path}"]["GET"]
            assert weight_of(route, Parameters(values)) == weight

    run(main())
