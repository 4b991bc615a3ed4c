"""`crossbook book`, `trades` and `status`, whole, over a market that is set by hand."""

import json
import re
from types import SimpleNamespace
from typing import Any

import pytest

from crossbook.cli import market, order_client
from crossbook.common.errors import CrossbookError
from crossbook.common.messages.entry import Pong
from crossbook.common.messages.feed import Heartbeat, MarketState, Trade, Trades
from crossbook.common.shards import base_of
from crossbook.common.types import InstrumentState
from tests.crossbook.cli.market_shell import BEGAN_NS, SECOND_NS, MarketShell, state

BIDS = [(5_000_000, 100_000), (4_999_900, 50_000)]
ASKS = [(5_000_100, 25_000), (5_000_300, 5_000), (5_000_400, 1)]
BOUGHT = Trade(
    seq=119, trade_id=7, price_ticks=5_000_050, quantity_lots=3, aggressor_side=1,
    maker_order_id=41, taker_order_id=42, time_ns=BEGAN_NS,
)  # fmt: skip
SOLD = Trade(
    seq=120, trade_id=12_345_678, price_ticks=4_999_950, quantity_lots=250_000_000,
    aggressor_side=2, maker_order_id=43, taker_order_id=44, time_ns=BEGAN_NS + SECOND_NS,
)  # fmt: skip
UNKNOWN_STATE: dict[str, Any] = {"state": None, "state_until": None, "auction": None}


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> MarketShell:
    made = MarketShell(monkeypatch, market)
    made.market.set_book(120, BIDS, ASKS)
    return made


def book_facts(seq: int, bids: list[list[str]], asks: list[list[str]]) -> dict[str, Any]:
    return {"symbol": "BTC-USDT", "seq": seq, "bids": bids, "asks": asks, **UNKNOWN_STATE}


BOOK = """\
                     BTC-USDT  #120
total BTC      BTC  price USDT
  0.30001  0.00001    50004.00  ▏
  0.30000  0.05000    50003.00  █▏
  0.25000  0.25000    50001.00  ██████
                    ──────────  spread 1.00 (0.20 bp)
  1.00000  1.00000    50000.00  ████████████████████████
  1.50000  0.50000    49999.00  ████████████

"""


def test_a_book_is_printed_once_with_as_many_rows_as_its_longer_side(shell: MarketShell) -> None:
    assert shell.run("book", "btc-usdt") == (0, BOOK, "")
    once = shell.run("book", "btc-usdt", "--once", terminal=True)[1]
    assert "\x1b[?1049h" not in once
    assert once.count("BTC-USDT  #120") == 1
    assert shell.market.opened[0] == (["BTC-USDT"], ("l2", "trade", "state"))


def test_a_book_is_cut_to_the_requested_levels(shell: MarketShell) -> None:
    assert shell.run("book", "BTC-USDT", "--levels", "1")[1].splitlines()[2:] == [
        "  0.25000  0.25000    50001.00  ██████",
        "                    ──────────  spread 1.00 (0.20 bp)",
        "  1.00000  1.00000    50000.00  ████████████████████████",
    ]
    assert shell.run_json("book", "BTC-USDT", "-n", "2", "--once") == [
        book_facts(
            120,
            [["50000.00", "1.00000"], ["49999.00", "0.50000"]],
            [["50001.00", "0.25000"], ["50003.00", "0.05000"]],
        )
    ]


@pytest.mark.parametrize(
    ("ready", "stale", "kind", "note"),
    [
        (True, False, None, ""),
        (False, False, None, "catching up"),
        (True, True, None, "no news from the exchange: this may be old"),
        (False, True, InstrumentState.OPEN, "no news from the exchange: this may be old"),
        (True, False, InstrumentState.HALTED, "halted"),
        (False, False, InstrumentState.CANCEL_ONLY, "cancel only, catching up"),
    ],
)
def test_the_foot_of_a_book_has_the_reason_for_which_it_may_be_old(
    shell: MarketShell, ready: bool, stale: bool, kind: InstrumentState | None, note: str
) -> None:
    shell.market.ready, shell.market.stale = ready, stale
    if kind is not None:
        shell.market.states["BTC-USDT"] = state(kind)

    lines = shell.run("book", "BTC-USDT")[1].splitlines()

    assert [each.strip() for each in lines[8:]] == ["", *([note] if note else [])]


def test_every_change_of_the_levels_shown_is_a_line_of_json(shell: MarketShell) -> None:
    def change(seq: int, bids: list[tuple[int, int]], ready: bool = True) -> Any:
        def changed() -> list[MarketState]:
            shell.market.set_book(seq, bids, [])
            shell.market.ready = ready
            return [state(InstrumentState.OPEN)]

        return changed

    shell.market.coming = [
        [],
        change(121, [(100, 1)]),
        change(122, [(100, 1), (90, 5)]),
        change(123, [(100, 2)], ready=False),
        change(124, [(100, 3)]),
    ]

    assert shell.run_json("book", "BTC-USDT", "--levels", "1") == [
        book_facts(120, [["50000.00", "1.00000"]], [["50001.00", "0.25000"]]),
        book_facts(121, [["1.00", "0.00001"]], []),
        book_facts(124, [["1.00", "0.00003"]], []),
    ]
    assert shell.market.waits == [0.5] * 6


def test_a_terminal_shows_a_ladder_of_one_height_ten_times_a_second(shell: MarketShell) -> None:
    trades = [Trades("BTC-USDT", [SOLD, BOUGHT])]
    shell.market.coming = [trades, [], [Trades("BTC-USDT", [])], [], [state(InstrumentState.OPEN)]]

    status, out, err = shell.run("book", "BTC-USDT", "-n", "4", terminal=True)

    assert (status, err) == (0, "")
    assert out.startswith("\x1b[?1049h")
    assert out.count("BTC-USDT  #120") == 3
    assert out.count("last 50000.50") == 2
    shown = re.sub(r"\x1b\[[?\d;]*[a-zA-Z]", "", out)
    last = shown[shown.rindex("BTC-USDT  #120") :].splitlines()
    assert [each[:31].strip() for each in last[2:11]] == [
        "", "0.30001  0.00001    50004.00", "0.30000  0.05000    50003.00",
        "0.25000  0.25000    50001.00", "──────────", "1.00000  1.00000    50000.00",
        "1.50000  0.50000    49999.00", "", "",
    ]  # fmt: skip
    frame = pytest.approx(0.1)
    rest = pytest.approx(0.0375)
    assert shell.market.waits == [frame, rest, frame, rest, frame, rest]


@pytest.fixture
def past(shell: MarketShell, monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """The questions for past trades; their answer is BOUGHT and SOLD."""
    calls: list[tuple[object, ...]] = []

    def recent(*terms: object) -> list[Trade]:
        calls.append(terms)
        return [BOUGHT, SOLD] if terms[3] else []

    monkeypatch.setattr(market, "recent_trades", recent)
    return calls


TRADES = """\
2025-10-26T12:33:16.789Z         7  buy         50000.50           0.00003
2025-10-26T12:33:17.789Z  12345678  sell        49999.50        2500.00000
"""
TRADE_FACTS = [
    {
        "type": "trade", "symbol": "BTC-USDT", "trade_id": 7, "seq": 119, "price": "50000.50",
        "quantity": "0.00003", "aggressor_side": "buy", "maker_order_id": 41,
        "taker_order_id": 42, "timestamp": "2025-10-26T12:33:16.789Z",
    },
    {
        "type": "trade", "symbol": "BTC-USDT", "trade_id": 12_345_678, "seq": 120,
        "price": "49999.50", "quantity": "2500.00000", "aggressor_side": "sell",
        "maker_order_id": 43, "taker_order_id": 44, "timestamp": "2025-10-26T12:33:17.789Z",
    },
]  # fmt: skip


def test_past_trades_are_lines_or_objects(
    shell: MarketShell, past: list[tuple[object, ...]]
) -> None:
    shell.market.topics = {"trade.BTC-USDT|": 88, "bbo.BTC-USDT|": 99}
    words = ["trades", "btc-usdt", "--snapshots", "tcp://127.0.0.1:1", "--timeout", "3"]

    assert shell.run(*words) == (0, TRADES, "")
    assert past == [("tcp://127.0.0.1:1", "BTC-USDT", 88, 20, 3.0, None)]
    assert shell.run_json(*words, "-c", "2") == TRADE_FACTS
    assert past[1][3] == 2
    assert shell.market.opened == [(["BTC-USDT"], ("trade",))] * 2


def test_new_trades_follow_the_past_ones(
    shell: MarketShell, past: list[tuple[object, ...]]
) -> None:
    shell.market.coming = [[Trades("BTC-USDT", [SOLD])], [state(InstrumentState.OPEN)], []]

    assert shell.run_json("trades", "BTC-USDT", "-c", "0", "--follow") == TRADE_FACTS[1:]
    assert past[0][1:] == ("BTC-USDT", 0, 0, 5.0, None)
    assert shell.market.waits == [0.5] * 4


def test_without_past_trades_there_is_a_remark_unless_new_ones_follow(
    shell: MarketShell, past: list[tuple[object, ...]]
) -> None:
    words = ["trades", "BTC-USDT", "--count", "0"]
    assert shell.run(*words) == (0, "", "no trades of BTC-USDT are held\n")
    assert shell.run(*words, "--follow") == (0, "", "")
    assert shell.run(*words, "--json") == (0, "", "")


class Status:
    """The answers of the parts of an exchange to `crossbook status`."""

    def __init__(self, shell: MarketShell, monkeypatch: pytest.MonkeyPatch) -> None:
        self.shell = shell
        self.build: str | None = "pure"
        self.last_seqs = [120]
        self.heartbeats = [shell.market.heartbeat]
        self.gateway_away = False
        self.built: list[float] = []
        monkeypatch.setattr(order_client, "Client", self._client)
        monkeypatch.setattr(market, "MarketData", self._market_data)
        monkeypatch.setattr(market, "matcher_build", self._matcher_build)

    def _client(self, address: str, account: int, timeout: float, keys: object) -> Any:
        client = SimpleNamespace(
            ping=lambda: Pong(0, self.last_seqs[0], 0),
            instruments=self.shell.market.instruments,
            last_seqs=self.last_seqs,
        )
        away = self.gateway_away

        class Opened:
            def __enter__(self) -> Any:
                if away:
                    raise CrossbookError(f"no process at {address} for {account} in {timeout}")
                return client

            def __exit__(self, *_: object) -> None:
                pass

        return Opened()

    def _market_data(self, feed: str, *terms: object, **options: object) -> Any:
        self.shell.market.heartbeat = self.heartbeats.pop(0)
        return self.shell.market

    def _matcher_build(self, settings: object, timeout: float) -> str | None:
        self.built.append(timeout)
        return self.build


@pytest.fixture
def parts(shell: MarketShell, monkeypatch: pytest.MonkeyPatch) -> Status:
    return Status(shell, monkeypatch)


def words_of(out: str) -> list[list[str]]:
    return [[cell.strip() for cell in each.split("  ") if cell.strip()] for each in out.split("\n")]


ADDRESSES = ["--gateway", "tcp://127.0.0.1:1", "--feed", "tcp://127.0.0.1:2"]
GATEWAY_UP = [
    "gateway", "up", "tcp://127.0.0.1:1",
    "at sequence 12,000, round trip 250 us; trades BTC-USDT, ETH-EUR",
]  # fmt: skip


@pytest.mark.parametrize(
    ("publisher_seq", "lag", "text"),
    [
        (11_000, 1_000, "at sequence 11,000, 1,000 behind"),
        (12_000, 0, "at sequence 12,000"),
        (12_001, 0, "at sequence 12,001"),
    ],
)
def test_status_shows_the_number_of_each_part(
    shell: MarketShell, parts: Status, publisher_seq: int, lag: int, text: str
) -> None:
    parts.last_seqs = [12_000]
    parts.heartbeats = [Heartbeat(publisher_seq, 0, 2_999, {})] * 2
    shell.market.states["BTC-USDT"] = state(InstrumentState.HALTED)

    status, out, err = shell.run("status", *ADDRESSES)

    at = max(12_000, publisher_seq)
    assert (status, err) == (0, "")
    assert words_of(out) == [
        GATEWAY_UP,
        ["matcher", "up", "behind them", f"at sequence {at:,}, pure engine"],
        ["publisher", "up", "tcp://127.0.0.1:2", text],
        ["note", "BTC-USDT", "halted"],
        [],
    ]
    assert shell.run_json("status", *ADDRESSES) == [
        {
            "reachable": True,
            "gateway": {
                "reachable": True, "seq": 12_000, "round_trip_us": 250,
                "instruments": ["BTC-USDT", "ETH-EUR"],
            },
            "publisher": {
                "reachable": True, "seq": publisher_seq,
                "instruments": {
                    "BTC-USDT": {"state": "halted", "state_until": None, "auction": None},
                    "ETH-EUR": UNKNOWN_STATE,
                },
                "lag": lag,
            },
            "matcher": {"reachable": True, "silent_ms": 2_999, "seq": at, "build": "pure"},
        }
    ]  # fmt: skip
    assert parts.built == [0.5, 0.5]


def test_a_matcher_silent_for_three_seconds_is_down(shell: MarketShell, parts: Status) -> None:
    parts.last_seqs = [12_000]
    parts.heartbeats = [Heartbeat(119, 0, 3_000, {})] * 2

    status, out, _ = shell.run("status", *ADDRESSES)

    assert status == 3
    assert words_of(out)[1:3] == [
        ["matcher", "DOWN", "behind them", "silent for 3.0 s"],
        ["publisher", "up", "tcp://127.0.0.1:2", "at sequence 119"],
    ]
    status, out, _ = shell.run("status", *ADDRESSES, "--json", "--timeout", "0.2")
    facts = json.loads(out)
    assert (status, facts["reachable"]) == (3, False)
    assert facts["matcher"] == {
        "reachable": False, "silent_ms": 3_000, "seq": 12_000, "build": None
    }  # fmt: skip
    assert "lag" not in facts["publisher"]
    assert parts.built == []


def test_without_a_gateway_status_shows_the_other_parts(shell: MarketShell, parts: Status) -> None:
    parts.gateway_away = True
    parts.build = None
    parts.heartbeats = [Heartbeat(119, 0, 0, {})] * 2

    status, out, _ = shell.run("status", *ADDRESSES, "--account", "7", "--timeout", "0.2")

    assert status == 3
    assert words_of(out) == [
        ["gateway", "DOWN", "tcp://127.0.0.1:1", "no process at tcp://127.0.0.1:1 for 7 in 0.2"],
        ["matcher", "up", "behind them", "at sequence 119"],
        ["publisher", "up", "tcp://127.0.0.1:2", "at sequence 119"],
        [],
    ]
    assert parts.built == [0.2]


def test_a_silent_feed_is_waited_for_until_the_timeout(shell: MarketShell, parts: Status) -> None:
    parts.heartbeats = [None]
    shell.market.coming = [[]] * 99

    status, out, _ = shell.run("status", *ADDRESSES, "--snapshots", "tcp://127.0.0.1:3")

    assert status == 3
    assert words_of(out)[1:] == [
        ["matcher", "?", "behind them", "unknown: only the publisher shows it"],
        [
            "publisher", "DOWN", "tcp://127.0.0.1:2",
            "snapshots are answered at tcp://127.0.0.1:3, but the feed at tcp://127.0.0.1:2 is",
        ],
        ["silent"],
        [],
    ]  # fmt: skip
    assert shell.market.waits == [0.1] * 20


def test_a_heartbeat_ends_the_wait(shell: MarketShell, parts: Status) -> None:
    def beat() -> list[Heartbeat]:
        shell.market.heartbeat = Heartbeat(119, 0, 0, {})
        return [shell.market.heartbeat]

    parts.heartbeats = [None]
    shell.market.coming = [[], beat]

    assert shell.run("status", *ADDRESSES)[0] == 0
    assert shell.market.waits == [0.1] * 2


def test_status_of_two_shards_names_the_parts_of_the_second(
    shell: MarketShell, parts: Status, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHARDS", "2")
    parts.last_seqs = [120, base_of(1) + 50]
    parts.heartbeats = [Heartbeat(120, 0, 0, {}), Heartbeat(base_of(1) + 40, 0, 0, {})]

    [facts] = shell.run_json("status")

    assert list(facts) == [
        "reachable", "gateway", "publisher", "matcher", "publisher-1", "matcher-1",
    ]  # fmt: skip
    assert facts["matcher"]["seq"] == 120
    assert facts["matcher-1"]["seq"] == base_of(1) + 50
    assert facts["publisher-1"]["lag"] == 10
