"""The own orders that a recovering session keeps, against those of the engine."""

from collections import defaultdict
from collections.abc import Iterable

from crossbook.client.own_orders import OwnOrder
from crossbook.common.messages.entry import OrderState
from crossbook.common.types import ExecutionKind
from crossbook.matcher.engine.engine import Engine
from tests.simulation.conditions import INSTRUMENTS
from tests.simulation.trader import Trader
from tests.simulation.world import require

SYMBOLS = [each.symbol for each in INSTRUMENTS]
ORDERS_MAX = 100_000


def load_own_orders(traders: Iterable[Trader], engine: Engine) -> int:
    """Answer the queries of the traders that are in doubt at once; their number."""
    count = 0
    for trader in traders:
        session = trader.session
        known = session.token and not session.recovering and trader.base_seq >= 0
        if trader.recovers and trader.orders.in_doubt and known:
            trader.orders.in_doubt = False
            trader.orders.load(_open(engine, trader.account), engine.seq, SYMBOLS)
            count += 1
    return count


def check_own_orders(traders: Iterable[Trader], engine: Engine) -> None:
    """Assert that the open orders are the engine's, and that no fill is added up twice."""
    for trader in traders:
        if trader.recovers and not trader.orders.in_doubt:
            found = {each.order_id: _facts(each) for each in trader.orders.open()}
            expected = {each.order_id: _facts(each) for each in _open(engine, trader.account)}
            unlike = [
                f"{order_id}: {found.get(order_id)}, open is {expected.get(order_id)}"
                for order_id in sorted(found.keys() | expected.keys())
                if found.get(order_id) != expected.get(order_id)
            ]
            require(not unlike, f"{trader.name}: own orders {unlike}")
            _check_fills(trader)


def _open(engine: Engine, account: int) -> list[OrderState]:
    return engine.open_orders(account, limit=ORDERS_MAX)[0]


def _facts(order: OwnOrder | OrderState) -> tuple[object, ...]:
    return (
        order.symbol, order.order_id, order.client_order_id, order.side, order.price_ticks,
        order.quantity_lots, order.filled_lots, order.remaining_lots, order.status, order.working,
        order.trigger_ticks, order.order_type,
    )  # fmt: skip


def _check_fills(trader: Trader) -> None:
    """Assert that after a catch-up from the beginning every fill has arrived, some of them
    twice."""
    if not trader.final_complete:
        return
    sums: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0])
    for execution in trader.final.get(1, []):
        if execution.kind == ExecutionKind.FILL:
            lots, notional, fees = sums[execution.order_id]
            sums[execution.order_id] = [
                lots + execution.quantity_lots,
                notional + execution.quantity_lots * execution.price_ticks,
                fees + execution.fee_units,
            ]
    for order in (*trader.orders.open(), *trader.orders.ended()):
        found = [order.fill_lots, order.notional, order.fee_units]
        require(found == sums[order.order_id], f"{trader.name}: fills of {order!r}: {found}")
        require(order.fills_known, f"{trader.name}: not all fills of {order!r}")
