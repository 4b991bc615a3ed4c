"""Engines from PyPI, each driven as its user would, on the same commands as Crossbook's.

A missing function is composed of others: IOC as enter and cancel, amend as cancel and enter, which
for the amends of `bench.workload` is the same. Each engine keeps its own books; the table from the
commands' order ids to its orders is the driver's. Its reports of trades are added to `on_event`.
"""

import importlib
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any

from crossbook.common.messages.commands import AmendOrder, CancelOrder, Command, NewOrder
from crossbook.common.types import Side, TimeInForce

OnEvent = Callable[[Any], object]
Driver = Callable[[Iterable[Command], OnEvent], None]

_IOC = int(TimeInForce.IOC)
_BUY = int(Side.BUY)


def drive_pyorderbook(commands: Iterable[Command], on_event: OnEvent) -> None:
    """Through `pyorderbook.Book`; `on_event` has its lists of trades."""
    module: Any = importlib.import_module("pyorderbook")
    book, make, bid, ask = module.Book(), module.Order, module.Side.BID, module.Side.ASK
    match, cancel, open_orders = book.match, book.cancel, book.order_map
    orders: dict[int, Any] = {}
    filled: dict[int, int] = {}
    for order_id, command in enumerate(commands, 1):
        blotter = None
        if type(command) is NewOrder:
            side = bid if command.side == _BUY else ask
            order = make(side, "BENCH", command.price_ticks, command.quantity_lots)
            blotter = match(order)
            if command.time_in_force == _IOC:
                if order.quantity:
                    cancel(order)
            else:
                orders[order_id] = order
        elif type(command) is CancelOrder:
            order = orders.get(command.order_id)
            if order is not None and order.id in open_orders:
                cancel(order)
        elif type(command) is AmendOrder:
            order = orders.get(command.order_id)
            if order is not None and order.id in open_orders:
                # The engine keeps no total across a re-entry, so earlier fills are added here.
                done = order.original_quantity - order.quantity + filled.get(command.order_id, 0)
                cancel(order)
                left = command.quantity_lots - done
                if left > 0:
                    price = command.price_ticks or int(order.price)
                    order = make(order.side, "BENCH", price, left)
                    blotter = match(order)
                    orders[command.order_id] = order
                    filled[command.order_id] = done
        if blotter is not None and blotter.trades:
            on_event(blotter.trades)


def fills_of_pyorderbook(all_reported: Iterable[Any]) -> Iterator[tuple[int, int]]:
    """(price ticks, lots) of every trade."""
    for trades in all_reported:
        for trade in trades:
            yield int(trade.fill_price), trade.fill_quantity


def drive_lightmatchingengine(commands: Iterable[Command], on_event: OnEvent) -> None:
    """Through `lightmatchingengine.LightMatchingEngine`; `on_event` has its lists of reports."""
    module: Any = importlib.import_module("lightmatchingengine.lightmatchingengine")
    engine = module.LightMatchingEngine()
    add, cancel = engine.add_order, engine.cancel_order
    orders: dict[int, Any] = {}
    filled: dict[int, int] = {}
    for order_id, command in enumerate(commands, 1):
        reports = None
        if type(command) is NewOrder:
            order, reports = add("BENCH", command.price_ticks, command.quantity_lots, command.side)
            if command.time_in_force == _IOC:
                if order.leaves_qty:
                    cancel(order.order_id, "BENCH")
            else:
                orders[order_id] = order
        elif type(command) is CancelOrder:
            order = orders.get(command.order_id)
            if order is not None and order.leaves_qty:
                cancel(order.order_id, "BENCH")
        elif type(command) is AmendOrder:
            order = orders.get(command.order_id)
            if order is not None and order.leaves_qty:
                done = order.cum_qty + filled.get(command.order_id, 0)
                cancel(order.order_id, "BENCH")
                left = command.quantity_lots - done
                if left > 0:
                    price = command.price_ticks or order.price
                    order, reports = add("BENCH", price, left, order.side)
                    orders[command.order_id] = order
                    filled[command.order_id] = done
        if reports:
            on_event(reports)


def fills_of_lightmatchingengine(all_reported: Iterable[Any]) -> Iterator[tuple[int, int]]:
    """One report of the taker per level, one per maker: the makers' are the fills."""
    for reports in all_reported:
        taker = reports[0].order_id
        for report in reports:
            if report.order_id != taker:
                yield report.trade_price, report.trade_qty


def drive_order_matching(commands: Iterable[Command], on_event: OnEvent) -> None:
    """Through `order_matching.MatchingEngine`, its log off; `on_event` has its lists of trades."""
    matching: Any = importlib.import_module("order_matching.matching_engine")
    placing: Any = importlib.import_module("order_matching.orders")
    sides: Any = importlib.import_module("order_matching.enums").Side
    importlib.import_module("loguru").logger.disable("order_matching")
    make = importlib.import_module("order_matching.order").LimitOrder
    engine = matching.MatchingEngine(seed=1)
    now = datetime(2026, 1, 1)
    orders: dict[int, Any] = {}

    def enter(order_id: int, side: Any, price: int, lots: int) -> Any:
        order = make(
            side=side, price=price, size=lots, timestamp=now, order_id=str(order_id), trader_id="1"
        )
        engine.place(placing.Orders([order]))
        executed = engine.match(timestamp=now)
        if len(executed):
            on_event(executed.trades)
        return order

    for order_id, command in enumerate(commands, 1):
        if type(command) is NewOrder:
            side = sides.BUY if command.side == _BUY else sides.SELL
            order = enter(order_id, side, command.price_ticks, command.quantity_lots)
            if command.time_in_force != _IOC:
                orders[order_id] = (order, command.quantity_lots)
            elif order.size:
                engine.cancel_order(order.order_id)
        elif type(command) is CancelOrder:
            order, _ = orders.pop(command.order_id, (None, 0))
            if order is not None and order.size:
                engine.cancel_order(order.order_id)
        elif type(command) is AmendOrder:
            order, total = orders.get(command.order_id, (None, 0))
            if order is not None and order.size:
                left = command.quantity_lots - (total - int(order.size))
                engine.cancel_order(order.order_id)
                if left > 0:
                    price = command.price_ticks or order.price
                    order = enter(command.order_id, order.side, price, left)
                    orders[command.order_id] = (order, command.quantity_lots)


def fills_of_order_matching(all_reported: Iterable[Any]) -> Iterator[tuple[int, int]]:
    """(price ticks, lots) of every trade."""
    for trades in all_reported:
        for trade in trades:
            yield int(trade.price), int(trade.size)


def drive_limit_order_book(
    commands: Iterable[Command], on_event: OnEvent, book: Any = None
) -> None:
    """Through `limit_order_book.LimitOrderBook`, C++ behind ctypes. It reports nothing:
    the rest of an order is the volume that its side loses with it."""
    if book is None:
        book = importlib.import_module("limit_order_book").LimitOrderBook()
    enter, cancel, has = book.limit, book.cancel, book.has
    orders: dict[int, tuple[bool, int, int]] = {}
    for order_id, command in enumerate(commands, 1):
        if type(command) is NewOrder:
            buys, lots = command.side == _BUY, command.quantity_lots
            enter(buys, order_id, lots, command.price_ticks)
            if command.time_in_force != _IOC:
                orders[order_id] = (buys, command.price_ticks, lots)
            elif has(order_id):
                cancel(order_id)
        elif type(command) is CancelOrder:
            # To cancel an order that is not there ends the process.
            if has(command.order_id):
                cancel(command.order_id)
        elif type(command) is AmendOrder and has(command.order_id):
            buys, price, total = orders[command.order_id]
            volume = book.volume_buy if buys else book.volume_sell
            before = volume()
            cancel(command.order_id)
            left = command.quantity_lots - (total - (before - volume()))
            price = command.price_ticks or price
            orders[command.order_id] = (buys, price, command.quantity_lots)
            if left > 0:
                enter(buys, command.order_id, left, price)
