"""REST and bad input: every refusal names its field, and no refused request changes anything."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from tests.worlds.rest_world import RestWorld, limit


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run the coroutine of one test."""
    asyncio.run(main)


BAD_BODIES: list[tuple[Any, int, str, str | None]] = [
    (limit("buy", "1", "50000") | {"quantity": 1.5}, 400, "MALFORMED", "quantity"),
    (limit("buy", "1", "50000") | {"quantity": 1}, 400, "MALFORMED", "quantity"),
    (limit("buy", "1", "50000") | {"price": None}, 400, "MALFORMED", "price"),
    (limit("buy", "1", "50000", nonsense="x"), 400, "MALFORMED", "nonsense"),
    (limit("buy", "1e3", "50000"), 400, "MALFORMED", "quantity"),
    (limit("buy", "-1", "50000"), 400, "MALFORMED", "quantity"),
    (limit("buy", "", "50000"), 400, "MALFORMED", "quantity"),
    (limit("buy", "NaN", "50000"), 400, "MALFORMED", "quantity"),
    (limit("buy", "1" * 41, "50000"), 400, "MALFORMED", "quantity"),
    (limit("buy", "9" * 40, "50000"), 422, "EXCEEDS_LIMIT", "quantity"),
    (limit("hold", "1", "50000"), 400, "MALFORMED", "side"),
    (limit("buy", "1", "50000") | {"symbol": "DOGE-USDT"}, 422, "UNKNOWN_SYMBOL", "symbol"),
    (limit("buy", "1", "50000") | {"symbol": "X" * 21}, 400, "MALFORMED", "symbol"),
    (limit("buy", "1", "50000") | {"symbol": 7}, 400, "MALFORMED", "symbol"),
    (limit("buy", "1", "50000.001"), 422, "BAD_TICK", "price"),
    (limit("buy", "0.000001", "50000"), 422, "BAD_LOT", "quantity"),
    (limit("buy", "1", "0"), 422, "BAD_TICK", "price"),
    (limit("buy", "0.0", "50000"), 422, "BAD_LOT", "quantity"),
    (limit("buy", "1", "50000", display_quantity="0"), 422, "BAD_LOT", "display_quantity"),
    (limit("buy", "1", "50000", display_quantity="0.00"), 422, "BAD_LOT", "display_quantity"),
    (limit("buy", "1", "50000", display_quantity=""), 400, "MALFORMED", "display_quantity"),
    (
        limit("buy", "1", "1") | {"order_type": "stop_limit", "stop_price": "0"},
        422,
        "BAD_TICK",
        "stop_price",
    ),
    (
        {"symbol": "BTC-USDT", "order_type": "market", "side": "buy", "quote_quantity": "0.0"},
        422,
        "MIN_NOTIONAL",
        "quote_quantity",
    ),
    (
        limit("buy", "1", "50000", time_in_force="gtd") | {"expire_time": 0},
        400,
        "MALFORMED",
        "expire_time",
    ),
    (limit("buy", "0.00001", "1"), 422, "MIN_NOTIONAL", "quantity"),
    (limit("buy", "1", "50000", client_order_id="x" * 37), 400, "MALFORMED", "client_order_id"),
    (limit("buy", "1", "50000", client_order_id="\u20ac"), 400, "MALFORMED", "client_order_id"),
    (limit("buy", "1", "50000", time_in_force="now"), 400, "MALFORMED", "time_in_force"),
    (
        limit("buy", "1", "50000", time_in_force="ioc") | {"order_type": "fok"},
        422,
        "UNSUPPORTED_COMBINATION",
        "time_in_force",
    ),
    (
        limit("buy", "1", "50000", quote_quantity="5"),
        422,
        "UNSUPPORTED_COMBINATION",
        "quote_quantity",
    ),
    (limit("buy", "1", "5") | {"order_type": "market"}, 422, "UNSUPPORTED_COMBINATION", "price"),
    ({"symbol": "BTC-USDT"}, 400, "MALFORMED", "order_type"),
    ([], 400, "MALFORMED", None),
    (5, 400, "MALFORMED", None),
]


@pytest.mark.parametrize(("body", "status", "code", "field"), BAD_BODIES)
def test_bad_input_names_its_field_and_changes_nothing(
    body: Any, status: int, code: str, field: str | None
) -> None:
    async def main() -> None:
        async with RestWorld() as world:
            answer = await world.client.post("/api/v1/orders", json=body)
            error = answer.json()["error"]
            assert (answer.status_code, error["code"], error.get("field")) == (status, code, field)
            assert error["message"]
            assert answer.json()["request_id"].startswith("test-")
            assert not world.engine.open_orders(1)[0]

    run(main())


@pytest.mark.parametrize(
    ("content", "media_type", "status"),
    [
        (b"", "application/json", 400),
        (b'{"symbol":', "application/json", 400),
        (b'{"quantity": NaN}', "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'"' + b"x" * 300_000 + b'"', "application/json", 413),
        (b"{}", "text/plain", 415),
        (b"{}", "", 415),
    ],
)
@pytest.mark.parametrize("path", ["/api/v1/orders", "/api/v1/orders/batch"])
def test_a_body_that_is_not_json_is_refused(
    path: str, content: bytes, media_type: str, status: int
) -> None:
    async def main() -> None:
        async with RestWorld() as world:
            answer = await world.client.post(
                path, content=content, headers={"Content-Type": media_type}
            )
            assert answer.status_code == status
            assert answer.json()["error"]["message"]

    run(main())


@pytest.mark.parametrize("account", ["0", "-1", "x", "2147483648", "1.5", "\u0661"])
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_an_account_is_a_number(method: str, account: str) -> None:
    async def main() -> None:
        async with RestWorld() as world:
            answer = await world.client.request(
                method,
                "/api/v1/orders" if method == "POST" else "/api/v1/account",
                json=limit("buy", "1", "50000") if method == "POST" else None,
                headers=[(b"X-Account", account.encode())],
            )
            assert answer.status_code == 400
            assert answer.json()["error"]["field"] == "X-Account"

    run(main())


def test_an_unknown_query_parameter_is_named() -> None:
    async def main() -> None:
        async with RestWorld() as world:
            for path in ("/api/v1/instruments?x=1", "/api/v1/orders?symbols=BTC-USDT"):
                answer = await world.client.get(path)
                assert answer.status_code == 400
                assert answer.json()["error"]["field"] in path

    run(main())


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("POST", "/api/v1/orders", '{"symbol":"ETH-USDT",%s', "symbol"),
        ("POST", "/api/v1/orders/batch", '{"orders":[{"symbol":"ETH-USDT",%s]}', "symbol"),
        ("PATCH", "/api/v1/orders/ORD-0000000001", '{"quantity":"1","quantity":"2"}', "quantity"),
        ("POST", "/api/v1/cancel-after", '{"timeout_s":60,"timeout_s":0}', "timeout_s"),
    ],
)
def test_a_field_that_is_given_twice_is_named_and_changes_nothing(
    method: str, path: str, body: str, field: str
) -> None:
    order = '"symbol":"BTC-USDT","order_type":"limit","side":"buy","quantity":"1","price":"50000"}'

    async def main() -> None:
        async with RestWorld() as world:
            answer = await world.client.request(
                method,
                path,
                content=body % order if "%s" in body else body,
                headers={"Content-Type": "application/json"},
            )
            assert answer.status_code == 400, answer.text
            assert answer.json()["error"]["field"] == field
            assert answer.json()["error"]["message"] == "given twice"
            assert not world.engine.seq

    run(main())


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/api/v1/orderbook/BTC-USDT", "levels"),
        ("/api/v1/orderbook/BTC-USDT", "min_seq"),
        ("/api/v1/orders", "limit"),
        ("/api/v1/trades/BTC-USDT", "from_trade_id"),
        ("/api/v1/candles/BTC-USDT", "from"),
        ("/api/v1/time", "min_time_ns"),
    ],
)
@pytest.mark.parametrize("value", ["1e1", "1.0", "1.", "1_0", "%2B1", "0x1", "%20" + "1", "\u0661"])
def test_a_number_in_a_query_is_written_in_digits(path: str, name: str, value: str) -> None:
    async def main() -> None:
        async with RestWorld() as world:
            answer = await world.client.get(f"{path}?{name}={value}")
            assert answer.status_code == 400
            assert answer.json()["error"]["field"] == name
            assert "digits" in answer.json()["error"]["message"]

    run(main())


def test_a_range_that_ends_before_it_begins_is_refused_in_the_words_of_the_query() -> None:
    async def main() -> None:
        async with RestWorld() as world:
            answer = await world.client.get("/api/v1/candles/BTC-USDT?from=5&to=4")
            assert answer.status_code == 400
            assert answer.json()["error"]["field"] == "to"
            assert answer.json()["error"]["message"] == "4 is before from, 5"

    run(main())


@pytest.mark.parametrize("value", ["1", "0", "True", "FALSE", "yes", "null", ""])
def test_a_truth_value_in_a_query_is_true_or_false(value: str) -> None:
    async def main() -> None:
        async with RestWorld() as world:
            answer = await world.client.get(f"/api/v1/time?record={value}")
            assert answer.status_code == 400
            assert answer.json()["error"]["field"] == "record"

    run(main())


@pytest.mark.parametrize(
    ("body", "field"),
    [({}, "quantity"), ({"price": "0"}, "price"), ({"quantity": "0.0"}, "quantity")],
)
def test_an_amend_to_nothing_is_refused(body: dict[str, str], field: str) -> None:
    async def main() -> None:
        async with RestWorld() as world:
            order_id = (await world.enter(limit("buy", "1", "50000"))).json()["order_id"]
            answer = await world.client.patch(f"/api/v1/orders/{order_id}", json=body)
            assert (answer.status_code, answer.json()["error"]["field"]) == (400, field)

    run(main())


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/orderbook/NO-SUCH", 404),
        ("/api/v1/orderbook/BTC-USDT?levels=0", 400),
        ("/api/v1/orderbook/BTC-USDT?levels=x", 400),
        ("/api/v1/ticker/NO-SUCH", 404),
        ("/api/v1/candles/BTC-USDT?interval=2m", 400),
        ("/api/v1/orders/1", 400),
        ("/api/v1/orders/ORD-0000000000", 400),
        ("/api/v1/orders/ORD-9999999999999999999", 400),
        ("/api/v1/orders?cursor=x", 400),
        ("/api/v1/nothing", 404),
        ("/api/v2/orders", 404),
    ],
)
def test_a_wrong_path_or_parameter_has_an_error_document(path: str, status: int) -> None:
    async def main() -> None:
        async with RestWorld() as world:
            answer = await world.client.get(path)
            assert answer.status_code == status, answer.text
            assert answer.json()["error"]["message"]
            assert answer.json()["request_id"]

    run(main())


def test_a_wrong_method_is_405_and_names_the_right_ones() -> None:
    async def main() -> None:
        async with RestWorld() as world:
            answer = await world.client.put("/api/v1/orders", json={})
            assert answer.status_code == 405
            assert "POST" in answer.headers["Allow"]
            assert answer.json()["error"]["code"] == "METHOD_NOT_ALLOWED"

    run(main())
