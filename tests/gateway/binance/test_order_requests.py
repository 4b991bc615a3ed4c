"""Orders that cannot be read are refused with the code and text that clients look for."""

import pytest

from tests.gateway.binance.test_order_actions import run
from tests.worlds.face_world import FaceWorld

BASE = {"symbol": "BTCUSDT", "side": "BUY"}
LIMIT = BASE | {"type": "LIMIT", "timeInForce": "GTC", "quantity": "1", "price": "50000"}
MARKET = BASE | {"type": "MARKET", "quantity": "1"}


@pytest.mark.parametrize(
    ("terms", "code", "text"),
    [
        (LIMIT | {"price": "50000.001"}, -1013, "Filter failure: PRICE_FILTER"),
        (LIMIT | {"price": "0"}, -1013, "Filter failure: PRICE_FILTER"),
        (LIMIT | {"price": "99999999"}, -1013, "Filter failure: PRICE_FILTER"),
        (LIMIT | {"quantity": "0.000001"}, -1013, "Filter failure: LOT_SIZE"),
        (LIMIT | {"quantity": "9001"}, -1013, "Filter failure: LOT_SIZE"),
        (LIMIT | {"quantity": "0"}, -1013, "Filter failure: LOT_SIZE"),
        (LIMIT | {"quantity": "99999999999999"}, -1013, "Filter failure: LOT_SIZE"),
        (LIMIT | {"quantity": "0.00001", "price": "1"}, -1013, "Filter failure: NOTIONAL"),
        (BASE | {"type": "MARKET", "quoteOrderQty": "0.5"}, -1013, "Filter failure: NOTIONAL"),
        (BASE | {"type": "MARKET", "quoteOrderQty": "0"}, -1013, "Filter failure: NOTIONAL"),
        (LIMIT | {"icebergQty": "0.001"}, -1013, "Filter failure: ICEBERG_PARTS"),
        (LIMIT | {"quantity": "1.123456789"}, -1111,
         "Parameter 'quantity' has too much precision."),
        (LIMIT | {"symbol": "XYZ"}, -1121, "Invalid symbol."),
        (LIMIT | {"side": "LONG"}, -1117, "Invalid side."),
        (LIMIT | {"type": "FANCY"}, -1116, "Invalid orderType."),
        (LIMIT | {"timeInForce": "GTX"}, -1115, "Invalid timeInForce."),
        (MARKET | {"timeInForce": "GTC"}, -1106,
         "Parameter 'timeInForce' sent when not required."),
        (MARKET | {"price": "1"}, -1106, "Parameter 'price' sent when not required."),
        (LIMIT | {"stopPrice": "1"}, -1106, "Parameter 'stopPrice' sent when not required."),
        (LIMIT | {"quoteOrderQty": "1"}, -1106,
         "Parameter 'quoteOrderQty' sent when not required."),
        (MARKET | {"icebergQty": "1"}, -1106, "Parameter 'icebergQty' sent when not required."),
        (MARKET | {"quoteOrderQty": "5"}, -1128, "Combination of optional parameters invalid."),
        (BASE | {"type": "MARKET"}, -1102,
         "Param 'quantity' or 'quoteOrderQty' must be sent, but both were empty/null!"),
        (BASE | {"type": "LIMIT_MAKER", "quantity": "1"}, -1102,
         "Mandatory parameter 'price' was not sent, was empty/null, or malformed."),
        (LIMIT | {"trailingDelta": "10"}, -2010,
         "Trailing stop orders are not supported for this symbol."),
        (LIMIT | {"pegPriceType": "PRIMARY_PEG"}, -2010,
         "Pegged orders are not supported for this symbol."),
        (LIMIT | {"newOrderRespType": "ALL"}, -1130,
         "Data sent for parameter 'newOrderRespType' is not valid."),
        (LIMIT | {"selfTradePreventionMode": "TRANSFER"}, -1130,
         "Data sent for parameter 'selfTradePreventionMode' is not valid."),
        (LIMIT | {"strategyType": "999999"}, -1134, "strategyType was less than 1000000."),
        (LIMIT | {"newClientOrderId": "a b"}, -1100,
         "Illegal characters found in parameter 'newClientOrderId'; legal range is "
         r"'^[a-zA-Z0-9-_\.:/]{1,36}$'."),
        (LIMIT | {"price": "x"}, -1100,
         "Illegal characters found in parameter 'price'; legal range is "
         r"'^([0-9]{1,20})(\.[0-9]{1,20})?$'."),
    ],
)  # fmt: skip
def test_a_bad_order_is_refused_with_code_and_text_and_changes_nothing(
    terms: dict[str, str], code: int, text: str
) -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            assert await world.bot().error("POST", "order", **terms) == (400, code, text)
            assert await world.bot().get("openOrders") == []

    run(main())


@pytest.mark.parametrize("name", ["symbol", "side", "type", "timeInForce", "quantity", "price"])
def test_a_missing_parameter_is_named(name: str) -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            terms = {key: each for key, each in LIMIT.items() if key != name}
            assert await world.bot().error("POST", "order", **terms) == (
                400,
                -1102,
                f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.",
            )

    run(main())
