"""Rules for several processes: each process receives those that it applies, and a silent one is
named."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
import zmq

from crossbook.common.faults.order_entry import NoAnswer
from crossbook.common.faults.rule import Process
from crossbook.common.faults.table import RULES_MAX, FaultTable, NotHere
from crossbook.common.faults.venue import ProcessKilled
from crossbook.common.messages.faults import AddFault
from crossbook.common.process import sockets
from crossbook.common.process.clock import SystemClock
from crossbook.common.process.fault_server import FaultServer, faults_address, serve_faults
from crossbook.gateway.faults import links
from crossbook.gateway.faults.links import FaultLinks
from crossbook.gateway.problem import Problem


class AtPublishers(NoAnswer, tag="no_answer"):
    """A rule that publishers apply."""

    processes: ClassVar[tuple[Process, ...]] = ("publisher",)


class World:
    """Links of a gateway to the publishers of two shards, which are started on demand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.servers: dict[str, FaultServer] = {}
        self.table = FaultTable("gateway")
        self.links = FaultLinks(
            self.table,
            {
                name: sockets.faults_dealer(
                    self.context, faults_address(folder / name, "publisher")
                )
                for name in ("publisher", "publisher-1")
            },
            SystemClock(),
        )

    def start(self, *names: str) -> None:
        """Start the servers of these publishers."""
        for name in names:
            shard = int(name.partition("-")[2] or 0)
            server = serve_faults(self.context, self.folder / name, "publisher", shard)
            self.servers[name] = server

    def stop(self, name: str) -> None:
        """Stop one."""
        self.servers.pop(name).stop()

    def close(self) -> None:
        """Stop all."""
        for name in list(self.servers):
            self.stop(name)
        self.context.destroy(linger=0)


@pytest.fixture(name="world")
def fixture_world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


def run(main: Callable[[], Awaitable[None]]) -> None:
    """Run one test's coroutine."""

    async def timed() -> None:
        await asyncio.wait_for(main(), 20)

    asyncio.run(timed())


def test_a_rule_of_the_gateway_is_in_its_own_table(world: World) -> None:
    async def main() -> None:
        state = await world.links.add(NoAnswer())
        assert (state.id, state.process) == (1, "gateway")
        states, applied, silent = await world.links.states()
        assert [each.id for each in states] == [1]
        assert applied["no_answer"] == 0
        assert silent == ["publisher", "publisher-1"]

    run(main)


def test_a_rule_of_publishers_is_sent_to_those_of_all_shards(world: World) -> None:
    async def main() -> None:
        world.start("publisher", "publisher-1")
        state = await world.links.add(AtPublishers())
        assert (state.id, state.process) == (1, "publisher")
        assert not len(world.table)
        states, _, silent = await world.links.states()
        assert [(each.id, each.process) for each in states] == [
            (1, "publisher"),
            (1, "publisher-1"),
        ]
        assert not silent
        assert (await world.links.add(NoAnswer())).id == 2

    run(main)


def test_ids_go_on_after_those_of_rules_that_another_gateway_sent(world: World) -> None:
    async def main() -> None:
        world.start("publisher", "publisher-1")
        world.servers["publisher-1"].table.add(NoAnswer(), 40)
        assert (await world.links.add(AtPublishers())).id == 41

    run(main)


def test_all_rules_are_removed_in_every_process(world: World) -> None:
    async def main() -> None:
        world.start("publisher", "publisher-1")
        await world.links.add(AtPublishers())
        await world.links.add(NoAnswer())
        assert await world.links.remove(0) == 2
        assert await world.links.remove(0) == 0
        assert not any(len(server.table) for server in world.servers.values())
        assert not len(world.table)

    run(main)


def test_one_rule_is_removed_in_every_process(world: World) -> None:
    async def main() -> None:
        world.start("publisher", "publisher-1")
        await world.links.add(AtPublishers())
        await world.links.add(AtPublishers())
        assert await world.links.remove(1) == 1
        assert [len(server.table) for server in world.servers.values()] == [1, 1]
        assert await world.links.remove(1) == 0

    run(main)


def test_a_rule_for_a_process_that_is_away_is_refused_and_in_force_nowhere(world: World) -> None:
    async def main() -> None:
        world.start("publisher")
        with pytest.raises(Problem) as caught:
            await world.links.add(AtPublishers())
        assert caught.value.status == 503
        assert caught.value.detail.message == (
            "no answer from publisher-1: a fault of kind no_answer needs each with FAULTS=on"
        )
        assert not len(world.servers["publisher"].table)

    run(main)


def test_a_process_whose_rules_may_remain_is_named(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        monkeypatch.setattr(links, "ANSWER_NS", 50_000_000)
        world.start("publisher", "publisher-1")
        await _connected(world)
        server = world.servers["publisher"]
        answers = iter([True, False])
        answer: Any = server.answer
        monkeypatch.setattr(
            server, "answer", lambda request: answer(request) if next(answers) else _fail()
        )
        with pytest.raises(Problem, match="no answer from publisher: its rules may remain"):
            await world.links.remove(0)

    run(main)


def test_a_rule_that_one_process_refuses_is_in_force_nowhere(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        monkeypatch.setattr(links, "ANSWER_NS", 300_000_000)
        world.start("publisher", "publisher-1")
        await _connected(world)
        server = world.servers["publisher-1"]
        answer: Any = server.answer
        monkeypatch.setattr(
            server,
            "answer",
            lambda request: _fail() if isinstance(request, AddFault) else answer(request),
        )
        with pytest.raises(Problem, match="no answer from publisher-1; nothing is in force"):
            await world.links.add(AtPublishers())
        assert not len(world.servers["publisher"].table)

    run(main)


def test_a_full_table_of_another_process_refuses_the_rule_everywhere(world: World) -> None:
    async def main() -> None:
        world.start("publisher", "publisher-1")
        for _ in range(RULES_MAX):
            world.servers["publisher-1"].table.add(NoAnswer())
        with pytest.raises(Problem, match=f"{RULES_MAX} rules are in force") as caught:
            await world.links.add(AtPublishers())
        assert caught.value.status == 422
        assert not len(world.servers["publisher"].table)

    run(main)


def test_requests_at_the_same_time_receive_their_own_answers(world: World) -> None:
    async def main() -> None:
        world.start("publisher", "publisher-1")
        added = await asyncio.gather(*(world.links.add(AtPublishers()) for _ in range(20)))
        assert [each.id for each in added] == list(range(1, 21))

    run(main)


async def _connected(world: World) -> None:
    while (await world.links.states())[2]:
        pass


def _fail() -> Any:
    raise zmq.Again


def without_instrument(server: FaultServer) -> None:
    """Let a process refuse every rule for an instrument that it does not have."""

    def settle() -> None:
        if len(server.table):
            raise NotHere("symbol: there is no instrument 'BTC-USDT'")

    server.settle = settle


def test_an_instrument_is_needed_in_one_shard_alone(world: World) -> None:
    async def main() -> None:
        world.start("publisher", "publisher-1")
        without_instrument(world.servers["publisher"])
        state = await world.links.add(AtPublishers())
        assert state.process == "publisher-1"
        assert await world.links.remove(state.id) == 1
        without_instrument(world.servers["publisher-1"])
        with pytest.raises(Problem, match="there is no instrument") as caught:
            await world.links.add(AtPublishers())
        assert (caught.value.status, caught.value.detail.code) == (422, "UNKNOWN_SYMBOL")
        assert world.links.in_force() == (0, 0)

    run(main)


def test_rules_in_force_are_counted_once_and_those_of_an_ended_process_not_at_all(
    world: World,
) -> None:
    async def main() -> None:
        world.start("publisher", "publisher-1")
        await world.links.add(AtPublishers())
        await world.links.add(NoAnswer())
        assert world.links.in_force() == (2, 0)
        world.stop("publisher")
        world.stop("publisher-1")
        await world.links.states()
        assert world.links.in_force() == (1, 0)

    run(main)


def test_the_end_of_a_process_is_counted_by_the_gateway(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = asyncio.Event()

    async def main() -> None:
        monkeypatch.setattr(links, "kill_this_process", ended.set)
        state = await world.links.add(ProcessKilled(process="gateway"))
        assert (state.process, world.table.applied["process_killed"]) == ("gateway", 1)
        await asyncio.wait_for(ended.wait(), 10)

    run(main)
