"""The face is put together only where every instrument has a name of its own."""

import pytest
from msgspec.structs import replace

from crossbook.common.errors import ConfigError
from crossbook.gateway.binance.assembly import FaceLimits, rest_face
from crossbook.gateway.web.admission import Admission
from crossbook.gateway.web.hosts import AllowedHosts
from tests.gateway.binance.test_order_actions import run
from tests.worlds.desk_world import INSTRUMENTS
from tests.worlds.face_world import FaceWorld


def test_two_instruments_with_one_name_are_refused_at_the_start() -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            world.lookup.render.learn(replace(INSTRUMENTS[0], id=9, symbol="BTCU-SDT"))
            with pytest.raises(ConfigError, match="BTC-USDT and BTCU-SDT are both BTCUSDT"):
                rest_face(
                    world.app, world.trading, world.lookup, world.queries, world.sessions,
                    world.market, FaceLimits(), Admission(AllowedHosts()), None, None,
                )  # fmt: skip

    run(main())


def test_an_instrument_that_is_added_while_the_face_serves_is_found_there() -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            added = replace(INSTRUMENTS[0], id=9, symbol="DOGE-USDT", base="DOGE")
            assert (await world.http.get("/api/v3/exchangeInfo?symbol=DOGEUSDT")).status_code == 400
            world.lookup.render.learn(added)
            fees = await world.bot().get("/sapi/v1/asset/tradeFee", symbol="DOGEUSDT")
            assert [each["symbol"] for each in fees] == ["DOGEUSDT"]

    run(main())
