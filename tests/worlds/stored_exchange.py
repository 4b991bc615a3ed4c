"""The journal and the record that an exchange leaves on disk after random commands."""

from pathlib import Path
from random import Random

from msgspec import Struct

from crossbook.common.rules import encode_configuration
from crossbook.matcher.journal.disk import FileDisk
from crossbook.matcher.journal.journal import Journal
from crossbook.recorder.database import open_database
from crossbook.recorder.digest import EventDigest
from crossbook.recorder.store import Store
from tests.properties.market import INSTRUMENTS, rules_of
from tests.recorder.matcher import INCARNATION, RecordedMatcher

SEGMENT_BYTES = 64 * 1024


class StoredExchange(Struct):
    """The folder of the journal, the URL of the record, and the matcher that led to both."""

    folder: Path
    database: str
    matcher: RecordedMatcher


def stored_exchange(folder: Path, seed: int, batches: int) -> StoredExchange:
    """Random commands in `batches` batches, journaled and recorded."""
    disk = FileDisk(folder)
    configuration = encode_configuration(INSTRUMENTS, rules_of(seed))
    journal = Journal.open(disk, INCARNATION, configuration, SEGMENT_BYTES, "never")
    matcher = RecordedMatcher(seed, journal)
    chance = Random(seed)
    for _ in range(batches):
        matcher.apply(chance.choice((1, 1, 2, 8, 30)))
    journal.close()
    disk.close()
    url = f"sqlite:///{folder}/history.db"
    record(url, matcher)
    return StoredExchange(folder, url, matcher)


def record(url: str, matcher: RecordedMatcher) -> None:
    """Record the events of the matcher, in several transactions."""
    engine = open_database(url)
    store = Store(engine)
    store.open()
    position, latest = store.load(instrument.id for instrument in INSTRUMENTS)
    digest = EventDigest(INSTRUMENTS, position, latest)
    for number, batch in enumerate(matcher.batches):
        digest.add(batch)
        if number % 7 == 0 and (changes := digest.drain()) is not None:
            store.write(changes)
    if (changes := digest.drain()) is not None:
        store.write(changes)
    engine.dispose()
