"""Sessions behind REST requests: their limit, and the answer when it is reached."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from crossbook.gateway.orders import local_sessions
from tests.worlds.rest_world import RestWorld, limit


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run the coroutine of one test."""
    asyncio.run(main)


def test_with_every_session_busy_a_request_is_refused_and_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(local_sessions, "ACCOUNTS_MAX", 2)

    async def main() -> None:
        async with RestWorld() as world:
            world.matcher_answers = False
            held = [
                asyncio.create_task(world.enter(limit("buy", "1", "50000"), account))
                for account in (1, 2)
            ]
            while len(world.desk.in_flight.unsent) < 2:
                world.held.clear()
                await world.held.wait()
            answer = await world.enter(limit("buy", "1", "50000"), account=3)
            assert answer.status_code == 503
            assert answer.headers["Retry-After"] == "1"
            assert answer.json()["error"] == {
                "code": "BUSY",
                "message": "requests of 2 accounts wait for an answer",
            }
            # An account with a session goes on, and there is room once an answer has come.
            world.matcher_answers = True
            assert (await world.enter(limit("buy", "1", "50000"), account=2)).status_code == 201
            assert [(await each).status_code for each in held] == [201, 201]
            assert world.engine.seq == 3
            assert (await world.enter(limit("buy", "1", "50000"), account=3)).status_code == 201

    run(main())


def test_the_longest_idle_account_makes_room_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_sessions, "ACCOUNTS_MAX", 2)

    async def main() -> None:
        async with RestWorld() as world:
            for account in (1, 2, 1, 3):
                await world.enter(limit("buy", "1", "50000"), account)
            accounts = [session.account for session in world.desk.sessions.by_token.values()]
            assert accounts == [1, 3]

    run(main())


def test_an_account_without_orders_requires_no_number_of_the_record() -> None:
    async def main() -> None:
        async with RestWorld() as world:
            await world.enter(limit("buy", "1", "50000"), 1)
            await world.enter(limit("buy", "1", "50000"), 2)
            assert [world.sessions.seq_of(account) for account in (0, 1, 2, 3)] == [0, 1, 2, 2]

    run(main())
