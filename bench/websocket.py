"""Market data to many WebSocket clients while orders trade, and best prices to a few of them.

The streams are a gateway process of their own. Order entry is measured with and without the
crowd; the crowd (`bench.websocket_crowd`) checks every book of every client.
"""

import contextlib
import statistics
import subprocess
import sys
import time
import urllib.request
from array import array
from collections.abc import Iterator

import psutil
from msgspec import Struct

from bench import histogram, machine
from bench.histogram import Summary
from bench.latency import shipped_exchange
from bench.load import LoadGenerator, LoadPlan
from bench.websocket_crowd import CrowdProcess, CrowdResult
from crossbook.common.process.programs import MODULES
from crossbook.common.process.scheduling import Scheduling
from tests.system.exchange import Exchange, free_ports

SYMBOL = "BTC-USDT"
FEW = 5
READY_SECONDS = 20.0
STOP_SECONDS = 10.0

METHOD = {
    "load": "open loop of one instrument, latency counts from the due moment",
    "exchange": "as shipped: internal sockets ipc, the journal synced before every answer",
    "processes": "matcher, publisher, gateway for orders, gateway for streams, load, and the crowd "
    "(two processes from 1,000 clients), all on this machine",
    "scheduling": "beside a crowd, that and the gateway for streams get what the others leave "
    "(SCHED_IDLE)",
    "event": "from `ts`, the time the matcher gave the last event of the update, to its arrival: "
    "journal, publisher, conflation and sending included",
    "spread": "from the first arrival of an update at any client to its arrival at each",
    "checks": "every client's prev_seq chain; every different message applied and its checksum and "
    "its book compared",
    "order entry": "order to ack before the crowd came, with it, and after it left: all orders of "
    "a turn, and the p99 of its median second",
    "few": f"{FEW} WebSocket clients in one process, one ZeroMQ subscriber in another",
}


class WebSocketPlan(Struct, frozen=True):
    """How to measure."""

    clients: int = 5_000
    rate: float = 1_000.0
    seconds: float = 10.0
    warm_s: float = 2.0
    scheduling: Scheduling = "batch"
    """Of the exchange."""


class CrowdReport(Struct, frozen=True):
    """The messages of the crowd in one turn."""

    clients: int
    dead: int
    broken_chains: int
    wrong_books: int
    unchecked: int
    resyncs: int
    deliveries_per_s: int
    updates_per_s_fewest: float
    updates_per_s_median: float
    from_event: Summary
    spread: Summary
    bbo_from_event: Summary


class Acks(Struct, frozen=True):
    """Order to ack in one turn."""

    pooled: Summary
    p99_us_by_second: list[float]
    """Of the orders due in each second."""

    @property
    def typical_p99_us(self) -> float:
        """Of the median second: a stall of the disk is one bad second and not a bad turn."""
        return statistics.median(self.p99_us_by_second)


class WebSocketReport(Struct, frozen=True):
    """Result of `python -m bench websocket`."""

    bench: str
    machine: machine.Machine
    method: dict[str, str]
    plan: WebSocketPlan
    crowd: CrowdReport
    ack: dict[str, Acks]
    """`before`, `crowd`, `after`."""
    ack_p99_ratio: float
    """With the crowd to the higher of without."""
    ack_typical_p99_ratio: float
    """The same of the median seconds."""
    streams_cpu_percent: float
    """Of one core, the streams' gateway under the crowd."""
    streams_memory_mb: float
    few: CrowdReport
    few_zeromq_bbo: Summary


def run(plan: WebSocketPlan) -> WebSocketReport:
    """Measure by plan on a fresh exchange."""
    described = machine.describe()
    port = free_ports(1)[0]
    with (
        shipped_exchange(scheduling=plan.scheduling) as exchange,
        _streams(exchange, port) as streams,
    ):
        few = _few(exchange, port, plan)
        machine.give_way(streams.pid)
        acks = {"before": _load(exchange, plan, 1)}
        half = plan.clients // 2 if plan.clients >= 1_000 else plan.clients
        with contextlib.ExitStack() as stack:
            crowds = [stack.enter_context(CrowdProcess(port, SYMBOL, half))]
            if plan.clients > half:
                crowds.append(stack.enter_context(CrowdProcess(port, SYMBOL, plan.clients - half)))
            for crowd in crowds:
                crowd.wait_ready()
            streams.cpu_percent()
            for crowd in crowds:
                crowd.go()
            acks["crowd"] = _load(exchange, plan, 2)
            cpu = streams.cpu_percent()
            memory = streams.memory_info().rss
            arrivals = [crowd.stop() for crowd in crowds]
        acks["after"] = _load(exchange, plan, 3)
    quiet = (acks["before"], acks["after"])
    pooled = max(each.pooled.p99_us for each in quiet)
    typical = max(each.typical_p99_us for each in quiet)
    return WebSocketReport(
        "websocket",
        described,
        METHOD,
        plan,
        _crowd(arrivals),
        acks,
        round(acks["crowd"].pooled.p99_us / pooled, 2),
        round(acks["crowd"].typical_p99_us / typical, 2),
        round(cpu, 1),
        round(memory / 1e6, 1),
        *few,
    )


def _few(exchange: Exchange, port: int, plan: WebSocketPlan) -> tuple[CrowdReport, Summary]:
    """Best prices at a few WebSocket clients and at one ZeroMQ subscriber."""
    with (
        CrowdProcess(port, SYMBOL, FEW) as clients,
        CrowdProcess(port, SYMBOL, 0, exchange.feed) as subscriber,
    ):
        for each in (clients, subscriber):
            each.wait_ready()
        for each in (clients, subscriber):
            each.go()
        _load(exchange, plan, 4)
        arrivals = clients.stop()
        zeromq = _summary([subscriber.stop().zeromq_bbo_from_event])
    return _crowd([arrivals]), zeromq


def _load(exchange: Exchange, plan: WebSocketPlan, seed: int) -> Acks:
    load = LoadPlan(
        rate=plan.rate, duration_s=plan.warm_s + plan.seconds, warm_s=plan.warm_s, instruments=1,
        seed=seed,
    )  # fmt: skip
    with LoadGenerator(exchange.orders, load) as generator:
        generator.log_on()
        outcome = generator.run()
    assert not outcome.unanswered, f"{outcome.unanswered} orders without an answer"
    return Acks(
        histogram.summarize(outcome.round_trip_ns),
        p99_by_second(outcome.ack_due_ns, outcome.round_trip_ns),
    )


def p99_by_second(due_ns: "array[int]", latencies_ns: "array[int]") -> list[float]:
    """The p99 in microseconds of the orders due in each whole second.

    >>> due = array("q", [0, 500_000_000, 1_000_000_000, 1_700_000_000])
    >>> p99_by_second(due, array("q", [3_000, 5_000, 7_000, 6_000]))
    [5.0, 7.0]
    """
    begin_ns = min(due_ns)
    seconds: dict[int, array[int]] = {}
    for due, latency in zip(due_ns, latencies_ns, strict=True):
        seconds.setdefault((due - begin_ns) // 1_000_000_000, array("q")).append(latency)
    return [histogram.summarize(seconds[second]).p99_us for second in sorted(seconds)]


@contextlib.contextmanager
def _streams(exchange: Exchange, port: int) -> Iterator[psutil.Process]:
    """A gateway process with nothing but the streams."""
    environment = {**exchange.environment, "GATEWAY_ROLES": "streams", "API_PORT": str(port)}
    process = subprocess.Popen(
        [sys.executable, "-m", MODULES["gateway"]], cwd=exchange.directory, env=environment,
        stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
                    break
            except OSError:
                if time.monotonic() > deadline or process.poll() is not None:
                    raise
                time.sleep(0.05)
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


def _crowd(arrivals: list[CrowdResult]) -> CrowdReport:
    seconds = max(each.seconds for each in arrivals)
    clients = sum(each.clients for each in arrivals)
    fewest = min(each.updates_fewest for each in arrivals)
    median = sum(each.updates_median * each.clients for each in arrivals) / clients
    return CrowdReport(
        clients,
        sum(each.dead for each in arrivals),
        sum(each.broken_chains for each in arrivals),
        sum(each.wrong_books for each in arrivals),
        sum(each.unchecked for each in arrivals),
        sum(each.resyncs for each in arrivals),
        round(sum(each.messages for each in arrivals) / seconds),
        round(fewest / seconds, 1),
        round(median / seconds, 1),
        _summary([each.from_event for each in arrivals]),
        _summary([each.from_first for each in arrivals]),
        _summary([each.bbo_from_event for each in arrivals]),
    )


def _summary(parts: list[bytes]) -> Summary:
    pooled = array("q")
    for part in parts:
        pooled.frombytes(part)
    return histogram.summarize(pooled)


def show(report: WebSocketReport) -> None:
    """Print a report."""
    crowd, few = report.crowd, report.few
    print(machine.line(report.machine))
    for name, text in report.method.items():
        print(f"  {name}: {text}")
    print(
        f"\n{crowd.clients:,} clients on {SYMBOL}, {report.plan.rate:,.0f} orders/s, "
        f"SCHEDULING={report.plan.scheduling}: "
        f"{crowd.deliveries_per_s:,} messages/s delivered"
    )
    print(
        f"  book updates/s a client: median {crowd.updates_per_s_median}, "
        f"fewest {crowd.updates_per_s_fewest}"
    )
    print(
        f"  dead clients {crowd.dead}, broken chains {crowd.broken_chains}, wrong books "
        f"{crowd.wrong_books}, not checked {crowd.unchecked}, resyncs {crowd.resyncs}"
    )
    print(
        f"  streams process: {report.streams_cpu_percent} % of a core, "
        f"{report.streams_memory_mb} MB"
    )
    print("\n" + histogram.HEADER)
    print(histogram.line("event to client", crowd.from_event))
    print(histogram.line("first to each client", crowd.spread))
    for name, acks in report.ack.items():
        print(histogram.line(f"order to ack, {name}", acks.pooled))
    print(f"  order to ack p99, crowd to without: {report.ack_p99_ratio}")
    typical = ", ".join(f"{name} {acks.typical_p99_us:,.0f}" for name, acks in report.ack.items())
    print(f"  of the median second: {typical}; {report.ack_typical_p99_ratio}")
    print(f"\n{few.clients} clients, {report.plan.rate:,.0f} orders/s")
    print(histogram.HEADER)
    print(histogram.line("bbo, WebSocket", few.bbo_from_event))
    print(histogram.line("bbo, ZeroMQ", report.few_zeromq_bbo))
    print(histogram.line("book, WebSocket", few.from_event))
