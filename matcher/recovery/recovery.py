"""Recovery: the newest sound snapshot and the journal behind it give the engine that was.

A data directory holds a journal (each batch with its time, its commands as received and their
events) and some snapshots (the whole engine at one number). The engine is deterministic: the same
commands at the same times give the same state and the same events. A start relies on that:

1. `Journal.open` checks the journal from end to end. A crash may have torn the last record, which
   was never acknowledged: it is cut. Any other damage refuses the start. What remains is synced
   before anything builds on it.
2. `newest` loads the newest sound snapshot. A damaged one is skipped and reported, because
   snapshots only shorten the replay. A sound one behind the journal's end refuses the start: the
   journal was synced before that snapshot was written, so segments are missing. A journal whose
   first segments were removed needs a snapshot that reaches its first number.
3. `replay` applies each later record under the instruments and rules of its segment, and compares
   the events with the recorded ones, byte for byte, except that fields which a later version
   appended count with their defaults. A difference refuses the start: the program or the files
   are not those that wrote the record.
4. The instruments and rules of the settings are checked against the recorded ones and put in
   force. The next record begins a segment with them in its header.

The caller receives every record replayed, so that the matcher can resend the last events from
memory at once. Only an empty directory begins a new incarnation: after a restart consumers go on
at the number they had. `snapshot_process` and `verify` replay in the same way, beside a matcher.
"""

from collections.abc import Callable, Iterable

from msgspec import Struct

from crossbook.common.errors import ConfigError, CrossbookError
from crossbook.common.instruments import Instrument, check_change
from crossbook.common.messages.codec import decode_events, encode
from crossbook.common.process.crash_points import reached
from crossbook.common.rounding import check_rounding
from crossbook.common.rules import Rules, decode_configuration, encode_configuration
from crossbook.common.shards import base_of, shard_of
from crossbook.matcher.batch import apply_batch
from crossbook.matcher.engine.engine import Engine
from crossbook.matcher.journal.disk import Disk
from crossbook.matcher.journal.journal import Journal, SyncPolicy
from crossbook.matcher.journal.record import Record
from crossbook.matcher.recovery.snapshot_store import (
    BadSnapshot,
    EngineSnapshot,
    SnapshotStore,
    snapshot_name,
)


class RecoveryFailed(CrossbookError):  # noqa: N818 - names an event
    """The recorded state cannot be rebuilt; the text names the place and the remedy."""


class Recovered(Struct):
    """The recovered engine, and the journal that stands ready for its next record.

    `snapshot_seq` is zero where no snapshot was used; `skipped` names the unusable ones.
    """

    engine: Engine
    journal: Journal
    snapshot_seq: int
    replayed: int
    skipped: list[str]


def recover(
    disk: Disk,
    instruments: Iterable[Instrument],
    new_incarnation: int,
    segment_bytes: int,
    sync: SyncPolicy,
    snapshots_kept: int,
    seen: Callable[[Record], None] = lambda record: None,
    rules: Rules | None = None,
    shard: int = 0,
) -> Recovered:
    """Rebuild the engine from `disk`; an empty disk begins `new_incarnation` with these instruments
    and rules, and with the numbers of `shard`.

    `seen` is called with every record replayed. Raises `JournalDamaged`, `RecoveryFailed`, or
    `ConfigError` when the instruments may not follow the recorded ones, or the shard is another.
    """
    wanted = list(instruments)
    rules = rules or Rules()
    configuration = encode_configuration(wanted, rules)
    journal = Journal.open(
        disk, new_incarnation, configuration, segment_bytes, sync, base_seq=base_of(shard)
    )
    if journal.base_seq != base_of(shard):
        raise ConfigError(
            f"SHARD={shard}: DATA_DIR holds the journal of shard {shard_of(journal.base_seq)}; "
            "set it back, or start with another DATA_DIR"
        )
    store = SnapshotStore(disk, snapshots_kept)
    engine, skipped = newest(store, journal)
    snapshot_seq = engine.seq
    if journal.first_seq > snapshot_seq + 1:
        raise RecoveryFailed(
            f"the journal begins at {journal.first_seq} and no snapshot reaches "
            f"{journal.first_seq - 1}; put back older segments or snapshots"
            + "".join(f"; {text}" for text in skipped)
        )
    replayed = 0
    for record in replay(engine, journal, snapshot_seq + 1):
        reached("matcher.recovering")
        seen(record)
        replayed += record.last_seq - record.first_seq + 1
    for instrument in wanted:
        book = engine.books.get(instrument.id)
        known = None if book is None else book.instrument
        if known is not None:
            # A change that is never allowed is reported before a unit that is too coarse.
            check_change(known, instrument)
        check_rounding(instrument, known)
    engine.configure(wanted, rules)
    return Recovered(engine, journal, snapshot_seq, replayed, skipped)


def newest(store: SnapshotStore, journal: Journal) -> tuple[Engine, list[str]]:
    """The engine of the newest sound snapshot, and the faults of newer ones.

    Without a sound snapshot, the engine before the first command. Raises `RecoveryFailed` when the
    journal ends before the snapshot: the journal was synced first, so a part of it is missing.
    """
    snapshot, engine, skipped = sound(store, journal.base_seq)
    if snapshot is not None and (
        snapshot.incarnation != journal.incarnation or snapshot.seq > journal.last_seq
    ):
        raise RecoveryFailed(
            f"{snapshot_name(snapshot.seq)} was taken at {snapshot.seq}, but the journal beside "
            f"it ends at {journal.last_seq}: segments are missing. Put them back, or move the "
            "snapshots away to go on without what they hold"
        )
    return engine, skipped


def sound(store: SnapshotStore, base_seq: int) -> tuple[EngineSnapshot | None, Engine, list[str]]:
    """The newest sound snapshot, its engine, and the faults of newer ones.

    Without a sound snapshot, None and the engine before the first command, at `base_seq`.
    """
    skipped: list[str] = []
    for name in reversed(store.names()):
        try:
            snapshot = store.read(name)
            return snapshot, store.load(snapshot), skipped
        except BadSnapshot as fault:
            skipped.append(f"{name}: {fault}")
    engine = Engine([])
    engine.seq = base_seq
    return None, engine, skipped


def replay(engine: Engine, journal: Journal, from_seq: int) -> Iterable[Record]:
    """Apply every record from `from_seq` on; yields each record once it is applied.

    Raises `RecoveryFailed` at the first one whose events differ from the recorded ones.
    """
    configuration = b""
    for header, record in journal.read(from_seq):
        if record.last_seq < from_seq:
            continue
        if header.configuration != configuration:
            configuration = header.configuration
            in_force = decode_configuration(configuration)
            engine.configure(in_force.instruments, in_force.rules, in_force.edition)
        if record.first_seq != engine.seq + 1:
            raise RecoveryFailed(
                f"record {record.first_seq} does not follow {engine.seq}; restore the journal"
            )
        batch = apply_batch(engine, journal.incarnation, record.payloads, record.time_ns)
        if batch.encoded != record.events and batch.encoded != _in_full(record.events):
            raise RecoveryFailed(
                f"replaying {record.first_seq}..{record.last_seq} gave other events than were "
                "recorded; start the version of the program that wrote them"
            )
        yield record


def _in_full(events: bytes) -> bytes:
    """Recorded events encoded anew, with fields that were appended since at their defaults."""
    return encode(decode_events(events))
