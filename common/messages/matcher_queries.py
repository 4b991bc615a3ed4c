"""Matcher queries: resends of events, book snapshots, open orders, balances.

Gateways, publishers and recorders send them (DEALER to ROUTER, one msgpack frame each way). Clients
cannot reach the socket.
"""

from typing import TypeAlias

from msgspec import Raw, Struct

from crossbook.common.instruments import Instrument
from crossbook.common.keys import Key
from crossbook.common.messages.entry import Balance, OrderState


class ResendRequest(Struct, array_like=True, tag=1, gc=False, frozen=True):
    """Request every event batch with a sequence number in `from_seq`..`to_seq`."""

    request_id: int
    incarnation: int
    from_seq: int
    to_seq: int


class BooksRequest(Struct, array_like=True, tag=2, gc=False, frozen=True):
    """Request all books."""

    request_id: int


class OrdersRequest(Struct, array_like=True, tag=3, gc=False, frozen=True):
    """Request open orders of an account, oldest first; instrument zero means all."""

    request_id: int
    account: int
    instrument: int
    order_id: int
    client_order_id: str
    after_order_id: int
    limit: int


class GatewayRequest(Struct, array_like=True, tag=4, gc=False, frozen=True):
    """Request the number of the last request of a gateway that was applied."""

    request_id: int
    gateway: int


class BalancesRequest(Struct, array_like=True, tag=5, gc=False, frozen=True):
    """Request the balances of an account."""

    request_id: int
    account: int


class KeysRequest(Struct, array_like=True, tag=6, gc=False, frozen=True):
    """Request API keys by id, behind `after_key_id`."""

    request_id: int
    after_key_id: str = ""


MatcherQuery: TypeAlias = (
    ResendRequest | BooksRequest | OrdersRequest | GatewayRequest | BalancesRequest | KeysRequest
)


class Resend(Struct, array_like=True, tag=101, gc=False, frozen=True):
    """Encoded `EventBatch`es in order. The range may stop short: request the rest."""

    request_id: int
    incarnation: int
    batches: list[Raw]


class ResendTooOld(Struct, array_like=True, tag=102, gc=False, frozen=True):
    """The range is no longer held, or is of another incarnation: request a snapshot instead.

    With `unsendable_bytes` the range begins with a batch of so many bytes, from a journal of
    before batches were bounded, and `first_seq` is behind that batch.
    """

    request_id: int
    incarnation: int
    first_seq: int
    last_seq: int
    unsendable_bytes: int = 0


class RestingOrder(Struct, array_like=True, gc=False, frozen=True):
    """One resting order of a book snapshot; the list it stands in is in priority order.

    The public sees `shown_lots`. An iceberg has `hidden_lots` more and shows `display_lots` of
    them next. A market order of a call phase has price zero.
    """

    order_id: int
    price_ticks: int
    shown_lots: int
    display_lots: int = 0
    hidden_lots: int = 0


class BookState(Struct, array_like=True, gc=False, frozen=True):
    """One instrument's book: bids and asks best first, its last trade, and its `InstrumentState`,
    which ends at `until_ns` if that is not zero. `market_bids` and `market_asks` are the market
    orders that wait for an uncross, in order of arrival."""

    instrument: int
    bids: list[RestingOrder]
    asks: list[RestingOrder]
    last_trade_id: int
    last_price_ticks: int
    state: int = 1
    until_ns: int = 0
    market_bids: list[RestingOrder] = []
    market_asks: list[RestingOrder] = []


class Books(Struct, array_like=True, tag=103, gc=False, frozen=True):
    """All books as of `seq` of `incarnation`, and their instruments."""

    request_id: int
    incarnation: int
    seq: int
    time_ns: int
    books: list[BookState]
    instruments: list[Instrument] = []


class Orders(Struct, array_like=True, tag=104, gc=False, frozen=True):
    """Open orders as of `seq`."""

    request_id: int
    seq: int
    orders: list[OrderState]
    more: bool


class GatewayState(Struct, array_like=True, tag=105, gc=False, frozen=True):
    """The number of the last request of `gateway` applied in `incarnation` (zero for none), and the
    instruments, as of `seq` and `time_ns`."""

    request_id: int
    gateway: int
    incarnation: int
    seq: int
    last_request_seq: int
    instruments: list[Instrument] = []
    time_ns: int = 0


class AccountBalances(Struct, array_like=True, tag=106, gc=False, frozen=True):
    """Balances as of `seq`, by asset; empty where accounts are off."""

    request_id: int
    seq: int
    balances: list[Balance]


class KeyPage(Struct, array_like=True, tag=107, gc=False, frozen=True):
    """API keys by id, of `incarnation`. `changed_seq` is the number of the last change of a key:
    pages with the same one are of one state. With `more` another page follows behind the last key.
    """

    request_id: int
    incarnation: int
    changed_seq: int
    keys: list[Key]
    more: bool


MatcherReply: TypeAlias = (
    Resend | ResendTooOld | Books | Orders | GatewayState | AccountBalances | KeyPage
)
