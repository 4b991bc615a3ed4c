"""Exchanges that are started before a test needs them.

A start takes a tenth of a second of two processors. The spare of the next test is started while the
present test runs, so that the next one begins at once.
"""

import threading
from typing import Final

from crossbook.common.errors import CrossbookError
from crossbook.testing.plan import Plan
from crossbook.testing.processes import Processes


class Spares:
    """At most one exchange that nobody has used, for any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spare: Processes | None = None
        self._starting: threading.Thread | None = None

    def take(self, plan: Plan) -> Processes:
        """An exchange of this plan: the spare, which is ready, or a new one, which starts."""
        self._finish()
        with self._lock:
            spare = self._spare
            if spare is not None and spare.plan == plan:
                self._spare = None
                return spare
        return _started(plan)

    def prepare(self, plan: Plan) -> None:
        """Start the spare of a plan in the background, unless it is there."""
        self._finish()
        if self._spare is not None and self._spare.plan == plan:
            return
        self.close()
        self._starting = threading.Thread(target=self._start, args=(plan,), daemon=True)
        self._starting.start()

    def close(self) -> None:
        """End the spare."""
        self._finish()
        with self._lock:
            spare, self._spare = self._spare, None
        if spare is not None:
            spare.close(wait=False)

    def _start(self, plan: Plan) -> None:
        spare = _started(plan)
        try:
            spare.wait_ready()
        except CrossbookError:
            # The test that needs it starts another, and shows the error of that one.
            spare.close()
            return
        with self._lock:
            self._spare = spare

    def _finish(self) -> None:
        starting, self._starting = self._starting, None
        if starting is not None:
            starting.join()


def _started(plan: Plan) -> Processes:
    processes = Processes(plan)
    try:
        processes.start_all()
    except BaseException:
        processes.close()
        raise
    return processes


SPARES: Final = Spares()
