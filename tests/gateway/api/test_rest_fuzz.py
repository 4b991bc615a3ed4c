"""No path, query or header of any route makes the gateway fail."""

import asyncio
from typing import Final
from unittest.mock import patch
from urllib.parse import quote_from_bytes

from hypothesis import example, given, settings
from hypothesis import strategies as st

from crossbook.gateway.api import exchange_time
from tests.worlds.rest_world import RestWorld

PIECES: Final = st.sampled_from(
    ["%00", "%2F", "%2f", "%5C", "%ED%A0%80", "%C0%AF", "%FF", "%", "%zz", "..", ".", "%2e%2e",
     "%0d%0a", ";", "+", "%F0%9F%98%80", "~", "a" * 180, "%25", "%E2%80%AE", "%u0000", "*", ":",
     "BTC-USDT", "ORD-0000000001", "ORD-" + "%D9%A1" * 10,
     "99999999999999999999", "-1", "0", "1", "9223372036854775807"]
)  # fmt: skip
TEXTS: Final = st.lists(
    PIECES | st.binary(max_size=6).map(quote_from_bytes), min_size=1, max_size=3
).map("".join)
PATHS: Final = st.sampled_from(
    ["/", "/page/", "/page/chart/", "/docs/", "/docs", "/openapi.json", "/health",
     "/metrics", "/api/v1/orders", "/api/v1/orders/", "/api/v1/orders/batch", "/api/v1/fills",
     "/api/v1/account", "/api/v1/cancel-after", "/api/v1/instruments", "/api/v1/orderbook/",
     "/api/v1/trades/", "/api/v1/candles/", "/api/v1/ticker/", "/api/v1/time",
     "/ws/orders", "/"]
)  # fmt: skip
NAMES: Final = st.sampled_from(
    ["symbol", "account", "limit", "cursor", "from", "to", "interval", "levels", "status", "side",
     "client_order_id", "from_trade_id", "order_id", "min_seq", "min_time_ns", "record", "x"]
)  # fmt: skip
SYMBOLS: Final = st.sampled_from(["", "BTC-USDT"])


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(["GET", "HEAD", "OPTIONS", "DELETE", "POST", "PATCH", "PUT"]),
    PATHS,
    SYMBOLS | TEXTS,
    st.lists(st.tuples(NAMES, TEXTS), max_size=3),
)
@example("GET", "/page/", "%00", [])
@example("GET", "/page/", "a" * 300, [])
@example("GET", "/docs/", "%ED%A0%80", [])
@example("GET", "/api/v1/orders", "", [("cursor", "%D9%A1")])
@example("GET", "/api/v1/candles/", "BTC-USDT", [("from", "9223372036854775807")])
def test_no_input_of_a_client_makes_the_gateway_fail(
    method: str, path: str, rest: str, query: list[tuple[str, str]]
) -> None:
    async def main() -> None:
        # No part of this world reaches a time: the wait for one would be long.
        with patch.object(exchange_time, "WAIT_S", 0.001):
            await request()

    async def request() -> None:
        async with RestWorld() as world:
            target = path + rest
            if query:
                target += "?" + "&".join(f"{name}={value}" for name, value in query)
            answer = await world.client.request(method, f"http://localhost{target}")
            # 503: there is no recorder here.
            assert answer.status_code < 500 or answer.status_code == 503, answer.text

    asyncio.run(main())
