"""What stays of the exchange of a failed test: its journal and its logs."""

import shlex
import shutil
from pathlib import Path

from crossbook.testing.running import RunningExchange


def keep(exchange: RunningExchange, target: Path) -> str:
    """Copy data and logs of a running exchange into a folder; the commands that show them."""
    shutil.copytree(
        exchange.processes.folder, target, ignore=_sockets_of, dirs_exist_ok=True,
        copy_function=_copy,
    )  # fmt: skip
    places = [shlex.quote(str(target / "data"))]
    places += [f"{places[0]}/shard-{shard}" for shard in range(1, exchange.plan.shards)]
    return "\n".join(f"crossbook journal {place}" for place in places)


def _sockets_of(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if (Path(folder) / name).is_socket()]


def _copy(source: str, target: str) -> None:
    # A file may end while the processes run: a journal that rolls, a database's side file.
    try:
        shutil.copy2(source, target)
    except FileNotFoundError:
        return
