"""Orders by their client order id, over REST and over the order WebSocket."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from crossbook.common.messages.codec import decode_history_question, encode
from crossbook.common.messages.history_queries import (
    HistoryQuestion,
    NotYet,
    OrderRecord,
    OrderRecords,
    OrdersQuestion,
)
from crossbook.common.types import OrderStatus, OrderType, Side, TimeInForce
from tests.gateway.api.test_order_stream import OrderStreamWorld
from tests.worlds.rest_world import RestWorld, limit

PATH = "/api/v1/orders/by-client-order-id"


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run the coroutine of one test."""
    asyncio.run(main)


class OrdersRecorder:
    """Answers questions for `orders`: (order id, client order id), newest first."""

    def __init__(self, world: RestWorld, orders: list[tuple[int, str]]) -> None:
        self.seq = 100
        self.questions: list[OrdersQuestion] = []
        self._world = world
        self._orders = orders
        # Without an answer function the world refuses every question.
        world.answer_questions = self.answer

    def answer(self) -> None:
        """Answer the waiting questions."""
        received: list[HistoryQuestion] = []

        def send(frame: bytes) -> bool:
            received.append(decode_history_question(frame))
            return True

        self._world.history.send(send)
        for question in received:
            assert isinstance(question, OrdersQuestion)
            self.questions.append(question)
            answer: NotYet | OrderRecords = OrderRecords(
                request_id=question.request_id,
                seq=self.seq,
                orders=self._found(question),
                more=False,
            )
            if question.min_seq > self.seq:
                answer = NotYet(request_id=question.request_id, seq=self.seq, text="behind")
            self._world.history.receive(encode(answer))

    def _found(self, question: OrdersQuestion) -> list[OrderRecord]:
        return [
            _row(order_id, name)
            for order_id, name in self._orders
            if question.client_order_id in ("", name) and question.order_id in (0, order_id)
        ][: question.limit]


def _row(order_id: int, name: str) -> OrderRecord:
    return OrderRecord(
        order_id=order_id,
        client_order_id=name,
        instrument=1,
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.GTC,
        price_ticks=5_000_000,
        quantity_lots=1,
        quote_amount=0,
        status=OrderStatus.NEW,
        filled_lots=0,
        remaining_lots=1,
        filled_notional=0,
        reason=0,
        created_ns=order_id,
        updated_ns=order_id,
        updated_seq=order_id,
    )


@pytest.mark.parametrize("name", ["mine-1", "a/b", "?x=1&y#z%41+ ~", "ORD-0000000001"])
def test_an_order_is_cancelled_by_its_name_once(name: str) -> None:
    async def main() -> None:
        async with RestWorld() as world:
            entered = (await world.enter(limit("buy", "1", "50000", client_order_id=name))).json()
            other = await world.enter(limit("buy", "1", "50000", client_order_id="other"))
            canceled = await world.client.delete(PATH, params={"client_order_id": name})
            assert canceled.status_code == 200
            assert canceled.json()["order_id"] == entered["order_id"]
            assert canceled.json()["order_status"] == "CANCELED"
            open_ids = [order.order_id for order in world.engine.open_orders(1)[0]]
            assert open_ids == [other.json()["seq"]]
            again = await world.client.delete(PATH, params={"client_order_id": name})
            assert again.status_code == 404
            assert again.json()["error"] == {
                "code": "UNKNOWN_ORDER", "message": "no such order", "field": "client_order_id",
            }  # fmt: skip

    run(main())


def test_the_name_of_another_accounts_order_is_unknown() -> None:
    async def main() -> None:
        async with RestWorld() as world:
            await world.enter(limit("buy", "1", "50000", client_order_id="mine-1"), account=2)
            answer = await world.client.delete(PATH, params={"client_order_id": "mine-1"})
            assert answer.status_code == 404
            assert len(world.engine.open_orders(2)[0]) == 1

    run(main())


def test_an_order_is_amended_by_its_name() -> None:
    async def main() -> None:
        async with RestWorld() as world:
            await world.enter(limit("buy", "1", "50000", client_order_id="mine-1"))
            answer = await world.client.patch(
                PATH, params={"client_order_id": "mine-1"}, json={"quantity": "0.4"}
            )
            assert answer.json()["remaining_quantity"] == "0.40000"

    run(main())


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
@pytest.mark.parametrize("name", [None, "", "x" * 37])
def test_a_client_order_id_is_required_and_has_a_limit(method: str, name: str | None) -> None:
    async def main() -> None:
        async with RestWorld() as world:
            await world.enter(limit("buy", "1", "50000", client_order_id="mine-1"))
            params = {} if name is None else {"client_order_id": name}
            body = {"quantity": "0.4"} if method == "PATCH" else None
            answer = await world.client.request(method, PATH, params=params, json=body)
            assert answer.status_code == 400
            assert answer.json()["error"]["field"] == "client_order_id"
            assert len(world.engine.open_orders(1)[0]) == 1

    run(main())


def test_a_look_up_by_name_finds_the_last_order_of_that_name_with_its_fills() -> None:
    async def main() -> None:
        async with RestWorld() as world:
            recorder = OrdersRecorder(world, [(9, "x"), (7, "mine-1"), (3, "mine-1")])
            found = await world.client.get(PATH, params={"client_order_id": "mine-1"})
            assert found.json()["order_id"] == "ORD-0000000007"
            assert found.json()["fills"] == []
            by_name, by_id = recorder.questions
            assert (by_name.client_order_id, by_name.limit) == ("mine-1", 1)
            assert by_id.order_id == 7
            missing = await world.client.get(PATH, params={"client_order_id": "mine-2"})
            assert missing.status_code == 404
            assert missing.json()["error"]["field"] == "client_order_id"

    run(main())


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/orders/ORD-0000000007",
        "/api/v1/orders",
        f"{PATH}?client_order_id=mine-1",
    ],
)
@pytest.mark.parametrize(
    ("seq", "status", "code"),
    [
        (3, 200, ""),
        (2, 503, "HISTORY_UNAVAILABLE"),
    ],
)
def test_a_reader_may_require_an_answer_as_of_a_number(
    path: str, seq: int, status: int, code: str
) -> None:
    async def main() -> None:
        async with RestWorld() as world:
            for _ in range(3):
                await world.enter(limit("buy", "1", "50000"), account=2)
            recorder = OrdersRecorder(world, [(7, "mine-1")])
            recorder.seq = seq
            join = "&" if "?" in path else "?"
            answer = await world.client.get(f"{path}{join}min_seq=3")
            assert answer.status_code == status, answer.text
            assert {each.min_seq for each in recorder.questions} == {3}
            if code:
                assert answer.json()["error"]["code"] == code
                assert answer.headers["Retry-After"] == "1"

    run(main())


def test_a_number_that_was_never_given_is_refused() -> None:
    async def main() -> None:
        async with RestWorld() as world:
            await world.enter(limit("buy", "1", "50000"))
            OrdersRecorder(world, []).seq = 1
            for path in ("/api/v1/orders", "/api/v1/orderbook/BTC-USDT"):
                answer = await world.client.get(f"{path}?min_seq=2")
                assert (answer.status_code, answer.json()["error"]) == (
                    400,
                    {
                        "code": "MALFORMED",
                        "message": "2 has not been given yet: the last number here is 1",
                        "field": "min_seq",
                    },
                )

    run(main())


def test_a_number_of_a_shard_that_does_not_exist_is_refused() -> None:
    async def main() -> None:
        async with RestWorld() as world:
            for path in ("/api/v1/orders", "/api/v1/trades/BTC-USDT", "/api/v1/orderbook/BTC-USDT"):
                answer = await world.client.get(f"{path}?min_seq={1 << 47}")
                assert (answer.status_code, answer.json()["error"]["field"]) == (400, "min_seq")

    run(main())


def test_a_book_is_shown_once_it_has_come_to_the_number() -> None:
    async def main() -> None:
        async with RestWorld() as world:
            seq = (await world.enter(limit("buy", "1", "50000"))).json()["seq"]
            path = "/api/v1/orderbook/BTC-USDT"
            now = await world.client.get(f"{path}?min_seq={seq}")
            assert now.json()["bids"] == [["50000.00", "1.00000"]]
            world.market.lags = True
            late = await world.client.get(f"{path}?min_seq={seq}")
            assert late.status_code == 503
            assert late.json()["error"] == {
                "code": "MARKET_DATA_UNAVAILABLE",
                "message": f"the book is at {seq}, and not known to reflect {seq} yet; try again",
                "field": "min_seq",
            }

    run(main())


def test_orders_are_named_the_same_over_the_websocket() -> None:
    async def main() -> None:
        async with OrderStreamWorld("account=7") as world:
            await world.enter(limit("buy", "1", "50000", client_order_id="mine-1"), account=7)
            name = {"client_order_id": "mine-1"}
            world.request("amend", {**name, "quantity": "0.4"}, "first")
            world.request("cancel", {**name, "order_id": "ORD-0000000001"}, "second")
            world.request("cancel", {}, "third")
            world.request("cancel", name, "fourth")
            world.request("cancel", name, "fifth")
            amended, canceled = await world.connection.messages("answer", 2)
            assert (amended["id"], amended["result"]["status"]) == ("first", "amended")
            assert (canceled["id"], canceled["result"]["status"]) == ("fourth", "canceled")
            errors = await world.connection.messages("error", 3)
            assert [(e["id"], e["status"], e["error"]["field"]) for e in errors] == [
                ("second", 400, "order_id"),
                ("third", 400, "order_id"),
                ("fifth", 404, "client_order_id"),
            ]

    run(main())
