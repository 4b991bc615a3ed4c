"""A slow disk: its syncs take longer while a rule orders it."""

import threading
import time
from pathlib import Path

from crossbook.common.faults.table import FaultTable
from crossbook.common.faults.venue import DiskSlow
from crossbook.matcher.faults.disk import SlowDisk


def test_a_sync_takes_longer_as_often_as_its_rule_applies(tmp_path: Path) -> None:
    table = FaultTable("matcher")
    disk = SlowDisk(tmp_path, table)
    disk.claim("a.journal", 4_096, b"head")
    table.add(DiskSlow(milliseconds=60, every=2))
    took: list[float] = []
    for at in range(4):
        disk.write("a.journal", 100 + at, b"x")
        began = time.monotonic()
        disk.sync("a.journal")
        took.append(time.monotonic() - began)
    disk.close()
    assert min(took[1], took[3]) >= 0.06
    assert table.applied["disk_slow"] == 2
    assert disk.syncs.total >= 120_000_000
    assert sum(disk.syncs.counts) == 4


def test_a_sync_ends_once_its_rule_is_removed(tmp_path: Path) -> None:
    table = FaultTable("matcher")
    disk = SlowDisk(tmp_path, table)
    disk.claim("a.journal", 4_096, b"head")
    table.add(DiskSlow(milliseconds=60_000))
    syncing = threading.Thread(target=disk.sync, args=["a.journal"])
    syncing.start()
    while not table.applied["disk_slow"]:
        pass
    table.clear()
    syncing.join(10)
    assert not syncing.is_alive()
    disk.close()
