"""Rounds of the event loop, and the addresses that take turns in them."""

import asyncio
from collections.abc import Awaitable, Callable

from crossbook.gateway.web.web_turns import ROUND_NS, WebTurns
from tests.worlds.event_loop import next_iteration


def run(scenario: Callable[[WebTurns], Awaitable[None]]) -> None:
    async def whole() -> None:
        await scenario(WebTurns())

    asyncio.run(whole())


def test_nobody_waits_while_the_round_has_time() -> None:
    async def scenario(turns: WebTurns) -> None:
        assert turns.has_time
        turns.spend(ROUND_NS - 1)
        assert turns.has_time
        turns.spend(1)
        assert not turns.has_time

    run(scenario)


def test_the_next_round_has_its_whole_time() -> None:
    async def scenario(turns: WebTurns) -> None:
        turns.spend(50 * ROUND_NS)
        await next_iteration()
        assert turns.number == 1
        turns.spend(ROUND_NS - 1)
        assert turns.has_time

    run(scenario)


def test_who_comes_while_others_wait_is_behind_them() -> None:
    async def scenario(turns: WebTurns) -> None:
        begun: list[str] = []
        turns.wait("a", lambda: begun.append("a"))
        assert not turns.has_time
        assert turns.waiting == 1
        await next_iteration()
        assert begun == ["a"]
        assert turns.waiting == 0
        assert turns.has_time

    run(scenario)


def test_addresses_begin_in_turn_and_each_in_its_order() -> None:
    async def scenario(turns: WebTurns) -> None:
        begun: list[str] = []

        def wait(address: str, name: str) -> None:
            def begin() -> None:
                begun.append(name)
                turns.spend(ROUND_NS // 2)

            turns.wait(address, begin)

        for name in ("a1", "a2", "a3"):
            wait("a", name)
        wait("b", "b1")
        rounds = []
        while turns.waiting:
            await next_iteration()
            rounds.append(list(begun))
        assert rounds == [["a1", "b1"], ["a1", "b1", "a2", "a3"]]

    run(scenario)


def test_a_turn_longer_than_a_round_is_alone_in_it() -> None:
    async def scenario(turns: WebTurns) -> None:
        begun: list[int] = []

        def begin() -> None:
            begun.append(turns.number)
            turns.spend(3 * ROUND_NS)

        for _ in range(3):
            turns.wait("a", begin)
        while turns.waiting:
            await next_iteration()
        assert begun == [1, 2, 3]

    run(scenario)


def test_no_round_follows_one_without_work() -> None:
    async def scenario(turns: WebTurns) -> None:
        turns.spend(1)
        for _ in range(5):
            await next_iteration()
        assert turns.number == 1

    run(scenario)
