"""Other engines from PyPI behind one face, driven on the same commands as ours.

They are optional: `available` names those that can be imported here. What a peer lacks (IOC,
amend) is done the way a user of it would: enter and cancel, cancel and enter. Like our engine,
each keeps its own books; the table from our order ids to its orders is the driver's.
"""

import importlib.util
from collections.abc import Callable, Iterable
from typing import Any

from msgspec import Struct

from common.commands import AmendOrder, CancelOrder, Command, NewOrder
from common.types import Side, TimeInForce

_IOC = int(TimeInForce.IOC)
_BUY = int(Side.BUY)


class Traded(Struct, frozen=True):
    """What a run traded: equal for engines that agree."""

    trades: int
    lots: int
    notional: int
    """Sum of price ticks times lots."""


Driver = Callable[[Iterable[Command]], Traded]


def available() -> dict[str, Driver]:
    """Drivers of the peers that are installed, by their name on PyPI."""
    return {name: drive for name, drive in PEERS.items() if importlib.util.find_spec(name)}


def drive_pyorderbook(commands: Iterable[Command]) -> Traded:
    """Run the commands through `pyorderbook.Book`."""
    module: Any = importlib.import_module("pyorderbook")
    book, make, bid, ask = module.Book(), module.Order, module.Side.BID, module.Side.ASK
    match, cancel, open_orders = book.match, book.cancel, book.order_map
    orders: dict[int, Any] = {}
    filled: dict[int, int] = {}
    trades = lots = notional = 0
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
                # It keeps no total across a re-entry, so what was filled before is added here.
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
            for trade in blotter.trades:
                trades += 1
                lots += trade.fill_quantity
                notional += trade.fill_quantity * int(trade.fill_price)
    return Traded(trades, lots, notional)


def drive_lightmatchingengine(commands: Iterable[Command]) -> Traded:
    """Run the commands through `lightmatchingengine.LightMatchingEngine`."""
    module: Any = importlib.import_module("lightmatchingengine.lightmatchingengine")
    engine = module.LightMatchingEngine()
    add, cancel = engine.add_order, engine.cancel_order
    orders: dict[int, Any] = {}
    filled: dict[int, int] = {}
    trades = lots = notional = 0
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
            taker = reports[0].order_id
            for trade in reports:
                # One report of the taker per level, one per maker: the makers' are the fills.
                if trade.order_id != taker:
                    trades += 1
                    lots += trade.trade_qty
                    notional += trade.trade_qty * trade.trade_price
    return Traded(trades, lots, notional)


PEERS: dict[str, Driver] = {
    "pyorderbook": drive_pyorderbook,
    "lightmatchingengine": drive_lightmatchingengine,
}
