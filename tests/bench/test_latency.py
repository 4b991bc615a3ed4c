"""A second of the latency bench against the three real processes, as a user runs it."""

import subprocess
import sys
from pathlib import Path

import msgspec

from bench import latency

REPOSITORY = Path(__file__).resolve().parents[2]


def test_a_second_against_the_real_exchange_is_measured_and_drawn(tmp_path: Path) -> None:
    path, picture = tmp_path / "report.json", tmp_path / "curves.png"
    options = f"--rate 2000 --duration 1 --warm 0.25 --clients 4 --json {path} --plot {picture}"
    done = subprocess.run(
        [sys.executable, "-m", "bench", "latency", *options.split()],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = msgspec.json.decode(path.read_bytes(), type=latency.LatencyReport)
    assert report.sent == 2_000
    assert report.unanswered == 0
    assert report.acked + sum(report.rejects.values()) == 2_000
    assert report.acked > 1_800, report.rejects
    assert set(report.rejects) <= {"UNKNOWN_ORDER"}
    assert 1_200 <= report.round_trip.count <= 1_500
    assert 0 < report.round_trip.p50_us <= report.round_trip.p99_us <= report.round_trip.max_us
    assert report.bbo.count > 20
    assert report.bbo_lost == 0
    assert report.executions > 100
    assert set(report.cpu) == {"matcher", "publisher", "gateway", "generator", "subscriber"}
    assert "order to ack" in done.stdout
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_json_carries_machine_versions_and_method() -> None:
    fields = set(latency.LatencyReport.__struct_fields__)
    assert {"machine", "method", "load", "transport", "round_trip", "bbo", "cpu"} <= fields
    assert {"open_loop", "round_trip", "bbo", "flow", "clock"} <= latency.METHOD.keys()
