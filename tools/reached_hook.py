"""Note each function that a process runs, once for each test that runs meanwhile.

`REACHED_INTO` names a folder with two files: `test` holds the number of the running test, which
pytest sets, and `functions` gets a line from each process. A line is appended at the first call, so
that a process that is killed has left its notes. Forks and threads continue to note, and processes
begin to, whatever environment they are started with.
"""

import mmap
import os
import sys
import threading
from collections.abc import MutableMapping
from functools import partial
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final

INTO: Final = "REACHED_INTO"
TEST: Final = "test"
FUNCTIONS: Final = "functions"

_ROOT: Final = Path(__file__).parents[1]
PATHS: Final = (str(_ROOT), str(_ROOT / "tools/at_start"))
"""What PYTHONPATH of a process that notes has."""

_hooks: "list[Hook]" = []


class Hook:
    """A trace function for all threads of a process."""

    def __init__(self, folder: Path, root: str = f"{_ROOT}/") -> None:
        self._functions = folder / FUNCTIONS
        self._root = root
        self._test = running_test(folder)
        self._noted: dict[tuple[int, int], CodeType] = {}

    def call(self, frame: FrameType, event: str, arg: object) -> None:
        """Note the function of a frame that begins."""
        code = frame.f_code
        test = self._test[0]
        key = id(code), test
        if key not in self._noted:
            # Held, so that no other code gets its id.
            self._noted[key] = code
            if code.co_filename.startswith(self._root):
                self._append(f"{test}\t{code.co_filename}\t{code.co_qualname}\n")

    def _append(self, line: str) -> None:
        # No descriptor stays open: a process may close or count those it has.
        try:
            file = os.open(self._functions, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        except OSError:
            return  # The test took descriptors or the folder away.
        os.write(file, line.encode())
        os.close(file)


def running_test(folder: Path) -> "memoryview[int]":
    """The number of the running test, shared by all processes."""
    path = folder / TEST
    if not path.exists():
        path.write_bytes(bytes(8))
    with path.open("r+b") as file:
        return memoryview(mmap.mmap(file.fileno(), 8)).cast("Q")


def begin() -> None:
    """Note from here on, in this thread and in those that start later."""
    into = os.environ.get(INTO)
    if into:
        if not _hooks:
            _hooks.append(Hook(Path(into)))
            sys.addaudithook(partial(_pass_on, into))
        threading.settrace(_hooks[0].call)
        sys.settrace(_hooks[0].call)


def _pass_on(into: str, event: str, arguments: tuple[Any, ...]) -> None:
    """Put the folder into the environment of a process that is about to be started."""
    if event == "subprocess.Popen" and isinstance(arguments[3], MutableMapping):
        environment = arguments[3]
        environment[INTO] = into
        paths = list(filter(None, environment.get("PYTHONPATH", "").split(os.pathsep)))
        paths += [path for path in PATHS if path not in paths]
        environment["PYTHONPATH"] = os.pathsep.join(paths)
