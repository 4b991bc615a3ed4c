"""Money: what accounts have, what their open orders hold of it, and what trades move.

An open order holds what it may need: `open lots x hold_unit`, always, so that a hold is exactly
zero when its order ends. A seller holds base, a buyer quote at the price that binds the order.
Every movement has two sides: over all accounts, the fee account included, an asset's total is
what was paid in less what was paid out.
"""

from collections.abc import Mapping
from typing import Final

from crossbook.common.instruments import Instrument
from crossbook.common.rules import BALANCE_MAX, EDITION, FEE_ACCOUNT, Rules
from crossbook.common.types import RejectReason, Side
from crossbook.matcher.engine.answers import Fault
from crossbook.matcher.engine.order import Account, Order

_BUY: Final = int(Side.BUY)


class Ledger:
    """The money of every account.

    `supply` is what was paid in of each asset, openings included, less what was paid out. The fee
    account alone may be below zero: it pays rebates in assets in which it may have earned nothing
    yet.
    """

    __slots__ = ("_accounts", "_fees", "edition", "rules", "supply")

    def __init__(self, rules: Rules, accounts: dict[int, Account]) -> None:
        self.rules = rules
        self.edition = EDITION
        self.supply: dict[str, int] = {}
        self._accounts = accounts
        fees = accounts.get(FEE_ACCOUNT)
        if fees is None:
            fees = accounts[FEE_ACCOUNT] = Account(FEE_ACCOUNT)
        fees.opened = True
        self._fees = fees

    def available(self, account: Account, asset: str) -> int:
        """The amount the account may still spend; before it is opened, its opening balance."""
        if account.opened:
            return account.total.get(asset, 0) - account.held.get(asset, 0)
        return self._opening().get(asset, 0)

    def open(self, account: Account) -> list[tuple[str, int]]:
        """Give an account that is seen for the first time what every account begins with."""
        account.opened = True
        given = [(asset, amount) for asset, amount in self._opening().items() if amount]
        for asset, amount in given:
            account.total[asset] = amount
            self.supply[asset] = self.supply.get(asset, 0) + amount
        return given

    def shortage(self, account: Account, asset: str, amount: int, field: str) -> Fault | None:
        """Why this much cannot be spent or held, or None."""
        if amount > self.available(account, asset):
            return (RejectReason.INSUFFICIENT_BALANCE, field)
        return None

    def hold(self, order: Order, instrument: Instrument, lots: int) -> None:
        """Hold (or with negative `lots` release) what so many lots of the order need."""
        asset = instrument.quote if order.side == _BUY else instrument.base
        held = order.account.held
        held[asset] = held.get(asset, 0) + lots * order.hold_unit

    def settle(
        self,
        instrument: Instrument,
        taker: Order,
        maker: Order,
        lots: int,
        base: int,
        quote: int,
        maker_fee: int,
        taker_fee: int,
    ) -> None:
        """Exchange base and quote, charge the fees, and release what the lots held."""
        if taker.side == _BUY:
            buyer, seller, buyer_fee, seller_fee = taker, maker, taker_fee, maker_fee
        else:
            buyer, seller, buyer_fee, seller_fee = maker, taker, maker_fee, taker_fee
        base_asset, quote_asset = instrument.base, instrument.quote
        total, held = buyer.account.total, buyer.account.held
        total[quote_asset] = total.get(quote_asset, 0) - quote
        total[base_asset] = total.get(base_asset, 0) + base - buyer_fee
        if buyer.hold_unit:
            held[quote_asset] -= lots * buyer.hold_unit
        total, held = seller.account.total, seller.account.held
        total[base_asset] = total.get(base_asset, 0) - base
        total[quote_asset] = total.get(quote_asset, 0) + quote - seller_fee
        if seller.hold_unit:
            held[base_asset] -= lots * seller.hold_unit
        total = self._fees.total
        total[base_asset] = total.get(base_asset, 0) + buyer_fee
        total[quote_asset] = total.get(quote_asset, 0) + seller_fee

    def adjustment_fault(self, account: Account, asset: str, amount: int) -> Fault | None:
        """Why this much may not be paid in or out, or None."""
        if amount > 0:
            there_is = self._counted(account, asset)
            if not account.opened:
                there_is += self._opening().get(asset, 0)
            if there_is + amount > BALANCE_MAX:
                return (RejectReason.EXCEEDS_LIMIT, "amount")
            return None
        return self.shortage(account, asset, -amount, "amount")

    def adjust(self, account: Account, asset: str, amount: int) -> int:
        """Pay in or out; the account's total afterwards."""
        balance = account.total[asset] = account.total.get(asset, 0) + amount
        self.supply[asset] = self.supply.get(asset, 0) + amount
        return balance

    def _counted(self, account: Account, asset: str) -> int:
        """The amount a deposit may not lift above the limit: that of the account. Under the first
        edition it was that of all accounts."""
        if self.edition == 1:
            return self.supply.get(asset, 0)
        return account.total.get(asset, 0)

    def _opening(self) -> Mapping[str, int]:
        """The opening balances of the next account. Under the first edition an asset was left out
        where there would have been too much of it over all accounts."""
        if self.edition > 1:
            return dict(self.rules.opening)
        return {
            asset: amount if self.supply.get(asset, 0) + amount <= BALANCE_MAX else 0
            for asset, amount in self.rules.opening
        }
