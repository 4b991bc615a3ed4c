"""The recovery bench starts from its own files, which hold every command and every open order
once."""

from pathlib import Path

import pytest

from bench import recovery, workload
from crossbook.matcher.engine.engine import Engine
from crossbook.matcher.journal.disk import FileDisk
from crossbook.matcher.journal.journal import Journal


def test_a_small_run_measures_every_stage(capsys: pytest.CaptureFixture[str]) -> None:
    report = recovery.run(tail=2_000, open_orders=1_500, repeats=2)
    assert [row.commands for row in report.replayed] == [2_000, 2_000]
    assert [row.open_orders for row in report.loaded] == [1_500, 1_500]
    for replayed in report.replayed:
        assert 0 < replayed.check_s < replayed.total_s
        assert 0 < replayed.replay_s < replayed.total_s
        assert replayed.check_s + replayed.replay_s == pytest.approx(replayed.total_s, abs=0.001)
    for taken in report.snapshots.taken:
        assert 0 < taken.pause_ms < 1_000 * taken.write_s
    assert len(report.snapshots.taken) == 2
    sizes = (report.journal_mb, report.snapshots.file_mb, report.snapshots.writer_peak_mb)
    assert min(*sizes, *(row.peak_mb for row in report.loaded)) > 0
    assert report.commands_per_s > 0
    assert report.orders_per_s > 0
    recovery.show(report)
    shown = capsys.readouterr().out
    assert "2,000 commands" in shown
    assert "1,500 open orders" in shown


def test_the_journal_holds_ordinary_flow_in_batches(tmp_path: Path) -> None:
    recovery.write_journal(tmp_path, 1_000)
    disk = FileDisk(tmp_path, read_only=True)
    journal = Journal.open(disk, 1, b"", recovery.SEGMENT_BYTES, read_only=True)
    sizes = [record.last_seq - record.first_seq + 1 for _, record in journal.read(1)]
    disk.close()
    assert sizes == [128] * 7 + [104]


def test_resting_orders_all_rest_on_both_sides() -> None:
    engine = Engine([workload.INSTRUMENT])
    for order in recovery.resting(1_000):
        engine.apply(order)
    book = engine.book_state(workload.INSTRUMENT.id)
    assert (len(book.bids), len(book.asks)) == (500, 500)


def test_a_stage_has_a_process_of_its_own() -> None:
    assert recovery.apart(sum, [1, 2]) == 3
    with pytest.raises(ZeroDivisionError):
        recovery.apart(divmod, 1, 0)
