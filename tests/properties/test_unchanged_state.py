"""A refused command, a killed FOK, a retry and a request out of turn change neither the state hash
nor the timers. A refusal adds nothing to the memory of retries."""

from crossbook.common.messages.commands import AdvanceTime, Command, SetCancelAfter
from crossbook.common.messages.events import CommandRejected, Event, OrderExpired, OrderRepeated
from crossbook.common.types import RejectReason
from crossbook.matcher.engine.engine import Engine
from crossbook.matcher.recovery.snapshot import state_hash
from tests.model.reference import ReferenceMatcher
from tests.properties.generator import random_commands
from tests.properties.market import INSTRUMENTS, rules_of, venue

SEEDS = range(700, 720)

EVERY_REFUSAL = {
    ("AddInstrument", "MALFORMED", "id"),
    ("AddInstrument", "MALFORMED", "instrument"),
    ("AddInstrument", "MALFORMED", "max_price_ticks"),
    ("AddInstrument", "MALFORMED", "tick_size"),
    ("AddInstrument", "UNSUPPORTED_COMBINATION", "instrument"),
    ("AdjustBalance", "EXCEEDS_LIMIT", "account"),
    ("AdjustBalance", "EXCEEDS_LIMIT", "amount"),
    ("AdjustBalance", "INSUFFICIENT_BALANCE", "amount"),
    ("AdjustBalance", "MALFORMED", "transfer_id"),
    ("AdjustBalance", "UNKNOWN_SYMBOL", "asset"),
    ("AdjustBalance", "UNSUPPORTED_COMBINATION", "account"),
    ("AmendOrder", "BAD_LOT", "quantity"),
    ("AmendOrder", "BAD_TICK", "price"),
    ("AmendOrder", "BAD_TICK", "stop_price"),
    ("AmendOrder", "EXCEEDS_LIMIT", "price"),
    ("AmendOrder", "EXCEEDS_LIMIT", "quantity"),
    ("AmendOrder", "EXCEEDS_LIMIT", "stop_price"),
    ("AmendOrder", "INSUFFICIENT_BALANCE", "price"),
    ("AmendOrder", "INSUFFICIENT_BALANCE", "quantity"),
    ("AmendOrder", "MALFORMED", "quantity"),
    ("AmendOrder", "MARKET_HALTED", "instrument"),
    ("AmendOrder", "MIN_NOTIONAL", "quantity"),
    ("AmendOrder", "POST_ONLY_WOULD_TAKE", "price"),
    ("AmendOrder", "STOP_WOULD_TRIGGER", "stop_price"),
    ("AmendOrder", "UNKNOWN_ORDER", "client_order_id"),
    ("AmendOrder", "UNKNOWN_ORDER", "order_id"),
    ("AmendOrder", "UNSUPPORTED_COMBINATION", "price"),
    ("AmendOrder", "UNSUPPORTED_COMBINATION", "stop_price"),
    ("CancelOrder", "UNKNOWN_ORDER", "client_order_id"),
    ("CancelOrder", "UNKNOWN_ORDER", "order_id"),
    ("MassCancelOrders", "UNKNOWN_SYMBOL", "instrument"),
    ("MassCancelOrders", "UNSUPPORTED_COMBINATION", "side"),
    ("NewOrder", "BAD_LOT", "display_quantity"),
    ("NewOrder", "BAD_LOT", "quantity"),
    ("NewOrder", "BAD_TICK", "price"),
    ("NewOrder", "BAD_TICK", "stop_price"),
    ("NewOrder", "BUSY", "client_order_id"),
    ("NewOrder", "DUPLICATE_CLIENT_ORDER_ID", "client_order_id"),
    ("NewOrder", "EXCEEDS_LIMIT", "display_quantity"),
    ("NewOrder", "EXCEEDS_LIMIT", "price"),
    ("NewOrder", "EXCEEDS_LIMIT", "quantity"),
    ("NewOrder", "EXCEEDS_LIMIT", "quote_amount"),
    ("NewOrder", "EXCEEDS_LIMIT", "stop_price"),
    ("NewOrder", "INSUFFICIENT_BALANCE", "quantity"),
    ("NewOrder", "INSUFFICIENT_BALANCE", "quote_amount"),
    ("NewOrder", "MARKET_HALTED", "instrument"),
    ("NewOrder", "MIN_NOTIONAL", "quantity"),
    ("NewOrder", "MIN_NOTIONAL", "quote_amount"),
    ("NewOrder", "POST_ONLY_WOULD_TAKE", "price"),
    ("NewOrder", "STOP_WOULD_TRIGGER", "stop_price"),
    ("NewOrder", "TOO_LATE", "expire_time"),
    ("NewOrder", "UNKNOWN_SYMBOL", "instrument"),
    ("NewOrder", "UNSUPPORTED_COMBINATION", "display_quantity"),
    ("NewOrder", "UNSUPPORTED_COMBINATION", "expire_time"),
    ("NewOrder", "UNSUPPORTED_COMBINATION", "order_type"),
    ("NewOrder", "UNSUPPORTED_COMBINATION", "post_only"),
    ("NewOrder", "UNSUPPORTED_COMBINATION", "price"),
    ("NewOrder", "UNSUPPORTED_COMBINATION", "quantity"),
    ("NewOrder", "UNSUPPORTED_COMBINATION", "quote_amount"),
    ("NewOrder", "UNSUPPORTED_COMBINATION", "self_trade_prevention"),
    ("NewOrder", "UNSUPPORTED_COMBINATION", "side"),
    ("NewOrder", "UNSUPPORTED_COMBINATION", "stop_price"),
    ("NewOrder", "UNSUPPORTED_COMBINATION", "time_in_force"),
    ("SetCancelAfter", "EXCEEDS_LIMIT", "timeout"),
    ("SetFees", "EXCEEDS_LIMIT", "maker_fee_rate"),
    ("SetFees", "UNKNOWN_SYMBOL", "instrument"),
    ("SetFees", "UNSUPPORTED_COMBINATION", "maker_fee_rate"),
    ("SetInstrumentState", "EXCEEDS_LIMIT", "until"),
    ("SetInstrumentState", "UNKNOWN_SYMBOL", "instrument"),
    ("SetInstrumentState", "UNSUPPORTED_COMBINATION", "state"),
    ("SetInstrumentState", "UNSUPPORTED_COMBINATION", "until"),
    ("Uncross", "UNSUPPORTED_COMBINATION", "state"),
}


def _market(engine: Engine) -> tuple[object, ...]:
    """The state hash, the timers, and the time of the next due act."""
    return state_hash(engine), engine.timers.keys(), engine.next_due_ns


def _memory(engine: Engine) -> tuple[int, ...]:
    """The sizes of the engine's memories."""
    return len(engine.accounts), len(engine.retries), len(engine.transfers)


def test_a_refused_command_changes_nothing_for_any_reason() -> None:
    seen: set[tuple[str, str, str]] = set()
    others = {"killed": 0, "out of turn": 0, "retried": 0}
    with_timer = 0
    for seed in SEEDS:
        engine = venue(Engine, rules_of(seed))
        before, kept = _market(engine), _memory(engine)
        for command, time_ns in random_commands(seed, 2_000):
            while engine.apply(AdvanceTime(), time_ns):
                before, kept = _market(engine), _memory(engine)
            events = engine.apply(command, time_ns)
            after, keeps = _market(engine), _memory(engine)
            kind = _refusal(command, events, seen, others)
            assert not kind or after == before, f"seed {seed}: {kind} changed the state: {command}"
            if kind and kind != "a killed FOK":
                grown = [now > was for now, was in zip(keeps, kept, strict=True)]
                assert not any(grown), f"seed {seed}: {kind} is remembered: {command}"
            if kind == "a reject" and isinstance(command, SetCancelAfter):
                with_timer += engine.accounts[command.account].deadline is not None
            before, kept = after, keeps
    assert seen >= EVERY_REFUSAL
    assert with_timer > 5
    assert others["killed"] > 50
    assert others["out of turn"] > 50
    assert others["retried"] > 50


def test_a_refusal_of_the_obvious_matcher_changes_nothing_either() -> None:
    """A comparison with the engine does not show a mistake that both have."""
    refused = 0
    for seed in range(730, 734):
        reference = ReferenceMatcher(INSTRUMENTS, rules=rules_of(seed))
        before = _of_reference(reference)
        for command, time_ns in random_commands(seed, 800):
            if reference.apply(AdvanceTime(), time_ns):
                before = _of_reference(reference)
            events = reference.apply(command, time_ns)
            after = _of_reference(reference)
            if not events or isinstance(events[0], CommandRejected | OrderRepeated):
                assert after == before, f"seed {seed}: {command}"
                refused += 1
            before = after
    assert refused > 200


def _of_reference(reference: ReferenceMatcher) -> str:
    """The state of the reference, but for the numbers and events of its last command."""
    market, admin = reference.market, reference.admin
    return repr(
        (
            market.open, market.trade_ids, market.last_prices, market.states, market.own_fees,
            market.instruments, market.money.totals, market.money.opened, admin.deadlines,
            admin.halts, admin.transfers, reference.remembered,
        )
    )  # fmt: skip


def test_an_accepted_command_changes_the_state_hash() -> None:
    engine = venue(Engine)
    hashes = {state_hash(engine)}
    changes = 0
    for command, time_ns in random_commands(720, 300):
        events = engine.apply(command, time_ns)
        if _refusal(command, events, set(), {"killed": 0, "out of turn": 0, "retried": 0}):
            continue
        if engine.book_state(command.instrument or 1).bids and len(events) == 1:
            hashes.add(state_hash(engine))
            changes += 1
    assert len(hashes) > changes * 0.8


def _refusal(
    command: Command,
    events: list[Event],
    seen: set[tuple[str, str, str]],
    others: dict[str, int],
) -> str:
    """The kind of a command without effect, by its events; empty for one with an effect."""
    if not events:
        others["out of turn"] += 1
        return "a request out of turn"
    if isinstance(events[0], OrderRepeated):
        others["retried"] += 1
        return "a retry"
    if isinstance(events[0], CommandRejected):
        reason = RejectReason(events[0].reason).name
        seen.add((type(command).__name__, reason, events[0].field))
        return "a reject"
    last = events[-1]
    killed = isinstance(last, OrderExpired) and last.reason == RejectReason.FILL_OR_KILL
    if killed and len(events) == 2:
        others["killed"] += 1
        return "a killed FOK"
    return ""
