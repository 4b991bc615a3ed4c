"""The shards bench runs every number of shards in turn, and bounds the gain of more cores."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench import shards
from bench.__main__ import app
from bench.latency import Cpu, Sync
from bench.load import LoadPlan


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The requested runs in their order. Fixed figures replace the measurements."""
    counts: list[int] = []

    def turn(load: LoadPlan, count: int, sync: Sync) -> shards.ShardsRun:
        assert load.closed
        assert sync == "batch"
        counts.append(count)
        cpu = {
            "gateway": Cpu(50.0, 20.0), "generator": Cpu(50.0, 80.0),
            "matcher": Cpu(50.0, 25.0 / count),
        }  # fmt: skip
        return shards.ShardsRun(
            shards=count, acked_per_s=10_000.0 * (2 + count), rejects=0, unanswered=0, cpu=cpu,
        )  # fmt: skip

    monkeypatch.setattr(shards, "_turn", turn)
    return counts


def test_each_number_of_shards_has_its_turn_and_another_one_begins(
    turns: list[int], tmp_path: Path
) -> None:
    path = tmp_path / "shards.json"
    done = CliRunner().invoke(app, ["shards", "--repeats", "2", "--json", str(path)])
    assert done.exit_code == 0, done.output
    assert turns == [1, 2, 2, 1]
    assert "1 shard: 30,000 acked/s (1.00 of 1), allowed 40,000" in done.output
    assert "2 shards: 40,000 acked/s (1.33 of 1), allowed 50,000" in done.output
    assert path.is_file()
