"""Samples of one instrument, made from the engine's events alone, so that recorded and simulated
flow are measured in the same way."""

from bisect import bisect_left, insort
from collections.abc import Sequence

from crossbook.common.messages.events import (
    Event,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    TradeExecuted,
)
from crossbook.common.types import OrderType, Side, TimeInForce

DEPTH_BPS = 100
"""How far from the middle the depth profile reaches, in basis points."""

_BUY = int(Side.BUY)
_GTC = int(TimeInForce.GTC)
_LIMIT = int(OrderType.LIMIT)


class _TapedOrder:
    __slots__ = ("born_ns", "lots", "price", "side")

    def __init__(self, side: int, price: int, lots: int, born_ns: int) -> None:
        self.side = side
        self.price = price
        self.lots = lots
        self.born_ns = born_ns


class Tape:
    """Samples the best prices every `sample_ns` and the depth every `depth_every` samples, and
    keeps the lifetime of every order that was canceled and the size of every taker's fill.

    A trade here is all that one taker got at once. Lifetimes are of orders that were canceled whole
    and were not there at the first instant, since when those began is not known.
    """

    def __init__(self, instrument: int, sample_ns: int, depth_every: int = 10) -> None:
        self.instrument = instrument
        self.sample_ns = sample_ns
        self.middles: list[float] = []
        self.spreads_bps: list[float] = []
        self.depth: list[list[float]] = []
        self.lifetimes_s: list[float] = []
        self.trade_lots: list[int] = []
        self.trade_signs: list[int] = []
        self.orders = 0
        self.cancels = 0
        self.amends = 0
        self.one_sided = 0
        self.began_ns = 0
        self.ended_ns = 0
        self._depth_every = depth_every
        self._orders: dict[int, _TapedOrder] = {}
        # Prices of bids and asks, ascending, and the lots at each.
        self._prices: tuple[list[int], list[int]] = ([], [])
        self._lots: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self._first_ns = 0
        self._next_ns = 0
        self._taker = 0

    def watch(self, time_ns: int, events: Sequence[Event]) -> None:
        """Apply the events of one command."""
        self._sample_until(time_ns)
        for event in events:
            if getattr(event, "instrument", 0) == self.instrument:
                self._see(event, time_ns)

    def _see(self, event: Event, time_ns: int) -> None:
        if isinstance(event, OrderAccepted):
            self.orders += 1
            if event.time_in_force == _GTC and event.order_type == _LIMIT:
                order = _TapedOrder(event.side, event.price_ticks, event.quantity_lots, time_ns)
                self._orders[event.seq] = order
                self._change(order, event.quantity_lots)
        elif isinstance(event, TradeExecuted):
            self._traded(event)
        elif isinstance(event, OrderCanceled):
            self.cancels += 1
            gone = self._orders.pop(event.order_id, None)
            if gone is not None:
                self._change(gone, -gone.lots)
                if not event.filled_lots and gone.born_ns > self._first_ns:
                    self.lifetimes_s.append((time_ns - gone.born_ns) / 1e9)
        elif isinstance(event, OrderAmended):
            self.amends += 1
            moved = self._orders.get(event.order_id)
            if moved is not None:
                self._change(moved, -moved.lots)
                moved.price, moved.lots = event.price_ticks, event.remaining_lots
                self._change(moved, moved.lots)

    def _traded(self, trade: TradeExecuted) -> None:
        if trade.taker_order_id == self._taker and self.trade_lots:
            self.trade_lots[-1] += trade.quantity_lots
        else:
            self._taker = trade.taker_order_id
            self.trade_lots.append(trade.quantity_lots)
            self.trade_signs.append(1 if trade.aggressor_side == _BUY else -1)
        for order_id in (trade.maker_order_id, trade.taker_order_id):
            order = self._orders.get(order_id)
            if order is not None:
                self._change(order, -trade.quantity_lots)
                order.lots -= trade.quantity_lots
                if not order.lots:
                    del self._orders[order_id]

    def _change(self, order: _TapedOrder, lots: int) -> None:
        index = 0 if order.side == _BUY else 1
        levels, prices = self._lots[index], self._prices[index]
        left = levels.get(order.price, 0) + lots
        if order.price not in levels:
            insort(prices, order.price)
        levels[order.price] = left
        if left <= 0:
            del levels[order.price]
            del prices[bisect_left(prices, order.price)]

    def _sample_until(self, time_ns: int) -> None:
        if not self._next_ns:
            self._first_ns = time_ns
            self._next_ns = time_ns + self.sample_ns
        while self._next_ns <= time_ns:
            self._sample()
            self._next_ns += self.sample_ns

    def _sample(self) -> None:
        bids, asks = self._prices
        if not bids or not asks:
            self.one_sided += 1
            return
        self.began_ns = self.began_ns or self._next_ns
        self.ended_ns = self._next_ns
        bid, ask = bids[-1], asks[0]
        middle = (bid + ask) / 2
        self.middles.append(middle)
        self.spreads_bps.append(10_000 * (ask - bid) / middle)
        if len(self.middles) % self._depth_every == 0:
            self.depth.append(self._profile(middle))

    def _profile(self, middle: float) -> list[float]:
        """Lots within each basis point of the middle, both sides together."""
        profile = [0.0] * DEPTH_BPS
        for index in (0, 1):
            prices = self._prices[index]
            for price in reversed(prices) if index == 0 else prices:
                distance = int(10_000 * abs(price - middle) / middle)
                if distance >= DEPTH_BPS:
                    break
                profile[distance] += self._lots[index][price]
        return profile
