"""What stays of the exchange of a failed test: its journal and its logs."""

import shlex
import shutil
from hashlib import sha256
from pathlib import Path

from crossbook.matcher.journal.digest import journal_digest
from crossbook.testing.running import RunningExchange


def keep(exchange: RunningExchange, target: Path) -> str:
    """Copy data and logs of a running exchange into a folder; the commands that show them."""
    shutil.copytree(
        exchange.processes.folder, target, ignore=_sockets_of, dirs_exist_ok=True,
        copy_function=_copy,
    )  # fmt: skip
    places = [shlex.quote(str(target / "data"))]
    places += [f"{places[0]}/shard-{shard}" for shard in range(1, exchange.plan.shards)]
    lines = [f"crossbook journal {place}" for place in places]
    if exchange.settings.get("CLOCK") == "manual":
        lines.append(f"digest of its decisions: {digest_of(exchange)}")
    return "\n".join(lines)


def digest_of(exchange: RunningExchange) -> str:
    """The digest of what the matchers of an exchange decided; of several shards one of theirs."""
    found = [
        journal_digest(exchange.processes.data_dir(shard)).digest
        for shard in range(exchange.plan.shards)
    ]
    return found[0] if len(found) == 1 else sha256("".join(found).encode()).hexdigest()


def _sockets_of(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if (Path(folder) / name).is_socket()]


def _copy(source: str, target: str) -> None:
    # A file may end while the processes run: a journal that rolls, a database's side file.
    try:
        shutil.copy2(source, target)
    except FileNotFoundError:
        return
