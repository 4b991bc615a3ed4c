"""Refusals with few known facts: their text has only these."""

import pytest
from msgspec.structs import replace

from crossbook.common.grid import format_decimal
from crossbook.common.instruments import MAX_NOTIONAL
from crossbook.common.messages.commands import (
    AddInstrument,
    AdjustBalance,
    Command,
    SetCancelAfter,
    SetFees,
)
from crossbook.common.messages.events import CommandRejected
from crossbook.common.messages.refusal import refusal_text
from crossbook.common.rules import Rules
from crossbook.common.types import RejectReason
from tests.common.messages.test_refusal import LIMIT, LOT, MARKET, SMALL, TICK, amend, new, text_of


def deposit(amount: int = 1) -> AdjustBalance:
    return AdjustBalance(
        gateway=0, request_seq=0, account=7, instrument=0, asset="USDT", amount=amount,
        transfer_id="x",
    )  # fmt: skip


FEES = SetFees(
    gateway=0, request_seq=0, account=0, instrument=1, maker_fee_rate=1, taker_fee_rate=1,
)  # fmt: skip


@pytest.mark.parametrize(
    ("reason", "field", "command", "text"),
    [
        (
            LIMIT,
            "display_quantity",
            new(lots=5, display=5),
            "0.00005 BTC is above 100 times the display quantity",
        ),
        (
            LIMIT,
            "display_quantity",
            new(lots=5, display=6),
            "0.00006 is above the whole quantity, 0.00005 BTC",
        ),
        (
            LIMIT,
            "display_quantity",
            new(lots=1, display=6),
            "0.00006 is above the whole quantity, 0.00001 BTC",
        ),
        (
            LIMIT,
            "display_quantity",
            new(lots=0, display=6),
            "a quantity that is not given is above 100 times the display quantity",
        ),
        (
            LIMIT,
            "display_quantity",
            new(lots=1),
            "0.00001 BTC is above 100 times the display quantity",
        ),
        (
            LIMIT,
            "display_quantity",
            amend(),
            "a quantity that is not given is above 100 times the display quantity",
        ),
        (
            LOT,
            "display_quantity",
            amend(),
            "a display quantity that is not given is below the smallest quantity of "
            "BTC-USDT, 0.00010 BTC",
        ),
        (
            SMALL,
            "display_quantity",
            new(display=5),
            "price times quantity is below the instrument's minimum",
        ),
        (
            LOT,
            "quantity",
            amend(),
            "a quantity that is not given is below the smallest of BTC-USDT, 0.00010 BTC",
        ),
        (
            LIMIT,
            "quantity",
            new(100, 100_000_001),
            "1000.00001 is above the largest of BTC-USDT, 1000.00000 BTC",
        ),
        (
            LIMIT,
            "quantity",
            new(1, 100_000_000),
            "price times quantity, 10.00000000 USDT, is above the largest of "
            "BTC-USDT, 1000000.00000000 USDT",
        ),
        (
            LIMIT,
            "quantity",
            amend(0, 5),
            "price times quantity is above the largest of BTC-USDT, 1000000.00000000 USDT",
        ),
        (TICK, "quantity", new(), "must be at least one tick"),
        (
            TICK,
            "stop_price",
            new(),
            "a stop_price that is not given is below the lowest of BTC-USDT, 1.00",
        ),
        (
            LIMIT,
            "stop_price",
            amend(5, trigger=7),
            "0.07 is above the highest of BTC-USDT, 100000.00",
        ),
        (SMALL, "price", new(), "price times quantity is below the instrument's minimum"),
        (SMALL, "quote_amount", amend(), "price times quantity is below the instrument's minimum"),
        (LOT, "quote_amount", new(quote=1), "below the instrument's minimum quantity"),
        (LIMIT, "side", new(), "above the limit"),
        (
            RejectReason.INSUFFICIENT_BALANCE,
            "price",
            amend(5),
            "the account has too little BTC or USDT available",
        ),
        (
            RejectReason.UNKNOWN_ORDER,
            "order_id",
            amend(order_id=0),
            "the account has no open order mine in this instrument",
        ),
        (RejectReason.UNKNOWN_ORDER, "order_id", new(), "no such open order"),
        (
            RejectReason.INSUFFICIENT_BALANCE,
            "amount",
            deposit(-5),
            "the account has too little USDT that no open order holds",
        ),
        (RejectReason.INSUFFICIENT_BALANCE, "", FEES, "the account has too little available"),
        (RejectReason.DUPLICATE_TRANSFER, "", FEES, "a transfer with this name was made before"),
        (
            RejectReason.UNSUPPORTED_COMBINATION,
            "quote_decimals",
            FEES,
            "rounding a fee up to a whole unit of the quote asset may take more than "
            "10 % of the smallest fill: the asset needs more decimals",
        ),
        (RejectReason.UNSUPPORTED_COMBINATION, "symbol", FEES, "not allowed with the other fields"),
        (
            LIMIT,
            "maker_fee_rate",
            SetFees(
                gateway=0,
                request_seq=0,
                account=0,
                instrument=1,
                maker_fee_rate=-100_002,
                taker_fee_rate=1,
            ),
            "-10.0002 percent is beyond 10.0000",
        ),
        (TICK, "amount", deposit(), "must be at least one tick"),
        (
            LIMIT,
            "timeout",
            SetCancelAfter(gateway=0, request_seq=0, account=7, instrument=0, timeout_ns=-(10**8)),
            "-0.1 s is not within 0 to 86400",
        ),
        (
            LIMIT,
            "symbol",
            AddInstrument(gateway=0, request_seq=0, account=0, instrument=1, definition=MARKET),
            "above the limit",
        ),
    ],
)
def test_the_text_of_a_refusal_has_only_the_given_facts(
    reason: RejectReason, field: str, command: Command, text: str
) -> None:
    assert text_of(reason, field, command) == text


def test_the_largest_value_is_the_smaller_of_the_instruments_and_of_all() -> None:
    event = CommandRejected(
        seq=5, gateway=1, request_seq=7, account=3, instrument=1, reason=LIMIT,
        field="quote_amount",
    )  # fmt: skip
    for most, text in ((MAX_NOTIONAL - 1, MAX_NOTIONAL - 1), (MAX_NOTIONAL + 1, MAX_NOTIONAL)):
        instrument = replace(MARKET, max_notional=most)
        assert refusal_text(event, new(0, 0, quote=3), instrument) == (
            f"0.00000003 USDT is above the largest of BTC-USDT, {format_decimal(text, 8)} USDT"
        )


def test_without_the_instrument_the_text_is_the_reason_alone() -> None:
    event = CommandRejected(
        seq=5, gateway=1, request_seq=7, account=3, instrument=1, reason=LIMIT, field="price",
    )  # fmt: skip
    assert refusal_text(event, new()) == "above the limit"
    rules = Rules(max_open_orders=200)
    assert refusal_text(event, new(), None, rules) == "above the limit"
    assert refusal_text(replace(event, field="account"), amend(), None, rules) == "above the limit"
    assert refusal_text(replace(event, reason=99, field=""), deposit()) == "refused"
