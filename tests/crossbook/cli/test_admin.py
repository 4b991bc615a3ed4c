"""`crossbook admin`, whole: status, clocks and states, with the whole output."""

import re

import pytest
from msgspec.structs import replace

from crossbook.common.messages.commands import (
    SetInstrumentState,
)
from crossbook.common.messages.events import (
    InstrumentStateChanged,
)
from crossbook.common.types import InstrumentState
from tests.crossbook.cli.admin_shell import BEGAN_NS, Matchers

COLUMNS = ["id", "symbol", "state", "until", "last price", "maker fee", "taker fee"]
INSTRUMENTS = [
    ["1", "BTC-USDT", "open", "50000.01", "0.1000", "0.2000"],
    ["2", "ETH-EUR", "halted", "2025-10-26T12:34:16.789Z", "-0.0100", "0.5000"],
]

BTC_FACTS = {
    "id": 1, "symbol": "BTC-USDT", "state": "open", "until": None, "last_price": "50000.01",
    "last_trade_id": 12, "maker_fee_percent": "0.1000", "taker_fee_percent": "0.2000",
}  # fmt: skip
ETH_FACTS = {
    "id": 2, "symbol": "ETH-EUR", "state": "halted", "until": "2025-10-26T12:34:16.789Z",
    "last_price": None, "last_trade_id": 0, "maker_fee_percent": "-0.0100",
    "taker_fee_percent": "0.5000",
}  # fmt: skip
SOL_FACTS = {
    "id": 3, "symbol": "SOL-USDT", "state": "auction", "until": None, "last_price": "3.00",
    "last_trade_id": 4, "maker_fee_percent": "0.1000", "taker_fee_percent": "0.2000",
}  # fmt: skip


@pytest.fixture
def matchers(monkeypatch: pytest.MonkeyPatch) -> Matchers:
    return Matchers(monkeypatch)


def cells(out: str) -> list[list[str]]:
    """The cells of a table that are not empty."""
    return [re.split(r"\s{2,}", each) for each in out.splitlines()]


def test_status_shows_instruments_and_balances(matchers: Matchers) -> None:
    status, out, err = matchers.run("status", "--of", "7")

    assert (status, err) == (0, "")
    assert cells(out) == [
        COLUMNS,
        *INSTRUMENTS,
        ["7", "BTC", "has 1.50000000, holds 0.00000001"],
        ["7", "EUR", "has 12.34, holds 0.00"],
    ]
    assert matchers.viewed == [7]
    assert matchers.run_json("status") == {
        "seq": 90,
        "time": "2025-10-26T12:33:16.789Z",
        "clock": "2025-10-26T12:33:17.789Z",
        "clock_refused": False,
        "clock_manual": False,
        "instruments": [BTC_FACTS, ETH_FACTS],
        "account": 0,
        "balances": [
            {"asset": "BTC", "total": "1.50000000", "held": "0.00000001"},
            {"asset": "EUR", "total": "12.34", "held": "0.00"},
        ],
    }


def test_status_of_two_shards_shows_the_shard_of_each_balance_and_of_a_refused_clock(
    matchers: Matchers,
) -> None:
    matchers.two()

    status, out, err = matchers.run("status")

    assert (status, err) == (0, "")
    assert cells(out) == [
        COLUMNS,
        *INSTRUMENTS,
        ["3", "SOL-USDT", "auction", "3.00", "0.1000", "0.2000"],
        ["0", "BTC", "has 1.50000000, holds 0.00000001 on shard 0"],
        ["0", "EUR", "has 12.34, holds 0.00 on shard 0"],
        ["0", "SOL", "has 0.00000005, holds 0.00000002 on shard 1"],
        [
            "clock", "1",
            "refused: it shows 2025-10-26T12:34:46.789Z, "
            "commands are stamped 2025-10-26T12:33:16.789Z",
        ],
    ]  # fmt: skip
    facts = matchers.run_json("status")
    assert facts["clock_refused"] is True
    assert facts["seqs"] == [90, (1 << 56) + 7]
    assert facts["instruments"] == [BTC_FACTS, ETH_FACTS, SOL_FACTS]
    assert facts["balances"] == [
        {"asset": "BTC", "total": "1.50000000", "held": "0.00000001", "shard": 0},
        {"asset": "EUR", "total": "12.34", "held": "0.00", "shard": 0},
        {"asset": "SOL", "total": "0.00000005", "held": "0.00000002", "shard": 1},
    ]


def test_status_shows_where_a_manual_clock_stands(matchers: Matchers) -> None:
    matchers.views = [replace(matchers.views[0], is_manual=True)]
    assert cells(matchers.run("status")[1])[-1] == [
        "clock", "0", "manual: stands at 2025-10-26T12:33:16.789Z",
    ]  # fmt: skip
    assert matchers.run_json("status")["clock_manual"] is True


def test_accept_time_prints_for_each_clock_whether_it_was_refused(matchers: Matchers) -> None:
    matchers.two()

    assert matchers.run("accept-time") == (
        0,
        "2025-10-26T12:33:17.789Z was accepted already\n"
        "2025-10-26T12:34:46.789Z is accepted; commands were stamped 2025-10-26T12:33:16.789Z",
        "",
    )
    assert matchers.run_json("accept-time") == {
        "shards": [
            {
                "shard": shard, "refused": bool(shard), "clock": clock,
                "stamped_before": "2025-10-26T12:33:16.789Z",
            }
            for shard, clock in enumerate(("2025-10-26T12:33:17.789Z", "2025-10-26T12:34:46.789Z"))
        ]
    }  # fmt: skip


def test_a_state_lasts_until_the_next_act_or_for_a_time_of_the_venue(
    matchers: Matchers,
) -> None:
    matchers.answer = InstrumentStateChanged(
        seq=99, gateway=0, request_seq=0, instrument=2, state=4,
    )  # fmt: skip

    assert matchers.run("state", "eth-eur", "halted") == (
        0, "ETH-EUR is halted from number 99 on", "",
    )  # fmt: skip
    assert matchers.acts == [
        (
            0,
            SetInstrumentState(
                gateway=0, request_seq=0, account=0, instrument=2, state=InstrumentState.HALTED,
                until_ns=0,
            ),
        )
    ]  # fmt: skip

    assert matchers.run_json("state", "ETH-EUR", "post_only", "--for", "1.5") == {
        "symbol": "ETH-EUR", "state": "post_only", "seq": 99,
    }  # fmt: skip
    until_ns = BEGAN_NS + 1_500_000_000
    assert matchers.acts == [
        (
            0,
            SetInstrumentState(
                gateway=0, request_seq=0, account=0, instrument=2, state=InstrumentState.POST_ONLY,
                until_ns=until_ns,
            ),
        )
    ]  # fmt: skip
