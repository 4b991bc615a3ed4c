"""Seeded order flow for the core benchmark, in the shape of a public survey of open engines.

One instrument. Every new order is placed passively on its own side of a geometric-Brownian mid:
buys along the first half of its path, sells along the second, arrivals shuffled, so orders meet
where the two halves overlap. Then a life is drawn for each. The constants below are the survey's
published ones; the generator is our own, so its streams are alike but not identical.
"""

import math
import random
from bisect import bisect
from collections.abc import Iterator
from itertools import accumulate

from msgspec import Struct

from crossbook.common.instruments import Instrument
from crossbook.common.messages.commands import AmendOrder, CancelOrder, Command, NewOrder
from crossbook.common.types import OrderType, Side, TimeInForce

START_MID_TICKS = 33_504
IOC_SHARE = 0.15
AMEND_SHARE = 0.20
"""Of the orders that are not IOC."""
REPRICE_SHARE = 0.80
"""Of the amends: one tick up as well as one lot; the others only one lot."""
CANCEL_SHARE = 0.95
"""Of the orders that are not IOC."""
REPEAT_SHARE = 0.02
"""Cancels sent twice; of the amended orders that were cancelled, those amended once more."""
PATH_POINTS = 4_096
"""Points the path is drawn at; between them it is straight, so that a seed gives the same path
whatever the number of orders."""
MAX_LOTS = 100
MAX_DISTANCE = 48
DEPTH_EXPONENT = 2.23
HUMP_TICKS = 8
HUMP_WIDTH = 3.0
HUMP_WEIGHT = 0.15
MEDIAN_LIFE = 0.02
"""Of an order at the touch, in mean times between new orders; deeper orders live longer. The
survey's median is 0.431 ms, and 0.02 is what that is when a million orders make a trading day:
most cancels are the very next message."""
ACCOUNTS = 64
DEFAULT_SEED = 17
"""A seed decides how far the two halves of the path part, and with that how many orders stay out
of reach and rest. This one leaves books like the survey's: about 14 % of the orders are
never cancelled in `normal`, 0.5 % in `crash-60`."""

INSTRUMENT = Instrument(
    id=1,
    symbol="BENCH-USD",
    base="BENCH",
    quote="USD",
    tick_size="0.01",
    lot_size="0.01",
    base_decimals=8,
    quote_decimals=8,
    max_price_ticks=10_000_000,
    min_quantity_lots=1,
    max_quantity_lots=1_000_000,
    min_notional=1,
    maker_fee_rate=1_000,
    taker_fee_rate=2_000,
)
"""The one instrument all scenarios trade, with fees as shipped: maker 0.10 %, taker 0.20 %."""

SCENARIOS = {"static": 0.0, "normal": 0.02, "swing-25": 0.25, "swing-40": 0.40, "crash-60": 0.60}
"""Name, and the standard deviation of the mid's whole path."""


class Mix(Struct, frozen=True):
    """The composition of a flow of commands."""

    messages: int
    new_orders: int
    immediate: int
    amends: int
    cancels: int


def generate(
    scenario: str, orders: int, seed: int = DEFAULT_SEED, client_order_ids: bool = False
) -> list[Command]:
    """The commands of `orders` new orders, about twice as many; the same for the same arguments.

    They suit a fresh engine: the order id of a cancel or amend is the position (from 1) of its
    new order in the list. `client_order_ids` gives each order one, as most real flow has.
    """
    chance = random.Random(f"{scenario}/{orders}/{seed}")
    placed = _placed(chance, _path(SCENARIOS[scenario], seed), orders)
    timeline = sorted(_lives(chance, placed))
    commands: list[Command] = []
    order_ids = [0] * orders
    instrument, limit = INSTRUMENT.id, int(OrderType.LIMIT)
    for _, _, kind, index, price_ticks, lots in timeline:
        side = placed[index][0]
        account = 1 + index % ACCOUNTS
        if kind == _CANCEL:
            commands.append(CancelOrder(0, 0, account, instrument, order_ids[index]))
        elif kind == _AMEND:
            amend = AmendOrder(0, 0, account, instrument, order_ids[index], price_ticks, lots)
            commands.append(amend)
        else:
            name = f"bench-{index:012d}" if client_order_ids else ""
            commands.append(
                NewOrder(0, 0, account, instrument, side, limit, kind, price_ticks, lots, name)
            )
            order_ids[index] = len(commands)
    return commands


def mix(commands: list[Command]) -> Mix:
    """Count what `commands` holds."""
    new_orders = [command for command in commands if isinstance(command, NewOrder)]
    return Mix(
        messages=len(commands),
        new_orders=len(new_orders),
        immediate=sum(order.time_in_force == TimeInForce.IOC for order in new_orders),
        amends=sum(isinstance(command, AmendOrder) for command in commands),
        cancels=sum(isinstance(command, CancelOrder) for command in commands),
    )


def distance(chance: random.Random) -> int:
    """How many ticks from the mid an order stands: a power law with a hump."""
    return 1 + bisect(_REACH, chance.random() * _REACH[-1], 0, MAX_DISTANCE - 1)


_REACH = list(
    accumulate(
        ticks**-DEPTH_EXPONENT
        + HUMP_WEIGHT * math.exp(-((ticks - HUMP_TICKS) ** 2) / (2 * HUMP_WIDTH**2))
        for ticks in range(1, MAX_DISTANCE + 1)
    )
)
_GTC = int(TimeInForce.GTC)
_IOC = int(TimeInForce.IOC)
_AMEND = 10
_CANCEL = 11


def _path(swing: float, seed: int) -> list[float]:
    """The mid's path as logarithms of ticks; one seed gives one shape, scaled by `swing`."""
    chance = random.Random(seed)
    step = swing / math.sqrt(PATH_POINTS)
    log_mid = math.log(START_MID_TICKS)
    path = [log_mid]
    for _ in range(PATH_POINTS):
        log_mid += step * chance.gauss(0.0, 1.0) - step * step / 2
        path.append(log_mid)
    return path


def _placed(
    chance: random.Random, path: list[float], orders: int
) -> list[tuple[int, int, int, int]]:
    """(side, price ticks, lots, distance from the mid) of each new order, in arrival order."""
    placed = []
    for index in range(orders):
        point, part = divmod(index * PATH_POINTS, orders)
        log_mid = path[point] + (path[point + 1] - path[point]) * part / orders
        mid = round(math.exp(log_mid))
        away = distance(chance)
        if index < orders // 2:
            side, price_ticks = int(Side.BUY), mid - away
        else:
            side, price_ticks = int(Side.SELL), mid + away
        placed.append((side, max(1, price_ticks), chance.randint(1, MAX_LOTS), away))
    chance.shuffle(placed)
    return placed


_Moment = tuple[float, int, int, int, int, int]
"""Time, tie break, kind (a time in force for a new order), order, price ticks, lots."""


def _lives(chance: random.Random, placed: list[tuple[int, int, int, int]]) -> Iterator[_Moment]:
    """Every command of every order's life, with its time."""
    mean_life = MEDIAN_LIFE / math.log(2)
    arrival = 0.0
    for index, (_, price_ticks, lots, distance) in enumerate(placed):
        arrival += chance.expovariate(1.0)
        if chance.random() < IOC_SHARE:
            yield (arrival, 0, _IOC, index, price_ticks, lots)
            continue
        yield (arrival, 0, _GTC, index, price_ticks, lots)
        life = chance.expovariate(1.0) * mean_life * (1 + distance / HUMP_TICKS)
        amended = chance.random() < AMEND_SHARE
        if amended:
            new_price = price_ticks + 1 if chance.random() < REPRICE_SHARE else 0
            moment = arrival + life * chance.random()
            yield (moment, 1, _AMEND, index, new_price, lots + 1)
        if chance.random() < CANCEL_SHARE:
            end = arrival + life
            yield (end, 2, _CANCEL, index, 0, 0)
            if chance.random() < REPEAT_SHARE:
                yield (end + chance.random(), 3, _CANCEL, index, 0, 0)
            if amended and chance.random() < REPEAT_SHARE:
                yield (end + chance.random(), 3, _AMEND, index, 0, lots + 2)
