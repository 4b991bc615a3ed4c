"""The flow is a function of its seed and of the exchange's answers."""

import subprocess
import sys
from collections.abc import Iterable

import pytest
from msgspec.structs import replace

from crossbook.common.errors import ConfigError
from crossbook.common.instruments import Instrument, example
from crossbook.common.messages.entry import Ack, Amend, Cancel, New, Reject
from crossbook.common.types import RejectReason
from crossbook.simulator.flow import AgentFlow, _grid
from crossbook.simulator.makers import MarketMaker
from crossbook.simulator.population import AGENTS_MOST
from crossbook.simulator.venue import LocalVenue
from tests.worlds.invariants import check

BTC = example()
ETH = replace(BTC, id=2, symbol="ETH-USDT", base="ETH")
COARSE = replace(BTC, id=3, symbol="SHIB-USDT", base="SHIB", max_price_ticks=400)
DEAR = replace(BTC, id=4, symbol="DEAR-USDT", base="DEAR", min_notional=500 * 10**8)
SMALL = replace(BTC, id=5, symbol="SMALL-USDT", base="SMALL", max_quantity_lots=40)


def market(
    seed: int, ticks: int, instruments: Iterable[Instrument] = (BTC, ETH), agents: int = 12
) -> tuple[AgentFlow, LocalVenue]:
    instruments = tuple(instruments)
    flow = AgentFlow(instruments, agents, seed)
    venue = LocalVenue(instruments, agents, keep=True)
    for _ in range(ticks):
        flow.receive(*venue.apply(flow.step()))
    return flow, venue


def test_the_same_seed_makes_the_same_requests() -> None:
    first, venue = market(3, 200)
    again, other_venue = market(3, 200)
    assert again.digest == first.digest
    assert other_venue.commands == venue.commands
    assert market(4, 200)[0].digest != first.digest


@pytest.mark.parametrize(
    ("seed", "ticks", "instruments", "agents", "digest"),
    [
        (1, 400, (BTC, ETH), 12, "3e9a1a9623d0ba9d"),
        (2, 300, (COARSE, DEAR, SMALL), 7, "23a24da15950f28f"),
        (3, 1500, (BTC,), 6, "23ae7dcb2678505c"),
    ],
)
def test_a_seed_makes_the_same_requests_in_every_release(
    seed: int, ticks: int, instruments: tuple[Instrument, ...], agents: int, digest: str
) -> None:
    """A seed names a simulation, so its requests must be the same in the next release."""
    assert market(seed, ticks, instruments, agents)[0].digest.startswith(digest)


def test_another_process_and_hash_seed_make_the_same_requests() -> None:
    code = "from tests.crossbook.simulator.test_flow import market; print(market(3, 200)[0].digest)"
    for hash_seed in ("0", "1"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            check=True,
        )
        assert done.stdout.decode().strip() == market(3, 200)[0].digest


def test_the_order_of_arrival_of_reports_does_not_matter() -> None:
    one, venue = AgentFlow([BTC, ETH], 12, 5), LocalVenue([BTC, ETH], 12)
    other = AgentFlow([BTC, ETH], 12, 5)
    fills = 0
    for _ in range(200):
        batches = one.step()
        assert other.step() == batches
        answers, executions = venue.apply(batches)
        fills += len(executions)
        one.receive(answers, executions)
        other.receive(answers[::-1], executions[::-1])
    assert fills > 100
    assert other.digest == one.digest


def test_the_run_names_orders_and_nothing_else() -> None:
    one, other = AgentFlow([BTC], 4, 1, "one-"), AgentFlow([BTC], 4, 1, "other-")
    names = {
        request.client_order_id
        for batch in one.step()
        for request in batch.requests
        if isinstance(request, New)
    }
    other.step()
    assert all(name.startswith("one-") for name in names)
    assert len(names) == one.statistics.requests["new"]
    assert one.digest == other.digest


def test_there_is_a_two_sided_market_after_one_tick() -> None:
    flow, venue = market(1, 1)
    for each in flow.markets:
        book = venue.engine.books[each.instrument.id]
        assert len(book.bids.keys) >= MarketMaker.levels
        assert len(book.asks.keys) >= MarketMaker.levels


@pytest.mark.parametrize("seed", range(4))
def test_the_book_of_the_flow_equals_the_engines(seed: int) -> None:
    flow, venue = AgentFlow([BTC, ETH], 12, seed), LocalVenue([BTC, ETH], 12)
    for _ in range(300):
        flow.receive(*venue.apply(flow.step()))
        for each in flow.markets:
            book = venue.engine.books[each.instrument.id]
            resting = [*book.bids.orders(), *book.asks.orders()]
            assert {order.client_order_id: order.remaining_lots for order in resting} == {
                order.name: order.lots for order in each.orders.values()
            }
            assert each.ask_ticks == 0 or each.bid_ticks < each.ask_ticks
    check(venue.engine)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("instrument", [BTC, COARSE, DEAR, SMALL], ids=lambda each: each.base)
def test_every_request_is_within_the_instruments_limits(instrument: Instrument, seed: int) -> None:
    flow, venue = AgentFlow([instrument], 12, seed), LocalVenue([instrument], 12)
    for _ in range(400):
        batches = flow.step()
        for request in (each for batch in batches for each in batch.requests):
            if isinstance(request, New | Amend):
                assert isinstance(request.price, int)
                assert 0 <= request.price <= instrument.max_price_ticks
            if isinstance(request, New):
                assert isinstance(request.quantity, int)
                assert 1 <= request.quantity <= instrument.max_quantity_lots
        answers, executions = venue.apply(batches)
        for _, answer in answers:
            # An order may be filled in the tick its owner cancels it; nothing else is refused.
            assert isinstance(answer, Ack) or answer.reason == RejectReason.UNKNOWN_ORDER, answer
        flow.receive(answers, executions)
    assert flow.statistics.tapes[0].trades > 0


@pytest.mark.parametrize("seed", range(4))
def test_positions_stay_within_their_limits_under_any_fills(seed: int) -> None:
    flow, venue = AgentFlow([BTC, ETH], 12, seed), LocalVenue([BTC, ETH], 12)
    seats = [seat for agent in flow.engaged for seat in agent.seats]
    for seat in seats:
        seat.limit_lots //= 40
    near = False
    for _ in range(600):
        flow.receive(*venue.apply(flow.step()))
        for seat in seats:
            bids = sum(order.lots for order in seat.orders() if order.side == 1)
            asks = sum(order.lots for order in seat.orders() if order.side == 2)
            assert seat.position_lots + bids <= seat.limit_lots
            assert seat.position_lots - asks >= -seat.limit_lots
            near = near or abs(seat.position_lots) > 0.9 * seat.limit_lots
    # Otherwise no position came near its limit.
    assert near


def test_positions_and_cash_sum_to_zero_over_all_agents() -> None:
    flow, _ = market(2, 400)
    for index in range(len(flow.markets)):
        seats = [agent.seats[index] for agent in flow.engaged]
        assert sum(seat.position_lots for seat in seats) == 0
        assert sum(seat.cash_tick_lots for seat in seats) == 0
        assert any(seat.position_lots for seat in seats)


def test_an_agent_never_trades_with_itself() -> None:
    flow, venue = AgentFlow([BTC], 12, 6), LocalVenue([BTC], 12)
    for _ in range(600):
        answers, executions = venue.apply(flow.step())
        pairs: dict[int, set[int]] = {}
        for agent, report in executions:
            if report.trade_id:
                pairs.setdefault(report.trade_id, set()).add(agent)
        assert all(len(agents) == 2 for agents in pairs.values())
        flow.receive(answers, executions)


def test_an_order_unknown_to_the_exchange_is_dropped() -> None:
    flow, _ = market(1, 1)
    name, order = next(iter(flow.markets[0].orders.items()))
    cancel = Cancel(request_seq=0, symbol=BTC.symbol, order_id=0, client_order_id=name)
    flow.receive(
        [
            (
                cancel,
                Reject(
                    request_seq=0,
                    reason=RejectReason.UNKNOWN_ORDER,
                    field="order_id",
                    text="",
                    client_order_id="",
                    seq=9,
                ),
            )
        ],
        [],
    )
    assert name not in flow.markets[0].orders
    assert name not in flow.markets[0].of(order.agent)


def test_after_all_orders_are_lost_there_are_quotes_again() -> None:
    flow, _ = market(1, 50)
    flow.forget_orders()
    venue = LocalVenue([BTC, ETH], 12)
    for _ in range(100):
        flow.receive(*venue.apply(flow.step()))
    assert all(each.bid_ticks and each.ask_ticks for each in flow.markets)


@pytest.mark.parametrize("agents", [0, AGENTS_MOST + 1])
def test_a_number_of_agents_out_of_range_is_refused(agents: int) -> None:
    with pytest.raises(ConfigError, match=f"agents: {agents} is not within 1 to {AGENTS_MOST}"):
        AgentFlow([BTC], agents, 1)


@pytest.mark.parametrize(
    ("start", "grid"),
    [
        (100, 1), (199_999, 1), (200_000, 2), (499_999, 2), (500_000, 5), (999_999, 5),
        (1_000_000, 10), (1_999_999, 10), (2_000_000, 20), (10_000_000, 100),
    ],
)  # fmt: skip
def test_a_grid_is_the_widest_that_is_fine_enough(start: int, grid: int) -> None:
    assert _grid(start) == grid
