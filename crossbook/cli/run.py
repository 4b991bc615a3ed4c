"""`crossbook run`: the processes of an exchange, started and supervised together."""

from typing import Annotated, Final, Literal

import typer

from crossbook.cli.supervisor import Program, Supervisor
from crossbook.common.errors import ConfigError
from crossbook.common.process.config import Settings, load_settings
from crossbook.common.process.programs import COMMAND_LINE, MODULES
from crossbook.common.process.startup import exit_on_config_error

PROCESSES: Final[tuple[Literal["matcher", "publisher", "gateway", "recorder"], ...]] = (
    "matcher", "publisher", "gateway", "recorder",
)  # fmt: skip

STAGES: Final = {"simulator": 0, "gateway": 1, "matcher": 2, "publisher": 3, "recorder": 4}
"""The order in which they end: none sends to a process that has ended."""

SIMULATOR_WAIT_S: Final = 120
"""How long the simulator waits for the exchange: a journal may have to be read first."""


def run(
    demo: Annotated[
        bool, typer.Option("--demo", help="With a simulated market on it (crossbook simulate).")
    ] = False,
) -> None:
    """Run an exchange in the foreground: matcher, publisher, gateway and recorder of every shard.

    Settings come from the environment and .env. A process that is killed is started again; when
    one ends without a signal, all are ended. Ctrl-C or SIGTERM ends them in order: first the
    simulator, which cancels its orders, then gateway, matcher, publisher and recorder.

    \b
    Examples:
      crossbook run
      crossbook run --demo
      SHARDS=2 crossbook run
    """
    try:
        # Checked here, so that a wrong setting is reported once and not by every process.
        for process in PROCESSES:
            load_settings(process)
        settings = load_settings("client")
        text = _where_to_connect(settings)
    except ConfigError as error:
        exit_on_config_error(error, "run")
    print(text, flush=True)
    raise typer.Exit(Supervisor(programs(settings.shards, demo=demo)).run())


def programs(shards: int, *, demo: bool) -> list[Program]:
    """The processes of an exchange, in the order in which they start."""
    found = []
    for process in PROCESSES:
        if process == "gateway" or shards == 1:
            found.append(Program(process, [MODULES[process]], STAGES[process]))
            continue
        found += [
            Program(
                f"{process}-{shard}", [MODULES[process]], STAGES[process], {"SHARD": str(shard)}
            )
            for shard in range(shards)
        ]
    if demo:
        simulate = [COMMAND_LINE, "simulate", "--wait", str(SIMULATOR_WAIT_S)]
        found.append(Program("simulator", simulate, STAGES["simulator"]))
    return found


def _where_to_connect(settings: Settings) -> str:
    every = settings.each_shard()
    symbols = " ".join(instrument.symbol for instrument in settings.instruments())
    host = f"[{settings.api_host}]" if ":" in settings.api_host else settings.api_host
    address = f"http://{host}:{settings.api_port}"
    return f"""
  a page        {address}/
  REST, streams {address}/docs
  order entry   {settings.gateway_orders}
  market data   {", ".join(shard.publisher_feed for shard in every)}
  snapshots     {", ".join(shard.publisher_snapshots for shard in every)}
  instruments   {symbols}

  in another terminal: crossbook --help
  Ctrl-C stops everything
"""
