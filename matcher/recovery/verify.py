"""`python -m crossbook.matcher.recovery.verify DIR`: check that a data directory is complete
and consistent.

Checks the journal from end to end, replays it twice in fresh engines, and compares every event with
the recorded one byte for byte, the state with each snapshot, and the two replays with each other.
Changes nothing, and may read the directory of a running matcher. Exit status: 0 all is well,
1 something is wrong, 2 there is no journal.
"""

import argparse
import sys
from pathlib import Path
from typing import Final

from crossbook.matcher.build import use_build

if __name__ == "__main__":
    # The imports below load the engine.
    use_build()

import msgspec
from msgspec import Struct, structs

from crossbook.common.errors import CrossbookError
from crossbook.matcher.engine.engine import Engine
from crossbook.matcher.journal.disk import Disk, FileDisk
from crossbook.matcher.journal.journal import Journal
from crossbook.matcher.recovery.recovery import replay
from crossbook.matcher.recovery.snapshot import capture, restore, state_hash
from crossbook.matcher.recovery.snapshot_store import BadSnapshot, EngineSnapshot, SnapshotStore

REPLAYS: Final = 2


class Verification(Struct, frozen=True):
    """The outcome of a check. `problem` is empty where all is well.

    `replayed_from` is the first number of the journal, or one past the snapshot that replaces
    removed segments.
    """

    segments: int = 0
    incarnation: int = 0
    first_seq: int = 0
    last_seq: int = 0
    records: int = 0
    replayed_from: int = 0
    snapshots: list[int] = []
    torn_bytes: int = 0
    state_hash: str = ""
    problem: str = ""


class Disagreement(CrossbookError):  # noqa: N818 - names a finding
    """Journal, snapshots and replays differ, or a part of them is missing."""


def verify(disk: Disk) -> Verification:
    """Check the journal and the snapshots on a disk."""
    verdict = Verification()
    store = SnapshotStore(disk, kept=1)
    # Listed first: a running matcher writes its journal before the snapshot that rests on it.
    names = store.names()
    try:
        journal = Journal.open(disk, 0, b"", 0, read_only=True)
        verdict = structs.replace(
            verdict,
            segments=len(journal.segment_names),
            incarnation=journal.incarnation,
            first_seq=journal.first_seq,
            last_seq=journal.last_seq,
            torn_bytes=journal.cut_bytes,
        )
        snapshots = _snapshots(store, names, journal)
        start = _start(journal, snapshots)
        verdict = structs.replace(
            verdict,
            snapshots=[snapshot.seq for snapshot in snapshots],
            replayed_from=(start.seq if start else journal.base_seq) + 1,
        )
        replays = {_replay(store, journal, start, snapshots) for _ in range(REPLAYS)}
        if len(replays) > 1:
            raise Disagreement("two replays of the same journal end in different states")
        [(records, digest)] = replays
    except CrossbookError as error:
        return structs.replace(verdict, problem=str(error))
    return structs.replace(verdict, records=records, state_hash=digest)


def _snapshots(store: SnapshotStore, names: list[str], journal: Journal) -> list[EngineSnapshot]:
    """All snapshots, without their engines, oldest first; raises `Disagreement`."""
    found = []
    for name in names:
        try:
            snapshot = store.read(name)
        except FileNotFoundError:
            # A running matcher removed it, because a newer snapshot exists.
            continue
        except (BadSnapshot, OSError) as error:
            raise Disagreement(f"{name}: {error}; remove it, recovery does not need it") from error
        if snapshot.incarnation != journal.incarnation:
            raise Disagreement(f"{name}: it is of another incarnation than the journal")
        if snapshot.seq > journal.last_seq:
            raise Disagreement(
                f"{name}: the journal ends at {journal.last_seq}: its end is missing; restore it"
            )
        found.append(snapshot)
    return found


def _start(journal: Journal, snapshots: list[EngineSnapshot]) -> EngineSnapshot | None:
    """The oldest snapshot the journal continues; None where it begins at the beginning."""
    if journal.first_seq == journal.base_seq + 1:
        return None
    for snapshot in snapshots:
        if snapshot.seq >= journal.first_seq - 1:
            return snapshot
    raise Disagreement(
        f"the journal begins at {journal.first_seq} and no snapshot reaches "
        f"{journal.first_seq - 1}; put back older segments or snapshots"
    )


def _replay(
    store: SnapshotStore,
    journal: Journal,
    start: EngineSnapshot | None,
    snapshots: list[EngineSnapshot],
) -> tuple[int, str]:
    """Replay into a fresh engine and compare it with every snapshot on the way; returns the number
    of records and the final state hash."""
    engine = _load(store, start) if start else Engine([])
    engine.seq = engine.seq or journal.base_seq
    awaited = [snapshot for snapshot in snapshots if snapshot.seq > engine.seq]
    records = 0
    for _ in replay(engine, journal, engine.seq + 1):
        records += 1
        if awaited and awaited[0].seq <= engine.seq:
            _compare(engine, store, awaited.pop(0))
    if engine.seq != journal.last_seq:
        raise Disagreement(f"the replay ends at {engine.seq}, the journal at {journal.last_seq}")
    return records, state_hash(engine)


def _compare(engine: Engine, store: SnapshotStore, snapshot: EngineSnapshot) -> None:
    saved = _load(store, snapshot)
    in_force = (engine.configured, engine.rules, engine.edition)
    if (saved.configured, saved.rules, saved.edition) != in_force:
        # The snapshot was written after a start with other instruments, before any record of them.
        engine = restore(capture(engine))
        engine.configure(saved.configured.values(), saved.rules, saved.edition)
    if engine.seq != snapshot.seq or state_hash(engine) != snapshot.state_hash:
        raise Disagreement(f"the snapshot at {snapshot.seq} is not the state the journal leads to")
    if capture(saved) not in (capture(engine), capture(engine, arrivals=False)):
        raise Disagreement(f"the snapshot at {snapshot.seq} holds other requests or retries")


def _load(store: SnapshotStore, snapshot: EngineSnapshot) -> Engine:
    try:
        return store.load(snapshot)
    except BadSnapshot as error:
        raise Disagreement(f"the snapshot at {snapshot.seq}: {error}") from error


def text(verdict: Verification) -> str:
    """The verdict as text."""
    lines = [
        f"journal    {verdict.segments} segments of incarnation {verdict.incarnation}, sequence "
        f"{verdict.first_seq} to {verdict.last_seq}",
        f"snapshots  {', '.join(map(str, verdict.snapshots)) or 'none'}",
    ]
    if verdict.torn_bytes:
        lines.append(f"torn tail  {verdict.torn_bytes} bytes, never acknowledged")
    if verdict.problem:
        lines.append(f"WRONG      {verdict.problem}")
    else:
        lines += [
            f"replayed   {verdict.records} records twice from sequence {verdict.replayed_from}: "
            "events as recorded, states equal",
            f"state      {verdict.state_hash}",
        ]
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Verify a data directory; returns the exit status."""
    parser = argparse.ArgumentParser(prog="crossbook.matcher.recovery.verify", description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args(arguments)
    try:
        verdict = verify(FileDisk(given.directory, read_only=True))
    except OSError as error:
        sys.stderr.write(f"{given.directory}: {error.strerror or error}\n")
        return 2
    if not (verdict.segments or verdict.snapshots or verdict.problem):
        sys.stderr.write(f"{given.directory}: holds no journal\n")
        return 2
    if given.json:
        sys.stdout.write(msgspec.json.encode(verdict).decode() + "\n")
    else:
        sys.stdout.write(text(verdict) + "\n")
    return 1 if verdict.problem else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
