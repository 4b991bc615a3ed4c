"""Bytes of a client that are read in parts, in turns with others."""

import asyncio
from collections.abc import Awaitable, Callable

from crossbook.gateway.web.inbox import PART, Inbox
from crossbook.gateway.web.web_turns import ROUND_NS, WebTurns
from tests.worlds.event_loop import next_iteration


class Client:
    """A connection that stores what its inbox reads; each part can use up the round."""

    def __init__(self, turns: WebTurns, owner: str = "10.0.0.1", ns: int = 0) -> None:
        self.owner = owner
        self.full = False
        self.parts: list[bytes] = []
        self.flow: list[str] = []
        self._turns = turns
        self._ns = ns
        self.inbox = Inbox(self, turns)

    @property
    def data(self) -> bytes:
        return b"".join(self.parts)

    def read(self, data: bytes) -> None:
        self.parts.append(data)
        self._turns.spend(self._ns)

    def hold(self) -> None:
        self.flow.append("hold")

    def go_on(self) -> None:
        self.flow.append("go on")


def run(scenario: Callable[[WebTurns], Awaitable[None]]) -> None:
    async def whole() -> None:
        await scenario(WebTurns())

    asyncio.run(whole())


async def ended(turns: WebTurns) -> None:
    """Let rounds pass until nobody waits."""
    while turns.waiting:
        await next_iteration()


def test_what_fits_into_the_round_is_read_at_once_in_parts() -> None:
    async def scenario(turns: WebTurns) -> None:
        client = Client(turns)
        sent = bytes(range(256)) * 40
        client.inbox.add(sent)
        assert client.data == sent
        assert [len(part) for part in client.parts] == [PART, PART, len(sent) - 2 * PART]
        assert client.flow == ["go on"]
        assert not client.inbox

    run(scenario)


def test_a_client_whose_bytes_wait_sends_no_more_until_they_are_read() -> None:
    async def scenario(turns: WebTurns) -> None:
        client = Client(turns, ns=ROUND_NS)
        client.inbox.add(bytes(3 * PART))
        assert len(client.inbox) == 2 * PART
        assert client.flow == ["hold"]
        await ended(turns)
        assert len(client.data) == 3 * PART
        assert client.flow == ["hold", "hold", "go on"]

    run(scenario)


def test_a_round_reads_one_part_that_uses_it_up() -> None:
    async def scenario(turns: WebTurns) -> None:
        client = Client(turns, ns=ROUND_NS)
        client.inbox.add(bytes(10 * PART))
        for parts in range(2, 11):
            await next_iteration()
            assert len(client.parts) == parts

    run(scenario)


def test_addresses_take_turns_whatever_each_has_sent() -> None:
    async def scenario(turns: WebTurns) -> None:
        crowd = [Client(turns, "10.0.0.1", ROUND_NS) for _ in range(5)]
        single = Client(turns, "10.0.0.2", ROUND_NS)
        for each in (*crowd, single):
            each.inbox.add(bytes(4 * PART))
        while len(single.parts) < 4:
            await next_iteration()
        assert sum(len(each.parts) for each in crowd) <= 6
        await ended(turns)
        assert {len(each.parts) for each in crowd} == {4}

    run(scenario)


def test_bytes_that_come_meanwhile_follow_those_that_wait() -> None:
    async def scenario(turns: WebTurns) -> None:
        client = Client(turns, ns=ROUND_NS)
        client.inbox.add(b"a" * 2 * PART)
        client.inbox.add(b"b" * PART)
        await ended(turns)
        assert client.data == b"a" * 2 * PART + b"b" * PART
        assert turns.waiting == 0

    run(scenario)


def test_a_client_that_does_not_read_its_answers_is_not_read() -> None:
    async def scenario(turns: WebTurns) -> None:
        client = Client(turns, ns=ROUND_NS)
        client.inbox.add(bytes(3 * PART))
        client.full = True
        await ended(turns)
        assert len(client.parts) == 1
        client.full = False
        client.inbox.work()
        await ended(turns)
        assert len(client.data) == 3 * PART
        assert client.flow[-1] == "go on"

    run(scenario)


def test_a_connection_that_ends_leaves_nothing_to_read() -> None:
    async def scenario(turns: WebTurns) -> None:
        client = Client(turns, ns=ROUND_NS)
        client.inbox.add(bytes(3 * PART))
        client.inbox.clear()
        await ended(turns)
        assert len(client.parts) == 1

    run(scenario)
