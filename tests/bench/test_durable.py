"""The durable bench gives every policy its turn and divides durable by not durable."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench import durable, pipeline
from bench.__main__ import app
from bench.latency import Sync, Transport
from bench.load import Load
from bench.pipeline import Sample

LOADS = {"tiny": Load(closed=True, chunk=2, window=8, clients=2, duration_s=0.4, warm_s=0.1)}
Turn = tuple[str, str]


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> list[Turn]:
    """The runs asked for, in order; figures stand in for them."""
    asked: list[Turn] = []

    def run_ours(load: Load, transport: Transport, sync: Sync) -> Sample:
        asked.append(("ours", sync))
        return _sample(90 if sync == "batch" else 100)

    def run_null(script: Path, load: Load, sync: Sync) -> Sample:
        assert script.is_file()
        asked.append(("null", sync))
        return _sample(180 if sync == "batch" else 400)

    monkeypatch.setattr(pipeline, "run_ours", run_ours)
    monkeypatch.setattr(pipeline, "run_null", run_null)
    return asked


@pytest.fixture
def null_pipeline(tmp_path: Path) -> Path:
    for name in pipeline.NULL_FILES:
        (tmp_path / name).touch()
    return tmp_path / pipeline.NULL_FILES[0]


def _sample(acked_per_s: float) -> Sample:
    return Sample(acked_per_s, None, None, None, None, 10.0)


def test_all_four_take_turns_and_another_begins(turns: list[Turn], null_pipeline: Path) -> None:
    report = durable.run(null_pipeline, LOADS, repeats=2)
    four = [("ours", "batch"), ("ours", "never"), ("null", "batch"), ("null", "never")]
    assert turns == four + four[1:] + four[:1]
    (case,) = report.cases
    assert case.durable_over_not == 0.9
    assert case.ours_over_null == {"batch": 0.5, "never": 0.25}


def test_without_a_null_pipeline_ours_is_measured_alone(turns: list[Turn], tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    arguments = ["durable", "--quick", "--null", str(tmp_path / "none.py"), "--json", str(path)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert turns == [("ours", "batch"), ("ours", "never")] * 2
    assert "ours only" in result.stdout
    assert "0.90" in result.stdout
    assert path.is_file()


def test_a_real_run_of_ours_under_both_policies(capsys: pytest.CaptureFixture[str]) -> None:
    report = durable.run(None, LOADS, repeats=1)
    (case,) = report.cases
    assert all(sample.acked_per_s > 0 for samples in case.ours.values() for sample in samples)
    assert case.durable_over_not is not None
    durable.show(report)
    assert "tiny" in capsys.readouterr().out


def test_the_loads_are_the_closed_loops_of_the_pipeline_bench() -> None:
    found = durable.closed_loads(quick=True)
    assert list(found) == ["closed, frames of 32", "closed, frames of 1"]
