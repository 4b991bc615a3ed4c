"""Order to acknowledgement, and order to public best bid and offer, through the real processes."""

import contextlib
import os
import tempfile
import time
from array import array
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal

import psutil
from msgspec import Struct

from bench import histogram, machine
from bench.histogram import Summary
from bench.load import LoadGenerator, LoadPlan
from bench.subscriber import SubscriberProcess, delays_ns
from crossbook.common.process.config import load_settings
from crossbook.common.process.keyring import Keyring
from crossbook.common.process.scheduling import Scheduling
from tests.system.exchange import Exchange

Transport = Literal["tcp", "ipc"]
Sync = Literal["batch", "interval", "never"]
INTERNAL = ("MATCHER_COMMANDS", "MATCHER_EVENTS", "MATCHER_SYNC", "MATCHER_ADMIN")

UNLIMITED: Final = {
    "ORDERS_PER_SECOND": "1000000",
    "ADDRESS_REQUESTS_PER_SECOND": "1000000",
}
"""Settings of an exchange with keys whose limits of rates nobody reaches."""


class Target(Struct, frozen=True):
    """An exchange to load, and its processes where they are known."""

    orders: str
    feed: str
    transport: str
    sync: str
    pids: dict[str, int]
    keyring: Keyring | None = None


class Cpu(Struct, frozen=True):
    """Processor time of one process over the run."""

    percent: float
    us_per_order: float


class LatencyReport(Struct, frozen=True):
    """Result of `python -m bench latency`."""

    bench: str
    machine: machine.Machine
    method: dict[str, str]
    transport: str
    load: LoadPlan
    sent: int
    frames: int
    acked: int
    acked_per_s: int
    """Acknowledgements over the time from the first due moment to the last answer."""
    rejects: dict[str, int]
    executions: int
    unanswered: int
    elapsed_s: float
    round_trip: Summary
    bbo: Summary
    generator_late: Summary
    bbo_messages: int
    bbo_lost: int
    cpu: dict[str, Cpu]


METHOD = {
    "open_loop": "due moments fixed before the run; latency counts from the due moment",
    "closed_loop": "a window of unanswered orders; latency counts from the send",
    "round_trip": "due moment to the arrival of the Ack at its client",
    "bbo": "due moment to the arrival, in another process, of the BBO whose seq is the Ack's",
    "flow": "a third cancels of own oldest orders; of the new orders 25 % IOC through the mid",
    "histogram": "HdrHistogram, 3 significant digits, steps of 0.1 us, filled after the run",
    "clock": "CLOCK_MONOTONIC, one machine",
}


@contextlib.contextmanager
def shipped_exchange(
    transport: Transport = "ipc",
    sync: Sync = "batch",
    scheduling: Scheduling = "batch",
    *,
    has_keys: bool = False,
    settings: Mapping[str, str] = {},
) -> Iterator[Exchange]:
    """A fresh exchange as it is shipped, but for `settings`; `transport` is that of the internal
    sockets, `sync` when the journal is synced. With `has_keys` sockets use CURVE."""
    with tempfile.TemporaryDirectory(prefix="crossbook-bench-") as folder:
        paths = {name: f"ipc://{folder}/{name.lower()}" for name in INTERNAL}
        internal: dict[str, Any] = paths if transport == "ipc" else {}
        shipped: dict[str, Any] = {
            "HEARTBEAT_MS": "500",
            "JOURNAL_SEGMENT_MB": "64",
            "LOG_LEVEL": "WARNING",
            "SCHEDULING": scheduling,
            "AUTH": "on" if has_keys else "off",
            **settings,
        }
        with Exchange(JOURNAL_SYNC=sync, **shipped, **internal) as exchange:
            yield exchange


@contextlib.contextmanager
def own_exchange(
    transport: Transport = "ipc",
    sync: Sync = "batch",
    *,
    has_keys: bool = False,
    settings: Mapping[str, str] = {},
) -> Iterator[Target]:
    """Three fresh processes for one measurement."""
    with shipped_exchange(transport, sync, has_keys=has_keys, settings=settings) as exchange:
        pids = {name: exchange.pid(name) for name in ("matcher", "publisher", "gateway")}
        yield Target(exchange.orders, exchange.feed, transport, sync, pids, exchange.keyring)


@contextlib.contextmanager
def running_exchange() -> Iterator[Target]:
    """The exchange the environment's settings point to; its processes are not ours to watch."""
    settings = load_settings("client")
    yield Target(settings.gateway_orders, settings.publisher_feed, "as it runs", "as it runs", {})


def run(load: LoadPlan, target: Target) -> tuple[LatencyReport, "array[int]", "array[int]"]:
    """Load an exchange; the report, and the raw round trips and BBO delays for a plot."""
    described = machine.describe()
    with (
        SubscriberProcess(target.feed) as subscriber,
        LoadGenerator(target.orders, load, target.keyring) as generator,
    ):
        generator.log_on()
        pids = {**target.pids, "generator": os.getpid(), "subscriber": subscriber.pid}
        watched = {name: psutil.Process(pid) for name, pid in pids.items()}
        before, begin = cpu_seconds(watched), time.monotonic()
        outcome = generator.run()
        after, elapsed = cpu_seconds(watched), time.monotonic() - begin
        arrivals = subscriber.stop()
    bbo = delays_ns(arrivals, outcome.ack_seq, outcome.ack_due_ns)
    orders = max(1, outcome.sent - outcome.unanswered)
    cpu = {
        name: Cpu(
            percent=round(100 * (after[name] - before[name]) / elapsed, 1),
            us_per_order=round((after[name] - before[name]) / orders * 1e6, 2),
        )
        for name in watched
    }
    report = LatencyReport(
        bench="latency",
        machine=described,
        method=METHOD,
        transport=f"clients tcp, internal {target.transport}, journal synced: {target.sync}",
        load=load,
        sent=outcome.sent,
        frames=outcome.frames,
        acked=outcome.acked,
        acked_per_s=round(outcome.acked / max(outcome.elapsed_s, 1e-9)),
        rejects=outcome.rejects,
        executions=outcome.executions,
        unanswered=outcome.unanswered,
        elapsed_s=round(outcome.elapsed_s, 3),
        round_trip=histogram.summarize(outcome.round_trip_ns),
        bbo=histogram.summarize(bbo),
        generator_late=histogram.summarize(outcome.late_ns),
        bbo_messages=arrivals.messages,
        bbo_lost=arrivals.lost,
        cpu=cpu,
    )
    return report, outcome.round_trip_ns, bbo


def show(report: LatencyReport) -> None:
    """Print the report for a person."""
    load = report.load
    kind = (
        f"closed loop, window {load.window}, frames of {load.chunk}"
        if load.closed
        else f"open loop, {load.rate:,.0f} orders/s, frames of {load.batch}"
    )
    print(f"latency: {kind}, {load.clients} clients, {load.duration_s:g} s, {report.transport}")
    print(machine.line(report.machine))
    rejects = ", ".join(f"{name} {count:,}" for name, count in report.rejects.items())
    print(
        f"{report.acked_per_s:,} acked/s: {report.sent:,} sent in {report.frames:,} frames, "
        f"{report.acked:,} acked, {report.executions:,} executions, "
        f"{report.unanswered:,} unanswered; rejects: {rejects or 'none'}"
    )
    print(histogram.HEADER)
    print(histogram.line("order to ack", report.round_trip))
    print(histogram.line("order to BBO", report.bbo))
    if not load.closed:
        print(histogram.line("generator late", report.generator_late))
    shares = ", ".join(
        f"{name} {cpu.percent:.0f} % ({cpu.us_per_order:.1f} us/order)"
        for name, cpu in report.cpu.items()
    )
    print(f"CPU: {shares}")
    if report.bbo_lost:
        print(f"the subscriber lost {report.bbo_lost:,} messages")


def plot(
    path: Path, report: LatencyReport, round_trip_ns: "array[int]", bbo_ns: "array[int]"
) -> None:
    """Draw the report's curves as a PNG."""
    from bench.plot import draw

    load = report.load
    kind = f"closed loop, window {load.window}" if load.closed else f"{load.rate:,.0f} orders/s"
    draw(
        path,
        f"{kind}, {load.clients} clients: {report.acked_per_s:,} acked/s",
        {"order to ack": round_trip_ns, "order to BBO": bbo_ns},
    )


def cpu_seconds(watched: Mapping[str, psutil.Process]) -> dict[str, float]:
    """Processor seconds, user and system, each process has used so far."""
    used = {}
    for name, process in watched.items():
        times = process.cpu_times()
        used[name] = float(times.user + times.system)
    return used
