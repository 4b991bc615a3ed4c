"""The promises checked after a whole run: the clients' replies against the true history."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from crossbook.client.pending import Unanswered
from crossbook.common.instruments import FEE_SCALE, Instrument
from crossbook.common.messages.commands import (
    AmendOrder,
    CancelOrder,
    MassCancelOrders,
    NewOrder,
    SetCancelAfter,
)
from crossbook.common.messages.entry import (
    Ack,
    Amend,
    Cancel,
    CancelAfter,
    Execution,
    MassCancel,
    New,
    Reject,
)
from crossbook.common.messages.events import (
    CancelAfterSet,
    CommandRejected,
    Event,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderCompleted,
    OrderExpired,
    OrderReduced,
    OrderRepeated,
    OrdersMassCanceled,
    OrderTriggered,
    TradeExecuted,
)
from crossbook.common.types import ExecutionKind, OrderStatus, RejectReason, Side
from tests.simulation.archive import Archive, Handed
from tests.simulation.conditions import INSTRUMENTS
from tests.simulation.trader import Trader
from tests.simulation.world import require

Key = tuple[int, int, int, int]
"""An execution is identified by number, order, trade and kind."""

Report = tuple[Key, tuple[int, ...]]
"""An execution: its key, and side, price, lots, filled and open lots, fee."""

_COMMANDS = {
    New: NewOrder,
    Cancel: CancelOrder,
    Amend: AmendOrder,
    MassCancel: MassCancelOrders,
    CancelAfter: SetCancelAfter,
}
_BY_ID: dict[int, Instrument] = {instrument.id: instrument for instrument in INSTRUMENTS}


def check_history(archive: Archive, traders: Sequence[Trader], *, may_lose: bool) -> None:
    """Every reply to clients, against the events.

    With `may_lose` old segments were removed, so that answers may be lost for good.
    """
    origins = archive.check_origins()
    answers = {event.seq: event for event in archive.answers()}
    by_request = _by_request(origins, traders)
    for trader in traders:
        if trader.recovers:
            _check_outcomes(trader, answers, by_request, may_lose)
        else:
            _check_answers(trader, answers, by_request, may_lose)
        _check_wishes(trader, archive.events)
    check_conservation(archive.events)
    truth = executions(archive.events)
    for trader in traders:
        reported = truth.get(trader.account, [])
        _check_live(trader, reported)
        if trader.recovers:
            _check_handed_on(trader, reported, may_lose)
        if trader.final_complete:
            _check_final(trader, reported)
        else:
            require(may_lose, f"{trader.name}: the catch-up is incomplete")


def _by_request(
    origins: dict[int, Handed], traders: Sequence[Trader]
) -> dict[tuple[str, int], list[int]]:
    """The numbers under which each (client, request) was applied."""
    owners = {token: trader.name for trader in traders for token in trader.tokens}
    found: dict[tuple[str, int], list[int]] = {}
    for seq, handed in origins.items():
        owner = owners.get(handed.token)
        require(owner is not None, f"number {seq} comes from a session that no client had")
        assert owner is not None
        found.setdefault((owner, handed.request_seq), []).append(seq)
    return found


def _check_answers(
    trader: Trader,
    answers: dict[int, Any],
    by_request: dict[tuple[str, int], list[int]],
    may_lose: bool,
) -> None:
    """Assert that a request of a session that does not recover is sent, answered and applied
    once."""
    for number, wish in trader.wishes_sent.items():
        label = f"{trader.name}: request {number} ({type(wish.request).__name__})"
        require(number in trader.resolved, f"{label} was never resolved")
        numbers = by_request.get((trader.name, number), [])
        require(len(numbers) <= 1, f"{label} was applied as {numbers}")
        applied = numbers[0] if numbers else None
        real = [
            reply
            for reply in trader.answers.get(number, [])
            if not (isinstance(reply, Reject) and reply.reason == RejectReason.NOT_LOGGED_ON)
        ]
        require(len(real) <= 1, f"{label} was answered {len(real)} times: {real}")
        outcome = trader.resolved[number]
        if not isinstance(outcome, Unanswered) and real:
            require(outcome is real[0] or outcome == real[0], f"{label}: reported {outcome}")
        if isinstance(outcome, Unanswered) and not outcome.sent:
            require(applied is None, f"{label} was never sent, but applied as {applied}")
        for reply in real:
            if type(wish.request) in _COMMANDS:
                _check_answer(label, reply, applied, answers, may_lose)


def _check_outcomes(
    trader: Trader,
    answers: dict[int, Any],
    by_request: dict[tuple[str, int], list[int]],
    may_lose: bool,
) -> None:
    """Assert that a session that recovers may send an order again, and that the order is entered
    once."""
    for number, wish in trader.wishes_sent.items():
        label = f"{trader.name}: request {number} ({type(wish.request).__name__})"
        require(number in trader.resolved, f"{label} was never resolved")
        numbers = by_request.get((trader.name, number), [])
        done = [seq for seq in numbers if not isinstance(answers[seq], OrderRepeated)]
        again = isinstance(wish.request, New) and wish.request.client_order_id
        if not again:
            require(len(numbers) <= 1, f"{label} was applied as {numbers}")
        entered = [seq for seq in done if isinstance(answers[seq], OrderAccepted)]
        require(len(entered) <= 1, f"{label} was entered as {entered}")
        outcome = trader.resolved[number]
        if isinstance(outcome, Unanswered):
            require(outcome.sent or not numbers, f"{label} was never sent, but applied: {numbers}")
        elif type(wish.request) in _COMMANDS:
            seq = getattr(outcome, "seq", 0)
            applied = seq if seq in numbers else numbers[0] if numbers else None
            _check_answer(label, outcome, applied, answers, may_lose)


def _check_answer(
    label: str, reply: Any, applied: int | None, answers: dict[int, Any], may_lose: bool
) -> None:
    if isinstance(reply, Reject) and not reply.seq:
        if reply.reason == RejectReason.OUTCOME_UNKNOWN:
            require(may_lose, f"{label}: the outcome got lost: {reply.text}")
        else:
            require(
                applied is None, f"{label} was refused ({reply.text}), but applied as {applied}"
            )
        return
    require(reply.seq == applied, f"{label} was answered as {reply.seq}, but applied as {applied}")
    event = answers[reply.seq]
    if isinstance(reply, Reject):
        require(isinstance(event, CommandRejected), f"{label} was refused, but {event}")
        require(reply.reason == event.reason, f"{label} was refused for another reason: {event}")
        return
    require(isinstance(reply, Ack), f"{label} was answered by {reply}")
    require(reply.repeated == isinstance(event, OrderRepeated), f"{label}: {reply} for {event}")
    if isinstance(event, OrderAccepted):
        require(reply.order_id == event.seq, f"{label}: {reply} for {event}")
        require(reply.remaining_lots == event.quantity_lots, f"{label}: {reply} for {event}")
    elif isinstance(event, OrdersMassCanceled):
        require(reply.count == event.count, f"{label}: {reply} for {event}")
    elif isinstance(event, CancelAfterSet):
        require(not reply.order_id, f"{label}: {reply} for {event}")
    else:
        require(
            isinstance(event, OrderCanceled | OrderAmended | OrderRepeated)
            and reply.order_id == event.order_id,
            f"{label}: {reply} for {event}",
        )


def _check_wishes(trader: Trader, events: list[Event]) -> None:
    """Assert that an order with a client order id was entered at most once, and once if it was
    acknowledged."""
    entered = Counter(
        event.client_order_id
        for event in events
        if isinstance(event, OrderAccepted) and event.account == trader.account
    )
    for wish in trader.wishes:
        request = wish.request
        if not isinstance(request, New) or not request.client_order_id:
            continue
        coid = request.client_order_id
        acks = [outcome for outcome in wish.outcomes if isinstance(outcome, Ack)]
        require(entered[coid] <= 1, f"{coid} was entered {entered[coid]} times")
        require(len({ack.order_id for ack in acks}) <= 1, f"{coid} has several orders: {acks}")
        if acks:
            require(entered[coid] == 1, f"{coid} was acknowledged and does not exist")
        if wish.persistent:
            require(wish.settled, f"{coid} was never settled")


def executions(events: Sequence[Event]) -> dict[int, list[Report]]:
    """By account, every execution that the account must be able to receive, in order."""
    reported: dict[int, list[Report]] = {}

    def add(
        account: int, seq: int, order: int, trade: int, kind: ExecutionKind, *facts: int
    ) -> None:
        reported.setdefault(account, []).append(((seq, order, trade, int(kind)), facts))

    for event in events:
        if isinstance(event, OrderAccepted):
            lots = event.quantity_lots
            add(event.account, event.seq, event.seq, 0, ExecutionKind.NEW,
                 event.side, event.price_ticks, lots, 0, lots, 0)  # fmt: skip
        elif isinstance(event, OrderCanceled):
            add(event.account, event.seq, event.order_id, 0, ExecutionKind.CANCELED, event.side,
                 event.price_ticks, event.canceled_lots, event.filled_lots, 0, 0)  # fmt: skip
        elif isinstance(event, OrderExpired):
            add(event.account, event.seq, event.order_id, 0, ExecutionKind.EXPIRED, event.side,
                 event.price_ticks, event.expired_lots, event.filled_lots, 0, 0)  # fmt: skip
        elif isinstance(event, OrderCompleted):
            add(event.account, event.seq, event.order_id, 0, ExecutionKind.COMPLETED,
                 event.side, 0, 0, event.filled_lots, 0, 0)  # fmt: skip
        elif isinstance(event, OrderAmended):
            add(event.account, event.seq, event.order_id, 0, ExecutionKind.AMENDED,
                 event.side, event.price_ticks, event.quantity_lots, event.filled_lots,
                 event.remaining_lots, 0)  # fmt: skip
        elif isinstance(event, OrderTriggered):
            lots = event.remaining_lots
            add(event.account, event.seq, event.order_id, 0, ExecutionKind.TRIGGERED,
                 event.side, event.price_ticks, lots, 0, lots, 0)  # fmt: skip
        elif isinstance(event, OrderReduced):
            add(event.account, event.seq, event.order_id, 0, ExecutionKind.PREVENTED,
                 event.side, event.price_ticks, event.prevented_lots, event.filled_lots,
                 event.remaining_lots, 0)  # fmt: skip
        elif isinstance(event, TradeExecuted):
            _add_trade(event, add)
    return reported


def _add_trade(event: TradeExecuted, add: Any) -> None:
    instrument = _BY_ID[event.instrument]
    taker_side = event.aggressor_side
    maker_side = Side.SELL if taker_side == Side.BUY else Side.BUY
    for account, order, side, rate, filled, left in (
        (event.maker_account, event.maker_order_id, int(maker_side), instrument.maker_fee_rate,
         event.maker_filled_lots, event.maker_remaining_lots),
        (event.taker_account, event.taker_order_id, taker_side, instrument.taker_fee_rate,
         event.taker_filled_lots, event.taker_remaining_lots),
    ):  # fmt: skip
        lots, price = event.quantity_lots, event.price_ticks
        received = (
            lots * instrument.base_units_per_lot
            if side == Side.BUY
            else lots * price * instrument.notional_per_tick_lot
        )
        fee = -(-received * rate // FEE_SCALE)
        add(account, event.seq, order, event.trade_id, ExecutionKind.FILL,
             side, price, lots, filled, left, fee)  # fmt: skip


def check_conservation(events: Sequence[Event]) -> None:
    """Assert that the lots of every order are filled, open, canceled or expired, and that trade
    numbers are dense."""
    total: dict[int, int] = {}
    left: dict[int, int] = {}
    filled: Counter[int] = Counter()
    trades: Counter[int] = Counter()
    for event in events:
        if isinstance(event, OrderAccepted):
            total[event.seq] = left[event.seq] = event.quantity_lots
        elif isinstance(event, TradeExecuted):
            trades[event.instrument] += 1
            require(event.trade_id == trades[event.instrument], f"trade {event.trade_id} skips")
            for order, reported in (
                (event.maker_order_id, event.maker_filled_lots),
                (event.taker_order_id, event.taker_filled_lots),
            ):
                filled[order] += event.quantity_lots
                left[order] -= event.quantity_lots
                require(
                    filled[order] == reported,
                    f"order {order} filled {filled[order]}, reported {reported}",
                )
                require(not total[order] or left[order] >= 0, f"order {order} is overfilled")
        elif isinstance(event, OrderAmended):
            total[event.order_id] = event.quantity_lots
            left[event.order_id] = event.quantity_lots - filled[event.order_id]
            require(left[event.order_id] == event.remaining_lots, f"amend of {event.order_id}")
        elif isinstance(event, OrderReduced):
            total[event.order_id] -= event.prevented_lots
            left[event.order_id] -= event.prevented_lots
            require(total[event.order_id] == event.quantity_lots, f"total of {event.order_id}")
        elif isinstance(event, OrderCanceled):
            require(left.pop(event.order_id) == event.canceled_lots, f"cancel {event.order_id}")
        elif isinstance(event, OrderExpired) and total[event.order_id]:
            require(left.pop(event.order_id) == event.expired_lots, f"expiry {event.order_id}")


def _reported(reply: Ack | Execution) -> Report | None:
    if isinstance(reply, Execution):
        return (
            (reply.seq, reply.order_id, reply.trade_id, reply.kind),
            (reply.side, reply.price_ticks, reply.quantity_lots, reply.filled_lots,
             reply.remaining_lots, reply.fee_units),
        )  # fmt: skip
    if reply.repeated or not reply.order_id:
        return None
    kind = ExecutionKind.AMENDED
    if reply.status == OrderStatus.CANCELED:
        kind = ExecutionKind.CANCELED
    elif reply.seq == reply.order_id:
        kind = ExecutionKind.NEW
    return ((reply.seq, reply.order_id, 0, int(kind)), ())


def _check_live(trader: Trader, truth: list[Report]) -> None:
    """Assert that every report is true, and that between two holes all were sent, each once."""
    facts = dict(truth)
    for receptions in trader.receptions:
        reported = [each for each in map(_reported, receptions.replies) if each is not None]
        for key, fact in reported:
            require(key in facts, f"{trader.name} received {key}, which never happened")
            require(not fact or fact == facts[key], f"{trader.name}: {key} {fact} {facts[key]}")
        keys = [key for key, _ in reported]
        if trader.catches_up or trader.recovers or not keys:
            continue
        require(len(set(keys)) == len(keys), f"{trader.name} received a report twice")
        first, last = keys[0][0], keys[-1][0]
        expected = [key for key, _ in truth if first <= key[0] < last]
        found = [key for key in keys if key[0] < last]
        require(found == expected, f"{trader.name}: {_difference(expected, found)}")


def _check_final(trader: Trader, truth: list[Report]) -> None:
    """Assert that the final catch-up returned every execution in order, once."""
    reported = [
        each
        for start in sorted(trader.final)
        for each in map(_reported, trader.final[start])
        if each is not None
    ]
    keys = [key for key, _ in reported]
    expected = [key for key, _ in truth]
    require(keys == expected, f"{trader.name} caught up: {_difference(expected, keys)}")
    require([fact for _, fact in reported] == [fact for _, fact in truth], f"{trader.name}: facts")


def _difference(expected: list[Key], found: list[Key]) -> str:
    missing = [key for key in expected if key not in set(found)]
    extra = [key for key in found if key not in set(expected)]
    return f"missing {missing[:3]} ({len(missing)}), extra {extra[:3]} ({len(extra)})"


def _check_handed_on(trader: Trader, truth: list[Report], may_lose: bool) -> None:
    """Assert that a session that recovers delivers every execution once and in order, and reports
    holes."""
    handed = [each for each in map(_reported, trader.handed_on) if each is not None]
    keys = [key for key, _ in handed]
    require(len(set(keys)) == len(keys), f"{trader.name} was handed something twice")
    if trader.session.holes or trader.session.executions_dropped:
        return
    acks = [
        reported[0]
        for receptions in trader.receptions
        for each in receptions.replies
        if isinstance(each, Ack) and (reported := _reported(each)) is not None
    ]
    answered = set(acks)
    if trader.session.losses:
        # For the next session, an order of the lost one is an order of another session.
        keys = [key for key in keys if key not in answered]
    expected = [key for key, _ in truth if key[0] > trader.base_seq and key not in answered]
    if trader.welcomed_in_final:
        # The hole showed only in the final catch-up, whose result, and not the
        # reports handed on, then holds it.
        expected = expected[: len(keys)]
    require(keys == expected, f"{trader.name} was handed: {_difference(expected, keys)}")
