"""The digest of a journal: what it depends on, and what it does not."""

from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest
from msgspec.structs import replace

from crossbook.common.instruments import example
from crossbook.common.messages.codec import encode
from crossbook.common.messages.commands import (
    AdvanceTime,
    CancelOrder,
    Command,
    Instructions,
    MassCancelOrders,
    NewOrder,
    SetCancelAfter,
    SetFees,
)
from crossbook.common.sequence import first_of
from crossbook.common.types import TimeInForce
from crossbook.matcher.engine.engine import Engine
from crossbook.matcher.journal.digest import decisions, digest_of
from crossbook.matcher.journal.disk import FileDisk
from crossbook.matcher.journal.journal import Journal
from crossbook.matcher.resend_buffer import EventResendBuffer
from crossbook.matcher.sequencer import Sequencer
from tests.simulation.fake_disk import FakeDisk

GOLDEN = sorted((Path(__file__).parents[2] / "golden").glob("v*"))
NOW_NS = 1_893_456_000 * 10**9
SECOND_NS = 10**9


def order(request: int, price: int, gateway: int = 1, expire_ns: int = 0) -> NewOrder:
    """A bid; one that expires is GTD."""
    return NewOrder(
        gateway=gateway, request_seq=request, account=7, instrument=1, side=1, order_type=1,
        time_in_force=TimeInForce.GTD if expire_ns else TimeInForce.GTC, price_ticks=price,
        quantity_lots=5, instructions=Instructions(expire_ns=expire_ns) if expire_ns else None,
    )  # fmt: skip


Timed = tuple[Command, int]
"""A command and the seconds at which it is applied."""

COMMANDS: Sequence[Timed] = [
    (order(1, 100, expire_ns=NOW_NS + SECOND_NS), 0),
    (order(2, 101), 0),
    (order(1, 102, gateway=2), 0),
    (
        SetFees(
            gateway=0, request_seq=0, account=0, instrument=1, maker_fee_rate=10, taker_fee_rate=20
        ),
        0,
    ),
    (order(3, 0), 0),
    (CancelOrder(gateway=1, request_seq=4, account=7, instrument=1, order_id=2), 1),
    (SetCancelAfter(gateway=1, request_seq=5, account=7, timeout_ns=SECOND_NS), 1),
    (AdvanceTime(gateway=0), 2),
    (MassCancelOrders(2, 2, 7), 2),
]


class Written:
    """A journal of these commands. Neighbours of one time share a batch as `cut` decides."""

    def __init__(
        self,
        commands: Sequence[Timed] = COMMANDS,
        *,
        incarnation: int = 7,
        epochs: Sequence[int] = (0, 0),
        again: bool = False,
        cut: Random | None = None,
        segment_bytes: int = 64 * 1024,
    ) -> None:
        self.disk = FakeDisk()
        journal = Journal.open(self.disk, incarnation, encode([example()]), segment_bytes)
        self._sequencer = Sequencer(Engine([example()]), journal, EventResendBuffer(10**6))
        payloads: list[bytes] = []
        for place, (command, second) in enumerate(commands):
            if command.gateway:
                first = first_of(epochs[command.gateway - 1]) - 1
                command = replace(command, request_seq=first + command.request_seq)
            payloads += [encode([command])] * (2 if again and command.gateway else 1)
            is_last = place + 1 == len(commands) or commands[place + 1][1] != second
            if is_last or (cut is not None and cut.random() < 0.5):
                self._sequencer.apply(payloads, NOW_NS + second * SECOND_NS)
                payloads = []

    @property
    def digest(self) -> str:
        """The digest of the journal."""
        return digest_of(self.disk).digest


def test_a_digest_has_the_range_and_the_counts_it_is_of() -> None:
    found = digest_of(Written().disk)
    assert (found.first_seq, found.last_seq, found.time_ns) == (1, 11, NOW_NS + 2 * SECOND_NS)
    # Two numbers are of timers, and one of a moved clock.
    assert (found.commands, found.events) == (8, 13)
    assert len(found.digest) == 64


@pytest.mark.parametrize("seed", range(8))
def test_the_cut_into_batches_and_segments_does_not_count(seed: int) -> None:
    written = Written(cut=Random(seed), segment_bytes=600)
    assert written.digest == Written().digest


def test_incarnation_epochs_and_commands_sent_again_do_not_count() -> None:
    other = Written(incarnation=8, epochs=(900, 1_000), again=True)
    assert other.digest == Written().digest


def test_a_gateway_that_began_anew_counts_by_its_order_of_epochs_only() -> None:
    def restarted(first: int, second: int) -> Written:
        return Written([(order(first_of(epoch), 100), 0) for epoch in (first, second)])

    assert restarted(5, 6).digest == restarted(70, 900).digest
    assert restarted(5, 6).digest != Written([(order(1, 100), 0), (order(2, 100), 0)]).digest


@pytest.mark.parametrize(
    "other",
    [
        [COMMANDS[1], *COMMANDS[2:]],
        [(order(1, 101), 0), (order(2, 100, expire_ns=NOW_NS + SECOND_NS), 0), *COMMANDS[2:]],
        [*COMMANDS[:2], COMMANDS[3], COMMANDS[2], *COMMANDS[4:]],
        [*COMMANDS[:4], (replace(order(3, 0), quantity_lots=6), 0), *COMMANDS[5:]],
        [
            *COMMANDS[:5],
            (CancelOrder(gateway=1, request_seq=4, account=7, instrument=1, order_id=1), 1),
            *COMMANDS[6:],
        ],
        [*COMMANDS[:-1], (COMMANDS[-1][0], 3)],
        COMMANDS[:-1],
    ],
    ids=["missing", "other order", "other sequence", "other refused order", "other cancel",
         "other time", "shorter"],
)  # fmt: skip
def test_another_decision_gives_another_digest(other: Sequence[Timed]) -> None:
    renumbered: list[Timed] = []
    for command, second in other:
        taken = [each for each, _ in renumbered if each.gateway == command.gateway]
        if command.gateway:
            command = replace(command, request_seq=len(taken) + 1)
        renumbered.append((command, second))
    assert Written(renumbered).digest != Written().digest


def test_payloads_that_are_no_commands_do_not_count() -> None:
    written = Written()
    assert written._sequencer.apply([b"\xc1"], NOW_NS + 9 * SECOND_NS) is None
    assert written.digest == Written().digest


def test_an_empty_journal_has_a_digest() -> None:
    found = digest_of(FakeDisk())
    assert (found.first_seq, found.last_seq, found.commands, found.events) == (1, 0, 0, 0)


@pytest.mark.parametrize("directory", GOLDEN, ids=lambda directory: directory.name)
def test_every_number_of_a_journal_is_one_decision(directory: Path) -> None:
    journal = Journal.open(FileDisk(directory, read_only=True), 0, b"", 0, read_only=True)
    records = [record for _, record in journal.read(1)]
    found = list(decisions(records))
    assert [each.seq for each in found] == list(range(1, journal.last_seq + 1))
    kinds = {type(each.command).__name__ for each in found}
    expected = {"Administer"} if directory.name.endswith("-keys") else {"NewOrder", "CancelOrder"}
    assert expected <= kinds
