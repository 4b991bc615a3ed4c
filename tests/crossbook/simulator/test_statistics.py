"""Figures of a simulation on data made by hand."""

import pytest
from msgspec.structs import replace

from crossbook.common.instruments import example
from crossbook.common.messages.entry import Ack, Cancel, Execution, New, Reject
from crossbook.common.types import ExecutionKind, Liquidity, OrderStatus, RejectReason, Side
from crossbook.simulator.agent import Agent
from crossbook.simulator.batch import Batch
from crossbook.simulator.chance import Chance
from crossbook.simulator.market import BUY, AgentMarket, OpenOrder
from crossbook.simulator.population import Engaged
from crossbook.simulator.statistics import SimulationStatistics, TradeTotals


class Idle(Agent):
    """An agent that makes no requests."""


def fill(trade_id: int, price: int, lots: int, liquidity: Liquidity) -> Execution:
    return Execution(
        request_seq=0,
        seq=trade_id,
        symbol="BTC-USDT",
        order_id=1,
        client_order_id="",
        kind=ExecutionKind.FILL,
        status=OrderStatus.FILLED,
        side=BUY,
        price_ticks=price,
        quantity_lots=lots,
        filled_lots=lots,
        remaining_lots=0,
        time_ns=0,
        trade_id=trade_id,
        liquidity=liquidity,
    )


def test_a_trade_reported_by_both_sides_is_one_trade() -> None:
    statistics = SimulationStatistics([AgentMarket(example(), 5_000_000, 10)], [])
    for trade_id, price in ((1, 5_000_000), (2, 4_999_990)):
        statistics.filled(0, fill(trade_id, price, 20, Liquidity.MAKER))
        statistics.filled(0, fill(trade_id, price, 20, Liquidity.TAKER))
    [tape] = statistics.tapes
    assert (tape.trades, tape.lots, tape.high, tape.low) == (2, 40, 5_000_000, 4_999_990)
    assert tape.notional == 20 * 5_000_000 + 20 * 4_999_990


def test_the_spread_is_the_mean_over_ticks_with_both_sides() -> None:
    tape = TradeTotals()
    tape.quote(9_999, 10_001)
    tape.quote(9_998, 10_002)
    tape.quote(0, 10_002)
    assert tape.spread_bps == pytest.approx(3.0)
    assert tape.one_sided == 1


def test_a_tape_without_quotes_has_no_spread() -> None:
    assert TradeTotals().spread_bps == 0.0


def test_requests_and_answers_are_counted_by_kind_and_reason() -> None:
    statistics = SimulationStatistics([], [])
    new, cancel = (
        New(request_seq=0, symbol="BTC-USDT", side=BUY, quantity=1, price=1),
        Cancel(request_seq=0, symbol="BTC-USDT", order_id=0, client_order_id="x"),
    )
    statistics.requested([Batch(0, [new, new]), Batch(1, [cancel])])
    statistics.answered(
        new,
        Ack(
            request_seq=0,
            seq=1,
            order_id=1,
            status=1,
            client_order_id="",
            remaining_lots=1,
            time_ns=0,
        ),
    )
    statistics.answered(
        new, Reject(request_seq=0, reason=RejectReason.MIN_NOTIONAL, field="", text="")
    )
    statistics.answered(cancel, Reject(request_seq=0, reason=9_999, field="", text=""))
    assert statistics.requested_total == 3
    assert statistics.requests == {"new": 2, "cancel": 1}
    assert statistics.acknowledged == 1
    assert statistics.rejects == {"MIN_NOTIONAL": 1, "REASON_9999": 1}


def test_profit_is_cash_and_position_at_the_middle() -> None:
    market = AgentMarket(example(), 5_000_000, 10)
    buyer, seller = (Idle(agent, market, Chance(1), {}) for agent in range(2))
    bought = fill(1, 5_000_000, 100_000, Liquidity.TAKER)
    buyer.apply_fill(bought)
    seller.apply_fill(replace(bought, side=Side.SELL))
    market.middle = 5_100_000.0
    [row] = SimulationStatistics(
        [market], [Engaged("idle", [buyer]), Engaged("idle", [seller])]
    ).kinds()
    assert (row["agents"], row["profit"]) == (2, "0.00")
    assert row["inventory"] == {"BTC-USDT": "0.00000"}
    [row] = SimulationStatistics([market], [Engaged("idle", [buyer])]).kinds()
    # One whole BTC that rose by 1,000 USDT.
    assert (row["profit"], row["inventory"]) == ("1000.00", {"BTC-USDT": "1.00000"})


def test_instruments_are_printed_as_decimals() -> None:
    market = AgentMarket(example(), 5_000_000, 10)
    market.add(OpenOrder(name="a", agent=0, side=BUY, price_ticks=4_999_990, lots=50_000))
    [row] = SimulationStatistics([market], []).symbols()
    assert (row["symbol"], row["bid"], row["ask"], row["last"]) == (
        "BTC-USDT", "49999.90", None, None,
    )  # fmt: skip
    assert (row["bid_depth"], row["ask_depth"]) == ("0.50000", "0.00000")
