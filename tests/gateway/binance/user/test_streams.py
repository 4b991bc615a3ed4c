"""When the stream of an account begins: open orders from a record that may be behind or ahead."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

import pytest

from crossbook.common.messages.commands import CancelOrder, Command, NewOrder
from crossbook.common.messages.entry import Balance
from crossbook.common.messages.events import Event, EventBatch
from crossbook.common.types import OrderType, Prevention, RejectReason, Side, TimeInForce
from crossbook.gateway.binance.cancel_names import CancelNames
from crossbook.gateway.binance.problem import Refusal
from crossbook.gateway.binance.user import streams as user_streams
from crossbook.gateway.binance.user.account import InstrumentIndex
from crossbook.gateway.binance.user.events import UserEvent
from crossbook.gateway.binance.user.reported_order import ReportedOrder
from crossbook.gateway.binance.user.streams import UserStreams
from crossbook.gateway.problem import refused
from crossbook.matcher.engine.engine import Engine
from tests.worlds.desk_world import INSTRUMENTS
from tests.worlds.event_loop import next_iteration

BTC = INSTRUMENTS[0]


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run the coroutine of one test."""
    asyncio.run(main)


class Client:
    """Keeps what it gets."""

    key_id = ""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.lost = ""

    def send_events(self, events: Iterable[UserEvent]) -> None:
        """Keep events."""
        self.events += [each.document for each in events]

    def lose(self, reason: str) -> None:
        """Keep the reason."""
        self.lost = reason

    def kinds(self) -> list[tuple[int, str]]:
        """Order and kind of the reports."""
        return [(each["i"], each["x"]) for each in self.events if "x" in each]


class World:
    """User streams behind an engine. The record answers when it is let, by its state then."""

    def __init__(self) -> None:
        self.engine = Engine(INSTRUMENTS)
        self.orders: list[ReportedOrder] = []
        self.reading = asyncio.Event()
        self.reading.set()
        self.balances_asked = 0
        self.refusals = 0
        self.streams = UserStreams(self, InstrumentIndex(lambda: INSTRUMENTS), CancelNames())
        self._number = 0

    async def open_orders(self, account: int) -> list[ReportedOrder]:
        """The orders that the test has set."""
        await self.reading.wait()
        return self.orders

    async def balances(self, account: int) -> tuple[int, list[Balance]]:
        """One balance, after as many refusals as the test has set; the way to a matching engine
        and back takes some turns of the loop."""
        self.balances_asked += 1
        for _ in range(4):
            await next_iteration()
        if self.refusals:
            self.refusals -= 1
            raise refused(RejectReason.BUSY, "", "")
        return self.engine.seq, [Balance("BTC", 10**10, 0)]

    def recorded(self, order_id: int, seen_seq: int, filled: int = 0) -> ReportedOrder:
        """An open order of the record."""
        units = filled * 5_000_000 * BTC.notional_per_tick_lot
        return ReportedOrder(
            BTC, order_id, "", Side.BUY, OrderType.LIMIT, 1, 5_000_000, 1_000, 0, 0, 0, False, 0,
            1, 1, seen_seq, filled, units,
        )  # fmt: skip

    def enter(self, account: int = 1, side: int = Side.BUY, lots: int = 1_000) -> int:
        """Enter an order; its id."""
        self._number += 1
        order = NewOrder(
            0, self._number, account, BTC.id, side, OrderType.LIMIT, TimeInForce.GTC, 5_000_000,
            lots, prevention=Prevention.NONE,
        )  # fmt: skip
        return self._apply(order)

    def cancel(self, order_id: int, account: int = 1) -> int:
        """Cancel an order."""
        self._number += 1
        return self._apply(CancelOrder(0, self._number, account, BTC.id, order_id))

    def _apply(self, command: Command) -> int:
        events: list[Event] = self.engine.apply(command, 5)
        seq = self.engine.seq
        self.streams.follow(EventBatch(1, seq, seq, 5, events))
        return seq

    async def quiet(self) -> None:
        """Wait until everything that was begun is done."""
        for _ in range(20):
            await next_iteration()


async def begun(world: World, client: Client, account: int = 1) -> "asyncio.Task[None]":
    """A subscription that waits for the record."""
    task = asyncio.ensure_future(world.streams.subscribe(account, client, lambda: None))
    await world.quiet()
    return task


def test_changes_that_the_record_has_are_not_made_twice() -> None:
    async def main() -> None:
        world, client = World(), Client()
        first = world.enter()
        world.reading.clear()
        subscribing = await begun(world, client)
        fill = world.enter(2, Side.SELL, 400)
        second = world.enter()
        world.orders = [world.recorded(first, fill, 400), world.recorded(second, second)]
        world.reading.set()
        await subscribing
        world.enter(2, Side.SELL, 100)
        world.cancel(second)
        await world.quiet()
        assert client.kinds() == [(first, "TRADE"), (second, "CANCELED")]
        assert (client.events[0]["z"], client.events[0]["Z"]) == ("0.00500000", "250.00000000")

    run(main())


def test_events_come_after_what_the_round_that_brought_them_has_begun() -> None:
    async def main() -> None:
        world, client = World(), Client()
        await (await begun(world, client))
        world.enter()
        seen: list[int] = []
        # As the answer to the order, which is ready later in the same round.
        asyncio.get_running_loop().call_soon(lambda: seen.append(len(client.events)))
        await world.quiet()
        assert seen == [0]
        assert client.kinds() == [(1, "NEW")]

    run(main())


def test_changes_that_the_record_does_not_have_are_in_the_orders() -> None:
    async def main() -> None:
        world, client = World(), Client()
        first = world.enter()
        world.orders = [world.recorded(first, first)]
        world.reading.clear()
        subscribing = await begun(world, client)
        world.enter(2, Side.SELL, 400)
        ended = world.enter()
        world.cancel(ended)
        world.reading.set()
        await subscribing
        assert client.events == [], "all of it was before the answer"
        world.enter(2, Side.SELL, 100)
        await world.quiet()
        assert client.kinds() == [(first, "TRADE")]
        assert (client.events[0]["z"], client.events[0]["Z"]) == ("0.00500000", "250.00000000")

    run(main())


def test_a_client_gets_nothing_from_before_its_time() -> None:
    async def main() -> None:
        world, first, second = World(), Client(), Client()
        await (await begun(world, first))
        order = world.enter()
        assert world.streams.join(1, second)
        assert (first.kinds(), second.kinds()) == ([(order, "NEW")], [])
        world.cancel(order)
        await world.quiet()
        assert second.kinds() == [(order, "CANCELED")]

    run(main())


def test_too_many_changes_before_the_record_refuse_the_stream(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def main() -> None:
        monkeypatch.setattr(user_streams, "KEPT_MAX", 3)
        world, client = World(), Client()
        world.reading.clear()
        subscribing = await begun(world, client)
        for _ in range(10):
            world.enter()
        (stream,) = world.streams._streams.values()
        assert len(stream.kept) == 4
        world.reading.set()
        with pytest.raises(Refusal):
            await subscribing
        assert len(world.streams) == 0

    run(main())


def test_two_clients_wait_for_one_reading_and_one_may_leave() -> None:
    async def main() -> None:
        world, first, second = World(), Client(), Client()
        world.reading.clear()
        subscribing = [await begun(world, first), await begun(world, second)]
        world.reading.set()
        await subscribing[0]
        world.streams.unsubscribe(1, first)
        await subscribing[1]
        order = world.enter()
        await world.quiet()
        assert (first.kinds(), second.kinds()) == ([], [(order, "NEW")])
        world.streams.unsubscribe(1, second)
        assert len(world.streams) == 0

    run(main())


def test_events_that_are_lost_while_the_record_is_read_refuse_the_stream() -> None:
    async def main() -> None:
        world, client = World(), Client()
        world.reading.clear()
        subscribing = await begun(world, client)
        world.streams.lose()
        world.reading.set()
        with pytest.raises(Refusal):
            await subscribing
        assert len(world.streams) == 0

    run(main())


def test_balances_that_are_refused_are_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        monkeypatch.setattr(user_streams, "BALANCES_AGAIN_S", 0)
        world, client = World(), Client()
        world.refusals = 2
        await (await begun(world, client))
        await world.quiet()
        assert world.balances_asked == 3
        world.enter()
        await world.quiet()
        assert world.balances_asked == 3
        (position,) = (each for each in client.events if each["e"] == "outboundAccountPosition")
        assert [each["a"] for each in position["B"]] == ["BTC", "USDT"]

    run(main())


def test_an_account_without_clients_asks_for_no_balances() -> None:
    async def main() -> None:
        world = World()
        await world.streams.hold(1)
        world.enter()
        await world.quiet()
        assert world.balances_asked == 0

    run(main())
