"""The price at which a call phase uncrosses, from the volumes that stand in it.

The price is the one at which most can trade; of several, where the least is left over; then, when
all of them leave buyers over, the highest, and when sellers, the lowest; then the nearest to the
reference (the last trade; before the first one the middle of the prices still left), the higher of
two. Candidates are every limit price and the last trade's.

The matcher uncrosses by this rule and the publisher shows what it would give.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from crossbook.common.rules import EDITION


class Price(Struct, frozen=True):
    """What an uncross at `price_ticks` trades, and what is left over: of buyers above zero, of
    sellers below. A price of zero: nothing can trade."""

    price_ticks: int
    lots: int
    surplus_lots: int


NOTHING: Final = Price(0, 0, 0)


def uncross_price(
    bids: Mapping[int, int],
    asks: Mapping[int, int],
    market_bid_lots: int,
    market_ask_lots: int,
    reference_ticks: int,
    edition: int = EDITION,
) -> Price:
    """The price at which these volumes uncross.

    `bids` and `asks` are lots by limit price, hidden ones included; `reference_ticks` is zero
    before the first trade. O(prices log prices).

    >>> uncross_price({103: 5, 100: 2}, {101: 4}, 0, 3, 102)
    Price(price_ticks=101, lots=5, surplus_lots=-2)
    """
    prices = {*bids, *asks}
    if reference_ticks:
        prices.add(reference_ticks)
    demand = market_bid_lots + sum(bids.values())
    supply = market_ask_lots
    most = 1
    found: list[Price] = []
    for price in sorted(prices):
        # Bids below a price do not buy at it; asks up to a price sell at it.
        supply += asks.get(price, 0)
        lots = min(demand, supply)
        if lots > most:
            most = lots
            found.clear()
        if lots == most:
            found.append(Price(price, lots, demand - supply))
        demand -= bids.get(price, 0)
        if demand < most:
            # Less and less can be bought from here on.
            break
    return _best(found, reference_ticks, edition)


def _best(found: list[Price], reference_ticks: int, edition: int) -> Price:
    """Of the prices at which most trades, by what is left over."""
    if not found:
        return NOTHING
    least = min(abs(each.surplus_lots) for each in found)
    found = [each for each in found if abs(each.surplus_lots) == least]
    if all(each.surplus_lots > 0 for each in found):
        return found[-1]
    if all(each.surplus_lots < 0 for each in found):
        return found[0]
    if reference_ticks:
        doubled = 2 * reference_ticks
    else:
        # Twice the middle, because the middle itself may lie between two ticks.
        doubled = found[0].price_ticks + found[-1].price_ticks
        if edition == 1:
            doubled -= doubled % 2
    return min(found, key=lambda each: (abs(2 * each.price_ticks - doubled), -each.price_ticks))
