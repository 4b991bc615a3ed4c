"""The administrator's socket of the matcher: acts on the venue, each a sequenced command.

DEALER to ROUTER, one msgpack frame each way, on loopback or ipc only. A request is applied,
journaled and answered; without an answer its outcome is unknown.
"""

from typing import Final, TypeAlias

from msgspec import Struct

from crossbook.common.instruments import Instrument
from crossbook.common.keys import RESERVED_IDS, Key
from crossbook.common.messages.commands import Act as Act
from crossbook.common.messages.entry import Balance
from crossbook.common.messages.events import Event

LOCAL: Final = RESERVED_IDS[0]
"""The administrator of an act without a key: a process that uses the matcher's own socket."""


class AdminAct(Struct, array_like=True, tag=1, gc=False, frozen=True):
    """Apply a command. Its `gateway` and `request_seq` are set to zero.

    It is journaled with the administrator `requested_by`, the id of an API key.
    """

    request_id: int
    command: Act
    requested_by: str = LOCAL


class AdminInspect(Struct, array_like=True, tag=2, gc=False, frozen=True):
    """Request instruments, their states, and the balances of an account (zero: the venue's own,
    which receives the fees)."""

    request_id: int
    account: int = 0


class AdminAcceptTime(Struct, array_like=True, tag=3, gc=False, frozen=True):
    """Accept the machine's clock from now on, however far ahead it is."""

    request_id: int


class AdminAdvance(Struct, array_like=True, tag=4, gc=False, frozen=True):
    """Move the manual clock to `to_ns`. Everything due on the way happens at its own time."""

    request_id: int
    to_ns: int


class AdminListKeys(Struct, array_like=True, tag=5, gc=False, frozen=True):
    """Request API keys without their secrets, by id, behind `after_key_id`."""

    request_id: int
    after_key_id: str = ""


AdminRequest: TypeAlias = AdminAct | AdminInspect | AdminAcceptTime | AdminAdvance | AdminListKeys


class AdminDone(Struct, array_like=True, tag=101, gc=False, frozen=True):
    """The command was processed: its answer, `CommandRejected` where it was refused, and the number
    of events that followed. It is as durable as `JOURNAL_SYNC` demands."""

    request_id: int
    answer: Event
    followed: int


class InstrumentStatus(Struct, array_like=True, gc=False, frozen=True):
    """One instrument at present: `until_ns` is the end of its state, zero where it has none."""

    definition: Instrument
    state: int
    until_ns: int
    last_price_ticks: int
    last_trade_id: int


class AdminView(Struct, array_like=True, tag=102, gc=False, frozen=True):
    """Answer to `AdminInspect`, true as of `seq`. Commands are stamped with `time_ns`; the
    machine's clock shows `clock_ns`, and `clock_refused` is true while the matcher does not follow
    it. A clock that `is_manual` moves only by `AdminAdvance`."""

    request_id: int
    seq: int
    instruments: list[InstrumentStatus]
    balances: list[Balance]
    time_ns: int = 0
    clock_ns: int = 0
    clock_refused: bool = False
    is_manual: bool = False


class AdminTimeAccepted(Struct, array_like=True, tag=104, gc=False, frozen=True):
    """Answer to `AdminAcceptTime`: commands were stamped with `before_ns` and are now stamped with
    `clock_ns`. `was_refused` is false where the matcher followed the clock anyway."""

    request_id: int
    before_ns: int
    clock_ns: int
    was_refused: bool


class AdminFault(Struct, array_like=True, tag=103, gc=False, frozen=True):
    """The request was not a message; nothing changed."""

    request_id: int
    text: str


class AdminTimeAdvanced(Struct, array_like=True, tag=105, gc=False, frozen=True):
    """Answer to `AdminAdvance`: the clock showed `before_ns` and shows `time_ns`. Everything due up
    to it is in the journal and sent, `seq` the last number. `batches` counts the points in time
    at which something was due, and the last one. Where they are more than one request handles,
    `time_ns` is earlier than requested: send the request again."""

    request_id: int
    before_ns: int
    time_ns: int
    seq: int
    batches: int


class AdminKeys(Struct, array_like=True, tag=107, gc=False, frozen=True):
    """Answer to `AdminListKeys`: keys as of `seq`. The material of a secret is empty. With `more`
    the list goes on behind the last one."""

    request_id: int
    seq: int
    keys: list[Key]
    more: bool


class AdminRefused(Struct, array_like=True, tag=106, gc=False, frozen=True):
    """The request cannot be carried out; nothing changed. `field` names the wrong field."""

    request_id: int
    field: str
    text: str


AdminReply: TypeAlias = (
    AdminDone
    | AdminView
    | AdminFault
    | AdminTimeAccepted
    | AdminTimeAdvanced
    | AdminRefused
    | AdminKeys
)
