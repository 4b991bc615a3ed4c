"""The engine as bytes and back, and digests of its state.

Fields are only ever appended, with defaults: a snapshot of an earlier program is read as a state
that uses no later feature. The state hash of such a state does not change either, because it leaves
out what is at its default.
"""

from hashlib import sha256
from typing import Any, Final

import msgspec
from msgspec import Struct

from crossbook.common.errors import CrossbookError
from crossbook.common.instruments import DECIMALS_MAX, Instrument
from crossbook.common.keys import Key
from crossbook.common.messages.codec import encode
from crossbook.common.rules import Rules
from crossbook.common.types import InstrumentState
from crossbook.matcher.engine.book import OrderBook
from crossbook.matcher.engine.conditions import OrderConditions
from crossbook.matcher.engine.dedupe import Body
from crossbook.matcher.engine.engine import Engine
from crossbook.matcher.engine.order import Account, BookSide, Order
from crossbook.matcher.engine.unfinished import AT_ONCE, Unfinished


class SavedOrder(Struct, array_like=True, gc=False):
    """One order with all its terms. A plain order has defaults from `prevention` on."""

    order_id: int
    account: int
    instrument: int
    side: int
    price_ticks: int
    quantity_lots: int
    remaining_lots: int
    client_order_id: str
    time_ns: int
    ended_as: int
    prevention: int = 0
    hold_unit: int = 0
    arrival: int = 0
    conditions: OrderConditions | None = None


class SavedBook(Struct, array_like=True):
    """One book: the orders of its sides in priority order, its last trade, its waiting orders by
    arrival, its state and its own fees."""

    instrument: int
    last_trade_id: int
    last_price_ticks: int
    bids: list[SavedOrder]
    asks: list[SavedOrder]
    waiting: list[SavedOrder] = []
    waiting_from: tuple[int, int] = (0, 0)
    uncrossing: list[SavedOrder] = []
    state: int = int(InstrumentState.OPEN)
    until: tuple[int, int] | None = None
    own_fees: list[tuple[int, int, int]] = []


class SavedRetry(Struct, array_like=True):
    """One remembered request for an order: its body, and the order itself once it has ended."""

    order_id: int
    account: int
    body: Body
    ended: SavedOrder | None


class SavedAccount(Struct, array_like=True):
    """An account's money (as text, because it may exceed 64 bits) and its dead-man timer."""

    account: int
    opened: bool
    total: list[tuple[str, str]]
    deadline: tuple[int, int] | None


class SavedEngine(Struct, array_like=True):
    """Everything `Engine.apply` depends on."""

    seq: int
    instruments: list[Instrument]
    last_request: list[tuple[int, int]]
    books: list[SavedBook]
    retries: list[SavedRetry]
    rules: Rules = Rules()
    configured: list[Instrument] | None = None
    accounts: list[SavedAccount] = []
    supply: list[tuple[str, str]] = []
    transfers: list[str] = []
    edition: int = 1


class SavedEngineWithMore(SavedEngine, array_like=True):
    """The same of a venue that has had API keys, or is in the middle of an act; without these the
    bytes end before them.

    `elected` are the ids of waiting orders that the last price of an instrument elected and that
    have not run, the next one last.
    """

    keys: list[Key] = []
    keys_seq: int = 0
    unfinished: Unfinished | None = None
    elected: list[tuple[int, list[int]]] = []


_decode = msgspec.msgpack.Decoder(SavedEngineWithMore).decode
_PLAIN_FIELDS: Final = 10
_ARRIVAL: Final = 12


def capture(engine: Engine, arrivals: bool = True) -> bytes:
    """The whole state, canonical: equal states give equal bytes. O(open orders).

    Without `arrivals` the state leaves out when orders took their places, as the first format did.
    """
    retries = []
    for entry in engine.retries.entries():
        order = entry.order
        is_open = order.account.orders.get(order.order_id) is order
        ended = None if is_open else _record(order, arrivals)
        retries.append(SavedRetry(order.order_id, order.account.account_id, entry.body, ended))
    supply = engine.ledger.supply if engine.ledger is not None else {}
    saved = SavedEngine(
        engine.seq,
        engine.instruments,
        sorted(engine.last_request.items()),
        [_book_record(book, arrivals) for book in engine.books.values()],
        retries,
        engine.rules,
        list(engine.configured.values()),
        _account_records(engine),
        [(asset, str(amount)) for asset, amount in sorted(supply.items())],
        list(engine.transfers),
        engine.edition,
    )
    if not engine.keys_seq and engine.unfinished is None:
        return encode(saved)
    facts = msgspec.structs.asdict(saved)
    return encode(
        SavedEngineWithMore(
            **facts,
            keys=_keys(engine),
            keys_seq=engine.keys_seq,
            unfinished=engine.unfinished,
            elected=_elected(engine),
        )
    )


def _elected(engine: Engine) -> list[tuple[int, list[int]]]:
    return [
        (number, [order.order_id for order in book.triggers.met])
        for number, book in engine.books.items()
        if book.triggers is not None and book.triggers.met
    ]


def restore(data: bytes) -> Engine:
    """The engine that `capture` was given; raises `msgspec.MsgspecError` for bytes it never gives.

    Bytes that were altered into those of another engine are not detected here.
    """
    try:
        return _engine(_decode(data))
    except (CrossbookError, LookupError, ValueError) as error:
        if isinstance(error, msgspec.MsgspecError):
            raise
        raise msgspec.ValidationError(f"not the snapshot of an engine: {error!r}") from error


def _engine(record: SavedEngineWithMore) -> Engine:
    for instrument in record.instruments:
        # Powers of ten with these exponents are computed: altered bytes must not cause huge ones.
        if not 0 <= instrument.base_decimals <= DECIMALS_MAX >= instrument.quote_decimals >= 0:
            raise msgspec.ValidationError(f"decimals of {instrument.symbol} are out of range")
    engine = Engine(record.instruments, record.rules, record.edition)
    if record.configured is not None:
        engine.configured = {instrument.id: instrument for instrument in record.configured}
    engine.seq = record.seq
    engine.last_request = dict(record.last_request)
    engine.transfers = dict.fromkeys(record.transfers)
    engine.keys = {key.key_id: key for key in record.keys}
    engine.keys_seq = record.keys_seq
    if len(engine.keys) != len(record.keys) or (record.keys and not record.keys_seq):
        raise msgspec.ValidationError("two of its API keys have one id, or no command made them")
    _restore_accounts(engine, record)
    open_orders: list[Order] = []
    for book_record in record.books:
        _restore_book(engine, book_record, open_orders)
    if record.unfinished is not None:
        if record.unfinished.instrument and record.unfinished.instrument not in engine.books:
            raise msgspec.ValidationError("an act is unfinished in an instrument that is not there")
        engine.timers.add(AT_ONCE, record.unfinished.number, record.unfinished)
    waiting = {order.order_id: order for order in open_orders}
    for number, ids in record.elected:
        triggers = engine.books[number].triggers
        if triggers is None:
            raise msgspec.ValidationError("orders are elected where none waits")
        triggers.restore_met([waiting[order_id] for order_id in ids])
    for order in sorted(open_orders, key=lambda order: order.order_id):
        order.account.add(order)
        conditions = order.conditions
        if conditions is not None and conditions.expire_ns:
            engine.timers.add(conditions.expire_ns, order.order_id, order)
        if order.hold_unit and engine.ledger is not None:
            instrument = engine.books[order.instrument].instrument
            engine.ledger.hold(order, instrument, order.remaining_lots)
    for retry in record.retries:
        if retry.ended is None:
            order = engine.accounts[retry.account].orders[retry.order_id]
        else:
            order = _order(retry.ended, engine)
            if (order.order_id, order.account.account_id) != (retry.order_id, retry.account):
                raise msgspec.ValidationError(f"order {retry.order_id} is remembered as another")
        engine.retries.put(retry.body, order)
    return engine


def _restore_accounts(engine: Engine, record: SavedEngine) -> None:
    for each in record.accounts:
        account = engine.accounts.get(each.account)
        if account is None:
            account = engine.accounts[each.account] = Account(each.account)
        account.opened = each.opened
        account.total = {asset: int(amount) for asset, amount in each.total}
        if each.deadline is not None:
            account.deadline = each.deadline
            engine.timers.add(*each.deadline, account)
    if engine.ledger is None:
        if record.supply:
            raise msgspec.ValidationError("it has money paid in, but no accounts")
    else:
        engine.ledger.supply = {asset: int(amount) for asset, amount in record.supply}


def _restore_book(engine: Engine, record: SavedBook, open_orders: list[Order]) -> None:
    book = engine.books[record.instrument]
    if not record.waiting and record.waiting_from != (0, 0):
        raise msgspec.ValidationError("no order waits, but a last trade for waiting orders is set")
    # `wait` compares an order with the last trade: here the trade of their last comparison.
    book.last_price_ticks, book.last_trade_id = record.waiting_from
    for order_record in record.waiting:
        order = _order(order_record, engine)
        book.wait(order)
        open_orders.append(order)
    book.last_price_ticks, book.last_trade_id = record.last_price_ticks, record.last_trade_id
    for side, records in ((book.bids, record.bids), (book.asks, record.asks)):
        for order_record in records:
            order = _order(order_record, engine)
            side.add(order)
            open_orders.append(order)
    for order_record in record.uncrossing:
        order = _order(order_record, engine)
        book.uncrossing[order.order_id] = order
        open_orders.append(order)
    book.state = int(InstrumentState(record.state))
    book.own_fees = {account: (maker, taker) for account, maker, taker in record.own_fees}
    if record.until is not None:
        book.until = record.until
        engine.timers.add(*record.until, book)


def state_hash(engine: Engine) -> str:
    """SHA-256 (hex) of the market: equal means the same state. O(open orders).

    Covers every open order in queue order with all its terms, each book's last trade and state, all
    money, every timer and every API key. Leaves out the sequence number and the memory of requests,
    which refused commands advance too: a refused command does not change the hash.
    """
    state: list[Any] = []
    for _, book in sorted(engine.books.items()):
        record = _book_record(book)
        facts = [
            record.instrument,
            record.last_trade_id,
            record.last_price_ticks,
            [_terms(each) for each in record.bids],
            [_terms(each) for each in record.asks],
        ]
        beside = (
            [_terms(each) for each in record.waiting],
            record.waiting_from,
            [_terms(each) for each in record.uncrossing],
            record.state,
            record.until,
            record.own_fees,
            _arrivals(record) if record.state == InstrumentState.AUCTION else [],
        )
        if beside != ([], (0, 0), [], int(InstrumentState.OPEN), None, [], []):
            facts.append(beside)
        state.append(facts)
    accounts = _account_records(engine)
    if accounts:
        state.append(accounts)
    if engine.keys:
        state.append(("keys", _keys(engine)))
    if engine.unfinished is not None:
        state.append((engine.unfinished, _elected(engine)))
    return sha256(encode(state)).hexdigest()


def _terms(record: SavedOrder) -> tuple[Any, ...]:
    """The part of an order that is hashed. Its time of arrival matters in a call phase only: see
    `_arrivals`."""
    fields = msgspec.structs.astuple(record)
    if record.prevention or record.hold_unit or record.conditions is not None:
        return (*fields[:_ARRIVAL], 0, *fields[_ARRIVAL + 1 :])
    return fields[:_PLAIN_FIELDS]


def _arrivals(record: SavedBook) -> list[int]:
    """When the orders took their places, which decides the maker in an uncross."""
    return [order.arrival for order in (*record.bids, *record.asks)]


def _keys(engine: Engine) -> list[Key]:
    return [key for _, key in sorted(engine.keys.items())]


def _account_records(engine: Engine) -> list[SavedAccount]:
    """Accounts with money or a timer, by number."""
    return [
        SavedAccount(
            number,
            account.opened,
            [(asset, str(amount)) for asset, amount in sorted(account.total.items())],
            account.deadline,
        )
        for number, account in sorted(engine.accounts.items())
        if account.deadline is not None or account.total or (account.opened and number)
    ]


def _book_record(book: OrderBook, arrivals: bool = True) -> SavedBook:
    triggers = book.triggers
    waiting = [_record(order) for order in triggers.orders()] if triggers is not None else []
    return SavedBook(
        book.instrument_id,
        book.last_trade_id,
        book.last_price_ticks,
        _records(book.bids, arrivals),
        _records(book.asks, arrivals),
        waiting,
        (triggers.price_ticks, triggers.trade_id) if triggers is not None and waiting else (0, 0),
        [_record(order) for order in book.uncrossing.values()],
        book.state,
        book.until,
        [(account, *rates) for account, rates in sorted(book.own_fees.items())],
    )


def _records(side: BookSide, arrivals: bool) -> list[SavedOrder]:
    return [_record(order, arrivals) for order in side.orders()]


def _record(order: Order, arrivals: bool = True) -> SavedOrder:
    return SavedOrder(
        order.order_id,
        order.account.account_id,
        order.instrument,
        order.side,
        order.price_ticks,
        order.quantity_lots,
        order.remaining_lots,
        order.client_order_id,
        order.time_ns,
        order.ended_as,
        order.prevention,
        order.hold_unit,
        order.arrival if arrivals else 0,
        order.conditions,
    )


def _order(record: SavedOrder, engine: Engine) -> Order:
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
        record.remaining_lots,
        record.client_order_id,
        record.time_ns,
        record.prevention,
        record.hold_unit,
        record.conditions,
        ended_as=record.ended_as,
        arrival=record.arrival,
    )
