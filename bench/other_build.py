"""The other build of the engine, compiled or pure, in a process of its own, in turn with this one.

`python -m bench.other_build JSON` is that process: it writes the trades of its engine, and then
answers each line with the nanoseconds of one run.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from crossbook.matcher.build import use_build

if __name__ == "__main__":
    # What is imported below brings the engine.
    use_build()

import msgspec
from msgspec import Struct

from bench.traded import Traded
from crossbook.matcher import build

NAME: Final = {"pure": "compiled", "compiled": "pure"}[build.running()]
"""Which build that is."""


class OtherBuild:
    """A process that runs one scenario in the other build; `traded` has its trades."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self.traded = msgspec.json.decode(self._line(), type=Traded)

    def elapsed_ns(self) -> int:
        """Nanoseconds of processor time of one run."""
        assert self._process.stdin is not None, "it is a pipe"
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()
        return int(self._line())

    def _line(self) -> bytes:
        assert self._process.stdout is not None, "it is a pipe"
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the {NAME} engine ended with status {self._process.wait()}")
        return line


def obstacle() -> str:
    """Why the other build cannot run, or the empty text."""
    return build.why_not_compiled(build.ROOT) if NAME == "compiled" else ""


@contextmanager
def started(scenario: str, plan: Struct) -> Iterator[OtherBuild]:
    """The other build, ready to run the scenario by this `bench.core.CorePlan`; it ends with the
    block."""
    document = msgspec.json.encode((scenario, plan)).decode()
    environment = {**os.environ, "MATCHER_BUILD": NAME}
    with subprocess.Popen(
        [sys.executable, "-m", __name__, document],
        cwd=build.ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        try:
            yield OtherBuild(process)
        finally:
            process.kill()


def serve(document: str) -> None:
    """Answer each line of standard input with the time of one run."""
    from bench import core

    scenario, plan = msgspec.json.decode(document, type=tuple[str, core.CorePlan])
    stream = core.stream_of(scenario, plan)
    print(msgspec.json.encode(stream.traded).decode(), flush=True)
    for _ in sys.stdin:
        print(stream.elapsed_ns(), flush=True)


if __name__ == "__main__":
    serve(sys.argv[1])
