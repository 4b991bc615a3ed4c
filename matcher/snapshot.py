"""The engine as bytes and back, and digests of its state."""

from hashlib import sha256
from typing import Final

import msgspec
from msgspec import Struct

from common.codec import encode
from common.errors import CrossbookError
from common.instruments import Instrument
from matcher.book import BookSide
from matcher.dedupe import Body
from matcher.engine import Engine
from matcher.order import Account, Order


class OrderRecord(Struct, array_like=True, gc=False):
    """One order with all its terms."""

    order_id: int
    account: int
    instrument: int
    side: int
    price_ticks: int
    quantity_lots: int
    open_lots: int
    client_order_id: str
    time_ns: int
    ended_as: int


class BookRecord(Struct, array_like=True):
    """One book: its sides' orders in priority order, and its last trade."""

    instrument: int
    last_trade_id: int
    last_price_ticks: int
    bids: list[OrderRecord]
    asks: list[OrderRecord]


class RetryRecord(Struct, array_like=True):
    """One remembered order: what it said; the order itself when it is not open any more."""

    order_id: int
    account: int
    body: Body
    ended: OrderRecord | None


class EngineRecord(Struct, array_like=True):
    """Everything `Engine.apply` depends on."""

    seq: int
    instruments: list[Instrument]
    last_request: list[tuple[int, int]]
    books: list[BookRecord]
    retries: list[RetryRecord]


_DECIMALS_MAX: Final = 18

_decode = msgspec.msgpack.Decoder(EngineRecord).decode


def capture(engine: Engine) -> bytes:
    """The whole state, canonical: equal states give equal bytes. O(open orders)."""
    retries = []
    for entry in engine.retries.entries():
        order = entry.order
        ended = _record(order) if order.level is None else None
        retries.append(RetryRecord(order.order_id, order.account.account_id, entry.body, ended))
    return encode(
        EngineRecord(
            engine.seq,
            engine.instruments,
            sorted(engine.last_request.items()),
            [
                BookRecord(
                    book.instrument_id,
                    book.last_trade_id,
                    book.last_price_ticks,
                    _records(book.bids),
                    _records(book.asks),
                )
                for book in engine.books.values()
            ],
            retries,
        )
    )


def restore(data: bytes) -> Engine:
    """The engine that `capture` saw; raises `msgspec.MsgspecError` for bytes it never gives.

    Bytes altered into those of another engine are not told apart here.
    """
    try:
        return _engine(_decode(data))
    except (CrossbookError, LookupError, ValueError) as error:
        if isinstance(error, msgspec.MsgspecError):
            raise
        raise msgspec.ValidationError(f"not the snapshot of an engine: {error!r}") from error


def _engine(record: EngineRecord) -> Engine:
    for instrument in record.instruments:
        # Powers of ten with such exponents are computed: altered bytes must not ask for more.
        if not 0 <= instrument.base_decimals <= _DECIMALS_MAX >= instrument.quote_decimals >= 0:
            raise msgspec.ValidationError(f"decimals of {instrument.symbol} are out of range")
    engine = Engine(record.instruments)
    engine.seq = record.seq
    engine.last_request = dict(record.last_request)
    open_orders: list[Order] = []
    for book_record in record.books:
        book = engine.books[book_record.instrument]
        book.last_trade_id = book_record.last_trade_id
        book.last_price_ticks = book_record.last_price_ticks
        for side, records in ((book.bids, book_record.bids), (book.asks, book_record.asks)):
            for order_record in records:
                order = _order(order_record, engine)
                side.add(order)
                open_orders.append(order)
    for order in sorted(open_orders, key=lambda order: order.order_id):
        order.account.add(order)
    for retry in record.retries:
        if retry.ended is None:
            order = engine.accounts[retry.account].orders[retry.order_id]
        else:
            order = _order(retry.ended, engine)
            if (order.order_id, order.account.account_id) != (retry.order_id, retry.account):
                raise msgspec.ValidationError(f"order {retry.order_id} is remembered as another")
        engine.retries.put(retry.body, order)
    return engine


def state_hash(engine: Engine) -> str:
    """SHA-256 (hex) of the market: equal means the same state. O(open orders).

    Covers every open order in queue order with all its terms, and each book's last trade. Leaves
    out the sequence number and what only tells repeats from news, which advance with refused
    commands too: a refused command leaves the hash as it was.
    """
    state = [
        (
            instrument,
            book.last_trade_id,
            book.last_price_ticks,
            _records(book.bids),
            _records(book.asks),
        )
        for instrument, book in sorted(engine.books.items())
    ]
    return sha256(encode(state)).hexdigest()


def _records(side: BookSide) -> list[OrderRecord]:
    return [_record(order) for order in side.orders()]


def _record(order: Order) -> OrderRecord:
    return OrderRecord(
        order.order_id,
        order.account.account_id,
        order.instrument,
        order.side,
        order.price_ticks,
        order.quantity_lots,
        order.open_lots,
        order.client_order_id,
        order.time_ns,
        order.ended_as,
    )


def _order(record: OrderRecord, engine: Engine) -> Order:
    account = engine.accounts.get(record.account)
    if account is None:
        account = engine.accounts[record.account] = Account(record.account)
    return Order(
        record.order_id,
        account,
        record.instrument,
        record.side,
        record.price_ticks,
        record.quantity_lots,
        record.open_lots,
        record.client_order_id,
        record.time_ns,
        ended_as=record.ended_as,
    )
