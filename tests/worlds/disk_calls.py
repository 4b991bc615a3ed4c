"""The system calls of a process in one directory, in their order.

The calls are recorded in Python, and then made. Any other change is found by a comparison of the
directory with the record, so that the record is complete.
"""

import fcntl
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct


class Wrote(Struct, frozen=True):
    """Bytes were written into a file."""

    file: int
    offset: int
    data: bytes


class Synced(Struct, frozen=True):
    """All that was written to a file is durable."""

    file: int


class Named(Struct, frozen=True):
    """An empty file was made."""

    file: int
    name: str


class Renamed(Struct, frozen=True):
    """A file was renamed. The file that had the new name has none any more."""

    file: int
    old: str
    new: str


class Unnamed(Struct, frozen=True):
    """A file was removed."""

    name: str


class DirectorySynced(Struct, frozen=True):
    """All names are durable."""


class Promised(Struct, frozen=True):
    """A promise to clients: all commands up to `seq` are safe, and so is a snapshot of
    `snapshot`."""

    seq: int
    snapshot: int


Call = Wrote | Synced | Named | Renamed | Unnamed | DirectorySynced | Promised


class DiskCalls:
    """Records the calls that change one directory, from now until the patch is undone.

    `before` has the durable content of its files at the start; their numbers are `numbers`.
    """

    def __init__(self, directory: Path, patch: pytest.MonkeyPatch) -> None:
        self._directory = directory
        self._lock = threading.RLock()
        self._nodes: dict[int, int] = {}
        self._names: dict[str, int] = {}
        self._count = 0
        self.calls: list[Call] = []
        self._notice()
        self.before = {
            name: (number, (directory / name).read_bytes())
            for name, number in self._names.items()
            if (directory / name).is_file()
        }
        self.calls.clear()
        for function, note in (
            ("pwrite", self._pwrite),
            ("fsync", self._sync),
            ("fdatasync", self._sync),
            ("rename", self._rename),
            ("replace", self._rename),
            ("unlink", self._unlink),
        ):
            if hasattr(os, function):
                patch.setattr(os, function, self._noting(getattr(os, function), note))
        patch.setattr(fcntl, "fcntl", self._noting(fcntl.fcntl, self._control))

    def lines(self, until: int | None = None) -> list[str]:
        """The calls as text, one a line; repetitions are written once."""
        names: dict[int, str] = {number: name for name, (number, _) in self.before.items()}
        found: list[str] = []
        for call in self.calls[:until]:
            if isinstance(call, Named):
                names[call.file] = call.name
                line = f"make {call.name}"
            elif isinstance(call, Renamed):
                names[call.file] = call.new
                line = f"rename {call.old} to {call.new}"
            elif isinstance(call, Unnamed):
                line = f"remove {call.name}"
            elif isinstance(call, DirectorySynced):
                line = "sync the directory"
            elif isinstance(call, Promised):
                line = f"promise {call.seq}, {call.snapshot}"
            else:
                line = f"{'write' if isinstance(call, Wrote) else 'sync'} {names[call.file]}"
            if found[-1:] != [line]:
                found.append(line)
        return found

    def promise(self, seq: int, snapshot: int) -> None:
        """Record a promise."""
        with self._lock:
            self.calls.append(Promised(seq, snapshot))

    def _noting(
        self, function: Callable[..., Any], note: Callable[..., None]
    ) -> Callable[..., Any]:
        def noted(*arguments: Any, **options: Any) -> Any:
            with self._lock:
                self._notice()
                result = function(*arguments, **options)
                note(result, *arguments)
                self._notice()
            return result

        return noted

    def _notice(self) -> None:
        """Record new files. Fails when one vanished or was renamed without a recorded call."""
        seen = {entry.name: entry.inode() for entry in os.scandir(self._directory)}
        assert not set(self._names) - set(seen), "a name was removed by a call that is not noted"
        for name, node in seen.items():
            if name not in self._names:
                self._count += 1
                self._nodes[node] = self._names[name] = self._count
                self.calls.append(Named(self._count, name))
            assert self._nodes[node] == self._names[name], f"{name} is another file, unseen"

    def _number(self, file: int) -> int | None:
        """The number of an open file that has a name in the directory."""
        return self._nodes.get(os.fstat(file).st_ino)

    def _pwrite(self, written: int, file: int, data: Any, offset: int) -> None:
        number = self._number(file)
        if number is not None:
            self.calls.append(Wrote(number, offset, bytes(data[:written])))

    def _sync(self, _: Any, file: int) -> None:
        found = os.fstat(file)
        if stat.S_ISDIR(found.st_mode):
            if os.path.samestat(found, self._directory.stat()):
                self.calls.append(DirectorySynced())
        elif (number := self._number(file)) is not None:
            self.calls.append(Synced(number))

    def _control(self, result: Any, file: int, command: int, *_: Any) -> None:
        # The call that makes a write durable on macOS.
        if command == getattr(fcntl, "F_FULLFSYNC", None):
            self._sync(result, file)

    def _rename(self, _: Any, old: Any, new: Any) -> None:
        if Path(new).parent == self._directory:
            number = self._names.pop(Path(old).name)
            replaced = self._names.get(Path(new).name)
            self._names[Path(new).name] = number
            self._forget(replaced)
            self.calls.append(Renamed(number, Path(old).name, Path(new).name))

    def _unlink(self, _: Any, path: Any) -> None:
        if Path(path).parent == self._directory:
            self._forget(self._names.pop(Path(path).name))
            self.calls.append(Unnamed(Path(path).name))

    def _forget(self, number: int | None) -> None:
        """Forget a file, because its inode may soon be that of another one."""
        for node, known in list(self._nodes.items()):
            if known == number:
                del self._nodes[node]
