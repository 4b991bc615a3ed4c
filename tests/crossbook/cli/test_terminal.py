"""Every output of the command line on terminals and in files that are not UTF-8."""

import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout

import pytest
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from crossbook.cli import market, statistics
from crossbook.cli.console import Output
from crossbook.cli.ladder import ladder
from crossbook.cli.market import _status_table
from crossbook.cli.options import client_settings
from crossbook.cli.rendering import candle_facts, state_text
from crossbook.cli.terminal import plain, print_anything
from crossbook.common.instruments import example
from crossbook.common.messages.feed import MarketState, Ticker, Trade
from crossbook.common.messages.history_queries import Candle
from crossbook.common.types import InstrumentState

ENCODINGS = ("ascii", "latin-1")
BIDS, ASKS = [(5_000_000, 7), (4_999_900, 3)], [(5_000_100, 5)]


class Screen:
    """Standard output as a file of some encoding."""

    def __init__(self, encoding: str) -> None:
        self._bytes = io.BytesIO()
        self._encoding = encoding
        self.stream = io.TextIOWrapper(self._bytes, encoding=encoding, errors="strict")

    @contextmanager
    def shown(self) -> Iterator[Output]:
        """Make this the screen that a command prints to."""
        with redirect_stdout(self.stream):
            print_anything()
            yield Output(as_json=False)

    def text(self) -> str:
        self.stream.flush()
        return self._bytes.getvalue().decode(self._encoding)


@pytest.fixture(params=ENCODINGS)
def screen(request: pytest.FixtureRequest) -> Screen:
    return Screen(request.param)


def _ladder() -> RenderableType:
    call_phase = MarketState(
        symbol="BTC-USDT",
        seq=9,
        state=InstrumentState.AUCTION,
        until_ns=0,
        indicative_ticks=5_000_000,
        indicative_lots=2,
        surplus_lots=3,
        time_ns=0,
    )
    return ladder(
        example(), BIDS, ASKS, 3, seq=9, last=(100, 2), note=state_text(example(), call_phase)
    )


def _candle() -> RenderableType:
    candle = Candle(
        interval_s=60,
        open_ns=0,
        open_ticks=7,
        high_ticks=9,
        low_ticks=6,
        close_ticks=8,
        volume_lots=5,
        quote_volume=40,
        trades=2,
        first_trade_id=1,
        last_trade_id=2,
        seq=3,
    )
    return statistics._line(candle_facts(example(), "1m", candle), "green")


def _narrow() -> RenderableType:
    """A table that has to cut its texts."""
    table = Table()
    for _ in range(30):
        table.add_column("a long heading", no_wrap=True)
    table.add_row(*["a long text ─ with lines and ½"] * 30)
    return table


def _status() -> RenderableType:
    down = {"reachable": False, "error": {"message": "no answer ─ none"}, "silent_ms": None}
    facts = {"gateway": down, "matcher": down, "publisher": down}
    return _status_table(client_settings(), facts, {"BTC-USDT": "halted"})


@pytest.mark.parametrize("render", [_ladder, _candle, _narrow, _status])
def test_a_rendering_is_printed_whole(screen: Screen, render: Callable[[], RenderableType]) -> None:
    with screen.shown() as output:
        output.console.print(render())
    assert screen.text().strip()


def test_bars_and_rules_have_a_substitute(screen: Screen) -> None:
    with screen.shown() as output:
        output.console.print(_ladder())
    text = screen.text()
    assert "#" * 20 in text
    assert "-" * 10 in text
    assert "?" not in text


def test_a_trade_is_printed(screen: Screen) -> None:
    trade = Trade(
        seq=1,
        trade_id=2,
        price_ticks=500,
        quantity_lots=3,
        aggressor_side=1,
        maker_order_id=4,
        taker_order_id=5,
        time_ns=0,
    )
    with screen.shown() as output:
        market._print_trade(output, example(), trade)
    assert "5.00" in screen.text()


def test_a_character_without_a_substitute_becomes_a_question_mark(screen: Screen) -> None:
    with screen.shown() as output:
        output.console.print(Text("名 \udcff"))
    assert screen.text().strip() in ("? ?", "?  ?")


def test_a_ticker_is_printed_with_its_state(screen: Screen) -> None:
    class FakeMarket:
        def __init__(self) -> None:
            self.stale = False
            self.instruments = {"BTC-USDT": example()}

        def ticker(self, symbol: str) -> Ticker:
            return Ticker(symbol, *[1] * 17)

        def state(self, symbol: str) -> MarketState:
            return MarketState(
                symbol=symbol,
                seq=1,
                state=InstrumentState.HALTED,
                until_ns=0,
                indicative_ticks=0,
                indicative_lots=0,
                surplus_lots=0,
                time_ns=0,
            )

    table = statistics._table(FakeMarket(), ["BTC-USDT"])  # type: ignore[arg-type]
    with screen.shown() as output:
        output.console.print(table)
    assert "halted" in screen.text()


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["--help"], 0),
        (["book", "--help"], 0),
        (["book", "½─", "--feed", "tcp://127.0.0.1:9", "--timeout", "0.1"], 3),
        (["buy", "BTC-USDT", "½"], 2),
        (["verify", "/nowhere/½"], 2),
        (["half ½"], 2),
    ],
)
def test_commands_and_their_errors_end_without_a_traceback(
    encoding: str, words: list[str], status: int
) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": f"{encoding}:strict"}
    run = subprocess.run(
        [sys.executable, "-m", "crossbook", *words], env=environment, capture_output=True
    )
    assert b"Traceback" not in run.stderr, run.stderr.decode(encoding)
    assert run.returncode == status, run.stderr.decode(encoding)


def test_plain_keeps_the_width() -> None:
    text = "█▉▊▋▌▍▎▏─…½abc"
    assert len(plain(text)) == len(text)
    assert plain(text).isascii()
