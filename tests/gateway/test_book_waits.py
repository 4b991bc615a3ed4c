"""Waits until public market data has reached a number."""

import asyncio

import pytest

from crossbook.gateway import book_waits
from crossbook.gateway.book_waits import BookWaits


async def turn() -> None:
    """Let the loop run all ready callbacks once."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()
    loop.call_soon(done.set_result, None)
    await done


def test_a_wait_ends_when_its_number_has_come_and_not_before() -> None:
    async def main() -> None:
        at = {"A": 5, "B": 5}
        waits = BookWaits(lambda symbol, seq: at[symbol] >= seq)
        assert await waits.wait("A", 5)
        task = asyncio.create_task(waits.wait("A", 6))
        other = asyncio.create_task(waits.wait("B", 6))
        await turn()
        waits.check_all()
        await turn()
        assert not task.done()
        at["A"] = 6
        waits.check({"B"})
        await turn()
        assert not task.done()
        waits.check({"A"})
        assert await task
        assert waits.waiting == 1
        at["B"] = 7
        waits.check_all()
        assert await other
        assert waits.waiting == 0

    asyncio.run(main())


def test_a_number_that_does_not_come_is_waited_for_no_longer_than_the_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(book_waits, "WAIT_S", 0.01)

    async def main() -> None:
        waits = BookWaits(lambda symbol, seq: False)
        assert not await waits.wait("A", 1)
        assert waits.waiting == 0

    asyncio.run(main())


def test_no_more_wait_than_the_limit_and_one_that_gives_up_makes_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(book_waits, "WAITING_MAX", 2)

    async def main() -> None:
        waits = BookWaits(lambda symbol, seq: False)
        tasks = [asyncio.create_task(waits.wait("A", 1)) for _ in range(2)]
        await turn()
        assert not await asyncio.wait_for(waits.wait("A", 1), 1.0)
        tasks[0].cancel()
        await asyncio.gather(tasks[0], return_exceptions=True)
        assert waits.waiting == 1
        tasks[1].cancel()
        await asyncio.gather(tasks[1], return_exceptions=True)

    asyncio.run(main())
