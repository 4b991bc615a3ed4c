"""The time of a start, from a journal or a snapshot, and the cost of writing a snapshot.

Everything timed runs in a process of its own that has done nothing else, with the files in the
page cache.
"""

import gc
import os
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from bench import machine, workload
from crossbook.common.messages.codec import encode
from crossbook.common.messages.commands import CancelOrder, Command, NewOrder
from crossbook.common.process.log import set_up_logging
from crossbook.common.sequence import base_at
from crossbook.common.types import OrderType, Side, TimeInForce
from crossbook.matcher.engine.engine import Engine
from crossbook.matcher.engine.order import Account
from crossbook.matcher.journal.disk import FileDisk
from crossbook.matcher.journal.journal import Journal
from crossbook.matcher.journal.record import Record
from crossbook.matcher.recovery.recovery import recover
from crossbook.matcher.recovery.snapshot_process import SnapshotProcess
from crossbook.matcher.recovery.snapshot_store import SnapshotStore
from crossbook.matcher.recovery.snapshotter import Snapshotter
from crossbook.matcher.resend_buffer import EventResendBuffer
from crossbook.matcher.sequencer import Sequencer

SCENARIO: Final = "normal"
BATCH: Final = 128
SEGMENT_BYTES: Final = 64 * 1024 * 1024
INCARNATION: Final = 1
MEAN_DISTANCE_TICKS: Final = 1_000
STAGE_SECONDS: Final = 600.0


class Replayed(Struct, frozen=True):
    """One start from a journal without a snapshot."""

    commands: int
    check_s: float
    """Reading every segment and verifying it, before the first record is applied."""
    replay_s: float
    total_s: float
    cpu_s: float
    """Processor time of all of it: `total_s` on an otherwise idle machine."""
    peak_mb: float


class SnapshotCost(Struct, frozen=True):
    """One snapshot written beside a working matcher."""

    pause_ms: float
    """How long the engine stood still."""
    pause_cpu_ms: float
    write_s: float
    """From then until the file is durable."""
    write_cpu_s: float
    rss_mb: float
    """Memory of the process whose snapshot it is."""
    quiet_ms: tuple[float, float]
    """p99 and longest time of a batch before it was begun."""
    beside_ms: tuple[float, float]
    """The same of batches while it was written."""


class Snapshots(Struct, frozen=True):
    """The snapshots of one engine."""

    taken: list[SnapshotCost]
    file_mb: float
    writer_peak_mb: float
    """Of the process that wrote one and took most."""


class Loaded(Struct, frozen=True):
    """One start from a snapshot."""

    open_orders: int
    read_s: float
    """Reading the file and verifying its checksum."""
    load_s: float
    """Making the engine and comparing the hash of its state."""
    total_s: float
    cpu_s: float
    peak_mb: float


class RecoveryReport(Struct, frozen=True):
    """Result of `python -m bench recovery`."""

    bench: str
    machine: machine.Machine
    method: dict[str, str]
    journal_mb: float
    replayed: list[Replayed]
    commands_per_s: int
    """Of the median total."""
    snapshots: Snapshots
    loaded: list[Loaded]
    orders_per_s: int
    """Of the median total."""


Figures = TypeVar("Figures")


def run(*, tail: int, open_orders: int, repeats: int) -> RecoveryReport:
    """Make both sets of files in a temporary directory and measure starts from them."""
    described = machine.describe()
    with tempfile.TemporaryDirectory(prefix="crossbook-recovery-") as made:
        journal, snapshots = Path(made) / "journal", Path(made) / "snapshots"
        used = apart(write_journal, journal, tail)
        replayed = [apart(replay, journal) for _ in range(repeats)]
        taken = apart(write_snapshots, snapshots, open_orders, tail, repeats)
        loaded = [apart(load, snapshots) for _ in range(repeats)]
    return RecoveryReport(
        bench="recovery",
        machine=described,
        method={
            "repeats": f"{repeats}, each in a fresh process; the table shows medians",
            "tail": f"scenario {SCENARIO} with client order ids, batches of {BATCH}, no snapshot",
            "open_orders": "limit orders with client order ids on both sides of one book",
            "clock": "wall time, files in the page cache; CPU is processor time of the same span",
            "snapshot": f"by the matcher's own Snapshotter, {tail:,} commands after the last one; "
            "meanwhile batches of cancels and new orders as fast as they go",
            "pause": "starting the process that writes, the journal synced before",
            "garbage_collector": "on while starting, frozen and off beside a snapshot",
        },
        journal_mb=used,
        replayed=replayed,
        commands_per_s=_rate(tail, (row.total_s for row in replayed)),
        snapshots=taken,
        loaded=loaded,
        orders_per_s=_rate(open_orders, (row.total_s for row in loaded)),
    )


def apart(stage: Callable[..., Figures], *arguments: Any) -> Figures:
    """The result of `stage` in a fresh interpreter, which then ends."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply_async(stage, arguments).get(STAGE_SECONDS)


def write_journal(directory: Path, commands: int) -> float:
    """Journal so many commands of ordinary flow; returns the megabytes of the journal."""
    # An order is about two commands; a few more are drawn, so that there are enough.
    generated = workload.generate(SCENARIO, commands * 11 // 20, client_order_ids=True)
    sent = iter(_numbered(generated[:commands]))
    disk = FileDisk(directory)
    journal = Journal.open(disk, INCARNATION, encode([workload.INSTRUMENT]), SEGMENT_BYTES, "never")
    sequencer = Sequencer(Engine([workload.INSTRUMENT]), journal, EventResendBuffer(0))
    while batch := list(islice(sent, BATCH)):
        sequencer.apply([encode(batch)], time.time_ns())
    journal.close()
    disk.close()
    # Unwritten pages would be written to the disk during the measurement.
    os.sync()
    return _megabytes(sum(len(path.read_bytes().rstrip(b"\0")) for path in directory.iterdir()))


def replay(directory: Path) -> Replayed:
    """Recover from a journal alone, as a matcher's start does."""
    first_ns = 0

    def seen(_: Record) -> None:
        nonlocal first_ns
        first_ns = first_ns or time.perf_counter_ns()

    begin_ns, cpu_ns = time.perf_counter_ns(), time.process_time_ns()
    disk = FileDisk(directory)
    recovered = recover(disk, [workload.INSTRUMENT], INCARNATION, SEGMENT_BYTES, "never", 1, seen)
    end_ns, cpu_ns = time.perf_counter_ns(), time.process_time_ns() - cpu_ns
    recovered.journal.close()
    disk.close()
    return Replayed(
        commands=recovered.replayed,
        check_s=_seconds(first_ns - begin_ns),
        replay_s=_seconds(end_ns - first_ns),
        total_s=_seconds(end_ns - begin_ns),
        cpu_s=_seconds(cpu_ns),
        peak_mb=_peak_mb(),
    )


def write_snapshots(directory: Path, open_orders: int, tail: int, repeats: int) -> Snapshots:
    """Snapshots of a matcher with so many open orders, each so many commands after the one
    before; the last file stays."""
    set_up_logging("bench", "WARNING", "console")
    disk = FileDisk(directory)
    store = SnapshotStore(disk, kept=1)
    journal = Journal.open(disk, INCARNATION, encode([workload.INSTRUMENT]), SEGMENT_BYTES, "never")
    engine = Engine([workload.INSTRUMENT])
    sequencer = Sequencer(engine, journal, EventResendBuffer(0))
    writer = SnapshotProcess(directory)
    waiting = resting(open_orders)
    while batch := list(islice(waiting, BATCH)):
        sequencer.apply([encode(batch)], time.time_ns())
    gc.collect()
    gc.freeze()
    gc.disable()
    first = Snapshotter(store, journal, writer, 1, 0, last_seq=0)
    first.tick()
    first.finish()
    flow = Turnover(engine, sequencer)
    taken = [_written(store, journal, writer, flow, tail) for _ in range(repeats)]
    size = (directory / store.names()[-1]).stat().st_size
    journal.close()
    disk.close()
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    return Snapshots(taken, _megabytes(size), _megabytes(peak))


class Turnover:
    """Batches that leave the number of open orders as it is: each cancels some and enters as many
    anew at the same prices, wherever in the book."""

    def __init__(self, engine: Engine, sequencer: Sequencer) -> None:
        self._sequencer = sequencer
        self._orders = [order for owner in engine.accounts.values() for order in resent(owner)]
        random.Random(len(self._orders)).shuffle(self._orders)
        self._place = 0

    def batch_ns(self) -> int:
        """Apply and journal the next batch; returns the nanoseconds."""
        orders, seq = self._orders, self._sequencer.seq
        batch: list[Command] = []
        for _ in range(BATCH // 2):
            place = self._place
            self._place = (place + 1) % len(orders)
            order_id, order = orders[place]
            batch.append(CancelOrder(0, 0, order.account, order.instrument, order_id))
            # Another quantity: the same words would be a retry.
            order = replace(order, quantity_lots=order.quantity_lots ^ 1 or 2)
            batch.append(order)
            orders[place] = (seq + len(batch), order)
        payload = encode(batch)
        now_ns, begin_ns = time.time_ns(), time.perf_counter_ns()
        self._sequencer.apply([payload], now_ns)
        return time.perf_counter_ns() - begin_ns


def resent(owner: Account) -> Iterator[tuple[int, NewOrder]]:
    """The open orders of an account by id, as they were entered."""
    limit, gtc = int(OrderType.LIMIT), int(TimeInForce.GTC)
    for order in owner.orders.values():
        yield (
            order.order_id,
            NewOrder(
                0, 0, owner.account_id, order.instrument, Side(order.side), limit, gtc,
                order.price_ticks, order.quantity_lots, order.client_order_id,
            ),
        )  # fmt: skip


def _written(
    store: SnapshotStore, journal: Journal, writer: SnapshotProcess, flow: Turnover, tail: int
) -> SnapshotCost:
    quiet = [flow.batch_ns() for _ in range(max(1, tail // BATCH))]
    journal.sync()
    snapshotter = Snapshotter(store, journal, writer, 1, 0, last_seq=0)
    rss_mb, child_s = _status_mb("VmRSS"), _children_s()
    begin_ns, cpu_ns = time.perf_counter_ns(), time.process_time_ns()
    snapshotter.tick()
    began_ns, cpu_ns = time.perf_counter_ns(), time.process_time_ns() - cpu_ns
    beside: list[int] = []
    while not snapshotter.written:
        beside.append(flow.batch_ns())
        snapshotter.tick()
        assert not snapshotter.failed, "the snapshot was not written"
    return SnapshotCost(
        pause_ms=round((began_ns - begin_ns) / 1e6, 2),
        pause_cpu_ms=round(cpu_ns / 1e6, 2),
        write_s=_seconds(time.perf_counter_ns() - begin_ns),
        write_cpu_s=round(_children_s() - child_s, 4),
        rss_mb=rss_mb,
        quiet_ms=_p99_and_longest_ms(quiet),
        beside_ms=_p99_and_longest_ms(beside),
    )


def _p99_and_longest_ms(times_ns: list[int]) -> tuple[float, float]:
    ordered = sorted(times_ns)
    return round(ordered[len(ordered) * 99 // 100] / 1e6, 2), round(ordered[-1] / 1e6, 2)


def load(directory: Path) -> Loaded:
    """Load the newest snapshot, as a matcher's start does."""
    begin_ns, cpu_ns = time.perf_counter_ns(), time.process_time_ns()
    disk = FileDisk(directory)
    store = SnapshotStore(disk, kept=1)
    snapshot = store.read(store.names()[-1])
    read_ns = time.perf_counter_ns()
    engine = store.load(snapshot)
    end_ns, cpu_ns = time.perf_counter_ns(), time.process_time_ns() - cpu_ns
    disk.close()
    return Loaded(
        open_orders=sum(len(account.orders) for account in engine.accounts.values()),
        read_s=_seconds(read_ns - begin_ns),
        load_s=_seconds(end_ns - read_ns),
        total_s=_seconds(end_ns - begin_ns),
        cpu_s=_seconds(cpu_ns),
        peak_mb=_peak_mb(),
    )


def resting(orders: int) -> Iterator[NewOrder]:
    """Limit orders that never meet, at geometric distances from a mid that stands still."""
    chance = random.Random(orders)
    instrument, limit, gtc = workload.INSTRUMENT.id, int(OrderType.LIMIT), int(TimeInForce.GTC)
    for index in range(orders):
        distance = 1 + int(chance.expovariate(1 / MEAN_DISTANCE_TICKS))
        if index % 2:
            side, price_ticks = int(Side.BUY), max(1, workload.START_MID_TICKS - distance)
        else:
            side, price_ticks = int(Side.SELL), workload.START_MID_TICKS + distance
        account, lots = 1 + index % workload.ACCOUNTS, chance.randint(1, workload.MAX_LOTS)
        name = f"bench-{index:012d}"
        yield NewOrder(0, 0, account, instrument, side, limit, gtc, price_ticks, lots, name)


def show(report: RecoveryReport) -> None:
    """Print the report for a person."""
    print("recovery: a start from a journal and from a snapshot, and taking one")
    print(machine.line(report.machine))
    for name, text in report.method.items():
        print(f"{name}: {text}")
    replayed, loaded, snapshots = report.replayed, report.loaded, report.snapshots
    print(f"\n{'start from':<34}{'read+check s':>13}{'rest s':>9}{'total s':>9}", end="")
    print(f"{'CPU s':>8}{'per s':>11}{'peak MB':>9}")
    _row(
        f"{replayed[0].commands:,} commands, {report.journal_mb:,.0f} MB",
        [(row.check_s, row.replay_s, row.total_s, row.cpu_s, row.peak_mb) for row in replayed],
        report.commands_per_s,
    )
    _row(
        f"{loaded[0].open_orders:,} open orders, {snapshots.file_mb:,.0f} MB",
        [(row.read_s, row.load_s, row.total_s, row.cpu_s, row.peak_mb) for row in loaded],
        report.orders_per_s,
    )
    taken = snapshots.taken
    pause, pause_cpu, write, write_cpu, rss = _medians(
        [
            (each.pause_ms, each.pause_cpu_ms, each.write_s, each.write_cpu_s, each.rss_mb)
            for each in taken
        ]
    )
    quiet_p99, quiet_longest = _medians([each.quiet_ms for each in taken])
    beside_p99, beside_longest = _medians([each.beside_ms for each in taken])
    print(
        f"\ntaking that snapshot: pause {pause:.1f} ms (CPU {pause_cpu:.1f}), written after "
        f"{write:.2f} s (CPU {write_cpu:.2f})\n"
        f"batches of {BATCH}: p99 {quiet_p99:.1f} ms, longest {quiet_longest:.1f} before it, "
        f"{beside_p99:.1f} and {beside_longest:.1f} while it is written\n"
        f"memory: RSS {rss:,.0f} MB, of the process that writes at most "
        f"{snapshots.writer_peak_mb:,.0f} MB"
    )


def _row(name: str, runs: Sequence[tuple[float, ...]], per_s: int) -> None:
    first, rest, total, cpu, peak = _medians(runs)
    print(f"{name:<34}{first:>13.2f}{rest:>9.2f}{total:>9.2f}{cpu:>8.2f}{per_s:>11,}{peak:>9,.0f}")


def _numbered(commands: Iterable[Command]) -> Iterator[Command]:
    """The commands as a gateway sends them, with request numbers of an epoch of today."""
    for request, command in enumerate(commands, base_at(time.time_ns()) + 1):
        yield replace(command, gateway=1, request_seq=request)


def _medians(runs: Sequence[tuple[float, ...]]) -> list[float]:
    return [statistics.median(column) for column in zip(*runs, strict=True)]


def _children_s() -> float:
    """Processor time of the children that have ended."""
    used = os.times()
    return used.children_user + used.children_system


def _rate(count: int, totals: Iterable[float]) -> int:
    return round(count / max(statistics.median(totals), 1e-9))


def _seconds(nanoseconds: int) -> float:
    return round(nanoseconds / 1e9, 4)


def _megabytes(size: int) -> float:
    return round(size / 2**20, 2)


def _peak_mb() -> float:
    """Most memory this process had; `getrusage` would count what its parent had at the fork."""
    return _status_mb("VmHWM")


def _status_mb(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    found = next(line for line in lines if line.startswith(f"{name}:"))
    return _megabytes(int(found.split()[1]) * 1024)
