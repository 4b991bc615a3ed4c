"""A journal of an earlier edition of the market's rules leads to the state it led to then."""

import msgspec
import pytest

from crossbook.common.messages.codec import decode_events, encode
from crossbook.common.messages.commands import Command, NewOrder, SetInstrumentState, Uncross
from crossbook.common.messages.events import AuctionUncrossed, Event, OrderCompleted, OrderExpired
from crossbook.common.rules import EDITION, Rules, decode_configuration
from crossbook.common.types import InstrumentState, OrderType, Prevention
from crossbook.matcher.engine.engine import Engine
from crossbook.matcher.journal.journal import Journal
from crossbook.matcher.journal.segment import decode_header
from crossbook.matcher.recovery.recovery import recover
from crossbook.matcher.recovery.snapshot import capture, restore, state_hash
from crossbook.matcher.recovery.snapshot_store import SnapshotStore
from crossbook.matcher.recovery.verify import verify
from crossbook.matcher.resend_buffer import EventResendBuffer
from crossbook.matcher.sequencer import Sequencer
from tests.simulation.fake_disk import FakeDisk
from tests.worlds.venue import ALICE, BOB, BTC, BUY, CAROL, SELL, limit

INCARNATION, SEGMENT = 77, 64 * 1024
AS_RECORDED_THEN = msgspec.msgpack.encode([2, [BTC], Rules()])
"""A configuration without an edition, as the program wrote it before there were any."""


def _spent() -> NewOrder:
    amount = 100 * BTC.notional_per_tick_lot
    mode = Prevention.EXPIRE_MAKER
    return NewOrder(
        gateway=0,
        request_seq=0,
        account=ALICE,
        instrument=1,
        side=BUY,
        order_type=OrderType.MARKET,
        time_in_force=1,
        price_ticks=0,
        quantity_lots=0,
        client_order_id="",
        quote_amount=amount,
        prevention=mode,
    )


def _commands() -> list[Command]:
    """A first auction that ends on a tie, and a quote amount spent before an own order."""
    return [
        SetInstrumentState(
            gateway=0, request_seq=0, account=0, instrument=1, state=InstrumentState.AUCTION
        ),
        limit(BOB, BUY, 101, 5),
        limit(CAROL, SELL, 100, 5),
        Uncross(gateway=0, request_seq=0, account=0, instrument=1),
        limit(BOB, SELL, 100, 1),
        limit(ALICE, SELL, 101, 1),
        _spent(),
    ]


def _apply(sequencer: Sequencer, commands: list[Command]) -> list[Event]:
    sent = sequencer.apply([encode(commands)], 1_000)
    assert sent is not None
    return decode_events(sent).events


def _written_then(save: bool) -> tuple[FakeDisk, list[Event], str]:
    """A disk as a matcher of the first edition left it, its events, and its state."""
    disk = FakeDisk()
    journal = Journal.open(disk, INCARNATION, AS_RECORDED_THEN, SEGMENT)
    engine = Engine([BTC], edition=1)
    events = _apply(Sequencer(engine, journal, EventResendBuffer(0)), _commands())
    if save:
        SnapshotStore(disk, 1).save(engine, INCARNATION, 1_000)
    journal.close()
    return disk, events, state_hash(engine)


def _price(events: list[Event]) -> int:
    return next(each.price_ticks for each in events if isinstance(each, AuctionUncrossed))


@pytest.mark.parametrize("save", [False, True], ids=["from the journal", "from a snapshot"])
def test_a_journal_of_the_first_edition_recovers_and_goes_on_under_the_current_one(
    save: bool,
) -> None:
    disk, events, hash_then = _written_then(save)
    assert _price(events) == 100
    assert any(isinstance(each, OrderExpired) for each in events[-2:])
    recovered = recover(disk, [BTC], INCARNATION, SEGMENT, "batch", 1)
    assert state_hash(recovered.engine) == hash_then
    assert recovered.engine.edition == EDITION
    sequencer = Sequencer(recovered.engine, recovered.journal, EventResendBuffer(0))
    now = _apply(sequencer, [limit(BOB, SELL, 100, 1), limit(ALICE, SELL, 101, 1), _spent()])
    assert isinstance(now[-1], OrderCompleted)
    recovered.journal.close()
    again = recover(disk, [BTC], INCARNATION, SEGMENT, "batch", 1)
    assert state_hash(again.engine) == state_hash(recovered.engine)
    again.journal.close()
    assert verify(disk).problem == ""


def test_the_edition_stands_in_the_head_of_each_segment() -> None:
    disk, _, _ = _written_then(save=False)
    recovered = recover(disk, [BTC], INCARNATION, SEGMENT, "batch", 1)
    _apply(
        Sequencer(recovered.engine, recovered.journal, EventResendBuffer(0)),
        [limit(BOB, BUY, 1, 1)],
    )
    heads = [decode_header(disk.read(name))[0] for name in recovered.journal.segment_names]
    editions = [decode_configuration(head.configuration).edition for head in heads]
    assert editions == [1, EDITION]


def test_a_snapshot_keeps_its_edition() -> None:
    engine = Engine([BTC], edition=1)
    again = restore(capture(engine))
    assert again.edition == 1
    assert again.books[1].edition == 1
    assert restore(capture(Engine([BTC]))).edition == EDITION


def test_a_snapshot_without_an_edition_is_of_the_first() -> None:
    record = msgspec.msgpack.decode(capture(Engine([BTC])))
    assert record.pop() == EDITION
    assert restore(msgspec.msgpack.encode(record)).edition == 1
