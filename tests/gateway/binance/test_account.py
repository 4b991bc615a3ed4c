"""Balances, fees, listen keys, and the paths outside `/api` that clients call at their start."""

from crossbook.common.rules import Rules
from tests.gateway.binance.test_order_actions import market, run
from tests.worlds.face_world import FaceWorld

MONEY = Rules(accounts=True, opening=(("USDT", 100_000 * 10**8), ("BTC", 2 * 10**10)))


def test_an_account_shows_what_is_free_and_what_orders_hold() -> None:
    async def main() -> None:
        async with FaceWorld(MONEY) as world:
            bot = world.bot(7)
            await bot.limit("BUY", "1", "50000")
            await bot.limit("SELL", "0.5", "60000")
            account = await bot.get("account", omitZeroBalances="true")
            assert account["balances"] == [
                {"asset": "BTC", "free": "1.50000000", "locked": "0.50000000"},
                {"asset": "USDT", "free": "50000.00000000", "locked": "50000.00000000"},
            ]
            assert set(account) == {
                "makerCommission", "takerCommission", "buyerCommission", "sellerCommission",
                "commissionRates", "canTrade", "canWithdraw", "canDeposit", "brokered",
                "requireSelfTradePrevention", "preventSor", "updateTime", "accountType",
                "balances", "permissions", "uid",
            }  # fmt: skip
            assert (account["uid"], account["accountType"], account["permissions"]) == (
                7, "SPOT", ["SPOT"],
            )  # fmt: skip
            assert (account["makerCommission"], account["takerCommission"]) == (10, 20)
            every = await bot.get("account")
            assert [each["asset"] for each in every["balances"]] == [
                "BTC", "USDT", "ETH", "SOL", "USD", "MSFT",
            ]  # fmt: skip

    run(main())


def test_an_amount_finer_than_eight_digits_is_shown_whole() -> None:
    async def main() -> None:
        async with FaceWorld(MONEY) as world:
            await world.bot(1).limit("SELL", "0.00001", "200000")
            bought = await market(world.bot(2), "BUY", quantity="0.00001")
            # BTC has ten decimals here: a fee of 0.2 % of one lot.
            assert bought["fills"][0]["commission"] == "0.00000002"
            account = await world.bot(2).get("account")
            assert account["balances"][0]["free"] == "2.00000998"

    run(main())


def test_without_accounts_there_are_no_balances() -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            assert (await world.bot().get("account"))["balances"] == []

    run(main())


def test_fees_are_those_of_the_instrument() -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            bot = world.bot()
            fees = await bot.get("account/commission", symbol="BTCUSDT")
            assert fees["standardCommission"] == {
                "maker": "0.00100000", "taker": "0.00200000",
                "buyer": "0.00000000", "seller": "0.00000000",
            }  # fmt: skip
            one = await bot.get("/sapi/v1/asset/tradeFee", symbol="ETHUSDT")
            assert one == [
                {"symbol": "ETHUSDT", "makerCommission": "0.00100000",
                 "takerCommission": "0.00200000"},
            ]  # fmt: skip
            every = await bot.get("/sapi/v1/asset/tradeFee")
            assert [each["symbol"] for each in every] == [
                "BTCUSDT", "ETHUSDT", "SOLUSDT", "BTCUSD", "MSFTUSD",
            ]  # fmt: skip
            unknown = await bot.error("GET", "/sapi/v1/asset/tradeFee", symbol="XYZ")
            assert unknown == (400, -1121, "Invalid symbol.")

    run(main())


def test_clients_that_look_at_other_markets_find_none() -> None:
    async def main() -> None:
        async with FaceWorld(MONEY) as world:
            bot = world.bot()
            await bot.limit("BUY", "1", "50000")
            coins = await bot.get("/sapi/v1/capital/config/getall")
            assert [(each["coin"], each["free"], each["locked"]) for each in coins[:2]] == [
                ("BTC", "2.00000000", "0.00000000"),
                ("USDT", "50000.00000000", "50000.00000000"),
            ]
            assert set(coins[0]) >= {
                "coin", "name", "free", "locked", "depositAllEnable", "withdrawAllEnable",
                "trading", "isLegalMoney", "networkList",
            }  # fmt: skip
            assert await bot.get("/sapi/v1/margin/allPairs") == []
            assert await bot.get("/sapi/v1/margin/isolated/allPairs") == []
            for path in ("/fapi/v1/exchangeInfo", "/dapi/v1/exchangeInfo"):
                assert (await world.http.get(path)).json()["symbols"] == []

    run(main())


def test_a_listen_key_is_opened_renewed_and_closed_by_the_key_alone() -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            headers = {"X-MBX-APIKEY": "demo-7"}
            path = "/api/v3/userDataStream"
            keys = [(await world.http.post(path, headers=headers)).json() for _ in range(2)]
            assert keys[0] == keys[1]
            named = {"listenKey": keys[0]["listenKey"]}
            in_query = await world.http.put(path, headers=headers, params=named)
            in_body = await world.http.put(path, headers=headers, data=named)
            for renewed in (in_query, in_body):
                assert (renewed.status_code, renewed.json()) == (200, {})
            other = await world.http.put(path, headers={"X-MBX-APIKEY": "demo-8"}, params=named)
            assert other.json() == {"code": -1125, "msg": "This listenKey does not exist."}
            closed = await world.http.request("DELETE", path, headers=headers, data=named)
            assert (closed.status_code, closed.json()) == (200, {})
            again = await world.http.put(path, headers=headers, params=named)
            assert again.json()["code"] == -1125
            nobody = await world.http.post(path)
            assert (nobody.status_code, nobody.json()["code"]) == (401, -2014)

    run(main())
