"""Makes the documents of trading from replies and records; integers become decimal text here.

`crossbook.gateway.orders.translate` does the opposite. A number that does not apply (the price of a
market order, the average of no fills) is null.
"""

from collections.abc import Iterable, Sequence
from typing import Final, Literal

from crossbook.common.grid import format_decimal
from crossbook.common.instruments import Instrument
from crossbook.common.messages.entry import Ack, Balance, Execution
from crossbook.common.messages.history_queries import FillRecord, OrderRecord
from crossbook.common.types import ExecutionKind, RejectReason, Side
from crossbook.gateway.api import documents
from crossbook.gateway.words import (
    EXECUTIONS,
    LIQUIDITIES,
    ORDER_TYPES,
    PREVENTIONS,
    SIDES,
    STATUSES,
    TIMES_IN_FORCE,
    order_id_text,
    timestamp,
)

AVERAGE_DECIMALS: Final = 4
"""Digits of an average price beyond those of a price; the last one is rounded half up."""

_AVERAGE_SCALE: Final = 10**AVERAGE_DECIMALS

_NEW: Final = int(ExecutionKind.NEW)
_FILL: Final = int(ExecutionKind.FILL)
_COMPLETED: Final = int(ExecutionKind.COMPLETED)


def average_price(instrument: Instrument, notional: int, lots: int) -> str | None:
    """The average price of `lots` that cost `notional` quote units; None without lots.

    >>> from crossbook.common.instruments import example
    >>> average_price(example(), 3 * 5000001 * example().notional_per_tick_lot, 3)
    '50000.01'
    >>> average_price(example(), (5000001 + 5000002) * example().notional_per_tick_lot, 2)
    '50000.015'
    """
    if not lots:
        return None
    axis = instrument.grid.price
    scale = axis.step * _AVERAGE_SCALE
    per_lot = instrument.notional_per_tick_lot * lots
    units = (2 * notional * scale + per_lot) // (2 * per_lot)
    text = format_decimal(units, axis.decimals + AVERAGE_DECIMALS)
    kept = len(text) - AVERAGE_DECIMALS
    return (text[:kept] + text[kept:].rstrip("0")).rstrip(".")


def quote_left_text(instrument: Instrument, execution: Execution) -> str | None:
    """The unspent part of a market order by quote amount, in the execution that ended it; None in
    every other execution.

    Only such an order completes, and only such an order expires with an amount left.
    """
    left = execution.quote_left_units
    if not left and execution.kind != _COMPLETED:
        return None
    return instrument.grid.quote.text(left)


def _unspent(instrument: Instrument, record: OrderRecord) -> str | None:
    """As `quote_left_text`, of a recorded order. One by quote amount never rests: it has ended."""
    if not record.quote_amount:
        return None
    left = record.quote_amount - record.filled_notional
    return instrument.grid.quote.text(left)


class Renderer:
    """Makes documents of orders, fills, executions and balances."""

    def __init__(self, instruments: Iterable[Instrument]) -> None:
        self.instruments = {instrument.symbol: instrument for instrument in instruments}
        self._by_id: dict[int, Instrument] = {}
        self._decimals: dict[str, int] = {}
        for instrument in list(self.instruments.values()):
            self.learn(instrument)

    def learn(self, instrument: Instrument) -> None:
        """Add an instrument, or replace one that has changed."""
        self.instruments[instrument.symbol] = self._by_id[instrument.id] = instrument
        self._decimals[instrument.base] = instrument.base_decimals
        self._decimals[instrument.quote] = instrument.quote_decimals

    def answer(
        self,
        what: Literal["accepted", "amended", "canceled"],
        symbol: str,
        ack: Ack,
        executions: Sequence[Execution] = (),
    ) -> documents.OrderAnswer:
        """The outcome of a request about one order, with the executions it caused at once."""
        instrument = self.instruments[symbol]
        grid = instrument.grid
        status, filled_lots, remaining_lots = ack.status, ack.filled_lots, ack.remaining_lots
        fills: list[documents.FillDocument] = []
        notional, quote_left = 0, None
        for execution in executions:
            if execution.order_id != ack.order_id:
                continue
            status, filled_lots, remaining_lots = (
                execution.status,
                execution.filled_lots,
                execution.remaining_lots,
            )
            if execution.kind == _FILL:
                notional += execution.price_ticks * execution.quantity_lots
                fills.append(self._executed(instrument, execution))
            else:
                quote_left = quote_left_text(instrument, execution)
        notional *= instrument.notional_per_tick_lot
        is_complete = not ack.filled_lots
        return documents.OrderAnswer(
            order_id_text(ack.order_id),
            what,
            timestamp(ack.time_ns),
            ack.client_order_id or None,
            STATUSES[status],
            grid.quantity.text(filled_lots),
            grid.quantity.text(remaining_lots),
            average_price(instrument, notional, filled_lots) if is_complete else None,
            grid.quote.text(notional) if is_complete else None,
            quote_left,
            ack.seq,
            fills if is_complete else None,
        )

    def repeated(self, record: OrderRecord, seq: int) -> documents.OrderAnswer:
        """The outcome of a repeated request: the earlier order as it is now."""
        instrument = self._by_id[record.instrument]
        grid = instrument.grid
        return documents.OrderAnswer(
            order_id_text(record.order_id),
            "accepted",
            timestamp(record.created_ns),
            record.client_order_id or None,
            STATUSES[record.status],
            grid.quantity.text(record.filled_lots),
            grid.quantity.text(record.remaining_lots),
            average_price(instrument, record.filled_notional, record.filled_lots),
            grid.quote.text(record.filled_notional),
            _unspent(instrument, record),
            seq,
            self._fills(instrument, record.fills),
        )

    def order(self, record: OrderRecord, with_fills: bool) -> documents.OrderDocument:
        """One order, with its fills where `with_fills` is true."""
        instrument = self._by_id[record.instrument]
        grid = instrument.grid
        return documents.OrderDocument(
            order_id_text(record.order_id),
            record.client_order_id or None,
            instrument.symbol,
            SIDES[record.side],
            ORDER_TYPES[record.order_type],
            TIMES_IN_FORCE[record.time_in_force],
            grid.price.text_or_none(record.price_ticks),
            grid.quantity.text_or_none(record.quantity_lots),
            grid.quote.text_or_none(record.quote_amount),
            STATUSES[record.status],
            grid.quantity.text(record.filled_lots),
            grid.quantity.text(record.remaining_lots),
            average_price(instrument, record.filled_notional, record.filled_lots),
            grid.quote.text(record.filled_notional),
            _unspent(instrument, record),
            grid.price.text_or_none(record.trigger_ticks),
            grid.quantity.text_or_none(record.display_lots),
            record.expire_ns // 1_000_000 if record.expire_ns else None,
            bool(record.post_only),
            PREVENTIONS[record.prevention],
            bool(record.working),
            RejectReason(record.reason).name if record.reason else None,
            timestamp(record.created_ns),
            timestamp(record.updated_ns),
            record.updated_seq,
            self._fills(instrument, record.fills) if with_fills else None,
        )

    def own_fill(self, record: FillRecord) -> documents.OwnFill:
        """One fill of a list."""
        instrument = self._by_id[record.instrument]
        fill = self._fills(instrument, [record])[0]
        return documents.OwnFill(
            fill.trade_id,
            fill.price,
            fill.quantity,
            fill.fee,
            fill.fee_asset,
            fill.liquidity,
            order_id_text(record.order_id),
            record.client_order_id or None,
            instrument.symbol,
            SIDES[record.side],
            timestamp(record.time_ns),
            record.seq,
        )

    def execution(self, execution: Execution) -> documents.ExecutionReport:
        """An execution report of `/ws/orders`."""
        instrument = self.instruments[execution.symbol]
        grid = instrument.grid
        report = documents.ExecutionReport(
            EXECUTIONS[execution.kind],
            execution.seq,
            execution.symbol,
            order_id_text(execution.order_id),
            execution.client_order_id or None,
            SIDES[execution.side],
            STATUSES[execution.status],
            grid.price.text_or_none(execution.price_ticks),
            grid.quantity.text_or_none(execution.quantity_lots),
            grid.quantity.text(execution.filled_lots),
            grid.quantity.text(execution.remaining_lots),
            timestamp(execution.time_ns),
            reason=RejectReason(execution.reason).name if execution.reason else None,
            stop_price=grid.price.text_or_none(execution.trigger_ticks),
            working=execution.working,
            order_type=ORDER_TYPES[execution.order_type] if execution.kind == _NEW else None,
            quote_left=quote_left_text(instrument, execution),
        )
        if execution.kind == _FILL:
            fill = self._executed(instrument, execution)
            report.trade_id, report.liquidity = fill.trade_id, fill.liquidity
            report.fee, report.fee_asset = fill.fee, fill.fee_asset
        return report

    def _executed(self, instrument: Instrument, execution: Execution) -> documents.FillDocument:
        return self._fill(
            instrument,
            execution.side,
            execution.trade_id,
            execution.price_ticks,
            execution.quantity_lots,
            execution.fee_units,
            execution.liquidity,
        )

    def _fills(
        self, instrument: Instrument, records: Iterable[FillRecord]
    ) -> list[documents.FillDocument]:
        return [
            self._fill(
                instrument,
                record.side,
                record.trade_id,
                record.price_ticks,
                record.quantity_lots,
                record.fee,
                record.liquidity,
            )
            for record in records
        ]

    def _fill(
        self,
        instrument: Instrument,
        side: int,
        trade_id: int,
        price_ticks: int,
        lots: int,
        fee: int,
        liquidity: int,
    ) -> documents.FillDocument:
        grid = instrument.grid
        is_buy = side == Side.BUY
        return documents.FillDocument(
            trade_id,
            grid.price.text(price_ticks),
            grid.quantity.text(lots),
            (grid.base if is_buy else grid.quote).text(fee),
            instrument.base if is_buy else instrument.quote,
            LIQUIDITIES[liquidity],
        )

    def balance(self, balance: Balance) -> documents.BalanceDocument:
        """The balance of one asset."""
        decimals = self._decimals[balance.asset]
        return documents.BalanceDocument(
            balance.asset,
            format_decimal(balance.total_units, decimals),
            format_decimal(balance.total_units - balance.held_units, decimals),
            format_decimal(balance.held_units, decimals),
        )
