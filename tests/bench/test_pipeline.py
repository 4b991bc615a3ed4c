"""A ratio is the median of ours over the median of the null pipeline; both run in turn."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench import latency, pipeline
from bench.__main__ import app
from bench.load import LoadPlan
from bench.pipeline import Sample, Tail, Trial, median, ratios

TINY = LoadPlan(closed=True, chunk=2, window=8, clients=2, duration_s=0.4, warm_s=0.1)


def sample(acked_per_s: float, p50_us: float | None = None) -> Sample:
    tail = None if p50_us is None else Tail(p50=p50_us, p90=2 * p50_us, p99=4.0, p999=5.0, max=6.0)
    return Sample(acked_per_s, 10.0, tail, None)


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The requested runs in their order. Fixed figures replace the measurements."""
    runs: list[tuple[str, str]] = []

    def run_ours(trial: Trial, transport: latency.Transport) -> Sample:
        runs.append(("ours", trial.name))
        return sample(90 if trial.durable else 100, 30.0)

    def run_null(script: Path, trial: Trial) -> Sample:
        assert script.is_file()
        runs.append(("null", trial.name))
        return sample(180 if trial.durable else 400, 20.0)

    monkeypatch.setattr(pipeline, "run_ours", run_ours)
    monkeypatch.setattr(pipeline, "run_null", run_null)
    return runs


@pytest.fixture
def null_pipeline(tmp_path: Path) -> Path:
    for name in pipeline.NULL_FILES:
        (tmp_path / name).touch()
    return tmp_path / pipeline.NULL_FILES[0]


def test_a_ratio_is_that_of_medians() -> None:
    ours = [sample(50, 1.0), sample(10, 3.0), sample(40, 9.0)]
    null = [sample(100, 2.0), sample(80, 2.0), sample(90, None)]
    found = ratios(ours, null)
    assert found["acked/s"] == pytest.approx(40 / 90, abs=0.001)
    assert found["ack p50"] == 1.5
    assert found["BBO p50"] is None


def test_a_median_skips_missing_figures() -> None:
    assert median([None, 3.0, 1.0, 2.0]) == 2.0
    assert median([None]) is None


def test_trials_are_the_promised_ones() -> None:
    every = pipeline.trials(quick=False)
    shapes = {
        (each.load.chunk if each.load.closed else each.load.rate, each.load.clients, each.durable)
        for each in every
    }
    kinds = (1, 8, 32, 1_000, 5_000, 20_000, 50_000)
    expected = {
        (kind, many, how) for kind in kinds for many in (1, 10, 100) for how in (True, False)
    }
    assert shapes == expected
    assert len(every) == len(expected)
    quick = {each.name for each in pipeline.trials(quick=True)}
    assert quick < {each.name for each in every}
    assert {aim.trial.name for aim in pipeline.AIMS} < quick


def test_both_take_turns_and_begin_in_turn(
    turns: list[tuple[str, str]], null_pipeline: Path
) -> None:
    trial = Trial(TINY, durable=True)
    report = pipeline.run(null_pipeline, [trial], repeats=2)
    assert [runner for runner, _ in turns] == ["ours", "null", "null", "ours"]
    (case,) = report.cases
    assert case.ratios["acked/s"] == 0.5
    assert case.ratios["ack p50"] == 1.5


def test_the_report_has_aims_and_the_cost_of_durability(
    turns: list[tuple[str, str]], null_pipeline: Path, tmp_path: Path
) -> None:
    path = tmp_path / "report.json"
    arguments = ["pipeline", "--quick", "--null", str(null_pipeline), "--json", str(path)]
    result = CliRunner().invoke(app, [*arguments, "--plots", str(tmp_path)])
    assert result.exit_code == 0, result.output
    lines = [line for line in result.stdout.splitlines() if line.startswith("acked/s, frames")]
    assert [line.split()[-3:] for line in lines] == [["0.50", "0.30", "0.50"]]
    assert "frames of 32, 10 clients: durable over not 0.90 (aim 0.80)" in result.stdout
    assert path.is_file()
    assert (tmp_path / "pipeline-ack.png").stat().st_size > 10_000
    assert not (tmp_path / "pipeline-bbo.png").exists()


def test_without_a_null_pipeline_ours_is_measured_alone(
    turns: list[tuple[str, str]], tmp_path: Path
) -> None:
    arguments = ["pipeline", "--quick", "--only", "frames of 1,", "--null", str(tmp_path / "none")]
    result = CliRunner().invoke(app, [*arguments, "--plots", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert {runner for runner, _ in turns} == {"ours"}
    assert "ours only" in result.stdout


def test_an_unknown_load_is_refused(turns: list[tuple[str, str]]) -> None:
    result = CliRunner().invoke(app, ["pipeline", "--only", "sideways"])
    assert result.exit_code == 2
    assert not turns


def test_a_real_run_of_ours_is_measured_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    report = pipeline.run(None, [Trial(TINY, durable=False)])
    (case,) = report.cases
    (found,) = case.ours
    assert found.acked_per_s > 0
    assert found.ack is not None
    assert 0 < found.ack.p50 <= found.ack.p99 <= found.ack.max
    pipeline.show(report)
    assert case.name in capsys.readouterr().out


def test_figures_of_the_null_pipeline_are_read_from_its_last_line(tmp_path: Path) -> None:
    script = tmp_path / "null_pipeline.py"
    script.write_text(
        "import sys\n"
        "assert sys.argv[sys.argv.index('--rate') + 1] == '0', sys.argv\n"
        "assert sys.argv[sys.argv.index('--chunk') + 1] == '1', sys.argv\n"
        "assert sys.argv[sys.argv.index('--journal') + 1] == 'inline', sys.argv\n"
        "print('noise')\n"
        'print(\'{"acked_per_s": 7, "md_lat_us": {}, "cpu_us_per_order": {"gw": 1.5, "sub": 2}, '
        '"rt_lat_us": {"n": 3, "p50": 1.5, "p90": 1.8, "p99": 2, "p999": 3, "max": 4}}\')\n'
    )
    found = pipeline.run_null(script, Trial(LoadPlan(closed=True, chunk=1), durable=True))
    assert found == Sample(7, 3.5, Tail(p50=1.5, p90=1.8, p99=2, p999=3, max=4), None)


def test_overview_is_printed_without_a_command() -> None:
    result = CliRunner().invoke(app, [])
    assert result.exit_code == 0
    for command in ("core", "latency", "pipeline", "all"):
        assert f"python -m bench {command}" in result.stdout
