"""Changed instruments under live orders: permitted changes, their beginning, and refused ones."""

import pytest
from msgspec.structs import replace

from crossbook.common.errors import ConfigError
from crossbook.common.instruments import Instrument
from crossbook.common.messages.entry import Balance
from crossbook.common.messages.events import CommandRejected, OrderAccepted, TradeExecuted
from crossbook.common.rules import Rules
from crossbook.common.types import RejectReason
from crossbook.matcher.engine.engine import Engine
from crossbook.matcher.engine.queries import balances
from crossbook.matcher.recovery.snapshot import capture, restore
from tests.worlds.venue import ALICE, BOB, BTC, BUY, ETH, SELL, amend, limit, market, queue, venue

SOL = replace(BTC, id=3, symbol="SOL-USDT", base="SOL")


def _trade(engine: Engine, lots: int) -> TradeExecuted:
    trade = engine.apply(market(BOB, BUY, lots))[1]
    assert isinstance(trade, TradeExecuted)
    return trade


def test_an_added_instrument_trades_from_the_next_command_on() -> None:
    engine = venue()
    order = limit(ALICE, BUY, 100, 5, instrument=SOL)
    (refused,) = engine.apply(order)
    assert isinstance(refused, CommandRejected)
    assert refused.reason == RejectReason.UNKNOWN_SYMBOL
    engine.configure([SOL, BTC, ETH])
    assert engine.instruments == [BTC, ETH, SOL]
    (accepted,) = engine.apply(order)
    assert isinstance(accepted, OrderAccepted)
    assert queue(engine, BUY, SOL) == [(2, 100, 5)]


def test_changed_fees_apply_to_later_trades_also_of_orders_that_rest() -> None:
    engine = venue()
    engine.apply(limit(ALICE, SELL, 100, 10))
    before = _trade(engine, 5)
    assert (before.maker_fee, before.taker_fee) == (5, 10)
    engine.configure([replace(BTC, maker_fee_rate=-500, taker_fee_rate=4_000), ETH])
    after = _trade(engine, 5)
    assert (after.maker_fee, after.taker_fee) == (-2, 20)


@pytest.mark.parametrize(
    ("changed", "reason", "field"),
    [
        ({"max_price_ticks": 99}, RejectReason.EXCEEDS_LIMIT, "price"),
        ({"min_quantity_lots": 6}, RejectReason.BAD_LOT, "quantity"),
        ({"max_quantity_lots": 4}, RejectReason.EXCEEDS_LIMIT, "quantity"),
        ({"min_notional": 5_001}, RejectReason.MIN_NOTIONAL, "quantity"),
    ],
)
def test_changed_limits_apply_to_later_commands_and_leave_resting_orders(
    changed: dict[str, int], reason: RejectReason, field: str
) -> None:
    engine = venue()
    engine.apply(limit(ALICE, BUY, 100, 5))
    engine.configure([replace(BTC, **changed), ETH])
    for command in (limit(BOB, BUY, 100, 5), amend(ALICE, 1, price_ticks=100)):
        (refused,) = engine.apply(command)
        assert isinstance(refused, CommandRejected)
        assert (refused.reason, refused.field) == (reason, field)
    assert queue(engine, BUY) == [(1, 100, 5)]
    engine.configure([BTC, ETH])
    assert isinstance(engine.apply(limit(BOB, BUY, 100, 5))[0], OrderAccepted)


def test_a_resting_order_outside_the_new_limits_can_still_trade() -> None:
    engine = venue()
    engine.apply(limit(ALICE, SELL, 100, 5))
    engine.configure([replace(BTC, max_price_ticks=99, max_quantity_lots=4), ETH])
    assert _trade(engine, 4).price_ticks == 100


@pytest.mark.parametrize(
    ("instruments", "named"),
    [
        ([BTC], ["ETH-EUR", "instruments file"]),
        ([], ["BTC-USDT"]),
        ([replace(BTC, symbol="XBT-USDT"), ETH], ["BTC-USDT", "symbol", "XBT-USDT"]),
        ([replace(BTC, base="XBT"), ETH], ["BTC-USDT", "base"]),
        ([BTC, replace(ETH, quote="USD")], ["ETH-EUR", "quote"]),
        ([BTC, replace(ETH, tick_size="0.10")], ["ETH-EUR", "tick_size", "0.01", "0.10"]),
        ([BTC, replace(ETH, lot_size="0.01")], ["ETH-EUR", "lot_size"]),
        ([BTC, replace(ETH, base_decimals=4)], ["ETH-EUR", "base_decimals"]),
        ([BTC, replace(ETH, quote_decimals=6)], ["ETH-EUR", "quote_decimals"]),
        ([BTC, ETH, replace(SOL, quote_decimals=4)], ["SOL-USDT", "tick_size"]),
    ],
)
def test_a_refused_change_names_instrument_and_field_and_changes_nothing(
    instruments: list[Instrument], named: list[str]
) -> None:
    engine = venue()
    engine.apply(limit(ALICE, BUY, 100, 5))
    before = capture(engine)
    wanted = [replace(i, taker_fee_rate=9_000, max_quantity_lots=7) for i in instruments]
    with pytest.raises(ConfigError) as refusal:
        engine.configure([SOL, *wanted] if SOL.id not in [i.id for i in wanted] else wanted)
    for text in named:
        assert text in str(refusal.value)
    assert capture(engine) == before
    assert engine.instruments == [BTC, ETH]
    engine.apply(limit(ALICE, SELL, 110, 8))
    assert _trade(engine, 8).taker_fee == 16


def test_a_snapshot_holds_the_instruments_in_force() -> None:
    engine = venue()
    engine.apply(limit(ALICE, SELL, 100, 10))
    engine.configure([replace(BTC, taker_fee_rate=4_000), ETH, SOL])
    again = restore(capture(engine))
    assert again.instruments == engine.instruments
    assert _trade(again, 5) == _trade(engine, 5)
    again.configure([BTC, ETH, SOL])
    assert _trade(again, 5).taker_fee == 10


def test_changed_opening_balances_are_those_of_later_accounts() -> None:
    engine = Engine([BTC], Rules(True, (("BTC", 50), ("USDT", 90_000))))
    engine.apply(limit(ALICE, BUY, 100, 5))
    engine.configure([BTC], Rules(True, (("ETH", 7), ("USDT", 80_000))))
    assert balances(engine, BOB) == [Balance("ETH", 7, 0), Balance("USDT", 80_000, 0)]
    assert [each.asset for each in balances(engine, ALICE)] == ["BTC", "USDT"]
    (refused,) = engine.apply(limit(BOB, SELL, 100, 5))
    assert isinstance(refused, CommandRejected)
    assert refused.reason == RejectReason.INSUFFICIENT_BALANCE
