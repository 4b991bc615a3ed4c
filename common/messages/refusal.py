"""Sentences about refused commands that name the value and the limit.

The matcher answers with a reason and a field. The sender still has the command and the instrument,
so it writes the sentence: the gateway for clients, the administrator's client for acts.
"""

from typing import Final

from crossbook.common.grid import format_decimal
from crossbook.common.instruments import FEE_RATE_MAX, MAX_NOTIONAL, Instrument
from crossbook.common.keys import (
    KEYS_MAX,
    KEYS_PER_ACCOUNT_MAX,
    KEYS_WITHOUT_ACCOUNT_MAX,
    OVERLAP_MAX_NS,
    key_faults,
)
from crossbook.common.messages.commands import (
    AddInstrument,
    AdjustBalance,
    AmendOrder,
    CancelOrder,
    Command,
    CreateKey,
    DeleteKey,
    KeyAct,
    NewOrder,
    RotateKey,
    SetCancelAfter,
    SetFees,
    SetInstrumentState,
    SetKeyEnabled,
    Uncross,
)
from crossbook.common.messages.events import CommandRejected
from crossbook.common.rounding import ROUNDING_PERCENT_MAX
from crossbook.common.rules import (
    BALANCE_MAX,
    CANCEL_AFTER_MAX_NS,
    ICEBERG_SLICES_MAX,
    INSTRUMENTS_MAX,
    NO_RULES,
    Rules,
)
from crossbook.common.times import DAY_NS
from crossbook.common.types import MAX_ACCOUNT, MAX_CLIENT_ORDER_ID, RejectReason, Side

_PERCENT_DECIMALS: Final = 4
_DECIMALS: Final = {"base_decimals": "base", "quote_decimals": "quote"}
_SECOND_NS: Final = 1_000_000_000

_REASON_TEXT: Final[dict[int, str]] = {
    RejectReason.UNKNOWN_SYMBOL: "no such instrument",
    RejectReason.EXCEEDS_LIMIT: "above the limit",
    RejectReason.UNKNOWN_ORDER: "no such open order",
    RejectReason.DUPLICATE_CLIENT_ORDER_ID: "an open order of this account has this id",
    RejectReason.UNSUPPORTED_COMBINATION: "not allowed with the other fields",
    RejectReason.BAD_TICK: "must be at least one tick",
    RejectReason.BAD_LOT: "below the instrument's minimum quantity",
    RejectReason.MIN_NOTIONAL: "price times quantity is below the instrument's minimum",
    RejectReason.MALFORMED: "not a valid value",
    RejectReason.MARKET_HALTED: "the instrument accepts no such order in its present state",
    RejectReason.INSUFFICIENT_BALANCE: "the account has too little available",
    RejectReason.POST_ONLY_WOULD_TAKE: "it would trade at once",
    RejectReason.STOP_WOULD_TRIGGER: "the last price has reached it already",
    RejectReason.TOO_LATE: "this time has passed",
    RejectReason.BUSY: "no more named orders can be remembered now: try again later",
    RejectReason.LEVEL_FULL: "as many orders stand at this price as may",
    RejectReason.DUPLICATE_TRANSFER: "a transfer with this name was made before",
    RejectReason.FORBIDDEN: "the key does not permit it",
    RejectReason.UNKNOWN_KEY: "no such key",
    RejectReason.DUPLICATE_KEY: "a key with this id exists",
}


_ACT_TEXT: Final[dict[tuple[type, int, str], str]] = {
    (AmendOrder, RejectReason.MALFORMED, "price"): "give a price or a quantity",
    (AmendOrder, RejectReason.MALFORMED, "quantity"): "give a price or a quantity",
    (
        AdjustBalance,
        RejectReason.UNSUPPORTED_COMBINATION,
        "account",
    ): "the exchange keeps no accounts (ACCOUNTS=off)",
    (
        AdjustBalance,
        RejectReason.MALFORMED,
        "transfer_id",
    ): f"the name of a transfer has 1 to {MAX_CLIENT_ORDER_ID} characters",
    (AdjustBalance, RejectReason.MALFORMED, "amount"): "the amount is zero",
    (AdjustBalance, RejectReason.UNKNOWN_SYMBOL, "asset"): "no instrument here has this asset",
    (
        AddInstrument,
        RejectReason.UNSUPPORTED_COMBINATION,
        "instrument",
    ): "an instrument of this id or this symbol is traded already",
    (
        AddInstrument,
        RejectReason.UNSUPPORTED_COMBINATION,
        "decimals",
    ): "another instrument gives one of its assets other decimals",
    (
        SetInstrumentState,
        RejectReason.UNSUPPORTED_COMBINATION,
        "state",
    ): "the book is crossed, or being uncrossed: uncross it first",
    (
        SetInstrumentState,
        RejectReason.UNSUPPORTED_COMBINATION,
        "until",
    ): "the state open has no end time",
    (
        Uncross,
        RejectReason.UNSUPPORTED_COMBINATION,
        "state",
    ): "only an instrument in its auction is uncrossed",
    (
        SetFees,
        RejectReason.UNSUPPORTED_COMBINATION,
        "maker_fee_rate",
    ): "maker and taker fee together are below zero",
    (
        SetFees,
        RejectReason.UNSUPPORTED_COMBINATION,
        "account",
    ): "only an account's own rates can be removed",
}
"""Texts of refusals that have one cause in one kind of command."""


def refusal_text(
    event: CommandRejected,
    command: Command,
    instrument: Instrument | None = None,
    rules: Rules = NO_RULES,
) -> str:
    """The sentence about a refusal.

    `instrument` is the command's, None where it is not known; `rules` are the venue's, zero where
    they are not known.
    """
    reason, field = event.reason, event.field
    text = ""
    known = _ACT_TEXT.get((type(command), reason, field))
    if known is not None:
        return known
    if isinstance(command, CancelOrder | AmendOrder) and reason == RejectReason.UNKNOWN_ORDER:
        named = command.client_order_id if not command.order_id else str(command.order_id)
        text = f"the account has no open order {named} in this instrument"
    elif reason == RejectReason.DUPLICATE_CLIENT_ORDER_ID:
        text = f"an open order of this account has the id {event.client_order_id!r}"
    elif field == "account" and isinstance(command, NewOrder) and rules.max_open_orders:
        text = f"an account may have {rules.max_open_orders} open orders, and this one has as many"
    elif reason == RejectReason.LEVEL_FULL and rules.max_level_orders:
        text = _level_text(field, command, instrument, rules.max_level_orders)
    elif isinstance(command, NewOrder | AmendOrder):
        if instrument is not None:
            text = _order_text(reason, field, command, instrument)
    elif isinstance(command, CreateKey | SetKeyEnabled | RotateKey | DeleteKey):
        text = _key_text(reason, field, command)
    else:
        text = _act_text(reason, field, command)
    return text or _REASON_TEXT.get(reason, "refused")


def _level_text(field: str, command: Command, instrument: Instrument | None, most: int) -> str:
    """The sentence about a price, or a call phase, that has as many orders as it may."""
    if field == "price" and isinstance(command, NewOrder | AmendOrder) and instrument is not None:
        price = instrument.price_text(command.price_ticks)
        return f"{most} orders stand at {price}, as many as may stand at one price"
    return f"{most} market orders wait for the uncross, as many as may stand at one price"


def _order_text(
    reason: int, field: str, command: NewOrder | AmendOrder, instrument: Instrument
) -> str:
    """The sentence about a value of an order or amend that is out of range; empty if none is."""
    if reason == RejectReason.INSUFFICIENT_BALANCE:
        return _balance_text(command, instrument)
    if field in ("price", "stop_price"):
        ticks = command.price_ticks if field == "price" else _trigger_ticks(command)
        given = _given(ticks, instrument.price_text(ticks), f"a {field}")
        if reason == RejectReason.BAD_TICK:
            least = instrument.price_text(instrument.min_price_ticks)
            return f"{given} is below the lowest of {instrument.symbol}, {least}"
        if reason == RejectReason.EXCEEDS_LIMIT:
            most = instrument.price_text(instrument.max_price_ticks)
            return f"{given} is above the highest of {instrument.symbol}, {most}"
        if reason == RejectReason.STOP_WOULD_TRIGGER:
            return f"the last price has reached {given} already"
    elif field == "quantity":
        return _quantity_text(reason, command, instrument)
    elif field == "display_quantity":
        return _display_text(reason, command, instrument)
    elif field == "quote_amount" and isinstance(command, NewOrder):
        return _notional_text(reason, command.quote_amount, "", instrument)
    return ""


def _quantity_text(reason: int, command: NewOrder | AmendOrder, instrument: Instrument) -> str:
    lots, ticks = command.quantity_lots, command.price_ticks
    given = _given(lots, instrument.quantity_text(lots), "a quantity")
    if reason == RejectReason.BAD_LOT:
        least = _lots(instrument, instrument.min_quantity_lots)
        return f"{given} is below the smallest of {instrument.symbol}, {least}"
    if reason == RejectReason.EXCEEDS_LIMIT and lots > instrument.max_quantity_lots:
        most = _lots(instrument, instrument.max_quantity_lots)
        return f"{given} is above the largest of {instrument.symbol}, {most}"
    if reason in (RejectReason.EXCEEDS_LIMIT, RejectReason.MIN_NOTIONAL):
        notional = ticks * lots * instrument.notional_per_tick_lot
        return _notional_text(reason, notional, "price times quantity", instrument)
    return ""


def _notional_text(reason: int, units: int, subject: str, instrument: Instrument) -> str:
    """The sentence about a value in the quote asset; `units` is zero where it is not known."""

    def money(amount: int) -> str:
        return f"{instrument.grid.quote.text(amount)} {instrument.quote}"

    given = subject
    if units:
        given = f"{subject}, {money(units)}," if subject else money(units)
    if reason == RejectReason.MIN_NOTIONAL:
        least = money(instrument.min_notional)
        return f"{given} is below the smallest of {instrument.symbol}, {least}"
    if reason == RejectReason.EXCEEDS_LIMIT:
        most = money(min(MAX_NOTIONAL, instrument.max_notional))
        return f"{given} is above the largest of {instrument.symbol}, {most}"
    return ""


def _display_text(reason: int, command: NewOrder | AmendOrder, instrument: Instrument) -> str:
    lots = 0
    if isinstance(command, NewOrder) and command.instructions is not None:
        lots = command.instructions.display_lots
    given = _given(lots, instrument.quantity_text(lots), "a display quantity")
    if reason == RejectReason.BAD_LOT:
        least = _lots(instrument, instrument.min_quantity_lots)
        return f"{given} is below the smallest quantity of {instrument.symbol}, {least}"
    if reason == RejectReason.EXCEEDS_LIMIT and lots > command.quantity_lots > 0:
        return f"{given} is above the whole quantity, {_lots(instrument, command.quantity_lots)}"
    if reason == RejectReason.EXCEEDS_LIMIT:
        whole = _given(
            command.quantity_lots, _lots(instrument, command.quantity_lots), "a quantity"
        )
        return f"{whole} is above {ICEBERG_SLICES_MAX} times the display quantity"
    return ""


def _balance_text(command: NewOrder | AmendOrder, instrument: Instrument) -> str:
    """The sentence about the asset that is short: either one for an amend, which has no side."""
    if not isinstance(command, NewOrder):
        return f"the account has too little {instrument.base} or {instrument.quote} available"
    asset = instrument.quote if command.side == Side.BUY else instrument.base
    return f"the account has too little {asset} available"


def _act_text(reason: int, field: str, command: Command) -> str:
    """The sentence about an administrator's act or a timer; empty if the value has no limit."""
    if reason == RejectReason.INSUFFICIENT_BALANCE and isinstance(command, AdjustBalance):
        return f"the account has too little {command.asset} that no open order holds"
    if reason == RejectReason.DUPLICATE_TRANSFER and isinstance(command, AdjustBalance):
        return f"the transfer {command.transfer_id!r} was made before"
    if reason == RejectReason.UNSUPPORTED_COMBINATION and field in _DECIMALS:
        return (
            f"rounding a fee up to a whole unit of the {_DECIMALS[field]} asset may take more than "
            f"{ROUNDING_PERCENT_MAX} % of the smallest fill: the asset needs more decimals"
        )
    if reason != RejectReason.EXCEEDS_LIMIT:
        return ""
    if isinstance(command, AdjustBalance):
        if field == "account":
            return f"{command.account} is not within 0 to {MAX_ACCOUNT}"
        return (
            f"a deposit may bring an account to {BALANCE_MAX} of the smallest unit of "
            f"{command.asset}, and {command.amount} more would exceed that"
        )
    if isinstance(command, SetFees):
        rate = command.maker_fee_rate if field == "maker_fee_rate" else command.taker_fee_rate
        most = format_decimal(FEE_RATE_MAX, _PERCENT_DECIMALS)
        return f"{format_decimal(rate, _PERCENT_DECIMALS)} percent is beyond {most}"
    if isinstance(command, SetCancelAfter):
        most_s = CANCEL_AFTER_MAX_NS // _SECOND_NS
        return f"{command.timeout_ns / _SECOND_NS:g} s is not within 0 to {most_s}"
    if field == "instrument":
        return f"a matcher has at most {INSTRUMENTS_MAX} instruments"
    return ""


def _key_text(reason: int, field: str, command: KeyAct) -> str:
    """The sentence about an act on an API key; it never has a secret."""
    if field == "shard":
        return "keys are kept by the matcher of shard 0"
    key_id = command.key.key_id if isinstance(command, CreateKey) else command.key_id
    if reason == RejectReason.UNKNOWN_KEY:
        return f"there is no key {key_id[:80]!r}"
    if reason == RejectReason.DUPLICATE_KEY:
        if field == "key_id":
            return f"there is a key {key_id!r} already"
        return "another key has this public key"
    if field == "overlap":
        return f"an overlap is 0 to {OVERLAP_MAX_NS // DAY_NS} days"
    if field == "material" and isinstance(command, RotateKey):
        return "the new secret or public key is that of another scheme, or the present one"
    if not isinstance(command, CreateKey):
        return ""
    key = command.key
    if reason == RejectReason.EXCEEDS_LIMIT and field == "key_id":
        return f"an exchange has at most {KEYS_MAX} keys"
    if reason == RejectReason.EXCEEDS_LIMIT and field == "account":
        if key.account:
            return f"account {key.account} has {KEYS_PER_ACCOUNT_MAX} keys, as many as it may have"
        return f"there are {KEYS_WITHOUT_ACCOUNT_MAX} keys without an account, as many as may be"
    return next((why for name, why in key_faults(key) if name == field), "")


def _trigger_ticks(command: NewOrder | AmendOrder) -> int:
    if isinstance(command, AmendOrder):
        return command.trigger_ticks
    return command.instructions.trigger_ticks if command.instructions is not None else 0


def _lots(instrument: Instrument, lots: int) -> str:
    return f"{instrument.quantity_text(lots)} {instrument.base}"


def _given(value: int, text: str, name: str) -> str:
    """The given value, or a phrase for a missing one."""
    return text if value else f"{name} that is not given"
