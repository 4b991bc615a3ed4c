"""Machine instructions of the engine, counted by valgrind in units of `bench.yardstick`.

One process under callgrind runs section after section. Around each it calls `getppid`, which is
called nowhere else: callgrind writes and zeroes its counters there.
"""

import importlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench import yardstick
from bench.flows import FLOWS, EngineFlow

YARDSTICK: Final = "yardstick"
WARM_UP: Final = 300
"""Messages: enough for the interpreter to adapt its bytecodes."""
TIMEOUT_S: Final = 300.0
_ROOT: Final = Path(__file__).resolve().parents[1]
_TOTAL: Final = re.compile(r"^(?:totals|summary): (\d+)", re.MULTILINE)


def absence() -> str:
    """Why instructions cannot be counted here, or nothing."""
    return "" if shutil.which("valgrind") else "there is no valgrind on this machine"


def build() -> str:
    """The build of Python and the kind of machine, on which instructions depend."""
    return f"{sys.version}, {platform.machine()}".replace("\n", "")


def count(sections: Sequence[str]) -> dict[str, float]:
    """Instructions per message of each section, in those that the yardstick needs per message.

    A section is the name of a flow, and may name another engine to run it: `plain=module:Class`.
    Each runs for some seconds: valgrind is some fifty times slower. A section has a process of its
    own, because the state that another leaves in the interpreter's caches is worth 5 %.
    """
    return {name: _ratio(name) for name in sections}


def _ratio(section: str) -> float:
    wanted = (YARDSTICK, section)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        done = subprocess.run(
            [
                "valgrind", "--tool=callgrind", "--dump-before=getppid",
                f"--callgrind-out-file={out}", sys.executable, "-S", "-m", __name__,
                *wanted,
            ],
            cwd=_ROOT,
            env={
                **os.environ,
                "MATCHER_BUILD": "pure",
                "PYTHONHASHSEED": "0",
                "PYTHONPATH": os.pathsep.join(sys.path),
            },
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"valgrind ended with {done.returncode}: {done.stderr.strip()}")
        # Odd ones are what was before a section: the start, warming up.
        totals = [_total(out.with_name(f"out.{2 * n}")) for n in range(1, len(wanted) + 1)]
    messages = [int(text) for text in done.stdout.split()]
    yardstick_cost, cost = (t / number for t, number in zip(totals, messages, strict=True))
    return cost / yardstick_cost


def _total(path: Path) -> int:
    found = _TOTAL.search(path.read_text())
    if found is None:
        raise RuntimeError(f"{path.name} of callgrind has no total")
    return int(found[1])


def _main(names: Sequence[str]) -> None:
    """The program under valgrind: each section between two marks, warmed up before."""
    for name in names:
        name, _, other = name.partition("=")
        if name == YARDSTICK:
            messages = yardstick.run(2_000)
            os.getppid()
            yardstick.run(2_000)
        else:
            module, _, kind = (other or "crossbook.matcher.engine.engine:Engine").partition(":")
            engine = getattr(importlib.import_module(module), kind)
            flow = FLOWS[name]()
            messages = len(flow.commands)
            EngineFlow(flow.commands[:WARM_UP], flow.engine).run(engine)
            os.getppid()
            flow.run(engine)
        os.getppid()
        print(messages)


if __name__ == "__main__":
    _main(sys.argv[1:])
