"""The record that a plain reader of the events makes: every order, one change at a time."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Engine, select

from crossbook.common.following.candles import SECOND_NS
from crossbook.common.instruments import Instrument
from crossbook.common.messages.events import (
    Event,
    InstrumentAdded,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderCompleted,
    OrderExpired,
    OrderReduced,
    OrderTriggered,
    TradeExecuted,
)
from crossbook.common.messages.history_queries import CANDLE_INTERVALS_S
from crossbook.common.types import OrderStatus, RejectReason, Side
from crossbook.recorder.tables import AMENDMENTS, CANDLES, FILLS, ORDERS, TRADES

Row = dict[str, Any]


class NaiveRecord:
    """Rows as dictionaries, with the keys of their tables."""

    def __init__(self, instruments: Iterable[Instrument]) -> None:
        self.orders: dict[int, Row] = {}
        self.fills: list[Row] = []
        self.amendments: list[Row] = []
        self.trades: list[Row] = []
        self._notionals = {i.id: i.notional_per_tick_lot for i in instruments}

    def read(self, events: Iterable[Event], time_ns: int) -> None:
        """Apply the events of one command."""
        for event in events:
            if isinstance(event, OrderAccepted):
                self.orders[event.seq] = {
                    "order_id": event.seq, "account": event.account,
                    "instrument": event.instrument, "client_order_id": event.client_order_id,
                    "side": event.side, "order_type": event.order_type,
                    "time_in_force": event.time_in_force, "price_ticks": event.price_ticks,
                    "quantity_lots": event.quantity_lots, "quote_amount": event.quote_amount,
                    "status": OrderStatus.NEW, "filled_lots": 0,
                    "remaining_lots": event.quantity_lots, "filled_notional": 0, "reason": 0,
                    "created_ns": time_ns, "updated_ns": time_ns, "updated_seq": event.seq,
                    **row_of(event),
                }  # fmt: skip
            elif isinstance(event, TradeExecuted):
                self._trade(event, time_ns)
            elif isinstance(event, OrderAmended):
                self._touch(event.order_id, event.seq, time_ns)
                order = self.orders[event.order_id]
                if event.kept_priority and event.quantity_lots < order["quantity_lots"]:
                    self.amendments.append(
                        {
                            "order_id": event.order_id, "seq": event.seq,
                            "before_lots": order["quantity_lots"],
                            "quantity_lots": event.quantity_lots, "time_ns": time_ns,
                        }
                    )  # fmt: skip
                order["price_ticks"] = event.price_ticks
                order["quantity_lots"] = event.quantity_lots
                order["remaining_lots"] = event.quantity_lots - order["filled_lots"]
                order["trigger_ticks"] = event.trigger_ticks
                order["display_lots"] = event.display_lots
                order["working"] = 0 if event.trigger_ticks else 1
            elif isinstance(event, OrderTriggered):
                self._touch(event.order_id, event.seq, time_ns)
                self.orders[event.order_id]["working"] = 1
            elif isinstance(event, OrderReduced):
                self._touch(event.order_id, event.seq, time_ns)
                order = self.orders[event.order_id]
                order["quantity_lots"] -= event.prevented_lots
                order["remaining_lots"] -= event.prevented_lots
            elif isinstance(event, InstrumentAdded):
                self._notionals[event.instrument] = event.definition.notional_per_tick_lot
            elif isinstance(event, OrderCanceled | OrderExpired | OrderCompleted):
                self._touch(event.order_id, event.seq, time_ns)
                order = self.orders[event.order_id]
                order["remaining_lots"] = 0
                order["status"] = {
                    OrderCanceled: OrderStatus.CANCELED,
                    OrderExpired: OrderStatus.EXPIRED,
                    OrderCompleted: OrderStatus.FILLED,
                }[type(event)]
                if isinstance(event, OrderExpired | OrderCanceled):
                    order["reason"] = event.reason
                if event_reason(event) == RejectReason.SELF_TRADE:
                    order["status"] = OrderStatus.EXPIRED_IN_MATCH

    def candles(self) -> list[Row]:
        """Every candle, each from its own list of trades."""
        rows = []
        for interval_s in CANDLE_INTERVALS_S:
            inside: dict[tuple[int, int], list[Row]] = {}
            for trade in self.trades:
                open_ns = trade["time_ns"] // (interval_s * SECOND_NS) * interval_s * SECOND_NS
                inside.setdefault((trade["instrument"], open_ns), []).append(trade)
            rows += [
                {
                    "instrument": instrument, "interval_s": interval_s, "open_ns": open_ns,
                    "open_ticks": trades[0]["price_ticks"],
                    "high_ticks": max(trade["price_ticks"] for trade in trades),
                    "low_ticks": min(trade["price_ticks"] for trade in trades),
                    "close_ticks": trades[-1]["price_ticks"],
                    "volume_lots": sum(t["quantity_lots"] for t in trades),
                    "quote_volume": sum(self._worth(trade) for trade in trades),
                    "trades": len(trades), "first_trade_id": trades[0]["trade_id"],
                    "last_trade_id": trades[-1]["trade_id"], "seq": trades[-1]["seq"],
                    "taker_buy_lots": sum(t["quantity_lots"] for t in bought(trades)),
                    "taker_buy_quote_volume": sum(self._worth(t) for t in bought(trades)),
                }
                for (instrument, open_ns), trades in inside.items()
            ]  # fmt: skip
        return rows

    def _trade(self, event: TradeExecuted, time_ns: int) -> None:
        lots, price = event.quantity_lots, event.price_ticks
        trade = {
            "instrument": event.instrument, "trade_id": event.trade_id, "seq": event.seq,
            "price_ticks": price, "quantity_lots": lots, "aggressor_side": event.aggressor_side,
            "maker_order_id": event.maker_order_id, "taker_order_id": event.taker_order_id,
            "time_ns": time_ns,
        }  # fmt: skip
        self.trades.append(trade)
        sides = (
            (event.taker_order_id, event.taker_account, event.taker_client_order_id,
             event.taker_fee, event.aggressor_side, 2),
            (event.maker_order_id, event.maker_account, event.maker_client_order_id,
             event.maker_fee, 3 - event.aggressor_side, 1),
        )  # fmt: skip
        for order_id, account, name, fee, side, liquidity in sides:
            self.fills.append(
                {
                    "fill_id": len(self.fills) + 1, "seq": event.seq, "trade_id": event.trade_id,
                    "instrument": event.instrument, "account": account, "order_id": order_id,
                    "client_order_id": name, "side": side, "price_ticks": price,
                    "quantity_lots": lots, "fee": fee, "liquidity": liquidity, "time_ns": time_ns,
                }
            )  # fmt: skip
            order = self.orders[order_id]
            order["filled_lots"] += lots
            order["remaining_lots"] = max(0, order["quantity_lots"] - order["filled_lots"])
            order["filled_notional"] += self._worth(trade)
            self._touch(order_id, event.seq, time_ns)

    def _touch(self, order_id: int, seq: int, time_ns: int) -> None:
        order = self.orders[order_id]
        order["updated_ns"], order["updated_seq"] = time_ns, seq
        if order["filled_lots"]:
            done = not order["remaining_lots"]
            order["status"] = OrderStatus.FILLED if done else OrderStatus.PARTIALLY_FILLED

    def _worth(self, trade: Row) -> int:
        worth: int = trade["price_ticks"] * trade["quantity_lots"]
        return worth * self._notionals[trade["instrument"]]


def event_reason(event: Event) -> int:
    """The reason that an order ended; zero where no event has one."""
    return int(getattr(event, "reason", 0))


def tables_of(engine: Engine) -> dict[str, list[Row]]:
    """Every row of every table but the position, ordered by key. The two parts of a sum are one
    number."""
    found: dict[str, list[Row]] = {}
    with engine.begin() as connection:
        for table in (ORDERS, FILLS, TRADES, CANDLES, AMENDMENTS):
            query = select(table).order_by(*table.primary_key.columns)
            rows = connection.execute(query)
            found[table.name] = [dict(zip(table.c.keys(), row, strict=True)) for row in rows]
    sums = (
        ("orders", "filled_notional", "filled_notional_high"),
        ("candles", "volume_lots", "volume_high"),
        ("candles", "quote_volume", "quote_volume_high"),
        ("candles", "taker_buy_lots", "taker_buy_high"),
        ("candles", "taker_buy_quote_volume", "taker_buy_quote_volume_high"),
    )
    for name, low, high in sums:
        for row in found[name]:
            assert 0 <= row[low] < 10**18, f"{name}.{low} carries at 10^18: {row}"
            row[low] += row.pop(high) * 10**18
    return found


def bought(trades: list[Row]) -> list[Row]:
    """The trades in which a taker bought."""
    return [trade for trade in trades if trade["aggressor_side"] == Side.BUY]


def tables_expected(record: NaiveRecord) -> dict[str, list[Row]]:
    """The expected value of `tables_of`."""
    return {
        "orders": sorted(record.orders.values(), key=lambda row: row["order_id"]),
        "fills": record.fills,
        "trades": sorted(record.trades, key=lambda row: (row["instrument"], row["trade_id"])),
        "candles": sorted(
            record.candles(), key=lambda row: (row["instrument"], row["interval_s"], row["open_ns"])
        ),
        "amendments": sorted(record.amendments, key=lambda row: (row["order_id"], row["seq"])),
    }


def row_of(event: OrderAccepted) -> Row:
    """The terms that only few orders have."""
    terms = event.instructions
    if terms is None:
        few = (0, 0, 0, False)
    else:
        few = (terms.trigger_ticks, terms.display_lots, terms.expire_ns, terms.post_only)
    return {
        "trigger_ticks": few[0], "display_lots": few[1], "expire_ns": few[2],
        "post_only": int(few[3]), "prevention": event.prevention, "working": int(few[0] == 0),
    }  # fmt: skip
