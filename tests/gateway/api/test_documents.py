"""The names of the schemas in the OpenAPI document, which clients are generated from."""

import asyncio

from tests.worlds.rest_world import RestWorld

NAMES = {
    "AccountDocument", "AmendRequest", "Auction", "Balance", "BatchAnswer", "BatchRequest",
    "BatchResult", "CancelAfterAnswer", "CancelAfterRequest", "Candle", "CandleList",
    "ErrorDetail", "ErrorDocument", "FaultsInForce", "Fees", "Fill", "FillList", "Health",
    "InstrumentDocument",
    "InstrumentList", "MassCancelAnswer", "MissingPart", "Order", "OrderAnswer", "OrderBook",
    "OrderList", "OrderRequest", "OwnFill", "Readiness", "Ticker", "Time", "Trade",
    "TradeList",
}  # fmt: skip


def test_schemas_have_the_names_of_their_documents() -> None:
    async def main() -> None:
        async with RestWorld() as world:
            document = (await world.client.get("/openapi.json")).json()
            schemas = document["components"]["schemas"]
            assert {name: schema["title"] for name, schema in schemas.items()} == {
                name: name for name in NAMES
            }

    asyncio.run(main())
