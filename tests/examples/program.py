"""A program of `examples/`, run against an exchange of a test."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from crossbook.testing import Exchange

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
FINISH_S = 60.0


class Program:
    """A program that runs inside `with`. Its settings are those of the exchange, in the
    environment."""

    def __init__(self, exchange: Exchange, name: str, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(EXAMPLES / f"{name}.py"), *arguments],
            env={**os.environ, **exchange.settings, "PYTHONPATH": str(EXAMPLES.parent)},
            cwd=EXAMPLES.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()

    def finish(self, number: signal.Signals | None = None, status: int = 0) -> str:
        """Wait for the end of the program, after a signal if one is given; return its output."""
        if number is not None:
            self._process.send_signal(number)
        printed, errors = self._process.communicate(timeout=FINISH_S)
        assert self._process.returncode == status, errors
        return printed

    def line(self) -> str:
        """The next line of its output."""
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def runs(self) -> bool:
        """Whether the program is running."""
        return self._process.poll() is None

    def kill(self) -> None:
        """Kill the program, which then cancels nothing."""
        self._process.kill()
        self._process.wait(FINISH_S)
