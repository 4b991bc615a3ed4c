"""A symbol that the instruments file admits works in every route, stream and command line."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.sync.client import connect

from tests.system.exchange import RECORDED, REPOSITORY, Exchange
from tests.system.web import WEB

SYMBOL = "1INCH_X-9-"
"""A symbol with every kind of character where it may stand, and digits that could be an id."""


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """An exchange with the symbol in the place of BTC-USDT."""
    path: Path = tmp_path_factory.mktemp("symbols") / "instruments.toml"
    text = (REPOSITORY / "instruments.toml").read_text()
    path.write_text(text.replace('"BTC-USDT"', f'"{SYMBOL}"'))
    roles = "orders,api,streams"
    with Exchange(order=RECORDED, GATEWAY_ROLES=roles, INSTRUMENTS_FILE=str(path)) as running:
        running.wait_http()
        running.wait_shown(SYMBOL)
        yield running


@pytest.mark.parametrize("route", ["orderbook", "trades", "ticker", "candles"])
def test_every_route_accepts_the_symbol(exchange: Exchange, route: str) -> None:
    options = "?interval=1m" if route == "candles" else ""
    answer = WEB.get(f"{exchange.api}/api/v1/{route}/{SYMBOL}{options}")
    assert answer.status_code == 200, answer.text
    assert answer.json()["symbol"] == SYMBOL


@pytest.mark.parametrize("stream", ["market-data", "trades", "ticker", "candles"])
def test_every_stream_accepts_the_symbol(exchange: Exchange, stream: str) -> None:
    options = "?interval=1m" if stream == "candles" else ""
    address = exchange.api.replace("http", "ws")
    with connect(f"{address}/ws/{stream}/{SYMBOL}{options}", close_timeout=1):
        pass


def test_every_command_line_accepts_the_symbol(exchange: Exchange) -> None:
    for words in (
        ("buy", SYMBOL, "1", "40000", "--id", "one"),
        ("orders", SYMBOL),
        ("amend", SYMBOL, "--id", "one", "--quantity", "2"),
        ("cancel", SYMBOL, "--id", "one"),
        ("cancel", SYMBOL, "--all"),
        ("admin", "state", SYMBOL, "halted"),
        ("admin", "state", SYMBOL, "open"),
    ):
        ran = subprocess.run(
            [sys.executable, "-m", "crossbook", *words], cwd=exchange.directory,
            env=exchange.environment, timeout=60, check=False, capture_output=True, text=True,
        )  # fmt: skip
        assert ran.returncode == 0, (words, ran.stdout, ran.stderr)
