"""States of instruments by rules: the acts that an administrator receives."""

from typing import Any

import pytest

from crossbook.common.faults.table import FaultTable, FaultTableError, NotHere
from crossbook.common.faults.venue import CallPhase, Halt, InstrumentRemoved
from crossbook.common.instruments import example
from crossbook.common.messages.admin import (
    AdminAct,
    AdminDone,
    AdminInspect,
    AdminReply,
    AdminRequest,
    AdminView,
    InstrumentStatus,
)
from crossbook.common.messages.commands import SetInstrumentState, Uncross
from crossbook.common.messages.events import CommandRejected, InstrumentStateChanged
from crossbook.common.types import InstrumentState, RejectReason
from crossbook.matcher.faults.instruments import InstrumentFaults

OPEN, CANCEL_ONLY = InstrumentState.OPEN, InstrumentState.CANCEL_ONLY
HALTED, AUCTION = InstrumentState.HALTED, InstrumentState.AUCTION
ID = example().id


class FakeMatcher:
    """One instrument, its state, and the acts on it."""

    def __init__(self) -> None:
        self.state: int = OPEN
        self.until_ns = 0
        self.acts: list[tuple[str, int]] = []
        self.refuses = False
        self.table = FaultTable("matcher")
        self.faults = InstrumentFaults(self.table, self.administer)

    def administer(self, request: AdminRequest) -> AdminReply:
        """Answer as the matcher does."""
        if isinstance(request, AdminInspect):
            status = InstrumentStatus(
                definition=example(), state=self.state, until_ns=self.until_ns,
                last_price_ticks=0, last_trade_id=0,
            )  # fmt: skip
            return AdminView(request_id=1, seq=1, instruments=[status], balances=[])
        assert isinstance(request, AdminAct)
        command: Any = request.command
        if self.refuses:
            answer: Any = CommandRejected(
                seq=2, gateway=0, request_seq=0, account=0, instrument=ID,
                reason=RejectReason.UNSUPPORTED_COMBINATION, field="state",
            )  # fmt: skip
        else:
            self.acts.append((type(command).__name__, command.state))
            self.state = command.state
            if isinstance(command, SetInstrumentState):
                self.until_ns = command.until_ns
            answer = InstrumentStateChanged(
                seq=2, gateway=0, request_seq=0, instrument=ID, state=self.state
            )
        return AdminDone(request_id=1, answer=answer, followed=0)

    def add(self, rule: Halt | CallPhase | InstrumentRemoved) -> int:
        """Put a rule in force, and settle."""
        number = self.table.add(rule)
        self.faults.settle()
        return number

    def remove(self, number: int) -> None:
        """Remove a rule, and settle."""
        self.table.remove(number)
        self.faults.settle()


def test_a_halt_is_one_act_and_its_end_another() -> None:
    matcher = FakeMatcher()
    number = matcher.add(Halt())
    matcher.faults.settle()
    assert matcher.acts == [(SetInstrumentState.__name__, HALTED)]
    assert matcher.table.applied["halt"] == 1
    matcher.remove(number)
    assert matcher.acts[1:] == [(SetInstrumentState.__name__, OPEN)]


def test_a_removed_instrument_is_halted() -> None:
    matcher = FakeMatcher()
    number = matcher.add(InstrumentRemoved(symbol="BTC-USDT"))
    assert matcher.state == HALTED
    assert matcher.table.applied["instrument_removed"] == 1
    matcher.remove(number)
    assert matcher.state == OPEN


def test_an_auction_ends_with_an_uncross() -> None:
    matcher = FakeMatcher()
    matcher.remove(matcher.add(CallPhase(symbol="BTC-USDT")))
    assert matcher.acts == [(SetInstrumentState.__name__, AUCTION), (Uncross.__name__, OPEN)]


def test_a_halt_hides_an_auction_which_goes_on_after_it() -> None:
    matcher = FakeMatcher()
    auction = matcher.add(CallPhase())
    halt = matcher.add(Halt())
    assert matcher.state == HALTED
    matcher.remove(halt)
    assert matcher.state == AUCTION
    matcher.remove(auction)
    assert matcher.state == OPEN


def test_a_state_that_ends_by_itself_still_does() -> None:
    matcher = FakeMatcher()
    matcher.state, matcher.until_ns = CANCEL_ONLY, 77
    matcher.remove(matcher.add(Halt()))
    assert (matcher.state, matcher.until_ns) == (CANCEL_ONLY, 77)
    matcher.remove(matcher.add(CallPhase()))
    assert (matcher.state, matcher.until_ns) == (CANCEL_ONLY, 77)


def test_an_administrators_own_act_is_left_alone() -> None:
    matcher = FakeMatcher()
    number = matcher.add(Halt())
    matcher.state = CANCEL_ONLY
    matcher.remove(number)
    assert matcher.state == CANCEL_ONLY


def test_a_rule_of_another_shard_is_not_here() -> None:
    matcher = FakeMatcher()
    with pytest.raises(NotHere, match="there is no instrument 'ETH-USDT'"):
        matcher.add(Halt(symbol="ETH-USDT"))
    assert matcher.acts == []


def test_a_refusal_of_the_matcher_is_one_of_the_rule() -> None:
    matcher = FakeMatcher()
    matcher.refuses = True
    with pytest.raises(FaultTableError, match="the book is crossed"):
        matcher.add(Halt())
    matcher.table.clear()
    matcher.faults.settle()
    assert matcher.state == OPEN
