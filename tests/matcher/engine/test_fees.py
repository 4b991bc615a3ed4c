"""Fees are whole units, rounded against the trader in either direction of the money."""

from fractions import Fraction
from pathlib import Path
from random import Random

import msgspec
import pytest
from msgspec.structs import replace

from crossbook.common.errors import ConfigError
from crossbook.common.instruments import FEE_SCALE, Instrument
from crossbook.common.instruments_file import load_instruments
from crossbook.common.messages.codec import encode
from crossbook.common.messages.commands import AddInstrument, SetFees
from crossbook.common.messages.events import (
    CommandRejected,
    FeesChanged,
    InstrumentAdded,
    TradeExecuted,
)
from crossbook.common.rounding import check_rounding, rounding_fault
from crossbook.common.rules import Rules
from crossbook.common.types import RejectReason, Side
from crossbook.matcher.engine.engine import Engine
from crossbook.matcher.engine.matching import fee
from crossbook.matcher.journal.journal import Journal
from crossbook.matcher.recovery.recovery import recover
from crossbook.matcher.resend_buffer import EventResendBuffer
from crossbook.matcher.sequencer import Sequencer
from tests.simulation.fake_disk import FakeDisk
from tests.worlds.venue import ALICE, BOB, BTC, BUY, ETH, SELL, limit, venue


@pytest.mark.parametrize(
    ("amount", "rate", "expected"),
    [
        (1_000_000, 1_000, 1_000),
        (1, 1, 1),
        (999, 1_000, 1),
        (1_000, 1_000, 1),
        (1_001, 1_000, 2),
        (0, 1_000, 0),
        (12_345, 0, 0),
    ],
)
def test_a_fee_rounds_up(amount: int, rate: int, expected: int) -> None:
    assert fee(amount, rate) == expected


@pytest.mark.parametrize(
    ("amount", "rate", "expected"),
    [(1_000_000, -250, -250), (1, -250, 0), (3_999, -250, 0), (4_000, -250, -1), (7_999, -250, -1)],
)
def test_a_rebate_rounds_towards_zero(amount: int, rate: int, expected: int) -> None:
    assert fee(amount, rate) == expected


def test_a_fee_is_the_smallest_whole_number_not_below_the_exact_one() -> None:
    random = Random(5)
    for _ in range(2_000):
        amount, rate = random.randint(0, 2**62), random.randint(-100_000, 100_000)
        exact = Fraction(amount * rate, FEE_SCALE)
        assert exact <= fee(amount, rate) < exact + 1


def test_large_amounts_lose_no_digit() -> None:
    assert fee(2**62, 100_000) == -(-(2**62) // 10)


@pytest.mark.parametrize(
    ("taker_side", "maker_fee", "taker_fee"),
    [
        # 7 lots at 333: 23,310 quote units to the seller, 7,000 base units to the buyer
        (BUY, 24, 14),
        (SELL, 7, 47),
    ],
)
def test_each_side_pays_in_the_asset_it_receives(
    taker_side: Side, maker_fee: int, taker_fee: int
) -> None:
    engine = venue()
    engine.apply(limit(ALICE, Side(3 - taker_side), 333, 7))
    (_, trade) = engine.apply(limit(BOB, taker_side, 333, 7))
    assert isinstance(trade, TradeExecuted)
    assert (trade.maker_fee, trade.taker_fee) == (maker_fee, taker_fee)
    assert BTC.maker_fee_rate < BTC.taker_fee_rate


def test_a_maker_is_paid_where_the_rate_is_negative() -> None:
    engine = venue()
    engine.apply(limit(ALICE, SELL, 999, 50, instrument=ETH))
    (_, trade) = engine.apply(limit(BOB, BUY, 999, 50, instrument=ETH))
    assert isinstance(trade, TradeExecuted)
    # 49,950 units at -0.025 % is -12.4875; 50 lots at 0.05 % is 0.025
    assert (trade.maker_fee, trade.taker_fee) == (-12, 1)


def test_fees_are_charged_per_fill() -> None:
    engine = venue()
    for _ in range(3):
        engine.apply(limit(ALICE, SELL, 1, 1))
    events = engine.apply(limit(BOB, BUY, 1, 3))
    fees = [event.maker_fee for event in events if isinstance(event, TradeExecuted)]
    assert fees == [1, 1, 1]


GRID = replace(BTC, lot_size="1", tick_size="1", quote_decimals=8, maker_fee_rate=0)


@pytest.mark.parametrize(
    ("changes", "asset"),
    [
        # one lot of base is so many units, and pays 0.2 %
        ({"base_decimals": 0}, "base"),
        ({"base_decimals": 0, "lot_size": "9"}, "base"),
        ({"base_decimals": 0, "lot_size": "10"}, ""),
        ({"base_decimals": 1}, ""),
        ({"base_decimals": 0, "taker_fee_rate": 0}, ""),
        ({"base_decimals": 0, "taker_fee_rate": 0, "maker_fee_rate": 1}, "base"),
        ({"base_decimals": 0, "taker_fee_rate": 2_000, "maker_fee_rate": -250}, "base"),
        # nothing is rounded of five units at 20 %, and less than a tenth of nine at 98 %
        ({"base_decimals": 0, "lot_size": "5", "taker_fee_rate": 200_000}, ""),
        ({"base_decimals": 0, "lot_size": "9", "taker_fee_rate": 990_000}, ""),
        # one lot at the lowest price is so many units of quote
        ({"base_decimals": 8, "quote_decimals": 0}, "quote"),
        ({"base_decimals": 8, "quote_decimals": 0, "min_price_ticks": 9}, "quote"),
        ({"base_decimals": 8, "quote_decimals": 0, "min_price_ticks": 10}, ""),
        ({"base_decimals": 8, "quote_decimals": 1}, ""),
    ],
)
def test_an_instrument_whose_smallest_fill_loses_a_tenth_by_rounding_is_named(
    changes: dict[str, object], asset: str
) -> None:
    instrument = replace(GRID, **changes)
    assert rounding_fault(instrument) == asset
    if asset:
        with pytest.raises(ConfigError, match=f"give {getattr(instrument, asset)} more decimals"):
            check_rounding(instrument)
        check_rounding(instrument, instrument)
    else:
        check_rounding(instrument)


def _start(disk: FakeDisk, instrument: Instrument) -> Engine:
    recovered = recover(disk, [instrument], 1, 64 * 1024, "batch", 1)
    recovered.journal.close()
    return recovered.engine


SHARE = replace(BTC, id=5, symbol="MSFT-USD", base="MSFT", quote="USD", base_decimals=0,
                lot_size="1", quote_decimals=10)  # fmt: skip
"""A share without decimals: a fill of one share costs one share."""


def test_a_start_with_such_an_instrument_is_refused_with_the_reason() -> None:
    with pytest.raises(ConfigError, match="MSFT-USD: one lot is 1 of the smallest unit of MSFT"):
        _start(FakeDisk(), SHARE)
    _start(FakeDisk(), replace(SHARE, base_decimals=1))


def test_one_that_was_recorded_so_goes_on() -> None:
    disk = FakeDisk()
    then = msgspec.msgpack.encode([2, [SHARE], Rules()])
    journal = Journal.open(disk, 1, then, 64 * 1024)
    sequencer = Sequencer(Engine([SHARE], edition=1), journal, EventResendBuffer(0))
    orders = [
        limit(BOB, SELL, 100, 1, instrument=SHARE),
        limit(ALICE, BUY, 100, 1, instrument=SHARE),
    ]
    assert sequencer.apply([encode(orders)], 1) is not None
    journal.close()
    for wanted in (SHARE, replace(SHARE, max_price_ticks=10**8)):
        assert _start(disk, wanted).books[5].last_trade_id == 1


def test_fees_that_make_a_fault_of_it_are_refused_at_a_start() -> None:
    disk = FakeDisk()
    free = replace(SHARE, maker_fee_rate=0, taker_fee_rate=0)
    engine = _start(disk, free)
    assert engine.books[5].taker_fee_rate == 0
    recovered = recover(disk, [free], 1, 64 * 1024, "batch", 1)
    sequencer = Sequencer(recovered.engine, recovered.journal, EventResendBuffer(0))
    assert sequencer.apply([encode([limit(BOB, SELL, 100, 1, instrument=free)])], 1) is not None
    recovered.journal.close()
    with pytest.raises(ConfigError, match="may take more than 10 %"):
        _start(disk, SHARE)
    _start(disk, free)


def test_the_administrator_cannot_bring_it_in_either() -> None:
    free = replace(SHARE, maker_fee_rate=0, taker_fee_rate=0)
    engine = Engine([BTC])
    [refused] = engine.apply(
        AddInstrument(gateway=0, request_seq=0, account=0, instrument=5, definition=SHARE)
    )
    assert isinstance(refused, CommandRejected)
    assert (refused.reason, refused.field) == (
        RejectReason.UNSUPPORTED_COMBINATION, "base_decimals",
    )  # fmt: skip
    [added] = engine.apply(
        AddInstrument(gateway=0, request_seq=0, account=0, instrument=5, definition=free)
    )
    assert isinstance(added, InstrumentAdded)
    for account in (0, ALICE):
        [refused] = engine.apply(
            SetFees(
                gateway=0,
                request_seq=0,
                account=account,
                instrument=5,
                maker_fee_rate=0,
                taker_fee_rate=1,
            )
        )
        assert isinstance(refused, CommandRejected)
        assert refused.field == "base_decimals"
        [changed] = engine.apply(
            SetFees(
                gateway=0,
                request_seq=0,
                account=account,
                instrument=5,
                maker_fee_rate=0,
                taker_fee_rate=0,
            )
        )
        assert isinstance(changed, FeesChanged)
    [changed] = engine.apply(
        SetFees(
            gateway=0,
            request_seq=0,
            account=ALICE,
            instrument=5,
            maker_fee_rate=0,
            taker_fee_rate=0,
            inherit=True,
        )
    )
    assert isinstance(changed, FeesChanged)


def test_the_first_edition_took_them() -> None:
    engine = Engine([BTC], edition=1)
    assert isinstance(
        engine.apply(
            AddInstrument(gateway=0, request_seq=0, account=0, instrument=5, definition=SHARE)
        )[0],
        InstrumentAdded,
    )
    assert isinstance(
        engine.apply(
            SetFees(
                gateway=0,
                request_seq=0,
                account=0,
                instrument=5,
                maker_fee_rate=0,
                taker_fee_rate=1,
            )
        )[0],
        FeesChanged,
    )


def test_no_fill_of_the_shipped_instruments_costs_more_than_a_tenth_by_rounding() -> None:
    for instrument in load_instruments(Path("instruments.toml")):
        assert rounding_fault(instrument) == "", instrument.symbol
        for amount in (
            instrument.base_units_per_lot,
            instrument.notional_per_tick_lot * instrument.min_price_ticks,
        ):
            exact = Fraction(amount * instrument.taker_fee_rate, FEE_SCALE)
            assert fee(amount, instrument.taker_fee_rate) - exact <= Fraction(amount, 10)
