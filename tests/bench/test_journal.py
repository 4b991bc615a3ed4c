"""The journal's bench counts every append and separates those that begin a segment."""

from pathlib import Path

import pytest

from bench import journal


def test_a_short_run_reports_every_policy_and_size(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "SEGMENT_BYTES", 1024 * 1024)
    monkeypatch.setattr(journal, "ROTATION_SEGMENT_BYTES", 256 * 1024)
    monkeypatch.setattr(journal, "ROTATIONS", 3)
    report = journal.run(tmp_path, seconds=0.02, repeats=1)
    assert [(row.policy, row.record_bytes) for row in report.rows] == [
        (policy, size) for policy in journal.POLICIES for size in journal.RECORD_BYTES
    ]
    for row in report.rows:
        assert min(row.journal.count, row.bare.count, row.journal_per_s, row.bare_per_s) > 0
    journal.show(report)
    out = capsys.readouterr().out
    assert "begins a segment" in out
    assert not list(tmp_path.iterdir())


def test_rotations_are_counted_apart_from_other_appends(tmp_path: Path) -> None:
    begins, others = journal.measure_rotation(tmp_path / "data", 3, 256 * 1024)
    assert begins.count == 3
    assert 3 * 11 <= others.count <= 3 * 13
