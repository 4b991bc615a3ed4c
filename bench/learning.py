"""Steps a second of the learning environments, and of the simulated market alone."""

from collections.abc import Callable, Sequence
from statistics import median
from time import process_time
from typing import Final

import numpy as np
from msgspec import Struct

from bench import machine
from crossbook.common.instruments import example
from crossbook.gym.environment import MarketEnv
from crossbook.gym.execution import ExecutionEnv
from crossbook.gym.market_making import QUOTE, MarketMakingEnv
from crossbook.simulator.fundamental import TICKS_PER_SECOND
from crossbook.simulator.simulation import Simulation

QUOTES: Final = np.array([QUOTE, 7, 9, 1, 1])
WAIT: Final = np.array([0, 0])


class Pace(Struct, frozen=True):
    """One environment: steps and ticks of the market a second, and a reset in milliseconds."""

    name: str
    agents: int
    step_s: float
    steps_per_s: float
    ticks_per_s: float
    reset_ms: float


class LearningReport(Struct, frozen=True):
    """Result of `python -m bench learning`."""

    bench: str
    machine: machine.Machine
    method: dict[str, str | int | float]
    market_ticks_per_s: float
    market_requests_per_s: float
    paces: list[Pace]


def run(steps: int, repeats: int) -> LearningReport:
    """Time every environment; figures are medians of the repeats, in processor time."""
    method: dict[str, str | int | float] = {
        "steps": steps,
        "repeats": repeats,
        "clock": "processor time",
        "market": "12 agents, one instrument",
    }
    ticks, requests = _market(steps * TICKS_PER_SECOND, repeats)
    kinds: Sequence[tuple[str, Callable[..., MarketEnv], np.ndarray]] = (
        ("market making", MarketMakingEnv, QUOTES),
        ("execution", ExecutionEnv, WAIT),
    )
    paces = [
        pace(name, kind, action, agents, step_s, steps, repeats)
        for name, kind, action in kinds
        for agents, step_s in ((6, 1.0), (6, 0.2), (12, 1.0))
    ]
    return LearningReport("learning", machine.describe(), method, ticks, requests, paces)


def pace(
    name: str,
    kind: Callable[..., MarketEnv],
    action: np.ndarray,
    agents: int,
    step_s: float,
    steps: int,
    repeats: int,
) -> Pace:
    """Time one environment that gets the same action in every step."""
    rates, resets = [], []
    for seed in range(repeats):
        environment = kind(agents=agents, step_s=step_s, duration_s=2 * steps * step_s)
        began = process_time()
        environment.reset(seed=seed)
        resets.append(process_time() - began)
        began = process_time()
        for _ in range(steps):
            environment.step(action)
        rates.append(steps / (process_time() - began))
    rate = median(rates)
    ticks = rate * step_s * TICKS_PER_SECOND
    return Pace(name, agents, step_s, rate, ticks, 1_000 * median(resets))


def _market(ticks: int, repeats: int) -> tuple[float, float]:
    """Ticks and requests a second of the market without an agent under control."""
    rates, requests = [], []
    for seed in range(repeats):
        simulation = Simulation([example()], seed=seed)
        began = process_time()
        simulation.run(ticks / TICKS_PER_SECOND)
        seconds = process_time() - began
        rates.append(ticks / seconds)
        requests.append(simulation.flow.statistics.requested_total / seconds)
    return median(rates), median(requests)


def show(report: LearningReport) -> None:
    """Print the report for a person."""
    print(f"learning: environments of the simulated market\n{machine.line(report.machine)}")
    print("method: " + ", ".join(f"{name} {value}" for name, value in report.method.items()))
    print(
        f"\nthe market alone: {report.market_ticks_per_s:,.0f} ticks/s, "
        f"{report.market_requests_per_s:,.0f} requests/s\n"
    )
    print(f"{'':<16}{'agents':>8}{'step s':>8}{'steps/s':>10}{'ticks/s':>10}{'reset ms':>10}")
    for each in report.paces:
        print(
            f"{each.name:<16}{each.agents:>8}{each.step_s:>8.1f}{each.steps_per_s:>10,.0f}"
            f"{each.ticks_per_s:>10,.0f}{each.reset_ms:>10.0f}"
        )
