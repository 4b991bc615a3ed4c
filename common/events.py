"""Events: what the matcher did, in the past tense, and complete.

From the event stream alone every order, every book and all money moved can be rebuilt. Each
command applied gets the next `seq`; all its events carry it. The first event of a command is its
answer (`OrderAccepted`, `OrderRepeated`, `OrderCanceled`, `OrderAmended`, `OrdersMassCanceled`
or `CommandRejected`) and names its origin; trades follow in match order, then at most one terminal
event for the taker. A limit GTC order with lots left after its trades rests; nothing says so
separately.
"""

from typing import TypeAlias

from msgspec import Struct


class OrderAccepted(Struct, array_like=True, tag=1, gc=False, frozen=True):
    """An order was entered; its id is `seq`. Fills and a terminal event may follow."""

    seq: int
    gateway: int
    request: int
    account: int
    instrument: int
    side: int
    order_type: int
    time_in_force: int
    price_ticks: int
    quantity_lots: int
    client_order_id: str = ""
    quote_amount: int = 0


class CommandRejected(Struct, array_like=True, tag=2, gc=False, frozen=True):
    """A command was refused; nothing changed. `field` names the field at fault."""

    seq: int
    gateway: int
    request: int
    account: int
    instrument: int
    reason: int
    field: str
    client_order_id: str = ""


class TradeExecuted(Struct, array_like=True, tag=3, gc=False, frozen=True):
    """Maker and taker exchanged lots at the maker's price.

    Fees are in the asset each side receives (buyer: base, seller: quote), smallest units,
    rounded against the trader; negative is a rebate. `*_filled_lots` and `*_open_lots` are the
    orders' totals after this trade. A taker by quote amount has no open lots.
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
    maker_open_lots: int
    taker_filled_lots: int
    taker_open_lots: int
    maker_client_order_id: str = ""
    taker_client_order_id: str = ""


class OrderCanceled(Struct, array_like=True, tag=4, gc=False, frozen=True):
    """An open order left the book on request. `request` is zero inside a mass cancel."""

    seq: int
    gateway: int
    request: int
    account: int
    instrument: int
    order_id: int
    side: int
    price_ticks: int
    canceled_lots: int
    filled_lots: int
    client_order_id: str = ""


class OrderExpired(Struct, array_like=True, tag=5, gc=False, frozen=True):
    """What an IOC, FOK or market order could not fill is gone. `reason` is a `RejectReason`.

    `quote_left` is the unspent part of a market order by quote amount.
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
    incoming order with `open_lots`: trades may follow, then it rests behind its new level."""

    seq: int
    gateway: int
    request: int
    account: int
    instrument: int
    order_id: int
    side: int
    price_ticks: int
    quantity_lots: int
    filled_lots: int
    open_lots: int
    kept_priority: bool
    client_order_id: str = ""


class OrdersMassCanceled(Struct, array_like=True, tag=8, gc=False, frozen=True):
    """A mass cancel was applied; `count` events `OrderCanceled` follow, oldest order first."""

    seq: int
    gateway: int
    request: int
    account: int
    instrument: int
    side: int
    count: int


class OrderRepeated(Struct, array_like=True, tag=9, gc=False, frozen=True):
    """A new order said again what an earlier one with its client order id had said: nothing
    happened. `order_id`, `status`, `filled_lots` and `open_lots` are the earlier order's now."""

    seq: int
    gateway: int
    request: int
    account: int
    instrument: int
    order_id: int
    status: int
    filled_lots: int
    open_lots: int
    client_order_id: str


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
)


class EventBatch(Struct, array_like=True, gc=False, frozen=True):
    """One message of the event stream: all events of the commands `first_seq`..`last_seq`.

    `stream` names the life of the matcher's state: another stream means another history. A
    heartbeat is a batch without events whose `first_seq` is one past its `last_seq`.
    """

    stream: int
    first_seq: int
    last_seq: int
    time_ns: int
    events: list[Event]
