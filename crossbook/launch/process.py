"""A process of an exchange as the one that started it sees it, and its start without a fork."""

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Protocol

PYTHON: Final = (sys.executable, "-P", "-m")
"""`python -m`, without the modules in the working folder: a user's `types.py` is not imported."""


class Process(Protocol):
    """The part of `subprocess.Popen` that a process has, however it was started."""

    @property
    def pid(self) -> int: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, sig: int) -> None: ...
    def kill(self) -> None: ...


Start = Callable[[str, Path, Mapping[str, str], Path], Process]
"""Starts a module as `start` does."""


def start(module: str, directory: Path, environment: Mapping[str, str], log: Path) -> Process:
    """Start `python -m module` in an interpreter of its own; its output is appended to `log`."""
    with log.open("ab") as output:
        return subprocess.Popen(
            [*PYTHON, module],
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
