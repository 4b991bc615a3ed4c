"""Seeded flow of all commands but those about keys: every order type, account and act, with its
time.

One instrument with a price band, two-sided around a geometric-Brownian mid. Cancels and amends
name their orders by client order id, so the flow does not depend on the engine's answers.
"""

import math
import random
from collections.abc import Iterator
from itertools import count

from msgspec.structs import replace

from bench.workload import DEFAULT_SEED, INSTRUMENT, MAX_LOTS, START_MID_TICKS, distance
from crossbook.common.messages.commands import (
    AddInstrument,
    AdjustBalance,
    AdvanceTime,
    AmendOrder,
    CancelOrder,
    Command,
    Instructions,
    MassCancelOrders,
    NewOrder,
    SetCancelAfter,
    SetFees,
    SetInstrumentState,
    Uncross,
)
from crossbook.common.rules import Rules
from crossbook.common.types import InstrumentState, OrderType, Prevention, Side, TimeInForce
from crossbook.matcher.engine.engine import Engine

BANDED = replace(INSTRUMENT, band_rate=100_000)
"""The instrument of the other scenarios, whose takers trade within 10 % of the last price."""

ADDED = replace(INSTRUMENT, id=2, symbol="BENCH-EUR", quote="EUR")

RULES = Rules(accounts=True, opening=(("BENCH", 10**12), ("USD", 10**14)), max_open_orders=10_000)
"""Every account's money at the start: 10,000 BENCH and a million dollars, until it is funded."""

ACCOUNTS = 16
"""Few, so that orders meet others of their own account."""

DEPOSIT = 10**16
TAKEN_LOTS = 40
"""At most, of orders that mean to trade at once; of the others `MAX_LOTS`."""
KINDS = {
    "limit": 34, "crossing": 6, "ioc": 9, "fok": 4, "market": 4, "quote": 3, "post_only": 10,
    "iceberg": 8, "gtd": 6, "day": 4, "stop": 3, "stop_limit": 3, "take_profit": 3,
    "take_profit_limit": 3,
}  # fmt: skip
"""Weight of each kind of new order."""

MODES = {
    Prevention.NONE: 52, Prevention.EXPIRE_TAKER: 12, Prevention.EXPIRE_MAKER: 12,
    Prevention.EXPIRE_BOTH: 12, Prevention.DECREMENT: 12,
}  # fmt: skip

AMEND_SHARE = 0.25
"""Of the orders that may stay: a third each fewer lots, another price, both of price and lots."""
CANCEL_SHARE = 0.85
"""Of the orders that may stay."""
REPEAT_SHARE = 0.01
"""Of all orders: sent twice, word for word."""
MASS_CANCEL_SHARE = 0.002
CANCEL_AFTER_SHARE = 0.002
MEAN_GAP_NS = 1_000_000
MEAN_LIFE_NS = 100 * MEAN_GAP_NS
GTD_LIFE_NS = 100 * MEAN_GAP_NS
AUCTION_EVERY = 2_000
"""Orders from one call auction to the next; half way between them is a halt."""
AUCTION_ORDERS = 20
HALT_ORDERS = 3
STEP = 1e-5
"""Standard deviation of the mid's way from one order to the next: a third of a tick."""
DAY_NS = 86_400 * 10**9
SOME_DAY_NS = 20_000 * DAY_NS

Timed = tuple[Command, int]


def engine() -> Engine:
    """A fresh engine for this flow."""
    return Engine([BANDED], RULES)


def generate(orders: int, seed: int = DEFAULT_SEED) -> list[Timed]:
    """Commands with their times for `orders` new orders, about twice as many; the same for the
    same arguments. They suit a fresh `engine()`. Midnight is half way."""
    chance = random.Random(f"mixed/{orders}/{seed}")
    begin_ns = SOME_DAY_NS - orders // 2 * MEAN_GAP_NS
    serial = count()
    timeline = sorted(
        (time_ns, next(serial), command) for time_ns, command in _moments(chance, orders, begin_ns)
    )
    opening = [(command, begin_ns) for command in _acts_before()]
    return opening + [(command, time_ns) for time_ns, _, command in timeline]


def _acts_before() -> Iterator[Command]:
    """The administrator's acts at the start: another instrument, money, fees of one account."""
    yield AddInstrument(0, 0, 0, ADDED.id, ADDED)
    for account in range(1, ACCOUNTS):
        for asset in (BANDED.base, BANDED.quote):
            yield AdjustBalance(0, 0, account, 0, asset, DEPOSIT, f"{asset}-{account}")
    yield SetFees(0, 0, 1, BANDED.id, -100, 500)


def _moments(chance: random.Random, orders: int, begin_ns: int) -> Iterator[tuple[int, Command]]:
    """Every command but the first ones, with its time, in no order."""
    time_ns = begin_ns
    log_mid = math.log(START_MID_TICKS)
    kinds, weights = list(KINDS), list(KINDS.values())
    for index in range(orders):
        time_ns += 1 + round(chance.expovariate(1.0) * MEAN_GAP_NS)
        log_mid += STEP * chance.gauss(0.0, 1.0)
        kind = chance.choices(kinds, weights)[0]
        order = _order(chance, kind, index, round(math.exp(log_mid)), time_ns)
        yield time_ns, order
        if chance.random() < REPEAT_SHARE:
            yield time_ns + 1, order
        if kind not in ("ioc", "fok", "market", "quote"):
            yield from _life(chance, order, time_ns)
        yield from _acts(chance, index, order.account, time_ns)


def _order(chance: random.Random, kind: str, index: int, mid: int, time_ns: int) -> NewOrder:
    side = chance.choice((_BUY, _SELL))
    away = distance(chance)
    # Towards the better price of its own side it is passive, beyond the mid it crosses.
    sign = -1 if side == _BUY else 1
    crosses = kind in ("crossing", "ioc", "fok")
    price = mid - sign * away if crosses else mid + sign * away
    takes = kind in ("crossing", "ioc", "fok", "market", "quote", "stop", "take_profit")
    lots = chance.randint(1, TAKEN_LOTS if takes else MAX_LOTS)
    order_type, time_in_force, order_terms, quote = OrderType.LIMIT, TimeInForce.GTC, None, 0
    if kind == "ioc":
        time_in_force = TimeInForce.IOC
    elif kind == "fok":
        time_in_force = TimeInForce.FOK
    elif kind == "market":
        order_type, time_in_force, price = OrderType.MARKET, TimeInForce.IOC, 0
    elif kind == "quote":
        order_type, time_in_force, price = OrderType.MARKET, TimeInForce.IOC, 0
        quote = lots * mid * BANDED.notional_per_tick_lot
        lots = 0
    elif kind == "post_only":
        order_terms = Instructions(post_only=True)
    elif kind == "iceberg":
        order_terms = Instructions(display_lots=1 + lots // 4)
    elif kind == "gtd":
        time_in_force = TimeInForce.GTD
        order_terms = Instructions(
            expire_ns=time_ns + 1 + round(chance.expovariate(1.0) * GTD_LIFE_NS)
        )
    elif kind == "day":
        time_in_force, order_terms = TimeInForce.DAY, Instructions()
    elif kind in _WAITING:
        order_type = _WAITING[kind]
        rises = (side == _BUY) == (kind in ("stop", "stop_limit"))
        trigger = mid + (1 if rises else -1) * (1 + away // 2)
        order_terms = Instructions(trigger_ticks=trigger)
        price = trigger - sign * 4 if kind.endswith("limit") else 0
    mode = chance.choices(list(MODES), list(MODES.values()))[0]
    if kind == "quote" and mode == Prevention.DECREMENT:
        mode = Prevention.EXPIRE_BOTH
    return NewOrder(
        0, 0, 1 + chance.randrange(ACCOUNTS), BANDED.id, side, int(order_type),
        int(time_in_force), price, lots, f"mixed-{index:012d}", quote, int(mode), order_terms,
    )  # fmt: skip


def _life(chance: random.Random, order: NewOrder, time_ns: int) -> Iterator[tuple[int, Command]]:
    """The owner's request for an order that may rest."""
    account, name = order.account, order.client_order_id
    life_ns = round(chance.expovariate(1.0) * MEAN_LIFE_NS)
    if chance.random() < AMEND_SHARE:
        price = order.price_ticks and order.price_ticks + chance.choice((-1, 1))
        lots = order.quantity_lots + 1
        choice = chance.randrange(3)
        if choice == 0:
            price, lots = 0, (order.quantity_lots + 1) // 2
        elif choice == 1 and price:
            lots = 0
        trigger = 0
        if order.order_type != OrderType.LIMIT and order.instructions and choice == 2:
            trigger = order.instructions.trigger_ticks + chance.choice((-1, 1))
        amend = AmendOrder(0, 0, account, BANDED.id, 0, price, lots, name, trigger)
        yield time_ns + round(life_ns * chance.random()), amend
    if chance.random() < CANCEL_SHARE:
        yield time_ns + life_ns, CancelOrder(0, 0, account, BANDED.id, 0, name)


def _acts(
    chance: random.Random, index: int, account: int, time_ns: int
) -> Iterator[tuple[int, Command]]:
    """Mass cancels, timers, and now and then a halt or a call auction."""
    if chance.random() < MASS_CANCEL_SHARE:
        yield time_ns, MassCancelOrders(0, 0, account, BANDED.id, chance.randrange(3))
    if chance.random() < CANCEL_AFTER_SHARE:
        timeout_ns = chance.choice((0, 50, 500)) * MEAN_GAP_NS
        yield time_ns, SetCancelAfter(0, 0, account, 0, timeout_ns)
    place = index % AUCTION_EVERY
    if place == AUCTION_EVERY // 4:
        yield time_ns, SetInstrumentState(0, 0, 0, BANDED.id, InstrumentState.AUCTION)
        yield time_ns + AUCTION_ORDERS * MEAN_GAP_NS, Uncross(0, 0, 0, BANDED.id)
    elif place == 3 * AUCTION_EVERY // 4:
        until_ns = time_ns + HALT_ORDERS * MEAN_GAP_NS
        yield time_ns, SetInstrumentState(0, 0, 0, BANDED.id, InstrumentState.HALTED, until_ns)
        yield until_ns, AdvanceTime()


_BUY = int(Side.BUY)
_SELL = int(Side.SELL)
_WAITING = {
    "stop": OrderType.STOP,
    "stop_limit": OrderType.STOP_LIMIT,
    "take_profit": OrderType.TAKE_PROFIT,
    "take_profit_limit": OrderType.TAKE_PROFIT_LIMIT,
}
