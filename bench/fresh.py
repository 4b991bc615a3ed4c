"""The time that a test waits for an exchange with nothing in it (`crossbook.testing`).

Every way gives the same test an exchange: a book, one order, and its fill.

- `one after another`: each exchange is started when the one before has ended; nothing is prepared;
- `next test`: as the fixture `exchange`: the exchange of the next test is started while a test
  runs, which lasts so many seconds longer than its order;
- `reset`: as the fixture `exchange_session`: the same addresses, emptied.

The time of `one after another` is that of the whole turn, start to removed folder. That of the
others is from the end of a test to the begin of the next one.
"""

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
from msgspec import Struct

from bench import machine
from crossbook.testing import Exchange
from crossbook.testing.plan import Plan
from crossbook.testing.processes import reap
from crossbook.testing.spares import SPARES

SYMBOL = "BTC-USDT"


class WayTimes(Struct, frozen=True):
    """One way, and the seconds of each turn."""

    way: str
    seconds: list[float]


class FreshReport(Struct, frozen=True):
    """Result of `python -m bench fresh`: `total_s` is the time of all turns one after another, and
    `processor_s` the processor time of one, that of its test included."""

    bench: str
    machine: machine.Machine
    method: dict[str, str]
    total_s: float
    processor_s: float
    waits: list[WayTimes]


def run(*, exchanges: int, turns: int, lasting_s: tuple[float, ...]) -> FreshReport:
    """Start so many exchanges one after another, then measure `turns` of each other way."""
    described = machine.describe()
    _test_once(Exchange())
    began_s, processor_s = time.perf_counter(), _processor_s()
    waits = [WayTimes("one after another", [_test_once(Exchange()) for _ in range(exchanges)])]
    total_s = time.perf_counter() - began_s
    processor_s = (_processor_s() - processor_s) / exchanges
    for seconds in lasting_s:
        waits.append(
            WayTimes(f"next test, after one of {seconds:g} s", _next_tests(turns, seconds))
        )
    waits.append(WayTimes("reset", _resets(turns)))
    method = {
        "exchange": "matcher, publisher, gateway with all roles and recorder, of the five examples",
        "test": "a seeded book, one order over ZeroMQ, its fill from the recorder",
        "one after another": f"{exchanges} exchanges, each from its start to its removed folder",
        "others": f"{turns} turns, from the end of a test to the begin of the next",
        "processor time": "of the exchange, its start, its test and its end, on whatever processor",
        "not counted": "one exchange before, with which the fork server imports everything",
    }
    return FreshReport("fresh", described, method, total_s, processor_s, waits)


def _processor_s() -> float:
    """Processor time of this process, of the fork server, and of its children that have ended."""
    seconds = time.process_time()
    for each in psutil.Process().children():
        times = each.cpu_times()
        seconds += times.user + times.system + times.children_user + times.children_system
    return seconds


def _test_once(exchange: Exchange) -> float:
    began_s = time.perf_counter()
    with exchange:
        _test(exchange)
    return time.perf_counter() - began_s


def _test(exchange: Exchange) -> None:
    assert exchange.fills() == [], "the exchange is not fresh"
    exchange.book(SYMBOL, bids=[("49999.00", "1")], asks=[("50001.00", "1")])
    exchange.client().submit(SYMBOL, "buy", "0.5", "50001.00")
    assert len(exchange.fills()) == 1, "the order did not trade"


def _next_tests(turns: int, lasting_s: float) -> list[float]:
    plan = Plan.of({})
    found: list[float] = []
    exchange = Exchange().__enter__()
    for _ in range(turns):
        # As the plugin does: the test has its exchange, and the next one's is started.
        SPARES.prepare(plan)
        _test(exchange)
        time.sleep(lasting_s)
        with _timed(found):
            exchange.close(wait=False)
            exchange = Exchange().__enter__()
    exchange.close()
    SPARES.close()
    reap(wait=True)
    return found


def _resets(turns: int) -> list[float]:
    found: list[float] = []
    with Exchange() as exchange:
        for _ in range(turns):
            _test(exchange)
            with _timed(found):
                exchange.reset()
    return found


@contextmanager
def _timed(found: list[float]) -> Iterator[None]:
    began_s = time.perf_counter()
    yield
    found.append(time.perf_counter() - began_s)


def show(report: FreshReport) -> None:
    """Print the report as a table."""
    print("fresh: milliseconds until a test has an exchange with nothing in it")
    print(machine.line(report.machine))
    for name, text in report.method.items():
        print(f"  {name}: {text}")
    print(f"{'':30}{'median':>10}{'95 %':>10}{'worst':>10}")
    for each in report.waits:
        ordered = sorted(each.seconds)
        last = ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]
        figures = (statistics.median(ordered), last, ordered[-1])
        print(f"{each.way:30}" + "".join(f"{1_000 * figure:10.0f}" for figure in figures))
    count = len(report.waits[0].seconds)
    print(
        f"{count} exchanges one after another: {report.total_s:.1f} s; processor time of each "
        f"{1_000 * report.processor_s:.0f} ms"
    )
