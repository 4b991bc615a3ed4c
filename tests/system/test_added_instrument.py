"""An instrument that is added at run time is traded, published and recorded like any other."""

from typing import Any

from msgspec.structs import replace

from crossbook.client.admin_client import AdminClient
from crossbook.common.instruments_file import load_instruments
from crossbook.common.messages.commands import AddInstrument
from tests.system.exchange import RECORDED, REPOSITORY, Exchange
from tests.system.web import WEB
from tests.worlds.rest_world import limit

SYMBOL = "BTC-EUR"
BITCOIN = next(
    each for each in load_instruments(REPOSITORY / "instruments.toml") if each.symbol == "BTC-USDT"
)
ADDED = replace(BITCOIN, id=77, symbol=SYMBOL, quote="EUR")


def enter(exchange: Exchange, account: int, side: str) -> dict[str, Any]:
    """Enter an order for one BTC at the one price; the second one trades with the first."""
    answer = WEB.post(
        f"{exchange.api}/api/v1/orders",
        json=limit(side, "1", "40000") | {"symbol": SYMBOL},
        headers={"X-Account": str(account)},
    )
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    return document


def trades(exchange: Exchange) -> list[dict[str, Any]]:
    """The trades in the record."""
    answer = WEB.get(f"{exchange.api}/api/v1/trades/{SYMBOL}")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["trades"]
    return found


def test_an_instrument_added_at_run_time_outlives_every_process() -> None:
    with Exchange(order=RECORDED, GATEWAY_ROLES="orders,api,streams") as exchange:
        exchange.wait_http()
        with AdminClient(exchange.addresses["MATCHER_ADMIN"]) as admin:
            admin.act(
                AddInstrument(
                    gateway=0, request_seq=0, account=0, instrument=ADDED.id, definition=ADDED
                )
            )

        def listed() -> bool:
            found = WEB.get(f"{exchange.api}/api/v1/instruments").json()["instruments"]
            return SYMBOL in [each["symbol"] for each in found]

        def shown() -> bool:
            answer = WEB.get(f"{exchange.api}/api/v1/orderbook/{SYMBOL}")
            return answer.status_code == 200 and bool(answer.json()["asks"])

        exchange.wait_until("the API lists it", listed)
        enter(exchange, 1, "sell")
        exchange.wait_until("its book is shown", shown)
        enter(exchange, 2, "buy")
        assert len(trades(exchange)) == 1
        exchange.kill("recorder")
        enter(exchange, 1, "sell")
        enter(exchange, 2, "buy")
        exchange.start("recorder")
        exchange.wait_http()
        assert [each["trade_id"] for each in trades(exchange)] == [1, 2]
        for name in RECORDED:
            exchange.kill(name)
        for name in RECORDED:
            exchange.start(name)
        exchange.wait_ready()
        exchange.wait_http()
        exchange.wait_until("the API lists it again", listed)
        enter(exchange, 1, "sell")
        exchange.wait_until("its book is shown again", shown)
        enter(exchange, 2, "buy")
        assert [each["trade_id"] for each in trades(exchange)] == [1, 2, 3]
