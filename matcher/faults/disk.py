"""A disk whose syncs take longer by fault rules."""

import time
from pathlib import Path
from typing import Final

from crossbook.common.faults.table import Due, FaultTable
from crossbook.common.faults.venue import DiskFault, VenueFacts
from crossbook.matcher.journal.disk import FileDisk

LOOK_S: Final = 0.01
"""How long a wait may go on after its rule is removed."""


class SlowDisk(FileDisk):
    """As `FileDisk`, but slower while a rule of `table` orders it. `syncs` includes the wait."""

    def __init__(self, directory: Path, table: FaultTable, *, durable: bool = True) -> None:
        super().__init__(directory, durable=durable)
        self._table = table

    def sync(self, name: str) -> None:
        """Make what was written to the file so far survive a crash."""
        began_ns = time.monotonic_ns()
        for each in self._table.due(DiskFault, VenueFacts()):
            self._wait(each, time.monotonic() + each.draw_delay_s())
        self._sync_data(self._open(name))
        self.syncs.add(time.monotonic_ns() - began_ns)

    def _wait(self, rule: Due[DiskFault], until_s: float) -> None:
        """Wait until a time, or until the rule is removed."""
        table = self._table
        while (left_s := until_s - time.monotonic()) > 0 and rule in table.in_force(DiskFault):
            time.sleep(min(left_s, LOOK_S))
