"""Exclusive claims of a process: a file with a lock beside it, which the kernel releases at the end
of the process, however it ends."""

import errno
import fcntl
import os
import socket
import stat
from pathlib import Path
from typing import Final

from crossbook.common.errors import CrossbookError
from crossbook.common.process.private import private_file, private_folder

LOCK_SUFFIX: Final = ".lock"

_HELD: Final[set[tuple[int, int, int]]] = set()
"""Process id, device and inode of every lock file that is held. A POSIX lock does not keep a
process from itself, and would be gone once the process closed the same file elsewhere."""


class Claimed(CrossbookError):  # noqa: N818 - names an event
    """Another process holds the claim; `owner` is its process id, or empty where it is unknown."""

    def __init__(self, path: Path, owner: str) -> None:
        self.owner = owner or "unknown"
        super().__init__(f"{path} is in use by process {self.owner}")


class Claim:
    """The lock of one file, held until `close` or the end of the process.

    The lock belongs to the process and not to the open file: a child does not inherit it.
    Raises `Claimed`, and `OSError` where the file cannot be made.
    """

    def __init__(self, path: Path) -> None:
        try:
            found = os.stat(path)
        except FileNotFoundError:
            pass
        else:
            if (os.getpid(), found.st_dev, found.st_ino) in _HELD:
                raise Claimed(path, str(os.getpid()))
        self._file = private_file(path, os.O_RDWR)
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.pread(self._file, 20, 0).decode(errors="replace").strip()
            os.close(self._file)
            if error.errno in (errno.EACCES, errno.EAGAIN):
                raise Claimed(path, owner) from error
            raise
        status = os.fstat(self._file)
        self._key = (os.getpid(), status.st_dev, status.st_ino)
        _HELD.add(self._key)
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def close(self) -> None:
        """Release the claim."""
        if self._file >= 0:
            _HELD.discard(self._key)
            os.close(self._file)
            self._file = -1


def claim_beside(path: Path) -> Claim:
    """The claim of a file whose lock is beside it, in `path` with `.lock` at its end.

    Raises `Claimed`, naming `path` itself, and `OSError`.
    """
    try:
        return Claim(path.with_name(path.name + LOCK_SUFFIX))
    except Claimed as error:
        raise Claimed(path, error.owner) from None


def claim_endpoint(path: Path) -> Claim:
    """The claim of a unix socket that no process serves; its folder exists.

    A socket that a killed process left at `path` may be replaced. Raises `Claimed` where a process
    serves the socket, whether it holds the lock or not, and `OSError`: `ENOTSOCK` where `path` is
    anything else, which ZeroMQ would remove.
    """
    private_folder(path.parent)
    claim = claim_beside(path)
    try:
        found = path.lstat()
    except FileNotFoundError:
        return claim
    try:
        if not stat.S_ISSOCK(found.st_mode):
            raise OSError(errno.ENOTSOCK, "it is there and no socket", str(path))
        with socket.socket(socket.AF_UNIX) as probe:
            probe.setblocking(False)
            outcome = probe.connect_ex(str(path))
        # A full backlog (EAGAIN) belongs to a listening process.
        if outcome in (0, errno.EAGAIN, errno.EINPROGRESS):
            raise Claimed(path, "")
        if outcome not in (errno.ECONNREFUSED, errno.ENOENT):
            raise OSError(outcome, os.strerror(outcome), str(path))
    except BaseException:
        claim.close()
        raise
    return claim
