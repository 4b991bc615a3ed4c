"""`crossbook check`: whether one process works, for container health checks and supervisors."""

from enum import StrEnum
from typing import Annotated

import typer

from crossbook.cli.console import CommandError, ExitStatus, Output
from crossbook.cli.options import JsonOption, TimeoutOption, client_settings
from crossbook.client.process_probe import probe
from crossbook.errors import ProcessDown


class ProcessName(StrEnum):
    """The processes of an exchange."""

    MATCHER = "matcher"
    PUBLISHER = "publisher"
    GATEWAY = "gateway"
    RECORDER = "recorder"


def check(
    process: Annotated[
        ProcessName, typer.Argument(show_default=False, help="The process to probe.")
    ],
    timeout: TimeoutOption = 2.0,
    as_json: JsonOption = False,
) -> None:
    """Check that one process works; exit status 1 when it does not answer.

    Probes the process at its address in the settings: run this in the environment of that process.
    For health checks of containers and supervisors; `crossbook status` shows the whole exchange.

    \b
    Examples:
      crossbook check matcher
      crossbook check gateway --timeout 1 --json
    """
    try:
        settings = client_settings()
        address = probe(settings.of_shard(settings.shard), process.value, timeout)
    except ProcessDown as error:
        raise CommandError(str(error), ExitStatus.REFUSED, "DOWN", process.value) from error
    facts = {"process": process.value, "answers": True, "address": address}
    Output(as_json).result(facts, f"the {process.value} answers at {address}")
