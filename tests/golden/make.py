"""`python -m tests.golden.make DIR`: a small journal of the current format, from a seed.

Run it once for a new format version or edition of the rules, with
`tests/golden/v<version>-edition<edition>` as the directory, and never again: what an earlier
program wrote is what later ones must read. A directory whose name ends with `-keys` gets the acts
of administrators on API keys instead.
"""

import sys
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import Final

from crossbook.matcher.build import use_build

if __name__ == "__main__":
    # An import below brings the engine.
    use_build()

import msgspec

from crossbook.common.messages.codec import encode
from crossbook.common.messages.commands import Administer, Command
from crossbook.matcher.journal.disk import LOCK, FileDisk
from crossbook.matcher.journal.segment import VERSION
from crossbook.matcher.recovery.recovery import recover
from crossbook.matcher.recovery.snapshot import state_hash
from crossbook.matcher.recovery.snapshot_store import SnapshotStore
from crossbook.matcher.resend_buffer import EventResendBuffer
from crossbook.matcher.sequencer import Sequencer
from tests.properties.generator import StepGenerator
from tests.properties.key_acts import key_acts
from tests.properties.market import INSTRUMENTS, rules_of

KEYS_SUFFIX: Final = "-keys"
SEED: Final = 20_261_177
INCARNATION: Final = 1_767_225_600_000_000_000
COMMANDS: Final = 2_000
SEGMENT_BYTES: Final = 64 * 1024
KEY_ACTS: Final = 400
KEYS_SEGMENT_BYTES: Final = 16 * 1024
EXPECTED: Final = "expected.json"


def make(directory: Path) -> None:
    """Write segments, one snapshot from the middle, and the state they lead to."""
    if directory.name.endswith(KEYS_SUFFIX):
        acts = [(each, at) for each, at in key_acts(SEED, KEY_ACTS) if type(each) is Administer]
        _write(directory, acts, KEYS_SEGMENT_BYTES, KEY_ACTS // 4)
    else:
        steps = StepGenerator(SEED).steps(COMMANDS)
        # Times of the generator count from zero: what is to expire soon does.
        timed = ((command, step.label) for step, command, _ in steps)
        _write(directory, timed, SEGMENT_BYTES, COMMANDS // 2)


def _write(
    directory: Path, timed: Iterable[tuple[Command, int]], segment_bytes: int, snapshot_at: int
) -> None:
    rng = Random(SEED)
    disk = FileDisk(directory)
    rules = rules_of(SEED)
    recovered = recover(disk, INSTRUMENTS, INCARNATION, segment_bytes, "batch", 1, rules=rules)
    engine, journal = recovered.engine, recovered.journal
    made = Sequencer(engine, journal, EventResendBuffer(0))
    store = SnapshotStore(disk, 1)
    waiting: list[Command] = []
    for command, time_ns in timed:
        waiting.append(command)
        if rng.random() < 0.2:
            half = rng.randrange(len(waiting) + 1)
            made.apply([encode(part) for part in (waiting[:half], waiting[half:]) if part], time_ns)
            while made.has_more:
                made.apply([], time_ns)
            waiting = []
            if engine.seq >= snapshot_at and not store.names():
                store.save(engine, journal.incarnation, made.time_ns)
    expected = {
        "version": VERSION,
        "stream": journal.incarnation,
        "segments": len(journal.segment_names),
        "last_seq": journal.last_seq,
        "state_hash": state_hash(engine),
    }
    journal.close()
    disk.close()
    (directory / LOCK).unlink()
    text = msgspec.json.format(msgspec.json.encode(expected), indent=2)
    (directory / EXPECTED).write_bytes(text + b"\n")


if __name__ == "__main__":
    make(Path(sys.argv[1]))
