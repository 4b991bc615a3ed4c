"""`crossbook ticker` and `candles`, whole, over a market that is set by hand."""

import re
from typing import Any

import pytest
from msgspec.structs import replace

from crossbook.cli import statistics
from crossbook.cli.rendering import state_text
from crossbook.common.messages.feed import Candles, Snapshot, Ticker
from crossbook.common.messages.history_queries import Candle
from crossbook.common.types import InstrumentState
from tests.crossbook.cli.market_shell import BEGAN_NS, BTC, SECOND_NS, MarketShell, state

DAY = Ticker(
    symbol="BTC-USDT", seq=120, open_ticks=5_000_000, high_ticks=5_100_000, low_ticks=4_900_000,
    last_ticks=4_950_000, last_lots=3, volume_lots=250_000, quote_volume=12_500_000_000_000,
    trades=1_234, first_trade_id=1, last_trade_id=1_234, open_ns=0, bid_ticks=4_949_900, bid_lots=7,
    ask_ticks=4_950_100, ask_lots=8, time_ns=BEGAN_NS,
)  # fmt: skip
RISEN = replace(DAY, last_ticks=5_050_000)
NOTHING = replace(Ticker("ETH-EUR", 9, *[0] * 16), time_ns=BEGAN_NS)
DAY_FACTS: dict[str, Any] = {
    "type": "ticker", "symbol": "BTC-USDT", "timestamp": "2025-10-26T12:33:16.789Z", "seq": 120,
    "last": "49500.00", "last_quantity": "0.00003", "change_percent": "-1.00",
    "open": "50000.00", "high": "51000.00", "low": "49000.00", "volume": "2.50000",
    "quote_volume": "125000.00000000", "trades": 1_234, "bid": "49499.00",
    "bid_quantity": "0.00007", "ask": "49501.00", "ask_quantity": "0.00008", "state": None,
    "state_until": None, "auction": None,
}  # fmt: skip
NO_FACTS: dict[str, Any] = {
    **dict.fromkeys(DAY_FACTS), "type": "ticker", "symbol": "ETH-EUR", "seq": 9,
    "timestamp": "2025-10-26T12:33:16.789Z", "volume": "0.00000", "quote_volume": "0.00",
    "trades": 0,
}  # fmt: skip


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> MarketShell:
    made = MarketShell(monkeypatch, statistics)
    made.market.tickers = {"BTC-USDT": DAY, "ETH-EUR": NOTHING}
    return made


def cells(out: str) -> list[list[str]]:
    plain = re.sub(r"\x1b\[[?\d;]*[a-zA-Z]", "", out)
    return [re.split(r"\s{2,}", each.strip()) for each in plain.splitlines()]


HEAD = ["last", "24 h", "high", "low", "bid", "offer", "volume", "trades"]
BTC_ROW = [
    "BTC-USDT", "49500.00", "-1.00 %", "51000.00", "49000.00", "49499.00", "49501.00",
    "2.50000 BTC", "1,234",
]  # fmt: skip
ETH_ROW = ["ETH-EUR", *["-"] * 6, "0.00000 ETH", "0"]


def test_the_day_of_every_instrument_is_a_table(shell: MarketShell) -> None:
    shell.market.states["BTC-USDT"] = state(InstrumentState.POST_ONLY)

    status, out, err = shell.run("ticker")

    assert (status, err) == (0, "")
    assert cells(out) == [HEAD, [*BTC_ROW, "post only"], ETH_ROW]
    assert shell.market.opened == [([], ("ticker", "state"))]
    assert cells(shell.run("ticker", "eth-eur", "--once")[1]) == [HEAD, ETH_ROW]
    assert shell.market.opened[1][0] == ["ETH-EUR"]


def test_an_old_table_is_marked_as_old(shell: MarketShell) -> None:
    shell.market.stale = True
    assert cells(shell.run("ticker", "ETH-EUR")[1]) == [
        HEAD, ETH_ROW, ["no news from the exchange: this may be old"],
    ]  # fmt: skip


def test_the_day_is_an_object_with_every_figure(shell: MarketShell) -> None:
    shell.market.states["BTC-USDT"] = state(
        InstrumentState.AUCTION, until_ns=BEGAN_NS, indicative_ticks=5_000_000,
        indicative_lots=5, surplus_lots=-3,
    )  # fmt: skip
    auction = {
        "indicative_price": "50000.00", "indicative_quantity": "0.00005",
        "surplus_side": "sell", "surplus_quantity": "0.00003",
    }  # fmt: skip
    in_auction = {"state": "auction", "state_until": "2025-10-26T12:33:16.789Z", "auction": auction}

    assert shell.run_json("ticker", "--once") == [{**DAY_FACTS, **in_auction}, NO_FACTS]
    assert shell.market.waits == []


@pytest.mark.parametrize(
    ("changes", "facts", "text"),
    [
        (
            {},
            {"indicative_price": None, "indicative_quantity": "0.00000", "surplus_side": None,
             "surplus_quantity": "0.00000"},
            "auction: nothing would trade",
        ),
        (
            {"indicative_ticks": 100, "indicative_lots": 2, "surplus_lots": 1},
            {"indicative_price": "1.00", "indicative_quantity": "0.00002", "surplus_side": "buy",
             "surplus_quantity": "0.00001"},
            "auction: 0.00002 BTC at 1.00, 0.00001 left over (buy)",
        ),
        (
            {"indicative_ticks": 1, "indicative_lots": 2, "until_ns": BEGAN_NS},
            {"indicative_price": "0.01", "indicative_quantity": "0.00002", "surplus_side": None,
             "surplus_quantity": "0.00000"},
            "auction until 2025-10-26T12:33:16.789Z: 0.00002 BTC at 0.01",
        ),
    ],
)  # fmt: skip
def test_an_auction_is_shown_with_its_indicative_trade(
    shell: MarketShell, changes: dict[str, int], facts: dict[str, Any], text: str
) -> None:
    shell.market.states["BTC-USDT"] = state(InstrumentState.AUCTION, **changes)

    [printed] = shell.run_json("ticker", "BTC-USDT", "--once")

    assert printed["auction"] == facts
    assert state_text(BTC, shell.market.states["BTC-USDT"]) == text


def test_every_change_is_a_line_of_json(shell: MarketShell) -> None:
    shell.market.coming = [
        [],
        [RISEN, Candles("BTC-USDT", 1, [], 0)],
        [state(InstrumentState.OPEN), replace(state(InstrumentState.OPEN), symbol="XRP-EUR")],
    ]

    status, out, _ = shell.run("ticker", "BTC-USDT", "--json")

    assert status == 0
    assert [re.findall('"last": "([^"]*)"', each) for each in out.splitlines()] == [
        ["49500.00"], ["50500.00"], ["49500.00"],
    ]  # fmt: skip
    assert shell.market.waits == [0.5] * 4


def test_statistics_that_are_not_loaded_yet_are_waited_for(shell: MarketShell) -> None:
    def come() -> list[Ticker]:
        shell.market.tickers["BTC-USDT"] = DAY
        return [DAY]

    del shell.market.tickers["BTC-USDT"]
    shell.market.coming = [[state(InstrumentState.OPEN)], come]
    assert cells(shell.run("ticker", "BTC-USDT", "--once", "--timeout", "2")[1]) == [HEAD, BTC_ROW]
    assert shell.market.waits == [2.0, 2.0 - 0.0625]


def test_statistics_that_never_come_are_waited_for_no_longer_than_the_timeout(
    shell: MarketShell,
) -> None:
    shell.market.tickers.clear()
    shell.market.coming = [[]] * 9

    assert shell.run("ticker", "--timeout", "2") == (
        3, "",
        "UNREACHABLE (symbol): the publisher does not have the last 24 hours of BTC-USDT, "
        "ETH-EUR yet\n",
    )  # fmt: skip
    assert shell.market.waits == [2.0]


def test_a_terminal_shows_the_table_ten_times_a_second(shell: MarketShell) -> None:
    def forget() -> list[Ticker]:
        del shell.market.tickers["BTC-USDT"]
        return [DAY]

    shell.market.coming = [[RISEN], [], forget, []]

    status, out, err = shell.run("ticker", "BTC-USDT", terminal=True)

    assert (status, err) == (0, "")
    assert out.startswith("\x1b[?1049h")
    assert out.count("-1.00 %") == 2
    assert out.count("not known yet") == 1
    frame = pytest.approx(0.1)
    rest = pytest.approx(0.0375)
    assert shell.market.waits == [frame, rest] * 2 + [frame]


MINUTE = Candle(
    interval_s=60, open_ns=BEGAN_NS // (60 * SECOND_NS) * 60 * SECOND_NS, open_ticks=5_000_000,
    high_ticks=5_000_300, low_ticks=4_999_900, close_ticks=5_000_100, volume_lots=1_234_567,
    quote_volume=61_728_350_000_000, trades=12_345, first_trade_id=1, last_trade_id=12_345, seq=120,
)  # fmt: skip
FALLEN = replace(MINUTE, close_ticks=4_999_999)
NEXT = replace(MINUTE, open_ns=MINUTE.open_ns + 60 * SECOND_NS)
LINE = (
    "2025-10-26T12:33:00.000Z      50000.00      50003.00      49999.00      50001.00"
    "          12.34567   12,345"
)
MINUTE_FACTS = {
    "type": "candle", "symbol": "BTC-USDT", "interval": "1m",
    "open_time": "2025-10-26T12:33:00.000Z", "open": "50000.00", "high": "50003.00",
    "low": "49999.00", "close": "50001.00", "volume": "12.34567",
    "quote_volume": "617283.50000000", "trades": 12_345, "seq": 120,
}  # fmt: skip


def test_the_latest_candle_is_a_line_or_an_object(shell: MarketShell) -> None:
    shell.market.latest = {60: MINUTE, 3_600: replace(MINUTE, interval_s=3_600, trades=7)}

    assert shell.run("candles", "btc-usdt", "--once") == (0, f"{LINE}\n", "")
    assert shell.run_json("candles", "BTC-USDT", "--once") == [MINUTE_FACTS]
    [hour] = shell.run_json("candles", "BTC-USDT", "-i", "1h", "--once")
    assert (hour["interval"], hour["trades"]) == ("1h", 7)
    assert shell.market.opened[0] == (["BTC-USDT"], ("candle",))


def test_without_a_candle_there_is_a_remark(shell: MarketShell) -> None:
    assert shell.run("candles", "BTC-USDT", "--once") == (
        0, "", "no trades of BTC-USDT are known\n",
    )  # fmt: skip


def candles(*each: Candle) -> Candles:
    return Candles("BTC-USDT", 9, list(each), 0)


def test_each_change_of_a_candle_is_a_line_and_its_repeat_is_none(shell: MarketShell) -> None:
    snapshot = Snapshot(
        request_id=0, symbol="BTC-USDT", seq=9, topics={}, bids=[], asks=[], checksum=0, time_ns=0,
        last_trade_id=0, candles=[NEXT],
    )  # fmt: skip
    shell.market.latest = {60: MINUTE}
    shell.market.coming = [
        [candles(MINUTE, replace(FALLEN, interval_s=300)), candles(FALLEN)],
        [state(InstrumentState.OPEN), snapshot],
    ]

    found = shell.run_json("candles", "BTC-USDT")

    assert [(each["open_time"][14:19], each["close"]) for each in found] == [
        ("33:00", "50001.00"), ("33:00", "49999.99"), ("34:00", "50001.00"),
    ]  # fmt: skip
    assert shell.market.waits == [0.5] * 3


def test_a_terminal_replaces_the_line_of_a_running_candle(shell: MarketShell) -> None:
    shell.market.latest = {60: MINUTE}
    shell.market.coming = [[candles(FALLEN)], [candles(NEXT)]]

    status, out, _ = shell.run("candles", "BTC-USDT", terminal=True)

    assert status == 0
    plain = re.sub(r"\x1b\[[?\d;]*[a-zA-Z]", "", out)
    fallen = LINE.replace("50001.00", "49999.99")
    assert plain == f"{LINE}\r{fallen}\n{LINE.replace('12:33', '12:34')}\n"
    assert shell.run("candles", "BTC-USDT", "--once", terminal=True)[1].endswith("12,345\n")


def test_a_terminal_without_a_candle_ends_no_line(shell: MarketShell) -> None:
    assert shell.run("candles", "BTC-USDT", terminal=True) == (0, "", "")
