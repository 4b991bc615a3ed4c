"""Commands of the matcher. They hold integers, so that none needs parsing.

`gateway` and `request_seq`, the gateway's number of the request, are a command's origin. The
numbers of one gateway only grow (see `crossbook.common.sequence`), so the matcher recognises a
repeat.
"""

from typing import TypeAlias

from msgspec import Struct

from crossbook.common.instruments import Instrument
from crossbook.common.keys import Key


class Instructions(Struct, array_like=True, gc=False, frozen=True):
    """Terms that few orders have. A plain limit or market order has None instead; a stop, a GTD and
    a DAY order always have instructions.

    `trigger_ticks` is the trigger price of a stop or take-profit, `display_lots` the displayed size
    of an iceberg, `expire_ns` the expiry time of a GTD order.
    """

    trigger_ticks: int = 0
    display_lots: int = 0
    expire_ns: int = 0
    post_only: bool = False


class NewOrder(Struct, array_like=True, tag=1, gc=False, frozen=True):
    """Enter an order. A market order has price zero; by quote amount it has zero lots.

    `prevention` is a `Prevention`; commands recorded before self-trade prevention existed decode
    as `Prevention.NONE`.
    """

    gateway: int
    request_seq: int
    account: int
    instrument: int
    side: int
    order_type: int
    time_in_force: int
    price_ticks: int
    quantity_lots: int
    client_order_id: str = ""
    quote_amount: int = 0
    prevention: int = 0
    instructions: Instructions | None = None


class CancelOrder(Struct, array_like=True, tag=2, gc=False, frozen=True):
    """Cancel one open order of `account`, by id or (id zero) by client order id."""

    gateway: int
    request_seq: int
    account: int
    instrument: int
    order_id: int
    client_order_id: str = ""


class AmendOrder(Struct, array_like=True, tag=3, gc=False, frozen=True):
    """Change an open order; zero leaves a term as it is, `quantity_lots` is the new total."""

    gateway: int
    request_seq: int
    account: int
    instrument: int
    order_id: int
    price_ticks: int
    quantity_lots: int
    client_order_id: str = ""
    trigger_ticks: int = 0


class MassCancelOrders(Struct, array_like=True, tag=4, gc=False, frozen=True):
    """Cancel all open orders of `account`; zero means every account, instrument, side.

    Each canceled order gets `reason`: zero for a request, `DISCONNECTED` for a session that ended.
    """

    gateway: int
    request_seq: int
    account: int
    instrument: int = 0
    side: int = 0
    reason: int = 0


class SetCancelAfter(Struct, array_like=True, tag=5, gc=False, frozen=True):
    """Cancel all open orders of `account` unless this command is repeated within `timeout_ns`; zero
    ends the timer. `instrument` is zero."""

    gateway: int
    request_seq: int
    account: int
    instrument: int = 0
    timeout_ns: int = 0


class AdvanceTime(Struct, array_like=True, tag=6, gc=False, frozen=True):
    """Expire everything that is due; the matcher itself makes this command while no other
    arrives. That of gateway zero takes a number also where nothing is due: a manual clock moved."""

    gateway: int = -1
    request_seq: int = 0
    account: int = 0
    instrument: int = 0


class AddInstrument(Struct, array_like=True, tag=7, gc=False, frozen=True):
    """Trade another instrument from now on; `instrument` is its id."""

    gateway: int
    request_seq: int
    account: int
    instrument: int
    definition: Instrument


class SetInstrumentState(Struct, array_like=True, tag=8, gc=False, frozen=True):
    """Put an instrument into an `InstrumentState`. With `until_ns` it returns at that time to
    `OPEN`, or to `AUCTION` where its book is crossed."""

    gateway: int
    request_seq: int
    account: int
    instrument: int
    state: int
    until_ns: int = 0


class Uncross(Struct, array_like=True, tag=9, gc=False, frozen=True):
    """End the call phase: trade as much as possible at one price, then enter `state`."""

    gateway: int
    request_seq: int
    account: int
    instrument: int
    state: int = 1


class SetFees(Struct, array_like=True, tag=10, gc=False, frozen=True):
    """Set the fee rates of an instrument, or with an `account` that account's own rates in it.
    `inherit` removes the account's own rates."""

    gateway: int
    request_seq: int
    account: int
    instrument: int
    maker_fee_rate: int
    taker_fee_rate: int
    inherit: bool = False


class AdjustBalance(Struct, array_like=True, tag=11, gc=False, frozen=True):
    """Deposit (positive) or withdraw (negative) an amount in the asset's smallest unit.

    `transfer_id` names the transfer, so that a repeat is recognised.
    """

    gateway: int
    request_seq: int
    account: int
    instrument: int
    asset: str
    amount: int
    transfer_id: str


class CreateKey(Struct, array_like=True, tag=13, gc=False, frozen=True):
    """Add an API key. Its time of creation is that of the command; `account` is the key's."""

    gateway: int
    request_seq: int
    account: int
    instrument: int
    key: Key


class SetKeyEnabled(Struct, array_like=True, tag=14, gc=False, frozen=True):
    """Let an API key be used again, or with `enabled` false no longer."""

    gateway: int
    request_seq: int
    account: int
    instrument: int
    key_id: str
    enabled: bool = True


class RotateKey(Struct, array_like=True, tag=15, gc=False, frozen=True):
    """Give an API key new material. The present one counts for `overlap_ns` more.

    `expires_ns` is the new expiry time: zero means never, and below zero the time stays.
    """

    gateway: int
    request_seq: int
    account: int
    instrument: int
    key_id: str
    material: bytes
    overlap_ns: int = 0
    expires_ns: int = -1

    def __repr__(self) -> str:
        return (
            f"RotateKey(key_id={self.key_id!r}, overlap_ns={self.overlap_ns}, "
            f"expires_ns={self.expires_ns})"
        )


class DeleteKey(Struct, array_like=True, tag=16, gc=False, frozen=True):
    """Remove an API key."""

    gateway: int
    request_seq: int
    account: int
    instrument: int
    key_id: str


KeyAct: TypeAlias = CreateKey | SetKeyEnabled | RotateKey | DeleteKey

Act: TypeAlias = (
    MassCancelOrders
    | AddInstrument
    | SetInstrumentState
    | Uncross
    | SetFees
    | AdjustBalance
    | CreateKey
    | SetKeyEnabled
    | RotateKey
    | DeleteKey
)


class Administer(Struct, array_like=True, tag=12, gc=False, frozen=True):
    """Perform an act of the administrator `requested_by`: the id of an API key, or `local` for the
    matcher's own socket. `account` and `instrument` are those of the act."""

    gateway: int
    request_seq: int
    account: int
    instrument: int
    requested_by: str
    act: Act


Command: TypeAlias = (
    NewOrder
    | CancelOrder
    | AmendOrder
    | MassCancelOrders
    | SetCancelAfter
    | AdvanceTime
    | AddInstrument
    | SetInstrumentState
    | Uncross
    | SetFees
    | AdjustBalance
    | Administer
    | CreateKey
    | SetKeyEnabled
    | RotateKey
    | DeleteKey
)
