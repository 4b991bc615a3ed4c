"""`crossbook simulate`."""

import asyncio
import contextlib
import signal
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.live import Live

from crossbook.cli.agents import (
    agent_choice,
    explanation,
    explanation_facts,
    kind_values,
    read_agents_file,
)
from crossbook.cli.console import CommandError, ExitStatus, Output
from crossbook.cli.options import GatewayOption, JsonOption, client_settings
from crossbook.client.exchange_clock import ExchangeClock
from crossbook.common.types import MAX_ACCOUNT
from crossbook.simulator.display import facts, line, table
from crossbook.simulator.flow import AgentFlow
from crossbook.simulator.population import AGENTS_MOST, BUILT_IN, CHOSEN_MOST, AgentChoice, Values
from crossbook.simulator.runner import Runner, SimulationPlan, Stopped

SYMBOLS: Final = "BTC-USDT,ETH-USDT,SOL-USDT"
FIRST_ACCOUNT: Final = 9_001
LINE_EVERY_S: Final = 10.0
"""Interval of the progress lines where the output is no terminal."""

_FRAMES_PER_SECOND: Final = 4

SeedOption = Annotated[int, typer.Option("--seed", min=0, max=2**63 - 1, help="Which market.")]
RateOption = Annotated[
    float | None,
    typer.Option(
        "--rate", min=0.1, max=20_000, show_default=False,
        help="Requests per second, on average; without it a simulated second lasts a real one.",
    ),
]  # fmt: skip
AgentsOption = Annotated[
    int,
    typer.Option(
        "--agents", min=0, max=AGENTS_MOST, help="How many agents of the built-in kinds trade."
    ),
]
OwnAgentOption = Annotated[
    list[str] | None,
    typer.Option(
        "--agent", metavar="MODULE:CLASS[:PARAMETER=VALUE,...]", show_default=False,
        help="One more agent: a class of a module in the current folder, or a built-in kind. "
        "May be given several times.",
    ),
]  # fmt: skip
ParameterOption = Annotated[
    list[str] | None,
    typer.Option(
        "--parameter", metavar="KIND.PARAMETER=VALUE", show_default=False,
        help="A parameter of a built-in kind. May be given several times.",
    ),
]  # fmt: skip
AgentsFileOption = Annotated[
    Path | None,
    typer.Option(
        "--agents-file", metavar="FILE", show_default=False,
        help="A TOML file with [kinds.KIND] parameters and [[agent]] entries.",
    ),
]  # fmt: skip
ExplainOption = Annotated[
    bool,
    typer.Option("--explain", help="Print the kinds of agents with their parameters, and end."),
]
SymbolsOption = Annotated[
    str, typer.Option("--symbols", "-s", metavar="SYMBOL,...", help="Instruments to trade.")
]
DurationOption = Annotated[
    float,
    typer.Option(
        "--duration", "-d", min=0, max=10_000_000, metavar="SECONDS",
        help="Simulated seconds; 0: until Ctrl-C.",
    ),
]  # fmt: skip
FirstAccountOption = Annotated[
    int,
    typer.Option(
        "--first-account", min=1, max=MAX_ACCOUNT - AGENTS_MOST - CHOSEN_MOST,
        help="Account of the first agent; the others use the next ones.",
    ),
]  # fmt: skip
WaitOption = Annotated[
    float,
    typer.Option(
        "--wait", min=0, max=3600, metavar="SECONDS", help="How long to wait for the exchange."
    ),
]
HoldTimeOption = Annotated[
    bool,
    typer.Option("--hold-time", help="With CLOCK=manual: let the exchange's time stand still."),
]

MATCHER_TIMEOUT_S: Final = 1.0
"""How long a tick waits for the matchers to move their time."""


def simulate(
    seed: SeedOption = 1,
    rate: RateOption = None,
    agents: AgentsOption = 12,
    agent: OwnAgentOption = None,
    parameter: ParameterOption = None,
    agents_file: AgentsFileOption = None,
    symbols: SymbolsOption = SYMBOLS,
    duration: DurationOption = 0.0,
    first_account: FirstAccountOption = FIRST_ACCOUNT,
    wait: WaitOption = 10.0,
    hold_time: HoldTimeOption = False,
    gateway: GatewayOption = None,
    explain: ExplainOption = False,
    as_json: JsonOption = False,
) -> None:
    """Simulate a market: market makers, noise, momentum and mean-reversion traders, news.

    The seed decides the flow, and the rate only its pace: two runs with the same seed, agents,
    symbols and duration on two fresh exchanges without other traders send the same requests in the
    same order. 12 agents in three instruments send some 170 requests per simulated second. Open
    orders of the agents' accounts are canceled at the start and, also after Ctrl-C, at the end.

    With CLOCK=manual the exchange's time moves by the simulated seconds, over the matchers' admin
    sockets; two such runs have the same journal digest (crossbook journal --digest).

    Agents of your own trade with the others: a class derived from crossbook.simulator.agent.Agent.
    One that raises an exception is named, its orders are canceled, the others go on, and the exit
    status is 1.

    \b
    Examples:
      crossbook simulate
      crossbook simulate --seed 7 --duration 600 --rate 1000 --json
      crossbook simulate --symbols BTC-USDT --agents 6
      crossbook simulate --agent quoter:Quoter:half_spread_bps=5
      crossbook simulate --parameter maker.levels=3 --agent noise
      crossbook simulate --explain
    """
    own, kinds = _chosen(agent or (), parameter or (), agents_file)
    if explain:
        classes = list(dict.fromkeys([*BUILT_IN.values(), *(choice.agent for choice in own)]))
        Output(as_json).result(explanation_facts(classes), explanation(classes))
        return
    settings = client_settings(gateway=gateway)
    names = tuple(dict.fromkeys(name.strip().upper() for name in symbols.split(",")))
    plan = SimulationPlan(
        settings.gateway_orders, first_account, agents, seed, names, rate, duration, wait,
        own, kinds, settings.client_keyring(),
    )  # fmt: skip
    with contextlib.ExitStack() as stack:
        clock = None
        if settings.clock == "manual" and not hold_time:
            admin = [shard.matcher_admin for shard in settings.each_shard()]
            clock = stack.enter_context(ExchangeClock(admin, (), MATCHER_TIMEOUT_S, keys=plan.keys))
        _trade(Runner(plan, clock), Output(as_json))


def _trade(runner: Runner, output: Output) -> None:
    """Run a simulation to its end and print its summary."""
    with _Screen(output) as screen:
        try:
            flow = asyncio.run(_run(runner, screen))
        except Stopped:
            output.remark("stopped before anything was traded")
            return
        except ValueError as error:
            raise CommandError(str(error), ExitStatus.USAGE, "UNKNOWN_SYMBOL", "symbols") from error
    output.result(facts(runner, flow, screen.elapsed_s), table(runner, flow, screen.elapsed_s))
    if runner.left_open:
        output.remark("the exchange did not confirm the last cancels: orders may be open")
    if flow.failures:
        raise typer.Exit(int(ExitStatus.REFUSED))


def _chosen(
    agents: Sequence[str], parameters: Sequence[str], path: Path | None
) -> tuple[tuple[AgentChoice, ...], dict[str, Values]]:
    """The further agents, those of the file first, and parameters of the built-in kinds, of which
    an option overrides one of the file."""
    kinds, choices = read_agents_file(path) if path is not None else ({}, [])
    for kind, values in kind_values(parameters).items():
        kinds[kind] = {**kinds.get(kind, {}), **values}
    return (*choices, *map(agent_choice, agents)), {**kinds}


async def _run(runner: Runner, screen: "_Screen") -> AgentFlow:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, runner.stop)
    return await runner.run(screen.show)


class _Screen:
    """The progress of a run: a table in a terminal, else a line at intervals; on standard error,
    because standard output is for the summary."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._live: Live | None = None
        self._began_s = 0.0
        self._shown_s = 0.0
        self._failures = 0
        self._stack = contextlib.ExitStack()
        self.elapsed_s = 0.0

    def __enter__(self) -> "_Screen":
        if not self._output.as_json and self._output.notes.is_terminal:
            live = Live(console=self._output.notes, auto_refresh=False, transient=True)
            self._live = self._stack.enter_context(live)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def show(self, runner: Runner, flow: AgentFlow) -> None:
        """Called after every tick."""
        now_s = time.monotonic()
        if not self._began_s:
            self._began_s = now_s
            symbols = ", ".join(market.symbol for market in flow.markets)
            self._output.remark(f"{runner.plan.accounts} agents quote and trade {symbols}")
        self.elapsed_s = now_s - self._began_s
        for failure in flow.failures[self._failures :]:
            self._failures += 1
            self._output.remark("".join(traceback.format_exception(failure.error)).rstrip())
            self._output.remark(f"{failure.text}; its orders are canceled, the others go on")
        if self._live is not None:
            if now_s - self._shown_s >= 1 / _FRAMES_PER_SECOND:
                self._shown_s = now_s
                self._live.update(table(runner, flow, self.elapsed_s), refresh=True)
        elif now_s - (self._shown_s or self._began_s) >= LINE_EVERY_S:
            self._shown_s = now_s
            self._output.remark(line(runner, flow, self.elapsed_s))
