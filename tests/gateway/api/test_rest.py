"""REST as a client receives it through curl. The API runs on one loop with a real engine."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from crossbook.common.messages.codec import decode_history_question, encode
from crossbook.common.messages.history_queries import HistoryQuestion, TradeRecords
from crossbook.common.types import RejectReason
from crossbook.gateway.api import trading
from crossbook.gateway.api.rest import give_back, prepare
from crossbook.gateway.orders import local_sessions
from tests.worlds.rest_world import RestWorld, limit


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run the coroutine of one test."""
    asyncio.run(main)


def test_the_example_of_the_api_answers_as_specified() -> None:
    async def main() -> None:
        async with RestWorld() as world:
            answer = await world.client.post(
                "/api/v1/orders",
                json={
                    "symbol": "BTC-USDT",
                    "order_type": "limit",
                    "side": "buy",
                    "quantity": "1.0",
                    "price": "50000.00",
                },
            )
            assert answer.status_code == 201
            assert answer.json() == {
                "order_id": "ORD-0000000001",
                "status": "accepted",
                "timestamp": "2025-10-26T12:34:56.789Z",
                "client_order_id": None,
                "order_status": "NEW",
                "filled_quantity": "0.00000",
                "remaining_quantity": "1.00000",
                "average_price": None,
                "filled_quote_quantity": "0.00000000",
                "quote_left": None,
                "seq": 1,
                "fills": [],
            }

    run(main())


def test_an_order_that_trades_answers_with_its_fills() -> None:
    async def main() -> None:
        async with RestWorld() as world:
            await world.enter(limit("sell", "0.2", "50000"), account=2)
            await world.enter(limit("sell", "0.2", "50001"), account=2)
            answer = await world.enter(limit("buy", "0.3", "50001", time_in_force="ioc"))
            document = answer.json()
            assert answer.status_code == 201
            assert document["order_status"] == "FILLED"
            assert document["filled_quantity"] == "0.30000"
            assert document["average_price"] == "50000.333333"
            assert document["fills"] == [
                {
                    "trade_id": 1,
                    "price": "50000.00",
                    "quantity": "0.20000",
                    "fee": "0.0004000000",
                    "fee_asset": "BTC",
                    "liquidity": "taker",
                },
                {
                    "trade_id": 2,
                    "price": "50001.00",
                    "quantity": "0.10000",
                    "fee": "0.0002000000",
                    "fee_asset": "BTC",
                    "liquidity": "taker",
                },
            ]

    run(main())


@pytest.mark.parametrize("spelling", ["ioc", "fok"])
def test_ioc_and_fok_are_order_types_of_limit_orders(spelling: str) -> None:
    async def main() -> None:
        async with RestWorld() as world:
            body = limit("buy", "1", "50000") | {"order_type": spelling}
            document = (await world.enter(body)).json()
            assert (document["status"], document["order_status"]) == ("accepted", "EXPIRED")

    run(main())


def test_a_market_order_by_quote_amount_fills() -> None:
    async def main() -> None:
        async with RestWorld() as world:
            await world.enter(limit("sell", "1", "50000"), account=2)
            body = {
                "symbol": "BTC-USDT",
                "order_type": "market",
                "side": "buy",
                "quote_quantity": "10000.01",
            }
            document = (await world.enter(body)).json()
            assert document["order_status"] == "FILLED"
            assert document["filled_quantity"] == "0.20000"

    run(main())


def test_the_same_request_again_answers_200_and_does_nothing() -> None:
    async def main() -> None:
        async with RestWorld() as world:
            body = limit("buy", "1", "50000", client_order_id="mine-1")
            first = await world.enter(body)
            again = await world.enter(body)
            assert (first.status_code, again.status_code) == (201, 200)
            assert again.json()["order_id"] == first.json()["order_id"]
            assert len(world.engine.open_orders(1)[0]) == 1

    run(main())


def test_the_same_client_order_id_with_another_body_is_a_conflict() -> None:
    async def main() -> None:
        async with RestWorld() as world:
            await world.enter(limit("buy", "1", "50000", client_order_id="mine-1"))
            answer = await world.enter(limit("buy", "2", "50000", client_order_id="mine-1"))
            assert answer.status_code == 409
            assert answer.json()["error"]["code"] == "DUPLICATE_CLIENT_ORDER_ID"

    run(main())


def test_routes_made_beforehand_serve_one_application_and_its_exchange() -> None:
    async def main() -> None:
        prepare()
        async with RestWorld() as world, RestWorld() as other:
            for changed, seqs in ((world, [1, 0]), (other, [1, 1])):
                answer = await changed.client.delete("/api/v1/orders")
                assert (answer.status_code, answer.json()["count"]) == (200, 0)
                assert [each.engine.seq for each in (world, other)] == seqs

    run(main())


def test_routes_of_an_application_that_ended_serve_the_next_one_and_its_exchange() -> None:
    async def main() -> None:
        async with RestWorld() as world:
            await world.client.get("/api/v1/orders/nothing")
            give_back(world.app)
            async with RestWorld() as other:
                assert (await other.client.delete("/api/v1/orders")).status_code == 200
                assert [each.engine.seq for each in (world, other)] == [0, 1]
                refused = (await other.client.get("/api/v1/orders/nothing")).json()
                assert refused["request_id"].endswith("-1")

    run(main())


def test_a_cancel_ends_the_order_and_only_once() -> None:
    async def main() -> None:
        async with RestWorld() as world:
            order_id = (await world.enter(limit("buy", "1", "50000"))).json()["order_id"]
            canceled = await world.client.delete(f"/api/v1/orders/{order_id}")
            assert canceled.status_code == 200
            assert canceled.json()["status"] == "canceled"
            assert canceled.json()["order_status"] == "CANCELED"
            again = await world.client.delete(f"/api/v1/orders/{order_id}")
            assert again.status_code == 404
            assert again.json()["error"]["code"] == "UNKNOWN_ORDER"

    run(main())


def test_an_order_of_another_account_cannot_be_cancelled_and_looks_unknown() -> None:
    async def main() -> None:
        async with RestWorld() as world:
            order_id = (await world.enter(limit("buy", "1", "50000"), account=2)).json()["order_id"]
            answer = await world.client.delete(f"/api/v1/orders/{order_id}")
            assert answer.status_code == 404
            assert world.engine.open_orders(2)[0]

    run(main())


def test_an_amend_changes_the_order_and_may_trade() -> None:
    async def main() -> None:
        async with RestWorld() as world:
            await world.enter(limit("sell", "1", "50010"), account=2)
            order_id = (await world.enter(limit("buy", "1", "50000"))).json()["order_id"]
            path = f"/api/v1/orders/{order_id}"
            amended = await world.client.patch(path, json={"quantity": "2"})
            assert amended.json()["status"] == "amended"
            assert amended.json()["remaining_quantity"] == "2.00000"
            traded = (await world.client.patch(path, json={"price": "50010"})).json()
            assert traded["order_status"] == "PARTIALLY_FILLED"
            assert [fill["price"] for fill in traded["fills"]] == ["50010.00"]
            ended = (await world.client.patch(path, json={"quantity": "1"})).json()
            assert (ended["status"], ended["order_status"]) == ("canceled", "CANCELED")
            assert (ended["filled_quantity"], ended["fills"]) == ("1.00000", None)

    run(main())


def test_a_mass_cancel_takes_one_instrument_or_one_side_or_all() -> None:
    async def main() -> None:
        async with RestWorld() as world:
            await world.enter(limit("buy", "1", "50000"))
            await world.enter(limit("sell", "1", "60000"))
            await world.enter(limit("buy", "1", "3000") | {"symbol": "ETH-USDT"})
            path = "/api/v1/orders"
            sells = (await world.client.delete(f"{path}?side=sell")).json()
            assert (sells["count"], sells["order_ids"]) == (1, ["ORD-0000000002"])
            ethers = (await world.client.delete(f"{path}?symbol=ETH-USDT")).json()
            assert ethers["order_ids"] == ["ORD-0000000003"]
            rest = (await world.client.delete(path)).json()
            assert rest["order_ids"] == ["ORD-0000000001"]
            assert (await world.client.delete(path)).json()["count"] == 0

    run(main())


def test_a_batch_gives_each_order_its_own_outcome() -> None:
    async def main() -> None:
        async with RestWorld() as world:
            answer = await world.client.post(
                "/api/v1/orders/batch",
                json={"orders": [limit("buy", "1", "50000"), limit("buy", "1", "0")]},
            )
            first, second = answer.json()["results"]
            assert answer.status_code == 200
            assert (first["order"]["order_id"], first["error"]) == ("ORD-0000000001", None)
            assert (second["order"], second["error"]["code"]) == (None, "BAD_TICK")

    run(main())


def test_with_a_full_queue_the_answer_is_503_with_the_time_to_wait() -> None:
    async def main() -> None:
        async with RestWorld(queue_size=1) as world:
            world.matcher_answers = False
            waiting = asyncio.create_task(world.enter(limit("buy", "1", "50000")))
            await world.held.wait()
            busy = await world.enter(limit("buy", "1", "50000"))
            assert busy.status_code == 503
            assert busy.headers["Retry-After"] == "1"
            assert busy.json()["error"]["code"] == "BUSY"
            world.matcher_answers = True
            world.settle()
            assert (await waiting).status_code == 201

    run(main())


def test_without_an_answer_in_time_the_status_is_504_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(trading, "ANSWER_S", 0.05)

    async def main() -> None:
        async with RestWorld() as world:
            world.matcher_answers = False
            answer = await world.enter(limit("buy", "1", "50000", client_order_id="mine-1"))
            assert answer.status_code == 504
            assert answer.json()["error"]["code"] == "OUTCOME_UNKNOWN"
            assert "client_order_id=mine-1" in answer.json()["error"]["message"]

    run(main())


def test_a_lost_history_of_the_matcher_is_504_too() -> None:
    async def main() -> None:
        async with RestWorld() as world:
            world.matcher_answers = False
            waiting = asyncio.create_task(world.enter(limit("buy", "1", "50000")))
            await world.held.wait()
            lost = world.desk.in_flight.give_up(world.desk.in_flight.number)
            world.desk.refuse(lost, RejectReason.OUTCOME_UNKNOWN, "the matcher lost its history")
            world.settle()
            assert (await waiting).status_code == 504

    run(main())


def test_the_past_without_a_recorder_is_503() -> None:
    async def main() -> None:
        async with RestWorld() as world:
            order_id = (await world.enter(limit("buy", "1", "50000"))).json()["order_id"]
            for path in (f"orders/{order_id}", "orders", "fills", "trades/BTC-USDT"):
                answer = await world.client.get(f"/api/v1/{path}")
                assert answer.status_code == 503
                assert answer.json()["error"]["code"] == "HISTORY_UNAVAILABLE"
                assert answer.headers["Retry-After"] == "1"

    run(main())


def test_the_book_has_the_best_levels_and_their_checksum() -> None:
    async def main() -> None:
        async with RestWorld() as world:
            for price in ("50000", "49999", "49998"):
                await world.enter(limit("buy", "1", price))
            await world.enter(limit("sell", "0.5", "50001"))
            book = (await world.client.get("/api/v1/orderbook/BTC-USDT?levels=2")).json()
            assert book["bids"] == [["50000.00", "1.00000"], ["49999.00", "1.00000"]]
            assert book["asks"] == [["50001.00", "0.50000"]]
            assert book["seq"] == 4
            assert isinstance(book["checksum"], int)

    run(main())


def test_stale_market_data_is_never_shown_as_live() -> None:
    async def main() -> None:
        async with RestWorld() as world:
            world.market.stale = True
            answer = await world.client.get("/api/v1/orderbook/BTC-USDT")
            assert answer.status_code == 503
            assert answer.json()["error"]["code"] == "MARKET_DATA_UNAVAILABLE"
            assert (await world.client.get("/ready")).status_code == 503

    run(main())


@pytest.mark.parametrize("fault", ["", "refused by matcher"])
def test_a_refused_clock_is_a_part_that_is_missing_and_orders_are_taken(fault: str) -> None:
    async def main() -> None:
        async with RestWorld() as world:
            world.faults_told["clock"] = fault
            answer = await world.client.get("/ready")
            assert answer.status_code == 200
            parts = {each["part"]: each["reason"] for each in answer.json()["missing"]}
            assert parts.pop("clock", "") == fault

    run(main())


def test_a_failing_database_is_a_part_that_is_missing_although_the_recorder_answers() -> None:
    async def main() -> None:
        async with RestWorld() as world:
            questions: list[HistoryQuestion] = []

            def send(frame: bytes) -> bool:
                questions.append(decode_history_question(frame))
                return True

            def respond() -> None:
                world.history.send(send)
                number = questions.pop().request_id
                world.history.receive(encode(TradeRecords(number, seq=0, trades=[], more=False)))

            world.answer_questions = respond
            assert (await world.client.get("/ready")).json()["recorder"]
            world.faults_told["recorder"] = "the database of recorder fails"
            ready = (await world.client.get("/ready")).json()
            assert (ready["status"], ready["recorder"]) == ("degraded", False)
            (missing,) = ready["missing"]
            assert missing == {"part": "recorder", "reason": "the database of recorder fails"}

    run(main())


def test_instruments_and_account_contain_grid_and_fees() -> None:
    async def main() -> None:
        async with RestWorld() as world:
            listed = (await world.client.get("/api/v1/instruments")).json()["instruments"]
            bitcoin = next(each for each in listed if each["symbol"] == "BTC-USDT")
            assert (bitcoin["tick_size"], bitcoin["lot_size"]) == ("0.01", "0.00001")
            account = (await world.client.get("/api/v1/account", headers={"X-Account": "7"})).json()
            assert account["account"] == 7
            assert account["fees"][0]["taker_fee_percent"] == "0.2000"

    run(main())


def test_the_longest_idle_account_makes_room_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_sessions, "ACCOUNTS_MAX", 3)

    async def main() -> None:
        async with RestWorld() as world:
            for account in range(1, 9):
                answer = await world.enter(limit("buy", "1", "50000"), account=account)
                assert answer.status_code == 201
            assert list(world.desk.sessions.by_account) == [6, 7, 8]
            assert len(world.desk.sessions) == 0, "no client is connected"

    run(main())


def test_the_docs_page_loads_nothing_from_another_host() -> None:
    async def main() -> None:
        async with RestWorld() as world:
            page = (await world.client.get("/docs")).text
            assert "swagger" in page.lower()
            assert "https://" not in page
            for asset in ("swagger-ui-bundle.js", "swagger-ui.css"):
                assert (await world.client.get(f"/docs/{asset}")).status_code == 200
            schema = (await world.client.get("/openapi.json")).json()
            assert schema["paths"]["/api/v1/orders"]["post"]["operationId"] == "submit_order"

    run(main())


def query_of(operation: dict[str, Any]) -> dict[str, str]:
    """The examples of the query parameters that an operation cannot do without."""
    return {
        each["name"]: each["schema"]["examples"][0]
        for each in operation["parameters"]
        if each["in"] == "query" and each["required"]
    }


def test_every_example_of_the_openapi_document_works() -> None:
    async def main() -> None:
        async with RestWorld() as world:
            await world.enter(limit("sell", "9", "60000"), account=2)
            await world.enter(limit("buy", "1", "40000", client_order_id="mine-1"))
            paths = (await world.client.get("/openapi.json")).json()["paths"]
            tried = 0
            for path, item in paths.items():
                for method in ("post", "patch"):
                    if method in item:
                        body = item[method]["requestBody"]["content"]["application/json"]["schema"]
                        for example in body["examples"]:
                            real = path.replace("{order_id}", "ORD-0000000002")
                            query = query_of(item[method])
                            answer = await world.client.request(
                                method, real, json=example, params=query
                            )
                            assert answer.is_success, answer.text
                            tried += 1
            assert tried == 5

    run(main())
