"""nodejs-order-book, driven in its own language by `nodejs_order_book.js`.

The script gets the messages in a file and times itself. `make bench-core` installs the package
under `build/npm`, in the version that `bench/package.json` names.
"""

import shutil
import subprocess
import tempfile
from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from bench.traded import Traded, difference, reference
from crossbook.common.messages.commands import AmendOrder, CancelOrder, Command, NewOrder
from crossbook.common.types import TimeInForce

NAME: Final = "nodejs-order-book"
_HERE: Final = Path(__file__).resolve().parent
SCRIPT: Final = _HERE / "nodejs_order_book.js"
PACKAGE: Final = _HERE.parent / "build" / "npm" / "node_modules" / NAME
TIMEOUT_S: Final = 300.0

_IOC: Final = int(TimeInForce.IOC)


def version() -> str:
    """The installed version and Node's, or why it cannot run."""
    node = shutil.which("node")
    if node is None:
        return "not run: there is no node on this machine"
    if not PACKAGE.is_dir():
        return "not installed: `make bench-core` does, with npm"
    installed = msgspec.json.decode((PACKAGE / "package.json").read_bytes())["version"]
    reply = subprocess.run([node, "--version"], capture_output=True, text=True, check=True)
    return f"{installed}, Node {reply.stdout.strip()}"


def is_available() -> bool:
    """Whether node and the package are there."""
    return shutil.which("node") is not None and PACKAGE.is_dir()


def elapsed_ns(commands: Sequence[Command], collect_garbage: bool) -> int:
    """Time of one warmed-up run: processor or wall time, whichever is less, since Node's
    processor time includes the threads that compile and collect beside it."""
    del collect_garbage
    result = _run(commands, "time")
    return int(min(result["wall_ns"], result["processor_ns"]))


def differs(commands: Sequence[Command]) -> str:
    """The first difference of its trades from Crossbook's, or nothing."""
    theirs = msgspec.convert(_run(commands, "check"), Traded)
    return difference(theirs, reference(commands)[0])


def as_messages(commands: Iterable[Command]) -> "array[int]":
    """Commands as the script reads them; an order's number is its position, from 1."""
    words = array("i")
    for position, command in enumerate(commands, 1):
        if isinstance(command, NewOrder):
            kind = 2 if command.time_in_force == _IOC else 1
            words.extend(
                (kind, position, command.side, command.price_ticks, command.quantity_lots, 0)
            )
        elif isinstance(command, CancelOrder):
            words.extend((3, command.order_id, 0, 0, 0, 0))
        elif isinstance(command, AmendOrder):
            words.extend((4, command.order_id, 0, command.price_ticks, command.quantity_lots, 0))
    return words


def _run(commands: Sequence[Command], mode: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "messages"
        path.write_bytes(as_messages(commands).tobytes())
        done = subprocess.run(
            ["node", str(SCRIPT), str(PACKAGE), str(path), mode],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(f"{SCRIPT.name} ended with {done.returncode}: {done.stderr.strip()}")
    result: dict[str, Any] = msgspec.json.decode(done.stdout)
    return result
