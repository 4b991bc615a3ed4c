"""The benchmark's flow agrees with its docstring, and is the same every time."""

import hashlib
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from bench import workload
from bench.workload import SCENARIOS, generate
from crossbook.common.messages import codec
from crossbook.common.messages.commands import AmendOrder, CancelOrder, Command, NewOrder
from crossbook.common.messages.events import CommandRejected, TradeExecuted
from crossbook.common.types import RejectReason, Side, TimeInForce
from crossbook.matcher.engine.engine import Engine
from tests.worlds.invariants import check

REPOSITORY = Path(__file__).resolve().parents[2]
ORDERS = 20_000


@pytest.fixture(scope="module")
def normal() -> list[Command]:
    return generate("normal", ORDERS)


def digest(commands: list[Command]) -> str:
    return hashlib.sha256(codec.encode(commands)).hexdigest()


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_same_seed_gives_the_same_commands(scenario: str) -> None:
    first = generate(scenario, 1_000, seed=5)
    assert generate(scenario, 1_000, seed=5) == first
    assert generate(scenario, 1_000, seed=6) != first


def test_another_process_and_hash_seed_give_the_same_commands() -> None:
    program = "from tests.bench.test_workload import *; print(digest(generate('swing-25', 1_000)))"
    found = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=REPOSITORY,
            env={"PYTHONHASHSEED": seed, "PATH": ""},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert found == {digest(generate("swing-25", 1_000))}


def test_orders_expand_to_about_twice_as_many_messages(normal: list[Command]) -> None:
    mix = workload.mix(normal)
    assert mix.new_orders == ORDERS
    assert mix.messages == pytest.approx(2 * ORDERS, rel=0.02)
    assert mix.messages == mix.new_orders + mix.amends + mix.cancels


def test_shares_are_those_of_the_survey(normal: list[Command]) -> None:
    placed = {i: c for i, c in enumerate(normal, 1) if isinstance(c, NewOrder)}
    lasting = {i for i, c in placed.items() if c.time_in_force == TimeInForce.GTC}
    canceled = Counter(c.order_id for c in normal if isinstance(c, CancelOrder))
    amends = [c for c in normal if isinstance(c, AmendOrder)]
    first_amends = {c.order_id: c for c in reversed(amends)}
    assert 1 - len(lasting) / ORDERS == pytest.approx(0.15, abs=0.01)
    assert len(canceled) / len(lasting) == pytest.approx(0.95, abs=0.01)
    assert len(first_amends) / len(lasting) == pytest.approx(0.20, abs=0.01)
    assert sum(n == 2 for n in canceled.values()) / len(canceled) == pytest.approx(0.02, abs=0.005)
    up = [c for c in first_amends.values() if c.price_ticks == placed[c.order_id].price_ticks + 1]
    assert len(up) / len(first_amends) == pytest.approx(0.80, abs=0.02)
    assert all(c.quantity_lots == placed[c.order_id].quantity_lots + 1 for c in up)
    assert len(amends) > len(first_amends), "no stale amends"


def test_commands_name_orders_that_came_before_by_their_position(normal: list[Command]) -> None:
    for position, command in enumerate(normal, 1):
        if isinstance(command, CancelOrder | AmendOrder):
            assert command.order_id < position
            order = normal[command.order_id - 1]
            assert isinstance(order, NewOrder)
            assert order.account == command.account
            assert order.time_in_force == TimeInForce.GTC


def test_most_cancels_come_at_once_and_deeper_orders_live_longer() -> None:
    commands = generate("static", ORDERS)
    # Amends are between an order and its cancel, and second cancels after the end.
    skipped = {command.order_id for command in commands if isinstance(command, AmendOrder)}
    at_once: dict[bool, list[bool]] = {True: [], False: []}
    for position, command in enumerate(commands, 1):
        if isinstance(command, CancelOrder) and command.order_id not in skipped:
            skipped.add(command.order_id)
            order = commands[command.order_id - 1]
            assert isinstance(order, NewOrder)
            deep = abs(order.price_ticks - workload.START_MID_TICKS) > workload.HUMP_TICKS
            at_once[deep].append(position == command.order_id + 1)
    near, far = (sum(at_once[deep]) / len(at_once[deep]) for deep in (False, True))
    assert 0.8 < far < near - 0.01


def test_depth_has_its_peak_at_the_touch_and_a_hump_eight_ticks_out() -> None:
    distances = Counter(
        abs(command.price_ticks - workload.START_MID_TICKS)
        for command in generate("static", ORDERS)
        if isinstance(command, NewOrder)
    )
    assert distances.most_common(1)[0][0] == 1
    assert distances[8] > distances[4]
    assert distances[8] > 3 * distances[16] > 0
    assert 1 <= min(distances) <= max(distances) <= workload.MAX_DISTANCE


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_engine_refuses_only_stale_commands(scenario: str) -> None:
    engine = Engine([workload.INSTRUMENT])
    trades = 0
    refused: Counter[RejectReason] = Counter()
    for command in generate(scenario, 3_000):
        for event in engine.apply(command):
            trades += isinstance(event, TradeExecuted)
            if isinstance(event, CommandRejected):
                refused[RejectReason(event.reason)] += 1
    check(engine)
    assert set(refused) == {RejectReason.UNKNOWN_ORDER}
    assert (trades > 100) == (scenario != "static")


def test_wider_swings_cross_a_wider_range_of_prices() -> None:
    spans = []
    for scenario in SCENARIOS:
        prices = [c.price_ticks for c in generate(scenario, 2_000) if isinstance(c, NewOrder)]
        spans.append(max(prices) - min(prices))
    assert spans == sorted(spans)
    assert spans[0] <= 2 * workload.MAX_DISTANCE
    assert spans[-1] > 0.5 * workload.START_MID_TICKS


def test_a_seed_gives_the_same_path_for_any_number_of_orders() -> None:
    def mids(orders: int) -> list[int]:
        placed = [c for c in generate("swing-40", orders) if isinstance(c, NewOrder)]
        by_side = [[c.price_ticks for c in placed if c.side == side] for side in Side]
        return [edge for prices in by_side for edge in (min(prices), max(prices))]

    for small, large in zip(mids(5_000), mids(40_000), strict=True):
        assert small == pytest.approx(large, abs=workload.MAX_DISTANCE + 40)
