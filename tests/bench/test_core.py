"""The core bench counts what it says, and notices a peer that disagrees."""

import importlib
from collections.abc import Iterable

import msgspec
import pytest

from bench import core, peers, workload
from bench.peers import PEERS, Traded
from common.commands import CancelOrder, Command, NewOrder


def test_report_names_method_machine_and_worst_scenario() -> None:
    report = core.run(["static", "normal"], 2_000, repeats=1, with_peers=False)
    document = msgspec.to_builtins(report)
    assert {"bench", "machine", "method", "scenarios", "worst"} <= document.keys()
    assert {"cpu", "cpus", "python", "versions", "busy_percent"} <= document["machine"].keys()
    speeds = [scenario.speeds[0].messages_per_s for scenario in report.scenarios]
    assert report.worst == {core.OURS: min(speeds)}
    assert min(speeds) > 1_000
    assert [s.mix.new_orders for s in report.scenarios] == [1_000, 1_000]


def test_every_event_is_produced() -> None:
    commands = workload.generate("normal", 500)
    # One answer each at least; trades and expiries on top.
    assert core.apply_all(commands) > len(commands)


def test_reference_counts_trades_and_resting_orders() -> None:
    commands: list[Command] = [
        NewOrder(0, 0, 1, 1, 1, 1, 1, 100, 5),
        NewOrder(0, 0, 2, 1, 2, 1, 2, 100, 3),
        NewOrder(0, 0, 2, 1, 2, 1, 1, 200, 1),
        CancelOrder(0, 0, 1, 1, 1),
    ]
    assert core.reference(commands) == (Traded(1, 3, 300), 1)


def test_a_peer_that_trades_otherwise_is_shown_as_such(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def wrong(commands: Iterable[Command]) -> Traded:
        return Traded(len(list(commands)), 1, 1)

    monkeypatch.setattr(peers, "available", lambda: {"wrong": wrong})
    report = core.run(["normal"], 2_000, repeats=1)
    assert [speed.agrees for speed in report.scenarios[0].speeds] == [True, False]
    core.show(report)
    assert "DIFFERS" in capsys.readouterr().out


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("scenario", workload.SCENARIOS)
def test_installed_peers_trade_what_we_trade(name: str, scenario: str) -> None:
    if name not in peers.available():
        pytest.skip(f"{name} is not installed; it is an optional peer of the core bench")
    importlib.import_module(name)
    commands = workload.generate(scenario, 5_000)
    assert PEERS[name](commands) == core.reference(commands)[0]
