"""Acts on the venue itself: the passing of time, and what an administrator does.

Each is a numbered command like any other, validated whole before anything changes.
"""

from typing import Final

from msgspec.structs import replace

from crossbook.common.instruments import FEE_RATE_MAX, definition_fault
from crossbook.common.messages.commands import (
    AddInstrument,
    AdjustBalance,
    SetFees,
    SetInstrumentState,
    Uncross,
)
from crossbook.common.messages.events import (
    AccountOpened,
    AuctionUncrossed,
    BalanceAdjusted,
    Event,
    FeesChanged,
    InstrumentAdded,
    InstrumentStateChanged,
    TimeAdvanced,
)
from crossbook.common.rounding import rounding_fault
from crossbook.common.rules import FEE_ACCOUNT, INSTRUMENTS_MAX
from crossbook.common.types import (
    MAX_ACCOUNT,
    MAX_CLIENT_ORDER_ID,
    MAX_INT,
    InstrumentState,
    RejectReason,
)
from crossbook.matcher.engine import auction
from crossbook.matcher.engine.answers import Fault, rejected
from crossbook.matcher.engine.book import OrderBook
from crossbook.matcher.engine.cancellation import cancel_all, go_on_canceling
from crossbook.matcher.engine.election import elect
from crossbook.matcher.engine.funds import short_buyers
from crossbook.matcher.engine.matching import expire
from crossbook.matcher.engine.order import Account, Order
from crossbook.matcher.engine.unfinished import AT_ONCE, Act, Unfinished
from crossbook.matcher.engine.venue import Venue

TRANSFERS_REMEMBERED: Final = 65_536
"""The latest transfers, whose repeat is refused. A constant, as the same journal must replay
alike everywhere."""

_UNSUPPORTED: Final = RejectReason.UNSUPPORTED_COMBINATION
_OPEN: Final = int(InstrumentState.OPEN)
_POST_ONLY: Final = int(InstrumentState.POST_ONLY)
_AUCTION: Final = int(InstrumentState.AUCTION)


def advance(venue: Venue, time_ns: int) -> list[Event]:
    """Run the timers that are due, in the order of (time, number), under a number of their own,
    until there are more than `max_fills` events: the others stay due."""
    venue.seq = seq = venue.seq + 1
    events: list[Event] = [TimeAdvanced(seq, time_ns)]
    timers = venue.timers
    while timers.due_ns <= time_ns and len(events) <= venue.max_fills:
        owner = timers.pop()
        if isinstance(owner, Order):
            book = venue.books[owner.instrument]
            expire(book, owner, seq, RejectReason.EXPIRE_TIME, events)
        elif isinstance(owner, Account):
            _end_deadline(venue, owner, seq, events)
        elif isinstance(owner, Unfinished):
            _go_on(venue, owner, seq, events)
        else:
            owner.until = None
            is_open = not (owner.is_crossed or owner.uncrossing)
            owner.state = _OPEN if is_open else _AUCTION
            events.append(InstrumentStateChanged(seq, 0, 0, owner.instrument_id, owner.state))
            if is_open and owner.triggers is not None:
                elect(owner, seq, events)
    return events


def _end_deadline(venue: Venue, account: Account, seq: int, events: list[Event]) -> None:
    """Cancel the orders of an account whose timer has run out; while some are left it stays due."""
    deadline, account.deadline = account.deadline, None
    assert deadline is not None, "no timer ran"
    doomed = list(reversed(account.orders.values()))
    if cancel_all(venue, doomed, seq, RejectReason.CANCEL_AFTER, events):
        account.deadline = deadline
        venue.timers.add(*deadline, account)


def _go_on(venue: Venue, rest: Unfinished, seq: int, events: list[Event]) -> None:
    """Go on with what an earlier command began."""
    if rest.act == Act.CANCEL:
        go_on_canceling(venue, rest, seq, events)
        return
    book = venue.books[rest.instrument]
    if rest.act == Act.UNCROSS:
        _trade_uncross(venue, book, rest, seq, events)
    else:
        elect(book, seq, events)


def add_instrument(venue: Venue, command: AddInstrument, seq: int) -> list[Event]:
    """Trade another instrument."""
    definition = command.definition
    fault: Fault | None = None
    field = definition_fault(definition)
    if field:
        fault = (RejectReason.MALFORMED, field)
    elif command.instrument != definition.id:
        fault = (RejectReason.MALFORMED, "instrument")
    elif venue.edition > 1 and (asset := rounding_fault(definition)):
        fault = (_UNSUPPORTED, f"{asset}_decimals")
    elif len(venue.books) >= INSTRUMENTS_MAX:
        fault = (RejectReason.EXCEEDS_LIMIT, "instrument")
    else:
        decimals = {definition.base: definition.base_decimals}
        decimals[definition.quote] = definition.quote_decimals
        for known in venue.instruments:
            if known.id == definition.id or known.symbol == definition.symbol:
                fault = (_UNSUPPORTED, "instrument")
            elif (
                decimals.get(known.base, known.base_decimals) != known.base_decimals
                or decimals.get(known.quote, known.quote_decimals) != known.quote_decimals
            ):
                fault = (_UNSUPPORTED, "decimals")
    if fault is not None:
        return [rejected(command, seq, fault)]
    book = OrderBook(definition, venue.timers, venue.ledger, venue.effort)
    venue.set_rules_of(book)
    venue.books[definition.id] = book
    return [InstrumentAdded(seq, command.gateway, command.request_seq, definition.id, definition)]


def set_state(venue: Venue, command: SetInstrumentState, seq: int) -> list[Event]:
    """Open or halt an instrument, or begin a call phase or another state."""
    book = venue.books.get(command.instrument)
    if book is None:
        return [rejected(command, seq, (RejectReason.UNKNOWN_SYMBOL, "instrument"))]
    if not _OPEN <= command.state <= _AUCTION:
        return [rejected(command, seq, (_UNSUPPORTED, "state"))]
    if command.state in (_OPEN, _POST_ONLY) and (book.is_crossed or book.uncrossing):
        return [rejected(command, seq, (_UNSUPPORTED, "state"))]
    if not 0 <= command.until_ns <= MAX_INT:
        return [rejected(command, seq, (RejectReason.EXCEEDS_LIMIT, "until"))]
    if command.until_ns and command.state == _OPEN:
        return [rejected(command, seq, (_UNSUPPORTED, "until"))]
    _enter_state(venue, book, command.state, command.until_ns, seq)
    events: list[Event] = [
        InstrumentStateChanged(
            seq,
            command.gateway,
            command.request_seq,
            book.instrument_id,
            book.state,
            command.until_ns,
        )
    ]
    if book.triggers is not None:
        elect(book, seq, events)
    return events


def _enter_state(venue: Venue, book: OrderBook, state: int, until_ns: int, seq: int) -> None:
    if book.until is not None:
        venue.timers.discard(*book.until)
        book.until = None
    book.state = state
    if until_ns:
        book.until = (until_ns, seq)
        venue.timers.add(until_ns, seq, book)


def uncross(venue: Venue, command: Uncross, seq: int) -> list[Event]:
    """End a call phase: one price, its trades, and then another state."""
    book = venue.books.get(command.instrument)
    if book is None:
        return [rejected(command, seq, (RejectReason.UNKNOWN_SYMBOL, "instrument"))]
    if book.state != _AUCTION or not _OPEN <= command.state <= _AUCTION:
        return [rejected(command, seq, (_UNSUPPORTED, "state"))]
    unable: list[Event] = []
    at = auction.uncross_price(book)
    while short := short_buyers(venue.ledger, book, at.price_ticks):
        for order in short:
            expire(book, order, seq, RejectReason.INSUFFICIENT_BALANCE, unable)
        at = auction.uncross_price(book)
    events: list[Event] = [
        AuctionUncrossed(
            seq, command.gateway, command.request_seq, book.instrument_id, at.price_ticks, at.lots,
            at.surplus_lots,
        ),
        *unable,
    ]  # fmt: skip
    rest = Unfinished(
        seq,
        Act.UNCROSS,
        book.instrument_id,
        price_ticks=at.price_ticks if at.lots else 0,
        state=command.state,
    )
    _trade_uncross(venue, book, rest, seq, events)
    return events


def _trade_uncross(
    venue: Venue, book: OrderBook, rest: Unfinished, seq: int, events: list[Event]
) -> None:
    """Trade at the one price, end what is left of market orders, enter the state; or as much of it
    as one number has room for."""
    is_left = rest.price_ticks > 0 and auction.allocate(
        book, rest.price_ticks, seq, events, venue.max_fills
    )
    for order in () if is_left else list(book.uncrossing.values()):
        is_left = len(events) > venue.max_fills
        if is_left:
            break
        expire(book, order, seq, RejectReason.INSUFFICIENT_LIQUIDITY, events)
    if is_left:
        venue.timers.add(AT_ONCE, rest.number, rest)
        return
    _enter_state(venue, book, rest.state, 0, seq)
    events.append(InstrumentStateChanged(seq, 0, 0, book.instrument_id, book.state))
    if book.triggers is not None:
        elect(book, seq, events)


def set_fees(venue: Venue, command: SetFees, seq: int) -> list[Event]:
    """Change the fee rates of an instrument, or of one account in it."""
    book = venue.books.get(command.instrument)
    if book is None:
        return [rejected(command, seq, (RejectReason.UNKNOWN_SYMBOL, "instrument"))]
    maker, taker = command.maker_fee_rate, command.taker_fee_rate
    account = command.account
    if command.inherit:
        if not account:
            return [rejected(command, seq, (_UNSUPPORTED, "account"))]
        maker, taker = book.maker_fee_rate, book.taker_fee_rate
    for rate, field in ((maker, "maker_fee_rate"), (taker, "taker_fee_rate")):
        if abs(rate) > FEE_RATE_MAX:
            return [rejected(command, seq, (RejectReason.EXCEEDS_LIMIT, field))]
    if maker + taker < 0:
        return [rejected(command, seq, (_UNSUPPORTED, "maker_fee_rate"))]
    if venue.edition > 1 and not command.inherit:
        charged = replace(book.instrument, maker_fee_rate=maker, taker_fee_rate=taker)
        asset = rounding_fault(charged)
        if asset and not rounding_fault(book.instrument):
            return [rejected(command, seq, (_UNSUPPORTED, f"{asset}_decimals"))]
    if command.inherit:
        book.own_fees.pop(account, None)
    elif account:
        book.own_fees[account] = (maker, taker)
    else:
        book.configure(replace(book.instrument, maker_fee_rate=maker, taker_fee_rate=taker))
    return [
        FeesChanged(
            seq, command.gateway, command.request_seq, account, book.instrument_id, maker, taker,
            command.inherit,
        )
    ]  # fmt: skip


def adjust_balance(venue: Venue, command: AdjustBalance, seq: int) -> list[Event]:
    """Pay in or out, once for each transfer id."""
    fault = _adjustment_fault(venue, command)
    if fault is not None:
        return [rejected(command, seq, fault)]
    ledger = venue.ledger
    assert ledger is not None, "there are no accounts"
    account = venue.account(command.account)
    opened: list[Event] = []
    if not account.opened:
        opened.append(AccountOpened(seq, account.account_id, ledger.open(account)))
    balance = ledger.adjust(account, command.asset, command.amount)
    venue.transfers[command.transfer_id] = None
    if len(venue.transfers) > TRANSFERS_REMEMBERED:
        del venue.transfers[next(iter(venue.transfers))]
    return [
        BalanceAdjusted(
            seq, command.gateway, command.request_seq, command.account, command.asset,
            command.amount, balance, command.transfer_id,
        ),
        *opened,
    ]  # fmt: skip


def _adjustment_fault(venue: Venue, command: AdjustBalance) -> Fault | None:
    ledger = venue.ledger
    if ledger is None:
        return (_UNSUPPORTED, "account")
    if not FEE_ACCOUNT <= command.account <= MAX_ACCOUNT:
        return (RejectReason.EXCEEDS_LIMIT, "account")
    assets = {asset for known in venue.instruments for asset in (known.base, known.quote)}
    if command.asset not in assets:
        return (RejectReason.UNKNOWN_SYMBOL, "asset")
    if not 0 < len(command.transfer_id) <= MAX_CLIENT_ORDER_ID:
        return (RejectReason.MALFORMED, "transfer_id")
    if not command.amount:
        return (RejectReason.MALFORMED, "amount")
    if command.transfer_id in venue.transfers:
        return (RejectReason.DUPLICATE_TRANSFER, "transfer_id")
    account = venue.accounts.get(command.account) or Account(command.account)
    return ledger.adjustment_fault(account, command.asset, command.amount)
