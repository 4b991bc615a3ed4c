"""User streams and listen keys of the face behind rules."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from crossbook.common.faults.face import ListenKeyExpired
from crossbook.common.faults.kinds import AnyFault
from crossbook.common.faults.order_entry import (
    ExecutionsDisconnect,
    ExecutionsLate,
    ExecutionsOutOfOrder,
    ExecutionsSilent,
)
from crossbook.common.faults.table import FaultTable
from crossbook.common.process.clock import SystemClock
from crossbook.gateway.faults.assembly import GatewayFaults
from crossbook.gateway.faults.user_stream import FaultyListenKeys
from tests.gateway.binance.user.test_balances import MONEY
from tests.worlds.stream_world import FakeConnection
from tests.worlds.user_world import ApiUser, UserWorld


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run the coroutine of one test."""
    asyncio.run(main)


def faults_of(*rules: AnyFault) -> GatewayFaults:
    """Faults with these rules."""
    faults = GatewayFaults({}, SystemClock())
    for rule in rules:
        faults.table.add(rule)
    return faults


async def real_time(seconds: float) -> None:
    """Return when so much time has passed on the clock that delays are measured by."""
    passed = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, passed.set)
    await passed.wait()


async def subscribed(world: UserWorld, account: int = 1) -> ApiUser:
    """A client of the events of an account."""
    client = world.connect()
    await client.subscribe(account)
    return client


async def listening(world: UserWorld, account: int = 1) -> FakeConnection:
    """A client of the account's listen key."""
    bot = world.bot(account)
    answer = await world.http.post("/api/v3/userDataStream", headers={"X-MBX-APIKEY": bot.key})
    client = world.listen(f"/ws/{answer.json()['listenKey']}")
    await world.quiet()
    return client


def test_a_silent_stream_sends_nothing_and_answers_until_the_rules_are_cleared() -> None:
    async def main() -> None:
        faults = faults_of(ExecutionsSilent(account=1))
        async with UserWorld(faults) as world:
            client, key, other = (
                await subscribed(world), await listening(world), await subscribed(world, 2),
            )  # fmt: skip
            await world.bot(1).limit("BUY", "1", "50000")
            await world.bot(2).limit("SELL", "1", "50000")
            assert await client.events() == []
            assert key.pop_messages() == []
            assert len(await other.reports()) == 2
            assert (await client.result("ping"), client.connection.ended) == ({}, None)
            assert faults.table.applied["executions_silent"] == 4
            faults.table.clear()
            await world.bot(1).limit("BUY", "1", "40000")
            assert [each["x"] for each in await client.reports()] == ["NEW"]
            assert [each["x"] for each in key.pop_messages()] == ["NEW"]

    run(main())


@pytest.mark.parametrize(
    "selector", [{"symbol": "BTC-USDT"}, {"key": "demo-1"}, {"interface": "websocket"}]
)
def test_a_rule_concerns_the_events_that_it_selects(selector: dict[str, Any]) -> None:
    async def main() -> None:
        faults = faults_of(ExecutionsSilent(**selector), ExecutionsSilent(symbol="ETH-USDT"))
        async with UserWorld(faults) as world:
            client = await subscribed(world)
            await world.bot(1).limit("BUY", "1", "50000")
            assert await client.reports() == []
            assert [each.applied for each in faults.table.states()] == [1, 0]

    run(main())


def test_a_rule_of_an_instrument_leaves_transfers_alone() -> None:
    async def main() -> None:
        faults = faults_of(ExecutionsSilent(symbol="BTC-USDT"))
        async with UserWorld(faults, rules=MONEY) as world:
            client = await subscribed(world)
            world.adjust(1, "USDT", 100)
            kinds = [each["e"] for each in await client.events()]
            assert kinds == ["balanceUpdate", "outboundAccountPosition"]
            faults.table.add(ExecutionsSilent())
            world.adjust(1, "USDT", 100)
            assert await client.events() == []

    run(main())


def test_a_connection_ends_in_place_of_an_event() -> None:
    async def main() -> None:
        async with UserWorld(faults_of(ExecutionsDisconnect(account=1, next=1))) as world:
            client = await subscribed(world)
            await world.bot(1).limit("BUY", "1", "50000")
            assert await client.events() == []
            assert client.connection.ended is not None

    run(main())


def test_an_event_comes_late_but_not_after_the_end_of_its_stream() -> None:
    async def main() -> None:
        rule = ExecutionsLate(milliseconds=20, next=2)
        async with UserWorld(faults_of(rule)) as world:
            client = await subscribed(world)
            other = await subscribed(world)
            await world.bot(1).limit("BUY", "1", "50000")
            assert await client.reports() == []
            await other.result("userDataStream.unsubscribe")
            await real_time(0.05)
            assert [each["x"] for each in await client.reports()] == ["NEW"]
            assert await other.reports() == []

    run(main())


def test_no_event_changes_places_with_an_answer() -> None:
    async def main() -> None:
        faults = faults_of(ExecutionsOutOfOrder())
        async with UserWorld(faults) as world:
            client = await subscribed(world)
            await world.bot(1).limit("BUY", "1", "50000")
            assert len(await client.reports()) == 1
            assert faults.table.applied.total() == 0

    run(main())


def test_a_listen_key_ends_after_its_seconds_and_its_stream_receives_that() -> None:
    async def main() -> None:
        faults = faults_of(ListenKeyExpired(seconds=0.05, account=1))
        async with UserWorld(faults) as world:
            client, other = await listening(world), await listening(world, 2)
            world.user.beat()
            await real_time(0.06)
            world.user.beat()
            (event,) = client.pop_messages()
            assert event["e"] == "listenKeyExpired"
            await world.bot(1).limit("BUY", "1", "50000")
            await world.quiet()
            assert (client.pop_messages(), other.pop_messages()) == ([], [])
            assert faults.table.applied["listen_key_expired"] == 1
            again = await listening(world)
            await world.bot(1).limit("BUY", "1", "50000")
            await world.quiet()
            assert len(again.pop_messages()) == 1

    run(main())


class Keys:
    """Listen keys behind rules; time passes in `pass_s`."""

    def __init__(self, *rules: AnyFault) -> None:
        self.table = FaultTable("gateway")
        for rule in rules:
            self.table.add(rule)
        self.now_s = 100.0
        self.ended: list[int] = []
        self.keys = FaultyListenKeys(self.table, lambda: self.now_s)
        self.keys.on_end = lambda _, account: self.ended.append(account)

    def pass_s(self, seconds: float) -> None:
        """Let time pass."""
        self.now_s += seconds
        self.keys.expire(0)


def test_a_key_lives_on_when_its_rule_is_cleared_and_each_rule_counts_anew() -> None:
    world = Keys(ListenKeyExpired(seconds=5))
    world.keys.open(1, 0)
    world.pass_s(0)
    world.pass_s(4)
    world.table.clear()
    world.pass_s(4)
    world.table.add(ListenKeyExpired(seconds=5))
    world.pass_s(0)
    world.pass_s(4)
    assert world.ended == []
    world.pass_s(1)
    assert world.ended == [1]


def test_a_schedule_counts_keys() -> None:
    world = Keys(ListenKeyExpired(seconds=5, every=2))
    for account in (1, 2, 3):
        world.keys.open(account, 0)
    world.pass_s(0)
    world.pass_s(5)
    assert world.ended == [2]
    world.pass_s(5)
    assert world.ended == [2, 1]
