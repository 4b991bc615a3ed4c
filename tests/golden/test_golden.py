"""Journals of earlier programs can be read, and give the same events and state."""

from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from crossbook.common.messages.codec import decode_events
from crossbook.common.messages.events import Event
from crossbook.common.rules import EDITION, decode_configuration
from crossbook.matcher.engine.engine import Engine
from crossbook.matcher.journal.disk import FileDisk
from crossbook.matcher.journal.journal import Journal
from crossbook.matcher.journal.segment import SUFFIX, VERSION, decode_header
from crossbook.matcher.recovery.recovery import RecoveryFailed, recover, replay
from crossbook.matcher.recovery.snapshot import state_hash
from crossbook.matcher.recovery.snapshot_store import SUFFIX as SNAPSHOT_SUFFIX
from crossbook.matcher.recovery.verify import verify
from tests.golden.make import EXPECTED, KEYS_SUFFIX
from tests.properties.faulty import MeetsOwnOrdersWhenSpent, RoundsTheMiddleDown
from tests.simulation.fake_disk import FakeDisk

CURRENT = Path(__file__).parent / f"v{VERSION}-edition{EDITION}"
WITH_KEYS = Path(__file__).parent / f"v{VERSION}{KEYS_SUFFIX}"
VERSIONS = sorted(Path(__file__).parent.glob("v*"))
versions = pytest.mark.parametrize("directory", VERSIONS, ids=lambda directory: directory.name)


def expected_of(directory: Path) -> dict[str, Any]:
    """The state that the journal in this directory leads to."""
    found: dict[str, Any] = msgspec.json.decode((directory / EXPECTED).read_bytes())
    return found


def copy_of(directory: Path) -> FakeDisk:
    """A copy of the files of a data directory, which a test may write to."""
    disk = FakeDisk()
    for path in sorted(directory.iterdir()):
        if path.suffix in (SUFFIX, SNAPSHOT_SUFFIX):
            disk.put(path.name, path.read_bytes())
    return disk


def test_the_current_format_and_edition_have_a_golden_journal() -> None:
    assert CURRENT in VERSIONS


@versions
def test_a_golden_journal_verifies(directory: Path) -> None:
    verdict = verify(FileDisk(directory, read_only=True))
    expected = expected_of(directory)
    assert verdict.problem == ""
    assert verdict.segments == expected["segments"] > 2
    assert verdict.last_seq == expected["last_seq"]
    assert len(verdict.snapshots) == 1
    assert verdict.state_hash == expected["state_hash"]


@versions
@pytest.mark.parametrize("with_snapshot", [True, False])
def test_a_golden_journal_recovers(directory: Path, with_snapshot: bool) -> None:
    # Recovery compares every event replayed with the recorded one, byte for byte.
    disk = copy_of(directory)
    if not with_snapshot:
        for name in disk.names():
            if name.endswith(SNAPSHOT_SUFFIX):
                disk.delete(name)
    expected = expected_of(directory)
    first = next(name for name in disk.names() if name.endswith(SUFFIX))
    header, _ = decode_header(disk.read(first))
    in_force = decode_configuration(header.configuration)
    recovered = recover(disk, in_force.instruments, 1, 16 * 1024, "batch", 1, rules=in_force.rules)
    assert bool(recovered.snapshot_seq) == with_snapshot
    assert recovered.skipped == []
    assert recovered.journal.incarnation == expected["stream"]
    assert recovered.engine.seq == expected["last_seq"]
    assert state_hash(recovered.engine) == expected["state_hash"]


@pytest.mark.parametrize("directory", [CURRENT, WITH_KEYS], ids=["edition", "keys"])
def test_the_current_format_is_written_as_it_was(directory: Path) -> None:
    """Any change of the written bytes needs another version number and another golden journal."""
    golden = copy_of(directory)
    names = [name for name in golden.names() if name.endswith(SUFFIX)]
    header, _ = decode_header(golden.read(names[0]))
    source = Journal.open(golden, 0, b"", 0, read_only=True)
    disk = FakeDisk()
    journal = Journal.open(disk, header.incarnation, header.configuration, header.size)
    for _, record in source.read(1):
        journal.append(record)
    assert disk.names() == names
    assert [disk.read(name) for name in names] == [golden.read(name) for name in names]


def test_the_current_golden_journals_hold_every_event() -> None:
    found: set[type] = set()
    for directory in VERSIONS:
        if directory.name.partition("-")[0] == f"v{VERSION}":
            source = Journal.open(copy_of(directory), 0, b"", 0, read_only=True)
            for _, record in source.read(1):
                found |= {type(event) for event in decode_events(record.events).events}
    assert found == set(get_args(Event))


@pytest.mark.parametrize("fault", [MeetsOwnOrdersWhenSpent, RoundsTheMiddleDown])
def test_the_golden_journal_has_cases_that_the_first_edition_decided_otherwise(
    fault: type[Engine],
) -> None:
    golden = copy_of(CURRENT)
    source = Journal.open(golden, 0, b"", 0, read_only=True)
    header, _ = decode_header(golden.read(source.segment_names[0]))
    in_force = decode_configuration(header.configuration)
    assert in_force.edition == EDITION
    engine = fault(in_force.instruments, in_force.rules)
    with pytest.raises(RecoveryFailed, match="gave other events"):
        for _ in replay(engine, source, 1):
            pass
