"""Shards: numbers that show their matcher, and instruments without any difference."""

from typing import Any, Final

import pytest
from msgspec import Raw
from msgspec.structs import replace

from crossbook.common.errors import ConfigError
from crossbook.common.messages.codec import encode
from crossbook.common.messages.commands import AmendOrder, CancelOrder, Command, NewOrder
from crossbook.common.messages.events import Event
from crossbook.common.messages.matcher_queries import Resend, ResendRequest, ResendTooOld
from crossbook.common.shards import SHARDS_MAX, base_of, shard_of
from crossbook.common.types import Side
from crossbook.matcher.engine.engine import Engine
from crossbook.matcher.journal.disk import Disk
from crossbook.matcher.recovery.recovery import recover
from crossbook.matcher.recovery.snapshot_store import SnapshotStore
from crossbook.matcher.recovery.verify import verify
from crossbook.matcher.resend_buffer import EventResendBuffer
from crossbook.matcher.sequencer import Sequencer
from tests.properties.generator import StepGenerator
from tests.properties.market import INSTRUMENTS
from tests.simulation.fake_disk import FakeDisk

SEGMENT: Final = 8 * 1024
SHARD: Final = 2


def start(disk: Disk, shard: int = SHARD) -> Sequencer:
    """A matcher of a shard on a disk."""
    found = recover(disk, INSTRUMENTS, 77, SEGMENT, "batch", 3, shard=shard)
    return Sequencer(found.engine, found.journal, EventResendBuffer(1_000))


def sell(coid: str) -> bytes:
    return encode(
        [
            NewOrder(
                gateway=0,
                request_seq=0,
                account=7,
                instrument=1,
                side=Side.SELL,
                order_type=1,
                time_in_force=1,
                price_ticks=100,
                quantity_lots=50,
                client_order_id=coid,
            )
        ]
    )


def test_every_number_shows_its_shard_and_is_exact_in_a_double() -> None:
    for shard in range(SHARDS_MAX):
        last = base_of(shard + 1) - 1
        assert shard_of(base_of(shard) + 1) == shard_of(last) == shard
        assert int(float(last)) == last


def test_a_shard_numbers_from_its_base_over_restarts_and_snapshots() -> None:
    disk = FakeDisk()
    for life in range(4):
        sequencer = start(disk)
        assert sequencer.seq == base_of(SHARD) + 100 * life
        for order in range(100):
            sequencer.apply([sell(f"{life}-{order}")], life)
        if life == 2:
            SnapshotStore(disk, 3).save(sequencer._engine, 77, sequencer.time_ns)
        disk.kill()
    verdict = verify(disk)
    assert (verdict.problem, verdict.last_seq) == ("", base_of(SHARD) + 400)
    assert (verdict.replayed_from, verdict.first_seq) == (base_of(SHARD) + 1,) * 2


def test_another_shard_does_not_go_on_with_the_journal() -> None:
    disk = FakeDisk()
    start(disk).apply([sell("a")], 1)
    disk.kill()
    with pytest.raises(ConfigError, match="SHARD=1: DATA_DIR holds the journal of shard 2"):
        start(disk, shard=1)
    assert start(disk).seq == base_of(SHARD) + 1


def test_missing_batches_are_sent_again_from_the_base_on() -> None:
    sequencer = start(FakeDisk())
    too_old = sequencer.answer(ResendRequest(request_id=1, incarnation=77, from_seq=1, to_seq=1))
    base = base_of(SHARD)
    assert too_old == ResendTooOld(request_id=1, incarnation=77, first_seq=base + 1, last_seq=base)
    batch = sequencer.apply([sell("a")], 1)
    assert batch is not None
    assert sequencer.answer(
        ResendRequest(request_id=2, incarnation=77, from_seq=base + 1, to_seq=base + 1)
    ) == Resend(2, 77, [Raw(batch)])


def of_one_instrument(seed: int, count: int) -> list[NewOrder | CancelOrder | AmendOrder]:
    """Random commands that name an instrument. An account's order names are unique within an
    exchange, or a shard: here they are within an instrument."""
    return [
        replace(
            command, gateway=0, request_seq=0,
            client_order_id=command.client_order_id and f"{command.instrument}{seed}"[:9]
            + command.client_order_id[:20],
        )
        for _, command in (step[:2] for step in StepGenerator(seed).steps(count))
        if isinstance(command, NewOrder | CancelOrder | AmendOrder)
    ]  # fmt: skip


def named(event: Event, names: dict[int, int]) -> Event:
    """The event with the given numbers."""
    fields = ("seq", "order_id", "maker_order_id", "taker_order_id")
    found: dict[str, Any] = {
        field: names.get(getattr(event, field), 0) for field in fields if hasattr(event, field)
    }
    return replace(event, **found)


@pytest.mark.parametrize("seed", [0, 2, 4])
def test_two_shards_treat_each_instrument_as_one_matcher_does(seed: int) -> None:
    one = Engine(INSTRUMENTS)
    shards = [Engine(INSTRUMENTS[:1]), Engine(INSTRUMENTS[1:])]
    shards[1].seq = base_of(1)
    names: dict[int, int] = {}
    known = {instrument.id for instrument in INSTRUMENTS}
    trades = 0
    for command in of_one_instrument(seed, 1_500):
        if command.instrument not in known:
            continue
        shard = shards[command.instrument != INSTRUMENTS[0].id]
        moved: Command = command
        if not isinstance(command, NewOrder) and command.order_id:
            moved = replace(command, order_id=names.get(command.order_id, 2**62))
        names[one.seq + 1] = shard.seq + 1
        expected = [named(event, names) for event in one.apply(command)]
        assert shard.apply(moved) == expected
        trades += len(expected) > 1
    assert trades > 50
    assert all(shard.seq > base_of(number) + 100 for number, shard in enumerate(shards))
