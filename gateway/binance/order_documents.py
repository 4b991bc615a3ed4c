"""Documents of orders and fills in the Binance-spot face. No I/O.

Numbers are text with eight digits, ids are numbers. An order without a client order id shows its
native id there (`ORD-0000000001`), because clients need a text, and it can be named by that too.
"""

import re
from collections.abc import Sequence
from typing import Any, Final

from crossbook.common.instruments import Instrument
from crossbook.common.messages.entry import Ack, Execution, New, OrderState
from crossbook.common.messages.history_queries import AmendmentRecord, FillRecord, OrderRecord
from crossbook.common.types import (
    MAX_INT,
    ExecutionKind,
    Liquidity,
    OrderStatus,
    OrderType,
    RejectReason,
    Side,
)
from crossbook.gateway.binance.decimals import FaceGrid, grid_of
from crossbook.gateway.binance.order_requests import Wanted
from crossbook.gateway.binance.parameters import Parameters
from crossbook.gateway.binance.states import (
    EXPIRY_REASONS,
    PREVENTIONS,
    SIDES,
    STATES,
    TIMES_IN_FORCE,
    type_word,
)
from crossbook.gateway.binance.symbols import face_symbol
from crossbook.gateway.words import order_id_text

NO_LIST: Final = -1
"""The id of an order list, which no order here belongs to."""

NEVER: Final = -1
"""The working time of an order that waits."""

_FILL: Final = int(ExecutionKind.FILL)
_TRIGGERED: Final = int(ExecutionKind.TRIGGERED)
_BUY: Final = int(Side.BUY)
_MAKER: Final = int(Liquidity.MAKER)
_WAITING: Final = int(OrderType.STOP)
"""From this type on an order waits for a trigger."""

_EXPIRED: Final = int(OrderStatus.EXPIRED)
_NATIVE_ID: Final = re.compile(r"ORD-([0-9]{10,19})", re.ASCII)


def shown_name(client_order_id: str, order_id: int) -> str:
    """The client order id of an order as this face shows it.

    >>> shown_name("mine-1", 5), shown_name("", 5)
    ('mine-1', 'ORD-0000000005')
    """
    return client_order_id or order_id_text(order_id)


def id_in_name(name: str) -> int | None:
    """The order id in a name that `shown_name` gave an order without one.

    >>> id_in_name("ORD-0000000005"), id_in_name("mine-1")
    (5, None)
    """
    found = _NATIVE_ID.fullmatch(name)
    number = int(found[1]) if found is not None else 0
    return number if 0 < number <= MAX_INT else None


def cancel_name(order_id: int) -> str:
    """The client order id of a cancel that was given none. An order is canceled once.

    >>> cancel_name(5)
    'CXL-0000000005'
    """
    return f"CXL-{order_id:010d}"


def placed(
    asked: Parameters,
    instrument: Instrument,
    wanted: Wanted,
    ack: Ack,
    executions: Sequence[Execution],
) -> dict[str, Any]:
    """The answer to an order, with the executions it caused at once, in the form that its sender
    wants."""
    order, order_id = wanted.order, ack.order_id
    unit_ns = asked.unit_ns
    document: dict[str, Any] = {
        "symbol": face_symbol(instrument.symbol),
        "orderId": order_id,
        "orderListId": NO_LIST,
        "clientOrderId": shown_name(order.client_order_id, order_id),
        "transactTime": ack.time_ns // unit_ns,
    }
    if wanted.form == "ACK":
        return document
    grid = grid_of(instrument)
    status, filled, tick_lots = ack.status, ack.filled_lots, 0
    is_working, reason = order.order_type < _WAITING, 0
    fills: list[Execution] = []
    for each in executions:
        if each.order_id != order_id:
            continue
        status, filled = each.status, each.filled_lots
        if each.kind == _FILL:
            tick_lots += each.price_ticks * each.quantity_lots
            fills.append(each)
        elif each.kind == _TRIGGERED:
            is_working = True
        else:
            reason = each.reason
    quantity = filled if order.quote_amount else order.quantity
    quote_units = tick_lots * instrument.notional_per_tick_lot
    document |= _terms(order, grid, quantity, filled, quote_units, status)
    document["workingTime"] = ack.time_ns // unit_ns if is_working else NEVER
    _add_conditions(document, order, grid, status, reason)
    document |= wanted.strategy
    if wanted.form == "FULL":
        document["fills"] = [_fill(instrument, grid, each) for each in fills]
    return document


def canceled(
    asked: Parameters,
    instrument: Instrument,
    state: OrderState,
    ack: Ack,
    quote_units: int,
    name: str | None,
) -> dict[str, Any]:
    """The answer to a cancel of an order that was in this state before. `name` is the client order
    id of the cancel itself, `quote_units` what the order has traded."""
    return _canceled(asked, instrument, state, ack.time_ns, ack.filled_lots, quote_units, name)


def mass_canceled(
    asked: Parameters,
    instrument: Instrument,
    state: OrderState,
    execution: Execution,
    quote_units: int,
) -> dict[str, Any]:
    """The same for one order of a mass cancel."""
    filled = execution.filled_lots
    return _canceled(asked, instrument, state, execution.time_ns, filled, quote_units, None)


def _canceled(
    asked: Parameters,
    instrument: Instrument,
    state: OrderState,
    time_ns: int,
    filled_lots: int,
    quote_units: int,
    name: str | None,
) -> dict[str, Any]:
    grid, order_id = grid_of(instrument), state.order_id
    document: dict[str, Any] = {
        "symbol": face_symbol(instrument.symbol),
        "origClientOrderId": shown_name(state.client_order_id, order_id),
        "orderId": order_id,
        "orderListId": NO_LIST,
        "clientOrderId": name or cancel_name(order_id),
        "transactTime": asked.time(time_ns),
    }
    status = int(OrderStatus.CANCELED)
    document |= _terms(state, grid, state.quantity_lots, filled_lots, quote_units, status)
    _add_conditions(document, state, grid, status, 0)
    return document


def amended(
    asked: Parameters,
    instrument: Instrument,
    before: OrderState,
    ack: Ack,
    lots: int,
    quote_units: int,
) -> dict[str, Any]:
    """The answer to an amend of an order that was in this state before, to this quantity."""
    grid, order_id = grid_of(instrument), before.order_id
    name = shown_name(before.client_order_id, order_id)
    terms = _terms(before, grid, lots, ack.filled_lots, quote_units, ack.status)
    order = {
        "symbol": face_symbol(instrument.symbol),
        "orderId": order_id,
        "orderListId": NO_LIST,
        "origClientOrderId": name,
        "clientOrderId": name,
        "price": terms["price"],
        "qty": terms["origQty"],
        "executedQty": terms["executedQty"],
        "preventedQty": grid.quantity.text(0),
        "quoteOrderQty": terms["origQuoteOrderQty"],
        "cumulativeQuoteQty": terms["cummulativeQuoteQty"],
        "status": terms["status"],
        "timeInForce": terms["timeInForce"],
        "type": terms["type"],
        "side": terms["side"],
        "workingTime": asked.time(before.time_ns) if before.working else NEVER,
        "selfTradePreventionMode": terms["selfTradePreventionMode"],
    }
    _add_conditions(order, before, grid, ack.status, 0)
    return {"transactTime": asked.time(ack.time_ns), "executionId": ack.seq, "amendedOrder": order}


def amendment(
    asked: Parameters, instrument: Instrument, order: OrderRecord, record: AmendmentRecord
) -> dict[str, Any]:
    """One amendment of an order. The order keeps its client order id."""
    name = shown_name(order.client_order_id, order.order_id)
    text = grid_of(instrument).quantity.text
    return {
        "symbol": face_symbol(instrument.symbol),
        "orderId": order.order_id,
        "executionId": record.seq,
        "origClientOrderId": name,
        "newClientOrderId": name,
        "origQty": text(record.before_lots),
        "newQty": text(record.quantity_lots),
        "time": asked.time(record.time_ns),
    }


def recorded(asked: Parameters, instrument: Instrument, record: OrderRecord) -> dict[str, Any]:
    """An order of the record, open or ended."""
    grid, order_id = grid_of(instrument), record.order_id
    document: dict[str, Any] = {
        "symbol": face_symbol(instrument.symbol),
        "orderId": order_id,
        "orderListId": NO_LIST,
        "clientOrderId": shown_name(record.client_order_id, order_id),
    }
    quantity = record.filled_lots if record.quote_amount else record.quantity_lots
    document |= _terms(
        record, grid, quantity, record.filled_lots, record.filled_notional, record.status
    )
    working_ns = record.updated_ns if record.trigger_ticks else record.created_ns
    document |= {
        "stopPrice": grid.price.text(record.trigger_ticks),
        "icebergQty": grid.quantity.text(record.display_lots),
        "time": asked.time(record.created_ns),
        "updateTime": asked.time(record.updated_ns),
        "isWorking": bool(record.working),
        "workingTime": asked.time(working_ns) if record.working else NEVER,
    }
    _add_expiry(document, record.status, record.reason)
    return document


def own_trade(asked: Parameters, instrument: Instrument, record: FillRecord) -> dict[str, Any]:
    """A fill of an account."""
    grid, is_buyer = grid_of(instrument), record.side == _BUY
    units = record.price_ticks * record.quantity_lots * instrument.notional_per_tick_lot
    return {
        "symbol": face_symbol(instrument.symbol),
        "id": record.trade_id,
        "orderId": record.order_id,
        "orderListId": NO_LIST,
        "price": grid.price.text(record.price_ticks),
        "qty": grid.quantity.text(record.quantity_lots),
        "quoteQty": grid.quote.text(units),
        "commission": (grid.base if is_buyer else grid.quote).text(record.fee),
        "commissionAsset": instrument.base if is_buyer else instrument.quote,
        "time": asked.time(record.time_ns),
        "isBuyer": is_buyer,
        "isMaker": record.liquidity == _MAKER,
        "isBestMatch": True,
    }


def _terms(
    order: New | OrderState | OrderRecord,
    grid: FaceGrid,
    lots: Any,
    filled_lots: int,
    quote_units: int,
    status: int,
) -> dict[str, Any]:
    """The terms of an order and how far it got."""
    price = order.price if isinstance(order, New) else order.price_ticks
    quote_amount = 0 if isinstance(order, OrderState) else order.quote_amount
    return {
        "price": grid.price.text(price),  # type: ignore[arg-type]
        "origQty": grid.quantity.text(lots),
        "executedQty": grid.quantity.text(filled_lots),
        "origQuoteOrderQty": grid.quote.text(quote_amount),  # type: ignore[arg-type]
        "cummulativeQuoteQty": grid.quote.text(quote_units),
        "status": STATES[status],
        "timeInForce": TIMES_IN_FORCE[order.time_in_force],
        "type": type_word(order.order_type, bool(order.post_only)),
        "side": SIDES[order.side],
        "selfTradePreventionMode": PREVENTIONS[order.prevention],
    }


def _add_conditions(
    document: dict[str, Any], order: New | OrderState, grid: FaceGrid, status: int, reason: int
) -> None:
    """Add the fields that only orders with a trigger, slices or an expiry have."""
    trigger: Any = order.stop_price if isinstance(order, New) else order.trigger_ticks
    display: Any = order.display_quantity if isinstance(order, New) else order.display_lots
    if trigger:
        document["stopPrice"] = grid.price.text(trigger)
    if display:
        document["icebergQty"] = grid.quantity.text(display)
    _add_expiry(document, status, reason)


def _add_expiry(document: dict[str, Any], status: int, reason: int) -> None:
    if status == _EXPIRED and reason:
        word = EXPIRY_REASONS.get(RejectReason(reason))
        if word is not None:
            document["expiryReason"] = word


def _fill(instrument: Instrument, grid: FaceGrid, fill: Execution) -> dict[str, Any]:
    is_buy = fill.side == _BUY
    return {
        "price": grid.price.text(fill.price_ticks),
        "qty": grid.quantity.text(fill.quantity_lots),
        "commission": (grid.base if is_buy else grid.quote).text(fill.fee_units),
        "commissionAsset": instrument.base if is_buy else instrument.quote,
        "tradeId": fill.trade_id,
    }
