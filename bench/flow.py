"""The requests of the latency bench's clients: orders around a constant mid.

Once the book is built, about half of the requests rest (a geometric distance from the mid, on
their own side), a sixth are IOC orders reaching through the mid, and a third cancel the client's
own oldest order still open, which is seldom one about to be filled. A client cancels only while it
has more open orders than its share of `STANDING_ORDERS`, and would cancel more than it enters, so
the book keeps that size whatever the duration.
"""

import random
from collections.abc import Sequence
from itertools import cycle

from crossbook.common.instruments import Instrument
from crossbook.common.messages import entry
from crossbook.common.types import OrderStatus, Side, TimeInForce

CANCEL_SHARE = 0.40
"""Of the requests of a client with more open orders than its share."""
CROSSING_SHARE = 0.25
"""Of the new orders."""
STANDING_ORDERS = 240
"""Of all clients and instruments together."""
MEAN_DISTANCE_TICKS = 8
REACH_TICKS = 12
"""How far an IOC order reaches beyond the mid."""
MID_TICKS = 5_000_000
MAX_MULTIPLE = 10
TABLE_SIZE = 1 << 16
"""Decisions drawn ahead, so that the generator's loop draws none."""

_NEW = int(OrderStatus.NEW)
_GTC = int(TimeInForce.GTC)
_Decision = tuple[bool, str, int, int, int, int]
"""Cancel if there are orders to spare, else: symbol, side, quantity, price, time in force."""


class ClientFlow:
    """The next request of each client, and the state of its orders.

    A caller that needs at most `requests_most` gets the same requests with fewer drawn ahead.
    """

    def __init__(
        self,
        instruments: Sequence[Instrument],
        clients: int,
        seed: int,
        requests_most: int = TABLE_SIZE,
    ) -> None:
        chance = random.Random(seed)
        priced = [(each, each.notional_per_tick_lot) for each in instruments]
        table = [_decide(chance, priced) for _ in range(min(requests_most, TABLE_SIZE))]
        self._decisions = cycle(table)
        self._standing = STANDING_ORDERS // clients
        # Order id -> symbol, oldest first.
        self._open: list[dict[int, str]] = [{} for _ in range(clients)]
        self._symbols: list[list[str]] = [[""] for _ in range(clients)]

    def request(self, client: int, request_seq: int) -> entry.New | entry.Cancel:
        """The next request of `client`; its request numbers must be 1, 2, 3 and so on."""
        cancel, symbol, side, quantity, price, time_in_force = next(self._decisions)
        if cancel:
            resting = self._open[client]
            if len(resting) > self._standing:
                order_id = next(iter(resting))
                self._symbols[client].append("")
                return entry.Cancel(request_seq, resting.pop(order_id), order_id)
        self._symbols[client].append(symbol if time_in_force == _GTC else "")
        return entry.New(request_seq, symbol, side, quantity, price, 1, time_in_force)

    def acked(self, client: int, ack: entry.Ack) -> None:
        """Remember an order that was accepted to rest as one to cancel later."""
        if ack.status == _NEW:
            symbol = self._symbols[client][ack.request_seq]
            if symbol:
                self._open[client][ack.order_id] = symbol

    def ended(self, client: int, order_id: int) -> None:
        """Forget an order that has ended by itself."""
        self._open[client].pop(order_id, None)


def _decide(chance: random.Random, priced: Sequence[tuple[Instrument, int]]) -> _Decision:
    instrument, notional_per_tick_lot = chance.choice(priced)
    mid = min(MID_TICKS, instrument.max_price_ticks // 2)
    side = chance.choice((Side.BUY, Side.SELL))
    towards = 1 if side == Side.BUY else -1
    cancel = chance.random() < CANCEL_SHARE
    if not cancel and chance.random() < CROSSING_SHARE:
        price, time_in_force = mid + towards * REACH_TICKS, TimeInForce.IOC
    else:
        distance = 1 + int(chance.expovariate(1 / MEAN_DISTANCE_TICKS))
        price, time_in_force = mid - towards * distance, TimeInForce.GTC
    # A multiple of the fewest lots that the instrument's limits allow at the price.
    fewest_worth = -(-instrument.min_notional // (price * notional_per_tick_lot))
    lots = max(instrument.min_quantity_lots, fewest_worth, 1) * chance.randint(1, MAX_MULTIPLE)
    return cancel, instrument.symbol, int(side), lots, price, int(time_in_force)
