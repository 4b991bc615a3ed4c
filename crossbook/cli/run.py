"""`crossbook run`: the processes of an exchange, started and supervised together."""

import os
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from crossbook.common.shards import SHARDS_MAX
from crossbook.launch.place import temporary_folder
from crossbook.launch.ports import Ports
from crossbook.launch.starter import Starter


def _whole_number(lowest: int, highest: int) -> Callable[[str], int]:
    """Parses a whole number in a range; the refusal has the value and the range."""

    def parse(text: str) -> int:
        digits = text.isascii() and text.isdigit() and len(text) <= len(str(highest))
        if not digits or not lowest <= int(text) <= highest:
            raise typer.BadParameter(f"{text!r} is not a whole number from {lowest} to {highest}.")
        return int(text)

    return parse


DemoOption = Annotated[
    bool, typer.Option("--demo", help="With a simulated market on it (crossbook simulate).")
]
PortOption = Annotated[
    int | None,
    typer.Option(
        "--port", parser=_whole_number(0, 65_535), metavar="PORT", show_default=False,
        help="The port of HTTP (setting API_PORT). 0: free ports for HTTP, order entry, feed "
        "and snapshots, on loopback.",
    ),
]  # fmt: skip
DataDirOption = Annotated[
    Path | None,
    typer.Option(
        "--data-dir", metavar="DIR", show_default=False,
        help="Journal, history and internal sockets (setting DATA_DIR).",
    ),
]  # fmt: skip
TemporaryOption = Annotated[
    bool, typer.Option("--temporary", help="Data in a temporary folder, removed at the end.")
]
InstrumentsOption = Annotated[
    Path | None,
    typer.Option(
        "--instruments", metavar="FILE", show_default=False,
        help="The instruments file (setting INSTRUMENTS_FILE); instruments.toml of this folder "
        "by default, or else five examples.",
    ),
]  # fmt: skip
ShardsOption = Annotated[
    int | None,
    typer.Option(
        "--shards", parser=_whole_number(1, SHARDS_MAX), metavar="N", show_default=False,
        help="Matchers that share the instruments (setting SHARDS).",
    ),
]  # fmt: skip
ReadyOption = Annotated[
    bool,
    typer.Option(
        "--json",
        help="Once it is ready, print one line of JSON with every address and process id; the log "
        "goes to standard error.",
    ),
]


def run(
    context: typer.Context,
    demo: DemoOption = False,
    port: PortOption = None,
    data_dir: DataDirOption = None,
    temporary: TemporaryOption = False,
    instruments: InstrumentsOption = None,
    shards: ShardsOption = None,
    as_json: ReadyOption = False,
) -> None:
    """Run an exchange in the foreground: matcher, publisher, gateway and recorder of every shard.

    Settings come from the options, the environment and .env. The addresses are printed when orders
    can be entered and market data is live. A process that is killed is started again; when one ends
    without a signal, all are ended. Ctrl-C or SIGTERM ends them in order: first the simulator,
    which cancels its orders, then gateway, matcher, publisher and recorder.

    \b
    Examples:
      crossbook run
      crossbook run --demo --port 0 --temporary
      crossbook run --port 0 --data-dir second --shards 2
      crossbook run --port 0 --temporary --json
    """
    if temporary and data_dir is not None:
        raise typer.BadParameter(
            f"a temporary folder cannot be {str(data_dir)!r}; give --data-dir or --temporary",
            param_hint="--temporary",
        )
    given: dict[str, object] = {
        "API_PORT": port or None,
        "DATA_DIR": data_dir,
        "INSTRUMENTS_FILE": instruments,
        "SHARDS": shards,
    }
    folder = None
    if temporary:
        folder = Path(tempfile.mkdtemp(prefix="crossbook-", dir=temporary_folder()))
        given["DATA_DIR"] = folder
    options = {name: str(value) for name, value in given.items() if value is not None}
    # The imports of the processes go on beside the check of the settings.
    with closing(context.obj or Starter(os.environ)) as starter, closing(Ports()) as ports:
        if folder is not None:
            starter.remove_at_end(folder)
        starter.warm()
        from crossbook.launch.foreground import run_exchange

        status = run_exchange(
            options, starter, ports if port == 0 else None, demo=demo, as_json=as_json
        )
    raise typer.Exit(status)
