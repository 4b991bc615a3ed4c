"""The runs have every kind of fault: a kept promise shows nothing without a fault."""

import re
from collections import Counter
from typing import Final

from tests.simulation.gateway_process import GatewayProcess
from tests.simulation.run import SimulatedExchange, simulate
from tests.simulation.trader import Trader
from tests.simulation.world import MILLISECOND, SECOND

SEEDS = 30

REACHED: Final = {
    "a torn tail is cut": r"recovered \d+ from \d+, cut [1-9]",
    "a snapshot is used": r"recovered \d+ from [1-9]",
    "a start is cut short": r"died while starting",
    "a snapshot is written": r"snapshot \d+\.snapshot \[0\]",
    "the power goes": r"ended: power lost",
    "the power would take back published batches": r"power would leave",
    "the disk fails": r"ended: journal: ",
    "a process dies in a round": r"killed in the middle of a round",
    "commands are sent again": r"commands_sent_again",
    "events are missed": r"event_gap",
    "events are sent again": r"ResendRequest gave Resend$",
    "feed messages are missed": r"requests RangeRequest",
    "a client is gone": r"a client is gone",
    "a request stays without answer": r"-> Unanswered",
}


def test_faults_have_consequences() -> None:
    found: Counter[str] = Counter()
    for seed in range(SEEDS):
        lines: list[str] = []
        simulate(seed, show=lines.append)
        for fault, pattern in REACHED.items():
            found[fault] += any(re.search(pattern, line) for line in lines)
    assert [fault for fault in REACHED if not found[fault]] == []


def test_a_gateway_ends_when_another_takes_its_place() -> None:
    simulation = SimulatedExchange(3, 30, None)
    world, network = simulation.world, simulation.network
    world.run_until(world.now_ns + SECOND)
    older = simulation.gateways[0]
    newer = GatewayProcess(
        world, network, simulation.conditions, simulation.archive, simulation.matcher, older.number
    )
    newer.name = "newer"
    trader = Trader(world, network, 99, 9, newer)
    for process in (newer, trader):
        process.start()
    for _ in range(100):
        for each in (trader, *simulation.traders):
            each.act()
        world.run_until(world.now_ns + 20 * MILLISECOND)
    assert simulation.archive.fences == [older.name]
    assert newer.alive
    assert not older.alive
    assert simulation.archive.check_origins()
