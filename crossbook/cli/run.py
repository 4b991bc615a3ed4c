"""`crossbook run`: the processes of an exchange, started and supervised together."""

from typing import Annotated

import typer

from crossbook.common.errors import ConfigError
from crossbook.common.process.config import Settings, load_settings
from crossbook.common.process.startup import exit_on_config_error
from crossbook.launch.layout import PROCESSES, programs
from crossbook.launch.supervisor import Supervisor


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
