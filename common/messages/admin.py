"""The administrator's socket of the matcher: acts on the venue, each a numbered command.

DEALER to ROUTER, one msgpack frame each way, on loopback or ipc only. What is asked is applied,
journaled and answered; an answer that does not come leaves the outcome unknown.
"""

from typing import TypeAlias

from msgspec import Struct

from crossbook.common.instruments import Instrument
from crossbook.common.messages.commands import (
    AddInstrument,
    AdjustBalance,
    MassCancelOrders,
    SetFees,
    SetInstrumentState,
    Uncross,
)
from crossbook.common.messages.entry import Balance
from crossbook.common.messages.events import Event

Act: TypeAlias = (
    MassCancelOrders | AddInstrument | SetInstrumentState | Uncross | SetFees | AdjustBalance
)


class AdminAct(Struct, array_like=True, tag=1, gc=False, frozen=True):
    """Do this. Gateway and request number of the command are set to zero."""

    request_id: int
    command: Act


class AdminInspect(Struct, array_like=True, tag=2, gc=False, frozen=True):
    """Ask for instruments, their states, and the balances of an account (zero: the venue's own,
    which the fees go to)."""

    request_id: int
    account: int = 0


class AdminAcceptTime(Struct, array_like=True, tag=3, gc=False, frozen=True):
    """Believe the machine's clock from now on, however far ahead it is."""

    request_id: int


AdminRequest: TypeAlias = AdminAct | AdminInspect | AdminAcceptTime


class AdminDone(Struct, array_like=True, tag=101, gc=False, frozen=True):
    """The command was applied: its answer (a `CommandRejected` says why not), and how many events
    followed. Safe on disk as promised by `JOURNAL_SYNC`."""

    request_id: int
    answer: Event
    followed: int


class InstrumentStatus(Struct, array_like=True, gc=False, frozen=True):
    """One instrument as it stands: `until_ns` is when its state ends by itself, if it does."""

    definition: Instrument
    state: int
    until_ns: int
    last_price_ticks: int
    last_trade_id: int


class AdminView(Struct, array_like=True, tag=102, gc=False, frozen=True):
    """Answer to `AdminInspect`, true as of `seq`. `time_ns` is the time that commands are stamped
    with, `clock_ns` what the machine's clock shows, `clock_refused` whether it is not believed."""

    request_id: int
    seq: int
    instruments: list[InstrumentStatus]
    balances: list[Balance]
    time_ns: int = 0
    clock_ns: int = 0
    clock_refused: bool = False


class AdminTimeAccepted(Struct, array_like=True, tag=104, gc=False, frozen=True):
    """Answer to `AdminAcceptTime`: commands were stamped with `before_ns` and are now stamped with
    `clock_ns`. `was_refused` is false where the clock was believed anyway."""

    request_id: int
    before_ns: int
    clock_ns: int
    was_refused: bool


class AdminFault(Struct, array_like=True, tag=103, gc=False, frozen=True):
    """The request was no message; nothing was done."""

    request_id: int
    text: str


AdminReply: TypeAlias = AdminDone | AdminView | AdminFault | AdminTimeAccepted
