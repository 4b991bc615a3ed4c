"""What makes written bytes survive a loss of power, on each system by its own call.

Linux: `fdatasync` and `fsync`. macOS: `fcntl` with `F_FULLFSYNC`, since its `fsync` leaves the
bytes in the drive's cache; where a file system has no such call, `fsync` is all there is. Every
failure is an `OSError`.
"""

import errno
import fcntl
import os
from typing import Final

_UNKNOWN: Final = (errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOTTY, errno.EINVAL, errno.ENOSYS)
"""How a file system says that it has no such call. Any other error is one of the disk: to ask
again, by another call, might hide it."""


def sync_data(file: int) -> None:
    """The bytes of the open file are durable, and what it takes to read them."""
    if not _fully_synced(file):
        getattr(os, "fdatasync", os.fsync)(file)


def sync_all(file: int) -> None:
    """The bytes and all attributes of the open file are durable; of a directory, its names."""
    if not _fully_synced(file):
        os.fsync(file)


def sync_call(file: int) -> str:
    """The call by which `sync_data` makes this file durable, which it now is.

    `fsync` on macOS means that the drive may lose what it has confirmed.
    """
    if _fully_synced(file):
        return "F_FULLFSYNC"
    sync_data(file)
    return "fdatasync" if hasattr(os, "fdatasync") else "fsync"


def _fully_synced(file: int) -> bool:
    command = getattr(fcntl, "F_FULLFSYNC", None)
    if command is None:
        return False
    try:
        fcntl.fcntl(file, command)
    except OSError as error:
        if error.errno not in _UNKNOWN:
            raise
        return False
    return True
