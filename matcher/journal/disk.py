"""The files of one directory, as the journal and the snapshots use them.

`FileDisk` is on the machine's file system; tests replace it by disks that tear writes, fail and
crash. Every failure is an `OSError`.
"""

import contextlib
import errno
import os
import threading
import time
from io import FileIO
from pathlib import Path
from typing import Final, Protocol

from crossbook.common.errors import CrossbookError
from crossbook.common.process.claim import Claim, Claimed
from crossbook.common.process.counters import TIMES_NS, Buckets
from crossbook.common.process.durable import sync_all, sync_call, sync_data
from crossbook.common.process.private import close_files, close_folder, private_file, private_folder

LOCK: Final = "lock"
TEMPORARY: Final = ".tmp"
"""Ending of temporary files: a crash may leave some, and the next start removes them."""

_OURS: Final = (".journal", ".snapshot", TEMPORARY)
_BESIDE: Final = (".sock", ".lock", ".db", ".db-wal", ".db-shm")
"""Endings of the matcher's files, and of those that other processes keep beside them."""

_ZEROS: Final = bytes(256 * 1024)
"""A prepared file is written and synced in parts of this size: larger parts make the syncs of the
journal, on the same disk, wait for milliseconds."""


class DirectoryInUse(CrossbookError):  # noqa: N818 - names an event
    """Another process writes to the directory; two would destroy each other's files."""

    def __init__(self, directory: Path, owner: str) -> None:
        super().__init__(
            f"data directory {directory} is in use by process {owner or 'unknown'}: stop that "
            "process first, or start this one with another DATA_DIR"
        )


class Disk(Protocol):
    """Named files in one directory. A crash may lose what is not synced."""

    def names(self) -> list[str]:
        """The names of all files but temporary ones, sorted."""

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        """A file's content from `offset` on, at most `length` bytes of it."""

    def prepare(self, size: int) -> None:
        """Begin making a file of zeros for a later `claim`, without waiting for it."""

    def claim(self, name: str, size: int, head: bytes) -> None:
        """Create the file `name`, durably and never in part: `head`, then zeros up to at least
        `size` bytes. It replaces an earlier file of that name."""

    def write(self, name: str, offset: int, data: bytes) -> None:
        """Write at a place inside a file made by `claim`."""

    def sync(self, name: str) -> None:
        """Make what was written to the file so far survive a crash, its name too."""

    def release(self, name: str) -> None:
        """Give up the handle of a file that is not written to for now."""

    def replace(self, name: str, data: bytes) -> None:
        """Write the file with exactly this content, durably and never in part."""

    def remove(self, name: str) -> None:
        """Remove a file durably."""

    def close(self) -> None:
        """Close the disk for good."""


class FileDisk:
    """One directory of the machine's file system, created where it is missing.

    Only one process at a time owns a directory; a second one raises `DirectoryInUse`. A `read_only`
    disk locks and changes nothing, so it may read the files of a running matcher. A disk `beside`
    that matcher locks nothing either, and may `replace` files that the matcher does not write.
    `syncs` are the nanoseconds that calls of `sync` took. A disk that is not `durable` syncs
    nothing: what it writes outlives every process, and no power cut.

    Only their owner may read the files, and the directory where it is created here. An existing
    directory is closed to other users if it holds nothing but an exchange's files; `folder_remark`
    is the remark about that for the log.
    """

    def __init__(
        self,
        directory: Path,
        *,
        read_only: bool = False,
        beside: bool = False,
        durable: bool = True,
    ) -> None:
        self.syncs = Buckets(TIMES_NS)
        self._durable = durable
        self._directory = directory
        self._read_only = read_only
        self._files: dict[str, int] = {}
        self._prepared = directory / f"next{TEMPORARY}"
        self._prepared_size = 0
        self._preparing: threading.Thread | None = None
        self._stopping = threading.Event()
        self._lock: Claim | None = None
        self.folder_remark = ""
        if read_only or beside:
            os.stat(directory)
            return
        self._make(directory)
        ours = all(map(_is_ours, os.listdir(directory)))
        try:
            self._lock = Claim(directory / LOCK)
        except Claimed as error:
            raise DirectoryInUse(directory, error.owner) from error
        self.folder_remark = close_folder(directory, ours=ours)
        close_files(path for path in directory.iterdir() if path.name.endswith(_OURS))
        for path in directory.glob(f"*{TEMPORARY}"):
            path.unlink()
        self._sync_directory(directory)

    def names(self) -> list[str]:
        """The names of all files but temporary ones, sorted."""
        return sorted(
            entry.name
            for entry in self._directory.iterdir()
            if entry.is_file() and entry.name != LOCK and not entry.name.endswith(TEMPORARY)
        )

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        """A file's content from `offset` on, at most `length` bytes of it."""
        with (self._directory / name).open("rb", buffering=0) as file:
            file.seek(offset)
            return (file.read(length) if length is not None else file.readall()) or b""

    def prepare(self, size: int) -> None:
        """Make a file of zeros on a thread of its own; a failure is raised by `claim`."""
        self._writable()
        self._join()
        self._preparing = threading.Thread(target=self._fill, args=(size,), daemon=True)
        self._preparing.start()

    def claim(self, name: str, size: int, head: bytes) -> None:
        """Write `head` into the prepared file and rename it; waits until the file is prepared."""
        self._writable()
        self._join()
        if self._prepared_size < size:
            self._write_zeros(size)
        self._prepared_size = 0
        file = os.open(self._prepared, os.O_RDWR | os.O_CLOEXEC)
        try:
            _write(file, 0, head)
            self._sync_data(file)
            os.rename(self._prepared, self._directory / name)
        except OSError:
            os.close(file)
            raise
        self.release(name)
        self._files[name] = file
        self._sync_directory(self._directory)

    def write(self, name: str, offset: int, data: bytes) -> None:
        """Write at a place inside a file."""
        _write(self._open(name), offset, data)

    def sync(self, name: str) -> None:
        """Make what was written to the file so far survive a crash."""
        began_ns = time.monotonic_ns()
        self._sync_data(self._open(name))
        self.syncs.add(time.monotonic_ns() - began_ns)

    def release(self, name: str) -> None:
        """Close the file; a later write opens it again."""
        file = self._files.pop(name, None)
        if file is not None:
            os.close(file)

    def replace(self, name: str, data: bytes) -> None:
        """Write a temporary file, sync it, rename it, sync the directory.

        The temporary name holds the process id: the child of a killed process may still write under
        its own.
        """
        self._writable()
        temporary = self._directory / f"{name}.{os.getpid()}{TEMPORARY}"
        try:
            with _made(temporary) as file:
                _write(file.fileno(), 0, data)
                self._sync_all(file.fileno())
            os.rename(temporary, self._directory / name)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        self._sync_directory(self._directory)

    def remove(self, name: str) -> None:
        """Remove the file and sync the directory."""
        self._writable()
        self.release(name)
        (self._directory / name).unlink(missing_ok=True)
        self._sync_directory(self._directory)

    def sync_call(self) -> str:
        """Name of the system call that makes bytes durable in this directory, or "none"."""
        if not self._durable:
            return "none"
        directory = os.open(self._directory, os.O_RDONLY)
        try:
            return sync_call(directory)
        finally:
            os.close(directory)

    def free_bytes(self) -> int:
        """Bytes of the file system that this process may still use."""
        found = os.statvfs(self._directory)
        return found.f_bavail * found.f_frsize

    def close(self) -> None:
        """Close all files and give up the directory."""
        self._stopping.set()
        self._join()
        for name in list(self._files):
            self.release(name)
        if self._lock is not None:
            self._prepared.unlink(missing_ok=True)
            self._lock.close()
            self._lock = None

    def _writable(self) -> None:
        if self._read_only:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(self._directory))

    def _open(self, name: str) -> int:
        file = self._files.get(name)
        if file is None:
            self._writable()
            flags = os.O_RDWR | os.O_CLOEXEC
            file = self._files[name] = os.open(self._directory / name, flags)
        return file

    def _join(self) -> None:
        if self._preparing is not None:
            self._preparing.join()
            self._preparing = None

    def _fill(self, size: int) -> None:
        try:
            self._write_zeros(size)
        except OSError:
            # `claim` tries again, and raises the error.
            self._prepared_size = 0

    def _write_zeros(self, size: int) -> None:
        """Real zeros, not a hole: writing into them later changes no metadata of the file."""
        self._prepared_size = 0
        with _made(self._prepared) as file:
            for start in range(0, size, len(_ZEROS)):
                if self._stopping.is_set():
                    return
                _write(file.fileno(), start, _ZEROS[: size - start])
                self._sync_data(file.fileno())
            self._sync_all(file.fileno())
        self._prepared_size = size

    def _make(self, directory: Path) -> None:
        """Create the directory where it is missing, and sync its name and those of all folders
        created.

        Another process may have created the directory a moment ago: its name is synced in any case,
        where the folder around it is readable.
        """
        made = [directory, *(folder for folder in directory.parents if not folder.exists())]
        private_folder(directory)
        for folder in made:
            with contextlib.suppress(PermissionError):
                self._sync_directory(folder.parent)

    def _sync_data(self, file: int) -> None:
        if self._durable:
            sync_data(file)

    def _sync_all(self, file: int) -> None:
        if self._durable:
            sync_all(file)

    def _sync_directory(self, directory: Path) -> None:
        file = os.open(directory, os.O_RDONLY)
        try:
            self._sync_all(file)
        finally:
            os.close(file)


def _is_ours(name: str) -> bool:
    """Whether an exchange gives this name to a file in its data directory."""
    return name == LOCK or name.startswith("shard-") or name.endswith((*_OURS, *_BESIDE))


def _made(path: Path) -> FileIO:
    """An empty file to write, which only its owner may read."""
    return FileIO(private_file(path, os.O_WRONLY | os.O_TRUNC), "wb")


def _write(file: int, offset: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(file, view, offset)
        offset += written
        view = view[written:]
