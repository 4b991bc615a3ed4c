"""Costs are flat in the size of the market where they should be, and the bench reports them."""

import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from bench import growth, growth_engine, growth_plot, machine
from bench.growth_engine import Built, Size
from crossbook.common.messages.commands import AmendOrder, CancelOrder, Command, NewOrder
from crossbook.common.types import Side
from crossbook.matcher.engine.engine import Engine

SMALL = Size(orders=200, levels=20, accounts=10)
LARGE = Size(orders=20_000, levels=2_000, accounts=1_000, instruments=5)
TINY = growth.GrowthPlan(
    orders=[100, 400],
    levels=[5, 20],
    instruments=[1, 3],
    accounts=[2, 20],
    subscribers=[1, 3],
    tails=[300, 600],
    snapshots=[100, 200],
    gap_orders=500,
    bytes_orders=500,
    seconds=0.3,
)


def work(engine: Engine, commands: list[Command]) -> int:
    """The number of lines run and C functions called for these commands. A loop over a growing
    state raises it on any machine."""
    count = 0

    def line(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += 1
        return line

    def call(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal count
        count += event == "c_call"

    sys.setprofile(call)
    sys.settrace(line)
    try:
        for command in commands:
            engine.apply(command)
    finally:
        sys.settrace(None)
        sys.setprofile(None)
    return count


def one_of_each(built: Built) -> list[Command]:
    """One command of each kind for a market: enter, amend, cancel, fill, and queries."""
    order_id, order = built.orders[0]
    buyer = NewOrder(
        gateway=0,
        request_seq=0,
        account=1,
        instrument=1,
        side=Side.BUY,
        order_type=1,
        time_in_force=3,
        price_ticks=built.middle * 2,
        quantity_lots=growth_engine.LOTS,
    )
    return [
        AmendOrder(
            gateway=0,
            request_seq=0,
            account=order.account,
            instrument=order.instrument,
            order_id=order_id,
            price_ticks=0,
            quantity_lots=9,
        ),
        CancelOrder(
            gateway=0,
            request_seq=0,
            account=order.account,
            instrument=order.instrument,
            order_id=order_id,
        ),
        built.renamed(order),
        buyer,
    ]


@pytest.mark.parametrize("money", [False, True])
def test_a_command_takes_the_same_steps_in_a_small_market_and_in_a_large_one(money: bool) -> None:
    steps = []
    for size in (SMALL, LARGE):
        built = Built(Size(size.orders, size.levels, size.instruments, size.accounts, money, True))
        steps.append(work(built.engine, one_of_each(built)))
    assert steps[1] <= steps[0] * 1.1


def test_time_grows_far_less_than_size() -> None:
    small, large = growth_engine.costs(SMALL), growth_engine.costs(LARGE)
    for kind in growth.KINDS:
        assert large[kind] < small[kind] * 20, (kind, "a hundred times the orders")


@pytest.mark.slow
def test_a_small_run_measures_every_series() -> None:
    report = growth.run(TINY)
    assert {len(each.values) for each in report.series} == {2}
    assert all(value > 0 for each in report.series for value in each.values)
    assert len({each.panel for each in report.series}) == 7
    assert len(report.bytes_each) == 5
    assert all(gap.most_ms >= gap.rare_ms > 0 for gap in report.gaps.values())


def test_a_report_is_shown_and_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    series = [
        growth.Series(panel=panel, name=name, unit="us", sizes=[1, 100], values=[2.0, 3.0])
        for panel in ("orders", "levels")
        for name in ("enter", "cancel, money")
    ]
    growth.show(
        growth.GrowthReport(
            bench="growth", machine=machine.describe(), method={"cost": "made up"}, series=series,
            bytes_each={"open order": growth_engine.Footprint(271.0, 262.0)},
            gaps={"as it runs": growth_engine.LongestCommand(6.2, 87_281, 0.28)},
        )
    )  # fmt: skip
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[-2:] for line in lines if "enter, us" in line] == [["0.09", "0.09"]] * 2
    assert any(line.split() == ["open", "order", "271", "262"] for line in lines)
    growth_plot.draw(tmp_path / "growth.png", "made up", series)
    assert (tmp_path / "growth.png").stat().st_size > 10_000


def test_a_slope_is_the_exponent_of_growth() -> None:
    made = growth.Series(
        panel="panel", name="name", unit="us", sizes=[10, 100, 10_000], values=[1.0, 10.0, 10.0],
    )  # fmt: skip
    assert made.slope == pytest.approx(1 / 3)
    assert made.last_slope == pytest.approx(0.0)
