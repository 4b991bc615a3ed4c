"""`crossbook admin`, whole: its acts and its whole output."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from crossbook.cli.main import app
from crossbook.client.admin_client import AdminClient
from crossbook.common.errors import CrossbookError
from crossbook.common.instruments import example
from crossbook.common.messages.admin import (
    Act,
    AdminTimeAccepted,
    AdminTimeAdvanced,
    AdminView,
    InstrumentStatus,
)
from crossbook.common.messages.commands import (
    AddInstrument,
    AdjustBalance,
    MassCancelOrders,
    SetFees,
    SetInstrumentState,
    Uncross,
)
from crossbook.common.messages.entry import Balance
from crossbook.common.messages.events import (
    AuctionUncrossed,
    BalanceAdjusted,
    Event,
    FeesChanged,
    InstrumentAdded,
    InstrumentStateChanged,
    OrdersMassCanceled,
)
from crossbook.common.types import InstrumentState

BEGAN_NS = 1_761_481_996_789_123_456
SECOND_NS = 10**9
BTC = example()
ETH = replace(
    BTC, id=2, symbol="ETH-EUR", base="ETH", quote="EUR", tick_size="0.5", quote_decimals=2,
    base_decimals=6, maker_fee_rate=-100, taker_fee_rate=5_000,
)  # fmt: skip
SOL = replace(BTC, id=3, symbol="SOL-USDT", base="SOL")

FIRST = AdminView(
    0, 90,
    [
        InstrumentStatus(BTC, InstrumentState.OPEN, 0, 5_000_001, 12),
        InstrumentStatus(ETH, InstrumentState.HALTED, BEGAN_NS + 60 * SECOND_NS, 0, 0),
    ],
    [Balance("BTC", 150_000_000, 1), Balance("EUR", 1_234, 0)],
    BEGAN_NS, BEGAN_NS + SECOND_NS,
)  # fmt: skip
SECOND = AdminView(
    0, (1 << 56) + 7, [InstrumentStatus(SOL, InstrumentState.AUCTION, 0, 300, 4)],
    [Balance("SOL", 5, 2)], BEGAN_NS, BEGAN_NS + 90 * SECOND_NS, True,
)  # fmt: skip


class Matchers:
    """The matchers of an exchange: their answers, and the acts that each received."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.views = [FIRST]
        self.away: set[int] = set()
        self.answer: Event = OrdersMassCanceled(99, 0, 0, 0, 0, 0, 3)
        self.acts: list[tuple[int, Act]] = []
        self.moves: list[tuple[int, int]] = []
        self.viewed: list[int] = []
        self.addresses: list[str] = []
        self._numbers: dict[AdminClient, int] = {}
        monkeypatch.setattr(AdminClient, "__init__", self._opened(AdminClient.__init__))
        monkeypatch.setattr(
            AdminClient, "view", lambda client, account=0: self._view(client, account)
        )
        monkeypatch.setattr(AdminClient, "act", lambda client, act: self._act(client, act))
        monkeypatch.setattr(AdminClient, "accept_time", lambda client: self._accept_time(client))
        monkeypatch.setattr(
            AdminClient, "advance_to", lambda client, to_ns: self._advance_to(client, to_ns)
        )
        monkeypatch.delenv("SHARDS", raising=False)
        self._monkeypatch = monkeypatch

    def two(self) -> None:
        """Have two shards instead of one."""
        self.views = [FIRST, SECOND]
        self._monkeypatch.setenv("SHARDS", "2")

    def run(self, *words: str) -> tuple[int, str, str]:
        """Exit status, standard output and standard error."""
        self.acts.clear()
        self.moves.clear()
        self.viewed.clear()
        self._numbers.clear()
        result = CliRunner().invoke(app, ["admin", *words], env={"COLUMNS": "200"})
        assert result.exception is None or isinstance(result.exception, SystemExit)
        lines = [each.rstrip() for each in result.stdout.splitlines()]
        return result.exit_code, "\n".join(lines), result.stderr.strip()

    def run_json(self, *words: str) -> Any:
        """The printed object."""
        status, out, err = self.run(*words, "--json")
        assert (status, err) == (0, "")
        return json.loads(out)

    def _opened(self, init: Any) -> Any:
        def opened(client: AdminClient, address: str, timeout_s: float = 0.0) -> None:
            self._numbers[client] = len(self._numbers)
            self.addresses.append(address)
            init(client, "inproc://matcher", timeout_s)

        return opened

    def _view(self, client: AdminClient, account: int) -> AdminView:
        number = self._numbers[client]
        if number in self.away:
            raise CrossbookError(f"matcher {number} is away")
        self.viewed.append(account)
        return self.views[number]

    def _act(self, client: AdminClient, act: Act) -> Event:
        self.acts.append((self._numbers[client], act))
        return self.answer

    def _advance_to(self, client: AdminClient, to_ns: int) -> AdminTimeAdvanced:
        number = self._numbers[client]
        self.moves.append((number, to_ns))
        return AdminTimeAdvanced(0, self.views[number].time_ns, to_ns, 90 + number, 1)

    def _accept_time(self, client: AdminClient) -> AdminTimeAccepted:
        view = self.views[self._numbers[client]]
        return AdminTimeAccepted(0, view.time_ns, view.clock_ns, view.clock_refused)


@pytest.fixture
def matchers(monkeypatch: pytest.MonkeyPatch) -> Matchers:
    return Matchers(monkeypatch)


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


def manual(matchers: Matchers) -> None:
    """All clocks are manual; that of the second shard is a second behind."""
    matchers.views = [
        replace(view, is_manual=True, time_ns=BEGAN_NS - shard * SECOND_NS)
        for shard, view in enumerate(matchers.views)
    ]


def test_a_manual_clock_is_advanced_by_a_duration_or_to_a_time(matchers: Matchers) -> None:
    manual(matchers)
    assert matchers.run("advance", "1h30m") == (
        0, "it is 2025-10-26T14:03:16.789Z, 1h30m later", "",
    )  # fmt: skip
    assert matchers.moves == [(0, BEGAN_NS + 5_400 * SECOND_NS)]
    assert matchers.run_json("advance", "--to", "2025-10-27T00:00Z") == {
        "time": "2025-10-27T00:00:00.000Z", "before": "2025-10-26T12:33:16.789Z", "seqs": [90],
    }  # fmt: skip
    assert matchers.moves == [(0, 1_761_523_200 * SECOND_NS)]


def test_all_shards_advance_to_one_time_from_the_latest_of_theirs(matchers: Matchers) -> None:
    matchers.two()
    manual(matchers)
    matchers.run_json("advance", "1s")
    assert matchers.moves == [(shard, BEGAN_NS + SECOND_NS) for shard in (0, 1)]


def test_no_clock_moves_where_one_is_the_machines(matchers: Matchers) -> None:
    matchers.two()
    manual(matchers)
    matchers.views[1] = replace(matchers.views[1], is_manual=False)
    status, out, err = matchers.run("advance", "1s")
    assert (status, out, matchers.moves) == (1, "", [])
    assert err.startswith(
        "ADVANCE_REFUSED (clock): the matcher of shard 1 follows the clock of its"
    )


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("tomorrow",), "USAGE (duration): 'tomorrow' is no duration"),
        (("--to", "noon"), "USAGE (to): 'noon' is no time"),
        ((), "USAGE (duration): give either a duration or the time to advance to"),
        (("1d", "--to", "2030-01-01"), "USAGE (to): give either a duration or the time"),
    ],
)
def test_an_advance_names_the_word_that_is_wrong(
    matchers: Matchers, words: tuple[str, ...], text: str
) -> None:
    manual(matchers)
    status, _, err = matchers.run("advance", *words)
    assert (status, err[: len(text)], matchers.moves) == (2, text, [])


def test_a_state_lasts_until_the_next_act_or_for_so_long_by_the_venues_time(
    matchers: Matchers,
) -> None:
    matchers.answer = InstrumentStateChanged(99, 0, 0, 2, 4)

    assert matchers.run("state", "eth-eur", "halted") == (
        0, "ETH-EUR is halted from number 99 on", "",
    )  # fmt: skip
    assert matchers.acts == [(0, SetInstrumentState(0, 0, 0, 2, InstrumentState.HALTED, 0))]

    assert matchers.run_json("state", "ETH-EUR", "post_only", "--for", "1.5") == {
        "symbol": "ETH-EUR", "state": "post_only", "seq": 99,
    }  # fmt: skip
    until_ns = BEGAN_NS + 1_500_000_000
    assert matchers.acts == [
        (0, SetInstrumentState(0, 0, 0, 2, InstrumentState.POST_ONLY, until_ns))
    ]


@pytest.mark.parametrize(
    ("price", "surplus", "text", "facts"),
    [
        (
            301, -4, "ETH-EUR: 0.00003 traded at 150.5",
            {"price": "150.5", "quantity": "0.00003", "surplus": "-0.00004"},
        ),
        (
            0, 5, "ETH-EUR: nothing to trade",
            {"price": None, "quantity": "0.00003", "surplus": "0.00005"},
        ),
    ],
)  # fmt: skip
def test_an_uncross_prints_its_trades(
    matchers: Matchers, price: int, surplus: int, text: str, facts: dict[str, Any]
) -> None:
    matchers.answer = AuctionUncrossed(99, 0, 0, 2, price, 3, surplus)

    assert matchers.run("uncross", "eth-eur") == (0, text, "")
    assert matchers.acts == [(0, Uncross(0, 0, 0, 2, InstrumentState.OPEN))]
    assert matchers.run_json("uncross", "ETH-EUR", "--then", "halted") == {
        "symbol": "ETH-EUR", **facts, "state": "halted", "seq": 99,
    }  # fmt: skip
    assert matchers.acts == [(0, Uncross(0, 0, 0, 2, InstrumentState.HALTED))]


@pytest.mark.parametrize(
    ("words", "act", "text"),
    [
        (
            ["BTC-USDT", "0.05", "10"], SetFees(0, 0, 0, 1, 500, 100_000),
            "fees of BTC-USDT: maker 0.05 %, taker 10 %",
        ),
        (
            ["--of", "7", "BTC-USDT", "--", "-0.01", "0"], SetFees(0, 0, 7, 1, -100, 0),
            "fees of account 7 in BTC-USDT: maker -0.01 %, taker 0 %",
        ),
        (
            ["--of", "7", "--inherit", "BTC-USDT", "0", "0"], SetFees(0, 0, 7, 1, 0, 0, True),
            "fees of account 7 in BTC-USDT: the instrument's own",
        ),
    ],
)  # fmt: skip
def test_fees_are_of_an_instrument_or_of_an_account_in_it(
    matchers: Matchers, words: list[str], act: SetFees, text: str
) -> None:
    matchers.answer = FeesChanged(99, 0, 0, act.account, 1, 0, 0)

    assert matchers.run("fees", *words) == (0, text, "")
    assert matchers.acts == [(0, act)]


def test_fees_are_printed_as_they_were_given(matchers: Matchers) -> None:
    matchers.answer = FeesChanged(99, 0, 0, 0, 1, 0, 0)
    assert matchers.run_json("fees", "btc-usdt", "0.05", "0.1") == {
        "symbol": "BTC-USDT", "account": 0, "maker_fee_percent": "0.05",
        "taker_fee_percent": "0.1", "inherited": False, "seq": 99,
    }  # fmt: skip
    assert matchers.run_json("fees", "btc-usdt", "0.05", "0.1", "--of", "7", "--inherit") == {
        "symbol": "BTC-USDT", "account": 7, "maker_fee_percent": "0.05",
        "taker_fee_percent": "0.1", "inherited": True, "seq": 99,
    }  # fmt: skip


@pytest.mark.parametrize(("name", "sign"), [("deposit", 1), ("withdraw", -1)])
def test_money_goes_in_or_out_under_a_name(matchers: Matchers, name: str, sign: int) -> None:
    matchers.answer = BalanceAdjusted(99, 0, 0, 7, "EUR", sign * 1_050, 2_000, "wire-1")

    status, out, err = matchers.run(name, "7", "eur", "10.5", "--transfer-id", "wire-1")

    assert (status, out, err) == (0, "account 7 has 20.00 EUR", "")
    assert matchers.acts == [(0, AdjustBalance(0, 0, 7, 0, "EUR", sign * 1_050, "wire-1"))]
    assert matchers.run_json(name, "7", "EUR", "10.5", "--transfer-id", "wire-1") == {
        "account": 7, "asset": "EUR", "amount": "10.50" if sign > 0 else "-10.50",
        "balance": "20.00", "transfer_id": "wire-1", "seq": 99,
    }  # fmt: skip


def test_a_transfer_without_a_name_gets_one_of_its_own(matchers: Matchers) -> None:
    matchers.answer = BalanceAdjusted(99, 0, 0, 7, "EUR", 1, 1, "")
    names = {matchers.run_json("deposit", "7", "EUR", "1")["transfer_id"] for _ in range(2)}
    assert len(names) == 2
    assert all(len(each) == 32 for each in names)


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (
            ["7", "XRP", "1"],
            "UNKNOWN_ASSET (asset): no instrument here has the asset 'XRP', but BTC, USDT, ETH, "
            "EUR",
        ),
        (["7", "EUR", "0.00"], "USAGE (amount): '0.00' is not above zero"),
        (["7", "EUR", "0.001"], "USAGE (amount): '0.001' is more than 2 decimals"),
        (
            ["7", "EUR", "1", "--shard", "1"],
            "USAGE (shard): choose one with --shard, 0 to 0: each has a ledger of its own",
        ),
    ],
)
def test_money_that_cannot_be_is_not_sent(matchers: Matchers, words: list[str], error: str) -> None:
    assert matchers.run("deposit", *words) == (2, "", error)
    assert matchers.acts == []


def test_money_goes_to_the_shard_named(matchers: Matchers) -> None:
    matchers.two()
    matchers.answer = BalanceAdjusted(99, 0, 0, 7, "SOL", 1, 5, "a")

    assert matchers.run("deposit", "7", "SOL", "1", "--shard", "1")[0] == 0
    assert [number for number, _ in matchers.acts] == [1]
    status, _, err = matchers.run("deposit", "7", "SOL", "1")
    assert (status, err) == (
        2, "USAGE (shard): choose one with --shard, 0 to 1: each has a ledger of its own",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "acts"),
    [
        (["--all"], [(0, MassCancelOrders(0, 0, 0)), (1, MassCancelOrders(0, 0, 0))]),
        (["--of", "7", "--side", "buy"], [(n, MassCancelOrders(0, 0, 7, 0, 1)) for n in (0, 1)]),
        (["--symbol", "sol-usdt"], [(1, MassCancelOrders(0, 0, 0, 3))]),
        (
            ["--symbol", "ETH-EUR", "--of", "7", "--side", "sell"],
            [(0, MassCancelOrders(0, 0, 7, 2, 2))],
        ),
    ],
)
def test_orders_are_canceled_on_every_shard_concerned(
    matchers: Matchers, words: list[str], acts: list[tuple[int, Act]]
) -> None:
    matchers.two()

    assert matchers.run("cancel-all", *words) == (0, f"{3 * len(acts)} orders canceled", "")
    assert matchers.acts == acts
    assert matchers.run_json("cancel-all", *words) == {
        "canceled_orders": 3 * len(acts), "seq": 99,
    }  # fmt: skip


def test_a_matcher_that_is_away_is_passed_over_where_another_has_the_instrument(
    matchers: Matchers,
) -> None:
    matchers.two()
    matchers.away = {0}
    assert matchers.run("cancel-all", "--symbol", "SOL-USDT")[0] == 0
    status, _, err = matchers.run("cancel-all", "--symbol", "XRP-USDT")
    assert (status, err) == (3, "UNREACHABLE: matcher 0 is away")
    matchers.away = set()
    status, _, err = matchers.run("cancel-all", "--symbol", "XRP-USDT")
    assert (status, err) == (
        2, "UNKNOWN_SYMBOL (symbol): no instrument is called 'XRP-USDT' here",
    )  # fmt: skip


def test_an_instrument_is_added_to_the_shard_its_entry_names(matchers: Matchers) -> None:
    matchers.two()
    matchers.answer = InstrumentAdded(99, 0, 0, 2, BTC)
    file = str(Path(__file__).resolve().parents[3] / "instruments.toml")

    status, out, err = matchers.run("add-instrument", "eth-usdt", "--file", file)

    assert (status, out, err) == (0, "ETH-USDT is traded from number 99 on", "")
    [(number, act)] = matchers.acts
    assert isinstance(act, AddInstrument)
    assert act.definition.symbol == "ETH-USDT"
    assert act == AddInstrument(0, 0, 0, act.definition.id, act.definition)
    assert number == (act.definition.id - 1) % 2
    assert matchers.run_json("add-instrument", "eth-usdt", "--file", file) == {
        "symbol": "ETH-USDT", "id": act.definition.id, "seq": 99,
    }  # fmt: skip
    assert matchers.run("add-instrument", "xrp-usdt", "--file", file) == (
        2, "", f"UNKNOWN_SYMBOL (symbol): {file} describes no XRP-USDT",
    )  # fmt: skip
