"""Calls of each system that make written bytes survive a loss of power.

Linux: `fdatasync` and `fsync`. macOS: `fcntl` with `F_FULLFSYNC`, since its `fsync` leaves the
bytes in the drive's cache; where a file system has no such call, `fsync` is all there is. Every
failure is an `OSError`.
"""

import errno
import fcntl
import os
from typing import Final

_UNKNOWN: Final = (errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOTTY, errno.EINVAL, errno.ENOSYS)
"""Errors of a file system that has no such call. Any other error is the disk's, which a second
attempt by another call might hide."""


def sync_data(file: int) -> None:
    """Make the bytes of an open file durable, with the attributes that reading them needs."""
    if not _fully_synced(file):
        getattr(os, "fdatasync", os.fsync)(file)


def sync_all(file: int) -> None:
    """Make the bytes and all attributes of an open file durable; of a directory, its names."""
    if not _fully_synced(file):
        os.fsync(file)


def sync_call(file: int) -> str:
    """The name of the call by which `sync_data` makes this file durable; it is durable afterwards.

    On macOS `fsync` means that the drive may lose bytes it has confirmed.
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
