"""Ratios are medians of ours over medians of the null pipeline; without one the bench skips."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench import pipeline
from bench.__main__ import app
from bench.load import Load
from bench.pipeline import Sample, median, ratios


def sample(acked_per_s: float, p50_us: float | None) -> Sample:
    return Sample(acked_per_s, p50_us, 4.0, None, None, 10.0)


def test_ratio_is_of_medians() -> None:
    ours = [sample(50, 1.0), sample(10, 3.0), sample(40, 9.0)]
    null = [sample(100, 2.0), sample(80, 2.0), sample(90, None)]
    found = ratios(ours, null)
    assert found["acked_per_s"] == pytest.approx(40 / 90, abs=0.001)
    assert found["p50_us"] == 1.5
    assert found["bbo_p50_us"] is None


def test_median_skips_what_was_not_measured() -> None:
    assert median([None, 3.0, 1.0, 2.0]) == 2.0
    assert median([None]) is None


def test_loads_are_the_promised_ones() -> None:
    assert list(pipeline.loads(quick=True)) == [
        "closed, frames of 32",
        "closed, frames of 1",
        "open, 1,000/s",
        "open, 5,000/s",
        "open, 20,000/s",
        "open, 50,000/s",
    ]
    assert {load.clients for load in pipeline.loads(quick=False).values()} == {10}


def test_a_missing_null_pipeline_is_said_and_skipped(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["pipeline", "--null", str(tmp_path / "none.py")])
    assert result.exit_code == 0
    assert "skipped" in result.stdout


def test_figures_of_the_null_pipeline_are_read_from_its_last_line(tmp_path: Path) -> None:
    script = tmp_path / "null_pipeline.py"
    script.write_text(
        "import sys\n"
        "assert sys.argv[sys.argv.index('--rate') + 1] == '0', sys.argv\n"
        "assert sys.argv[sys.argv.index('--chunk') + 1] == '1', sys.argv\n"
        "print('noise')\n"
        'print(\'{"acked_per_s": 7, "rt_lat_us": {"p50": 1.5, "p99": 2}, "md_lat_us": null, '
        '"cpu_us_per_order": {"gw": 1.5, "sub": 2}}\')\n'
    )
    found = pipeline.run_null(script, Load(closed=True, chunk=1), "never")
    assert found == Sample(7, 1.5, 2, None, None, 3.5)


def test_overview_is_printed_without_a_command() -> None:
    result = CliRunner().invoke(app, [])
    assert result.exit_code == 0
    for command in ("core", "latency", "pipeline", "all"):
        assert f"python -m bench {command}" in result.stdout
