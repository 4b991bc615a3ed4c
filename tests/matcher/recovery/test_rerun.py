"""Reruns of a journal: nothing differs under the same rules, and every difference is printed."""

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from crossbook.common.errors import ConfigError, CrossbookError
from crossbook.common.instruments import example
from crossbook.common.keys import Key, KeyScheme, Scope
from crossbook.common.messages.codec import decode_events, encode
from crossbook.common.messages.commands import (
    AddInstrument,
    Administer,
    AmendOrder,
    CancelOrder,
    Command,
    CreateKey,
    NewOrder,
    SetInstrumentState,
)
from crossbook.common.messages.events import CommandRejected, Event, EventBatch, InstrumentAdded
from crossbook.common.rules import Rules, decode_configuration, encode_configuration
from crossbook.common.types import OrderType, Side, TimeInForce
from crossbook.matcher.batch import apply_batch
from crossbook.matcher.engine.engine import Engine
from crossbook.matcher.journal.disk import Disk, FileDisk
from crossbook.matcher.journal.journal import Journal
from crossbook.matcher.journal.record import Record
from crossbook.matcher.recovery import rerun as program
from crossbook.matcher.recovery.recovery import recover
from crossbook.matcher.recovery.rerun import Otherwise, Rerun
from crossbook.matcher.recovery.rerun_report import DIFFERENCES_MAX, facts, text
from crossbook.matcher.recovery.verify import verify
from tests.matcher.recovery.test_verify import live
from tests.properties.market import FUNDED, INSTRUMENTS
from tests.simulation.fake_disk import FakeDisk

ACCOUNT = 3


@pytest.fixture(scope="module", params=[Rules(), FUNDED], ids=["plain", "accounts"])
def disk(request: pytest.FixtureRequest) -> FakeDisk:
    """The journal of some hundred random commands, with accounts and without."""
    made = FakeDisk()
    live(made, batches=60, snapshots_at=(), rules=request.param)
    return made


def opened(disk: Disk) -> Journal:
    return Journal.open(disk, 0, b"", 0, read_only=True)


def rerun(disk: Disk, otherwise: Otherwise, output: Disk | None = None) -> dict[str, Any]:
    """The facts of a rerun."""
    run = Rerun(opened(disk), otherwise, output)
    report = run.run()
    found = facts(report, run.instruments)
    assert text(found).startswith("commands ")
    return found


def events_of(disk: Disk) -> list[Event]:
    journal = opened(disk)
    batches = [decode_events(record.events) for _, record in journal.read(journal.first_seq)]
    return [event for batch in batches for event in batch.events]


def test_the_same_rules_lead_to_the_same_events(disk: FakeDisk) -> None:
    output = FakeDisk()
    found = rerun(disk, Otherwise(), output)
    assert found["different"] == {"commands": 0}
    assert (found["differences"], found["balances"], found["left_out"]) == ([], [], 0)
    assert all(before == now for before, now in found["rejected"].values())
    assert found["instruments"]["BTC-USDT"]["trades"][0] > 10
    assert events_of(output) == events_of(disk)
    assert not verify(output).problem


def test_other_fees_change_fees_and_money_alone(disk: FakeDisk) -> None:
    free = {each.id: replace(each, maker_fee_rate=0, taker_fee_rate=0) for each in INSTRUMENTS}
    found = rerun(disk, Otherwise(free))
    if not found["balances"]:
        kinds = {kind for kind in found["different"] if kind != "commands"}
        assert kinds == {"fees"}
        assert found["accepted"][0] == found["accepted"][1]
    assert found["different"]["fees"] > 10
    set_by_hand = {"BTC", "ETH", "SHIB", "USDT", "EUR", "JPY"}
    assert {asset for asset, (_, now) in found["fees"].items() if float(now)} < set_by_hand


def test_without_an_account_nothing_is_left_of_it(disk: FakeDisk, tmp_path: Path) -> None:
    folder = tmp_path / "without"
    output = FileDisk(folder)
    found = rerun(disk, Otherwise(without=frozenset({ACCOUNT})), output)
    output.close()
    assert found["left_out"] > 50
    assert found["accepted"][1] < found["accepted"][0]
    assert len(found["differences"]) == DIFFERENCES_MAX <= found["different"]["commands"]
    assert ACCOUNT in {getattr(event, "account", 0) for event in events_of(disk)}
    assert ACCOUNT not in {getattr(event, "account", 0) for event in events_of(output)}
    assert not verify(FileDisk(folder, read_only=True)).problem
    again = FileDisk(folder)
    recovered = recover(again, INSTRUMENTS, 0, 4_096, "batch", 1, rules=opened_rules(folder))
    assert recovered.engine.seq == opened(output).last_seq
    recovered.journal.close()
    again.close()


def opened_rules(folder: Path) -> Rules:
    """The rules of the journal in a folder."""
    header, _ = next(iter(opened(FileDisk(folder, read_only=True)).read(1)))
    return decode_configuration(header.configuration).rules


def journaled(*batches: list[Command], disk: FakeDisk | None = None) -> FakeDisk:
    """A journal of these batches, at one second each."""
    disk = disk or FakeDisk()
    journal = Journal.open(disk, 7, encode_configuration([example()], Rules()), 4_096, "batch")
    engine = Engine([example()])
    for second, commands in enumerate(batches, 1):
        payloads = [encode(commands)]
        applied = apply_batch(engine, 7, payloads, second)
        journal.append(
            Record(
                first_seq=applied.first_seq,
                last_seq=applied.last_seq,
                time_ns=second,
                payloads=payloads,
                events=applied.encoded,
            )
        )
    journal.close()
    return disk


def order(account: int, side: Side, price_ticks: int, request_seq: int, name: str = "") -> NewOrder:
    return NewOrder(
        gateway=1, request_seq=request_seq, account=account, instrument=1, side=side,
        order_type=OrderType.LIMIT, time_in_force=TimeInForce.GTC, price_ticks=price_ticks,
        quantity_lots=5, client_order_id=name,
    )  # fmt: skip


def test_commands_name_the_orders_of_their_own_run() -> None:
    """The order of account 8 has another number where that of account 9 is left out."""
    disk = journaled(
        [order(9, Side.BUY, 100, 1)],
        [order(8, Side.BUY, 101, 2), order(8, Side.BUY, 102, 3)],
        [
            CancelOrder(1, 4, 8, 1, order_id=2),
            AmendOrder(
                gateway=1,
                request_seq=5,
                account=8,
                instrument=1,
                order_id=3,
                price_ticks=103,
                quantity_lots=4,
            ),
        ],
        [CancelOrder(1, 6, 8, 1, order_id=77)],
    )
    output = FakeDisk()
    found = rerun(disk, Otherwise(without=frozenset({9})), output)
    assert found["different"] == {"commands": 0}
    assert found["rejected"] == {"UNKNOWN_ORDER": [1, 1]}
    assert [type(event).__name__ for event in events_of(output)] == [
        "OrderAccepted", "OrderAccepted", "OrderCanceled", "OrderAmended", "CommandRejected",
    ]  # fmt: skip
    assert {event.seq for event in events_of(output)} == {1, 2, 3, 4, 5}


def test_a_repeat_that_was_not_applied_is_not_applied() -> None:
    first = order(8, Side.BUY, 100, 1)
    disk = journaled([first], [first, order(8, Side.SELL, 100, 2)])
    found = rerun(disk, Otherwise())
    assert (found["commands"], found["accepted"]) == (2, [2, 2])
    assert found["different"] == {"commands": 0}


def test_tighter_limits_change_answers() -> None:
    disk = journaled([order(9, Side.SELL, 100, 1)], [order(8, Side.BUY, 100, 2)])
    small = replace(example(), max_quantity_lots=4)
    found = rerun(disk, Otherwise({1: small}))
    assert found["different"] == {"commands": 2, "answer": 2}
    assert found["rejected"] == {"EXCEEDS_LIMIT": [0, 2]}
    assert found["instruments"]["BTC-USDT"]["trades"] == [1, 0]
    assert found["differences"][1] == (
        "command 2 (NewOrder of account 8), answer: 1 trades of 5 lots up to 100 ticks before, "
        "rejected EXCEEDS_LIMIT now"
    )


def test_an_instrument_added_at_run_time_is_replaced_too() -> None:
    added = replace(example(), id=2, symbol="ETH-USDT", base="ETH")
    disk = journaled(
        [AddInstrument(gateway=0, request_seq=0, account=0, instrument=2, definition=added)],
        [replace(order(9, Side.SELL, 100, 1), instrument=2)],
    )
    found = rerun(disk, Otherwise({2: replace(added, max_quantity_lots=4)}))
    assert found["rejected"] == {"EXCEEDS_LIMIT": [0, 1]}


def test_acts_of_administrators_are_rerun_as_those_they_hold() -> None:
    added = replace(example(), id=2, symbol="ETH-USDT", base="ETH")
    key = Key(
        key_id="k", scheme=KeyScheme.HMAC_SHA256, material=b"s" * 64, scopes=Scope.READ, account=9
    )
    disk = journaled(
        [
            Administer(
                gateway=0,
                request_seq=0,
                account=0,
                instrument=2,
                requested_by="root",
                act=AddInstrument(
                    gateway=0, request_seq=0, account=0, instrument=2, definition=added
                ),
            )
        ],
        [
            Administer(
                gateway=0,
                request_seq=0,
                account=9,
                instrument=0,
                requested_by="root",
                act=CreateKey(gateway=0, request_seq=0, account=9, instrument=0, key=key),
            )
        ],
        [
            Administer(
                gateway=0,
                request_seq=0,
                account=0,
                instrument=9,
                requested_by="root",
                act=SetInstrumentState(gateway=0, request_seq=0, account=0, instrument=9, state=4),
            )
        ],
        [replace(order(8, Side.SELL, 100, 1), instrument=2)],
    )
    output = FakeDisk()
    smaller = Otherwise({2: replace(added, max_quantity_lots=4)}, without=frozenset({9}))
    found = rerun(disk, smaller, output)
    assert found["left_out"] == 1
    assert found["rejected"] == {"EXCEEDS_LIMIT": [0, 1], "UNKNOWN_SYMBOL": [1, 1]}
    assert [type(event) for event in events_of(output)] == [
        InstrumentAdded, CommandRejected, CommandRejected,
    ]  # fmt: skip
    first, last = found["differences"]
    assert first.startswith("command 1 (AddInstrument of account 0), consequences")
    assert last.startswith("command 4 (NewOrder of account 8), answer")


def test_another_grid_is_refused() -> None:
    disk = journaled([order(9, Side.SELL, 100, 1)])
    finer = replace(example(), tick_size="0.1")
    with pytest.raises(ConfigError, match=r"tick_size was 0\.01 .* may not become 0\.1"):
        rerun(disk, Otherwise({1: finer}))


def test_a_journal_without_its_beginning_is_refused() -> None:
    disk = FakeDisk()
    live(disk, batches=60, snapshots_at=(40,), keep_segments=False)
    with pytest.raises(ConfigError, match="begins with command"):
        rerun(disk, Otherwise())


def test_events_of_another_program_are_refused() -> None:
    disk = FakeDisk()
    journal = Journal.open(disk, 7, encode_configuration([example()], Rules()), 4_096, "batch")
    events = encode(EventBatch(incarnation=7, first_seq=1, last_seq=1, time_ns=1, events=[]))
    journal.append(
        Record(
            first_seq=1,
            last_seq=1,
            time_ns=1,
            payloads=[encode([order(9, Side.SELL, 100, 1)])],
            events=events,
        )
    )
    journal.close()
    with pytest.raises(CrossbookError, match="record 1: these commands lead to other events"):
        rerun(disk, Otherwise())


class TestProgram:
    """The program, as the command line starts it."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        disk = FileDisk(tmp_path / "data")
        live(disk, batches=20, snapshots_at=())
        disk.close()
        return tmp_path / "data"

    def test_facts_are_printed(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert program.main([str(folder), "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert (found["commands"], found["journal"]) == (200, [1, 200])
        assert program.main([str(folder)]) == 0
        assert "different   0\n" in capsys.readouterr().out

    def test_accounts_may_be_kept_where_they_were_not(
        self, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        output = tmp_path / "out"
        words = [str(folder), "--accounts", "on", "--json", "--output", str(output)]
        assert program.main(words) == 0
        found = json.loads(capsys.readouterr().out)
        # No account has money, so that no order is accepted.
        assert found["rejected"]["INSUFFICIENT_BALANCE"][1] > 0
        assert found["accepted"][1] < found["accepted"][0]
        assert opened_rules(output).accounts

    def test_wrong_places_are_named(
        self, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        full = tmp_path / "full"
        full.mkdir()
        (full / "file").touch()
        empty = tmp_path / "empty"
        empty.mkdir()
        for words, printed in (
            ([str(tmp_path / "none")], f"{tmp_path}/none: No such file"),
            ([str(empty)], "holds no journal"),
            ([str(folder), "--output", str(full)], "is not empty; name a new folder"),
            ([str(folder), "--instruments", str(tmp_path / "none")], "instruments file"),
        ):
            assert program.main(words) == 2
            assert printed in capsys.readouterr().err

    def test_a_rerun_that_fails_leaves_no_journal(
        self, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fails(self: Rerun) -> Any:
            raise ConfigError("no")

        monkeypatch.setattr(Rerun, "_balances", fails)
        assert program.main([str(folder), "--output", str(tmp_path / "out")]) == 2
        assert not [path for path in (tmp_path / "out").iterdir() if path.name != "lock"]
