"""The WebSocket API: requests, answers, signatures, sessions, limits."""

import asyncio
import json
from collections.abc import Coroutine
from typing import Any

import pytest

from crossbook.common.keys import Key, KeyScheme, Scope
from crossbook.common.rules import Rules
from crossbook.gateway.binance.assembly import FaceLimits
from crossbook.gateway.binance.signing import DemoKeys
from crossbook.gateway.binance.ws_api import client as api_client
from crossbook.gateway.binance.ws_api.methods import PATHS
from crossbook.gateway.keys.key_table import KeyTable
from tests.worlds.user_world import UserWorld

MONEY = Rules(accounts=True, opening=(("USDT", 100_000 * 10**8), ("BTC", 2 * 10**10)))
ORDER = {
    "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.5",
    "price": "50000",
}  # fmt: skip


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run the coroutine of one test."""
    asyncio.run(main)


@pytest.mark.parametrize("number", [7, -3, "a-7", "0b4c", None])
def test_the_id_comes_back_as_it_came(number: Any) -> None:
    async def main() -> None:
        async with UserWorld() as world:
            client = world.connect()
            client.send("ping", number)
            await world.quiet()
            (answer,) = client.connection.pop_messages()
            assert answer["id"] == number
            assert type(answer["id"]) is type(number)
            assert (answer["status"], answer["result"]) == (200, {})

    run(main())


@pytest.mark.parametrize(
    ("text", "number", "code"),
    [
        ("{", None, -1135),
        ("[]", None, -1135),
        ('{"id":[1],"method":"ping"}', None, -1100),
        ('{"id":true,"method":"ping"}', None, -1100),
        ('{"id":1.5,"method":"ping"}', None, -1100),
        ('{"id":"%s","method":"ping"}' % ("x" * 37), None, -1100),
        ('{"id":1}', 1, -1102),
        ('{"id":1,"method":5}', 1, -1102),
        ('{"id":1,"method":"ping","params":[]}', 1, -1135),
        ('{"id":1,"method":"nothing"}', 1, -1000),
        ('{"id":1,"method":"time","method":"ping"}', 1, -1101),
        ('{"id":1,"method":"ping","params":{},"params":{}}', 1, -1101),
        ('{"id":1,"method":"ping","params":{"a":"1","\\u0061":"2"}}', 1, -1101),
        ('{"id":1,"method":"order.place","params":{"symbol":"a\\u0000"}}', 1, -1100),
    ],
)
def test_a_bad_request_gets_an_error_and_the_next_one_its_answer(
    text: str, number: Any, code: int
) -> None:
    async def main() -> None:
        async with UserWorld() as world:
            client = world.connect()
            client.connection.channel.received(client.connection, text)
            client.send("ping", 9)
            await world.quiet()
            first, second = client.connection.pop_messages()
            if first["id"] == 9:
                first, second = second, first
            assert (first["id"], first["status"], first["error"]["code"]) == (number, 400, code)
            assert second["status"] == 200

    run(main())


def test_limits_are_shown_unless_they_are_not_wanted() -> None:
    async def main() -> None:
        async with UserWorld(face=FaceLimits(100, 10)) as world:
            client = world.connect()
            answer = await client.call("time")
            assert answer["rateLimits"] == [
                {
                    "rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1,
                    "limit": 6_000, "count": 1,
                }
            ]  # fmt: skip
            assert "rateLimits" not in await client.call("time", returnRateLimits=False)
            placed = await client.call("order.place", **client.signed(1, **ORDER))
            assert [each["rateLimitType"] for each in placed["rateLimits"]] == [
                "ORDERS", "ORDERS", "REQUEST_WEIGHT",
            ]  # fmt: skip
            assert [each["count"] for each in placed["rateLimits"]] == [1, 1, 3]
            quiet = world.connect("returnRateLimits=false")
            assert "rateLimits" not in await quiet.call("time")
            assert "rateLimits" in await quiet.call("time", returnRateLimits=True)

    run(main())


def test_an_order_lives_through_its_methods() -> None:
    async def main() -> None:
        async with UserWorld(rules=MONEY) as world:
            client = world.connect()
            placed = await client.result("order.place", **client.signed(1, **ORDER, postOnly=True))
            assert (placed["status"], placed["fills"]) == ("NEW", [])
            by_id = {"symbol": "BTCUSDT", "orderId": placed["orderId"]}
            status = await client.result("order.status", **client.signed(1, **by_id))
            assert status["clientOrderId"] == placed["clientOrderId"]
            assert len(await client.result("openOrders.status", **client.signed(1))) == 1
            canceled = await client.result("order.cancel", **client.signed(1, **by_id))
            assert canceled["status"] == "CANCELED"
            error = await client.error("order.cancel", **client.signed(1, **by_id))
            assert error == (400, -2011, "Unknown order sent.")
            account = await client.result("account.status", **client.signed(1))
            assert {each["asset"] for each in account["balances"]} >= {"BTC", "USDT"}

    run(main())


def test_every_method_of_rest_has_its_name_here() -> None:
    async def main() -> None:
        async with UserWorld() as world:
            assert world.api.methods.keys() == PATHS.keys()
            named = {(verb, f"/api/v3/{path}") for verb, path in PATHS.values()}
            served = {
                (verb, path)
                for path, methods in world.face.routes.items()
                for verb in methods
                if path.startswith("/api/v3/")
            }
            assert named == served

    run(main())


def test_public_methods_need_no_key_and_take_lists() -> None:
    async def main() -> None:
        async with UserWorld() as world:
            client = world.connect()
            info = await client.result("exchangeInfo", symbols=["BTCUSDT"])
            assert [each["symbol"] for each in info["symbols"]] == ["BTCUSDT"]
            depth = await client.result("depth", symbol="BTCUSDT", limit=5)
            assert depth["bids"] == []
            assert await client.error("depth", symbol="NONE") == (400, -1121, "Invalid symbol.")

    run(main())


def test_signatures_are_over_all_parameters_in_order_of_their_names() -> None:
    async def main() -> None:
        async with UserWorld() as world:
            client = world.connect()
            params = client.signed(1, **ORDER, newClientOrderId="ü/+ %", returnRateLimits=False)
            status, code, _ = await client.error("order.place", **params)
            assert (status, code) == (400, -1100), "the signature fits, the name is not allowed"
            good = client.signed(1, **ORDER, zeta=True, alpha=5)
            assert (await client.call("order.place", **good))["status"] == 200
            wrong = {**client.signed(1, **ORDER), "quantity": "0.6"}
            expected = (400, -1022, "Signature for this request is not valid.")
            assert await client.error("order.place", **wrong) == expected
            unknown = {**client.signed(1, **ORDER), "apiKey": "demo-x"}
            assert (await client.error("order.place", **unknown))[1] == -2015
            unsigned = {**ORDER, "timestamp": world.now_ms()}
            assert (await client.error("order.place", **unsigned))[1] == -1102
            late = client.signed(1, **{**ORDER, "timestamp": world.now_ms() - 6_000})
            assert (await client.error("order.place", **late))[1] == -1021

    run(main())


def test_after_a_logon_requests_need_no_signature() -> None:
    async def main() -> None:
        async with UserWorld() as world:
            client = world.connect()
            empty = await client.result("session.status")
            assert (empty["apiKey"], empty["authorizedSince"]) == (None, None)
            assert (await client.error("userDataStream.subscribe"))[:2] == (401, -2015)
            state = await client.result("session.logon", **client.signed(3))
            assert (state["apiKey"], state["authorizedSince"]) == ("demo-3", world.now_ms())
            assert state["userDataStream"] is False
            placed = await client.result("order.place", **ORDER, timestamp=world.now_ms())
            assert await client.result("order.status", symbol="BTCUSDT", orderId=placed["orderId"])
            old = {**ORDER, "timestamp": world.now_ms() - 10_000}
            assert (await client.error("order.place", **old))[1] == -1021
            assert await client.result("userDataStream.subscribe") == {"subscriptionId": 0}
            assert (await client.result("session.status"))["userDataStream"] is True
            other = await client.result("openOrders.status", **client.signed(4))
            assert other == [], "a request that is signed acts for its own key"
            assert (await client.result("session.logout"))["apiKey"] is None
            assert (await client.error("order.place", **ORDER))[1] == -1102

    run(main())


def test_a_subscription_is_answered_before_its_first_event() -> None:
    async def main() -> None:
        async with UserWorld(rules=MONEY) as world:
            client = world.connect()
            params = client.signed(1)
            client.send("userDataStream.subscribe.signature", 1, **params)
            for _ in range(5):
                await world.bot(1).limit("BUY", "0.001", "50000")
            await world.quiet()
            messages = client.connection.pop_messages()
            assert messages[0]["result"] == {"subscriptionId": 0}
            assert all("event" in each for each in messages[1:])
            assert all(each["subscriptionId"] == 0 for each in messages[1:])

    run(main())


@pytest.mark.parametrize("shown", [1, "1", None])
def test_unsubscribing_takes_a_number_a_text_or_nothing(shown: Any) -> None:
    async def main() -> None:
        async with UserWorld() as world:
            client = world.connect()
            assert [await client.subscribe(account) for account in (1, 2)] == [0, 1]
            params = {} if shown is None else {"subscriptionId": shown}
            client.send("userDataStream.unsubscribe", 5, **params)
            await world.quiet()
            answer, *ends = client.connection.pop_messages()
            assert (answer["id"], answer["result"]) == (5, {})
            numbers = [each["subscriptionId"] for each in ends]
            assert numbers == ([0, 1] if shown is None else [1])
            assert {each["event"]["e"] for each in ends} == {"eventStreamTerminated"}
            await world.bot(2).limit("BUY", "1", "50000")
            assert await client.events() == []
            await world.bot(1).limit("BUY", "1", "50000")
            assert len(await client.events()) == (0 if shown is None else 1)
            again = await client.error("userDataStream.unsubscribe", subscriptionId=1)
            assert again[1] == -2036

    run(main())


def test_one_subscription_of_an_account_and_a_bound_of_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def main() -> None:
        async with UserWorld() as world:
            client = world.connect()
            await client.subscribe(1)
            method = "userDataStream.subscribe.signature"
            assert (await client.error(method, **client.signed(1)))[1] == -2035
            monkeypatch.setattr(api_client, "SUBSCRIPTIONS_MAX", 2)
            await client.subscribe(2)
            assert (await client.error(method, **client.signed(3)))[1] == -1003

    run(main())


def test_too_many_requests_at_once_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        monkeypatch.setattr(api_client, "REQUESTS_MAX", 2)
        async with UserWorld() as world:
            client = world.connect()
            for number in range(4):
                client.send("ping", number)
            await world.quiet()
            answers = {each["id"]: each["status"] for each in client.connection.pop_messages()}
            assert answers == {0: 200, 1: 200, 2: 503, 3: 503}

    run(main())


def test_an_address_over_its_weight_gets_the_time_to_try_again() -> None:
    async def main() -> None:
        async with UserWorld(face=FaceLimits(1)) as world:
            client = world.connect()
            for _ in range(3):
                await client.result("exchangeInfo")
            answer = await client.call("exchangeInfo")
            assert (answer["status"], answer["error"]["code"]) == (429, -1003)
            assert answer["error"]["data"]["retryAfter"] > answer["error"]["data"]["serverTime"]

    run(main())


def test_a_client_that_does_not_read_is_closed() -> None:
    async def main() -> None:
        async with UserWorld() as world:
            client = world.connect()
            await client.subscribe(1)
            client.connection.full = True
            await world.bot(1).limit("BUY", "1", "50000")
            await world.quiet()
            assert client.connection.ended is not None
            assert client.connection.ended[0] == 1008

    run(main())


def test_a_connection_that_is_gone_has_no_stream() -> None:
    async def main() -> None:
        async with UserWorld() as world:
            client, other = world.connect(), world.connect()
            await client.subscribe(1)
            other.send("userDataStream.subscribe.signature", 1, **other.signed(2))
            client.connection.leave()
            other.connection.leave()
            await world.quiet()
            assert (len(world.api), len(world.api.streams)) == (0, 0)

    run(main())


def test_lost_events_close_the_connections_with_streams() -> None:
    async def main() -> None:
        async with UserWorld() as world:
            client, other = world.connect(), world.connect()
            await client.subscribe(1)
            world.desk.announce_gap()
            assert client.connection.ended is not None
            assert other.connection.ended is None
            assert len(world.api.streams) == 0

    run(main())


def test_a_connection_ends_after_its_time_and_when_the_gateway_stops() -> None:
    async def main() -> None:
        async with UserWorld() as world:
            client = world.connect()
            world.api.shut_down()
            (message,) = client.connection.pop_messages()
            assert message == {"event": {"e": "serverShutdown", "E": world.now_ms()}}
            world.wall.advance_ns(86_400 * 10**9)
            world.api.beat()
            assert client.connection.ended is None
            world.wall.advance_ns(1)
            world.api.beat()
            assert client.connection.ended is not None
            assert client.connection.ended[0] == 1001

    run(main())


def test_a_listen_key_needs_a_signature_where_the_id_of_the_key_was_chosen() -> None:
    async def main() -> None:
        keys = KeyTable()
        for id_ in ("desk", "k-0123456789abcdef"):
            keys.put(Key(id_, KeyScheme.HMAC_SHA256, b"s" * 40, Scope.READ, 7))
        async with UserWorld(keys=keys) as world:
            client = world.connect()
            assert await client.result("userDataStream.start", apiKey="k-0123456789abcdef")
            refused = await client.error("userDataStream.start", apiKey="desk")
            assert refused[1] == -1102
            nobody = await client.error("userDataStream.start")
            assert nobody[:2] == (401, -2014)

    run(main())


def test_listen_keys_are_methods_too() -> None:
    async def main() -> None:
        async with UserWorld() as world:
            client = world.connect()
            key = (await client.result("userDataStream.start", apiKey="demo-5"))["listenKey"]
            assert await client.result("userDataStream.ping", apiKey="demo-5", listenKey=key) == {}
            assert await client.result("userDataStream.stop", apiKey="demo-5", listenKey=key) == {}
            ended = await client.error("userDataStream.ping", apiKey="demo-5", listenKey=key)
            assert ended == (400, -1125, "This listenKey does not exist.")

    run(main())


def test_times_in_microseconds_are_by_the_url() -> None:
    async def main() -> None:
        async with UserWorld() as world:
            client = world.connect("timeUnit=MICROSECOND")
            assert (await client.result("time"))["serverTime"] == world.clock.now_ns() // 1_000
            await client.subscribe(1)
            await world.bot(1).limit("BUY", "1", "50000")
            (report,) = await client.reports()
            assert report["T"] == world.clock.now_ns() // 1_000
            assert json.dumps(report["O"]) == str(report["T"])

    run(main())


class ChangingKeys(DemoKeys):
    """Demo keys, some of which are deleted."""

    def __init__(self) -> None:
        self.deleted: set[str] = set()

    def find(self, key_id: str) -> Key | None:
        """The demo key of this id."""
        return None if key_id in self.deleted else super().find(key_id)


def test_a_subscription_ends_with_its_key() -> None:
    async def main() -> None:
        keys = ChangingKeys()
        async with UserWorld(keys=keys) as world:
            client = world.connect()
            assert [await client.subscribe(account) for account in (1, 2)] == [0, 1]
            keys.deleted.add("demo-1")
            world.user.beat()
            (message,) = client.connection.pop_messages()
            assert (message["subscriptionId"], message["event"]["e"]) == (
                0, "eventStreamTerminated",
            )  # fmt: skip
            await world.bot(2).limit("BUY", "1", "50000")
            assert len(await client.events()) == 1
            assert len(world.api.streams) == 1

    run(main())


def test_a_stream_whose_orders_cannot_be_read_is_refused_and_begins_later() -> None:
    async def main() -> None:
        async with UserWorld() as world:
            client = world.connect()
            world.answers = False
            method = "userDataStream.subscribe.signature"
            assert (await client.error(method, **client.signed(1)))[:2] == (503, -1008)
            assert len(world.api.streams) == 0
            world.answers = True
            assert await client.subscribe(1) == 1

    run(main())


def test_an_order_is_answered_before_its_reports() -> None:
    async def main() -> None:
        async with UserWorld() as world:
            client = world.connect()
            await client.subscribe(1)
            client.send("order.place", 9, **client.signed(1, **ORDER))
            await world.quiet()
            answer, report = client.connection.pop_messages()
            assert (answer["id"], report["event"]["x"]) == (9, "NEW")

    run(main())
