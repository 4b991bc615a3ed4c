"""The rows equal those of the reference model after any fault on the way.

Random commands go through the real engine, whose events are checked against the model's. Batches
are lost, doubled and reordered; the recorder is killed between and inside its transactions, and
starts again from the database.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from random import Random

import pytest
from sqlalchemy import Engine

from crossbook.common.messages.codec import decode_matcher_reply, encode
from crossbook.common.messages.events import EventBatch
from crossbook.recorder import store as store_module
from crossbook.recorder.digest import EventDigest
from crossbook.recorder.replica import RESEND_AGAIN_NS, RecorderReplica
from crossbook.recorder.store import Store
from tests.properties.market import INSTRUMENTS
from tests.recorder.matcher import RecordedMatcher
from tests.recorder.naive import tables_expected, tables_of

SEEDS = 12
POSTGRESQL_SEEDS = 2
BATCHES = 250


class Killed(Exception):  # noqa: N818 - not an error: a kill, seen by the code it ends
    """The process was killed."""


class Recorder:
    """A recorder over several lives: the work of its loop, without sockets."""

    def __init__(self, engine: Engine, matcher: RecordedMatcher, chance: Random) -> None:
        self._store = Store(engine)
        self._matcher = matcher
        self._chance = chance
        self.lives = 0
        self.start()

    def start(self) -> None:
        """Begin from the database. Changes that were gathered and not written are lost."""
        self._store.open()
        position, latest = self._store.load(instrument.id for instrument in INSTRUMENTS)
        self._digest = EventDigest(INSTRUMENTS, position, latest)
        self._replica = RecorderReplica(position)
        self.lives += 1

    def deliver(self, batch: EventBatch) -> None:
        """Receive a batch."""
        for ready in self._replica.receive(batch):
            self._digest.add(ready)

    def request_missing(self) -> bool:
        """Request missing batches and apply the answer; returns whether any were missing."""
        self._matcher.now_ns += RESEND_AGAIN_NS
        request = self._replica.next_request(self._matcher.now_ns)
        if request is None:
            return False
        answer = decode_matcher_reply(encode(self._matcher.answer(request)))
        for ready in self._replica.receive_reply(answer):
            self._digest.add(ready)
        return True

    def write(self) -> None:
        """Run one transaction; a process killed inside it starts again."""
        changes = self._digest.drain()
        if changes is None:
            return
        kill = self._chance.random() < 0.2
        with suppress(Killed), killed_inside(kill):
            self._store.write(changes)
        if kill:
            self.start()

    def settle(self) -> None:
        """Catch up and write all changes."""
        self.write()
        while self._replica.seq < self._matcher.seq:
            self.deliver(self._matcher.heartbeat())
            self.request_missing()
            self.write()


@contextmanager
def killed_inside(kill: bool) -> Iterator[None]:
    """End a transaction inside `with` in the middle if `kill` is set."""
    patch = pytest.MonkeyPatch()

    def reached(point: str) -> None:
        if kill and point == "recorder.writing":
            raise Killed

    patch.setattr(store_module, "reached", reached)
    try:
        yield
    finally:
        patch.undo()


def run(engine: Engine, seed: int, batches: int) -> Recorder:
    """Random commands, faults and kills; the tables are compared now and then, and at the end."""
    chance = Random(seed)
    matcher = RecordedMatcher(seed)
    recorder = Recorder(engine, matcher, chance)
    for number in range(batches):
        batch = matcher.apply(chance.choice((1, 1, 2, 8, 30)))
        arriving = [batch] if batch is not None and chance.random() > 0.1 else []
        if matcher.batches and chance.random() < 0.15:
            arriving.append(chance.choice(matcher.batches))
        chance.shuffle(arriving)
        for one in arriving:
            recorder.deliver(one)
        if chance.random() < 0.3:
            recorder.request_missing()
        if chance.random() < 0.3:
            recorder.write()
        if chance.random() < 0.05:
            recorder.start()
        if not number % 50:
            recorder.settle()
            assert tables_of(engine) == tables_expected(matcher.record), f"seed {seed}, {number}"
    recorder.settle()
    found = tables_of(engine)
    assert found == tables_expected(matcher.record), f"seed {seed}"
    open_rows = {row["order_id"]: row for row in found["orders"] if row["status"] <= 2}
    assert {order.order_id for order in matcher.generator.reference.open} == set(open_rows)
    for order in matcher.generator.reference.open:
        row = open_rows[order.order_id]
        assert (row["filled_lots"], row["remaining_lots"]) == (
            order.filled_lots,
            order.remaining_lots,
        )
        assert (row["price_ticks"], row["status"]) == (order.price_ticks, order.status)
    return recorder


@pytest.mark.parametrize("seed", range(SEEDS))
def test_rows_equal_the_model_after_losses_repeats_and_kills(
    sqlite_engine: Engine, seed: int
) -> None:
    assert run(sqlite_engine, seed, BATCHES).lives > 5


@pytest.mark.parametrize("seed", range(100, 100 + POSTGRESQL_SEEDS))
def test_postgresql_keeps_the_same_record(postgresql_engine: Engine, seed: int) -> None:
    assert run(postgresql_engine, seed, BATCHES).lives > 5
