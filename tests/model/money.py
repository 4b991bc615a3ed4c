"""The obvious money: totals by account and asset. Holds are added up on each request."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from crossbook.common.instruments import Instrument
from crossbook.common.rules import FEE_ACCOUNT, Rules
from crossbook.common.types import OrderType, Side
from tests.model.orders import ModelOrder

if TYPE_CHECKING:
    from tests.model.market import Market


class Money:
    """The totals of every account. `assets` names the asset that each account's orders pay with."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.totals: dict[tuple[int, str], int] = {}
        self.opened: set[int] = {FEE_ACCOUNT}
        self._assets: dict[int, tuple[str, str]] = {}

    def asset_of(self, order: ModelOrder, instrument: Instrument) -> str:
        """The asset that an order pays with."""
        self._assets[order.instrument] = (instrument.base, instrument.quote)
        return instrument.quote if order.side == Side.BUY else instrument.base

    def opening(self) -> dict[str, int]:
        """The opening money of every account."""
        return dict(self.rules.opening)

    def open(self, account: int) -> list[tuple[str, int]] | None:
        """Give a new account its money; None if the account is not new or money is not counted."""
        if not self.rules.accounts or account in self.opened:
            return None
        given = [(asset, amount) for asset, amount in self.opening().items() if amount]
        self.opened.add(account)
        for asset, amount in given:
            self.totals[account, asset] = amount
        return given

    def held(self, account: int, asset: str, orders: Iterable[ModelOrder]) -> int:
        """The amount of an asset that these open orders of an account hold."""
        total = 0
        for order in orders:
            base, quote = self._assets.get(order.instrument, ("", ""))
            pays = quote if order.side == Side.BUY else base
            if order.account == account and pays == asset:
                total += order.remaining_lots * order.held_per_lot
        return total

    def free(self, account: int, asset: str, orders: Iterable[ModelOrder]) -> int:
        """The amount that an account may still spend beside these open orders."""
        if account not in self.opened:
            return self.opening().get(asset, 0)
        return self.totals.get((account, asset), 0) - self.held(account, asset, orders)

    def held_per_lot(
        self, order: ModelOrder, market: "Market", before: ModelOrder | None = None
    ) -> int:
        """The amount that each lot of an order holds; `before` is the order that is being
        amended."""
        if not self.rules.accounts:
            return 0
        instrument = market.instruments[order.instrument]
        if order.side == Side.SELL:
            return 0 if order.total_lots == 0 else instrument.base_units_per_lot
        unit = instrument.notional_per_tick_lot
        if order.price_ticks:
            return order.price_ticks * unit
        if order.waits_for == "trigger":
            return order.trigger_ticks * unit
        if before is not None:
            return before.held_per_lot
        if order.kind == OrderType.MARKET and order.waits_for == "uncross":
            return market.last_prices[order.instrument] * unit
        return 0

    def exchange(
        self,
        instrument: Instrument,
        taker: ModelOrder,
        maker: ModelOrder,
        bought: int,
        paid: int,
        taker_fee: int,
        maker_fee: int,
    ) -> None:
        """Move base from seller to buyer, quote from buyer to seller, and fees to the venue."""
        if not self.rules.accounts:
            return
        buyer, seller = (taker, maker) if taker.side == Side.BUY else (maker, taker)
        fees = {taker.order_id: taker_fee, maker.order_id: maker_fee}
        for account, asset, amount in (
            (buyer.account, instrument.quote, -paid),
            (buyer.account, instrument.base, bought - fees[buyer.order_id]),
            (seller.account, instrument.base, -bought),
            (seller.account, instrument.quote, paid - fees[seller.order_id]),
            (FEE_ACCOUNT, instrument.base, fees[buyer.order_id]),
            (FEE_ACCOUNT, instrument.quote, fees[seller.order_id]),
        ):
            self.totals[account, asset] = self.totals.get((account, asset), 0) + amount
