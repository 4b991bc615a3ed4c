"""The checker itself: it accepts a sound history, and reports each broken promise."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from crossbook.common.messages import entry, feed
from crossbook.common.messages.events import (
    CommandRejected,
    EventBatch,
    OrderAccepted,
    OrderCanceled,
    TradeExecuted,
)
from crossbook.common.types import ExecutionKind, RejectReason, Side
from tests.crash.history import ClientHistory, ClientRecord, PublicHistory, faults
from tests.crash.truth import Truth
from tests.worlds.desk_world import INSTRUMENTS, DeskWorld

SYMBOL = "BTC-USDT"
BUY, SELL = Side.BUY, Side.SELL


class InventedPast(DeskWorld):
    """A short history of two clients, alice (account 1) and bob (account 2)."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[EventBatch] = []
        self.clients = {"alice": ClientHistory("alice", 1), "bob": ClientHistory("bob", 2)}
        self._tokens = {
            name: self.log_on(name.encode(), client.account)
            for name, client in self.clients.items()
        }
        self._last = 0
        self._live()
        self.public = PublicHistory({SYMBOL: [public(trade) for trade in self.trades()]})

    def settle(self) -> None:
        """Settle as the parent class does, and keep every batch that the desk receives."""
        desk: Any = self.desk
        apply = desk.apply
        desk.apply = self.batches.append
        super().settle()
        desk.apply = apply
        if self.batches[-1].events:
            apply(self.batches[-1])
        else:
            self.batches.pop()

    def request(self, name: str, kind: Any, *terms: Any, **named: Any) -> Any:
        """Add one request of a client and its answer. Every client records its replies."""
        self._last += 1
        request = kind(self._last, *terms, **named)
        self.clients[name].add(0, 1, request)
        self.send(name.encode(), self._tokens[name], request)
        self.settle()
        answer = None
        for other, client in self.clients.items():
            for reply in self.replies(other.encode()):
                client.add(0, 1, reply)
                if other == name and not isinstance(reply, entry.Execution):
                    answer = reply
        return answer

    def _live(self) -> None:
        rest = self.request("alice", entry.New, SYMBOL, SELL, 5_000, 100_000, client_order_id="a1")
        self.request("bob", entry.New, SYMBOL, BUY, 2_000, 100_010, client_order_id="b1")
        self.request("bob", entry.New, SYMBOL, BUY, 2_000, 100_010, client_order_id="b1")
        self.request("bob", entry.New, SYMBOL, BUY, 9_000, 100_000, 1, 2, "b2")
        self.request("alice", entry.Cancel, SYMBOL, rest.order_id)
        bid = self.request("bob", entry.New, SYMBOL, BUY, 4_000, 99_990, client_order_id="b3")
        self.request("bob", entry.Amend, SYMBOL, bid.order_id, quantity=3_000)
        self.request("alice", entry.New, SYMBOL, SELL, 0, 0, 2, 2, "a2", 100_000_000)
        self.request("alice", entry.New, SYMBOL, SELL, 7_000, 100_500, client_order_id="a3")
        self.request("alice", entry.MassCancel)
        self.request("alice", entry.New, SYMBOL, SELL, 7_000, 100_600, client_order_id="a4")
        for client in self.clients.values():
            client.open_orders, _ = self.engine.open_orders(client.account)

    def trades(self) -> list[TradeExecuted]:
        """All trades of the stream."""
        return [e for batch in self.batches for e in batch.events if isinstance(e, TradeExecuted)]

    def judge(self) -> list[str]:
        """The faults that the checker finds."""
        truth = Truth(INSTRUMENTS)
        for batch in self.batches:
            truth.read(batch)
        return faults(self.clients.values(), truth, self.public)

    def find(self, name: str, kind: type, which: Callable[[Any], bool] = lambda _: True) -> int:
        """The place of a client's first record of such a message."""
        records = self.clients[name].records
        return next(n for n, r in enumerate(records) if isinstance(r.message, kind)
                    and which(r.message))  # fmt: skip

    def change(self, name: str, place: int, **fields: Any) -> None:
        """Change a field of a message."""
        records = self.clients[name].records
        record = records[place]
        records[place] = replace(record, message=replace(record.message, **fields))

    def happen(self, *events: Any) -> None:
        """Add one more command to the history."""
        seq = self.batches[-1].last_seq + 1
        self.batches.append(
            EventBatch(
                incarnation=1,
                first_seq=seq,
                last_seq=seq,
                time_ns=5,
                events=[replace(e, seq=seq) for e in events],
            )
        )

    def falsify(self, kind: type, **fields: Any) -> None:
        """Change a field of the first event of a kind."""
        for n, batch in enumerate(self.batches):
            for place, event in enumerate(batch.events):
                if isinstance(event, kind):
                    events: list[Any] = list(batch.events)
                    events[place] = replace(event, **fields)
                    self.batches[n] = replace(batch, events=events)
                    return


def public(trade: TradeExecuted) -> feed.Trade:
    """A trade as the public feed shows it."""
    return feed.Trade(
        seq=trade.seq,
        trade_id=trade.trade_id,
        price_ticks=trade.price_ticks,
        quantity_lots=trade.quantity_lots,
        aggressor_side=trade.aggressor_side,
        maker_order_id=trade.maker_order_id,
        taker_order_id=trade.taker_order_id,
        time_ns=5,
    )


def is_fill(message: Any) -> bool:
    """Whether an execution is a fill."""
    return bool(message.kind == ExecutionKind.FILL)


def drop_a_fill(past: InventedPast) -> None:
    del past.clients["bob"].records[past.find("bob", entry.Execution, is_fill)]


def double_a_fill(past: InventedPast) -> None:
    records = past.clients["bob"].records
    records.append(records[past.find("bob", entry.Execution, is_fill)])


def drop_an_ack(past: InventedPast) -> None:
    del past.clients["alice"].records[past.find("alice", entry.Ack)]


def double_an_ack(past: InventedPast) -> None:
    records = past.clients["alice"].records
    records.append(records[past.find("alice", entry.Ack)])


def lie_about_a_fee(past: InventedPast) -> None:
    past.change("alice", past.find("alice", entry.Execution, is_fill), fee_units=1)


def lie_about_a_price(past: InventedPast) -> None:
    past.change("bob", past.find("bob", entry.Execution, is_fill), price_ticks=100_001)


def lie_about_open_lots(past: InventedPast) -> None:
    past.change("alice", past.find("alice", entry.Ack), remaining_lots=4_999)


def lose_the_last_order(past: InventedPast) -> None:
    past.batches.pop()


def lose_an_order_and_its_trace(past: InventedPast) -> None:
    past.batches.pop()
    past.clients["alice"].open_orders = []


def enter_an_order_twice(past: InventedPast) -> None:
    past.happen(past.batches[-1].events[0])


def enter_a_refused_order(past: InventedPast) -> None:
    records = past.clients["alice"].records
    place = past.find("alice", entry.Ack, lambda ack: ack.client_order_id == "a4")
    busy = entry.Reject(
        request_seq=records[place].message.request_seq,
        reason=RejectReason.BUSY,
        field="",
        text="",
        client_order_id="a4",
    )
    records[place] = ClientRecord(0, 1, busy)


def enter_another_price(past: InventedPast) -> None:
    place = past.find("alice", entry.New, lambda new: new.client_order_id == "a4")
    past.change("alice", place, price=100_601)


def apply_an_unrequested_command(past: InventedPast) -> None:
    past.happen(
        CommandRejected(
            seq=0,
            gateway=1,
            request_seq=99,
            account=1,
            instrument=1,
            reason=RejectReason.UNKNOWN_ORDER,
            field="order_id",
        )
    )


def cancel_without_a_request(past: InventedPast) -> None:
    past.happen(
        OrderCanceled(
            seq=0,
            gateway=1,
            request_seq=99,
            account=1,
            instrument=1,
            order_id=past.engine.seq,
            side=SELL,
            price_ticks=100_600,
            canceled_lots=7_000,
            filled_lots=0,
            client_order_id="a4",
        )
    )
    past.clients["alice"].open_orders = []


def answer_two_with_one_number(past: InventedPast) -> None:
    past.clients["alice"].add(0, 1, entry.Cancel(900, SYMBOL, 1))
    place = past.find("alice", entry.Ack, lambda ack: ack.status == 4)
    ack: Any = past.clients["alice"].records[place].message
    past.clients["alice"].add(0, 1, replace(ack, request_seq=900))


def report_outcome_unknown(past: InventedPast) -> None:
    past.clients["bob"].add(0, 1, entry.Cancel(900, SYMBOL, 1))
    past.clients["bob"].add(
        0, 1, entry.Reject(request_seq=900, reason=RejectReason.OUTCOME_UNKNOWN, field="", text="")
    )


def reject_without_trace(past: InventedPast) -> None:
    past.clients["bob"].add(0, 1, entry.Cancel(900, SYMBOL, 1))
    past.clients["bob"].add(
        0,
        1,
        entry.Reject(
            request_seq=900,
            reason=RejectReason.UNKNOWN_ORDER,
            field="",
            text="",
            client_order_id="",
            seq=1,
        ),
    )


def catch_up_in_part(past: InventedPast) -> None:
    past.clients["bob"].add(0, 1, entry.CatchUp(900, 1))
    past.clients["bob"].add(
        0, 1, entry.CaughtUp(request_seq=900, from_seq=3, to_seq=9, complete=False)
    )


def forget_an_open_order(past: InventedPast) -> None:
    past.clients["alice"].open_orders = []


def charge_another_fee(past: InventedPast) -> None:
    past.falsify(TradeExecuted, taker_fee=7)


def trade_more_than_ordered(past: InventedPast) -> None:
    past.falsify(TradeExecuted, quantity_lots=2_001)


def skip_a_number(past: InventedPast) -> None:
    del past.batches[3]


def accept_another_quantity(past: InventedPast) -> None:
    past.falsify(OrderAccepted, quantity_lots=5_001)


def hide_a_public_trade(past: InventedPast) -> None:
    del past.public.trades[SYMBOL][1]


def hide_the_last_public_trade(past: InventedPast) -> None:
    past.public.trades[SYMBOL].pop()


def double_a_public_trade(past: InventedPast) -> None:
    past.public.trades[SYMBOL].insert(1, past.public.trades[SYMBOL][0])


def print_another_price(past: InventedPast) -> None:
    past.public.trades[SYMBOL][0] = replace(past.public.trades[SYMBOL][0], price_ticks=1)


@pytest.mark.parametrize(
    ("doctor", "complaint"),
    [
        (drop_a_fill, "lost: "),
        (double_a_fill, "received 2 times"),
        (drop_an_ack, "never answered"),
        (double_an_ack, "answered twice"),
        (lie_about_a_fee, "untrue: "),
        (lie_about_a_price, "maker and taker do not agree"),
        (lie_about_open_lots, "untrue: Ack"),
        (lose_the_last_order, "open orders differ"),
        (lose_an_order_and_its_trace, "acknowledged, but not in the events"),
        (enter_an_order_twice, "executed 2 times"),
        (enter_a_refused_order, "times in the events, requested 0"),
        (enter_another_price, "entered otherwise than requested"),
        (apply_an_unrequested_command, "commands in the events beyond those answered"),
        (cancel_without_a_request, "commands in the events beyond those answered"),
        (answer_two_with_one_number, "requests were answered with"),
        (report_outcome_unknown, "outcome unknown"),
        (reject_without_trace, "no such reject"),
        (catch_up_in_part, "not complete"),
        (forget_an_open_order, "open orders differ"),
        (charge_another_fee, "fees are"),
        (trade_more_than_ordered, "event stream at"),
        (skip_a_number, "after"),
        (accept_another_quantity, "event stream at"),
        (hide_a_public_trade, "holes in the public trades"),
        (hide_the_last_public_trade, "holes in the public trades"),
        (double_a_public_trade, "public trade"),
        (print_another_price, "public trade"),
    ],
)
def test_a_broken_promise_is_reported(
    doctor: Callable[[InventedPast], None], complaint: str
) -> None:
    past = InventedPast()
    doctor(past)
    found = past.judge()
    assert any(complaint in line for line in found), found


def test_a_sound_history_has_no_fault() -> None:
    past = InventedPast()
    assert past.judge() == []
    assert len(past.trades()) == 3


def test_reports_missed_by_a_lost_session_may_come_by_catching_up() -> None:
    past = InventedPast()
    bob = past.clients["bob"]
    place = past.find("bob", entry.Execution, is_fill)
    fill: Any = bob.records.pop(place).message
    bob.add(0, 2, entry.CatchUp(901, fill.seq))
    bob.add(0, 2, replace(fill, request_seq=0))
    bob.add(
        0,
        2,
        entry.CaughtUp(request_seq=901, from_seq=fill.seq, to_seq=past.engine.seq, complete=True),
    )
    assert past.judge() == []
    bob.add(0, 2, entry.CatchUp(902, fill.seq))
    bob.add(0, 2, replace(fill, request_seq=0))
    assert past.judge() == [], "an unfinished catch-up may return it again"
    bob.add(0, 2, fill)
    bob.add(0, 2, fill)
    assert "received" in past.judge()[0]


def test_public_trades_may_be_missing_only_where_a_publisher_died() -> None:
    past = InventedPast()
    hide_a_public_trade(past)
    past.public.publisher_deaths = 1
    assert past.judge() == []
