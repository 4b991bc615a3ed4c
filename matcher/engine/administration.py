"""What is done to the venue rather than on it: configuration, time, and an administrator's acts.

Each is a numbered command like any other, validated whole before anything changes.
"""

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from crossbook.common.errors import ConfigError
from crossbook.common.instruments import FEE_RATE_MAX, Instrument, check_change, definition_fault
from crossbook.common.messages.commands import (
    AddInstrument,
    AdjustBalance,
    SetCancelAfter,
    SetFees,
    SetInstrumentState,
    Uncross,
)
from crossbook.common.messages.events import (
    AccountOpened,
    AuctionUncrossed,
    BalanceAdjusted,
    CancelAfterSet,
    Event,
    FeesChanged,
    InstrumentAdded,
    InstrumentStateChanged,
    TimeAdvanced,
)
from crossbook.common.rounding import rounding_fault
from crossbook.common.rules import CANCEL_AFTER_MAX_NS, FEE_ACCOUNT, INSTRUMENTS_MAX, Rules
from crossbook.common.types import MAX_CLIENT_ORDER_ID, MAX_INT, InstrumentState, RejectReason
from crossbook.matcher.engine import auction
from crossbook.matcher.engine.accounts import Ledger
from crossbook.matcher.engine.answers import Fault, rejected
from crossbook.matcher.engine.book import OrderBook
from crossbook.matcher.engine.dedupe import retry_limits
from crossbook.matcher.engine.election import elect
from crossbook.matcher.engine.funds import shortest_buyer
from crossbook.matcher.engine.order import Account, Order

if TYPE_CHECKING:
    from crossbook.matcher.engine.engine import Engine

TRANSFERS_REMEMBERED: Final = 65_536
"""Transfers whose repeat is refused, the latest ones. A constant, as the same journal must replay
alike everywhere."""

_UNSUPPORTED: Final = RejectReason.UNSUPPORTED_COMBINATION
_OPEN: Final = int(InstrumentState.OPEN)
_POST_ONLY: Final = int(InstrumentState.POST_ONLY)
_AUCTION: Final = int(InstrumentState.AUCTION)


def configure(
    engine: "Engine", instruments: list[Instrument], rules: Rules | None, edition: int
) -> None:
    """See `Engine.configure`."""
    rules = engine.rules if rules is None else rules
    wanted = {instrument.id: instrument for instrument in instruments}
    for instrument_id in engine.configured:
        check_change(engine.books[instrument_id].instrument, wanted.get(instrument_id))
    for instrument_id, book in engine.books.items():
        if instrument_id in wanted:
            check_change(book.instrument, wanted[instrument_id])
    if rules.accounts != engine.rules.accounts and any(
        account.orders for account in engine.accounts.values()
    ):
        was, to_be = ("on", "off") if engine.rules.accounts else ("off", "on")
        raise ConfigError(
            f"ACCOUNTS was {was} when the open orders were recorded and may not become {to_be} "
            "before they have ended; set it back, or start with another DATA_DIR"
        )
    added = [
        OrderBook(instrument, engine.timers, None)
        for instrument_id, instrument in wanted.items()
        if instrument_id not in engine.books
    ]
    for instrument_id, book in engine.books.items():
        if wanted.get(instrument_id, book.instrument) != engine.configured.get(instrument_id):
            book.configure(wanted.get(instrument_id, book.instrument))
    for book in added:
        engine.books[book.instrument_id] = book
    engine.configured = wanted
    if edition != engine.edition:
        engine.edition = edition
        engine.retries = engine.retries.under(*retry_limits(edition))
    _apply_rules(engine, rules)


def _apply_rules(engine: "Engine", rules: Rules) -> None:
    engine.rules = rules
    if not rules.accounts:
        engine.ledger = None
    elif engine.ledger is None:
        engine.ledger = Ledger(rules, engine.accounts)
    else:
        engine.ledger.rules = rules
    if engine.ledger is not None:
        engine.ledger.edition = engine.edition
    for book in engine.books.values():
        book.ledger = engine.ledger
        book.edition = engine.edition
    engine.is_bounded = rules.accounts or rules.max_open_orders > 0


def advance(engine: "Engine", time_ns: int) -> list[Event]:
    """Let happen what is due, in the order of (time, number), as a number of its own."""
    engine.seq = seq = engine.seq + 1
    events: list[Event] = [TimeAdvanced(seq, time_ns)]
    timers = engine.timers
    while timers.due_ns <= time_ns:
        whose = timers.pop()
        if isinstance(whose, Order):
            book = engine.books[whose.instrument]
            engine.expire(whose, book, seq, RejectReason.EXPIRE_TIME, events)
        elif isinstance(whose, Account):
            whose.deadline = None
            engine.cancel_all(list(whose.orders.values()), seq, RejectReason.CANCEL_AFTER, events)
        else:
            whose.until = None
            is_open = not (whose.is_crossed or whose.uncrossing)
            whose.state = _OPEN if is_open else _AUCTION
            events.append(InstrumentStateChanged(seq, 0, 0, whose.instrument_id, whose.state))
            if is_open and whose.triggers is not None:
                elect(engine, whose, seq, events)
    return events


def cancel_after(engine: "Engine", command: SetCancelAfter, seq: int, time_ns: int) -> list[Event]:
    """Start, renew or call off an account's dead-man timer."""
    if not 0 <= command.timeout_ns <= CANCEL_AFTER_MAX_NS:
        return [rejected(command, seq, (RejectReason.EXCEEDS_LIMIT, "timeout"))]
    account = engine.accounts.get(command.account)
    if account is not None and account.deadline is not None:
        engine.timers.discard(*account.deadline)
        account.deadline = None
    deadline_ns = 0
    if command.timeout_ns:
        if account is None:
            account = engine.accounts[command.account] = Account(command.account)
        deadline_ns = time_ns + command.timeout_ns
        account.deadline = (deadline_ns, seq)
        engine.timers.add(deadline_ns, seq, account)
    return [CancelAfterSet(seq, command.gateway, command.request_seq, command.account, deadline_ns)]


def add_instrument(engine: "Engine", command: AddInstrument, seq: int) -> list[Event]:
    """Trade another instrument."""
    definition = command.definition
    fault: Fault | None = None
    field = definition_fault(definition)
    if field:
        fault = (RejectReason.MALFORMED, field)
    elif command.instrument != definition.id:
        fault = (RejectReason.MALFORMED, "instrument")
    elif engine.edition > 1 and (asset := rounding_fault(definition)):
        fault = (_UNSUPPORTED, f"{asset}_decimals")
    elif len(engine.books) >= INSTRUMENTS_MAX:
        fault = (RejectReason.EXCEEDS_LIMIT, "instrument")
    else:
        decimals = {definition.base: definition.base_decimals}
        decimals[definition.quote] = definition.quote_decimals
        for known in engine.instruments:
            if known.id == definition.id or known.symbol == definition.symbol:
                fault = (_UNSUPPORTED, "instrument")
            elif (
                decimals.get(known.base, known.base_decimals) != known.base_decimals
                or decimals.get(known.quote, known.quote_decimals) != known.quote_decimals
            ):
                fault = (_UNSUPPORTED, "decimals")
    if fault is not None:
        return [rejected(command, seq, fault)]
    book = OrderBook(definition, engine.timers, engine.ledger)
    book.edition = engine.edition
    engine.books[definition.id] = book
    return [InstrumentAdded(seq, command.gateway, command.request_seq, definition.id, definition)]


def set_state(engine: "Engine", command: SetInstrumentState, seq: int) -> list[Event]:
    """Halt an instrument, open it, let it gather orders."""
    book = engine.books.get(command.instrument)
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
    _enter_state(engine, book, command.state, command.until_ns, seq)
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
        elect(engine, book, seq, events)
    return events


def _enter_state(engine: "Engine", book: OrderBook, state: int, until_ns: int, seq: int) -> None:
    if book.until is not None:
        engine.timers.discard(*book.until)
        book.until = None
    book.state = state
    if until_ns:
        book.until = (until_ns, seq)
        engine.timers.add(until_ns, seq, book)


def uncross(engine: "Engine", command: Uncross, seq: int) -> list[Event]:
    """End a call phase: one price, its trades, and then another state."""
    book = engine.books.get(command.instrument)
    if book is None:
        return [rejected(command, seq, (RejectReason.UNKNOWN_SYMBOL, "instrument"))]
    if book.state != _AUCTION or not _OPEN <= command.state <= _AUCTION:
        return [rejected(command, seq, (_UNSUPPORTED, "state"))]
    unable: list[Event] = []
    at = auction.uncross_price(book)
    while (poor := shortest_buyer(engine.ledger, book, at.price_ticks)) is not None:
        engine.expire(poor, book, seq, RejectReason.INSUFFICIENT_BALANCE, unable)
        at = auction.uncross_price(book)
    events: list[Event] = [
        AuctionUncrossed(
            seq, command.gateway, command.request_seq, book.instrument_id, at.price_ticks, at.lots,
            at.surplus_lots,
        ),
        *unable,
    ]  # fmt: skip
    if at.lots:
        auction.allocate(book, at, seq, events)
    for order in list(book.uncrossing.values()):
        engine.expire(order, book, seq, RejectReason.INSUFFICIENT_LIQUIDITY, events)
    _enter_state(engine, book, command.state, 0, seq)
    events.append(InstrumentStateChanged(seq, 0, 0, book.instrument_id, book.state))
    if book.triggers is not None:
        elect(engine, book, seq, events)
    return events


def set_fees(engine: "Engine", command: SetFees, seq: int) -> list[Event]:
    """Other rates for an instrument, or for one account in it."""
    book = engine.books.get(command.instrument)
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
    if engine.edition > 1 and not command.inherit:
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


def adjust_balance(engine: "Engine", command: AdjustBalance, seq: int) -> list[Event]:
    """Pay in or out, once for each transfer id."""
    fault = _adjustment_fault(engine, command)
    if fault is not None:
        return [rejected(command, seq, fault)]
    ledger = engine.ledger
    assert ledger is not None, "there are no accounts"
    account = engine.accounts.get(command.account)
    if account is None:
        account = engine.accounts[command.account] = Account(command.account)
    opened: list[Event] = []
    if not account.opened:
        opened.append(AccountOpened(seq, account.account_id, ledger.open(account)))
    balance = ledger.adjust(account, command.asset, command.amount)
    engine.transfers[command.transfer_id] = None
    if len(engine.transfers) > TRANSFERS_REMEMBERED:
        del engine.transfers[next(iter(engine.transfers))]
    return [
        BalanceAdjusted(
            seq, command.gateway, command.request_seq, command.account, command.asset,
            command.amount, balance, command.transfer_id,
        ),
        *opened,
    ]  # fmt: skip


def _adjustment_fault(engine: "Engine", command: AdjustBalance) -> Fault | None:
    ledger = engine.ledger
    if ledger is None:
        return (_UNSUPPORTED, "account")
    if not FEE_ACCOUNT <= command.account < 2**31:
        return (RejectReason.EXCEEDS_LIMIT, "account")
    assets = {asset for known in engine.instruments for asset in (known.base, known.quote)}
    if command.asset not in assets:
        return (RejectReason.UNKNOWN_SYMBOL, "asset")
    if not 0 < len(command.transfer_id) <= MAX_CLIENT_ORDER_ID:
        return (RejectReason.MALFORMED, "transfer_id")
    if not command.amount:
        return (RejectReason.MALFORMED, "amount")
    if command.transfer_id in engine.transfers:
        return (RejectReason.DUPLICATE_TRANSFER, "transfer_id")
    account = engine.accounts.get(command.account) or Account(command.account)
    return ledger.adjustment_fault(account, command.asset, command.amount)
