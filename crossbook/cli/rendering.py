"""Orders, executions and market data as JSON facts (decimals as strings) and as lines."""

from collections.abc import Sequence
from typing import Any, Final

from crossbook.common.grid import format_decimal
from crossbook.common.instruments import Instrument
from crossbook.common.messages.entry import Ack, Balance, Execution, OrderState
from crossbook.common.messages.feed import MarketState, Ticker, Trade
from crossbook.common.messages.history_queries import Candle
from crossbook.common.times import time_text
from crossbook.common.types import (
    ExecutionKind,
    InstrumentState,
    Liquidity,
    OrderStatus,
    OrderType,
    RejectReason,
    Side,
    TimeInForce,
)

AVERAGE_DECIMALS: Final = 2
"""Digits of an average price beyond the instrument's own; the last one is rounded."""


def side_text(side: int) -> str:
    """ "buy" or "sell"."""
    return Side(side).name.lower()


def type_text(order_type: int) -> str:
    """An order type in words."""
    return OrderType(order_type).name.lower()


def time_in_force_text(time_in_force: int) -> str:
    """A time in force in words."""
    return TimeInForce(time_in_force).name.lower()


def name_of(number: int, names: type[OrderStatus] | type[RejectReason]) -> str:
    """A code's name, or the bare number where the exchange is newer and has more codes."""
    try:
        return names(number).name
    except ValueError:
        return str(number)


def average_price(instrument: Instrument, fills: Sequence[tuple[int, int]]) -> str | None:
    """The average of (price ticks, lots), None without fills.

    >>> from crossbook.common.instruments import example
    >>> average_price(example(), [(100, 1), (101, 2)])
    '1.0067'
    """
    lots = sum(fill[1] for fill in fills)
    if not lots:
        return None
    axis = instrument.grid.price
    scale = 10**AVERAGE_DECIMALS * axis.step
    notional = sum(price * quantity for price, quantity in fills) * scale
    rounded = (notional + lots // 2) // lots
    return format_decimal(rounded, axis.decimals + AVERAGE_DECIMALS)


def fee_text(instrument: Instrument, execution: Execution) -> tuple[str, str]:
    """A fill's fee and its asset: the one received."""
    buyer = execution.side == Side.BUY
    axis = instrument.grid.base if buyer else instrument.grid.quote
    asset = instrument.base if buyer else instrument.quote
    return axis.text(execution.fee_units), asset


def fill_facts(instrument: Instrument, execution: Execution) -> dict[str, Any]:
    """One fill of an own order."""
    fee, asset = fee_text(instrument, execution)
    return {
        "trade_id": execution.trade_id,
        "price": instrument.price_text(execution.price_ticks),
        "quantity": instrument.quantity_text(execution.quantity_lots),
        "fee": fee,
        "fee_asset": asset,
        "liquidity": Liquidity(execution.liquidity).name.lower(),
    }


def outcome_facts(
    instrument: Instrument, ack: Ack, executions: Sequence[Execution]
) -> dict[str, Any]:
    """An order right after its command: the answer, and the executions at once."""
    own = [execution for execution in executions if execution.order_id == ack.order_id]
    fills = [execution for execution in own if execution.kind == ExecutionKind.FILL]
    last = own[-1] if own else None
    reason = next((execution.reason for execution in own if execution.reason), 0)
    filled = last.filled_lots if last else ack.filled_lots
    facts = {
        "symbol": instrument.symbol,
        "order_id": ack.order_id,
        "client_order_id": ack.client_order_id,
        "repeated": ack.repeated,
        "order_status": name_of(last.status if last else ack.status, OrderStatus),
        "filled_quantity": instrument.quantity_text(filled),
        "remaining_quantity": instrument.quantity_text(
            last.remaining_lots if last else ack.remaining_lots
        ),
        "average_price": average_price(
            instrument, [(fill.price_ticks, fill.quantity_lots) for fill in fills]
        ),
        "seq": ack.seq,
        "timestamp": time_text(ack.time_ns),
        "fills": [fill_facts(instrument, fill) for fill in fills],
    }
    if reason:
        facts["reason"] = name_of(reason, RejectReason)
    return facts


def outcome_text(instrument: Instrument, facts: dict[str, Any], verb: str) -> str:
    """`outcome_facts` for people."""
    named = f" ({facts['client_order_id']})" if facts["client_order_id"] else ""
    lines = [f"order {facts['order_id']}{named} {verb}: {facts['order_status']}"]
    if facts["repeated"]:
        lines[0] += " (it had been entered before under this id; nothing was done again)"
    if "reason" in facts:
        lines[0] += f", {facts['reason']}"
    if facts["fills"]:
        lines.append(
            f"  filled {facts['filled_quantity']} {instrument.base} "
            f"at {facts['average_price']} {instrument.quote} on average"
        )
    lines += [
        f"  trade {fill['trade_id']}: {fill['quantity']} at {fill['price']}, "
        f"fee {fill['fee']} {fill['fee_asset']} ({fill['liquidity']})"
        for fill in facts["fills"]
    ]
    if facts["order_status"] in ("NEW", "PARTIALLY_FILLED"):
        lines.append(f"  open   {facts['remaining_quantity']} {instrument.base}")
    return "\n".join(lines)


def order_facts(instrument: Instrument, order: OrderState) -> dict[str, Any]:
    """One open order."""
    return {
        "symbol": order.symbol,
        "order_id": order.order_id,
        "client_order_id": order.client_order_id,
        "side": side_text(order.side),
        "price": instrument.price_text(order.price_ticks),
        "quantity": instrument.quantity_text(order.quantity_lots),
        "filled_quantity": instrument.quantity_text(order.filled_lots),
        "remaining_quantity": instrument.quantity_text(order.remaining_lots),
        "order_status": name_of(order.status, OrderStatus),
        "timestamp": time_text(order.time_ns),
        "order_type": type_text(order.order_type),
        "time_in_force": time_in_force_text(order.time_in_force),
        "stop_price": instrument.price_text(order.trigger_ticks) if order.trigger_ticks else None,
        "display_quantity": (
            instrument.quantity_text(order.display_lots) if order.display_lots else None
        ),
        "expire_time": time_text(order.expire_ns) if order.expire_ns else None,
        "post_only": order.post_only,
        "working": order.working,
    }


def balance_facts(balance: Balance, decimals: int) -> dict[str, Any]:
    """The balance of an account in one asset."""
    return {
        "asset": balance.asset,
        "total": format_decimal(balance.total_units, decimals),
        "held": format_decimal(balance.held_units, decimals),
        "available": format_decimal(balance.total_units - balance.held_units, decimals),
    }


def trade_facts(instrument: Instrument, trade: Trade) -> dict[str, Any]:
    """One public trade."""
    return {
        "type": "trade",
        "symbol": instrument.symbol,
        "trade_id": trade.trade_id,
        "seq": trade.seq,
        "price": instrument.price_text(trade.price_ticks),
        "quantity": instrument.quantity_text(trade.quantity_lots),
        "aggressor_side": side_text(trade.aggressor_side),
        "maker_order_id": trade.maker_order_id,
        "taker_order_id": trade.taker_order_id,
        "timestamp": time_text(trade.time_ns),
    }


def state_facts(instrument: Instrument, state: MarketState | None) -> dict[str, Any]:
    """The state of an instrument, its end, and the indicative price of an auction; None where it
    is unknown."""
    if state is None:
        return {"state": None, "state_until": None, "auction": None}
    auction = None
    if state.state == InstrumentState.AUCTION:
        price, surplus = state.indicative_ticks, state.surplus_lots
        auction = {
            "indicative_price": instrument.price_text(price) if price else None,
            "indicative_quantity": instrument.quantity_text(state.indicative_lots),
            "surplus_side": side_text(Side.BUY if surplus > 0 else Side.SELL) if surplus else None,
            "surplus_quantity": instrument.quantity_text(abs(surplus)),
        }
    return {
        "state": InstrumentState(state.state).name.lower(),
        "state_until": time_text(state.until_ns) if state.until_ns else None,
        "auction": auction,
    }


def state_text(instrument: Instrument, state: MarketState | None) -> str:
    """`state_facts` for people; empty for an open market.

    >>> from crossbook.common.instruments import example
    >>> state_text(example(), MarketState("BTC-USDT", 9, 4, 0, 0, 0, 0, 0))
    'halted'
    >>> state_text(example(), MarketState("BTC-USDT", 9, 5, 0, 5_000_001, 2, -3, 0))
    'auction: 0.00002 BTC at 50000.01, 0.00003 left over (sell)'
    """
    facts = state_facts(instrument, state)
    if state is None or state.state == InstrumentState.OPEN:
        return ""
    text = str(facts["state"]).replace("_", " ")
    if facts["state_until"]:
        text += f" until {facts['state_until']}"
    auction = facts["auction"]
    if auction is None:
        return text
    if auction["indicative_price"] is None:
        return f"{text}: nothing would trade"
    text += f": {auction['indicative_quantity']} {instrument.base}"
    text += f" at {auction['indicative_price']}"
    if auction["surplus_side"]:
        text += f", {auction['surplus_quantity']} left over ({auction['surplus_side']})"
    return text


def ticker_facts(
    instrument: Instrument, ticker: Ticker, state: MarketState | None
) -> dict[str, Any]:
    """The last 24 hours of an instrument, and its state; prices are None where there is none."""

    def price(ticks: int) -> str | None:
        return instrument.price_text(ticks) if ticks else None

    def quantity(lots: int) -> str | None:
        return instrument.quantity_text(lots) if lots else None

    return {
        "type": "ticker",
        "symbol": instrument.symbol,
        "timestamp": time_text(ticker.time_ns),
        "seq": ticker.seq,
        "last": price(ticker.last_ticks),
        "last_quantity": quantity(ticker.last_lots),
        "change_percent": change_percent(ticker.open_ticks, ticker.last_ticks),
        "open": price(ticker.open_ticks),
        "high": price(ticker.high_ticks),
        "low": price(ticker.low_ticks),
        "volume": instrument.quantity_text(ticker.volume_lots),
        "quote_volume": instrument.grid.quote.text(ticker.quote_volume),
        "trades": ticker.trades,
        "bid": price(ticker.bid_ticks),
        "bid_quantity": quantity(ticker.bid_lots),
        "ask": price(ticker.ask_ticks),
        "ask_quantity": quantity(ticker.ask_lots),
        **state_facts(instrument, state),
    }


def change_percent(open_ticks: int, last_ticks: int) -> str | None:
    """The way from one price to another in percent, rounded half away from zero.

    >>> change_percent(400, 401), change_percent(400, 397), change_percent(0, 400)
    ('0.25', '-0.75', None)
    """
    if not open_ticks:
        return None
    hundredths = (abs(last_ticks - open_ticks) * 20_000 + open_ticks) // (2 * open_ticks)
    return format_decimal(hundredths if last_ticks >= open_ticks else -hundredths, 2)


def candle_facts(instrument: Instrument, interval: str, candle: Candle) -> dict[str, Any]:
    """One candle as it stands."""
    return {
        "type": "candle",
        "symbol": instrument.symbol,
        "interval": interval,
        "open_time": time_text(candle.open_ns),
        "open": instrument.price_text(candle.open_ticks),
        "high": instrument.price_text(candle.high_ticks),
        "low": instrument.price_text(candle.low_ticks),
        "close": instrument.price_text(candle.close_ticks),
        "volume": instrument.quantity_text(candle.volume_lots),
        "quote_volume": instrument.grid.quote.text(candle.quote_volume),
        "trades": candle.trades,
        "seq": candle.seq,
    }


def book_facts(
    instrument: Instrument,
    seq: int,
    bids: Sequence[tuple[int, int]],
    asks: Sequence[tuple[int, int]],
    state: MarketState | None,
) -> dict[str, Any]:
    """A book's levels, best first, and its instrument's state."""

    def texts(levels: Sequence[tuple[int, int]]) -> list[list[str]]:
        return [
            [instrument.price_text(price), instrument.quantity_text(lots)] for price, lots in levels
        ]

    return {
        "symbol": instrument.symbol, "seq": seq, "bids": texts(bids), "asks": texts(asks),
        **state_facts(instrument, state),
    }  # fmt: skip
