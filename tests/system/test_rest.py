"""REST against the real processes: the past by cursor, repeats, restarts, many clients at once."""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.system.exchange import RECORDED, Exchange
from tests.system.web import WEB
from tests.worlds.rest_world import limit

ROLES = "orders,api,streams"
CROWD = 120
"""Orders requested at once, more than the client has connections."""


@pytest.fixture(scope="module")
def running() -> Iterator[Exchange]:
    with Exchange(order=RECORDED, GATEWAY_ROLES=ROLES) as exchange:
        exchange.wait_http()
        yield exchange


def enter(exchange: Exchange, account: int, body: dict[str, str]) -> httpx.Response:
    """Enter an order for an account."""
    headers = {"X-Account": str(account)}
    return WEB.post(f"{exchange.api}/api/v1/orders", json=body, headers=headers)


def look(exchange: Exchange, account: int, path: str) -> dict[str, Any]:
    """The answer of a GET, which must be 200."""
    headers = {"X-Account": str(account)}
    answer = WEB.get(f"{exchange.api}/api/v1/{path}", headers=headers)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def test_an_order_is_found_the_moment_it_is_acknowledged(running: Exchange) -> None:
    for number in range(20):
        answer = enter(running, 101, limit("buy", "0.1", f"{20_000 + number}")).json()
        order = look(running, 101, f"orders/{answer['order_id']}")
        assert (order["order_status"], order["price"]) == ("NEW", f"{20_000 + number}.00")
        assert order["seq"] == answer["seq"]


def test_the_book_and_the_trades_as_of_a_number_contain_every_acknowledged_order(
    running: Exchange,
) -> None:
    for number in range(20):
        price = f"{30_000 + number}.00"
        seq = enter(running, 110, limit("buy", "0.1", price)).json()["seq"]
        book = look(running, 110, f"orderbook/BTC-USDT?levels=1&min_seq={seq}")
        assert book["bids"] == [[price, "0.10000"]]
        # The book of another instrument has not changed, and holds everything all the same.
        look(running, 110, f"orderbook/ETH-USDT?min_seq={seq}")
        seq = enter(running, 111, limit("sell", "0.1", price, order_type="ioc")).json()["seq"]
        trades = look(running, 999, f"trades/BTC-USDT?limit=1&min_seq={seq}")["trades"]
        assert [(trade["seq"], trade["price"]) for trade in trades] == [(seq, price)]


def test_a_number_that_was_not_given_is_refused_after_a_wait(running: Exchange) -> None:
    seq = enter(running, 110, limit("buy", "0.1", "30000")).json()["seq"]
    for path in ("orderbook/BTC-USDT", "trades/BTC-USDT", "candles/BTC-USDT", "orders", "fills"):
        answer = WEB.get(f"{running.api}/api/v1/{path}?min_seq={seq + 1}")
        assert (answer.status_code, answer.json()["error"]["field"]) == (400, "min_seq"), path
        assert f"the last number here is {seq}" in answer.json()["error"]["message"]


def test_an_order_is_looked_up_and_cancelled_by_its_client_order_id(running: Exchange) -> None:
    path = f"{running.api}/api/v1/orders/by-client-order-id"
    headers, name = {"X-Account": "112"}, {"client_order_id": "a/b &c"}
    for quantity in ("0.1", "0.2"):
        answer = enter(running, 112, limit("buy", quantity, "30000", **name)).json()
        found = WEB.get(path, params=name, headers=headers).json()
        assert (found["order_id"], found["quantity"]) == (answer["order_id"], f"{quantity}0000")
        canceled = WEB.delete(path, params=name, headers=headers)
        assert canceled.json()["order_id"] == answer["order_id"]
    ended = WEB.get(path, params=name, headers=headers).json()
    assert (ended["order_status"], ended["quantity"]) == ("CANCELED", "0.20000")


def test_a_recorded_order_by_quote_amount_has_the_unspent_amount(running: Exchange) -> None:
    enter(running, 113, limit("sell", "1", "29000"))
    body = {"symbol": "BTC-USDT", "order_type": "market", "side": "buy", "quote_quantity": "100.7"}
    answer = enter(running, 114, body).json()
    order = look(running, 114, f"orders/{answer['order_id']}")
    assert (answer["filled_quote_quantity"], answer["quote_left"]) == ("100.63000000", "0.07000000")
    assert [order["filled_quote_quantity"], order["quote_left"]] == [
        answer["filled_quote_quantity"], answer["quote_left"],
    ]  # fmt: skip
    WEB.delete(f"{running.api}/api/v1/orders", headers={"X-Account": "113"})


def test_orders_are_listed_page_by_page_newest_first(running: Exchange) -> None:
    entered = [
        enter(running, 102, limit("buy", "0.1", f"{10_000 + number}")).json()["order_id"]
        for number in range(7)
    ]
    for order_id in entered[:2]:
        WEB.delete(f"{running.api}/api/v1/orders/{order_id}", headers={"X-Account": "102"})
    listed: list[str] = []
    cursor = ""
    while True:
        page = look(running, 102, f"orders?limit=3{cursor}")
        listed += [order["order_id"] for order in page["orders"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert listed == entered[::-1]
    ended = look(running, 102, "orders?status=ended")["orders"]
    assert [order["order_id"] for order in ended] == entered[1::-1]
    assert {order["order_status"] for order in ended} == {"CANCELED"}
    assert len(look(running, 102, "orders?status=open&symbol=BTC-USDT")["orders"]) == 5
    assert look(running, 102, "orders?symbol=ETH-USDT")["orders"] == []


def test_fills_trades_and_candles_contain_the_same_trades(running: Exchange) -> None:
    sell = limit("sell", "0.3", "2000") | {"symbol": "ETH-USDT"}
    for _ in range(2):
        assert enter(running, 103, sell).status_code == 201
    answer = enter(
        running, 104, limit("buy", "0.5", "2000", client_order_id="big") | {"symbol": "ETH-USDT"}
    ).json()
    assert (answer["order_status"], answer["average_price"]) == ("FILLED", "2000.00")
    taker = look(running, 104, "fills")["fills"]
    maker = look(running, 103, "fills?symbol=ETH-USDT")["fills"]
    assert [fill["quantity"] for fill in taker] == ["0.2000", "0.3000"]
    assert {fill["liquidity"] for fill in maker} == {"maker"}
    assert {fill["client_order_id"] for fill in taker} == {"big"}
    one = look(running, 104, "fills?limit=1")
    rest = look(running, 104, f"fills?cursor={one['next_cursor']}")
    assert one["fills"] + rest["fills"] == taker
    order = look(running, 104, f"orders/{answer['order_id']}")
    assert [fill["trade_id"] for fill in order["fills"]] == [
        fill["trade_id"] for fill in reversed(taker)
    ]
    trades = look(running, 104, "trades/ETH-USDT")["trades"]
    assert [trade["quantity"] for trade in trades] == ["0.3000", "0.2000"]
    assert look(running, 104, "trades/ETH-USDT?from_trade_id=2")["trades"] == trades[1:]
    day = look(running, 104, "candles/ETH-USDT?interval=1d")["candles"][-1]
    assert (day["volume"], day["trades"], day["close"]) == ("0.5000", 2, "2000.00")


def test_a_repeat_returns_the_present_state_of_the_order(running: Exchange) -> None:
    body = limit("sell", "1", "90000", client_order_id="again")
    first = enter(running, 105, body)
    enter(running, 106, limit("buy", "0.4", "90000", time_in_force="ioc"))
    again = enter(running, 105, body)
    assert (first.status_code, again.status_code) == (201, 200)
    document = again.json()
    assert document["order_id"] == first.json()["order_id"]
    assert document["order_status"] == "PARTIALLY_FILLED"
    assert document["filled_quantity"] == "0.40000"
    assert [fill["quantity"] for fill in document["fills"]] == ["0.40000"]


def test_many_clients_at_once_each_receive_their_own_answer(running: Exchange) -> None:
    async def one(client: httpx.AsyncClient, number: int) -> tuple[str, str, str]:
        price = f"{30_000 + number}.00"
        answer = await client.post(
            "/api/v1/orders",
            json=limit("buy", "0.01", price, client_order_id=f"n{number}"),
            headers={"X-Account": str(200 + number % 7)},
        )
        document = answer.json()
        assert answer.status_code == 201, document
        order = await client.get(
            f"/api/v1/orders/{document['order_id']}", headers={"X-Account": str(200 + number % 7)}
        )
        return document["client_order_id"], order.json()["price"], price

    async def main() -> None:
        async with httpx.AsyncClient(base_url=running.api, timeout=30.0) as client:
            found = await asyncio.gather(*(one(client, number) for number in range(CROWD)))
        for number, (client_order_id, price, expected) in enumerate(found):
            assert (client_order_id, price) == (f"n{number}", expected)

    asyncio.run(main())


def test_the_ticker_contains_the_last_trade(running: Exchange) -> None:
    sell = limit("sell", "1", "150") | {"symbol": "SOL-USDT"}
    assert enter(running, 107, sell).status_code == 201
    buy = limit("buy", "0.25", "150") | {"symbol": "SOL-USDT"}
    assert enter(running, 108, buy).status_code == 201

    def shown() -> bool:
        answer = WEB.get(f"{running.api}/api/v1/ticker/SOL-USDT")
        return answer.status_code == 200 and answer.json()["last"] == "150.00"

    running.wait_until("the ticker shows the trade", shown)
    ticker = look(running, 1, "ticker/SOL-USDT")
    assert (ticker["volume"], ticker["trades"], ticker["ask"]) == ("0.250", 1, "150.00")


def test_orders_and_fills_are_there_after_every_process_was_killed() -> None:
    with Exchange(order=RECORDED, GATEWAY_ROLES=ROLES) as exchange:
        exchange.wait_http()
        resting = enter(exchange, 1, limit("sell", "1", "50000", client_order_id="rest")).json()
        enter(exchange, 2, limit("buy", "0.4", "50000"))
        before = (
            look(exchange, 1, f"orders/{resting['order_id']}"),
            look(exchange, 2, "fills")["fills"],
            look(exchange, 1, "trades/BTC-USDT")["trades"],
        )
        for name in RECORDED:
            exchange.kill(name)
        for name in RECORDED:
            exchange.start(name)
        exchange.wait_ready()
        exchange.wait_http()
        after = (
            look(exchange, 1, f"orders/{resting['order_id']}"),
            look(exchange, 2, "fills")["fills"],
            look(exchange, 1, "trades/BTC-USDT")["trades"],
        )
        assert after == before
        again = enter(exchange, 1, limit("sell", "1", "50000", client_order_id="rest"))
        assert (again.status_code, again.json()["order_id"]) == (200, resting["order_id"])


def test_without_a_recorder_orders_trade_and_only_the_past_is_refused() -> None:
    with Exchange(GATEWAY_ROLES=ROLES) as exchange:
        exchange.wait_http()
        answer = enter(exchange, 1, limit("buy", "1", "50000")).json()
        path = f"{exchange.api}/api/v1/orders/{answer['order_id']}"
        assert WEB.get(path).status_code == 503
        assert WEB.delete(path).json()["order_status"] == "CANCELED"


def test_a_recorder_with_a_failing_database_is_named_until_the_database_is_back() -> None:
    with Exchange(order=RECORDED, GATEWAY_ROLES=ROLES) as exchange:
        exchange.wait_http()

        def ready() -> dict[str, Any]:
            answer = WEB.get(f"{exchange.api}/ready")
            document: dict[str, Any] = answer.json() | {"code": answer.status_code}
            return document

        assert (ready()["status"], ready()["missing"]) == ("ready", [])
        exchange.kill("recorder")
        exchange.wait_until("the recorder is missed", lambda: ready()["status"] == "degraded")
        assert (ready()["code"], ready()["recorder"]) == (200, False)
        database = next(exchange.directory.rglob("history.db"))
        database.with_suffix(".kept").write_bytes(database.read_bytes())
        for part in database.parent.glob("history.db*"):
            part.unlink()
        database.mkdir()
        exchange.start("recorder")
        (missing,) = ready()["missing"]
        assert missing["part"] == "recorder"
        assert missing["reason"]
        assert WEB.get(f"{exchange.api}/api/v1/orders").status_code == 503


def test_readiness_ends_when_the_matcher_is_killed_and_comes_back_with_it() -> None:
    with Exchange(GATEWAY_ROLES=ROLES) as exchange:
        exchange.wait_http()

        def matcher() -> bool:
            document = WEB.get(f"{exchange.api}/ready").json()
            return bool(document["matcher"])

        assert matcher()
        exchange.kill("matcher")
        exchange.wait_until("the matcher is missed", lambda: not matcher())
        exchange.start("matcher")
        exchange.wait_until("the matcher is back", matcher)
