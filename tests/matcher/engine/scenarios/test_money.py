"""Accounts as tables: one row a step, with the step on the left and the money of two accounts after
it.

A row is `step | BTC total/held, USDT total/held of A | the same of B`. Amounts are smallest units
of an instrument on which one lot is 1 BTC unit and one lot at one tick 1 USDT unit, so that numbers
in orders are numbers in balances. Makers pay 1 %, takers 2 %, rounded against them.
"""

import pytest
from msgspec.structs import replace

from crossbook.common.instruments import MAX_NOTIONAL, Instrument
from crossbook.common.messages.codec import decode_events, encode
from crossbook.common.messages.commands import (
    AdjustBalance,
    AmendOrder,
    CancelOrder,
    Command,
    Instructions,
    NewOrder,
    SetFees,
    SetInstrumentState,
    Uncross,
)
from crossbook.common.messages.events import (
    AccountOpened,
    BalanceAdjusted,
    CommandRejected,
    Event,
    EventBatch,
    OrderAccepted,
    OrderExpired,
)
from crossbook.common.rules import BALANCE_MAX, Rules
from crossbook.common.types import InstrumentState, OrderType, Prevention, RejectReason
from crossbook.matcher.engine.engine import Engine
from crossbook.matcher.engine.queries import balances
from crossbook.matcher.recovery.snapshot import capture, restore, state_hash
from tests.worlds.invariants import check

UNIT = Instrument(
    id=1, symbol="BTC-USDT", base="BTC", quote="USDT",
    tick_size="1", lot_size="1", base_decimals=0, quote_decimals=0,
    max_price_ticks=10**6, min_quantity_lots=1, max_quantity_lots=10**6,
    min_notional=0, maker_fee_rate=10_000, taker_fee_rate=20_000,
    min_price_ticks=1, max_notional=MAX_NOTIONAL,
)  # fmt: skip
FUNDED = Rules(True, (("BTC", 1_000), ("USDT", 100_000)))
A, B, FEES = 1, 2, 0
BUY, SELL = 1, 2
AUCTION = SetInstrumentState(
    gateway=0, request_seq=0, account=0, instrument=1, state=InstrumentState.AUCTION
)
UNCROSS = Uncross(gateway=0, request_seq=0, account=0, instrument=1)
OWN_FEES = SetFees(
    gateway=0,
    request_seq=0,
    account=A,
    instrument=1,
    maker_fee_rate=-10_000,
    taker_fee_rate=20_000,
)


def transfer(amount: int, name: str) -> AdjustBalance:
    return AdjustBalance(
        gateway=0,
        request_seq=0,
        account=A,
        instrument=0,
        asset="USDT",
        amount=amount,
        transfer_id=name,
    )


def order(
    account: int,
    side: int,
    lots: int,
    price: int = 0,
    kind: int = 1,
    tif: int = 1,
    stop: int = 0,
    quote: int = 0,
    show: int = 0,
    mode: int = 0,
) -> NewOrder:
    instructions = Instructions(stop, show) if stop or show else None
    kind = kind if price or kind > OrderType.MARKET else OrderType.MARKET
    return NewOrder(
        gateway=0,
        request_seq=0,
        account=account,
        instrument=1,
        side=side,
        order_type=kind,
        time_in_force=tif,
        price_ticks=price,
        quantity_lots=lots,
        client_order_id="",
        quote_amount=quote,
        prevention=mode,
        instructions=instructions,
    )


def cancel(account: int, order_id: int) -> CancelOrder:
    return CancelOrder(gateway=0, request_seq=0, account=account, instrument=1, order_id=order_id)


def amend(account: int, order_id: int, price: int, lots: int) -> AmendOrder:
    return AmendOrder(
        gateway=0,
        request_seq=0,
        account=account,
        instrument=1,
        order_id=order_id,
        price_ticks=price,
        quantity_lots=lots,
    )


def money(engine: Engine, account: int) -> str:
    """Total/held of each asset of an account."""
    found = {
        each.asset: f"{each.total_units}/{each.held_units}" for each in balances(engine, account)
    }
    return f"{found.get('BTC', '0/0')} {found.get('USDT', '0/0')}"


def last(events: list[Event]) -> str:
    """A refusal or expiry, in short."""
    event = events[-1]
    if isinstance(event, CommandRejected | OrderExpired):
        return RejectReason(event.reason).name
    return ""


# step, A's money, B's money, outcome
Row = tuple[Command, str, str, str]

SCENARIOS: dict[str, list[Row]] = {
    "a resting order holds what it may need, and releases it when canceled": [
        (order(A, BUY, 10, 100), "1000/0 100000/1000", "1000/0 100000/0", ""),
        (order(A, SELL, 7, 200), "1000/7 100000/1000", "1000/0 100000/0", ""),
        (cancel(A, 1), "1000/7 100000/0", "1000/0 100000/0", ""),
        (cancel(A, 2), "1000/0 100000/0", "1000/0 100000/0", ""),
    ],
    "a trade moves both assets and charges what is received, rounded against the trader": [
        (order(A, SELL, 10, 100), "1000/10 100000/0", "1000/0 100000/0", ""),
        # B pays 300 and gets 3 less 1; A gets 300 less 3.
        (order(B, BUY, 3, 100), "997/7 100297/0", "1002/0 99700/0", ""),
    ],
    "a price improvement is released in the same event": [
        (order(A, SELL, 5, 100), "1000/5 100000/0", "1000/0 100000/0", ""),
        (order(B, BUY, 9, 110), "995/0 100495/0", "1004/0 99500/440", ""),
        (cancel(B, 2), "995/0 100495/0", "1004/0 99500/0", ""),
    ],
    "an IOC order's hold is gone with it": [
        (order(A, SELL, 5, 100), "1000/5 100000/0", "1000/0 100000/0", ""),
        (order(B, BUY, 9, 110, tif=2), "995/0 100495/0", "1004/0 99500/0", "IMMEDIATE_OR_CANCEL"),
    ],
    "too little money refuses before anything changes": [
        (order(A, BUY, 1_001, 100), "1000/0 100000/0", "1000/0 100000/0", "INSUFFICIENT_BALANCE"),
        (order(A, SELL, 1_001, 100), "1000/0 100000/0", "1000/0 100000/0", "INSUFFICIENT_BALANCE"),
        (order(A, BUY, 600, 100), "1000/0 100000/60000", "1000/0 100000/0", ""),
        (order(A, BUY, 401, 100), "1000/0 100000/60000", "1000/0 100000/0", "INSUFFICIENT_BALANCE"),
        (amend(A, 3, 0, 1_001), "1000/0 100000/60000", "1000/0 100000/0", "INSUFFICIENT_BALANCE"),
        (amend(A, 3, 0, 1_000), "1000/0 100000/100000", "1000/0 100000/0", ""),
        (amend(A, 3, 50, 0), "1000/0 100000/50000", "1000/0 100000/0", ""),
    ],
    "a market order needs what it will cost, and no more": [
        (order(A, SELL, 900, 100), "1000/900 100000/0", "1000/0 100000/0", ""),
        (order(A, SELL, 100, 200), "1000/1000 100000/0", "1000/0 100000/0", ""),
        (order(B, BUY, 951), "1000/1000 100000/0", "1000/0 100000/0", "INSUFFICIENT_BALANCE"),
        (order(B, BUY, 950), "50/50 199000/0", "1931/0 0/0", ""),
    ],
    "a market order by quote amount spends what is there": [
        (order(A, SELL, 10, 100), "1000/10 100000/0", "1000/0 100000/0", ""),
        (order(B, BUY, 0, quote=100_001), "1000/10 100000/0", "1000/0 100000/0",
         "INSUFFICIENT_BALANCE"),
        (order(B, BUY, 0, quote=350), "997/7 100297/0", "1002/0 99700/0", ""),
    ],
    "a waiting stop holds at its trigger, and pays what it really costs": [
        (order(A, SELL, 1, 100), "1000/1 100000/0", "1000/0 100000/0", ""),
        (order(A, SELL, 20, 150), "1000/21 100000/0", "1000/0 100000/0", ""),
        (order(B, BUY, 10, kind=3, stop=100), "1000/21 100000/0", "1000/0 100000/1000", ""),
        (order(B, BUY, 1, 100), "989/10 101584/0", "1009/0 98400/0", ""),
    ],
    "an elected stop that cannot pay expires": [
        (order(A, SELL, 1, 100), "1000/1 100000/0", "1000/0 100000/0", ""),
        (order(A, SELL, 900, 200), "1000/901 100000/0", "1000/0 100000/0", ""),
        (order(B, BUY, 900, kind=3, stop=100), "1000/901 100000/0", "1000/0 100000/90000", ""),
        (order(B, BUY, 1, 100), "999/900 100099/0", "1000/0 99900/0", "INSUFFICIENT_BALANCE"),
    ],
    "an iceberg holds what it hides": [
        (order(A, SELL, 90, 100, show=10), "1000/90 100000/0", "1000/0 100000/0", ""),
        (order(B, BUY, 25, 100), "975/65 102475/0", "1022/0 97500/0", ""),
    ],
    "what self-trade prevention takes out is released": [
        (order(A, SELL, 10, 100), "1000/10 100000/0", "1000/0 100000/0", ""),
        (order(A, BUY, 4, 100, mode=Prevention.DECREMENT), "1000/6 100000/0", "1000/0 100000/0",
         ""),
        (order(A, BUY, 4, 100, mode=Prevention.EXPIRE_BOTH), "1000/0 100000/0", "1000/0 100000/0",
         "SELF_TRADE"),
    ],
    "an account's own fees, and a rebate out of the venue's account": [
        (OWN_FEES, "1000/0 100000/0", "1000/0 100000/0", ""),
        (order(A, SELL, 10, 100), "1000/10 100000/0", "1000/0 100000/0", ""),
        (order(B, BUY, 10, 100), "990/0 101010/0", "1009/0 99000/0", ""),
    ],
    "an uncross settles at one price, and market buyers pay it": [
        (AUCTION, "1000/0 100000/0",
         "1000/0 100000/0", ""),
        (order(A, SELL, 10, 100), "1000/10 100000/0", "1000/0 100000/0", ""),
        (order(B, BUY, 4), "1000/10 100000/0", "1000/0 100000/0", ""),
        (order(B, BUY, 3, 120), "1000/10 100000/0", "1000/0 100000/360", ""),
        (UNCROSS, "993/3 100693/0", "1005/0 99300/0", ""),
    ],
    "a market buyer of a call phase who cannot pay expires": [
        (AUCTION, "1000/0 100000/0",
         "1000/0 100000/0", ""),
        (order(A, SELL, 900, 200), "1000/900 100000/0", "1000/0 100000/0", ""),
        (order(B, BUY, 600), "1000/900 100000/0", "1000/0 100000/0", ""),
        (order(B, BUY, 1, 200), "1000/900 100000/0", "1000/0 100000/200", ""),
        (UNCROSS, "999/899 100198/0", "1000/0 99800/0", ""),
    ],
    "money comes and goes once under one name": [
        (transfer(500, "t1"), "1000/0 100500/0", "1000/0 100000/0", ""),
        (transfer(500, "t1"), "1000/0 100500/0", "1000/0 100000/0",
         "DUPLICATE_TRANSFER"),
        (order(A, BUY, 1_000, 100), "1000/0 100500/100000", "1000/0 100000/0", ""),
        (transfer(-501, "t2"), "1000/0 100500/100000", "1000/0 100000/0",
         "INSUFFICIENT_BALANCE"),
        (transfer(-500, "t3"), "1000/0 100000/100000", "1000/0 100000/0",
         ""),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", SCENARIOS)
def test_balances_are_those_of_the_table(name: str) -> None:
    engine = Engine([UNIT], FUNDED)
    for number, (command, of_a, of_b, ending) in enumerate(SCENARIOS[name], 1):
        before = state_hash(engine)
        events = engine.apply(command)
        found = (money(engine, A), money(engine, B), last(events))
        assert found == (of_a, of_b, ending), f"step {number}: {command}"
        if isinstance(events[0], CommandRejected):
            assert state_hash(engine) == before, f"step {number}: {command}"
        check(engine)
        again = restore(capture(engine))
        check(again)
        assert capture(again) == capture(engine)


def test_an_account_opens_with_the_configured_balances() -> None:
    engine = Engine([UNIT], FUNDED)
    events = engine.apply(order(A, BUY, 1, 100))
    assert isinstance(events[0], OrderAccepted)
    assert events[1] == AccountOpened(1, A, [("BTC", 1_000), ("USDT", 100_000)])
    assert len(engine.apply(order(A, BUY, 1, 100))) == 1


def test_the_venue_earns_the_fees_and_pays_the_rebates() -> None:
    engine = Engine([UNIT], FUNDED)
    engine.apply(
        SetFees(
            gateway=0,
            request_seq=0,
            account=A,
            instrument=1,
            maker_fee_rate=-10_000,
            taker_fee_rate=20_000,
        )
    )
    engine.apply(order(A, BUY, 100, 100))
    engine.apply(order(B, SELL, 100, 100))
    # The buyer's rebate of 1 is base, of which the venue has earned nothing; B's 2 % are quote.
    assert money(engine, FEES) == "-1/0 200/0"
    check(engine)


def test_there_is_a_most_of_open_orders() -> None:
    engine = Engine([UNIT], Rules(False, (), 2))
    for price in (100, 101):
        assert isinstance(engine.apply(order(A, BUY, 1, price))[0], OrderAccepted)
    (refused,) = engine.apply(order(A, BUY, 1, 102))
    assert isinstance(refused, CommandRejected)
    assert (refused.reason, refused.field) == (RejectReason.EXCEEDS_LIMIT, "account")
    assert isinstance(engine.apply(order(A, BUY, 1, 102, tif=2))[0], OrderAccepted)
    assert isinstance(engine.apply(order(B, BUY, 1, 102))[0], OrderAccepted)


def test_without_accounts_no_account_has_money() -> None:
    engine = Engine([UNIT])
    assert balances(engine, A) == []
    (refused,) = engine.apply(
        AdjustBalance(
            gateway=0,
            request_seq=0,
            account=A,
            instrument=0,
            asset="USDT",
            amount=500,
            transfer_id="t1",
        )
    )
    assert isinstance(refused, CommandRejected)
    assert refused.reason == RejectReason.UNSUPPORTED_COMBINATION


MANY = Rules(True, (("USDT", BALANCE_MAX // 46),))
"""Opening money of which all accounts together could once have what 46 of them open with."""


@pytest.mark.parametrize("accounts", [46, 47, 200])
def test_every_account_opens_with_all_of_it_however_many_opened_before(accounts: int) -> None:
    engine = Engine([UNIT], MANY)
    for account in range(1, accounts + 1):
        opened = engine.apply(order(account, BUY, 1, 1))[1]
        assert isinstance(opened, AccountOpened)
        assert opened.balances == [("USDT", BALANCE_MAX // 46)]
    check(engine)
    again = restore(capture(engine))
    assert capture(again) == capture(engine)
    assert money(again, 10**6 % (accounts + 1) or 1).endswith(f"{BALANCE_MAX // 46}/1")


def test_naming_many_accounts_takes_nothing_from_a_deposit() -> None:
    engine = Engine([UNIT], MANY)
    for account in range(1, 200):
        engine.apply(order(account, BUY, 1, 1))
    most = BALANCE_MAX - BALANCE_MAX // 46
    deposits = [(most + 1, CommandRejected), (most, BalanceAdjusted), (1, CommandRejected)]
    for number, (amount, answer) in enumerate(deposits):
        [first, *_] = engine.apply(
            AdjustBalance(
                gateway=0,
                request_seq=0,
                account=1,
                instrument=0,
                asset="USDT",
                amount=amount,
                transfer_id=f"t{number}",
            )
        )
        assert isinstance(first, answer), amount
    check(engine)


def test_an_account_may_be_brought_more_than_64_bits_by_trades() -> None:
    rich = Rules(True, (("USDT", BALANCE_MAX), ("BTC", 10**6)))
    engine = Engine([replace(UNIT, max_notional=BALANCE_MAX, max_price_ticks=2**61)], rich)
    sent: list[Event] = []
    for account in range(2, 12):
        sent += engine.apply(order(1, SELL, 1, 2**61))
        sent += engine.apply(order(account, BUY, 1, 2**61))
    sent += engine.apply(
        AdjustBalance(
            gateway=0,
            request_seq=0,
            account=1,
            instrument=0,
            asset="USDT",
            amount=-5,
            transfer_id="out",
        )
    )
    check(engine)
    adjusted = sent[-1]
    assert isinstance(adjusted, BalanceAdjusted)
    assert adjusted.balance > 2**64
    batch = EventBatch(incarnation=7, first_seq=1, last_seq=engine.seq, time_ns=9, events=sent)
    assert decode_events(encode(batch)) == batch
    total = next(each.total_units for each in balances(engine, 1) if each.asset == "USDT")
    assert total == adjusted.balance
    assert restore(capture(engine)).accounts[1].total["USDT"] == total


def test_the_first_edition_gave_nothing_beyond_the_total_of_an_asset() -> None:
    engine = Engine([UNIT], MANY, edition=1)
    given = [engine.apply(order(account, BUY, 1, 1)) for account in range(1, 48)]
    last = given[-1][0]
    assert isinstance(last, CommandRejected)
    assert last.reason == RejectReason.INSUFFICIENT_BALANCE
    assert all(isinstance(events[1], AccountOpened) for events in given[:46])
