"""`exchangeInfo` is complete, and says of each symbol whether it trades."""

import json
from typing import Any

import pytest

from crossbook.common.token_buckets import TokenBuckets
from crossbook.common.types import InstrumentState
from crossbook.gateway.binance.assembly import FaceLimits
from tests.gateway.binance.test_order_actions import run
from tests.worlds.face_world import FaceWorld

NAMES = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "BTCUSD", "MSFTUSD"]

SYMBOL_FIELDS = {
    "symbol", "status", "baseAsset", "baseAssetPrecision", "quoteAsset", "quotePrecision",
    "quoteAssetPrecision", "baseCommissionPrecision", "quoteCommissionPrecision", "orderTypes",
    "icebergAllowed", "ocoAllowed", "quoteOrderQtyMarketAllowed", "allowTrailingStop",
    "cancelReplaceAllowed", "amendAllowed", "isSpotTradingAllowed", "isMarginTradingAllowed",
    "filters", "permissions", "permissionSets", "defaultSelfTradePreventionMode",
    "allowedSelfTradePreventionModes",
}  # fmt: skip
KNOWN_FILTERS = {
    "PRICE_FILTER", "LOT_SIZE", "ICEBERG_PARTS", "MARKET_LOT_SIZE", "NOTIONAL",
}  # fmt: skip


def test_every_symbol_has_every_field_that_clients_decode() -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            info = await world.public("exchangeInfo")
            assert [each["symbol"] for each in info["symbols"]] == NAMES
            assert info["serverTime"] == world.now_ms()
            for symbol in info["symbols"]:
                assert set(symbol) >= SYMBOL_FIELDS
                assert symbol["permissionSets"] == [["SPOT"]]
                assert symbol["ocoAllowed"] is False
                filters = {each["filterType"]: each for each in symbol["filters"]}
                assert symbol["filters"][0]["filterType"] == "PRICE_FILTER"
                assert set(filters) == KNOWN_FILTERS

    run(main())


def test_filters_are_the_grid_and_the_limits_of_the_instrument() -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            [symbol] = (await world.public("exchangeInfo", symbol="BTCUSDT"))["symbols"]
            quantities = {
                "minQty": "0.00001000", "maxQty": "9000.00000000", "stepSize": "0.00001000",
            }  # fmt: skip
            assert symbol["filters"] == [
                {"filterType": "PRICE_FILTER", "minPrice": "0.01000000",
                 "maxPrice": "10000000.00000000", "tickSize": "0.01000000"},
                {"filterType": "LOT_SIZE", **quantities},
                {"filterType": "ICEBERG_PARTS", "limit": 100},
                {"filterType": "MARKET_LOT_SIZE", **quantities},
                {"filterType": "NOTIONAL", "minNotional": "1.00000000", "applyMinToMarket": False,
                 "maxNotional": "46116860184.27387904", "applyMaxToMarket": False,
                 "avgPriceMins": 0},
            ]  # fmt: skip
            assert symbol["orderTypes"] == [
                "LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT",
                "TAKE_PROFIT_LIMIT",
            ]  # fmt: skip

    run(main())


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (InstrumentState.OPEN, "TRADING"),
        (InstrumentState.POST_ONLY, "TRADING"),
        (InstrumentState.AUCTION, "TRADING"),
        (InstrumentState.CANCEL_ONLY, "BREAK"),
        (InstrumentState.HALTED, "HALT"),
    ],
)
def test_a_symbol_trades_while_its_instrument_takes_orders(
    state: InstrumentState, status: str
) -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            world.engine.books[1].state = state
            info = await world.public("exchangeInfo")
            assert [each["status"] for each in info["symbols"]] == [status] + ["TRADING"] * 4
            chosen = await world.public("exchangeInfo", symbolStatus=status)
            assert "BTCUSDT" in [each["symbol"] for each in chosen["symbols"]]

    run(main())


def test_limits_are_those_of_the_exchange() -> None:
    async def main() -> None:
        limits = FaceLimits(100, 5, 200, TokenBuckets(100, 200))
        async with FaceWorld(face=limits) as world:
            info = await world.public("exchangeInfo")
            assert [list(each.values()) for each in info["rateLimits"]] == [
                ["REQUEST_WEIGHT", "MINUTE", 1, 6_000],
                ["RAW_REQUESTS", "SECOND", 2, 200],
                ["ORDERS", "SECOND", 10, 50],
                ["ORDERS", "DAY", 1, 432_000],
            ]
            assert info["exchangeFilters"] == [
                {"filterType": "EXCHANGE_MAX_NUM_ORDERS", "maxNumOrders": 200}
            ]

    run(main())


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"symbol": "ETHUSDT"}, ["ETHUSDT"]),
        ({"symbols": '["SOLUSDT","BTCUSD"]'}, ["SOLUSDT", "BTCUSD"]),
        ({"permissions": "SPOT"}, NAMES),
        ({"permissions": json.dumps(["MARGIN", "SPOT"])}, NAMES),
        ({"permissions": "MARGIN"}, []),
        ({"symbolStatus": "HALT"}, []),
        ({"symbol": "XYZ"}, -1121),
        ({"symbols": '["BTCUSDT","XYZ"]'}, -1121),
        ({"symbols": "BTCUSDT"}, -1100),
        ({"symbol": "BTCUSDT", "symbols": '["BTCUSDT"]'}, -1128),
        ({"symbol": "BTCUSDT", "permissions": "SPOT"}, -1128),
        ({"permissions": "[1]"}, -1130),
        ({"symbolStatus": "OPEN"}, -1122),
    ],
)
def test_symbols_are_chosen_by_name_permission_or_status(
    parameters: dict[str, Any], expected: Any
) -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            answer = (await world.http.get("/api/v3/exchangeInfo", params=parameters)).json()
            if isinstance(expected, int):
                assert answer["code"] == expected
            else:
                assert [each["symbol"] for each in answer["symbols"]] == expected

    run(main())


def test_permission_sets_may_be_left_out() -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            info = await world.public("exchangeInfo", symbol="BTCUSDT", showPermissionSets="false")
            assert info["symbols"][0]["permissionSets"] == []

    run(main())
