"""The core bench counts correctly, and reports a peer that disagrees."""

from collections.abc import Sequence
from typing import get_args

import msgspec
import pytest

from bench import core, mixed, other_build, peers, workload
from bench.peers import PeerEngine
from bench.traded import Traded, difference, reference, traded
from crossbook.common.messages.commands import CancelOrder, Command, NewOrder
from crossbook.common.messages.events import Event
from crossbook.matcher import build

ALONE = core.CorePlan(2_000, repeats=1, with_peers=False)
BUILDS = core.CorePlan(2_000, repeats=1, with_peers=False, with_other_build=True)


def test_report_names_method_machine_and_worst_scenario() -> None:
    report = core.run(["static", "normal"], ALONE)
    document = msgspec.to_builtins(report)
    assert {"bench", "machine", "method", "scenarios", "worst"} <= document.keys()
    assert {"cpu", "cpus", "python", "versions", "busy_percent"} <= document["machine"].keys()
    speeds = [scenario.speeds[0].messages_per_s for scenario in report.scenarios]
    assert report.worst == {core.OURS: min(speeds)}
    assert min(speeds) > 1_000
    assert [s.mix.new_orders for s in report.scenarios] == [1_000, 1_000]


def test_the_mixed_scenario_is_ours_alone_and_not_in_the_worst() -> None:
    report = core.run(["normal", core.MIXED], ALONE)
    normal, everything = report.scenarios
    assert report.worst == {core.OURS: normal.speeds[0].messages_per_s}
    assert [speed.engine for speed in everything.speeds] == [core.OURS]
    assert everything.traded.trades > 0


def test_every_event_is_produced() -> None:
    commands = workload.generate("normal", 500)
    # One answer each at least; trades and expiries on top.
    assert core.apply_all(commands) > len(commands)
    flow = mixed.generate(500)
    engine = mixed.engine()
    assert core.apply_timed(flow) == sum(len(engine.apply(*timed)) for timed in flow)
    assert len(get_args(Event)) == 22, "tests/bench/test_mixed.py checks all of them"


def test_reference_counts_trades_and_resting_orders() -> None:
    commands: list[Command] = [
        NewOrder(
            gateway=0,
            request_seq=0,
            account=1,
            instrument=1,
            side=1,
            order_type=1,
            time_in_force=1,
            price_ticks=100,
            quantity_lots=5,
        ),
        NewOrder(
            gateway=0,
            request_seq=0,
            account=2,
            instrument=1,
            side=2,
            order_type=1,
            time_in_force=2,
            price_ticks=100,
            quantity_lots=3,
        ),
        NewOrder(
            gateway=0,
            request_seq=0,
            account=2,
            instrument=1,
            side=2,
            order_type=1,
            time_in_force=1,
            price_ticks=200,
            quantity_lots=1,
        ),
        CancelOrder(gateway=0, request_seq=0, account=1, instrument=1, order_id=1),
    ]
    assert reference(commands) == (traded([(100, 3)]), 1)


@pytest.mark.parametrize(
    ("fills", "text"),
    [
        ([(100, 3), (101, 2)], ""),
        ([(100, 3)], "trades 1, ours 2"),
        ([(100, 3), (101, 3)], "lots 6, ours 5"),
        ([(100, 3), (102, 2)], "notional 504, ours 502"),
        ([(101, 2), (100, 3)], "as many trades, but not the same ones in the same order"),
    ],
)
def test_a_difference_is_named(fills: list[tuple[int, int]], text: str) -> None:
    assert difference(traded(fills), traded([(100, 3), (101, 2)])) == text


def test_a_peer_with_other_trades_is_shown_as_such(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def elapsed_ns(commands: Sequence[Command], collect_garbage: bool) -> int:
        assert not collect_garbage
        return len(commands) * 1_000

    def differs(commands: Sequence[Command]) -> str:
        return difference(Traded(len(commands), 1, 1, ""), reference(commands)[0])

    wrong = PeerEngine("pyorderbook", "Python", elapsed_ns, differs, most_messages=500)
    monkeypatch.setattr(peers, "available", lambda: [wrong])
    monkeypatch.setattr(peers, "PEERS", (wrong,))
    report = core.run(["normal"], core.CorePlan(2_000, repeats=1))
    ours, theirs = report.scenarios[0].speeds
    assert not ours.differs
    assert theirs.differs.startswith("trades 500, ours ")
    assert theirs.messages == 500
    assert theirs.messages_per_s == 1_000_000
    core.show(report)
    printed = capsys.readouterr().out
    assert "DIFFERS: pyorderbook in normal: trades 500" in printed
    assert "pyorderbook runs the first 500 messages only" in printed


def test_the_other_build_runs_the_same_flow_in_a_process_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # This build stands for the other one, so that nothing needs to be compiled.
    monkeypatch.setattr(other_build, "NAME", build.running())
    report = core.run(["swing-40", core.MIXED], BUILDS)
    for scenario in report.scenarios:
        assert [speed.engine for speed in scenario.speeds] == [core.OURS, core.OTHER]
        assert [speed.differs for speed in scenario.speeds] == ["", ""]
        assert scenario.speeds[1].messages_per_s > 1_000
