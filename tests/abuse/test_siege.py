"""Every attack at once on an exchange that trades: memory stays bounded, other clients are served,
and nothing is lost.

`make test-abuse` attacks for ten minutes; `SIEGE_S` sets another time, and `SIEGE_BY` selects
attacks.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import msgspec
import psutil
import pytest

from bench.fairness import FLOODS, FairnessPlan, Flood, Latencies, compared
from bench.flooder import FloodTarget
from bench.load import LoadGenerator, LoadOutcome, LoadPlan
from crossbook.client.client import Client
from crossbook.matcher.recovery.verify import Verification
from tests.system.exchange import RECORDED, REPOSITORY, Exchange

HOSTILE = ("endless-messages", "unread-answers", "unread-resends", "icebergs")
ALL = (*(each for each in FLOODS if each != "nothing"), *HOSTILE)
ATTACKS = tuple(os.environ["SIEGE_BY"].split(",")) if "SIEGE_BY" in os.environ else ALL
SIEGE_S = float(os.environ.get("SIEGE_S", "600"))
TURN_S = 15.0
SETTLE_S = 2.0
RATE = 200.0
CLIENTS = 8
SOURCE = "127.0.0.66"
"""Address of the attackers. The clients that trade have another one."""
FLAT_MIB = 256
"""Most MiB that the siege adds to a process: the bounds of all peers, and their buffers."""


class Memory(threading.Thread):
    """The largest memory of each process in MiB above its first sample; it is sampled until
    `end`."""

    def __init__(self, pids: dict[str, int]) -> None:
        super().__init__()
        self._processes = {name: psutil.Process(pid) for name, pid in pids.items()}
        self._first = {name: self._resident(name) for name in pids}
        self.grown = dict.fromkeys(pids, 0.0)
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(0.25):
            for name in self._processes:
                self.grown[name] = max(self.grown[name], self._resident(name) - self._first[name])

    def end(self) -> None:
        self._ended.set()
        self.join()

    def _resident(self, name: str) -> float:
        return int(self._processes[name].memory_info().rss) / 2**20


@pytest.fixture(name="exchange")
def fixture_exchange() -> Iterator[Exchange]:
    with Exchange(
        order=RECORDED, GATEWAY_ROLES="orders,api", LOG_LEVEL="ERROR", JOURNAL_KEEP_SEGMENTS="4"
    ) as running:
        running.wait_http()
        running.wait_shown("BTC-USDT")
        yield running


def besieged(
    exchange: Exchange, seconds: float, turn_s: float
) -> tuple[LoadOutcome, list[Latencies], dict[str, float]]:
    """Load the exchange while attackers and, in turn, as many idle spinners run beside."""
    turns = max(1, round(seconds / (2 * turn_s)))
    plan = FairnessPlan(turns=turns, settle_s=SETTLE_S, window_s=turn_s - SETTLE_S)
    target = FloodTarget(exchange.orders, exchange.snapshots, exchange.api_port, SOURCE)
    load = LoadPlan(RATE, plan.duration_s, CLIENTS, warm_s=0.0)
    beside = ["nothing"] * len(ATTACKS)
    memory = Memory({name: exchange.pid(name) for name in RECORDED})
    with LoadGenerator(exchange.orders, load) as generator:
        generator.log_on()
        with Flood(ATTACKS, target, plan, beside, aside=True) as flood:
            memory.start()
            outcome = generator.run()
            memory.end()
    orders = list(zip(outcome.ack_due_ns, outcome.round_trip_ns, strict=True))
    return outcome, [compared("orders", flood, orders)], memory.grown


def check_nothing_lost(exchange: Exchange, outcome: LoadOutcome) -> None:
    assert outcome.unanswered == 0
    # An order that somebody else filled cannot be canceled any more.
    assert set(outcome.rejects) <= {"BUSY", "THROTTLED", "UNKNOWN_ORDER"}
    exchange.check_alive()
    with Client(exchange.orders, account=5) as client:
        assert client.ping().seq >= max(outcome.ack_seq)
    for name in reversed(RECORDED):
        exchange.stop(name)
    command = [sys.executable, "-m", "crossbook", "verify", str(exchange.data), "--json"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=True, timeout=300)
    verdict = msgspec.json.decode(done.stdout, type=Verification)
    assert not verdict.problem
    assert verdict.last_seq >= max(outcome.ack_seq)


@pytest.mark.slow
@pytest.mark.timeout(SIEGE_S + 300)
def test_ten_minutes_of_every_attack_lose_nothing(exchange: Exchange) -> None:
    outcome, latencies, grown = besieged(exchange, SIEGE_S, TURN_S)
    print(f"\n{len(ATTACKS)} attackers, {SIEGE_S:g} s; grown by MiB: {grown}")
    for each in latencies:
        print(
            f"{each.kind}: p99 {each.rest.p99_us / 1000:.1f} ms beside spinners, "
            f"{each.flood.p99_us / 1000:.1f} ms beside attackers ({each.p99_ratio:.2f})"
        )
    assert max(grown.values()) < FLAT_MIB, grown
    check_nothing_lost(exchange, outcome)
    assert latencies[0].p99_ratio <= 2
