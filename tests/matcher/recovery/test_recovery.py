"""Recovery: the newest good snapshot and the journal behind it give the same engine again."""

from collections.abc import Iterable

import pytest
from msgspec.structs import replace

from crossbook.common.errors import ConfigError
from crossbook.common.instruments import Instrument, example
from crossbook.common.messages.codec import decode_events, encode
from crossbook.common.messages.commands import Command, NewOrder
from crossbook.common.messages.events import TradeExecuted
from crossbook.common.types import Side
from crossbook.matcher.journal.journal import Journal
from crossbook.matcher.journal.record import Record
from crossbook.matcher.recovery.recovery import Recovered, RecoveryFailed, recover
from crossbook.matcher.recovery.snapshot import capture
from crossbook.matcher.recovery.snapshot_store import SnapshotStore
from crossbook.matcher.resend_buffer import EventResendBuffer
from crossbook.matcher.sequencer import Sequencer
from tests.properties.generator import StepGenerator
from tests.properties.market import INSTRUMENTS
from tests.simulation.fake_disk import FakeDisk
from tests.worlds.invariants import check

INCARNATION = 77
SEGMENT = 64 * 1024


def start(
    disk: FakeDisk, instruments: Iterable[Instrument] = INSTRUMENTS, incarnation: int = INCARNATION
) -> Recovered:
    return recover(disk, instruments, incarnation, SEGMENT, "batch", snapshots_kept=3)


class MatcherLife:
    """One life of a matcher on a disk."""

    def __init__(self, disk: FakeDisk, instruments: Iterable[Instrument] = INSTRUMENTS) -> None:
        self.recovered = start(disk, instruments)
        self.engine = self.recovered.engine
        self.sequencer = Sequencer(self.engine, self.recovered.journal, EventResendBuffer(10**6))
        self.store = SnapshotStore(disk, 3)

    def apply(self, commands: list[Command], batch: int = 10) -> list[bytes]:
        sent = []
        for at in range(0, len(commands), batch):
            made = self.sequencer.apply([encode(commands[at : at + batch])], 1_000 + at)
            if made is not None:
                sent.append(made)
        return sent

    def save(self) -> str:
        return self.store.save(self.engine, INCARNATION, self.sequencer.time_ns)


def commands(count: int, seed: int = 5) -> list[Command]:
    return [step[1] for step in StepGenerator(seed).steps(count)]


def sell(lots: int, price: int = 100, coid: str = "") -> NewOrder:
    return NewOrder(
        gateway=0,
        request_seq=0,
        account=7,
        instrument=1,
        side=Side.SELL,
        order_type=1,
        time_in_force=1,
        price_ticks=price,
        quantity_lots=lots,
        client_order_id=coid,
    )


def buy(lots: int, price: int = 100) -> NewOrder:
    return NewOrder(
        gateway=0,
        request_seq=0,
        account=8,
        instrument=1,
        side=Side.BUY,
        order_type=1,
        time_in_force=1,
        price_ticks=price,
        quantity_lots=lots,
    )


def test_an_empty_disk_begins_a_new_incarnation() -> None:
    recovered = start(FakeDisk())
    assert (recovered.journal.incarnation, recovered.engine.seq, recovered.replayed) == (
        INCARNATION,
        0,
        0,
    )


def test_the_engine_that_was_is_rebuilt_and_the_numbers_go_on() -> None:
    disk = FakeDisk()
    life = MatcherLife(disk)
    life.apply(commands(2_000))
    disk.kill()
    again = MatcherLife(disk)
    assert again.recovered.journal.incarnation == INCARNATION
    assert again.recovered.replayed == life.engine.seq
    assert capture(again.engine) == capture(life.engine)
    check(again.engine)
    assert again.apply([sell(5)]) == life.apply([sell(5)])


def test_a_snapshot_shortens_the_replay_and_changes_nothing() -> None:
    disk = FakeDisk()
    flow = commands(3_000)
    life = MatcherLife(disk)
    life.apply(flow[:2_000])
    life.save()
    saved = life.engine.seq
    life.apply(flow[2_000:])
    disk.kill()
    again = MatcherLife(disk)
    assert again.recovered.snapshot_seq == saved
    assert again.recovered.replayed == life.engine.seq - saved
    assert capture(again.engine) == capture(life.engine)


def test_a_damaged_snapshot_is_skipped_for_an_older_one() -> None:
    disk = FakeDisk()
    flow = commands(900)
    life = MatcherLife(disk)
    names = []
    for at in range(0, 900, 300):
        life.apply(flow[at : at + 300])
        names.append(life.save())
    spoiled = bytearray(disk.read(names[2]))
    spoiled[len(spoiled) // 2] ^= 1
    disk.replace(names[2], bytes(spoiled))
    again = MatcherLife(disk)
    assert again.recovered.snapshot_seq == int(names[1].partition(".")[0])
    assert names[2] in again.recovered.skipped[0]
    assert capture(again.engine) == capture(life.engine)


def test_a_journal_that_does_not_reach_a_snapshot_refuses_to_start() -> None:
    disk = FakeDisk()
    life = MatcherLife(disk)
    life.apply(commands(500))
    name = life.save()
    for other in [name for name in disk.names() if name.endswith(".journal")]:
        disk.remove(other)
    with pytest.raises(RecoveryFailed, match=f"{name} .* segments are missing"):
        start(disk)
    disk.remove(name)
    assert start(disk).engine.seq == 0


def test_dropped_segments_without_a_snapshot_refuse_to_start() -> None:
    disk = FakeDisk()
    life = MatcherLife(disk)
    life.apply(commands(5_000))
    assert len(life.recovered.journal.segment_names) > 2
    life.recovered.journal.drop_before(life.engine.seq)
    with pytest.raises(RecoveryFailed, match="put back older segments or snapshots"):
        start(disk)


def test_dropped_segments_behind_a_snapshot_are_not_missed() -> None:
    disk = FakeDisk()
    life = MatcherLife(disk)
    life.apply(commands(5_000))
    life.save()
    life.recovered.journal.drop_before(life.engine.seq)
    life.apply([sell(3)])
    assert capture(MatcherLife(disk).engine) == capture(life.engine)


def test_events_that_differ_from_the_record_refuse_to_start() -> None:
    disk = FakeDisk()
    life = MatcherLife(disk)
    (sent,) = life.apply([sell(5)])
    journal = Journal.open(disk, INCARNATION, encode(list(INSTRUMENTS)), SEGMENT)
    forged = decode_events(sent)
    journal.append(
        Record(
            first_seq=2,
            last_seq=2,
            time_ns=1_000,
            payloads=[encode([sell(6)])],
            events=encode(replace(forged, last_seq=2)),
        )
    )
    with pytest.raises(RecoveryFailed, match=r"2\.\.2 gave other events"):
        start(disk)


def test_changed_fees_apply_to_later_trades_and_the_past_replays_with_its_own() -> None:
    disk = FakeDisk()
    before = MatcherLife(disk, [example()])
    before.apply([sell(1_000, 5_000_000), buy(100, 5_000_000)])
    disk.kill()
    dear = replace(example(), taker_fee_rate=4000)
    after = MatcherLife(disk, [dear])
    (batch,) = after.apply([buy(100, 5_000_000)])
    (trade,) = [e for e in decode_events(batch).events if isinstance(e, TradeExecuted)]
    assert trade.taker_fee == 100 * 1000 * 4000 // 1_000_000
    disk.kill()
    assert capture(MatcherLife(disk, [dear]).engine) == capture(after.engine)


@pytest.mark.parametrize(
    ("instruments", "text"),
    [
        ([], "BTC-USDT .* is in the recorded state but not in the instruments file"),
        ([replace(example(), tick_size="0.1")], "tick_size was 0.01 .* may not become 0.1"),
    ],
)
def test_instruments_that_orders_depend_on_may_not_go(
    instruments: list[Instrument], text: str
) -> None:
    disk = FakeDisk()
    MatcherLife(disk, [example()]).apply([sell(1_000, 5_000_000)])
    with pytest.raises(ConfigError, match=text):
        start(disk, instruments)
    assert start(disk, [example()]).engine.seq == 1


def test_an_instrument_whose_fees_round_too_coarsely_is_not_begun() -> None:
    """The smallest fill is one unit of each asset; a fill without fees costs nothing."""
    fine = example()
    coarse = replace(
        fine, id=9, symbol="A-B", base="A", quote="B", tick_size="1", lot_size="1",
        base_decimals=0, quote_decimals=0,
    )  # fmt: skip
    free = replace(coarse, maker_fee_rate=0, taker_fee_rate=0)
    disk = FakeDisk()
    MatcherLife(disk, [fine]).apply([sell(1_000, 5_000_000)])
    with pytest.raises(ConfigError, match="rounding a fee up"):
        start(disk, [fine, coarse])
    assert start(disk, [fine, free]).engine.seq == 1


def test_retries_and_requests_are_recognised_after_recovery() -> None:
    disk = FakeDisk()
    first = NewOrder(
        gateway=1,
        request_seq=1,
        account=7,
        instrument=1,
        side=Side.SELL,
        order_type=1,
        time_in_force=1,
        price_ticks=100,
        quantity_lots=5,
        client_order_id="mine",
    )
    life = MatcherLife(disk)
    life.apply([first])
    disk.kill()
    again = MatcherLife(disk)
    assert again.apply([first]) == []
    (batch,) = again.apply([replace(first, request_seq=2)])
    (event,) = decode_events(batch).events
    assert type(event).__name__ == "OrderRepeated"
    assert len(again.engine.accounts[7].orders) == 1


def test_only_the_newest_snapshots_are_kept() -> None:
    disk = FakeDisk()
    life = MatcherLife(disk)
    for order in commands(50):
        life.apply([order])
        life.save()
    oldest = life.store.prune()
    names = life.store.names()
    assert len(names) == 3
    assert int(names[0].partition(".")[0]) == oldest


def test_any_changed_byte_of_a_snapshot_is_noticed() -> None:
    disk = FakeDisk()
    life = MatcherLife(disk, [example()])
    life.apply([sell(1_000, 5_000_000, "a"), buy(10, 4_000_000)])
    name = life.save()
    sound = disk.read(name)
    for place in range(len(sound)):
        spoiled = bytearray(sound)
        spoiled[place] ^= 0x55
        disk.replace(name, bytes(spoiled))
        recovered = start(disk, [example()])
        assert recovered.snapshot_seq == 0, f"byte {place} was changed without an error"
        assert capture(recovered.engine) == capture(life.engine)


def test_no_snapshot_reaches_anything_where_there_is_none() -> None:
    assert SnapshotStore(FakeDisk(), 2).prune() == 0
