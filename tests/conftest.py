"""Fixtures every folder of tests may use, and the logs of running processes in failure reports."""

from collections.abc import Generator, Iterator

import pytest
from hypothesis import settings

from tests.system import exchange as system
from tests.system.starter import Starter

# A busy machine makes an example slow now and then; that says nothing about the code.
settings.register_profile("crossbook", deadline=None)
settings.load_profile("crossbook")


@pytest.fixture(scope="session", autouse=True)
def _quick_starts() -> Iterator[None]:
    """Exchanges of this session are forked from one process."""
    starter = Starter(system.process_environment({}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(system.Exchange, "starter", starter.start)
        yield
    starter.close()


@pytest.fixture(scope="session")
def exchange() -> Iterator[system.Exchange]:
    """One running exchange shared by all tests that leave no open orders behind."""
    with system.Exchange() as shared:
        yield shared


@pytest.fixture
def fresh_exchange() -> Iterator[system.Exchange]:
    """A running exchange of the test's own, with nothing in it."""
    with system.Exchange() as own:
        yield own


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add what the processes printed to the report of a test that failed beside them."""
    report = yield
    if report.failed and item.path.parent.name in ("fuzz", "system"):
        for running in list(system.LIVE):
            report.sections.append((f"processes in {running.directory}", running.logs()))
    return report
