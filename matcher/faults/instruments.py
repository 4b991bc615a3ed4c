"""Instruments halted or in a call phase by fault rules, through the administrator's own commands.

The acts are journaled as any of an administrator. No I/O: `administer` is a call to the matcher.
"""

from collections.abc import Callable
from typing import Final

from crossbook.common.faults.table import FaultTable, FaultTableError, NotHere
from crossbook.common.faults.venue import (
    CallPhase,
    Halt,
    InstrumentFault,
    InstrumentRemoved,
    VenueFacts,
)
from crossbook.common.keys import RESERVED_IDS
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
from crossbook.common.messages.events import CommandRejected
from crossbook.common.messages.refusal import refusal_text
from crossbook.common.types import InstrumentState

_FAULTS: Final = RESERVED_IDS[1]
_HALTED: Final = int(InstrumentState.HALTED)
_AUCTION: Final = int(InstrumentState.AUCTION)


class InstrumentFaults:
    """Keeps the states of instruments as the rules of `table` order them, from `settle` to
    `settle`. `administer` raises `FaultTableError` where the matcher does not answer."""

    def __init__(self, table: FaultTable, administer: Callable[[AdminRequest], AdminReply]) -> None:
        self._table = table
        self._administer = administer
        # Instrument -> the state that a rule gave it, and the one it had before the first rule.
        self._given: dict[int, tuple[int, InstrumentStatus]] = {}

    def settle(self) -> None:
        """Bring every instrument into the state that the rules order, and back into its own state
        where no rule concerns it any more.

        Raises `FaultTableError` where the matcher refuses, and `NotHere` for a rule of an
        instrument that it does not have.
        """
        rules = self._table.in_force(InstrumentFault)
        if not rules and not self._given:
            return
        view = self._administer(AdminInspect(1))
        assert isinstance(view, AdminView)
        by_id = {each.definition.id: each for each in view.instruments}
        for each in rules:
            facts = [VenueFacts(status.definition.symbol) for status in view.instruments]
            if not any(map(each.rule.concerns, facts)):
                raise NotHere(f"symbol: there is no instrument {each.rule.symbol!r}")
        for number, status in by_id.items():
            self._settle(number, status)

    def _settle(self, number: int, status: InstrumentStatus) -> None:
        wanted = 0
        for each in self._table.in_force(InstrumentFault):
            if each.rule.concerns(VenueFacts(status.definition.symbol)):
                is_auction = isinstance(each.rule, CallPhase)
                wanted = wanted or _AUCTION if is_auction else _HALTED
        given, before = self._given.get(number, (0, status))
        if wanted == given:
            return
        if wanted:
            facts = VenueFacts(status.definition.symbol)
            others = (CallPhase,) if wanted == _HALTED else (Halt, InstrumentRemoved)
            list(self._table.due(InstrumentFault, facts, others))
            self._act(SetInstrumentState(0, 0, 0, number, wanted))
            self._given[number] = (wanted, before)
            return
        del self._given[number]
        if status.state != given:
            # An administrator has changed it since.
            return
        if given == before.state:
            return
        if given == _AUCTION:
            self._act(Uncross(0, 0, 0, number, before.state))
            if not before.until_ns:
                return
        self._act(SetInstrumentState(0, 0, 0, number, before.state, before.until_ns))

    def _act(self, command: SetInstrumentState | Uncross) -> None:
        reply = self._administer(AdminAct(1, command, _FAULTS))
        if isinstance(reply, AdminDone) and not isinstance(reply.answer, CommandRejected):
            return
        text = f"the matcher answered {type(reply).__name__}"
        if isinstance(reply, AdminDone) and isinstance(reply.answer, CommandRejected):
            text = refusal_text(reply.answer, command)
        raise FaultTableError(text)
