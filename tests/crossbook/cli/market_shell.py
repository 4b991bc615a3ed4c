"""The commands that show market data, run by their command lines over a market that the test
sets."""

import json
from collections.abc import Sequence
from types import ModuleType
from typing import Any, Self

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from crossbook.cli.main import app
from crossbook.common.following.feed_follower import Update
from crossbook.common.following.local_book import LocalBook
from crossbook.common.instruments import example
from crossbook.common.messages.feed import Heartbeat, MarketState, Snapshot, Ticker
from crossbook.common.messages.history_queries import Candle
from crossbook.common.process.config import Settings
from crossbook.common.types import InstrumentState

BTC = example()
ETH = replace(
    BTC, id=2, symbol="ETH-EUR", base="ETH", quote="EUR", tick_size="0.5", quote_decimals=2
)
BEGAN_NS = 1_761_481_996_789_123_456
SECOND_NS = 10**9


class Market:
    """A `MarketData` whose facts the test sets.

    `coming` has the updates of each wait, and is followed by Ctrl-C. A wait without updates lasts
    its whole timeout, one with updates a sixteenth of a second.
    """

    def __init__(self) -> None:
        self.instruments = {each.symbol: each for each in (BTC, ETH)}
        self.states: dict[str, MarketState] = {}
        self.tickers: dict[str, Ticker] = {}
        self.latest: dict[int, Candle] = {}
        self.books = {symbol: LocalBook(symbol) for symbol in self.instruments}
        self.ready, self.stale = True, False
        self.heartbeat: Heartbeat | None = Heartbeat(120, 0, 40, {})
        self.coming: list[Any] = []
        self.topics: dict[str, int] = {}
        self.opened: list[tuple[object, ...]] = []
        self.waits: list[float] = []
        self.now_s = 1_000.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def open(
        self, settings: Settings, symbols: Sequence[str], channels: tuple[str, ...]
    ) -> "Market":
        """Replaces `open_market`."""
        self.opened.append((list(symbols), channels))
        return self

    def wait_ready(self, *_: object) -> list[Update]:
        """The snapshot of a market that was loaded twice."""
        return [self._snapshot(dict.fromkeys(self.topics, 1)), self._snapshot(self.topics)]

    def poll(self, timeout_s: float = 0.0) -> list[Update]:
        """The next updates. A function among them changes the market first."""
        self.waits.append(timeout_s)
        if not self.coming:
            raise KeyboardInterrupt
        next_one = self.coming.pop(0)
        updates: list[Update] = next_one() if callable(next_one) else next_one
        self.now_s += 0.0625 if updates else timeout_s
        return updates

    def book(self, symbol: str) -> LocalBook:
        return self.books[symbol]

    def state(self, symbol: str) -> MarketState | None:
        return self.states.get(symbol)

    def ticker(self, symbol: str) -> Ticker | None:
        return self.tickers.get(symbol)

    def candles(self, symbol: str) -> dict[int, Candle]:
        return self.latest

    def shard_of(self, symbol: str) -> int:
        return 0

    def set_book(self, seq: int, bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> None:
        """Set the book of BTC-USDT."""
        book = self.books["BTC-USDT"]
        book.describe(BTC)
        book.depth.load(bids, asks)
        book.seq = seq

    def _snapshot(self, topics: dict[str, int]) -> Snapshot:
        return Snapshot(
            request_id=0, symbol="BTC-USDT", seq=9, topics=dict(topics), bids=[], asks=[],
            checksum=0, time_ns=0, last_trade_id=0,
        )  # fmt: skip


class MarketShell:
    """A command line whose modules use this market and its clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, module: ModuleType) -> None:
        self.market = Market()
        monkeypatch.setattr(module, "open_market", self.market.open)
        monkeypatch.setattr(module, "wait_ready", self.market.wait_ready)
        monkeypatch.setattr(module, "time", self)

    def monotonic(self) -> float:
        return self.market.now_s

    def monotonic_ns(self) -> int:
        """Every look takes 250 microseconds."""
        self.market.now_s += 0.00025
        return round(self.market.now_s * 1e9)

    def run(self, *words: str, terminal: bool = False) -> tuple[int, str, str]:
        """Exit status, standard output and standard error."""
        environment = {"COLUMNS": "120", "LINES": "20", "TERM": "xterm", "NO_COLOR": "1"}
        if terminal:
            environment["FORCE_COLOR"] = "1"
        result = CliRunner().invoke(app, list(words), env=environment)
        assert result.exception is None or isinstance(result.exception, SystemExit)
        lines = [each.rstrip(" ") for each in result.stdout.split("\n")]
        return result.exit_code, "\n".join(lines), result.stderr

    def run_json(self, *words: str) -> list[dict[str, Any]]:
        """The printed objects, one a line."""
        status, out, err = self.run(*words, "--json")
        assert (status, err) == (0, "")
        return [json.loads(each) for each in out.splitlines()]


def state(kind: InstrumentState, **changes: int) -> MarketState:
    """A state of BTC-USDT."""
    return replace(
        MarketState(
            symbol="BTC-USDT", seq=9, state=kind, until_ns=0, indicative_ticks=0, indicative_lots=0,
            surplus_lots=0, time_ns=0,
        ),
        **changes,
    )  # fmt: skip
