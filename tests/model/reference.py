"""The obvious matcher: one plain list of open orders, scanned from end to end for everything.

It is written from the market rules alone, so that where it and the engine agree, two independent
readings of the rules agree. It is slow on purpose and keeps no index that could go wrong. The list
is in arrival order. The best maker is found by a look at every order, the cost of an order by
letting a copy of the market run, and the free money of an account by adding up all its orders.
"""

from collections.abc import Iterable
from dataclasses import replace as copy_of
from typing import Final

from msgspec.structs import replace

from crossbook.common.instruments import Instrument
from crossbook.common.messages.commands import (
    AddInstrument,
    AdjustBalance,
    Administer,
    AdvanceTime,
    AmendOrder,
    CancelOrder,
    Command,
    MassCancelOrders,
    NewOrder,
    SetCancelAfter,
    SetFees,
    SetInstrumentState,
    Uncross,
)
from crossbook.common.messages.events import (
    AccountOpened,
    CommandRejected,
    Event,
    OrderAmended,
    OrderRepeated,
    OrdersMassCanceled,
)
from crossbook.common.messages.matcher_queries import BookState, RestingOrder
from crossbook.common.rules import Rules
from crossbook.common.types import (
    InstrumentState,
    OrderStatus,
    OrderType,
    RejectReason,
    Side,
    TimeInForce,
)
from tests.model import refusals
from tests.model.admin import Administration
from tests.model.keys import Keys
from tests.model.market import Market
from tests.model.memory import Memory, Repeats
from tests.model.orders import DAY_NS, ModelOrder, Refusal
from tests.model.orders import REQUESTS_IN_EPOCH as REQUESTS_IN_EPOCH
from tests.model.orders import follows as follows

_ALIVE: Final = (OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED)


class ReferenceMatcher:
    """Applies commands by the letter of the rules; `open` is every open order by arrival."""

    def __init__(
        self,
        instruments: Iterable[Instrument],
        memory: Memory | None = None,
        rules: Rules | None = None,
    ) -> None:
        self.rules = rules or Rules()
        self.market = Market(list(instruments), self.rules)
        self.admin = Administration(self.market)
        self.keys = Keys(self.market)
        self.last_requests: dict[int, int] = {}
        self.repeats = Repeats(memory or Memory())

    @property
    def remembered(self) -> list[tuple[NewOrder, ModelOrder, int]]:
        return self.repeats.remembered

    @property
    def open(self) -> list[ModelOrder]:
        return self.market.open

    @property
    def instruments(self) -> dict[int, Instrument]:
        return self.market.instruments

    @property
    def seq(self) -> int:
        return self.market.seq

    def apply(self, command: Command, time_ns: int = 0) -> list[Event]:
        """All events of `command` in order; none for a command that is not the next of its gateway.
        Acts due by then come first, under a number of their own."""
        market = self.market
        due = self.admin.advance(time_ns)
        if isinstance(command, AdvanceTime):
            return due
        while more := self.admin.advance(time_ns):
            due = due + more
        if command.gateway:
            if not follows(self.last_requests.get(command.gateway, 0), command.request_seq):
                return due
            self.last_requests[command.gateway] = command.request_seq
        market.seq += 1
        market.events = []
        self._dispatch(command, time_ns)
        return due + market.events

    def _dispatch(self, command: Command, time_ns: int) -> None:
        if isinstance(command, Administer):
            origin = {"gateway": command.gateway, "request_seq": command.request_seq}
            self._dispatch(replace(command.act, **origin), time_ns)
        elif isinstance(command, NewOrder):
            self._new(command, time_ns)
        elif isinstance(command, CancelOrder):
            self._cancel(command)
        elif isinstance(command, AmendOrder):
            self._amend(command)
        elif isinstance(command, MassCancelOrders):
            self._mass_cancel(command)
        else:
            refusal = self._administer(command, time_ns)
            if refusal:
                self._reject(command, refusal)

    def _administer(self, command: Command, time_ns: int) -> Refusal | None:
        admin = self.admin
        if isinstance(command, SetCancelAfter):
            return admin.cancel_after(command, time_ns)
        if type(command) in self.keys.acts:
            return self.keys.acts[type(command)](command, time_ns)
        if isinstance(command, AddInstrument):
            return admin.add_instrument(command)
        if isinstance(command, SetInstrumentState):
            return admin.set_state(command)
        if isinstance(command, Uncross):
            return admin.uncross(command)
        if isinstance(command, SetFees):
            return admin.set_fees(command)
        assert isinstance(command, AdjustBalance), command
        return admin.adjust(command)

    def book_state(self, instrument: int) -> BookState:
        """The book of one instrument in priority order."""
        market = self.market
        sides: list[list[RestingOrder]] = []
        for side in (Side.BUY, Side.SELL):
            orders = market.by_priority(instrument, side)
            sides.append(
                [
                    RestingOrder(
                        order_id=o.order_id,
                        price_ticks=o.price_ticks,
                        shown_lots=o.offered_lots,
                        display_lots=o.display_lots,
                        hidden_lots=o.remaining_lots - o.offered_lots,
                    )
                    for o in orders
                ]
            )
        return BookState(
            instrument=instrument,
            bids=sides[0],
            asks=sides[1],
            last_trade_id=market.trade_ids[instrument],
            last_price_ticks=market.last_prices[instrument],
            state=market.states[instrument],
            until_ns=self.admin.halts.get(instrument, (0, 0))[0],
            market_bids=self._gathered(instrument, Side.BUY),
            market_asks=self._gathered(instrument, Side.SELL),
        )

    def _gathered(self, instrument: int, side: int) -> list[RestingOrder]:
        return [
            RestingOrder(o.order_id, 0, o.remaining_lots)
            for o in self.market.open
            if (o.instrument, o.side, o.waits_for) == (instrument, side, "uncross")
        ]

    def balances(self, account: int) -> dict[str, tuple[int, int]]:
        """(total, held) of each asset of an account."""
        money = self.market.money
        return {
            asset: (total, money.held(account, asset, self.open))
            for (owner, asset), total in money.totals.items()
            if owner == account
        }

    def _new(self, command: NewOrder, time_ns: int) -> None:
        market = self.market
        if command.client_order_id and command.instrument in self.instruments:
            earlier = self.repeats.earlier(command)
            if earlier is not None:
                market.events.append(self._repeated(command, earlier))
                return
            if self.repeats.refuses(command, time_ns):
                self._reject(command, (RejectReason.BUSY, "client_order_id"))
                return
        refusal = self._refusal_of_new(command, time_ns)
        if refusal:
            self._reject(command, refusal)
            return
        order = self._order_of(command, time_ns)
        market.accept(command, order)
        if command.client_order_id:
            self.repeats.remember(command, order, time_ns)
        killed = (
            command.order_type == OrderType.LIMIT
            and command.time_in_force == TimeInForce.FOK
            and not market.fills_whole(order)
        )
        opened = None if killed else market.money.open(command.account)
        if opened is not None:
            market.events.append(AccountOpened(market.seq, command.account, opened))
        if order.waits_for:
            market.open.append(order)
        elif command.quote_amount:
            market.spend(order, command.quote_amount)
        else:
            market.come_in(order)
        market.begin(market.elect(order.instrument))

    def _order_of(self, command: NewOrder, time_ns: int) -> ModelOrder:
        terms = command.instructions
        market = self.market
        order = ModelOrder(
            order_id=market.seq, account=command.account, instrument=command.instrument,
            side=command.side, price_ticks=command.price_ticks, total_lots=command.quantity_lots,
            filled_lots=0, client_order_id=command.client_order_id, kind=command.order_type,
            time_in_force=command.time_in_force, prevention=command.prevention, arrival=market.seq,
        )  # fmt: skip
        if terms is not None:
            order.trigger_ticks = terms.trigger_ticks
            order.display_lots = terms.display_lots
            order.expire_ns = terms.expire_ns
            order.post_only = terms.post_only
        if command.time_in_force == TimeInForce.DAY:
            order.expire_ns = time_ns - time_ns % DAY_NS + DAY_NS
        if order.trigger_ticks:
            order.waits_for = "trigger"
        elif (
            command.order_type == OrderType.MARKET
            and market.states[command.instrument] == InstrumentState.AUCTION
        ):
            order.waits_for = "uncross"
        order.held_per_lot = market.money.held_per_lot(order, market)
        return order

    def _refusal_of_new(self, command: NewOrder, time_ns: int) -> Refusal | None:
        market = self.market
        if command.instrument not in self.instruments:
            return RejectReason.UNKNOWN_SYMBOL, "instrument"
        instrument = self.instruments[command.instrument]
        state = market.states[command.instrument]
        if state in refusals.CLOSED:
            return RejectReason.MARKET_HALTED, "instrument"
        refusal = (
            refusals.of_kind(command, instrument, market.last_prices[command.instrument])
            or refusals.of_time_and_display(command, instrument, time_ns)
            or refusals.of_state(command, state, self._would_take(command))
        )
        if refusal:
            return refusal
        for order in self.open:
            if (
                command.client_order_id
                and order.account == command.account
                and order.client_order_id == command.client_order_id
            ):
                return RejectReason.DUPLICATE_CLIENT_ORDER_ID, "client_order_id"
        return self._refusal_of_means(command, time_ns)

    def _would_take(self, command: NewOrder) -> bool:
        other = self.market.by_priority(command.instrument, 3 - command.side)
        if command.side == Side.BUY:
            return any(order.price_ticks <= command.price_ticks for order in other)
        return any(order.price_ticks >= command.price_ticks for order in other)

    def _refusal_of_means(self, command: NewOrder, time_ns: int) -> Refusal | None:
        """The refusal for too many open orders or too little money, found by letting a copy of the
        market run."""
        order = self._order_of(command, time_ns)
        stays = order.waits_for or (
            order.kind != OrderType.MARKET
            and order.time_in_force not in (TimeInForce.IOC, TimeInForce.FOK)
        )
        most = self.rules.max_open_orders
        mine = [each for each in self.open if each.account == command.account]
        if most and stays and len(mine) >= most:
            return RejectReason.EXCEEDS_LIMIT, "account"
        if order.waits_for == "uncross":
            gathered = [o for o in self.open if o.waits_for and o.instrument == order.instrument]
            gathered = [o for o in gathered if o.waits_for == "uncross"]
            if len(gathered) >= self.market.max_level_orders:
                return RejectReason.LEVEL_FULL, "instrument"
        elif stays and not order.waits_for and self.market.is_level_full(order):
            return RejectReason.LEVEL_FULL, "price"
        if not self.rules.accounts:
            return None
        asset, need = self.market.need(order, command.quote_amount)
        if need > self.market.money.free(command.account, asset, self.open):
            field = "quote_amount" if command.quote_amount else "quantity"
            return RejectReason.INSUFFICIENT_BALANCE, field
        return None

    def _cancel(self, command: CancelOrder) -> None:
        order = self._find(command)
        if order is None:
            self._reject_unknown(command)
        else:
            self.market.cancel(order, command.gateway, command.request_seq)

    def _amend(self, command: AmendOrder) -> None:
        market = self.market
        order = self._find(command)
        if order is None:
            self._reject_unknown(command)
            return
        amended = copy_of(
            order,
            price_ticks=command.price_ticks or order.price_ticks,
            total_lots=command.quantity_lots or order.total_lots,
            trigger_ticks=command.trigger_ticks or order.trigger_ticks,
        )
        if order.held_per_lot:
            amended.held_per_lot = market.money.held_per_lot(amended, market, order)
        refusal = self._refusal_of_amend(command, order, amended)
        if refusal:
            self._reject(command, refusal)
            return
        if amended.total_lots <= order.filled_lots:
            market.cancel(order, command.gateway, command.request_seq)
            return
        kept = (
            amended.price_ticks == order.price_ticks
            and amended.total_lots <= order.total_lots
            and (amended.trigger_ticks == order.trigger_ticks or order.waits_for != "trigger")
        )
        order.price_ticks, order.total_lots = amended.price_ticks, amended.total_lots
        order.trigger_ticks, order.held_per_lot = amended.trigger_ticks, amended.held_per_lot
        if not kept:
            market.open.remove(order)
            order.arrival = market.seq
            order.show_next_slice()
        order.shown_lots = min(order.shown_lots, order.remaining_lots)
        market.events.append(
            OrderAmended(
                seq=market.seq, gateway=command.gateway, request_seq=command.request_seq,
                account=order.account, instrument=order.instrument, order_id=order.order_id,
                side=order.side, price_ticks=order.price_ticks, quantity_lots=order.total_lots,
                filled_lots=order.filled_lots, remaining_lots=order.remaining_lots,
                kept_priority=kept, client_order_id=order.client_order_id,
                trigger_ticks=order.trigger_ticks if order.waits_for == "trigger" else 0,
                display_lots=order.display_lots, shown_lots=order.shown_lots,
            )
        )  # fmt: skip
        if kept:
            return
        if order.waits_for:
            market.open.append(order)
        else:
            market.come_in(order, again=True)
            market.begin(market.elect(order.instrument))

    def _refusal_of_amend(
        self, command: AmendOrder, order: ModelOrder, amended: ModelOrder
    ) -> Refusal | None:
        market = self.market
        instrument = self.instruments[order.instrument]
        state = market.states[order.instrument]
        if not (command.price_ticks or command.quantity_lots or command.trigger_ticks):
            return RejectReason.MALFORMED, "quantity"
        if state in refusals.CLOSED:
            return RejectReason.MARKET_HALTED, "instrument"
        if command.trigger_ticks and order.waits_for != "trigger":
            return refusals.UNSUPPORTED, "stop_price"
        if order.price_ticks == 0 and command.price_ticks:
            return refusals.UNSUPPORTED, "price"
        if order.price_ticks == 0:
            refusal = refusals.of_lots(instrument, amended.total_lots)
        else:
            refusal = refusals.of_terms(instrument, amended.price_ticks, amended.total_lots)
        if refusal is None and command.trigger_ticks:
            last = market.last_prices[order.instrument]
            refusal = refusals.of_trigger(
                instrument, order.side, order.kind, amended.trigger_ticks, last
            )
        if refusal is None and order.display_lots:
            total = max(amended.total_lots, order.display_lots)
            refusal = refusals.of_display(instrument, order.display_lots, total)
        if refusal or amended.total_lots <= order.filled_lots:
            return refusal
        resting_only = order.post_only or state == InstrumentState.POST_ONLY
        takes = order.waits_for != "trigger" and bool(market.makers(amended))
        moved = amended.price_ticks != order.price_ticks
        if resting_only and moved and takes and state != InstrumentState.AUCTION:
            return RejectReason.POST_ONLY_WOULD_TAKE, "price"
        if moved and not order.waits_for and market.is_level_full(amended):
            return RejectReason.LEVEL_FULL, "price"
        if order.held_per_lot:
            asset = market.money.asset_of(order, instrument)
            others = [each for each in self.open if each is not order]
            free = market.money.free(order.account, asset, others)
            need = amended.remaining_lots * amended.held_per_lot
            if need > free and need > order.remaining_lots * order.held_per_lot:
                field = "price" if amended.total_lots <= order.total_lots else "quantity"
                return RejectReason.INSUFFICIENT_BALANCE, field
        return None

    def _mass_cancel(self, command: MassCancelOrders) -> None:
        if command.instrument and command.instrument not in self.instruments:
            self._reject(command, (RejectReason.UNKNOWN_SYMBOL, "instrument"))
            return
        if command.side not in (0, Side.BUY, Side.SELL):
            self._reject(command, (RejectReason.UNSUPPORTED_COMBINATION, "side"))
            return
        gone = [
            order
            for order in self.open
            if command.account in (0, order.account)
            and command.instrument in (0, order.instrument)
            and command.side in (0, order.side)
        ]
        gone.sort(key=lambda order: order.order_id)
        self.market.events.append(
            OrdersMassCanceled(
                seq=self.seq, gateway=command.gateway, request_seq=command.request_seq,
                account=command.account, instrument=command.instrument, side=command.side,
                count=len(gone),
            )
        )  # fmt: skip
        self.market.begin(self.market.cancel_all(gone, command.reason))

    def _find(self, command: CancelOrder | AmendOrder) -> ModelOrder | None:
        for order in self.open:
            if order.account != command.account or order.instrument != command.instrument:
                continue
            if command.order_id:
                if order.order_id == command.order_id:
                    return order
            elif command.client_order_id and order.client_order_id == command.client_order_id:
                return order
        return None

    def _reject(self, command: Command, refusal: Refusal) -> None:
        name = ""
        if isinstance(command, NewOrder | CancelOrder | AmendOrder):
            name = command.client_order_id
        self.market.events.append(
            CommandRejected(
                seq=self.seq, gateway=command.gateway, request_seq=command.request_seq,
                account=command.account, instrument=command.instrument, reason=refusal[0],
                field=refusal[1], client_order_id=name,
            )
        )  # fmt: skip

    def _reject_unknown(self, command: CancelOrder | AmendOrder) -> None:
        field = "order_id" if command.order_id else "client_order_id"
        self._reject(command, (RejectReason.UNKNOWN_ORDER, field))

    def _repeated(self, command: NewOrder, earlier: ModelOrder) -> OrderRepeated:
        return OrderRepeated(
            seq=self.seq, gateway=command.gateway, request_seq=command.request_seq,
            account=earlier.account, instrument=earlier.instrument, order_id=earlier.order_id,
            status=earlier.status, filled_lots=earlier.filled_lots,
            remaining_lots=earlier.remaining_lots if earlier.status in _ALIVE else 0,
            client_order_id=earlier.client_order_id,
        )  # fmt: skip
