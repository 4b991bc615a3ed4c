"""A limit of rates that is hit: each client's own exception, and success once it waits as told."""

from typing import Final

import pytest

from tests.clients.conversation import ClientError, Conversation
from tests.clients.refusals import Refused
from tests.system.exchange import RECORDED, Exchange, select_nothing

QUERIES_PER_SECOND = 5
SETTINGS: Final = {
    "GATEWAY_ROLES": "orders,api,binance",
    "QUERIES_PER_SECOND": str(QUERIES_PER_SECOND),
    "ACCOUNTS": "on",
}

SHOWN = {"python_binance", "python_binance_async", "binance_connector", "binance_sdk_spot"}
"""Scripts whose client shows how long to wait."""


@pytest.mark.parametrize(
    ("client", "script", "refused"),
    [
        ("ccxt", "ccxt_sync", Refused("DDoSProtection", ("429",))),
        ("ccxt", "ccxt_async", Refused("DDoSProtection", ("429",))),
        ("python-binance", "python_binance", Refused("BinanceAPIException", ("code=-1003",))),
        ("python-binance", "python_binance_async", Refused("BinanceAPIException", ("code=-1003",))),
        ("binance-connector", "binance_connector", Refused("ClientError", ("(429, -1003",))),
        ("binance-sdk-spot", "binance_sdk_spot", Refused("TooManyRequestsError", ("-1003",))),
        ("npm", "ccxt_pro.js", Refused("DDoSProtection", ("429",))),
        ("npm", "binance_api_node.js", Refused("Error", ("code=-1003",))),
        ("npm", "binance.js", Refused("Object", ("code=-1003",))),
        ("npm", "binance_spot.js", Refused("TooManyRequestsError")),
    ],
)
def test_a_client_that_waits_as_told_goes_on(client: str, script: str, refused: Refused) -> None:
    with (
        Exchange(order=RECORDED, ready=True, **SETTINGS) as venue,
        Conversation(client, script, venue.api.removeprefix("http://")) as session,
    ):
        venue.wait_http()
        assert session("requests", count=1) == 1
        with pytest.raises(ClientError) as caught:
            session("requests", count=QUERIES_PER_SECOND * 20)
        refused.check(caught.value)
        wait_s = caught.value.retry_after_s
        assert (wait_s is not None) is (script in SHOWN)
        select_nothing(wait_s or 1.0)
        assert session("requests", count=1) == 1
