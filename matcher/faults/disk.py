"""A disk whose syncs take longer by fault rules."""

import time
from pathlib import Path

from crossbook.common.faults.table import FaultTable
from crossbook.common.faults.venue import DiskFault, VenueFacts
from crossbook.common.process.durable import sync_data
from crossbook.matcher.journal.disk import FileDisk


class SlowDisk(FileDisk):
    """As `FileDisk`, but slower while a rule of `table` orders it. `syncs` includes the wait."""

    def __init__(self, directory: Path, table: FaultTable) -> None:
        super().__init__(directory)
        self._table = table

    def sync(self, name: str) -> None:
        """Make what was written to the file so far survive a crash."""
        began_ns = time.monotonic_ns()
        for each in self._table.due(DiskFault, VenueFacts()):
            time.sleep(each.draw_delay_s())
        sync_data(self._open(name))
        self.syncs.add(time.monotonic_ns() - began_ns)
