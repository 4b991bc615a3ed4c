"""Texts of refusals have the value and the limit as far as these are known, and nothing else."""

import pytest
from msgspec.structs import replace

from crossbook.common.instruments import example
from crossbook.common.messages.commands import (
    AddInstrument,
    AdjustBalance,
    AmendOrder,
    CancelOrder,
    Command,
    Instructions,
    NewOrder,
    SetCancelAfter,
    SetFees,
)
from crossbook.common.messages.events import CommandRejected
from crossbook.common.messages.refusal import refusal_text
from crossbook.common.rules import BALANCE_MAX, Rules
from crossbook.common.types import RejectReason

MARKET = replace(
    example(),
    min_price_ticks=100,
    max_price_ticks=10_000_000,
    min_quantity_lots=10,
    max_quantity_lots=100_000_000,
    min_notional=500_000_000,
    max_notional=10**14,
)


def new(ticks: int = 5_000_000, lots: int = 100_000, **more: int) -> NewOrder:
    """An order of BTC-USDT: 1 BTC at 50,000.00 unless given otherwise."""
    text_of = Instructions(more.get("trigger", 0), more.get("display", 0)) if more else None
    return NewOrder(
        gateway=1,
        request_seq=7,
        account=3,
        instrument=1,
        side=more.get("side", 1),
        order_type=1,
        time_in_force=1,
        price_ticks=ticks,
        quantity_lots=lots,
        client_order_id="mine",
        quote_amount=more.get("quote", 0),
        prevention=0,
        instructions=text_of,
    )


def amend(ticks: int = 0, lots: int = 0, trigger: int = 0, order_id: int = 9) -> AmendOrder:
    return AmendOrder(
        gateway=1,
        request_seq=7,
        account=3,
        instrument=1,
        order_id=order_id,
        price_ticks=ticks,
        quantity_lots=lots,
        client_order_id="" if order_id else "mine",
        trigger_ticks=trigger,
    )


def text_of(reason: RejectReason, field: str, command: Command, most: int = 0) -> str:
    event = CommandRejected(
        seq=5,
        gateway=1,
        request_seq=7,
        account=3,
        instrument=1,
        reason=reason,
        field=field,
        client_order_id="mine",
    )
    return refusal_text(event, command, MARKET, Rules(max_open_orders=most, max_level_orders=most))


LIMIT, TICK, LOT = RejectReason.EXCEEDS_LIMIT, RejectReason.BAD_TICK, RejectReason.BAD_LOT
SMALL = RejectReason.MIN_NOTIONAL


@pytest.mark.parametrize(
    ("reason", "field", "command", "text"),
    [
        (LIMIT, "price", new(10_000_001), "100000.01 is above the highest of BTC-USDT, 100000.00"),
        (
            LIMIT,
            "price",
            amend(10_000_001),
            "100000.01 is above the highest of BTC-USDT, 100000.00",
        ),
        (TICK, "price", new(99), "0.99 is below the lowest of BTC-USDT, 1.00"),
        (TICK, "price", new(0), "a price that is not given is below the lowest of BTC-USDT, 1.00"),
        (
            LIMIT,
            "stop_price",
            new(trigger=10_000_009),
            "100000.09 is above the highest of BTC-USDT, 100000.00",
        ),
        (TICK, "stop_price", amend(trigger=5), "0.05 is below the lowest of BTC-USDT, 1.00"),
        (
            RejectReason.STOP_WOULD_TRIGGER,
            "stop_price",
            new(trigger=6_000_000),
            "the last price has reached 60000.00 already",
        ),
        (
            LIMIT,
            "quantity",
            new(100, 100_000_001),
            "1000.00001 is above the largest of BTC-USDT, 1000.00000 BTC",
        ),
        (LOT, "quantity", new(100, 9), "0.00009 is below the smallest of BTC-USDT, 0.00010 BTC"),
        (
            LIMIT,
            "quantity",
            new(10_000_000, 100_000_000),
            "price times quantity, 100000000.00000000 USDT, is above the largest of BTC-USDT, "
            "1000000.00000000 USDT",
        ),
        (
            SMALL,
            "quantity",
            new(100, 100),
            "price times quantity, 0.00100000 USDT, is below the smallest of BTC-USDT, "
            "5.00000000 USDT",
        ),
        (
            SMALL,
            "quantity",
            amend(100),
            "price times quantity is below the smallest of BTC-USDT, 5.00000000 USDT",
        ),
        (
            SMALL,
            "quote_amount",
            new(0, 0, quote=100),
            "0.00000100 USDT is below the smallest of BTC-USDT, 5.00000000 USDT",
        ),
        (
            LIMIT,
            "quote_amount",
            new(0, 0, quote=10**14 + 1),
            "1000000.00000001 USDT is above the largest of BTC-USDT, 1000000.00000000 USDT",
        ),
        (
            LIMIT,
            "display_quantity",
            new(display=200_000),
            "2.00000 is above the whole quantity, 1.00000 BTC",
        ),
        (
            LIMIT,
            "display_quantity",
            new(display=10),
            "1.00000 BTC is above 100 times the display quantity",
        ),
        (
            LOT,
            "display_quantity",
            new(display=9),
            "0.00009 is below the smallest quantity of BTC-USDT, 0.00010 BTC",
        ),
        (
            RejectReason.INSUFFICIENT_BALANCE,
            "quantity",
            new(),
            "the account has too little USDT available",
        ),
        (
            RejectReason.INSUFFICIENT_BALANCE,
            "quantity",
            new(side=2),
            "the account has too little BTC available",
        ),
        (
            RejectReason.UNKNOWN_ORDER,
            "order_id",
            amend(5),
            "the account has no open order 9 in this instrument",
        ),
        (
            RejectReason.UNKNOWN_ORDER,
            "order_id",
            CancelOrder(
                gateway=1,
                request_seq=7,
                account=3,
                instrument=1,
                order_id=0,
                client_order_id="mine",
            ),
            "the account has no open order mine in this instrument",
        ),
        (
            RejectReason.DUPLICATE_CLIENT_ORDER_ID,
            "client_order_id",
            new(),
            "an open order of this account has the id 'mine'",
        ),
        (
            LIMIT,
            "timeout",
            SetCancelAfter(
                gateway=1, request_seq=7, account=3, instrument=0, timeout_ns=86_401 * 10**9
            ),
            "86401 s is not within 0 to 86400",
        ),
        (
            LIMIT,
            "taker_fee_rate",
            SetFees(
                gateway=0,
                request_seq=0,
                account=0,
                instrument=1,
                maker_fee_rate=1,
                taker_fee_rate=100_001,
            ),
            "10.0001 percent is beyond 10.0000",
        ),
        (
            LIMIT,
            "amount",
            AdjustBalance(
                gateway=0,
                request_seq=0,
                account=7,
                instrument=0,
                asset="USDT",
                amount=BALANCE_MAX,
                transfer_id="x",
            ),
            f"a deposit may bring an account to {BALANCE_MAX} of the smallest unit of USDT, and "
            f"{BALANCE_MAX} more would exceed that",
        ),
        (
            LIMIT,
            "account",
            AdjustBalance(
                gateway=0,
                request_seq=0,
                account=2**31,
                instrument=0,
                asset="USDT",
                amount=1,
                transfer_id="x",
            ),
            "2147483648 is not within 0 to 2147483647",
        ),
        (
            LIMIT,
            "instrument",
            AddInstrument(gateway=0, request_seq=0, account=0, instrument=1, definition=MARKET),
            "a matcher has at most 1000 instruments",
        ),
        (
            RejectReason.DUPLICATE_TRANSFER,
            "transfer_id",
            AdjustBalance(
                gateway=0,
                request_seq=0,
                account=7,
                instrument=0,
                asset="USDT",
                amount=1,
                transfer_id="wire",
            ),
            "the transfer 'wire' was made before",
        ),
        (
            RejectReason.UNSUPPORTED_COMBINATION,
            "account",
            AdjustBalance(
                gateway=0,
                request_seq=0,
                account=7,
                instrument=0,
                asset="USDT",
                amount=1,
                transfer_id="x",
            ),
            "the exchange keeps no accounts (ACCOUNTS=off)",
        ),
        (
            RejectReason.MALFORMED,
            "transfer_id",
            AdjustBalance(
                gateway=0,
                request_seq=0,
                account=7,
                instrument=0,
                asset="USDT",
                amount=1,
                transfer_id="x" * 37,
            ),
            "the name of a transfer has 1 to 36 characters",
        ),
        (
            RejectReason.UNSUPPORTED_COMBINATION,
            "instrument",
            AddInstrument(gateway=0, request_seq=0, account=0, instrument=1, definition=MARKET),
            "an instrument of this id or this symbol is traded already",
        ),
        (RejectReason.MALFORMED, "quantity", amend(), "give a price or a quantity"),
        (
            RejectReason.UNSUPPORTED_COMBINATION,
            "base_decimals",
            SetFees(
                gateway=0,
                request_seq=0,
                account=0,
                instrument=1,
                maker_fee_rate=1_000,
                taker_fee_rate=2_000,
            ),
            "rounding a fee up to a whole unit of the base asset may take more than 10 % of the "
            "smallest fill: the asset needs more decimals",
        ),
        (
            RejectReason.BUSY,
            "client_order_id",
            new(),
            "no more named orders can be remembered now: try again later",
        ),
        (
            RejectReason.UNSUPPORTED_COMBINATION,
            "time_in_force",
            new(),
            "not allowed with the other fields",
        ),
    ],
)
def test_a_refusal_names_value_and_limit(
    reason: RejectReason, field: str, command: Command, text: str
) -> None:
    assert text_of(reason, field, command) == text


def test_the_number_of_open_orders_is_named_where_it_is_known() -> None:
    assert text_of(LIMIT, "account", new(), 200) == (
        "an account may have 200 open orders, and this one has as many"
    )
    assert text_of(LIMIT, "account", new()) == "above the limit"


@pytest.mark.parametrize("reason", RejectReason)
@pytest.mark.parametrize(
    "field", ["price", "quantity", "stop_price", "display_quantity", "account", "quote_amount", ""]
)
def test_every_reason_has_a_text_with_any_known_facts(reason: RejectReason, field: str) -> None:
    for command in (
        new(),
        amend(),
        CancelOrder(gateway=1, request_seq=7, account=3, instrument=1, order_id=9),
        SetCancelAfter(gateway=1, request_seq=7, account=3),
    ):
        event = CommandRejected(
            seq=5, gateway=1, request_seq=7, account=3, instrument=1, reason=reason, field=field
        )
        assert refusal_text(event, command)
        assert refusal_text(event, command, MARKET)


def test_a_full_level_is_named_with_its_price_and_its_limit() -> None:
    full = RejectReason.LEVEL_FULL
    orders = "7 orders stand at 50000.00, as many as may stand at one price"
    assert text_of(full, "price", new(), 7) == orders
    assert text_of(full, "price", amend(5_000_000), 7) == orders
    assert text_of(full, "instrument", new(0), 7) == (
        "7 market orders wait for the uncross, as many as may stand at one price"
    )
    assert text_of(full, "price", new()) == "as many orders stand at this price as may"
