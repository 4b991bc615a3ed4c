"""Fixtures for every folder of tests, and the logs of running processes in reports of failures.

Most runs need no exchange, so processes and their starter are imported with the first test module
that needs one.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Generator, Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import pytest

from crossbook.matcher.build import use_build

if TYPE_CHECKING:
    from tests.system.exchange import Exchange

EXCHANGES = "tests.system.exchange"

ONE_AFTER_ANOTHER = ("abuse", "crash", "system")
"""Folders whose tests keep both cores busy, or measure time: one worker runs them all."""

# The test files, which import the engine, come after this one.
use_build()

# A shell, or xdist for its workers, sets the width of a terminal that nothing here has.
for _name in ("COLUMNS", "LINES"):
    os.environ.pop(_name, None)

# A shell ignores both for what it runs in the background, and the processes that tests start and
# interrupt would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Assign tests to workers that run side by side: all tests of a file go to one worker.

    The marks of xdist 3.8 have no effect here: pytest 9.2 does not accept a name of a test from
    them.
    """
    if config.getvalue("dist") != "loadgroup":
        return None
    from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

    class ByFile(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            file = PurePosixPath(nodeid.partition("::")[0])
            return "exchanges" if file.parent.name in ONE_AFTER_ANOTHER else str(file)

    return ByFile(config, log)


@pytest.fixture(scope="session", autouse=True)
def _quick_starts() -> Iterator[None]:
    """Fork the exchanges of this session from one process, which starts with the first exchange."""
    if EXCHANGES not in sys.modules:
        yield
        return
    from crossbook.launch.starter import Starter
    from tests.system.exchange import Exchange, process_environment

    starter = Starter(process_environment({}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Exchange, "starter", starter.start)
        yield
    starter.close()


@pytest.fixture(scope="session")
def exchange() -> Iterator[Exchange]:
    """One running exchange shared by all tests that leave no open orders behind."""
    from tests.system.exchange import Exchange

    with Exchange() as shared:
        yield shared


@pytest.fixture
def fresh_exchange() -> Iterator[Exchange]:
    """A running exchange of the test's own, with nothing in it."""
    from tests.system.exchange import Exchange

    with Exchange() as own:
        yield own


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the output of running processes to the report of a failed test."""
    report = yield
    beside = item.path.parent.name in ("fuzz", "system")
    if report.failed and beside and EXCHANGES in sys.modules:
        from tests.system.exchange import LIVE

        for running in list(LIVE):
            report.sections.append((f"processes in {running.directory}", running.logs()))
    return report
