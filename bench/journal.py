"""The journal alone: records per second and time of an append, beside the bare system calls.

Each policy's journal takes turns with a loop that does nothing but write the same frames into a
preallocated file and sync as that policy does: the difference is what the journal costs.
"""

import os
import tempfile
import time
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Final

from msgspec import Struct

from bench import machine
from bench.histogram import HEADER, Summary, line, summarize
from crossbook.common.process.durable import sync_all, sync_data
from crossbook.matcher.journal.disk import FileDisk
from crossbook.matcher.journal.journal import Journal, SyncPolicy
from crossbook.matcher.journal.record import Record, frame

POLICIES: Final[tuple[SyncPolicy, ...]] = ("batch", "interval", "never")
RECORD_BYTES: Final = (2_000, 20_000)
"""128 commands and their events are about 20 KB."""
SEGMENT_BYTES: Final = 64 * 1024 * 1024
INTERVAL_NS: Final = 50_000_000
ROTATIONS: Final = 20
ROTATION_SEGMENT_BYTES: Final = 16 * 1024 * 1024


class JournalRow(Struct, frozen=True):
    """The journal and the bare loop under one policy with records of one size."""

    policy: str
    record_bytes: int
    journal_per_s: int
    bare_per_s: int
    journal: Summary
    bare: Summary


class JournalReport(Struct, frozen=True):
    """Result of `python -m bench journal`."""

    bench: str
    machine: machine.Machine
    method: dict[str, str | int]
    rows: list[JournalRow]
    rotation: Summary
    """Appends that began a segment, which had been prepared meanwhile."""
    other: Summary
    """The other appends of the same run."""


def run(folder: Path | None, *, seconds: float, repeats: int) -> JournalReport:
    """Measure every policy and size in a temporary directory under `folder`."""
    described = machine.describe()
    with tempfile.TemporaryDirectory(prefix="crossbook-journal-", dir=folder) as made:
        directory = Path(made)
        rows = [
            _row(directory, policy, size, seconds, repeats)
            for policy in POLICIES
            for size in RECORD_BYTES
        ]
        rotation, other = measure_rotation(
            directory / "rotation", ROTATIONS, ROTATION_SEGMENT_BYTES
        )
        method: dict[str, str | int] = {
            "directory": f"{directory.parent}, {_file_system(directory)}",
            "turns": f"{repeats} x {seconds} s of the journal and of the bare loop, alternately",
            "bare": "pwrite of ready frames into a preallocated file; fdatasync as the policy says",
            "interval": f"a sync every {INTERVAL_NS // 1_000_000} ms, counted to its append",
            "segment": f"{SEGMENT_BYTES >> 20} MB; for the rotation {ROTATION_SEGMENT_BYTES >> 20}",
        }
    return JournalReport("journal", described, method, rows, rotation, other)


def _row(
    directory: Path, policy: SyncPolicy, size: int, seconds: float, repeats: int
) -> JournalRow:
    ours, bare = array("q"), array("q")
    ours_s = bare_s = 0.0
    for turn in range(repeats):
        ours_s += append_for(directory / f"{policy}-{size}-{turn}", policy, size, seconds, ours)
        bare_s += write_for(directory / "bare", policy, size, seconds, bare)
    return JournalRow(
        policy,
        size,
        round(len(ours) / ours_s),
        round(len(bare) / bare_s),
        summarize(ours),
        summarize(bare),
    )


def append_for(
    directory: Path, policy: SyncPolicy, size: int, seconds: float, times: "array[int]"
) -> float:
    """Append to a fresh journal for so long, adding each append's time; returns the seconds."""
    disk = FileDisk(directory)
    journal = Journal.open(disk, 1, b"", SEGMENT_BYTES, policy)
    journal.append(_record(1, size))

    def append() -> None:
        journal.append(_record(journal.last_seq + 1, size))

    elapsed = _repeat(append, journal.sync if policy == "interval" else None, seconds, times)
    journal.close()
    for name in journal.segment_names:
        disk.remove(name)
    disk.close()
    return elapsed


def write_for(
    path: Path, policy: SyncPolicy, size: int, seconds: float, times: "array[int]"
) -> float:
    """Write ready frames into a preallocated file for so long; returns the seconds."""
    data = frame(_record(1, size), 0)
    path.write_bytes(bytes(SEGMENT_BYTES))
    file = os.open(path, os.O_RDWR)
    sync_all(file)
    offset = 0

    def write() -> None:
        nonlocal offset
        os.pwrite(file, data, offset)
        if policy == "batch":
            sync_data(file)
        offset += len(data)
        if offset + len(data) > SEGMENT_BYTES:
            offset = 0

    def sync() -> None:
        sync_data(file)

    elapsed = _repeat(write, sync if policy == "interval" else None, seconds, times)
    sync_all(file)
    os.close(file)
    path.unlink()
    return elapsed


def measure_rotation(
    directory: Path, rotations: int, segment_bytes: int
) -> tuple[Summary, Summary]:
    """Times of appends that begin a segment, and of all others, at full speed."""
    disk = FileDisk(directory)
    journal = Journal.open(disk, 1, b"", segment_bytes)
    journal.append(_record(1, RECORD_BYTES[-1]))
    begins, others = array("q"), array("q")
    while len(begins) < rotations:
        record = _record(journal.last_seq + 1, RECORD_BYTES[-1])
        segments = len(journal.segment_names)
        start = time.perf_counter_ns()
        journal.append(record)
        taken = time.perf_counter_ns() - start
        (begins if len(journal.segment_names) > segments else others).append(taken)
    journal.close()
    disk.close()
    return summarize(begins), summarize(others)


def show(report: JournalReport) -> None:
    """Print the report for a person."""
    print("journal: appends, beside bare writes of the same bytes")
    print(machine.line(report.machine))
    for name, text in report.method.items():
        print(f"{name}: {text}")
    print(f"\n{'policy, bytes':<22}{'journal/s':>10}{'bare/s':>10}{'ratio':>8}")
    for row in report.rows:
        ratio = row.journal_per_s / row.bare_per_s
        name = f"{row.policy}, {row.record_bytes:,}"
        print(f"{name:<22}{row.journal_per_s:>10,}{row.bare_per_s:>10,}{ratio:>8.2f}")
    print(f"\n{HEADER}")
    for row in report.rows:
        name = f"{row.policy}, {row.record_bytes:,}"
        print(line(name, row.journal))
        print(line("  bare", row.bare))
    print(line("begins a segment", report.rotation))
    print(line("  other appends", report.other))


def _repeat(
    step: Callable[[], None],
    sync: Callable[[], None] | None,
    seconds: float,
    times: "array[int]",
) -> float:
    clock = time.perf_counter_ns
    begin = start = clock()
    end = begin + int(seconds * 1e9)
    sync_at = begin + INTERVAL_NS
    while start < end:
        step()
        now = clock()
        if sync is not None and now >= sync_at:
            sync()
            now = clock()
            sync_at = now + INTERVAL_NS
        times.append(now - start)
        start = now
    return (start - begin) / 1e9


def _record(seq: int, size: int) -> Record:
    """Half of it commands, half events, as it is about in a matcher."""
    return Record(seq, seq, seq, [_BYTES[: size // 4], _BYTES[: size // 4]], _BYTES[: size // 2])


def _file_system(directory: Path) -> str:
    found = ("", "an unknown file system")
    try:
        mounts = Path("/proc/self/mounts").read_text()
    except OSError:
        return found[1]
    for mount in mounts.splitlines():
        device, place, kind, *_ = mount.split()
        if directory.is_relative_to(place) and len(place) >= len(found[0]):
            found = (place, f"{kind} on {device}")
    return found[1]


_BYTES: Final = bytes(1 + place % 255 for place in range(max(RECORD_BYTES)))
