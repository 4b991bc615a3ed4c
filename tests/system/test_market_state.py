"""An instrument's state on every public interface of real processes, over any restart."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from crossbook.client.admin_client import AdminClient
from crossbook.client.market_data import MarketData
from crossbook.common.instruments_file import load_instruments
from crossbook.common.messages.admin import Act
from crossbook.common.messages.commands import AddInstrument, SetInstrumentState, Uncross
from crossbook.common.types import InstrumentState
from tests.system.exchange import RECORDED, REPOSITORY, Exchange
from tests.system.web import WEB
from tests.worlds.rest_world import limit

SYMBOL = "BTC-USDT"
BITCOIN = next(
    each for each in load_instruments(REPOSITORY / "instruments.toml") if each.symbol == SYMBOL
)
ADDED = replace(BITCOIN, id=77, symbol="BTC-EUR", quote="EUR")
YEAR_2100_NS = 4_102_444_800_000_000_000


@pytest.fixture(scope="module")
def exchange() -> Iterator[Exchange]:
    with Exchange(order=RECORDED, GATEWAY_ROLES="orders,api,streams") as running:
        running.wait_http()
        yield running


def act(exchange: Exchange, command: Act) -> None:
    with AdminClient(exchange.addresses["MATCHER_ADMIN"]) as admin:
        admin.act(command)


def set_state(exchange: Exchange, state: InstrumentState, until_ns: int = 0, of: int = 1) -> None:
    act(
        exchange,
        SetInstrumentState(
            gateway=0, request_seq=0, account=0, instrument=of, state=state, until_ns=until_ns
        ),
    )


def enter(exchange: Exchange, account: int, side: str, price: str) -> None:
    answer = WEB.post(
        f"{exchange.api}/api/v1/orders",
        json=limit(side, "1", price),
        headers={"X-Account": str(account)},
    )
    assert answer.status_code == 201, answer.text


def command(exchange: Exchange, *words: str, encoding: str = "utf-8") -> str:
    """The output of a command."""
    environment = {**exchange.environment, "PYTHONIOENCODING": f"{encoding}:strict"}
    run = subprocess.run(
        [sys.executable, "-m", "crossbook", *words], cwd=exchange.directory, env=environment,
        capture_output=True, check=True,
    )  # fmt: skip
    return run.stdout.decode(encoding)


def over_rest(exchange: Exchange, symbol: str) -> list[str | None]:
    """The states of the instruments, the ticker and the book."""
    listed = WEB.get(f"{exchange.api}/api/v1/instruments").json()["instruments"]
    found: list[str | None] = [each["state"] for each in listed if each["symbol"] == symbol]
    for path in ("ticker", "orderbook"):
        answer = WEB.get(f"{exchange.api}/api/v1/{path}/{symbol}")
        found.append(answer.json().get("state"))
    return found


def on_the_feed(exchange: Exchange, symbol: str) -> int:
    """The first message to a new client."""
    with MarketData(exchange.feed, exchange.snapshots, [symbol], ["state"]) as market:
        market.wait_ready()
        state = market.state(symbol)
        assert state is not None
        return state.state


def wait_everywhere(exchange: Exchange, state: InstrumentState, symbol: str = SYMBOL) -> None:
    name = state.name.lower()
    states: Callable[[], bool] = lambda: over_rest(exchange, symbol) == [name] * 3  # noqa: E731
    exchange.wait_until(f"REST shows {name}", states, 20.0)
    assert on_the_feed(exchange, symbol) == state


def test_a_halt_shows_on_every_interface_and_outlives_every_process(exchange: Exchange) -> None:
    wait_everywhere(exchange, InstrumentState.OPEN)
    set_state(exchange, InstrumentState.HALTED, YEAR_2100_NS)
    wait_everywhere(exchange, InstrumentState.HALTED)
    for words in (("book", SYMBOL), ("ticker", SYMBOL), ("status",)):
        assert "halted until 2100-01-01T00:00:00.000Z" in command(exchange, *words)
    status = json.loads(command(exchange, "status", "--json"))
    states: dict[str, Any] = status["publisher"]["instruments"]
    assert states[SYMBOL]["state_until"] == "2100-01-01T00:00:00.000Z"
    assert states["ETH-USDT"]["state"] == "open"
    for process in ("publisher", "gateway", "matcher"):
        exchange.kill(process)
        exchange.start(process)
        exchange.wait_http()
        wait_everywhere(exchange, InstrumentState.HALTED)
    set_state(exchange, InstrumentState.OPEN)
    wait_everywhere(exchange, InstrumentState.OPEN)
    assert "halted" not in command(exchange, "status")


def test_an_auction_is_followed_on_the_feed_until_it_has_traded(exchange: Exchange) -> None:
    set_state(exchange, InstrumentState.AUCTION)
    enter(exchange, 8, "sell", "50000")
    enter(exchange, 9, "buy", "50010")
    enter(exchange, 9, "buy", "50010")
    with MarketData(exchange.feed, exchange.snapshots, [SYMBOL]) as market:
        market.wait_ready()

        def indicates() -> bool:
            market.poll(0.1)
            state = market.state(SYMBOL)
            lots = BITCOIN.quantity_to_lots("1")
            return state is not None and (
                (state.indicative_ticks, state.indicative_lots, state.surplus_lots)
                == (BITCOIN.price_to_ticks("50010"), lots, lots)
            )

        exchange.wait_until("the auction is indicated", indicates)
        for encoding in ("ascii", "latin-1", "utf-8"):
            shown = " ".join(command(exchange, "book", SYMBOL, encoding=encoding).split())
            assert "auction: 1.00000 BTC at 50010.00, 1.00000 left over (buy)" in shown
            assert "crossed" in shown
        act(exchange, Uncross(gateway=0, request_seq=0, account=0, instrument=1))

        def traded() -> bool:
            market.poll(0.1)
            state = market.state(SYMBOL)
            return state is not None and state.state == InstrumentState.OPEN

        exchange.wait_until("it is open again", traded)
        assert market.book(SYMBOL).best.bid_ticks == BITCOIN.price_to_ticks("50010")
    WEB.delete(f"{exchange.api}/api/v1/orders", headers={"X-Account": "9"})


def test_an_instrument_added_at_run_time_has_a_state(exchange: Exchange) -> None:
    act(
        exchange,
        AddInstrument(gateway=0, request_seq=0, account=0, instrument=ADDED.id, definition=ADDED),
    )
    exchange.wait_until("it is listed", lambda: bool(over_rest(exchange, ADDED.symbol)[0]))
    wait_everywhere(exchange, InstrumentState.OPEN, ADDED.symbol)
    set_state(exchange, InstrumentState.POST_ONLY, of=ADDED.id)
    wait_everywhere(exchange, InstrumentState.POST_ONLY, ADDED.symbol)
    wait_everywhere(exchange, InstrumentState.OPEN)
