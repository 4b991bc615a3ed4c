"""Time and the acts of an administrator in the obvious matcher."""

from fractions import Fraction

from msgspec.structs import replace

from crossbook.common.instruments import Instrument, definition_fault
from crossbook.common.messages.commands import (
    AddInstrument,
    AdjustBalance,
    SetCancelAfter,
    SetFees,
    SetInstrumentState,
    Uncross,
)
from crossbook.common.messages.events import (
    AccountOpened,
    AuctionUncrossed,
    BalanceAdjusted,
    CancelAfterSet,
    Event,
    FeesChanged,
    InstrumentAdded,
    InstrumentStateChanged,
    TimeAdvanced,
)
from crossbook.common.rules import BALANCE_MAX
from crossbook.common.types import InstrumentState, RejectReason, Side
from tests.model.auction import uncross_price
from tests.model.market import Market, Steps
from tests.model.orders import ModelOrder, Refusal, fee

UNSUPPORTED = RejectReason.UNSUPPORTED_COMBINATION
DAY_NS = 86_400 * 10**9


class Administration:
    """Deadlines of accounts and of halts, and the acts of an administrator."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.deadlines: dict[int, tuple[int, int]] = {}
        self.halts: dict[int, tuple[int, int]] = {}
        self.transfers: list[str] = []

    def advance(self, time_ns: int) -> list[Event]:
        """Do every act that is due by a time, in order of time and number."""
        market = self.market
        if market.rest is None and not self._due(time_ns):
            return []
        market.seq += 1
        market.events = [TimeAdvanced(market.seq, time_ns)]
        if market.rest is not None:
            act, market.rest = market.rest, None
            market.begin(act)
        while not market.is_full and (due := self._due(time_ns)):
            _, _, kind, number = due[0]
            if kind == "order":
                for order in [o for o in market.open if o.order_id == number]:
                    market.expire(order, RejectReason.EXPIRE_TIME)
            elif kind == "account":
                self._end_deadline(number)
            else:
                self._end_halt(number)
        return market.events

    def _due(self, time_ns: int) -> list[tuple[int, int, str, int]]:
        """Every act that is due, in order of time and number."""
        due: list[tuple[int, int, str, int]] = []
        due += [
            (order.expire_ns, order.order_id, "order", order.order_id)
            for order in self.market.open
            if order.expire_ns
        ]
        due += [(*when, "account", account) for account, when in self.deadlines.items()]
        due += [(*when, "halt", instrument) for instrument, when in self.halts.items()]
        return sorted(each for each in due if each[0] <= time_ns)

    def _end_deadline(self, account: int) -> None:
        """Cancel the orders of an account. Its deadline stays while some orders are left."""
        market = self.market
        mine = [order for order in market.open if order.account == account]
        for order in sorted(mine, key=lambda order: order.order_id):
            if market.is_full:
                return
            market.cancel(order, 0, 0, RejectReason.CANCEL_AFTER)
        del self.deadlines[account]

    def _end_halt(self, instrument: int) -> None:
        market = self.market
        del self.halts[instrument]
        market.states[instrument] = (
            InstrumentState.AUCTION if self._is_crossed(instrument) else InstrumentState.OPEN
        )
        market.events.append(
            InstrumentStateChanged(
                seq=market.seq,
                gateway=0,
                request_seq=0,
                instrument=instrument,
                state=market.states[instrument],
            )
        )
        market.begin(market.elect(instrument))

    def _is_crossed(self, instrument: int) -> bool:
        """Whether opposite orders cross, or market orders wait."""
        market = self.market
        bids = [o.price_ticks for o in market.by_priority(instrument, Side.BUY)]
        asks = [o.price_ticks for o in market.by_priority(instrument, Side.SELL)]
        return bool(self._gathered(instrument)) or bool(bids and asks and max(bids) >= min(asks))

    def _gathered(self, instrument: int) -> list[ModelOrder]:
        return [
            o for o in self.market.open if o.instrument == instrument and o.waits_for == "uncross"
        ]

    def cancel_after(self, command: SetCancelAfter, time_ns: int) -> Refusal | None:
        """Set, renew or drop an account's deadline."""
        if not 0 <= command.timeout_ns <= DAY_NS:
            return RejectReason.EXCEEDS_LIMIT, "timeout"
        self.deadlines.pop(command.account, None)
        deadline = time_ns + command.timeout_ns if command.timeout_ns else 0
        if deadline:
            self.deadlines[command.account] = (deadline, self.market.seq)
        self.market.events.append(
            CancelAfterSet(
                seq=self.market.seq,
                gateway=command.gateway,
                request_seq=command.request_seq,
                account=command.account,
                deadline_ns=deadline,
            )
        )
        return None

    @staticmethod
    def _shortchanged(new: Instrument) -> str:
        """The asset of which rounding a fee takes more than a tenth of some small fill."""
        smallest = {
            "base": (new.base_units_per_lot, 1),
            "quote": (new.notional_per_tick_lot, new.min_price_ticks),
        }
        for asset, (one, least) in smallest.items():
            for rate in (new.maker_fee_rate, new.taker_fee_rate):
                for amount in range(one * least, 21, one):
                    exact = Fraction(amount * rate, 10**6)
                    if fee(amount, rate) - exact > Fraction(amount, 10) and rate > 0:
                        return asset
        return ""

    def add_instrument(self, command: AddInstrument) -> Refusal | None:
        """Add an instrument."""
        market, new = self.market, command.definition
        field = definition_fault(new)
        if field:
            return RejectReason.MALFORMED, field
        if command.instrument != new.id:
            return RejectReason.MALFORMED, "instrument"
        if asset := self._shortchanged(new):
            return UNSUPPORTED, f"{asset}_decimals"
        for known in market.instruments.values():
            if known.id == new.id or known.symbol == new.symbol:
                return UNSUPPORTED, "instrument"
        market.instruments[new.id] = new
        market.trade_ids[new.id] = market.last_prices[new.id] = market.looked_at[new.id] = 0
        market.states[new.id] = int(InstrumentState.OPEN)
        market.events.append(
            InstrumentAdded(
                seq=market.seq,
                gateway=command.gateway,
                request_seq=command.request_seq,
                instrument=new.id,
                definition=new,
            )
        )
        return None

    def set_state(self, command: SetInstrumentState) -> Refusal | None:
        """Set another state, perhaps until a time."""
        market, instrument = self.market, command.instrument
        if instrument not in market.instruments:
            return RejectReason.UNKNOWN_SYMBOL, "instrument"
        trades = (InstrumentState.OPEN, InstrumentState.POST_ONLY)
        if command.state not in list(InstrumentState):
            return UNSUPPORTED, "state"
        if command.state in trades and self._is_crossed(instrument):
            return UNSUPPORTED, "state"
        if not 0 <= command.until_ns < 2**63:
            return RejectReason.EXCEEDS_LIMIT, "until"
        if command.until_ns and command.state == InstrumentState.OPEN:
            return UNSUPPORTED, "until"
        self.halts.pop(instrument, None)
        if command.until_ns:
            self.halts[instrument] = (command.until_ns, market.seq)
        market.states[instrument] = command.state
        market.events.append(
            InstrumentStateChanged(
                seq=market.seq,
                gateway=command.gateway,
                request_seq=command.request_seq,
                instrument=instrument,
                state=command.state,
                until_ns=command.until_ns,
            )
        )
        market.begin(market.elect(instrument))
        return None

    def uncross(self, command: Uncross) -> Refusal | None:
        """End the call phase with one price."""
        market, instrument = self.market, command.instrument
        if instrument not in market.instruments:
            return RejectReason.UNKNOWN_SYMBOL, "instrument"
        if market.states[instrument] != InstrumentState.AUCTION:
            return UNSUPPORTED, "state"
        if command.state not in list(InstrumentState):
            return UNSUPPORTED, "state"
        answer_at = len(market.events)
        while True:
            orders = [
                o
                for o in market.open
                if o.instrument == instrument and o.waits_for in ("", "uncross")
            ]
            price, lots, surplus = uncross_price(orders, market.last_prices[instrument])
            poor = self._cannot_pay(instrument, price)
            if not poor:
                break
            for order in poor:
                market.expire(order, RejectReason.INSUFFICIENT_BALANCE)
        market.events.insert(
            answer_at,
            AuctionUncrossed(
                seq=market.seq, gateway=command.gateway, request_seq=command.request_seq,
                instrument=instrument, price_ticks=price, quantity_lots=lots, surplus_lots=surplus,
            ),
        )  # fmt: skip
        market.begin(self._end_call(instrument, price, lots, command.state))
        return None

    def _end_call(self, instrument: int, price: int, lots: int, state: int) -> Steps:
        """Trade at one price, expire the rest of market orders, and enter a state."""
        market = self.market
        yield from self._match_at(instrument, price, lots)
        for order in self._gathered(instrument):
            yield
            market.expire(order, RejectReason.INSUFFICIENT_LIQUIDITY)
        self.halts.pop(instrument, None)
        market.states[instrument] = state
        market.events.append(
            InstrumentStateChanged(
                seq=market.seq, gateway=0, request_seq=0, instrument=instrument, state=state
            )
        )
        yield from market.elect(instrument)

    def _cannot_pay(self, instrument: int, price: int) -> list[ModelOrder]:
        """The market orders that their accounts cannot pay at a price, judged one after the other.
        A market order that cannot be paid frees its hold for the later ones."""
        market = self.market
        if not market.money.rules.accounts:
            return []
        definition = market.instruments[instrument]
        unit = price * definition.notional_per_tick_lot
        money: dict[int, int] = {}
        poor = []
        for order in self._gathered(instrument):
            if order.side == Side.SELL:
                continue
            account = order.account
            if account not in money:
                money[account] = market.money.free(account, definition.quote, market.open)
            rest = money[account] + order.remaining_lots * order.held_per_lot
            if order.remaining_lots * unit > rest:
                poor.append(order)
            else:
                rest -= order.remaining_lots * unit
            money[account] = rest
        return poor

    def _match_at(self, instrument: int, price: int, lots: int) -> Steps:
        """Give `lots` to the first buyers and the first sellers, one pair after the other."""
        market = self.market
        while lots:
            yield
            pair = []
            for side in (Side.BUY, Side.SELL):
                gathered = [o for o in self._gathered(instrument) if o.side == side]
                pair.append((gathered + market.by_priority(instrument, side))[0])
            pair.sort(key=lambda order: (order.arrival, order.order_id))
            maker, taker = pair
            traded = min(maker.remaining_lots, taker.remaining_lots, lots)
            lots -= traded
            market.fill(taker, maker, traded, price)
            for order in pair:
                if order.display_lots and order.remaining_lots:
                    order.shown_lots = max(order.shown_lots - traded, 0)
                    if not order.shown_lots:
                        market.replenish(order, requeued=False)

    def set_fees(self, command: SetFees) -> Refusal | None:
        """Set fee rates for all accounts, or for one."""
        market, instrument = self.market, command.instrument
        if instrument not in market.instruments:
            return RejectReason.UNKNOWN_SYMBOL, "instrument"
        definition = market.instruments[instrument]
        maker, taker = command.maker_fee_rate, command.taker_fee_rate
        if command.inherit:
            if command.account == 0:
                return UNSUPPORTED, "account"
            maker, taker = definition.maker_fee_rate, definition.taker_fee_rate
        if abs(maker) > 100_000:
            return RejectReason.EXCEEDS_LIMIT, "maker_fee_rate"
        if abs(taker) > 100_000:
            return RejectReason.EXCEEDS_LIMIT, "taker_fee_rate"
        if maker + taker < 0:
            return UNSUPPORTED, "maker_fee_rate"
        if not command.inherit:
            charged = replace(definition, maker_fee_rate=maker, taker_fee_rate=taker)
            if (asset := self._shortchanged(charged)) and not self._shortchanged(definition):
                return UNSUPPORTED, f"{asset}_decimals"
        if command.inherit:
            market.own_fees.pop((command.account, instrument), None)
        elif command.account:
            market.own_fees[command.account, instrument] = (maker, taker)
        else:
            market.instruments[instrument] = replace(
                definition, maker_fee_rate=maker, taker_fee_rate=taker
            )
        market.events.append(
            FeesChanged(
                seq=market.seq, gateway=command.gateway, request_seq=command.request_seq,
                account=command.account, instrument=instrument, maker_fee_rate=maker,
                taker_fee_rate=taker, inherited=command.inherit,
            )
        )  # fmt: skip
        return None

    def adjust(self, command: AdjustBalance) -> Refusal | None:
        """Deposit or withdraw money."""
        market, money = self.market, self.market.money
        account, asset, amount = command.account, command.asset, command.amount
        if not money.rules.accounts:
            return UNSUPPORTED, "account"
        if not 0 <= account < 2**31:
            return RejectReason.EXCEEDS_LIMIT, "account"
        if not any(asset in (i.base, i.quote) for i in market.instruments.values()):
            return RejectReason.UNKNOWN_SYMBOL, "asset"
        if not command.transfer_id:
            return RejectReason.MALFORMED, "transfer_id"
        if not amount:
            return RejectReason.MALFORMED, "amount"
        if command.transfer_id in self.transfers:
            return RejectReason.DUPLICATE_TRANSFER, "transfer_id"
        if amount > 0:
            comes = 0 if account in money.opened else money.opening().get(asset, 0)
            if money.totals.get((account, asset), 0) + comes + amount > BALANCE_MAX:
                return RejectReason.EXCEEDS_LIMIT, "amount"
        elif -amount > money.free(account, asset, market.open):
            return RejectReason.INSUFFICIENT_BALANCE, "amount"
        opened = money.open(account)
        balance = money.totals[account, asset] = money.totals.get((account, asset), 0) + amount
        self.transfers.append(command.transfer_id)
        market.events.append(
            BalanceAdjusted(
                seq=market.seq, gateway=command.gateway, request_seq=command.request_seq,
                account=account, asset=asset, amount=amount, balance=balance,
                transfer_id=command.transfer_id,
            )
        )  # fmt: skip
        if opened is not None:
            market.events.append(AccountOpened(market.seq, account, opened))
        return None
