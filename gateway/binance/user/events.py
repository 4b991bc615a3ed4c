"""Events of a user stream as JSON. No I/O.

Fields: docs/reference/binance-user-stream.md. Source: user data stream of the Binance Spot API
documentation.
"""

from collections.abc import Iterable
from typing import Any, Final

import msgspec
from msgspec import Struct

from crossbook.common.messages.events import TradeExecuted
from crossbook.common.types import OrderStatus, RejectReason, Side
from crossbook.gateway.binance.decimals import FaceAxis, FaceGrid, grid_of
from crossbook.gateway.binance.order_documents import NO_LIST, shown_name
from crossbook.gateway.binance.parameters import MS
from crossbook.gateway.binance.states import (
    EXPIRY_REASONS,
    PREVENTIONS,
    SIDES,
    STATES,
    TIMES_IN_FORCE,
    type_word,
)
from crossbook.gateway.binance.symbols import face_symbol
from crossbook.gateway.binance.user.reported_order import NO_ORDER, ReportedOrder

NEW: Final = "NEW"
TRADE: Final = "TRADE"
CANCELED: Final = "CANCELED"
EXPIRED: Final = "EXPIRED"
TRADE_PREVENTION: Final = "TRADE_PREVENTION"
REPLACED: Final = "REPLACED"
REJECTED: Final = "REJECTED"

NO_TRADE: Final = -1
"""The trade id of a report that is of no trade."""

_BUY: Final = int(Side.BUY)
_OPEN: Final = (int(OrderStatus.NEW), int(OrderStatus.PARTIALLY_FILLED))
_FILLED: Final = int(OrderStatus.FILLED)
_EXPIRED: Final = int(OrderStatus.EXPIRED)
_encode = msgspec.json.Encoder().encode


class UserEvent:
    """One event of an account. `times` are fields of `document` in nanoseconds; each unit of times
    is encoded once, for all clients.

    >>> event = UserEvent({"e": "x", "E": 0}, {"E": 5_000_000})
    >>> event.payload(1_000_000), event.payload(1_000)
    (b'{"e":"x","E":5}', b'{"e":"x","E":5000}')
    """

    __slots__ = ("_payloads", "document", "times")

    def __init__(self, document: dict[str, Any], times: dict[str, int]) -> None:
        self.document = document
        self.times = times
        self._payloads: dict[int, bytes] = {}

    def payload(self, unit_ns: int = MS) -> bytes:
        """The JSON of the event with times of this unit."""
        payload = self._payloads.get(unit_ns)
        if payload is None:
            times = {name: time_ns // unit_ns for name, time_ns in self.times.items()}
            payload = self._payloads[unit_ns] = _encode({**self.document, **times})
        return payload


class Change(Struct, gc=False):
    """What happened to an order: the kind of execution and the status after it, its number and
    time, and the fields that only some kinds have.

    `trade` is the trade of a TRADE and `is_maker` the side of it; `canceled_by` the client order id
    of a cancel; `prevented_lots` what self-trade prevention took."""

    kind: str
    status: int
    seq: int
    time_ns: int
    trade: TradeExecuted | None = None
    is_maker: bool = False
    canceled_by: str = ""
    reason: int = 0
    prevented_lots: int = 0
    rejected_for: str = "NONE"


def execution_report(order: ReportedOrder, change: Change) -> UserEvent:
    """The report of a change; `order` is as it is after it."""
    grid = grid_of(order.instrument)
    lots, price, quote = grid.quantity.text, grid.price.text, grid.quote.text
    name = order.client_order_id
    if order.order_id != NO_ORDER:
        name = shown_name(name, order.order_id)
    document: dict[str, Any] = {
        "e": "executionReport",
        "E": 0,
        "s": face_symbol(order.instrument.symbol),
        "c": change.canceled_by or name,
        "S": SIDES[order.side],
        "o": type_word(order.order_type, order.post_only),
        "f": TIMES_IN_FORCE[order.time_in_force],
        # An order by quote amount has no quantity but what it bought or sold.
        "q": lots(order.filled_lots if order.quote_amount else order.quantity_lots),
        "p": price(order.price_ticks),
        "P": price(order.trigger_ticks),
        "F": lots(order.display_lots),
        "g": NO_LIST,
        "C": name if change.canceled_by else "",
        "x": change.kind,
        "X": STATES[change.status],
        "r": change.rejected_for,
        "i": order.order_id,
        **_trade(order, change, grid),
        "T": 0,
        "I": change.seq,
        "w": bool(order.working_ns) and change.status in _OPEN,
        "M": False,
        "O": 0,
        "z": lots(order.filled_lots),
        "Z": quote(order.filled_units),
        "Q": quote(order.quote_amount),
        "V": PREVENTIONS[order.prevention],
    }
    times = {"E": change.time_ns, "T": change.time_ns, "O": order.created_ns}
    if order.working_ns:
        times["W"] = order.working_ns
    if change.prevented_lots:
        document["A"] = lots(order.prevented_lots)
        document["B"] = lots(change.prevented_lots)
    if change.status == _EXPIRED and change.reason:
        word = EXPIRY_REASONS.get(RejectReason(change.reason))
        if word is not None:
            document["eR"] = word
    return UserEvent(document, times)


def _trade(order: ReportedOrder, change: Change, grid: FaceGrid) -> dict[str, Any]:
    """The fields of a trade; zeros where there was none."""
    instrument, trade, is_buy = order.instrument, change.trade, order.side == _BUY
    ticks = lots = fee = 0
    if trade is not None:
        ticks, lots = trade.price_ticks, trade.quantity_lots
        fee = trade.maker_fee if change.is_maker else trade.taker_fee
    fee_asset = instrument.base if is_buy else instrument.quote
    return {
        "l": grid.quantity.text(lots),
        "L": grid.price.text(ticks),
        "Y": grid.quote.text(ticks * lots * instrument.notional_per_tick_lot),
        "n": (grid.base if is_buy else grid.quote).text(fee),
        "N": None if trade is None else fee_asset,
        "t": NO_TRADE if trade is None else trade.trade_id,
        "m": change.is_maker,
    }


def complete(report: UserEvent) -> None:
    """Make the report of a trade that of the last one: the order, by quote amount, is filled."""
    report.document["X"] = STATES[_FILLED]
    report.document["w"] = False


def account_position(balances: Iterable[tuple[str, int, int, FaceAxis]], time_ns: int) -> UserEvent:
    """Balances of assets as they are: asset, total, held, and the axis of its amounts."""
    rows = [
        {"a": asset, "f": axis.text(total - held), "l": axis.text(held)}
        for asset, total, held, axis in balances
    ]
    document = {"e": "outboundAccountPosition", "E": 0, "u": 0, "B": rows}
    return UserEvent(document, {"E": time_ns, "u": time_ns})


def balance_update(asset: str, amount: int, axis: FaceAxis, time_ns: int) -> UserEvent:
    """A deposit, or with a negative amount a withdrawal."""
    document = {"e": "balanceUpdate", "E": 0, "a": asset, "d": axis.text(amount), "T": 0}
    return UserEvent(document, {"E": time_ns, "T": time_ns})


def listen_key_expired(key: str, time_ns: int) -> UserEvent:
    """A listen key has ended: its stream sends nothing more."""
    return UserEvent({"e": "listenKeyExpired", "E": 0, "listenKey": key}, {"E": time_ns})


def stream_terminated(time_ns: int) -> UserEvent:
    """A subscription has ended."""
    return UserEvent({"e": "eventStreamTerminated", "E": 0}, {"E": time_ns})


def server_shutdown(time_ns: int) -> UserEvent:
    """This gateway stops: connect again."""
    return UserEvent({"e": "serverShutdown", "E": 0}, {"E": time_ns})
