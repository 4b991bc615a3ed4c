"""Under random trading the events of a stream add up to the exchange's own orders and balances."""

import asyncio
from collections import defaultdict
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from crossbook.common.messages.entry import Amend, Cancel, MassCancel, New
from crossbook.common.messages.history_queries import OrderRecord
from crossbook.common.rules import Rules
from crossbook.common.types import OrderStatus, OrderType, Prevention, Side, TimeInForce
from crossbook.gateway.binance.decimals import grid_of
from crossbook.gateway.binance.order_documents import shown_name
from crossbook.matcher.engine.queries import balances
from tests.worlds.desk_world import INSTRUMENTS
from tests.worlds.user_world import ApiUser, UserWorld

MONEY = Rules(accounts=True, opening=(("USDT", 10**14), ("BTC", 10**12), ("ETH", 10**13)))
ACCOUNTS = (1, 2, 3)
MARKETS = {"BTC-USDT": 5_000_000, "ETH-USDT": 300_000}
ENDS = ("FILLED", "CANCELED", "EXPIRED", "EXPIRED_IN_MATCH")
BY_ID = {each.id: each for each in INSTRUMENTS}
KINDS = (OrderType.LIMIT,) * 6 + (
    OrderType.MARKET, OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT_LIMIT,
)  # fmt: skip


def random_order(rng: Random, number: int) -> New:
    """An order near the middle of its market; some are refused."""
    symbol = rng.choice(list(MARKETS))
    price = MARKETS[symbol] + rng.randint(-4, 4)
    kind = rng.choice(KINDS)
    lots = rng.randint(2_000, 6_000)
    is_market = kind == OrderType.MARKET
    by_quote = is_market and rng.random() < 0.5
    waits = kind not in (OrderType.LIMIT, OrderType.MARKET)
    times = (TimeInForce.GTC,) * 6 + (TimeInForce.IOC, TimeInForce.FOK)
    tif = TimeInForce.IOC if is_market else rng.choice(times)
    return New(
        0,
        symbol,
        rng.choice((Side.BUY, Side.SELL)),
        0 if by_quote else lots,
        0 if is_market or kind == OrderType.STOP else price,
        kind,
        TimeInForce.GTC if waits or is_market else tif,
        f"n{number}" if rng.random() < 0.5 else "",
        rng.randint(10**10, 3 * 10**11) if by_quote else 0,
        MARKETS[symbol] + rng.randint(-6, 6) if waits else 0,
        lots // 2 if kind == OrderType.LIMIT and tif == TimeInForce.GTC and number % 9 == 0 else 0,
        0,
        kind == OrderType.LIMIT and tif == TimeInForce.GTC and rng.random() < 0.1,
        rng.choice(list(Prevention)),
    )


def act(world: UserWorld, rng: Random, number: int) -> None:
    """One random request of one account."""
    account, roll = rng.choice(ACCOUNTS), rng.random()
    orders, _ = world.engine.open_orders(account)
    if roll < 0.03:
        asset = rng.choice(("USDT", "BTC"))
        world.adjust(account, asset, rng.choice((1, -1)) * rng.randint(1, 10**9))
        return
    request: Any = random_order(rng, number)
    if roll < 0.06:
        request = MassCancel(0, rng.choice(("", *MARKETS)))
    elif roll < 0.25 and orders:
        chosen = rng.choice(orders)
        request = Cancel(0, chosen.symbol, chosen.order_id)
        if rng.random() < 0.5:
            lots = max(1, chosen.quantity_lots + rng.randint(-1_500, 500))
            price = chosen.price_ticks + rng.choice((0, 0, 1)) if chosen.price_ticks else 0
            request = Amend(0, chosen.symbol, chosen.order_id, "", lots, price)
    world.sessions.submit(account, request, lambda _: None)


def shown_balances(world: UserWorld, account: int) -> dict[str, tuple[str, str]]:
    """Free and locked amount of each asset of an account in the exchange."""
    axes = {each.base: grid_of(each).base for each in INSTRUMENTS}
    axes |= {each.quote: grid_of(each).quote for each in INSTRUMENTS}
    return {
        each.asset: (
            axes[each.asset].text(each.total_units - each.held_units),
            axes[each.asset].text(each.held_units),
        )
        for each in balances(world.engine, account)
    }


class Natives:
    """The balances of the accounts in the exchange after each command."""

    def __init__(self, world: UserWorld) -> None:
        self.at: dict[int, dict[int, dict[str, tuple[str, str]]]] = {}
        apply = world.engine.apply

        def applied(*arguments: Any) -> Any:
            made = apply(*arguments)
            each_account = {account: shown_balances(world, account) for account in ACCOUNTS}
            self.at[world.engine.seq] = each_account
            return made

        world.engine.apply = applied  # type: ignore[method-assign,assignment]


class Book:
    """What a client knows of an account by its events, and the rules that they keep."""

    def __init__(self, client: ApiUser, account: int, natives: "Natives") -> None:
        self.client = client
        self.account = account
        self.natives = natives
        self.positions = 0
        # The number of the command whose reports came last; zero after another event.
        self.seq = 0
        self.orders: dict[int, dict[str, Any]] = {}
        self.sums: dict[int, list[Decimal]] = defaultdict(lambda: [Decimal()] * 2)
        self.balances: dict[str, tuple[str, str]] = {}
        self.fees: dict[tuple[int, int], str] = {}
        self.begun: set[int] = set()

    async def read(self) -> None:
        """Apply the events since the last call."""
        for event in await self.client.events():
            if event["e"] == "outboundAccountPosition":
                shown = {each["a"]: (each["f"], each["l"]) for each in event["B"]}
                self.balances |= shown
                if self.seq:
                    native = self.natives.at[self.seq][self.account]
                    assert {asset: native[asset] for asset in shown} == shown, self.seq
                    self.positions += 1
                self.seq = 0
            elif event["e"] == "executionReport":
                assert self.seq in (0, event["I"]), "the position after a command is missing"
                self.seq = event["I"]
                self.apply(event)

    def apply(self, report: dict[str, Any]) -> None:
        """Apply a report of an order."""
        number, before = report["i"], self.orders.get(report["i"])
        if before is None and report["x"] == "NEW" and report["z"] == "0.00000000":
            self.begun.add(number)
        assert before is None or before["X"] not in ENDS, "something after the end"
        lots, amount = Decimal(report["l"]), Decimal(report["Y"])
        if report["x"] == "TRADE":
            assert lots > 0
            assert report["t"] > 0
            self.fees[number, report["t"]] = report["n"]
        else:
            assert (lots, report["t"], report["N"]) == (Decimal(), -1, None)
        if number in self.begun:
            sums = self.sums[number]
            self.sums[number] = [sums[0] + lots, sums[1] + amount]
            assert self.sums[number] == [Decimal(report["z"]), Decimal(report["Z"])]
        assert isinstance(report["I"], int)
        assert isinstance(report["C"], str)
        if report["x"] == "CANCELED":
            assert report["C"]
            assert report["c"] != report["C"]
        else:
            assert report["C"] == ""
        self.orders[number] = report


def check_order(report: dict[str, Any], record: OrderRecord) -> None:
    """Compare the last report of an order with its record."""
    grid = grid_of(BY_ID[record.instrument])
    name = report["C"] or report["c"]
    assert name == shown_name(record.client_order_id, record.order_id)
    assert report["X"] == OrderStatus(record.status).name
    assert report["z"] == grid.quantity.text(record.filled_lots)
    assert report["Z"] == grid.quote.text(record.filled_notional)
    if not record.quote_amount:
        assert report["q"] == grid.quantity.text(record.quantity_lots)
    assert report["p"] == grid.price.text(record.price_ticks)
    assert report["P"] == grid.price.text(record.trigger_ticks)


async def check(world: UserWorld, account: int, book: Book, begin: set[int]) -> None:
    """Compare what a client knows with the exchange; `begin` are orders from before its time."""
    records, cursor, _ = await world.lookup.records(account, None, None, None, 1_000, None, 0)
    assert cursor is None
    assert {each.order_id for each in records} - begin == book.orders.keys() - begin
    for record in records:
        if record.order_id in book.orders:
            check_order(book.orders[record.order_id], record)
    open_now = {each.order_id for each in world.engine.open_orders(account)[0]}
    known = {number for number, each in book.orders.items() if each["X"] not in ENDS}
    assert known | (open_now & begin) == open_now
    native = shown_balances(world, account)
    for asset, shown in book.balances.items():
        assert native[asset] == shown, asset
    for record in records:
        found = await world.lookup.record(account, record.order_id)
        grid = grid_of(BY_ID[record.instrument])
        axis = grid.base if record.side == Side.BUY else grid.quote
        for fill in found.fills:
            if record.order_id in book.begun:
                assert book.fees[record.order_id, fill.trade_id] == axis.text(fill.fee)


@pytest.mark.parametrize("seed", range(8))
def test_the_events_add_up_to_what_the_exchange_has(seed: int) -> None:
    async def main() -> None:
        rng = Random(seed)
        async with UserWorld(rules=MONEY) as world:
            natives = Natives(world)
            books: list[tuple[int, Book, set[int]]] = []
            for number in range(400):
                if number in (0, 150):
                    for account in ACCOUNTS:
                        begin = {each.order_id for each in world.engine.open_orders(account)[0]}
                        records, _, _ = await world.lookup.records(
                            account, None, None, None, 1_000, None, 0
                        )
                        client = world.connect()
                        await client.subscribe(account)
                        # Commands before the first answer share a position.
                        await world.quiet()
                        before = begin | {each.order_id for each in records}
                        books.append((account, Book(client, account, natives), before))
                act(world, rng, number)
                if rng.random() < 0.3:
                    for _, book, _ in books:
                        await book.read()
            for account, book, begin in books:
                await book.read()
                await check(world, account, book, begin)
                assert book.positions > 50
            kinds = {each["x"] for _, book, _ in books for each in book.orders.values()}
            assert kinds >= {"NEW", "TRADE", "CANCELED", "EXPIRED", "TRADE_PREVENTION"}

    asyncio.run(main())
