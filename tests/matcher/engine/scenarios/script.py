"""Scenarios as text: one row a step, the command on the left and its events on the right.

    A sell 5 @ 100                | rests 5 @ 100
    B buy 3 @ 101                 | A sells 3 @ 100 to B

Accounts are letters, A = 1. A step is `<account> buy|sell <lots> [@ <price>] [words...]`, where a
missing price means a market order; or an amend, cancel, cancel-all or cancel-after; or one of the
acts time, state and uncross. Words: ioc, fok, day, gtd=<time>,
post, show=<lots>, stop=<price>, tp=<price>, id=<name>, and a self-trade mode: et, em, eb, dec or
none.
Orders are named by `id=`. The right side lists, separated by `;`, all that happened, in order:

    rests <lots> @ <price>        at the end, and for each order that came in and rests
    <maker> gives <lots> @ <price> to <taker>
    <order> expired <lots> <reason> | canceled <lots> [reason] | reduced by <lots>
    <order> triggered at <price> | shows <lots> | completed
    refused <REASON> <field>
"""

from typing import Any, Final

from crossbook.common.instruments import Instrument
from crossbook.common.messages.commands import (
    AdvanceTime,
    AmendOrder,
    CancelOrder,
    Command,
    Instructions,
    MassCancelOrders,
    NewOrder,
    SetCancelAfter,
    SetInstrumentState,
    Uncross,
)
from crossbook.common.messages.events import (
    AuctionUncrossed,
    CancelAfterSet,
    CommandRejected,
    Event,
    InstrumentStateChanged,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderCompleted,
    OrderExpired,
    OrderReduced,
    OrderReplenished,
    OrdersMassCanceled,
    OrderTriggered,
    TimeAdvanced,
    TradeExecuted,
)
from crossbook.common.types import (
    InstrumentState,
    OrderType,
    Prevention,
    RejectReason,
    Side,
    TimeInForce,
)
from crossbook.matcher.engine.engine import Engine
from tests.worlds.invariants import check

_MODES: Final = {
    "none": Prevention.NONE,
    "et": Prevention.EXPIRE_TAKER,
    "em": Prevention.EXPIRE_MAKER,
    "eb": Prevention.EXPIRE_BOTH,
    "dec": Prevention.DECREMENT,
}
_TIMES: Final = {"ioc": TimeInForce.IOC, "fok": TimeInForce.FOK, "day": TimeInForce.DAY}


class Script:
    """One venue with one instrument: it applies steps and describes their events."""

    def __init__(self, instrument: Instrument) -> None:
        self.engine = Engine([instrument])
        self._number = instrument.id
        self._names: dict[int, str] = {}
        self._ids: dict[str, int] = {}
        self._time_ns = 0

    def play(self, text: str, mirror: bool = False) -> None:
        """Play every row; with `mirror` as seen from the other side of the market."""
        for row in text.strip().splitlines():
            step, mark, expected = (part.strip() for part in row.partition("|"))
            assert mark, f"a row has a bar: {row}"
            events = self.engine.apply(self._command(step.split(), mirror), self._time_ns)
            texts = "; ".join(self._describe(events, mirror))
            assert texts == expected, f"\n  {step}\n  expected: {expected}\n  found:    {texts}"
            check(self.engine)

    def _command(self, words: list[str], mirror: bool) -> Command:
        act = words[0]
        if act == "time":
            self._time_ns = int(words[1])
            return AdvanceTime()
        if act == "state":
            return SetInstrumentState(
                gateway=0,
                request_seq=0,
                account=0,
                instrument=self._number,
                state=InstrumentState[words[1].upper()],
            )
        if act == "uncross":
            state = InstrumentState[words[1].upper()] if words[1:] else InstrumentState.OPEN
            return Uncross(
                gateway=0, request_seq=0, account=0, instrument=self._number, state=state
            )
        account = ord(act) - ord("A") + 1
        if words[1] == "cancel":
            return CancelOrder(
                gateway=0,
                request_seq=0,
                account=account,
                instrument=self._number,
                order_id=self._ids[words[2]],
            )
        if words[1] == "cancel-all":
            return MassCancelOrders(0, 0, account)
        if words[1] == "cancel-after":
            return SetCancelAfter(
                gateway=0, request_seq=0, account=account, instrument=0, timeout_ns=int(words[2])
            )
        if words[1] == "amend":
            terms = dict(word.split("=") for word in words[3:])
            return AmendOrder(
                gateway=0,
                request_seq=0,
                account=account,
                instrument=self._number,
                order_id=self._ids[words[2]],
                price_ticks=_price(terms.get("price", "0"), mirror),
                quantity_lots=int(terms.get("lots", "0")),
                client_order_id="",
                trigger_ticks=_price(terms.get("stop", "0"), mirror),
            )
        return self._order(account, words, mirror)

    def _order(self, account: int, words: list[str], mirror: bool) -> Command:
        side = Side[words[1].upper()]
        if mirror:
            side = Side(3 - side)
        price = _price(words[words.index("@") + 1], mirror) if "@" in words else 0
        facts = dict(word.split("=") for word in words if "=" in word)
        time_in_force = TimeInForce.GTC
        for word, meant in _TIMES.items():
            if word in words:
                time_in_force = meant
        if "gtd" in facts:
            time_in_force = TimeInForce.GTD
        kind = OrderType.LIMIT if price else OrderType.MARKET
        if "stop" in facts:
            kind = OrderType.STOP_LIMIT if price else OrderType.STOP
        elif "tp" in facts:
            kind = OrderType.TAKE_PROFIT_LIMIT if price else OrderType.TAKE_PROFIT
        instructions = Instructions(
            trigger_ticks=_price(facts.get("stop", facts.get("tp", "0")), mirror),
            display_lots=int(facts.get("show", 0)),
            expire_ns=int(facts.get("gtd", 0)),
            post_only="post" in words,
        )
        plain = instructions == Instructions() and time_in_force != TimeInForce.DAY
        mode = next((_MODES[word] for word in words if word in _MODES), Prevention.NONE)
        name = facts.get("id", chr(ord("A") + account - 1))
        self._ids[name] = self.engine.seq + 1
        self._names[self.engine.seq + 1] = name
        lots = 0 if words[2].startswith("quote:") else int(words[2])
        quote = int(words[2].partition(":")[2] or 0)
        return NewOrder(
            gateway=0,
            request_seq=0,
            account=account,
            instrument=self._number,
            side=side,
            order_type=kind,
            time_in_force=time_in_force,
            price_ticks=price,
            quantity_lots=lots,
            client_order_id="",
            quote_amount=quote,
            prevention=mode,
            instructions=None if plain else instructions,
        )

    def _describe(self, events: list[Event], mirror: bool) -> list[str]:
        texts: list[str] = []
        incoming = ""
        for event in events:
            if isinstance(event, OrderAccepted | OrderTriggered | OrderAmended):
                texts += self._resting(incoming, mirror)
                incoming = self._incoming(event, mirror, texts)
            else:
                text = self._event(event, mirror)
                if text:
                    texts.append(text)
        return texts + self._resting(incoming, mirror)

    def _incoming(
        self, event: OrderAccepted | OrderTriggered | OrderAmended, mirror: bool, texts: list[str]
    ) -> str:
        if isinstance(event, OrderAccepted):
            return self._names[event.seq]
        name = self._names[event.order_id]
        if isinstance(event, OrderTriggered):
            texts.append(f"{name} triggered at {_price(event.last_price_ticks, mirror)}")
            return name
        place = "keeps its place" if event.kept_priority else "loses its place"
        texts.append(f"{name} {place}")
        return "" if event.kept_priority else name

    def _resting(self, name: str, mirror: bool) -> list[str]:
        """Whether the order that came in rests or waits."""
        if not name:
            return []
        order_id = self._ids[name]
        for account in self.engine.accounts.values():
            order = account.orders.get(order_id)
            if order is not None and order.queue is not None:
                return [f"rests {order.shown_lots} @ {_price(order.price_ticks, mirror)}"]
            if order is not None:
                return ["waits"]
        return []

    def _event(self, event: Any, mirror: bool) -> str:
        reason = getattr(event, "reason", 0)
        why = f" {RejectReason(reason).name}" if reason else ""
        name = self._names.get(getattr(event, "order_id", 0), "")
        if isinstance(event, TradeExecuted):
            maker, taker = self._names[event.maker_order_id], self._names[event.taker_order_id]
            price = _price(event.price_ticks, mirror)
            return f"{maker} gives {event.quantity_lots} @ {price} to {taker}"
        if isinstance(event, OrderExpired):
            return f"{name} expired {event.expired_lots}{why}"
        if isinstance(event, OrderCanceled):
            return f"{name} canceled {event.canceled_lots}{why}"
        if isinstance(event, CommandRejected):
            return f"refused{why} {event.field}"
        if isinstance(event, OrderReduced):
            return f"{name} reduced by {event.prevented_lots}"
        if isinstance(event, OrderReplenished):
            return f"{name} shows {event.shown_lots}"
        if isinstance(event, OrderCompleted):
            return f"{name} completed, {event.quote_left} left"
        if isinstance(event, AuctionUncrossed):
            price = _price(event.price_ticks, mirror)
            surplus = -event.surplus_lots if mirror else event.surplus_lots
            return f"uncrossed {event.quantity_lots} @ {price} surplus {surplus}"
        if isinstance(event, InstrumentStateChanged):
            return InstrumentState(event.state).name.lower()
        assert isinstance(event, OrdersMassCanceled | CancelAfterSet | TimeAdvanced), event
        return ""


MIRROR_TICKS: Final = 200
"""A price p on one side of the market is this less p on the other."""


def _price(ticks: str | int, mirror: bool) -> int:
    number = int(ticks)
    return MIRROR_TICKS - number if mirror and number else number
