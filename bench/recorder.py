"""The recorder's rate of writing, and its catch-up from a journal.

First its own parts in one process: event batches ready in memory, digested and written as the
service does. Then real processes: a recorder with an empty database beside a matcher whose journal
holds as much.
"""

import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from msgspec import Struct
from sqlalchemy import Engine as Database
from sqlalchemy.exc import DBAPIError

from bench import machine, recovery, workload
from crossbook.common.messages.codec import decode_events, encode
from crossbook.common.messages.events import EventBatch, OrderAccepted
from crossbook.matcher.batch import apply_batch
from crossbook.matcher.engine.engine import Engine
from crossbook.recorder.database import described, open_database
from crossbook.recorder.digest import EventDigest
from crossbook.recorder.store import Store, position_of
from tests.system.exchange import Exchange

SCENARIOS: Final = ("normal", "crash-60")
BATCH: Final = 128
TRANSACTIONS: Final = (BATCH, 16_384)
"""Events in one transaction, about: one batch of commands, and the service's maximum."""
BATCH_NS: Final = 2_000_000
START_NS: Final = 1_760_000_000 * 10**9
CATCH_UP_SECONDS: Final = 300.0

INSTRUMENTS_FILE: Final = """
[assets]
BENCH = 8
USD = 8

[[instrument]]
id = 1
symbol = "BENCH-USD"
base = "BENCH"
quote = "USD"
tick_size = "0.01"
lot_size = "0.01"
max_price = "10000000"
min_quantity = "0.01"
max_quantity = "10000"
"""


class FlowWritten(Struct, frozen=True):
    """One flow written into one database; rates are of the median run."""

    scenario: str
    events_a_transaction: int
    orders: int
    rows: int
    """An order that ends within its transaction is one; an update counts as one."""
    orders_per_s: int
    events_per_s: int
    orders_per_cpu_s: int
    """By processor time of this process: what `orders_per_s` is on an otherwise idle machine, where
    the database is a library. A server's time is not in it."""
    digest_share: float
    """Of the time; the rest is the database's."""


class CatchUpTime(Struct, frozen=True):
    """A recorder process that starts empty beside a matcher with a journal."""

    commands: int
    seconds: float
    """From its start until everything is committed, the start of the interpreter included."""
    commands_per_s: int


class RecorderReport(Struct, frozen=True):
    """Result of `python -m bench recorder`."""

    bench: str
    machine: machine.Machine
    method: dict[str, str]
    database: str
    written: list[FlowWritten]
    caught_up: CatchUpTime


def run(*, orders: int, repeats: int, url: str = "") -> RecorderReport:
    """Measure with SQLite in a temporary folder, or with the database of `url`, in which the
    recorder's tables are emptied."""
    machine_now = machine.describe()
    with tempfile.TemporaryDirectory(prefix="crossbook-recorder-") as folder:
        target = url or f"sqlite:///{folder}/history.db"
        database = open_database(target)
        written = []
        for scenario in SCENARIOS:
            flow = list(batches(scenario, orders))
            written += [write(database, scenario, flow, size, repeats) for size in TRANSACTIONS]
        caught_up = catch_up(database, target, Path(folder), 2 * orders)
        database.dispose()
    return RecorderReport(
        bench="recorder",
        machine=machine_now,
        method={
            "flow": f"bench/workload.py with client order ids, batches of {BATCH} commands",
            "written": f"wall time of digest and transactions, median of {repeats}, empty tables",
            "caught up": "real processes: an empty recorder beside a matcher with a journal",
        },
        database=described(database).partition(":")[0],
        written=written,
        caught_up=caught_up,
    )


def batches(scenario: str, orders: int) -> Iterator[EventBatch]:
    """The event batches of so many orders, as a matcher sends them."""
    engine = Engine([workload.INSTRUMENT])
    sent = iter(workload.generate(scenario, orders, client_order_ids=True))
    time_ns = START_NS
    while commands := list(islice(sent, BATCH)):
        time_ns += BATCH_NS
        yield decode_events(apply_batch(engine, 1, [encode(commands)], time_ns).encoded)


def write(
    database: Database, scenario: str, flow: Sequence[EventBatch], size: int, repeats: int
) -> FlowWritten:
    """Digest and write the flow in transactions of about `size` events."""
    runs, cpus = [], []
    for _ in range(repeats):
        cpu_ns = time.process_time_ns()
        runs.append(_write_once(database, flow, size))
        cpus.append(time.process_time_ns() - cpu_ns)
    events = [event for batch in flow for event in batch.events]
    orders = sum(type(event) is OrderAccepted for event in events)
    total_s = statistics.median(total_ns for total_ns, _, _ in runs) / 1e9
    digest_s = statistics.median(digest_ns for _, digest_ns, _ in runs) / 1e9
    return FlowWritten(
        scenario=scenario,
        events_a_transaction=size,
        orders=orders,
        rows=runs[0][2],
        orders_per_s=round(orders / total_s),
        events_per_s=round(len(events) / total_s),
        orders_per_cpu_s=round(orders / statistics.median(cpus) * 1e9),
        digest_share=round(digest_s / total_s, 2),
    )


def _write_once(database: Database, flow: Sequence[EventBatch], size: int) -> tuple[int, int, int]:
    """Nanoseconds in all and in the digest, and rows written."""
    store = Store(database)
    store.open(rebuild=True)
    position, latest = store.load([workload.INSTRUMENT.id])
    digest = EventDigest([workload.INSTRUMENT], position, latest)
    digest_ns = rows = 0
    begin_ns = time.perf_counter_ns()
    for index, batch in enumerate(flow, 1):
        before_ns = time.perf_counter_ns()
        digest.add(batch)
        full = digest.rows >= size or index == len(flow)
        changes = digest.drain() if full else None
        digest_ns += time.perf_counter_ns() - before_ns
        if changes is not None:
            store.write(changes)
            rows += len(changes.orders) + len(changes.changed) + len(changes.trades)
            rows += len(changes.fills) + len(changes.candles)
    return time.perf_counter_ns() - begin_ns, digest_ns, rows


def catch_up(database: Database, url: str, folder: Path, commands: int) -> CatchUpTime:
    """Time a recorder process that has to read so many commands from a journal."""
    Store(database).open(rebuild=True)
    recovery.write_journal(folder / "data", commands)
    instruments = folder / "instruments.toml"
    instruments.write_text(INSTRUMENTS_FILE)
    settings = {
        "DATA_DIR": str(folder / "data"),
        "DATABASE_URL": url,
        "INSTRUMENTS_FILE": str(instruments),
    }
    with Exchange(ready=False, **settings) as exchange:
        exchange.start("matcher")
        exchange.wait_bound("matcher")
        begin_ns = time.perf_counter_ns()
        exchange.start("recorder")
        exchange.wait_until("caught up", lambda: _seq(database) >= commands, CATCH_UP_SECONDS)
        seconds = (time.perf_counter_ns() - begin_ns) / 1e9
    return CatchUpTime(commands, round(seconds, 2), round(commands / seconds))


def _seq(database: Database) -> int:
    """The last command committed; zero while the file is locked."""
    try:
        with database.begin() as connection:
            return position_of(connection).seq
    except DBAPIError:
        return 0


def show(report: RecorderReport) -> None:
    """Print the report for a person."""
    print(f"recorder: events into {report.database}")
    print(machine.line(report.machine))
    for name, text in report.method.items():
        print(f"{name}: {text}")
    print(f"\n{'scenario':<10}{'events a transaction':>22}{'orders':>10}{'rows':>10}", end="")
    print(f"{'orders/s':>11}{'events/s':>11}{'orders/CPU s':>14}{'digest':>8}")
    for row in report.written:
        print(
            f"{row.scenario:<10}{row.events_a_transaction:>22,}{row.orders:>10,}{row.rows:>10,}"
            f"{row.orders_per_s:>11,}{row.events_per_s:>11,}{row.orders_per_cpu_s:>14,}"
            f"{row.digest_share:>8.0%}"
        )
    caught = report.caught_up
    print(
        f"\ncaught up: {caught.commands:,} commands of a journal in {caught.seconds:.1f} s, "
        f"{caught.commands_per_s:,} commands/s"
    )
