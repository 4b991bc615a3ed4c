"""Time as a sequenced input: due events are journaled, and a replay gives the same bytes."""

import pytest
from msgspec.structs import replace

from crossbook.common.errors import ConfigError
from crossbook.common.instruments import example
from crossbook.common.messages.admin import AdminAct, AdminDone, AdminInspect, AdminView
from crossbook.common.messages.codec import decode_events, encode
from crossbook.common.messages.commands import (
    AddInstrument,
    AdjustBalance,
    Instructions,
    MassCancelOrders,
    NewOrder,
    SetFees,
    SetInstrumentState,
)
from crossbook.common.messages.events import (
    CommandRejected,
    InstrumentStateChanged,
    OrderExpired,
    TimeAdvanced,
)
from crossbook.common.rules import EDITION, Configuration, Rules, decode_configuration
from crossbook.common.types import InstrumentState, RejectReason
from crossbook.matcher.engine.engine import Engine
from crossbook.matcher.journal.journal import Journal
from crossbook.matcher.journal.segment import decode_header
from crossbook.matcher.recovery.recovery import recover
from crossbook.matcher.recovery.snapshot import state_hash
from crossbook.matcher.recovery.verify import verify
from crossbook.matcher.resend_buffer import EventResendBuffer
from crossbook.matcher.sequencer import Sequencer
from tests.simulation.fake_disk import FakeDisk

RULES = Rules(True, (("BTC", 10**10), ("USDT", 10**15)))


def _gtd(expire_ns: int) -> bytes:
    instructions = Instructions(expire_ns=expire_ns)
    return encode(
        [
            NewOrder(
                gateway=0,
                request_seq=0,
                account=7,
                instrument=1,
                side=1,
                order_type=1,
                time_in_force=4,
                price_ticks=5_000_000,
                quantity_lots=300,
                client_order_id="",
                quote_amount=0,
                prevention=1,
                instructions=instructions,
            )
        ]
    )


def _sequencer(disk: FakeDisk) -> tuple[Sequencer, Engine, Journal]:
    recovered = recover(disk, [example()], 77, 64 * 1024, "batch", 1, rules=RULES)
    made = Sequencer(recovered.engine, recovered.journal, EventResendBuffer(10**6))
    return made, recovered.engine, recovered.journal


def test_a_due_expiry_needs_no_command_and_replays_alike() -> None:
    disk = FakeDisk()
    made, engine, journal = _sequencer(disk)
    made.apply([_gtd(100)], 10)
    assert made.next_due_ns == 100
    assert not made.is_due(99)
    assert made.let_expire(99) is None, "nothing is due yet, and nothing takes a number"
    batch = made.let_expire(100)
    assert batch is not None
    advanced, expired = decode_events(batch).events
    assert advanced == TimeAdvanced(2, 100)
    assert isinstance(expired, OrderExpired)
    assert (expired.seq, expired.reason) == (2, RejectReason.EXPIRE_TIME)
    hash_then = state_hash(engine)
    journal.close()
    _, again, journal = _sequencer(disk)
    assert (again.seq, state_hash(again)) == (2, hash_then)
    journal.close()
    assert verify(disk).problem == ""


def test_an_expired_maker_never_trades_with_the_command_that_carries_the_later_time() -> None:
    made, engine, _ = _sequencer(FakeDisk())
    made.apply([_gtd(100)], 10)
    batch = made.apply(
        [
            encode(
                [
                    NewOrder(
                        gateway=0,
                        request_seq=0,
                        account=8,
                        instrument=1,
                        side=2,
                        order_type=1,
                        time_in_force=2,
                        price_ticks=5_000_000,
                        quantity_lots=300,
                    )
                ]
            )
        ],
        100,
    )
    assert batch is not None
    kinds = [type(event).__name__ for event in decode_events(batch).events]
    assert kinds == [
        "TimeAdvanced", "OrderExpired", "OrderAccepted", "AccountOpened", "OrderExpired",
    ]  # fmt: skip
    assert engine.seq == 3


def test_an_administrators_act_is_journaled_and_answered() -> None:
    disk = FakeDisk()
    made, engine, journal = _sequencer(disk)
    halt = SetInstrumentState(
        gateway=9,
        request_seq=9,
        account=0,
        instrument=1,
        state=InstrumentState.HALTED,
        until_ns=500,
    )
    batch, reply = made.administer(AdminAct(5, halt), 10)
    assert batch is not None
    assert reply == AdminDone(
        5,
        InstrumentStateChanged(
            seq=1, gateway=0, request_seq=0, instrument=1, state=4, until_ns=500
        ),
        0,
    )
    _, refused = made.administer(
        AdminAct(
            6,
            AdjustBalance(
                gateway=0,
                request_seq=0,
                account=7,
                instrument=0,
                asset="EUR",
                amount=5,
                transfer_id="t",
            ),
        ),
        10,
    )
    assert isinstance(refused, AdminDone)
    assert isinstance(refused.answer, CommandRejected)
    _, view = made.administer(AdminInspect(7, 7), 10)
    assert isinstance(view, AdminView)
    assert view.instruments[0].until_ns == 500
    assert [each.asset for each in view.balances] == ["BTC", "USDT"]
    assert made.let_expire(500) is not None
    hash_then = state_hash(engine)
    journal.close()
    _, again, journal = _sequencer(disk)
    assert state_hash(again) == hash_then
    assert again.books[1].state == InstrumentState.OPEN
    journal.close()


def test_rules_stand_in_the_heads_of_the_journal() -> None:
    disk = FakeDisk()
    made, _, journal = _sequencer(disk)
    made.apply([_gtd(100)], 10)
    header, _ = decode_header(disk.read(journal.segment_names[0]))
    in_force = decode_configuration(header.configuration)
    assert in_force == Configuration([example()], RULES, EDITION)


def test_accounts_cannot_be_turned_off_under_open_orders() -> None:
    engine = Engine([example()], RULES)
    engine.apply(
        NewOrder(
            gateway=0,
            request_seq=0,
            account=7,
            instrument=1,
            side=1,
            order_type=1,
            time_in_force=1,
            price_ticks=5_000_000,
            quantity_lots=300,
        )
    )
    with pytest.raises(ConfigError, match="ACCOUNTS was on"):
        engine.configure([example()], Rules())
    engine.apply(MassCancelOrders(0, 0, 7))
    engine.configure([example()], Rules())
    assert engine.ledger is None


def test_a_change_of_an_administrator_outlives_a_start_with_the_same_file() -> None:
    engine = Engine([example()])
    engine.apply(
        SetFees(
            gateway=0, request_seq=0, account=0, instrument=1, maker_fee_rate=10, taker_fee_rate=20
        )
    )
    added = replace(example(), id=9, symbol="NEW-USDT")
    engine.apply(AddInstrument(gateway=0, request_seq=0, account=0, instrument=9, definition=added))
    engine.configure([example()])
    assert [each.taker_fee_rate for each in engine.instruments] == [20, 2_000]
    engine.configure([replace(example(), taker_fee_rate=30)])
    assert [each.taker_fee_rate for each in engine.instruments] == [30, 2_000]
