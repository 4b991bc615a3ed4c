"""A small venue for tests, with short ways to make a command and to read a book."""

from msgspec.structs import replace

from crossbook.common.instruments import Instrument
from crossbook.common.messages.commands import (
    AmendOrder,
    CancelOrder,
    Instructions,
    MassCancelOrders,
    NewOrder,
)
from crossbook.common.messages.events import CommandRejected, Event, TradeExecuted
from crossbook.common.types import OrderType, Side, TimeInForce
from crossbook.matcher.engine.engine import Engine

BTC = Instrument(
    id=1, symbol="BTC-USDT", base="BTC", quote="USDT", tick_size="0.01", lot_size="0.00001",
    base_decimals=8, quote_decimals=8, max_price_ticks=10**9, min_quantity_lots=1,
    max_quantity_lots=10**9, min_notional=0, maker_fee_rate=1_000, taker_fee_rate=2_000,
)  # fmt: skip
"""1,000 base units a lot, 10 quote units a tick and lot; maker 0.10 %, taker 0.20 %."""

ETH = Instrument(
    id=2, symbol="ETH-EUR", base="ETH", quote="EUR", tick_size="0.01", lot_size="0.001",
    base_decimals=3, quote_decimals=5, max_price_ticks=1_000, min_quantity_lots=2,
    max_quantity_lots=50, min_notional=300, maker_fee_rate=-250, taker_fee_rate=500,
)  # fmt: skip
"""One unit a lot and a tick and lot; makers are paid; 2 to 50 lots, worth at least 300."""

BUY, SELL = Side.BUY, Side.SELL
GTC, IOC, FOK = TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK
ALICE, BOB, CAROL = 1, 2, 3


def venue() -> Engine:
    """An empty engine for both instruments."""
    return Engine([BTC, ETH])


def limit(
    account: int,
    side: Side,
    price_ticks: int,
    lots: int,
    time_in_force: TimeInForce = GTC,
    name: str = "",
    instrument: Instrument = BTC,
) -> NewOrder:
    return NewOrder(
        gateway=0,
        request_seq=0,
        account=account,
        instrument=instrument.id,
        side=side,
        order_type=OrderType.LIMIT,
        time_in_force=time_in_force,
        price_ticks=price_ticks,
        quantity_lots=lots,
        client_order_id=name,
    )


def iceberg(account: int, side: Side, price_ticks: int, lots: int, display_lots: int) -> NewOrder:
    """A limit order that shows so many lots at a time."""
    order = limit(account, side, price_ticks, lots)
    return replace(order, instructions=Instructions(display_lots=display_lots))


def market(
    account: int, side: Side, lots: int = 0, quote_amount: int = 0, instrument: Instrument = BTC
) -> NewOrder:
    return NewOrder(
        gateway=0,
        request_seq=0,
        account=account,
        instrument=instrument.id,
        side=side,
        order_type=OrderType.MARKET,
        time_in_force=GTC,
        price_ticks=0,
        quantity_lots=lots,
        client_order_id="",
        quote_amount=quote_amount,
    )


def cancel(account: int, order_id: int = 0, name: str = "") -> CancelOrder:
    return CancelOrder(
        gateway=0,
        request_seq=0,
        account=account,
        instrument=BTC.id,
        order_id=order_id,
        client_order_id=name,
    )


def amend(
    account: int, order_id: int = 0, price_ticks: int = 0, lots: int = 0, name: str = ""
) -> AmendOrder:
    return AmendOrder(
        gateway=0,
        request_seq=0,
        account=account,
        instrument=BTC.id,
        order_id=order_id,
        price_ticks=price_ticks,
        quantity_lots=lots,
        client_order_id=name,
    )


def mass_cancel(account: int, instrument: int = 0, side: int = 0) -> MassCancelOrders:
    return MassCancelOrders(
        gateway=0, request_seq=0, account=account, instrument=instrument, side=side
    )


def reason(event: Event) -> tuple[int, str]:
    """Reason and field of a refusal."""
    assert isinstance(event, CommandRejected), event
    return event.reason, event.field


def fills(events: list[Event]) -> list[tuple[int, int, int]]:
    """(maker order id, price ticks, lots) of each trade, in match order."""
    return [
        (event.maker_order_id, event.price_ticks, event.quantity_lots)
        for event in events
        if isinstance(event, TradeExecuted)
    ]


def queue(engine: Engine, side: Side, instrument: Instrument = BTC) -> list[tuple[int, int, int]]:
    """(order id, price ticks, open lots) of a side in priority order."""
    book = engine.book_state(instrument.id)
    orders = book.bids if side == BUY else book.asks
    return [(order.order_id, order.price_ticks, order.shown_lots) for order in orders]
