"""The state of an instrument in the documents of the API."""

import asyncio
from typing import Any

from crossbook.common.messages.commands import SetInstrumentState
from crossbook.common.messages.feed import MarketState, Ticker
from crossbook.common.types import InstrumentState
from tests.worlds.rest_world import NOW_NS, RestWorld

PATHS = ("/api/v1/instruments", "/api/v1/ticker/BTC-USDT", "/api/v1/orderbook/BTC-USDT")
UNKNOWN = {"state": None, "state_until": None, "auction": None}


async def shown_states(world: RestWorld) -> list[dict[str, Any]]:
    """The state of BTC-USDT in each document."""
    found = []
    for path in PATHS:
        document = (await world.client.get(path)).json()
        if "instruments" in document:
            document = next(i for i in document["instruments"] if i["symbol"] == "BTC-USDT")
        found.append({name: document[name] for name in UNKNOWN})
    return found


def world_with_ticker() -> RestWorld:
    world = RestWorld()
    world.market.tickers["BTC-USDT"] = Ticker("BTC-USDT", *[1] * 17)
    return world


def test_every_state_is_shown_with_its_end() -> None:
    async def go() -> None:
        async with world_with_ticker() as world:
            names = ("open", "post_only", "cancel_only", "halted")
            for state, name in zip(InstrumentState, names, strict=False):
                until_ns = NOW_NS if state != InstrumentState.OPEN else 0
                world.engine.apply(
                    SetInstrumentState(
                        gateway=0,
                        request_seq=0,
                        account=0,
                        instrument=1,
                        state=state,
                        until_ns=until_ns,
                    ),
                    NOW_NS - 1,
                )
                until = "2025-10-26T12:34:56.789Z" if until_ns else None
                expected = {"state": name, "state_until": until, "auction": None}
                assert await shown_states(world) == [expected] * 3

    asyncio.run(go())


def test_an_auction_is_sent_with_its_indicative_trade() -> None:
    async def go() -> None:
        async with world_with_ticker() as world:
            auction = MarketState(
                symbol="BTC-USDT",
                seq=9,
                state=InstrumentState.AUCTION,
                until_ns=0,
                indicative_ticks=5_000_001,
                indicative_lots=3,
                surplus_lots=2,
                time_ns=0,
            )
            world.market.states["BTC-USDT"] = auction
            expected = {
                "state": "auction",
                "state_until": None,
                "auction": {
                    "indicative_price": "50000.01",
                    "indicative_quantity": "0.00003",
                    "surplus_side": "buy",
                    "surplus_quantity": "0.00002",
                },
            }
            assert await shown_states(world) == [expected] * 3

    asyncio.run(go())


def test_without_market_data_instruments_are_listed_without_a_state() -> None:
    async def go() -> None:
        async with RestWorld() as world:
            world.market.stale = True
            listed = (await world.client.get("/api/v1/instruments")).json()["instruments"]
            assert [{name: each[name] for name in UNKNOWN} for each in listed] == [
                UNKNOWN for _ in listed
            ]

    asyncio.run(go())
