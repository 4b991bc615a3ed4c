"""Folders and files that only their owner may read, whatever the umask of the process."""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

FOLDER_MODE: Final = 0o700
FILE_MODE: Final = 0o600
_OTHERS: Final = 0o077


def private_folder(path: Path) -> None:
    """Make a folder, and the missing ones above it, with mode 0700.

    A folder that existed keeps its mode. Raises `OSError`.
    """
    try:
        path.mkdir(FOLDER_MODE)
    except FileNotFoundError:
        private_folder(path.parent)
        private_folder(path)
    except FileExistsError:
        if not path.is_dir():
            raise
    else:
        path.chmod(FOLDER_MODE)


def private_file(path: str | Path, flags: int) -> int:
    """The open descriptor of a file with mode 0600, made where it is missing.

    A file that existed gets that mode too, where this process owns it. Raises `OSError`.
    """
    file = os.open(path, flags | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
    if os.fstat(file).st_mode & 0o777 != FILE_MODE:
        with contextlib.suppress(PermissionError):
            os.fchmod(file, FILE_MODE)
    return file


def close_files(paths: Iterable[Path]) -> None:
    """Give files that others may read mode 0600, where this process owns them.

    Anything but a file keeps its mode.
    """
    for path in paths:
        with contextlib.suppress(FileNotFoundError, PermissionError):
            if path.is_file() and path.stat().st_mode & _OTHERS:
                path.chmod(FILE_MODE)


def close_folder(path: Path, *, ours: bool) -> str:
    """A warning about the mode of a folder that existed; empty where the mode is 0700.

    With `ours` the folder gets mode 0700, where this process owns it.
    """
    mode = path.stat().st_mode & 0o7777
    if not mode & _OTHERS:
        return ""
    if ours:
        with contextlib.suppress(PermissionError):
            path.chmod(FOLDER_MODE)
            return f"{path} had mode {mode:04o} and has 0700 now"
    why = "another user owns it" if ours else "it holds other things too"
    return f"{path} keeps mode {mode:04o}, since {why}: others may see the names of its files"
