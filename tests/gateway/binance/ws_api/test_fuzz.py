"""Whatever a client sends to the WebSocket API, it gets one answer of the one form, and no fault of
the gateway."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st

from crossbook.gateway.binance.ws_api.methods import PATHS, SESSION, STREAMS
from tests.worlds.given import given
from tests.worlds.user_world import UserWorld

NAMES = (
    "symbol", "symbols", "side", "type", "timeInForce", "quantity", "price", "orderId",
    "origClientOrderId", "newClientOrderId", "stopPrice", "icebergQty", "quoteOrderQty", "limit",
    "interval", "fromId", "startTime", "endTime", "recvWindow", "returnRateLimits", "listenKey",
    "cancelReplaceMode", "cancelOrderId", "newQty", "subscriptionId", "omitZeroBalances",
    "newOrderRespType", "selfTradePreventionMode", "windowSize", "permissions",
)  # fmt: skip
WORDS = (
    "BTCUSDT", "ETHUSDT", "BUY", "SELL", "LIMIT", "MARKET", "GTC", "IOC", "0.5", "50000", "1m", "",
    "STOP_LOSS", "ALLOW_FAILURE", "FULL", '["BTCUSDT"]', "-1", "1e9", "NaN", "9" * 30, "ü", "\x00",
    "true", "%", "&a=b", "\ud800",
)  # fmt: skip
SCALARS = st.one_of(
    st.sampled_from(WORDS), st.integers(), st.booleans(), st.none(), st.text(max_size=20),
    st.floats(allow_nan=False, allow_infinity=False),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
PARAMS = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=10)
METHODS = st.sampled_from((*PATHS, *SESSION, *STREAMS, "nothing", "userDataStream.subscribe.x"))


async def answers(texts: list[str], log_on: bool) -> list[dict[str, Any]]:
    """The answers to messages, of a client that has logged on or not."""
    async with UserWorld() as world:
        client = world.connect()
        if log_on:
            await client.result("session.logon", **client.signed(1))
        found = []
        for text in texts:
            client.connection.channel.received(client.connection, text)
        for _ in range(20):
            await world.quiet()
            found += client.connection.pop_messages()
        assert client.connection.ended is None
        return [each for each in found if "event" not in each]


def check(answer: dict[str, Any]) -> None:
    """An answer is a result or an error with the code of a client's mistake."""
    assert set(answer) <= {"id", "status", "result", "error", "rateLimits"}
    assert ("result" in answer) == (answer["status"] == 200)
    if "error" in answer:
        # There are no tickers in this world.
        is_busy = answer["status"] == 503 and answer["error"]["code"] == -1008
        assert is_busy or 400 <= answer["status"] < 500, answer
        assert set(answer["error"]) <= {"code", "msg", "data"}
        assert isinstance(answer["error"]["code"], int)
        assert -3_000 < answer["error"]["code"] <= -1_000


@pytest.mark.parametrize("log_on", [False, True])
def test_every_method_answers_any_parameters(log_on: bool) -> None:
    @settings(max_examples=50)
    @given(st.lists(st.tuples(METHODS, PARAMS), min_size=1, max_size=6))
    def examples(requests: list[tuple[str, dict[str, Any]]]) -> None:
        texts = [
            json.dumps({"id": number, "method": method, "params": params})
            for number, (method, params) in enumerate(requests)
        ]
        found = asyncio.run(answers(texts, log_on))
        sound = [each for each in found if each["id"] is not None]
        assert len(found) == len(texts)
        assert len({each["id"] for each in sound}) == len(sound)
        for answer in found:
            check(answer)

    examples()


@settings(max_examples=30)
@given(st.lists(st.one_of(st.text(max_size=60), st.from_type(dict).map(str)), max_size=5))
def test_bytes_that_are_no_request_get_an_error(texts: list[str]) -> None:
    for answer in asyncio.run(answers(texts, log_on=False)):
        check(answer)
