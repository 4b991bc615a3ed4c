"""One account, or one address, sends requests over HTTP without end: the gateway refuses them with
the time to wait."""

import asyncio

from crossbook.common.process.config import Settings
from crossbook.gateway.limits.account_limits import AccountLimits
from tests.worlds.rest_world import RestWorld


def test_a_flood_of_queries_is_cut_off_and_others_are_served() -> None:
    settings = Settings(auth="on")
    assert settings.limit("queries_per_second"), "sound limits where there are keys"
    assert not Settings().limit("queries_per_second"), "none on a machine of one's own"

    async def test() -> None:
        limits = AccountLimits(0, settings.limit("queries_per_second"), 0, lambda: 0)
        async with RestWorld(limits=limits) as world:
            answers = [
                await world.client.get("/api/v1/instruments", headers={"X-Account": "7"})
                for _ in range(1_000)
            ]
            served = sum(answer.status_code == 200 for answer in answers)
            assert served == 2 * settings.limit("queries_per_second")
            assert {answer.status_code for answer in answers} == {200, 429}
            other = await world.client.get("/api/v1/instruments", headers={"X-Account": "8"})
            assert other.status_code == 200

    asyncio.run(test())
