"""One seed, one run: the same on every machine, so that a failure can be repeated."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.run import SimulationFailed, simulate
from tests.simulation.world import SimulatedWorld, require

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("seed", [4211, 7, 8])
def test_the_same_seed_gives_the_same_run(seed: int) -> None:
    lines: list[str] = []
    first = simulate(seed, show=lines.append)
    second = simulate(seed)
    assert first == second
    assert len(lines) > 100


def test_other_seeds_give_other_runs() -> None:
    assert len({simulate(seed).trace_hash for seed in range(5)}) == 5


def test_a_run_does_not_depend_on_the_order_of_hashes() -> None:
    printed = set()
    for hash_seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-m", "tests.simulation", "--seed", "4211", "--runs", "1"],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        printed.add(done.stdout)
    assert len(printed) == 1
    assert "trace" in printed.pop()


def test_a_failure_prints_the_command_that_repeats_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "tests.simulation.run.check", lambda engine: require(False, "nothing holds")
    )
    with pytest.raises(SimulationFailed, match="nothing holds") as caught:
        simulate(3, steps=5)
    assert "python -m tests.simulation --seed 3 --steps 5" in str(caught.value)


def test_actions_due_at_one_time_run_in_the_order_of_their_scheduling() -> None:
    world = SimulatedWorld(0)
    done: list[int] = []
    for number in range(5):
        world.at(world.now_ns + 10, lambda number=number: done.append(number))  # type: ignore[misc]
    world.run_until(world.now_ns + 9)
    assert done == []
    world.run_until(world.now_ns + 1)
    assert done == [0, 1, 2, 3, 4]
