"""`crossbook admin`, whole: uncrosses, fees, money, cancels and new instruments."""

from pathlib import Path
from typing import Any

import pytest

from crossbook.common.messages.admin import (
    Act,
)
from crossbook.common.messages.commands import (
    AddInstrument,
    AdjustBalance,
    MassCancelOrders,
    SetFees,
    Uncross,
)
from crossbook.common.messages.events import (
    AuctionUncrossed,
    BalanceAdjusted,
    FeesChanged,
    InstrumentAdded,
)
from crossbook.common.types import InstrumentState
from tests.crossbook.cli.admin_shell import BTC, Matchers


@pytest.fixture
def matchers(monkeypatch: pytest.MonkeyPatch) -> Matchers:
    return Matchers(monkeypatch)


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
    matchers.answer = AuctionUncrossed(
        seq=99, gateway=0, request_seq=0, instrument=2, price_ticks=price, quantity_lots=3,
        surplus_lots=surplus,
    )  # fmt: skip

    assert matchers.run("uncross", "eth-eur") == (0, text, "")
    assert matchers.acts == [
        (0, Uncross(gateway=0, request_seq=0, account=0, instrument=2, state=InstrumentState.OPEN))
    ]  # fmt: skip
    assert matchers.run_json("uncross", "ETH-EUR", "--then", "halted") == {
        "symbol": "ETH-EUR", **facts, "state": "halted", "seq": 99,
    }  # fmt: skip
    assert matchers.acts == [
        (
            0,
            Uncross(
                gateway=0, request_seq=0, account=0, instrument=2, state=InstrumentState.HALTED,
            ),
        )
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "act", "text"),
    [
        (
            ["BTC-USDT", "0.05", "10"],
            SetFees(
                gateway=0, request_seq=0, account=0, instrument=1,
                maker_fee_rate=500, taker_fee_rate=100_000,
            ),
            "fees of BTC-USDT: maker 0.05 %, taker 10 %",
        ),
        (
            ["--of", "7", "BTC-USDT", "--", "-0.01", "0"],
            SetFees(
                gateway=0, request_seq=0, account=7, instrument=1,
                maker_fee_rate=-100, taker_fee_rate=0,
            ),
            "fees of account 7 in BTC-USDT: maker -0.01 %, taker 0 %",
        ),
        (
            ["--of", "7", "--inherit", "BTC-USDT", "0", "0"],
            SetFees(
                gateway=0, request_seq=0, account=7, instrument=1,
                maker_fee_rate=0, taker_fee_rate=0, inherit=True,
            ),
            "fees of account 7 in BTC-USDT: the instrument's own",
        ),
    ],
)  # fmt: skip
def test_fees_are_of_an_instrument_or_of_an_account_in_it(
    matchers: Matchers, words: list[str], act: SetFees, text: str
) -> None:
    matchers.answer = FeesChanged(
        seq=99, gateway=0, request_seq=0, account=act.account, instrument=1, maker_fee_rate=0,
        taker_fee_rate=0,
    )  # fmt: skip

    assert matchers.run("fees", *words) == (0, text, "")
    assert matchers.acts == [(0, act)]


def test_fees_are_printed_in_the_form_of_the_command(matchers: Matchers) -> None:
    matchers.answer = FeesChanged(
        seq=99, gateway=0, request_seq=0, account=0, instrument=1, maker_fee_rate=0,
        taker_fee_rate=0,
    )  # fmt: skip
    assert matchers.run_json("fees", "btc-usdt", "0.05", "0.1") == {
        "symbol": "BTC-USDT", "account": 0, "maker_fee_percent": "0.05",
        "taker_fee_percent": "0.1", "inherited": False, "seq": 99,
    }  # fmt: skip
    assert matchers.run_json("fees", "btc-usdt", "0.05", "0.1", "--of", "7", "--inherit") == {
        "symbol": "BTC-USDT", "account": 7, "maker_fee_percent": "0.05",
        "taker_fee_percent": "0.1", "inherited": True, "seq": 99,
    }  # fmt: skip


@pytest.mark.parametrize(("name", "sign"), [("deposit", 1), ("withdraw", -1)])
def test_a_deposit_or_withdrawal_has_a_name(matchers: Matchers, name: str, sign: int) -> None:
    matchers.answer = BalanceAdjusted(
        seq=99, gateway=0, request_seq=0, account=7, asset="EUR", amount=sign * 1_050,
        balance=2_000, transfer_id="wire-1",
    )  # fmt: skip

    status, out, err = matchers.run(name, "7", "eur", "10.5", "--transfer-id", "wire-1")

    assert (status, out, err) == (0, "account 7 has 20.00 EUR", "")
    assert matchers.acts == [
        (
            0,
            AdjustBalance(
                gateway=0, request_seq=0, account=7, instrument=0, asset="EUR", amount=sign * 1_050,
                transfer_id="wire-1",
            ),
        )
    ]  # fmt: skip
    assert matchers.run_json(name, "7", "EUR", "10.5", "--transfer-id", "wire-1") == {
        "account": 7, "asset": "EUR", "amount": "10.50" if sign > 0 else "-10.50",
        "balance": "20.00", "transfer_id": "wire-1", "seq": 99,
    }  # fmt: skip


def test_a_transfer_without_a_name_is_given_one(matchers: Matchers) -> None:
    matchers.answer = BalanceAdjusted(
        seq=99, gateway=0, request_seq=0, account=7, asset="EUR", amount=1, balance=1,
        transfer_id="",
    )  # fmt: skip
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
def test_an_invalid_amount_of_money_is_not_sent(
    matchers: Matchers, words: list[str], error: str
) -> None:
    assert matchers.run("deposit", *words) == (2, "", error)
    assert matchers.acts == []


def test_money_is_paid_in_at_the_named_shard(matchers: Matchers) -> None:
    matchers.two()
    matchers.answer = BalanceAdjusted(
        seq=99, gateway=0, request_seq=0, account=7, asset="SOL", amount=1, balance=5,
        transfer_id="a",
    )  # fmt: skip

    assert matchers.run("deposit", "7", "SOL", "1", "--shard", "1")[0] == 0
    assert [number for number, _ in matchers.acts] == [1]
    status, _, err = matchers.run("deposit", "7", "SOL", "1")
    assert (status, err) == (
        2, "USAGE (shard): choose one with --shard, 0 to 1: each has a ledger of its own",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "acts"),
    [
        (
            ["--all"],
            [
                (0, MassCancelOrders(gateway=0, request_seq=0, account=0)),
                (1, MassCancelOrders(gateway=0, request_seq=0, account=0)),
            ],
        ),
        (
            ["--of", "7", "--side", "buy"],
            [
                (n, MassCancelOrders(gateway=0, request_seq=0, account=7, instrument=0, side=1))
                for n in (0, 1)
            ],
        ),
        (
            ["--symbol", "sol-usdt"],
            [(1, MassCancelOrders(gateway=0, request_seq=0, account=0, instrument=3))],
        ),
        (
            ["--symbol", "ETH-EUR", "--of", "7", "--side", "sell"],
            [(0, MassCancelOrders(gateway=0, request_seq=0, account=7, instrument=2, side=2))],
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
    matchers.answer = InstrumentAdded(
        seq=99, gateway=0, request_seq=0, instrument=2, definition=BTC,
    )  # fmt: skip
    file = str(Path(__file__).resolve().parents[3] / "instruments.toml")

    status, out, err = matchers.run("add-instrument", "eth-usdt", "--file", file)

    assert (status, out, err) == (0, "ETH-USDT is traded from number 99 on", "")
    [(number, act)] = matchers.acts
    assert isinstance(act, AddInstrument)
    assert act.definition.symbol == "ETH-USDT"
    assert act == AddInstrument(
        gateway=0, request_seq=0, account=0, instrument=act.definition.id,
        definition=act.definition,
    )  # fmt: skip
    assert number == (act.definition.id - 1) % 2
    assert matchers.run_json("add-instrument", "eth-usdt", "--file", file) == {
        "symbol": "ETH-USDT", "id": act.definition.id, "seq": 99,
    }  # fmt: skip
    assert matchers.run("add-instrument", "xrp-usdt", "--file", file) == (
        2, "", f"UNKNOWN_SYMBOL (symbol): {file} describes no XRP-USDT",
    )  # fmt: skip
