"""Our engine behind the stdio protocol of `tracebook-conformance` (newline-delimited JSON).

Run by the suite as `python -m tests.conformance.adapter`. Every event becomes commands of our
engine, and every answer is read from our events and our book; nothing is matched here.

One account enters all orders under the name "<instrument>.<source id>.<life>", so that the engine
itself judges which ids are active, taken or ended. The suite accepts an id again once its order has
ended, where our engine would see a retry of the first order: hence the life. With self-trade
prevention each owner has an account; an id in use is judged under the account that uses it.

Where the suite's rules are not ours, the translation is:

- Decimal prices snap to the nearest tick and quantities to the nearest lot (ties to even) before
  the engine sees them, as the suite's reference does; our gateway would refuse them instead.
- `reduce` names the lots to remove: an amend to a smaller total at the same price, or a cancel
  when nothing is left. More than what is open is refused here, since our amend would cancel.
- `replace` names the new open quantity and always loses priority. An amend does that when the
  price changes or the quantity grows; otherwise it is a cancel and a new order of the same id.
  A quantity of zero is refused here, since zero means "unchanged" to an amend.
- A new order with the terms of an open one of its id is a duplicate to the suite and a
  harmless retry to us: nothing happens either way.
- `clear` is a mass cancel on the instrument.
- A killed FOK and an IOC or market order without fills are applied, not rejected, as with us.
- CANCEL_RESTING is `expire_maker`, CANCEL_INCOMING `expire_taker`. Where prevention is off owners
  are labels, kept beside the orders and returned.

Pro-rata matching is refused at the greeting.
"""

import json
import sys
from decimal import ROUND_HALF_EVEN, Decimal
from hashlib import sha256
from typing import Any, Final, TextIO

from crossbook.common.grid import format_decimal
from crossbook.common.instruments import MAX_NOTIONAL, Instrument
from crossbook.common.messages.commands import (
    AmendOrder,
    CancelOrder,
    Command,
    MassCancelOrders,
    NewOrder,
)
from crossbook.common.messages.entry import OrderState
from crossbook.common.messages.events import (
    CommandRejected,
    Event,
    OrderAccepted,
    OrderRepeated,
    TradeExecuted,
)
from crossbook.common.messages.matcher_queries import RestingOrder
from crossbook.common.types import OrderType, Prevention, RejectReason, Side, TimeInForce
from crossbook.matcher.engine.engine import Engine

PROTOCOL: Final = {"protocol": "tracebook.conformance", "protocol_version": 1}
SYMBOLS_MAX: Final = 16
ACCOUNT: Final = 1

_REASONS: Final = {
    RejectReason.UNKNOWN_ORDER: "ORDER_NOT_ACTIVE",
    RejectReason.DUPLICATE_CLIENT_ORDER_ID: "DUPLICATE_ORDER_ID",
}
_TIMES_IN_FORCE: Final = {
    "LIMIT": TimeInForce.GTC,
    "MARKET": TimeInForce.IOC,
    "IOC": TimeInForce.IOC,
    "FOK": TimeInForce.FOK,
}


_POLICIES: Final = {
    "NONE": Prevention.NONE,
    "CANCEL_RESTING": Prevention.EXPIRE_MAKER,
    "CANCEL_INCOMING": Prevention.EXPIRE_TAKER,
}


class RefusedError(Exception):
    """A refusal of the event by the suite's rules; the text is its reason code."""


class Adapter:
    """One engine, with the suite's symbols, ids and owners of its orders."""

    def __init__(self, config: dict[str, Any]) -> None:
        algorithm = config.get("matching_algorithm", "fifo")
        if algorithm != "fifo":
            raise ValueError(f"matching_algorithm {algorithm} is not supported")
        self._prevention = _POLICIES[config.get("self_trade_policy", "NONE")]
        self._accounts: dict[tuple[int, int], int] = {}  # instrument, source id -> latest account
        self._tick = Decimal(str(config.get("tick_size", "0.01")))
        self._places = int(config.get("quantity_decimal_places", 12))
        self._grid = _instrument(0, self._tick, self._places)
        instruments = [
            _instrument(number, self._tick, self._places) for number in range(1, SYMBOLS_MAX + 1)
        ]
        self._engine = Engine(instruments)
        self._instruments: dict[str, int] = {}
        self._books: set[str] = set()
        self._labels: dict[int, tuple[int, int]] = {}  # order id -> source id, owner
        self._lives: dict[tuple[int, int], int] = {}  # instrument, source id -> lives begun

    def apply(self, index: int, event: dict[str, Any]) -> dict[str, Any]:
        """The observation of one event of the suite."""
        symbol = event["symbol"]
        instrument = self._instruments.setdefault(symbol, len(self._instruments) + 1)
        reason = None
        events: list[Event] = []
        try:
            events = self._apply(event, symbol, instrument)
        except RefusedError as refused:
            reason = str(refused)
        trades = [
            self._trade(trade, symbol) for trade in events if isinstance(trade, TradeExecuted)
        ]
        state = self.state()
        return {
            "type": "observation",
            "index": index,
            "outcome": {
                "status": "rejected" if reason else "applied",
                "reason": reason,
                "message": None,
            },
            "trades": trades,
            "state_hash": _digest(state),
            "resting_order_count": sum(
                len(book[side]) for book in state["books"] for side in ("bids", "asks")
            ),
        }

    def state(self) -> dict[str, Any]:
        """Every book with its orders in priority order, as the suite expects it."""
        books = []
        for symbol in sorted(self._books):
            book = self._engine.book_state(self._instruments[symbol])
            books.append(
                {
                    "symbol": symbol,
                    "bids": [self._resting(order) for order in book.bids],
                    "asks": [self._resting(order) for order in book.asks],
                }
            )
        return {"books": books}

    def _apply(self, event: dict[str, Any], symbol: str, instrument: int) -> list[Event]:
        op = event["op"]
        if op in ("new", "clear"):
            self._books.add(symbol)
        if op == "clear":
            return self._send(op, MassCancelOrders(0, 0, 0, instrument))
        if op == "new":
            return self._new(event, instrument)
        name = self._name(instrument, event["order_id"])
        account = self._account(instrument, event["order_id"])
        if op == "cancel":
            return self._send(
                op,
                CancelOrder(
                    gateway=0, request_seq=0, account=account, instrument=instrument, order_id=0,
                    client_order_id=name,
                ),
            )  # fmt: skip
        found, _ = self._engine.open_orders(account, instrument, client_order_id=name)
        if not found:
            # The engine reports the end itself; the answer about the ended order does not matter.
            return self._send(
                op,
                AmendOrder(
                    gateway=0, request_seq=0, account=account, instrument=instrument, order_id=0,
                    price_ticks=1, quantity_lots=1, client_order_id=name,
                ),
            )  # fmt: skip
        if op == "reduce":
            return self._reduce(found[0], account, instrument, self._lots(event["quantity"]))
        assert op == "replace", op
        return self._replace(found[0], account, instrument, event)

    def _account(self, instrument: int, source_id: int) -> int:
        """The account of the latest life of an id."""
        return self._accounts.get((instrument, source_id), ACCOUNT)

    def _new(self, event: dict[str, Any], instrument: int) -> list[Event]:
        kind = event["order_type"]
        is_market = kind == "MARKET"
        name = self._name(instrument, event["order_id"], again=True)
        if self._prevention and not self._is_open(instrument, event["order_id"]):
            account = ACCOUNT + 1 + event.get("owner", -1)
            self._accounts[instrument, event["order_id"]] = account
        command = NewOrder(
            gateway=0,
            request_seq=0,
            account=self._account(instrument, event["order_id"]),
            instrument=instrument,
            side=Side[event["side"]],
            order_type=OrderType.MARKET if is_market else OrderType.LIMIT,
            time_in_force=_TIMES_IN_FORCE[kind],
            price_ticks=0 if is_market else self._ticks(event["price"]),
            quantity_lots=self._lots(event["quantity"]),
            client_order_id=name,
            quote_amount=0,
            prevention=self._prevention,
        )
        return self._enter("new", command, event["order_id"], event.get("owner", -1))

    def _reduce(self, order: OrderState, account: int, instrument: int, lots: int) -> list[Event]:
        if not 0 < lots <= order.remaining_lots:
            raise RefusedError("INVALID_ORDER")
        if lots == order.remaining_lots:
            return self._send(
                "reduce",
                CancelOrder(
                    gateway=0,
                    request_seq=0,
                    account=account,
                    instrument=instrument,
                    order_id=order.order_id,
                ),
            )
        total = order.quantity_lots - lots
        return self._send(
            "reduce",
            AmendOrder(
                gateway=0, request_seq=0, account=account, instrument=instrument,
                order_id=order.order_id, price_ticks=0, quantity_lots=total,
            ),
        )  # fmt: skip

    def _replace(
        self, order: OrderState, account: int, instrument: int, event: dict[str, Any]
    ) -> list[Event]:
        price = order.price_ticks if event["price"] is None else self._ticks(event["price"])
        lots = order.remaining_lots if event["quantity"] is None else self._lots(event["quantity"])
        if price < 1 or lots < 1:
            raise RefusedError("INVALID_REPLACEMENT")
        if price != order.price_ticks or lots > order.remaining_lots:
            total = order.filled_lots + lots
            return self._send(
                "replace",
                AmendOrder(
                    gateway=0, request_seq=0, account=account, instrument=instrument,
                    order_id=order.order_id, price_ticks=price, quantity_lots=total,
                ),
            )  # fmt: skip
        source_id, owner = self._labels[order.order_id]
        self._send(
            "replace",
            CancelOrder(
                gateway=0,
                request_seq=0,
                account=account,
                instrument=instrument,
                order_id=order.order_id,
            ),
        )
        again = NewOrder(
            gateway=0, request_seq=0, account=account, instrument=instrument, side=order.side,
            order_type=OrderType.LIMIT, time_in_force=TimeInForce.GTC, price_ticks=price,
            quantity_lots=lots, client_order_id=self._name(instrument, source_id, again=True),
            quote_amount=0, prevention=self._prevention,
        )  # fmt: skip
        return self._enter("replace", again, source_id, owner)

    def _enter(self, op: str, command: NewOrder, source_id: int, owner: int) -> list[Event]:
        events = self._send(op, command)
        assert isinstance(events[0], OrderAccepted), events
        self._labels[events[0].seq] = (source_id, owner)
        return events

    def _send(self, op: str, command: Command) -> list[Event]:
        events = self._engine.apply(command)
        if isinstance(events[0], OrderRepeated):
            raise RefusedError("DUPLICATE_ORDER_ID")
        if isinstance(events[0], CommandRejected):
            default = "INVALID_REPLACEMENT" if op == "replace" else "INVALID_ORDER"
            raise RefusedError(_REASONS.get(RejectReason(events[0].reason), default))
        return events

    def _name(self, instrument: int, source_id: int, again: bool = False) -> str:
        """The client order id of the latest life of an id; `again` begins the next where the
        latest ended."""
        life = self._lives.get((instrument, source_id), 0)
        name = f"{instrument}.{source_id}.{life}"
        if again and not self._is_open(instrument, source_id):
            self._lives[instrument, source_id] = life + 1
            name = f"{instrument}.{source_id}.{life + 1}"
        return name

    def _is_open(self, instrument: int, source_id: int) -> bool:
        """Whether the latest life of an id goes on."""
        name = self._name(instrument, source_id)
        account = self._account(instrument, source_id)
        return bool(self._engine.open_orders(account, client_order_id=name)[0])

    def _trade(self, trade: TradeExecuted, symbol: str) -> dict[str, Any]:
        maker, taker = (
            int(name.split(".")[1])
            for name in (trade.maker_client_order_id, trade.taker_client_order_id)
        )
        buy, sell = (taker, maker) if trade.aggressor_side == Side.BUY else (maker, taker)
        return {
            "symbol": symbol,
            "buy_order_id": buy,
            "sell_order_id": sell,
            "price": _plain(self._grid.price_text(trade.price_ticks)),
            "quantity": self._quantity(trade.quantity_lots),
        }

    def _resting(self, order: RestingOrder) -> dict[str, Any]:
        source_id, owner = self._labels[order.order_id]
        return {
            "order_id": source_id,
            "price": _plain(self._grid.price_text(order.price_ticks)),
            "remaining_quantity": self._quantity(order.shown_lots),
            "owner": owner,
            "order_type": "LIMIT",
        }

    def _ticks(self, price: float) -> int:
        return int((Decimal(str(price)) / self._tick).to_integral_value(ROUND_HALF_EVEN))

    def _lots(self, quantity: float) -> int:
        lots = Decimal(str(quantity)).scaleb(self._places)
        return int(lots.to_integral_value(ROUND_HALF_EVEN))

    def _quantity(self, lots: int) -> str:
        return _plain(format_decimal(lots, self._places))


def serve(source: TextIO, sink: TextIO) -> int:
    """Answer the suite line by line until it sends `finish`; the exit code."""
    hello = json.loads(source.readline())
    try:
        adapter = Adapter(hello["config"])
    except ValueError as error:
        _write(sink, {"type": "error", "code": "ADAPTER_ERROR", "message": str(error)})
        return 2
    engine = {"name": "crossbook", "version": "0.1.0", "language": "Python"}
    _write(sink, {"type": "ready", **PROTOCOL, "engine": engine})
    for line in source:
        message = json.loads(line)
        if message["type"] == "event":
            _write(sink, adapter.apply(message["index"], message["event"]))
        elif message["type"] == "snapshot":
            snapshot = {"type": "snapshot", "index": message["index"], "state": adapter.state()}
            _write(sink, snapshot)
        else:
            _write(sink, {"type": "complete", "event_count": message["event_count"]})
            return 0
    return 2


def _write(sink: TextIO, message: dict[str, Any]) -> None:
    sink.write(json.dumps(message, separators=(",", ":")) + "\n")
    sink.flush()


def _digest(state: dict[str, Any]) -> str:
    text = json.dumps(state, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256(text.encode()).hexdigest()


def _plain(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def _instrument(number: int, tick: Decimal, places: int) -> Instrument:
    tick_size = format(tick, "f")
    lot_size = format(Decimal(1).scaleb(-places), "f")
    decimals = len(tick_size.partition(".")[2])
    return Instrument(
        id=number, symbol=f"SYMBOL-{number}", base="BASE", quote="QUOTE", tick_size=tick_size,
        lot_size=lot_size, base_decimals=places, quote_decimals=places + decimals,
        max_price_ticks=10**12, min_quantity_lots=1, max_quantity_lots=MAX_NOTIONAL, min_notional=0,
        maker_fee_rate=1_000, taker_fee_rate=2_000,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(serve(sys.stdin, sys.stdout))
