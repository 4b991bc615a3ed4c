"""Events: complete records of the matcher's acts, in the past tense.

Every order, every book and all money moved can be rebuilt from the events alone. Each applied
command gets the next `seq`, which all its events carry. The first event of a command is its answer
and names its origin, except for `TimeAdvanced`, which has none. The consequences follow in the
order they happened:

- trades of the incoming order, and orders that ended, shrank or showed their next slice meanwhile;
- `OrderTriggered` makes another order the incoming one, and its consequences follow likewise.

The incoming order (of `OrderAccepted`, `OrderTriggered`, or `OrderAmended` without its place) rests
with its remaining lots from the next such event, or the end of the command, on; no event of its own
reports it. It does not rest when an `OrderExpired` ended it, when it waits for its trigger
(`trigger_ticks`, until it is triggered), or when it is a market order of a call phase.
"""

from typing import TypeAlias

from msgspec import Struct

from crossbook.common.instruments import Instrument
from crossbook.common.keys import Key
from crossbook.common.messages.commands import Instructions


class OrderAccepted(Struct, array_like=True, tag=1, gc=False, frozen=True):
    """An order was entered; its id is `seq`. Fills and a terminal event may follow.

    `instructions` are those of the command, with the expiry time of a DAY order.
    """

    seq: int
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


class CommandRejected(Struct, array_like=True, tag=2, gc=False, frozen=True):
    """A command was refused; nothing changed. `field` names the field at fault."""

    seq: int
    gateway: int
    request_seq: int
    account: int
    instrument: int
    reason: int
    field: str
    client_order_id: str = ""


class TradeExecuted(Struct, array_like=True, tag=3, gc=False, frozen=True):
    """Maker and taker exchanged lots at the maker's price.

    Fees are in the asset each side receives (buyer: base, seller: quote), smallest units,
    rounded against the trader; negative is a rebate. `*_filled_lots` and `*_remaining_lots` are
    the orders' totals after this trade. A taker by quote amount has no remaining lots.
    """

    seq: int
    trade_id: int
    instrument: int
    price_ticks: int
    quantity_lots: int
    aggressor_side: int
    maker_order_id: int
    taker_order_id: int
    maker_account: int
    taker_account: int
    maker_fee: int
    taker_fee: int
    maker_filled_lots: int
    maker_remaining_lots: int
    taker_filled_lots: int
    taker_remaining_lots: int
    maker_client_order_id: str = ""
    taker_client_order_id: str = ""


class OrderCanceled(Struct, array_like=True, tag=4, gc=False, frozen=True):
    """An open order ended on request. `request_seq` is zero inside a mass cancel.

    `resting` is true for an order of the book, false for one that waited for its trigger or an
    uncross. `reason` is `CANCEL_AFTER` or `DISCONNECTED` for a standing request, else zero.
    """

    seq: int
    gateway: int
    request_seq: int
    account: int
    instrument: int
    order_id: int
    side: int
    price_ticks: int
    canceled_lots: int
    filled_lots: int
    client_order_id: str = ""
    resting: bool = True
    reason: int = 0


class OrderExpired(Struct, array_like=True, tag=5, gc=False, frozen=True):
    """An order ended with lots remaining and without a request. `reason` is a `RejectReason`: with
    `SELF_TRADE` the order is EXPIRED_IN_MATCH.

    `quote_left` is the unspent part of a market order by quote amount. `resting` is true for an
    order of the book.
    """

    seq: int
    account: int
    instrument: int
    order_id: int
    side: int
    price_ticks: int
    expired_lots: int
    filled_lots: int
    reason: int
    client_order_id: str = ""
    quote_left: int = 0
    resting: bool = False


class OrderCompleted(Struct, array_like=True, tag=6, gc=False, frozen=True):
    """A market order by quote amount ended: `quote_left` buys less than one lot."""

    seq: int
    account: int
    instrument: int
    order_id: int
    side: int
    filled_lots: int
    quote_left: int
    client_order_id: str = ""


class OrderAmended(Struct, array_like=True, tag=7, gc=False, frozen=True):
    """An open order has new terms. Without `kept_priority` it left its place and re-entered as an
    incoming order with `remaining_lots`: trades may follow, then it rests behind its new level.

    An order with `trigger_ticks` still waits for that price. An iceberg shows `shown_lots` from now
    on (when it rests, at most `display_lots` of its remaining lots).
    """

    seq: int
    gateway: int
    request_seq: int
    account: int
    instrument: int
    order_id: int
    side: int
    price_ticks: int
    quantity_lots: int
    filled_lots: int
    remaining_lots: int
    kept_priority: bool
    client_order_id: str = ""
    trigger_ticks: int = 0
    display_lots: int = 0
    shown_lots: int = 0


class OrdersMassCanceled(Struct, array_like=True, tag=8, gc=False, frozen=True):
    """A mass cancel was applied; `count` events `OrderCanceled` follow, oldest order first, under
    this number and, where they are too many, the next ones."""

    seq: int
    gateway: int
    request_seq: int
    account: int
    instrument: int
    side: int
    count: int


class OrderRepeated(Struct, array_like=True, tag=9, gc=False, frozen=True):
    """A new order repeats an earlier one with its client order id: nothing happened. `order_id`,
    `status`, `filled_lots` and `remaining_lots` are those of the earlier order now."""

    seq: int
    gateway: int
    request_seq: int
    account: int
    instrument: int
    order_id: int
    status: int
    filled_lots: int
    remaining_lots: int
    client_order_id: str


class OrderTriggered(Struct, array_like=True, tag=10, gc=False, frozen=True):
    """The last trade price elected a waiting order: it is the incoming order now, a limit order at
    `price_ticks` or, where that is zero, a market order."""

    seq: int
    account: int
    instrument: int
    order_id: int
    side: int
    order_type: int
    time_in_force: int
    price_ticks: int
    remaining_lots: int
    trigger_ticks: int
    last_price_ticks: int
    display_lots: int = 0
    client_order_id: str = ""


class OrderReplenished(Struct, array_like=True, tag=11, gc=False, frozen=True):
    """The slice of an iceberg was traded: it shows its next `shown_lots` at the back of its level
    (in an uncross: in its place, `requeued` false)."""

    seq: int
    account: int
    instrument: int
    order_id: int
    side: int
    price_ticks: int
    shown_lots: int
    remaining_lots: int
    requeued: bool = True
    client_order_id: str = ""


class OrderReduced(Struct, array_like=True, tag=12, gc=False, frozen=True):
    """An order lost `prevented_lots` to a smaller one of its own account, and stays in its place.

    `quantity_lots` is its total from now on. An iceberg shows `shown_lots`.
    """

    seq: int
    account: int
    instrument: int
    order_id: int
    side: int
    price_ticks: int
    prevented_lots: int
    quantity_lots: int
    filled_lots: int
    remaining_lots: int
    resting: bool
    shown_lots: int = 0
    client_order_id: str = ""


class TimeAdvanced(Struct, array_like=True, tag=13, gc=False, frozen=True):
    """Everything due by `time_ns` happens now, before anything else: expiries, cancels by
    `cancel-after`, ends of halts and the rest of an act that was too long for one number follow."""

    seq: int
    time_ns: int


class CancelAfterSet(Struct, array_like=True, tag=14, gc=False, frozen=True):
    """The account's orders are canceled at `deadline_ns` unless renewed; zero ends the timer."""

    seq: int
    gateway: int
    request_seq: int
    account: int
    deadline_ns: int


class InstrumentAdded(Struct, array_like=True, tag=15, gc=False, frozen=True):
    """Another instrument is traded from now on."""

    seq: int
    gateway: int
    request_seq: int
    instrument: int
    definition: Instrument


class InstrumentStateChanged(Struct, array_like=True, tag=16, gc=False, frozen=True):
    """An instrument is in an `InstrumentState` now; until `until_ns` if that is not zero.

    It is the answer to a request, or with `gateway` and `request_seq` zero a consequence of an
    uncross or of time.
    """

    seq: int
    gateway: int
    request_seq: int
    instrument: int
    state: int
    until_ns: int = 0


class AuctionUncrossed(Struct, array_like=True, tag=17, gc=False, frozen=True):
    """A call phase ended: `quantity_lots` trade at `price_ticks` (zero: nothing
    trades).

    `surplus_lots` at that price did not trade: positive of buyers, negative of sellers. The trades
    follow, then the rest of market orders expires, then the state changes.
    """

    seq: int
    gateway: int
    request_seq: int
    instrument: int
    price_ticks: int
    quantity_lots: int
    surplus_lots: int


class FeesChanged(Struct, array_like=True, tag=18, gc=False, frozen=True):
    """Fee rates of an instrument, or of one account in it (`account` not zero); with
    `inherited` the account has the instrument's rates again."""

    seq: int
    gateway: int
    request_seq: int
    account: int
    instrument: int
    maker_fee_rate: int
    taker_fee_rate: int
    inherited: bool = False


class BalanceAdjusted(Struct, array_like=True, tag=19, gc=False, frozen=True):
    """An amount was deposited (positive) or withdrawn; `balance` is the total now, the
    part held by orders included."""

    seq: int
    gateway: int
    request_seq: int
    account: int
    asset: str
    amount: int
    balance: int
    transfer_id: str


class AccountOpened(Struct, array_like=True, tag=20, gc=False, frozen=True):
    """The first command of an account opened it with the configured balances: (asset, amount)."""

    seq: int
    account: int
    balances: list[tuple[str, int]]


class KeyChanged(Struct, array_like=True, tag=21, gc=False, frozen=True):
    """An API key was added, or is as `key` from now on."""

    seq: int
    gateway: int
    request_seq: int
    key: Key


class KeyDeleted(Struct, array_like=True, tag=22, gc=False, frozen=True):
    """An API key was removed."""

    seq: int
    gateway: int
    request_seq: int
    key_id: str


Event: TypeAlias = (
    OrderAccepted
    | CommandRejected
    | TradeExecuted
    | OrderCanceled
    | OrderExpired
    | OrderCompleted
    | OrderAmended
    | OrdersMassCanceled
    | OrderRepeated
    | OrderTriggered
    | OrderReplenished
    | OrderReduced
    | TimeAdvanced
    | CancelAfterSet
    | InstrumentAdded
    | InstrumentStateChanged
    | AuctionUncrossed
    | FeesChanged
    | BalanceAdjusted
    | AccountOpened
    | KeyChanged
    | KeyDeleted
)


class EventBatch(Struct, array_like=True, gc=False, frozen=True):
    """All events of the commands `first_seq`..`last_seq`: one message of the matcher.

    `incarnation` names the life of the matcher's state: in another one the same numbers mean
    other commands. A heartbeat is a batch without events whose `first_seq` is one past its
    `last_seq`.
    """

    incarnation: int
    first_seq: int
    last_seq: int
    time_ns: int
    events: list[Event]
