"""pytest fixtures that give a test an exchange. Loaded in every project that has Crossbook, so it
imports nothing before a test needs it.

    def test_my_bot(exchange):
        exchange.book("BTC-USDT", bids=[("49999.00", "1")], asks=[("50001.00", "1")])
        bot = MyBot(exchange.http_url, exchange.websocket_url)

`@pytest.mark.crossbook_settings(order_queue_size=4, recorder=False)` has the arguments of the
`Exchange` of a test, a class or a module; lines `NAME=value` of `crossbook_settings` in the
configuration of pytest are the settings of all.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from crossbook.testing.async_exchange import AsyncExchange
    from crossbook.testing.exchange import Exchange
    from crossbook.testing.plan import Plan

INI: Final = "crossbook_settings"
KEEP: Final = "--crossbook-keep"

_EXCHANGES: Final = "crossbook.testing.exchange"
_NEXT: Final = pytest.StashKey["pytest.Item | None"]()
_OWN: Final = pytest.StashKey["list[Exchange]"]()
_FRESH: Final = "_crossbook_fresh"
_SHARED: Final = "_crossbook_shared"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the settings of all exchanges, and the choice of the journals that are kept."""
    parser.addini(INI, "settings of every exchange, one NAME=value a line", "linelist", [])
    parser.getgroup("crossbook").addoption(
        KEEP,
        choices=("failed", "all", "none"),
        default="failed",
        help="Of which tests the exchange's journal and logs are kept (failed).",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line(
        "markers",
        f"{INI}(**arguments): arguments of the Exchange of this test: settings, recorder, shards, "
        "instruments",
    )


def pytest_collection_finish(session: pytest.Session) -> None:
    """Begin the imports of the processes, and the first exchange, before the first test."""
    if session.config.option.collectonly:
        return
    if first := next(filter(_uses, session.items), None):
        _prepare_for(first)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Note the next test, whose exchange is started while this one runs."""
    item.stash[_NEXT] = nextitem


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Start the exchange of the next test, as this one has its own by now; and keep the journal of
    an exchange that an exception ends."""
    if _EXCHANGES in sys.modules and item.config.getoption(KEEP) != "none":
        from crossbook.testing.keeping import keep
        from crossbook.testing.running import ON_ERROR

        # Of an exchange that the test starts itself.
        ON_ERROR[:] = [lambda exchange: keep(exchange, _kept_in(item))]
    next_item = item.stash.get(_NEXT, None)
    if next_item is not None and _uses(next_item):
        _prepare_for(next_item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep the journal of a failed test, and add the logs of its exchange to the report."""
    report = yield
    if _EXCHANGES in sys.modules and _is_kept(item.config, report):
        from crossbook.testing.keeping import keep

        for exchange in item.stash.get(_OWN, []):
            if report.failed:
                report.sections.append(("crossbook logs", exchange.logs()))
            report.sections.append(("crossbook journal", keep(exchange, _kept_in(item))))
    return report


def pytest_unconfigure() -> None:
    """End what still runs."""
    if _EXCHANGES in sys.modules:
        from crossbook.testing.processes import reap
        from crossbook.testing.spares import SPARES

        SPARES.close()
        reap(wait=True)


@pytest.fixture(name=_FRESH)
def _fresh(request: pytest.FixtureRequest) -> Iterator[Exchange]:
    from crossbook.testing.exchange import Exchange

    exchange = Exchange.of(_plan_of(request.node))
    with exchange:
        request.node.stash.setdefault(_OWN, []).append(exchange)
        yield exchange
        exchange.close(wait=False)


@pytest.fixture
def exchange(_crossbook_fresh: Exchange) -> Exchange:
    """An exchange that nobody has used, on ports of its own."""
    return _crossbook_fresh


@pytest.fixture
def async_exchange(_crossbook_fresh: Exchange) -> AsyncExchange:
    """`exchange` for a test that is a coroutine."""
    from crossbook.testing.async_exchange import AsyncExchange

    return AsyncExchange(_crossbook_fresh)


@pytest.fixture(scope="session", name=_SHARED)
def _shared() -> Iterator[list[Exchange]]:
    """The shared exchange, once there is one."""
    found: list[Exchange] = []
    yield found
    for each in found:
        each.close(wait=False)


@pytest.fixture
def exchange_session(request: pytest.FixtureRequest, _crossbook_shared: list[Exchange]) -> Exchange:
    """The exchange that tests share, emptied for each. Its addresses stay, as long as tests have
    the same settings."""
    from crossbook.testing.exchange import Exchange

    plan = _plan_of(request.node)
    if _crossbook_shared and _crossbook_shared[0].plan == plan:
        _crossbook_shared[0].reset()
    else:
        while _crossbook_shared:
            _crossbook_shared.pop().close(wait=False)
        _crossbook_shared.append(Exchange.of(plan).__enter__())
    own = request.node.stash.setdefault(_OWN, [])
    own += _crossbook_shared
    return _crossbook_shared[0]


@pytest.fixture
def async_exchange_session(exchange_session: Exchange) -> AsyncExchange:
    """`exchange_session` for a test that is a coroutine."""
    from crossbook.testing.async_exchange import AsyncExchange

    return AsyncExchange(exchange_session)


def _uses(item: pytest.Item) -> bool:
    names = getattr(item, "fixturenames", ())
    return _FRESH in names or _SHARED in names


def _plan_of(item: pytest.Item) -> Plan:
    """The arguments of all markers of a test, the nearest one last, over the configured settings.

    Raises `ConfigError` for a wrong one.
    """
    from crossbook.common.errors import ConfigError
    from crossbook.testing.plan import Plan

    arguments: dict[str, Any] = {}
    for line in item.config.getini(INI):
        name, equals, value = line.partition("=")
        if not equals:
            raise ConfigError(f"{INI}: {line!r} is not NAME=value")
        arguments[name.strip().lower()] = value.strip()
    for marker in reversed(list(item.iter_markers(INI))):
        if marker.args:
            raise ConfigError(f"{INI}: takes arguments by name only, not {marker.args[0]!r}")
        arguments.update({name.lower(): value for name, value in marker.kwargs.items()})
    own = {name: arguments.pop(name) for name in ("recorder", "shards", "instruments")
           if name in arguments}  # fmt: skip
    return Plan.of(arguments, **own)


def _prepare_for(item: pytest.Item) -> None:
    """Start the imports of the processes, and the exchange of a test that wants a fresh one."""
    from crossbook.common.errors import ConfigError
    from crossbook.testing.processes import warm
    from crossbook.testing.spares import SPARES

    warm()
    # The test itself shows the error of a wrong plan.
    if _FRESH in getattr(item, "fixturenames", ()):
        with suppress(ConfigError):
            SPARES.prepare(_plan_of(item))


def _is_kept(config: pytest.Config, report: pytest.TestReport) -> bool:
    choice = config.getoption(KEEP)
    return report.failed if choice == "failed" else choice == "all" and report.when == "call"


def _kept_in(item: pytest.Item) -> Path:
    factory: pytest.TempPathFactory = item.config._tmp_path_factory  # type: ignore[attr-defined]
    name = "".join(each if each.isalnum() else "-" for each in item.name)[:60]
    return factory.mktemp(f"exchange-{name}-")
