"""Fault rules from a gateway to the processes that apply them (`FAULTS=on`).

DEALER to ROUTER, one msgpack frame each way, over the ipc socket `faults-PROCESS.sock` in the
`DATA_DIR` of the process. Each request gets one `FaultTableState`.
"""

from typing import Final, TypeAlias

import msgspec
from msgspec import Struct

from crossbook.common.faults.kinds import AnyFault
from crossbook.common.faults.table import FaultState


class AddFault(Struct, array_like=True, tag=1, gc=False, frozen=True):
    """Put a rule in force under this id."""

    request_id: int
    id: int
    rule: AnyFault


class RemoveFaults(Struct, array_like=True, tag=2, gc=False, frozen=True):
    """Remove the rule with this id; zero removes all."""

    request_id: int
    id: int


class ListFaults(Struct, array_like=True, tag=3, gc=False, frozen=True):
    """Request the rules in force."""

    request_id: int


class FaultTableState(Struct, array_like=True, tag=101, gc=False, frozen=True):
    """The rules in force after a request, and how often each kind was applied since the start.
    `removed` counts the rules that the request removed; `refusal` is the text of a refused request,
    which changed nothing. `reason` is its `RejectReason`: `UNKNOWN_SYMBOL` where this
    shard does not have the instrument."""

    request_id: int
    states: list[FaultState]
    applied: dict[str, int]
    removed: int = 0
    refusal: str = ""
    reason: int = 0


FaultTableRequest: TypeAlias = AddFault | RemoveFaults | ListFaults

# Here, not in the codec of all messages: only processes with FAULTS=on import the rules.
decode_fault_request: Final = msgspec.msgpack.Decoder(FaultTableRequest).decode
decode_fault_state: Final = msgspec.msgpack.Decoder(FaultTableState).decode
