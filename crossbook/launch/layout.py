"""Where an exchange is: the settings that place it, its processes, and its addresses.

A layout is nothing but settings, as environment variables: a process with these settings reaches
the exchange.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

from msgspec import Struct

from crossbook.common.process.config import Settings
from crossbook.common.process.programs import COMMAND_LINE, MODULES
from crossbook.launch.ports import Ports

PROCESSES: Final[tuple[Literal["matcher", "publisher", "gateway", "recorder"], ...]] = (
    "matcher", "gateway", "publisher", "recorder",
)  # fmt: skip
"""In the order of their starts: first those without which no order is accepted."""

STAGES: Final = {"simulator": 0, "gateway": 1, "matcher": 2, "publisher": 3, "recorder": 4}
"""The order in which they end: none sends to a process that has ended."""

SIMULATOR_WAIT_S: Final = 120
"""How long the simulator waits for the exchange: a journal may have to be read first."""


class Program(Struct, frozen=True):
    """A process to run: `python -m ARGUMENTS` with `environment` added to that of all.

    Stages end in ascending order. One that `is_late` starts when the others are ready.
    """

    name: str
    arguments: tuple[str, ...]
    stage: int
    environment: Mapping[str, str] = {}
    is_late: bool = False


class Addresses(Struct, frozen=True, kw_only=True):
    """Where clients connect. What every shard has is a list, by shard."""

    http_url: str
    websocket_url: str
    orders: str
    feeds: list[str]
    snapshots: list[str]
    administrators: list[str]
    data_dir: str
    instruments: list[str]


def programs(shards: int, *, demo_symbols: Sequence[str] = ()) -> list[Program]:
    """The processes of an exchange, in the order in which they start; with a simulated market in
    these symbols, if there are any."""
    found = []
    for process in PROCESSES:
        if process == "gateway" or shards == 1:
            found.append(Program(process, (MODULES[process],), STAGES[process]))
            continue
        found += [
            Program(
                f"{process}-{shard}", (MODULES[process],), STAGES[process], {"SHARD": str(shard)}
            )
            for shard in range(shards)
        ]
    if demo_symbols:
        names = ",".join(demo_symbols)
        simulate = (COMMAND_LINE, "simulate", "--symbols", names, "--wait", str(SIMULATOR_WAIT_S))
        found.append(Program("simulator", simulate, STAGES["simulator"], is_late=True))
    return found


def free_addresses(ports: Ports, shards: int = 1) -> dict[str, str]:
    """Settings that put HTTP, order entry, feeds and snapshots at free ports of loopback.

    All other sockets of an exchange are files in its data directory.
    """

    def free(count: int) -> str:
        return ",".join(f"tcp://127.0.0.1:{ports.take()}" for _ in range(count))

    return {
        "API_HOST": "127.0.0.1",
        "API_PORT": str(ports.take()),
        "GATEWAY_ORDERS": free(1),
        "PUBLISHER_FEED": free(shards),
        "PUBLISHER_SNAPSHOTS": free(shards),
    }


def own_settings(
    folder: Path, ports: Ports, *, shards: int = 1, instruments: Path | None = None
) -> dict[str, str]:
    """Settings of an exchange that shares nothing with another: its data are in `folder`, and its
    ports are free.

    Without `instruments` the file is the setting's, or the packaged examples.
    """
    found = {
        **free_addresses(ports, shards),
        "DATA_DIR": str(folder),
        "SHARDS": str(shards),
    }
    if instruments is not None:
        found["INSTRUMENTS_FILE"] = str(instruments)
    return found


def process_environment(
    settings: Mapping[str, str], environment: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """The environment without any setting of an exchange, and with `settings`.

    Run in a folder without `.env`, a process with it has these settings and defaults alone.
    """
    ours = {name.upper() for name in Settings.model_fields}
    kept = {name: value for name, value in environment.items() if name.upper() not in ours}
    return {**kept, **settings}


def addresses_of(settings: Settings) -> Addresses:
    """Where clients connect to the exchange of these settings; raises `ConfigError`."""
    every = settings.each_shard()
    bare = settings.api_host.strip("[]")
    host = f"[{bare}]" if ":" in bare else bare
    secure = "s" if settings.tls() is not None else ""
    return Addresses(
        http_url=f"http{secure}://{host}:{settings.api_port}",
        websocket_url=f"ws{secure}://{host}:{settings.api_port}/ws",
        orders=settings.gateway_orders,
        feeds=[shard.publisher_feed for shard in every],
        snapshots=[shard.publisher_snapshots for shard in every],
        administrators=[shard.matcher_admin for shard in every],
        data_dir=str(settings.data_dir.absolute()),
        instruments=[instrument.symbol for instrument in settings.instruments()],
    )
