"""The journal over endings at random instants: synced records are there, and a prefix of the rest.

A failure prints its seed; `pytest tests/matcher/journal/test_journal_crash.py -k <seed>` repeats
it.
"""

from contextlib import suppress
from random import Random
from typing import Final

import pytest

from crossbook.matcher.journal.journal import Journal, SyncPolicy
from crossbook.matcher.journal.record import Record
from tests.simulation.fake_disk import Died, FakeDisk
from tests.worlds.journals import open_journal, random_record, records_of

SEEDS: Final = 60
SLOW_SEEDS: Final = 3_000
ENDINGS: Final = 12
CONFIGURATIONS: Final = (b"one", b"another one")
POLICIES: Final[tuple[SyncPolicy, ...]] = ("batch", "interval", "never")


class JournalLife:
    """A journal that is appended to, ended and opened again, and the records it must still have."""

    def __init__(self, seed: int, policy: SyncPolicy) -> None:
        self.rng = Random(seed)
        self.policy = policy
        self.disk = FakeDisk()
        self.appended: list[Record] = []
        self.safe = 0
        """How many of `appended` no ending may take away."""
        self.trying: Record | None = None
        """Was being appended when it ended: may be there or not."""

    def run(self) -> int:
        """Live through all endings; returns how many records are there in the end."""
        for _ in range(ENDINGS):
            if self.rng.random() < 0.8:
                self.disk.die_in(self.rng.randrange(60), self.rng)
            with suppress(Died):
                self.work(self.open())
            if self.rng.random() < 0.6:
                self.disk.crash(self.rng)
            else:
                self.disk.kill()
        self.open()
        return len(self.appended)

    def open(self) -> Journal:
        """Open the journal and compare its records; all of them are safe from now on."""
        journal = open_journal(
            self.disk,
            segment_bytes=8 * 1024,
            sync=self.policy,
            configuration=self.rng.choice(CONFIGURATIONS),
        )
        found = records_of(journal)
        possible = self.appended + ([self.trying] if self.trying else [])
        assert found == possible[: len(found)]
        assert len(found) >= self.safe
        self.appended, self.safe, self.trying = found, len(found), None
        return journal

    def work(self, journal: Journal) -> None:
        """Append and sync for a while."""
        for _ in range(self.rng.randrange(40)):
            self.trying = random_record(journal.last_seq + 1, self.rng)
            journal.append(self.trying)
            self.appended.append(self.trying)
            self.trying = None
            if self.policy == "batch":
                self.safe = len(self.appended)
            elif self.rng.random() < 0.2:
                journal.sync()
                self.safe = len(self.appended)


@pytest.mark.parametrize("policy", POLICIES)
def test_synced_records_survive_every_ending(policy: SyncPolicy) -> None:
    assert sum(_lived(seed, policy) for seed in range(SEEDS)) > 20 * SEEDS


@pytest.mark.slow
@pytest.mark.parametrize("policy", POLICIES)
def test_synced_records_survive_every_ending_at_length(policy: SyncPolicy) -> None:
    for seed in range(SEEDS, SLOW_SEEDS):
        _lived(seed, policy)


def _lived(seed: int, policy: SyncPolicy) -> int:
    try:
        return JournalLife(seed, policy).run()
    except Exception as error:
        error.add_note(f"seed {seed}, policy {policy}")
        raise
