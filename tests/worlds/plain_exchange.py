"""The exchange's messages to a replay, from the plainest book: answers, trades, L3 changes."""

from msgspec import Struct

from crossbook.common.messages import entry, feed
from crossbook.common.types import ExecutionKind, Liquidity, OrderStatus, RejectReason
from crossbook.replay.plain_book import PlainBook
from crossbook.replay.recording import RecordedCommand

FIRST_SEQ = 500
"""Sequence number of the first command, so that no id is equal to a recorded one by chance."""


class Outcome(Struct):
    """All messages that follow from one command."""

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
            reject = entry.Reject(0, RejectReason.UNKNOWN_ORDER, "order_id", "", "", self._seq)
            return Outcome(reject, [], [], [])
        if command.op in ("new", "exec"):
            self._order_id[command.order_id] = self._seq
        fills = self._book.apply(command)
        after = {order[2]: order for order in self._book.orders()}
        order_id = self._order_id[command.order_id]
        outcome = Outcome(entry.Ack(0, self._seq, order_id, OrderStatus.NEW, "", 0, 0), [], [], [])
        for fill in fills:
            self._trade_id += 1
            trade = feed.Trade(
                self._seq, self._trade_id, fill.price_ticks, fill.quantity_lots, command.side,
                self._order_id[fill.maker_id], order_id, 0,
            )  # fmt: skip
            outcome.trades.append(trade)
            outcome.executions.append(_taker_fill(trade))
        for recorded_id in [*before, *(after.keys() - before.keys())]:
            if before.get(recorded_id) == after.get(recorded_id):
                continue
            side, price, _, _ = before.get(recorded_id) or after[recorded_id]
            lots = after[recorded_id][3] if recorded_id in after else 0
            outcome.changes.append(
                feed.OrderChange(self._seq, self._order_id[recorded_id], side, price, lots)
            )
        return outcome


def _taker_fill(trade: feed.Trade) -> entry.Execution:
    return entry.Execution(
        0, trade.seq, "S", trade.taker_order_id, "", ExecutionKind.FILL, OrderStatus.FILLED,
        trade.aggressor_side, trade.price_ticks, trade.quantity_lots, 0, 0, 0,
        trade.trade_id, Liquidity.TAKER,
    )  # fmt: skip
