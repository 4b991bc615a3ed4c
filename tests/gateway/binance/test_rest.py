"""REST of the face over HTTP: who may call, where parameters stand, heads of answers."""

import json
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from crossbook.common.keys import Key, KeyScheme, Scope
from crossbook.common.times import SECOND_NS
from crossbook.common.token_buckets import TokenBuckets
from crossbook.gateway.auth.opened_accounts import OpenedAccounts
from crossbook.gateway.binance.assembly import FaceLimits
from crossbook.gateway.binance.weights import BAN_S, IGNORED_MAX
from crossbook.gateway.keys.key_table import KeyTable
from crossbook.gateway.limits.account_limits import AccountLimits
from tests.gateway.binance.test_order_actions import LIMIT, run
from tests.worlds.face_world import API, Bot, FaceWorld

FORM = "application/x-www-form-urlencoded"


async def order(world: FaceWorld, query: str, body: str, kind: str | None) -> httpx.Response:
    """The answer to a POST of an order with these texts."""
    headers = {"X-MBX-APIKEY": "demo-1"} | ({"Content-Type": kind} if kind else {})
    return await world.http.post(
        f"{API}order?{query}" if query else f"{API}order", content=body, headers=headers
    )


@pytest.mark.parametrize("kind", [None, FORM, "application/json", "application/octet-stream"])
def test_parameters_are_read_from_query_and_body_whatever_the_content_type(
    kind: str | None,
) -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            bot = world.bot()
            whole = bot.signed(LIMIT)
            for query, body in ((whole, ""), ("", whole)):
                answer = await order(world, query, body, kind)
                assert (answer.status_code, answer.json()["status"]) == (200, "NEW"), answer.text
            head, _, tail = urlencode({**LIMIT, "timestamp": world.now_ms()}).partition("&")
            signature = bot.signature(head + tail)
            mixed = await order(world, head, f"{tail}&signature={signature}", kind)
            assert mixed.status_code == 200, mixed.text
            other = await order(world, f"{head}&signature={signature}", tail, kind)
            assert other.status_code == 200, other.text

    run(main())


def test_a_parameter_in_query_and_body_is_that_of_the_query() -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            bot = world.bot()
            query = urlencode({**LIMIT, "timestamp": world.now_ms()})
            body = "price=1&quantity=2"
            signed = f"{query}&signature={bot.signature(query + body)}"
            answer = await order(world, signed, body, FORM)
            assert answer.json()["price"] == "50000.00000000"

    run(main())


def test_a_cancel_may_have_its_parameters_in_the_body() -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            bot = world.bot()
            await bot.limit("BUY", "1", "50000")
            answer = await world.http.request(
                "DELETE",
                f"{API}order",
                content=bot.signed({"symbol": "BTCUSDT", "orderId": 1}),
                headers={"X-MBX-APIKEY": bot.key, "Content-Type": FORM},
            )
            assert answer.json()["status"] == "CANCELED"

    run(main())


def test_a_key_is_ignored_where_everybody_may_look() -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            for key in ("", "nobody", "demo-1"):
                answer = await world.http.get(f"{API}time", headers={"X-MBX-APIKEY": key})
                assert answer.json() == {"serverTime": world.now_ms()}

    run(main())


@pytest.mark.parametrize("keys", [("demo-2", "demo-1"), ("demo-1", "demo-2"), ("demo-1", "demo-1")])
def test_a_request_with_two_keys_is_refused_on_every_route(keys: tuple[str, str]) -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            bot = world.bot()
            headers = [("X-MBX-APIKEY", key) for key in keys]
            for method, path, asked in (
                ("GET", "time", ""),
                ("GET", "account", bot.signed({})),
                ("POST", "userDataStream", ""),
                ("POST", "order", bot.signed(LIMIT)),
                ("DELETE", "openOrders", bot.signed({"symbol": "BTCUSDT"})),
            ):
                answer = await world.http.request(method, f"{API}{path}?{asked}", headers=headers)
                assert (answer.status_code, answer.json()["code"]) == (400, -1101), path
            units = [("X-MBX-TIME-UNIT", "MICROSECOND"), ("X-MBX-TIME-UNIT", "MILLISECOND")]
            answer = await world.http.get(f"{API}time", headers=units)
            assert (answer.status_code, answer.json()["code"]) == (400, -1101)
            assert not world.engine.seq

    run(main())


def test_x_account_may_only_repeat_the_account_of_the_key() -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            bot = world.bot()
            for account, status in (("2", 401), ("1", 200)):
                headers = {"X-MBX-APIKEY": bot.key, "X-Account": account}
                asked = f"{API}order?{bot.signed(LIMIT)}"
                answer = await world.http.post(asked, headers=headers)
                assert answer.status_code == status, answer.text
                assert status == 200 or answer.json()["code"] == -2015
            assert world.engine.seq == 1

    run(main())


def test_times_are_in_microseconds_on_request() -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            await world.bot().limit("BUY", "1", "50000")
            headers = {"X-MBX-TIME-UNIT": "microsecond", "X-MBX-APIKEY": "demo-1"}
            time = await world.http.get(f"{API}time", headers=headers)
            assert time.json() == {"serverTime": world.now_ms() * 1000}
            query = world.bot().signed({"symbol": "BTCUSDT", "orderId": 1})
            found = await world.http.get(f"{API}order?{query}", headers=headers)
            assert found.json()["time"] == world.now_ms() * 1000
            wrong = await world.http.get(f"{API}time", headers={"X-MBX-TIME-UNIT": "HOUR"})
            assert (wrong.status_code, wrong.json()["code"]) == (400, -1194)

    run(main())


def test_every_answer_has_the_weight_that_its_address_used() -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            bot, weights = world.bot(), []
            for path, weight in (("time", 1), ("exchangeInfo", 20), ("nothing", 1)):
                answer = await world.http.get(API + path)
                assert answer.headers["x-mbx-used-weight"] == answer.headers["x-mbx-used-weight-1m"]
                weights.append((int(answer.headers["x-mbx-used-weight"]), weight))
            signed = await bot.send("GET", "openOrders")
            weights.append((int(signed.headers["x-mbx-used-weight"]), 80))
            used = 0
            for found, weight in weights:
                used += weight
                assert found == used
            assert "x-mbx-order-count-10s" not in signed.headers

    run(main())


def test_too_much_weight_is_429_and_then_418() -> None:
    async def main() -> None:
        async with FaceWorld(face=FaceLimits(requests_per_second=1)) as world:
            for _ in range(3):
                assert (await world.http.get(f"{API}exchangeInfo")).status_code == 200
            for _ in range(IGNORED_MAX):
                refused = await world.http.get(f"{API}ping")
                assert (refused.status_code, refused.json()["code"]) == (429, -1003)
                assert refused.headers["x-mbx-used-weight"] == "60"
                assert 1 <= int(refused.headers["retry-after"]) <= 60
            banned = await world.http.get(f"{API}ping")
            assert (banned.status_code, banned.json()["code"]) == (418, -1003)
            assert banned.headers["retry-after"] == str(BAN_S)
            world.wall.advance_ns((BAN_S + 1) * SECOND_NS)
            assert (await world.http.get(f"{API}ping")).status_code == 200

    run(main())


def test_the_bucket_of_an_address_holds_here_too() -> None:
    async def main() -> None:
        buckets = TokenBuckets(1, 2)
        async with FaceWorld(face=FaceLimits(1, buckets=buckets)) as world:
            statuses = [(await world.http.get(f"{API}ping")).status_code for _ in range(3)]
            assert statuses == [200, 200, 429]

    run(main())


def test_queries_of_an_account_take_from_its_bucket() -> None:
    async def main() -> None:
        async with FaceWorld(limits=AccountLimits(0, 1, 0, lambda: 0)) as world:
            for _ in range(2):
                assert await world.bot(1).get("openOrders") == []
            refused = await world.bot(1).error("GET", "openOrders")
            assert refused[:2] == (429, -1003)
            assert await world.bot(2).get("openOrders") == []
            assert await world.bot(1).limit("BUY", "1", "50000")

    run(main())


def test_an_address_may_trade_for_so_many_accounts_only() -> None:
    async def main() -> None:
        async with FaceWorld(opened=OpenedAccounts(most=1)) as world:
            await world.bot(1).limit("BUY", "1", "50000")
            assert (await world.bot(2).error("POST", "order", **LIMIT))[0] == 400
            assert await world.bot(2).get("openOrders") == []

    run(main())


def test_paths_of_the_native_api_stay_what_they_are() -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            await world.bot(1).limit("BUY", "1", "50000")
            native = await world.http.get("/api/v1/orderbook/BTC-USDT")
            assert native.json()["bids"] == [["50000.00", "1.00000"]]
            assert (await world.http.get("/api/v1/trades/BTC-USDT")).json()["trades"] == []
            face = await world.http.get("/api/v1/trades", params={"symbol": "BTCUSDT"})
            assert face.json() == []
            assert (await world.http.get("/api/v1/nothing")).json()["error"]["code"] == "NOT_FOUND"

    run(main())


@pytest.mark.parametrize(
    "path",
    ["/api/v3", "/api/v3/orderLists", "/sapi/v1/system/status", "/fapi",
     "/dapi/v1/time"],
)  # fmt: skip
def test_a_path_that_the_exchange_does_not_have_is_a_clear_refusal(path: str) -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            for method in ("GET", "POST", "DELETE"):
                answer = await world.http.request(method, path)
                assert answer.status_code == 404
                assert answer.json() == {"code": -1000, "msg": f"There is no endpoint {path} here."}

    run(main())


def test_another_method_is_refused_with_those_there_are() -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            answer = await world.http.patch(f"{API}order")
            methods = "DELETE, GET, HEAD, OPTIONS, POST"
            assert (answer.status_code, answer.headers["allow"]) == (405, methods)
            assert answer.json()["code"] == -1000
            asked = await world.http.options(f"{API}order?symbol=BTCUSDT")
            assert (asked.status_code, asked.headers["allow"], asked.json()) == (200, methods, {})
            asked = await world.http.options(f"{API}order/test")
            assert asked.headers["allow"] == "OPTIONS, POST"
            assert (await world.http.options(f"{API}nothing")).status_code == 404
            head = await world.http.head(f"{API}time")
            assert (head.status_code, head.content) == (200, b"")

    run(main())


def test_host_origin_and_body_are_checked_as_for_the_native_api() -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            bot = world.bot()
            foreign = await world.http.get(f"{API}time", headers={"Host": "evil.example"})
            assert foreign.status_code in (400, 403, 421)
            assert set(foreign.json()) == {"code", "msg"}
            page = await world.http.post(
                f"{API}order?{bot.signed(LIMIT)}",
                headers={"X-MBX-APIKEY": bot.key, "Origin": "http://evil.example"},
            )
            assert (page.status_code, page.json()["code"]) == (403, -1000)
            large = await order(world, "", "a=" + "b" * 300_000, FORM)
            assert (large.status_code, set(large.json())) == (413, {"code", "msg"})
            packed = await world.http.post(
                f"{API}order", content=b"a=1", headers={"Content-Encoding": "gzip"}
            )
            assert packed.json()["code"] == -1102
            assert await bot.get("openOrders") == []

    run(main())


def test_a_fault_of_the_gateway_has_a_document_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            monkeypatch.setattr(world.lookup, "records", None)
            answer = await world.bot().send("GET", "openOrders")
            assert (answer.status_code, answer.json()["code"]) == (500, -1001)

    run(main())


SECRET = b"s" * 40
DRAWN = "k-0123456789abcdef"


def keyed(scopes: Scope, **more: Any) -> KeyTable:
    """The keys of an exchange with `AUTH=on`: one for account 7."""
    keys = KeyTable()
    keys.put(Key("desk", KeyScheme.HMAC_SHA256, SECRET, scopes, 7, **more))
    return keys


def test_with_keys_of_the_exchange_a_request_acts_for_the_account_of_its_key() -> None:
    async def main() -> None:
        async with FaceWorld(keys=keyed(Scope.READ | Scope.TRADE)) as world:
            bot = Bot(world, "desk", SECRET.decode())
            await bot.limit("BUY", "1", "50000")
            assert (await bot.get("account"))["uid"] == 7
            refused = (401, -2015, "Invalid API-key, IP, or permissions for action.")
            assert await world.bot(7).error("GET", "account") == refused
            stranger = Bot(world, "desk", "t" * 40)
            assert (await stranger.error("GET", "account"))[1] == -1022

    run(main())


def test_a_key_that_may_only_read_does_not_trade() -> None:
    async def main() -> None:
        async with FaceWorld(keys=keyed(Scope.READ)) as world:
            bot = Bot(world, "desk", SECRET.decode())
            assert await bot.get("openOrders") == []
            for method, path in (("POST", "order"), ("POST", "order/test"), ("DELETE", "order")):
                assert (await bot.error(method, path, **LIMIT))[:2] == (401, -2015)

    run(main())


def test_with_keys_of_the_exchange_a_listen_key_needs_a_signature() -> None:
    async def main() -> None:
        async with FaceWorld(keys=keyed(Scope.READ)) as world:
            plain = await world.http.post(f"{API}userDataStream", headers={"X-MBX-APIKEY": "desk"})
            assert plain.json()["code"] == -1102
            bot = Bot(world, "desk", SECRET.decode())
            assert len((await bot.post("userDataStream"))["listenKey"]) == 64

    run(main())


def test_a_listen_key_needs_no_signature_where_nobody_guesses_the_id_of_the_key() -> None:
    async def main() -> None:
        keys = keyed(Scope.READ)
        keys.put(Key(DRAWN, KeyScheme.HMAC_SHA256, SECRET, Scope.READ, 8))
        keys.put(Key(DRAWN[::-1], KeyScheme.HMAC_SHA256, SECRET, Scope.READ, 9))
        async with FaceWorld(keys=keys) as world:
            path, headers = f"{API}userDataStream", {"X-MBX-APIKEY": DRAWN}
            key = (await world.http.post(path, headers=headers)).json()["listenKey"]
            assert world.face.venue.listen_keys.account(key, world.clock.now_ns()) == 8
            named = {"listenKey": key}
            assert (await world.http.put(path, headers=headers, params=named)).json() == {}
            for other, code in ((f"{DRAWN[:-1]}0", -2015), ("desk", -1102), (DRAWN[::-1], -1102)):
                refused = await world.http.put(path, headers={"X-MBX-APIKEY": other}, params=named)
                assert refused.json()["code"] == code, other
            wrong = await Bot(world, DRAWN, "t" * 40).error("POST", "userDataStream")
            assert wrong[1] == -1022
            unsigned = await world.http.get(f"{API}account", headers=headers)
            assert unsigned.json()["code"] == -1102

    run(main())


def test_market_data_that_needs_a_key_needs_a_signature() -> None:
    async def main() -> None:
        async with FaceWorld(keys=keyed(Scope.READ), market_data_is_keyed=True) as world:
            bot = Bot(world, "desk", SECRET.decode())
            for path in ("exchangeInfo", "trades"):
                plain = await world.http.get(API + path, params={"symbol": "BTCUSDT"})
                assert (plain.status_code, plain.json()["code"]) == (401, -2014)
                assert await bot.get(path, symbol="BTCUSDT") is not None
            for path in ("ping", "time"):
                assert (await world.http.get(API + path)).status_code == 200

    run(main())


def test_answers_are_json_in_utf_8() -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            answer = await world.http.get(f"{API}ping")
            assert answer.headers["content-type"] == "application/json;charset=UTF-8"
            assert json.loads(answer.content) == {}

    run(main())
