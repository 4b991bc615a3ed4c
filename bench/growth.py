"""Cost against size: the cost of a command, a message and a start as the market grows.

Every point is measured in a process of its own (`growth_engine.py`, `growth_feed.py`).
"""

import math
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from bench import growth_engine, machine, recovery
from bench.growth_engine import Footprint, Kept, LongestCommand, Size
from bench.growth_feed import MessageCost, cost_per_message

KINDS: Final = ("enter", "cancel", "amend", "fill")


class Series(Struct, frozen=True):
    """One line of one panel: a value at each size."""

    panel: str
    name: str
    unit: str
    sizes: list[int]
    values: list[float]

    @property
    def slope(self) -> float:
        """Exponent of growth from the first to the last size: 0 is flat, 1 proportional."""
        return _slope(self.sizes[0], self.sizes[-1], self.values[0], self.values[-1])

    @property
    def last_slope(self) -> float:
        """The same from the last size but one."""
        return _slope(self.sizes[-2], self.sizes[-1], self.values[-2], self.values[-1])


class GrowthPlan(Struct, frozen=True):
    """The sizes measured."""

    orders: list[int]
    levels: list[int]
    instruments: list[int]
    accounts: list[int]
    subscribers: list[int]
    tails: list[int]
    snapshots: list[int]
    gap_orders: int
    bytes_orders: int
    seconds: float


FULL: Final = GrowthPlan(
    orders=[10**n for n in range(2, 8)],
    levels=[10**n for n in range(1, 7)],
    instruments=[1, 10, 100, 1_000],
    accounts=[10**n for n in range(1, 7)],
    subscribers=[1, 10, 100, 1_000],
    tails=[10**n for n in range(3, 7)],
    snapshots=[10**n for n in range(3, 7)],
    gap_orders=1_000_000,
    bytes_orders=200_000,
    seconds=5.0,
)
QUICK: Final = GrowthPlan(
    orders=[100, 10_000, 1_000_000],
    levels=[10, 1_000, 100_000],
    instruments=[1, 1_000],
    accounts=[10, 1_000, 100_000],
    subscribers=[1, 100, 1_000],
    tails=[1_000, 10_000, 100_000],
    snapshots=[1_000, 10_000, 100_000],
    gap_orders=200_000,
    bytes_orders=100_000,
    seconds=2.0,
)


class GrowthReport(Struct, frozen=True):
    """Result of `python -m bench growth`."""

    bench: str
    machine: machine.Machine
    method: dict[str, str]
    series: list[Series]
    bytes_each: dict[str, Footprint]
    """The cost of one more of each."""
    gaps: dict[str, LongestCommand]


def run(plan: GrowthPlan) -> GrowthReport:
    """Measure everything, one after the other."""
    described = machine.describe()
    apart = recovery.apart
    series = [
        *_costs("open orders", plan.orders, [(n, Size(orders=n)) for n in plan.orders], KINDS),
        *_costs(
            "levels of a side",
            plan.levels,
            [(n, Size(orders=max(100_000, 2 * n), levels=n)) for n in plan.levels],
            (*KINDS, "best level", "any level"),
        ),
        *_costs(
            "instruments",
            plan.instruments,
            [(n, Size(instruments=n)) for n in plan.instruments],
            KINDS,
        ),
        _series(
            "instruments", "publisher", "us", plan.instruments,
            [apart(growth_engine.published, n) for n in plan.instruments],
        ),
    ]  # fmt: skip
    for money in (False, True):
        sizes = [(n, Size(orders=max(100_000, n), accounts=n, money=money)) for n in plan.accounts]
        suffix = ", money" if money else ""
        series += _costs("accounts", plan.accounts, sizes, KINDS, suffix)
    series += _subscribers(plan)
    series += _starts(plan)
    kept: list[Kept] = [apart(growth_engine.snapshot, n) for n in plan.snapshots]
    named = (("make", "s"), ("load", "s"))
    for (name, unit), values in zip(
        named, ([each.make_s for each in kept], [each.load_s for each in kept]), strict=True
    ):
        series.append(_series("open orders in a snapshot", name, unit, plan.snapshots, values))
    megabytes = [each.megabytes for each in kept]
    series.append(_series("open orders in a snapshot", "size", "MB", plan.snapshots, megabytes))
    return GrowthReport(
        bench="growth",
        machine=described,
        method={
            "cost": "microseconds of processor time through Engine.apply, median of blocks; what "
            "is named is drawn at random over the whole market",
            "market": "100,000 open orders, 1,000 levels a side, 1 instrument, 64 accounts, unless "
            "the panel says otherwise",
            "slope": "exponent of growth over all sizes, and over the last two; 1 is proportional",
        },
        series=series,
        bytes_each=_bytes(plan.bytes_orders),
        gaps=_gaps(plan.gap_orders),
    )


def _costs(
    panel: str,
    sizes: Sequence[int],
    markets: Iterable[tuple[int, Size]],
    kinds: Sequence[str],
    suffix: str = "",
) -> list[Series]:
    found = [recovery.apart(growth_engine.costs, size) for _, size in markets]
    return [
        _series(panel, kind + suffix, "us", sizes, [each[kind] for each in found]) for kind in kinds
    ]


def _subscribers(plan: GrowthPlan) -> list[Series]:
    found: list[MessageCost] = [cost_per_message(n, plan.seconds) for n in plan.subscribers]
    rows = {
        "sender's processor time": [each.sender_us for each in found],
        "until the first reads": [each.first_us for each in found],
        "until the last reads": [each.last_us for each in found],
    }
    return [
        _series("subscribers", name, "us", plan.subscribers, values)
        for name, values in rows.items()
    ]


def _starts(plan: GrowthPlan) -> list[Series]:
    checks, totals = [], []
    for tail in plan.tails:
        with tempfile.TemporaryDirectory(prefix="crossbook-growth-") as made:
            recovery.apart(recovery.write_journal, Path(made), tail)
            replayed = recovery.apart(recovery.replay, Path(made))
            checks.append(replayed.check_s)
            totals.append(replayed.total_s)
    panel = "commands behind the snapshot"
    return [
        _series(panel, "start", "s", plan.tails, totals),
        _series(panel, "of it reading and checking", "s", plan.tails, checks),
    ]


def _series(
    panel: str, name: str, unit: str, sizes: Sequence[int], values: Sequence[float]
) -> Series:
    return Series(panel, name, unit, list(sizes), list(values))


def _bytes(many: int) -> dict[str, Footprint]:
    """Bytes of one more order, level, account: markets that differ in nothing else, subtracted."""

    def taken(size: Size) -> Footprint:
        return Footprint(
            recovery.apart(growth_engine.memory, size, False).resident,
            recovery.apart(growth_engine.memory, size, True).allocated,
        )

    order = taken(Size(orders=many))
    named = taken(Size(orders=many, named=True))
    funded = taken(Size(orders=many, money=True))
    found = {"open order": order, "open order with a client order id": named}
    for name, size, base in (
        ("price level", Size(orders=many, levels=many // 2), order),
        ("account", Size(orders=many, accounts=many), order),
        ("account with money", Size(orders=many, accounts=many, money=True), funded),
    ):
        whole = taken(size)
        found[name] = Footprint(
            round(whole.resident - base.resident, 1), round(whole.allocated - base.allocated, 1)
        )
    return found


def _gaps(orders: int) -> dict[str, LongestCommand]:
    rows = {
        "as the matcher runs": (64, False),
        "one account has all of them": (1, False),
        "the garbage collector on": (64, True),
    }
    return {
        f"{orders:,} orders, {name}": recovery.apart(
            growth_engine.longest, orders, accounts, collector
        )
        for name, (accounts, collector) in rows.items()
    }


def _slope(size: int, last_size: int, value: float, last_value: float) -> float:
    tiny = 1e-9
    return math.log(max(last_value, tiny) / max(value, tiny)) / math.log(last_size / size)


def show(report: GrowthReport) -> None:
    """Print the report for a person."""
    print(f"growth: cost against size\n{machine.line(report.machine)}")
    for name, text in report.method.items():
        print(f"{name}: {text}")
    panel = ""
    for each in report.series:
        if each.panel != panel:
            panel = each.panel
            print(f"\n{panel:<32}", *(f"{size:>10,}" for size in each.sizes), "   slope  last")
        cells = " ".join(f"{_short(value):>10}" for value in each.values)
        name = f"  {each.name}, {each.unit}"
        print(f"{name:<32} {cells}    {each.slope:5.2f} {each.last_slope:5.2f}")
    print(f"\n{'bytes of one more':<36}{'resident':>10}{'allocated':>11}")
    for name, taken in report.bytes_each.items():
        print(f"  {name:<34}{taken.resident:>10,.0f}{taken.allocated:>11,.0f}")
    print(f"\n{'longest command, ms':<58}{'longest':>9}{'at':>11}{'1 in 10,000':>13}")
    for name, gap in report.gaps.items():
        print(f"  {name:<56}{gap.most_ms:>9.2f}{gap.at:>11,}{gap.rare_ms:>13.2f}")


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 1_000 else f"{value:.3g}"
