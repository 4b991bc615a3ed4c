"""The messages of an exchange to a replay, made from the plainest book: answers, trades, L3
changes."""

from msgspec import Struct

from crossbook.common.messages import entry, feed
from crossbook.common.types import ExecutionKind, Liquidity, OrderStatus, RejectReason
from crossbook.replay.plain_book import PlainBook
from crossbook.replay.recording import RecordedCommand

FIRST_SEQ = 500
"""Sequence number of the first command, so that no id is equal to a recorded one by chance."""


class Outcome(Struct):
    """All messages that one command leads to."""

    answer: entry.Ack | entry.Reject
    executions: list[entry.Execution]
    trades: list[feed.Trade]
    changes: list[feed.OrderChange]


class PlainExchange:
    """Applies recorded commands and reports like the gateway and the publisher."""

    def __init__(self) -> None:
        self._book = PlainBook()
        self._seq = FIRST_SEQ - 1
        self._trade_id = 0
        self._order_id: dict[int, int] = {}

    def apply(self, command: RecordedCommand) -> Outcome:
        self._seq += 1
        before = {order[2]: order for order in self._book.orders()}
        if command.op in ("cancel", "reduce") and command.order_id not in before:
            reject = entry.Reject(
                request_seq=0, reason=RejectReason.UNKNOWN_ORDER, field="order_id", text="",
                client_order_id="", seq=self._seq,
            )  # fmt: skip
            return Outcome(reject, [], [], [])
        if command.op in ("new", "exec"):
            self._order_id[command.order_id] = self._seq
        fills = self._book.apply(command)
        after = {order[2]: order for order in self._book.orders()}
        order_id = self._order_id[command.order_id]
        outcome = Outcome(
            entry.Ack(
                request_seq=0, seq=self._seq, order_id=order_id, status=OrderStatus.NEW,
                client_order_id="", remaining_lots=0, time_ns=0,
            ),
            [], [], [],
        )  # fmt: skip
        for fill in fills:
            self._trade_id += 1
            trade = feed.Trade(
                seq=self._seq, trade_id=self._trade_id, price_ticks=fill.price_ticks,
                quantity_lots=fill.quantity_lots, aggressor_side=command.side,
                maker_order_id=self._order_id[fill.maker_id], taker_order_id=order_id, time_ns=0,
            )  # fmt: skip
            outcome.trades.append(trade)
            outcome.executions.append(_taker_fill(trade))
        for recorded_id in [*before, *(after.keys() - before.keys())]:
            if before.get(recorded_id) == after.get(recorded_id):
                continue
            side, price, _, _ = before.get(recorded_id) or after[recorded_id]
            lots = after[recorded_id][3] if recorded_id in after else 0
            outcome.changes.append(
                feed.OrderChange(
                    seq=self._seq,
                    order_id=self._order_id[recorded_id],
                    side=side,
                    price_ticks=price,
                    shown_lots=lots,
                )
            )
        return outcome


def _taker_fill(trade: feed.Trade) -> entry.Execution:
    return entry.Execution(
        request_seq=0, seq=trade.seq, symbol="S", order_id=trade.taker_order_id, client_order_id="",
        kind=ExecutionKind.FILL, status=OrderStatus.FILLED, side=trade.aggressor_side,
        price_ticks=trade.price_ticks, quantity_lots=trade.quantity_lots, filled_lots=0,
        remaining_lots=0, time_ns=0, trade_id=trade.trade_id, liquidity=Liquidity.TAKER,
    )  # fmt: skip
