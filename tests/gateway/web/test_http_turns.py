"""Requests that take turns, in front of an application that uses up time."""

import asyncio
from typing import Any

from crossbook.gateway.web.http_turns import COST_LEAST_NS, HttpTurns
from crossbook.gateway.web.web_turns import ROUND_NS, WebTurns
from tests.worlds.event_loop import next_iteration

AS_MANY = ROUND_NS // COST_LEAST_NS
"""Requests of one round, none of which took long."""


class App:
    """An application; each of its requests takes `cost_ns` of a clock that only it moves."""

    def __init__(self, cost_ns: int = 0) -> None:
        self.cost_ns = cost_ns
        self.ns = 0
        self.served: list[str] = []
        self.turns = WebTurns()
        self._app = HttpTurns(self, self.turns, lambda: self.ns)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.ns += self.cost_ns
        self.served.append(scope["client"][0])

    def request(self, address: str) -> "asyncio.Task[None]":
        """A request of an address, in a task of its own as the server makes it."""
        scope = {"client": (address, 1)}
        return asyncio.ensure_future(self._app(scope, None, None))


async def rounds_of(app: App) -> list[int]:
    """Requests served in each turn of the event loop, until none waits."""
    found: list[int] = []
    while app.turns.waiting or not found:
        before = len(app.served)
        await next_iteration()
        found.append(len(app.served) - before)
    before = len(app.served)
    await next_iteration()
    return [*found, len(app.served) - before]


def test_few_requests_wait_for_nothing() -> None:
    async def scenario() -> None:
        app = App()
        for _ in range(AS_MANY):
            app.request("10.0.0.1")
        await next_iteration()
        assert len(app.served) == AS_MANY

    asyncio.run(scenario())


def test_a_round_has_no_more_than_its_time() -> None:
    async def scenario() -> None:
        app = App()
        for _ in range(5 * AS_MANY):
            app.request("10.0.0.1")
        rounds = await rounds_of(app)
        assert sum(rounds) == 5 * AS_MANY
        assert max(rounds) == AS_MANY

    asyncio.run(scenario())


def test_requests_that_take_longer_are_fewer_in_a_round() -> None:
    async def scenario() -> None:
        app = App(cost_ns=ROUND_NS // 4)
        for _ in range(20):
            app.request("10.0.0.1")
            await next_iteration()
            await next_iteration()
        app.served.clear()
        for _ in range(60):
            app.request("10.0.0.1")
        assert max(await rounds_of(app)) <= 6

    asyncio.run(scenario())


def test_a_request_beyond_the_time_of_a_round_is_served_alone() -> None:
    async def scenario() -> None:
        app = App(cost_ns=ROUND_NS * 100)
        for _ in range(30):
            app.request("10.0.0.1")
            await next_iteration()
            await next_iteration()
        app.served.clear()
        for _ in range(10):
            app.request("10.0.0.1")
        rounds = await rounds_of(app)
        assert sum(rounds) == 10
        assert max(rounds) == 1

    asyncio.run(scenario())


def test_addresses_take_turns() -> None:
    async def scenario() -> None:
        app = App()
        for _ in range(10 * AS_MANY):
            app.request("10.0.0.1")
        await next_iteration()
        app.request("10.0.0.2")
        await next_iteration()
        await next_iteration()
        await next_iteration()
        assert "10.0.0.2" in app.served
        assert len(app.served) <= 4 * AS_MANY

    asyncio.run(scenario())


def test_an_owner_of_a_network_has_one_turn() -> None:
    async def scenario() -> None:
        app = App()
        for number in range(3 * AS_MANY):
            app.request(f"2001:db8::{number:x}")
        app.request("10.0.0.2")
        await next_iteration()
        app.served.clear()
        await next_iteration()
        await next_iteration()
        assert app.served.index("10.0.0.2") <= 1

    asyncio.run(scenario())


def test_a_request_that_waits_for_something_else_is_no_cost() -> None:
    async def scenario() -> None:
        app = App()
        answered = asyncio.Event()

        async def waiting(scope: Any, receive: Any, send: Any) -> None:
            if not answered.is_set():
                await answered.wait()
                app.ns += 100 * ROUND_NS

        turns = WebTurns()
        served = HttpTurns(waiting, turns, lambda: app.ns)

        def requests() -> "list[asyncio.Task[None]]":
            scope = {"client": ("10.0.0.1", 1)}
            return [asyncio.ensure_future(served(scope, None, None)) for _ in range(AS_MANY)]

        first = requests()
        await next_iteration()
        await next_iteration()
        answered.set()
        await asyncio.gather(*first)
        later = requests()
        await next_iteration()
        assert turns.waiting == 0
        await asyncio.gather(*later)

    asyncio.run(scenario())


def test_a_request_that_ends_while_it_waits_takes_no_turn() -> None:
    async def scenario() -> None:
        app = App()
        for _ in range(AS_MANY):
            app.request("10.0.0.1")
        gone = app.request("10.0.0.1")
        last = app.request("10.0.0.1")
        await next_iteration()
        assert app.turns.waiting == 2
        gone.cancel()
        await last
        assert app.turns.waiting == 0
        assert len(app.served) == AS_MANY + 1

    asyncio.run(scenario())


def test_requests_without_an_address_take_turns_too() -> None:
    async def scenario() -> None:
        app = App()
        served = [app.request("") for _ in range(3 * AS_MANY)]
        await asyncio.gather(*served)
        assert app.turns.waiting == 0

    asyncio.run(scenario())
