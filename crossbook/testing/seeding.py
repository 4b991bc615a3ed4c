"""What a test puts into an exchange before its bot trades: levels of a book, and money."""

import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Final, TypeAlias

from crossbook.client.admin_client import AdminClient
from crossbook.client.client import Client
from crossbook.client.request import mass_cancel, new_order
from crossbook.common.errors import DecimalError
from crossbook.common.grid import parse_decimal
from crossbook.common.instruments import Instrument
from crossbook.common.messages.commands import AdjustBalance
from crossbook.common.messages.entry import Ack, MassCancel, New
from crossbook.common.types import RejectReason, Side
from crossbook.errors import ActRefused, OrderRejected
from crossbook.testing.facts import Facts
from crossbook.testing.values import Exact, Level, Number

HOUSE_ACCOUNT: Final = 2_000_000_001
"""The account of the orders that `Exchange.book` enters."""

BUSY_S: Final = 5.0
"""Longest wait for a gateway that has no room for a request."""

BUSY_MS: Final = 10
"""Wait before such a request is sent again."""

Levels: TypeAlias = Sequence[Level]
"""The levels of one side, best first."""


class Seeding:
    """Enters the orders of the house account, and pays money into accounts.

    Every number of a request is the same in each run of the same test.
    """

    def __init__(self, facts: Facts, administrators: Sequence[AdminClient]) -> None:
        self._facts = facts
        self._administrators = administrators
        self._quoted: set[str] = set()
        self._transfers = 0
        self._has_accounts = True

    def book(self, house: Client, symbol: str, bids: Levels, asks: Levels) -> int:
        """Make these levels the house's only orders in an instrument; the number of the last.

        Raises `ValueError` for levels that are no book, naming the level, and `OrderRejected` where
        an order is refused: it would trade with one of another account.
        """
        instrument, shard = self._facts.instrument(symbol)
        orders = [
            (side, *lots)
            for side, name, levels in ((Side.BUY, "bids", bids), (Side.SELL, "asks", asks))
            for lots in _in_steps(instrument, name, levels, descending=side is Side.BUY)
        ]
        _check_sides(orders)
        last_seq = 0
        if symbol in self._quoted:
            last_seq = _entered(house, [mass_cancel(symbol)])
        if not orders:
            self._quoted.discard(symbol)
            return last_seq
        self._quoted.add(symbol)
        self._deposit_for(instrument, shard, orders)
        requests = [
            new_order(
                symbol,
                side,
                instrument.quantity_text(lots),
                instrument.price_text(ticks),
                post_only=True,
            )
            for side, ticks, lots in orders
        ]
        return _entered(house, requests)

    def fund(self, account: int, amounts: Mapping[str, Number]) -> None:
        """Pay amounts into an account, by asset; raises `ValueError` naming a wrong one."""
        decimals = self._facts.decimals()
        for asset, amount in amounts.items():
            units = _units(asset, amount, decimals)
            if not units:
                raise ValueError(f"{asset}={amount!r}: is not above zero")
            for shard in self._facts.shards_of(asset):
                self._adjust(shard, account, asset, units)

    def set_balances(self, account: int, amounts: Mapping[str, Number]) -> None:
        """Give an account exactly these balances, and nothing of any other asset.

        Raises `ActRefused` where its open orders hold more.
        """
        decimals = self._facts.decimals()
        wanted = {asset: _units(asset, amount, decimals) for asset, amount in amounts.items()}
        for shard, administrator in enumerate(self._administrators):
            has = {each.asset: each.total_units for each in administrator.view(account).balances}
            assets = [asset for asset in decimals if shard in self._facts.shards_of(asset)]
            for asset in assets:
                if units := wanted.get(asset, 0) - has.get(asset, 0):
                    self._adjust(shard, account, asset, units)

    def deposit(self, shard: int, account: int, money: Iterable[tuple[str, int]]) -> None:
        """Pay smallest units of assets into an account; nothing where the exchange keeps none."""
        for asset, units in money:
            if units and self._has_accounts:
                try:
                    self._adjust(shard, account, asset, units)
                except ActRefused as refused:
                    if refused.field != "account":
                        raise
                    self._has_accounts = False

    def _deposit_for(
        self, instrument: Instrument, shard: int, orders: Sequence[tuple[Side, int, int]]
    ) -> None:
        """Pay the house what these orders hold."""
        quote = sum(ticks * lots for side, ticks, lots in orders if side is Side.BUY)
        base = sum(lots for side, _, lots in orders if side is Side.SELL)
        money = [
            (instrument.quote, quote * instrument.notional_per_tick_lot),
            (instrument.base, base * instrument.base_units_per_lot),
        ]
        self.deposit(shard, HOUSE_ACCOUNT, money)

    def _adjust(self, shard: int, account: int, asset: str, units: int) -> None:
        self._transfers += 1
        command = AdjustBalance(0, 0, account, 0, asset, units, f"test-{self._transfers}")
        self._administrators[shard].act(command)


def _in_steps(
    instrument: Instrument, name: str, levels: Levels, *, descending: bool
) -> list[tuple[int, int]]:
    """Ticks and lots of each level."""
    found = []
    for index, (price, quantity) in enumerate(levels):
        for field, value in (("price", price), ("quantity", quantity)):
            try:
                text = str(Exact(value))
                steps = (
                    instrument.price_to_ticks(text)
                    if field == "price"
                    else instrument.quantity_to_lots(text)
                )
            except (DecimalError, TypeError, ValueError) as error:
                raise ValueError(f"{name}[{index}]: {field} {value!r}: {error}") from error
            found.append(steps)
    pairs = list(zip(found[::2], found[1::2], strict=True))
    for index, ((one, _), (next_one, _)) in enumerate(pairwise(pairs), 1):
        if (next_one > one) is descending and next_one != one:
            raise ValueError(
                f"{name}[{index}]: price {levels[index][0]!r} is better than the one before; the "
                "best level comes first"
            )
    return pairs


def _check_sides(orders: Sequence[tuple[Side, int, int]]) -> None:
    bids = [ticks for side, ticks, _ in orders if side is Side.BUY]
    asks = [ticks for side, ticks, _ in orders if side is Side.SELL]
    if bids and asks and bids[0] >= asks[0]:
        raise ValueError("asks[0]: the best ask is not above the best bid, so the two would trade")


def _units(asset: str, amount: Number, decimals: Mapping[str, int]) -> int:
    if asset not in decimals:
        raise ValueError(f"{asset}: no instrument here has this asset, but {', '.join(decimals)}")
    try:
        return parse_decimal(str(Exact(amount)), decimals[asset])
    except (DecimalError, TypeError, ValueError) as error:
        raise ValueError(f"{asset}={amount!r}: {error}") from error


def _entered(house: Client, requests: Sequence[New | MassCancel]) -> int:
    """Enter all requests, the first ones first; returns the number of the last.

    What an account may not send yet, or a gateway has no room for, is sent again. Raises
    `OrderRejected` for any other refusal, and for a gateway that stays full for `BUSY_S`.
    """
    last_seq = 0
    busy_until_s = time.monotonic() + BUSY_S
    while requests:
        answers = house.batch(requests)
        wait_ms = 0
        left = []
        for request, answer in zip(requests, answers, strict=True):
            if isinstance(answer, Ack):
                last_seq = answer.seq
                busy_until_s = time.monotonic() + BUSY_S
            elif answer.reason == RejectReason.THROTTLED:
                wait_ms = max(wait_ms, answer.retry_after_ms)
                left.append(request)
            elif answer.reason == RejectReason.BUSY and time.monotonic() < busy_until_s:
                wait_ms = max(wait_ms, BUSY_MS)
                left.append(request)
            else:
                raise OrderRejected(answer)
        time.sleep(wait_ms / 1_000)
        requests = left
    return last_seq
