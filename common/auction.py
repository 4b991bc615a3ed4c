"""The price at which a call phase uncrosses, from the volumes that stand in it.

The price is the one at which most lots trade. Of several such prices it is the one with the least
surplus; of several of these the highest where all have a surplus of buyers, the lowest where all
have one of sellers; else the nearest to the reference, the higher of two. The reference is the last
trade's price, or before the first trade the middle of the prices still left. Candidates are every
limit price and the last trade's price.

The matcher uncrosses by this rule, and the publisher publishes its result during the call phase.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from crossbook.common.rules import EDITION


class Price(Struct, frozen=True):
    """Result of an uncross at `price_ticks`: `lots` trade, and `surplus_lots` do not, positive of
    buyers and negative of sellers. A price of zero means that nothing trades."""

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
            # From here on demand only shrinks.
            break
    return _best(found, reference_ticks, edition)


def _best(found: list[Price], reference_ticks: int, edition: int) -> Price:
    """The best of the prices at which most lots trade."""
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
